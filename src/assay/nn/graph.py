"""Building an ONNX graph: nodes and constants under fresh names, inputs by their arrays.

`nn.core_graph` and `candidates` add their models to one builder, which becomes the
core graph of a model file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from assay.core import IR_VERSION, OPSET, ROW_NUMBERS, TEXT_NUMBERS, TREE_DOMAIN, TREE_OPSET

_ELEMENTS = {"numeric": TensorProto.FLOAT, "codes": TensorProto.INT32, "text": TensorProto.INT32}


@dataclass
class GraphBuilder:
    """Collects nodes and constants under fresh names.

    Attributes:
        nodes: In the order in which they run.
        constants: What they read besides the inputs.
        inputs: The arrays that they read.
        n_row_numbers: Numbers of a row that the largest node holds, where they are many.
        n_text_numbers: Numbers that an n-gram looks up, over all models of the graph.
        known: Names of outputs that several models read, by what they hold.
    """

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    n_row_numbers: int = 0
    n_text_numbers: int = 0
    known: dict[object, str] = field(default_factory=dict)

    def input(self, name: str, width: int) -> str:
        """Declare an array of `Arrays.named` and its columns; return its name."""
        if all(value.name != name for value in self.inputs):
            shape: list[str | int | None] = ["N", width]
            self.inputs.append(helper.make_tensor_value_info(name, _ELEMENTS[name], shape))
        return name

    def constant(self, array: np.ndarray) -> str:
        """Add a constant; return its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def number(self, value: float) -> str:
        """Add a float32 scalar; return its name."""
        return self.constant(np.array(value, dtype=np.float32))

    def integers(self, values: Sequence[int]) -> str:
        """Add int64 values; return their name."""
        return self.constant(np.array(values, dtype=np.int64))

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of one output; return the output's name."""
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def concat(self, parts: Sequence[str], *, axis: int) -> str:
        """Join parts; a single one stands for itself."""
        return self.add("Concat", *parts, axis=axis) if len(parts) > 1 else parts[0]

    def finish(self, proba: str, n_classes: int) -> bytes:
        """Return the model whose output `probabilities` (N, C) is `proba`, serialised."""
        self.nodes.append(helper.make_node("Identity", [proba], ["probabilities"], "probabilities"))
        shape: list[str | int | None] = ["N", n_classes]
        output = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, "assay_core", self.inputs, [output], self.constants)
        opsets = [helper.make_opsetid("", OPSET)]
        if any(node.domain == TREE_DOMAIN for node in self.nodes):
            opsets.append(helper.make_opsetid(TREE_DOMAIN, TREE_OPSET))
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="assay"
        )
        notes = {TEXT_NUMBERS: self.n_text_numbers, ROW_NUMBERS: self.n_row_numbers}
        helper.set_model_props(model, {name: str(n) for name, n in notes.items() if n})
        onnx.checker.check_model(model)
        serialised: bytes = model.SerializeToString(deterministic=True)
        return serialised
