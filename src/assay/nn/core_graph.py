"""The core graph: a trained population as one ONNX model, arrays in, probabilities out.

Inputs are the arrays of an encoded table that have columns: `numeric` (N, F)
float32 with NaN, `codes` (N, F) int32, `text` (N, L) int32. The output
`probabilities` (N, C) is the members' calibrated average.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from assay.core import TEXT_NUMBERS
from assay.nn.categorical import NO_SLOT, CategoricalInput
from assay.nn.network import Network
from assay.nn.numeric import LARGEST_SCALED, NumericInput
from assay.nn.text import TextInput
from assay.options import Activation

OPSET = 20
IR_VERSION = 10
SMALLEST_PROBABILITY = 1e-12  # of the average, before its logarithm is taken

_OPERATORS: dict[Activation, str] = {
    "relu": "Relu",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "gelu": "Gelu",
    "selu": "Selu",
    "leaky_relu": "LeakyRelu",
    "identity": "Identity",
}


@dataclass(frozen=True)
class Calibration:
    """How the average probability p is calibrated.

    softmax(log(p) / temperature), then mixed with the uniform distribution.

    Attributes:
        temperature: Above 1 makes predictions less sure; 1 changes nothing.
        mix: Weight of the uniform distribution, in [0, 1).
    """

    temperature: float = 1.0
    mix: float = 0.0


@dataclass
class _Builder:
    """Collects nodes and constants under fresh names."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

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


def build_core_graph(network: Network, calibration: Calibration) -> bytes:
    """Return the ONNX model of a trained network, serialised.

    Args:
        network: With fitted input layers, on any device.
        calibration: Applied to the members' average.
    """
    build = _Builder()
    inputs: list[onnx.ValueInfoProto] = []
    parts: list[str] = []
    if network.numeric.features:
        inputs.append(_input("numeric", TensorProto.FLOAT, len(network.numeric.features)))
        x = build.add("Unsqueeze", "numeric", build.integers([0]))  # (N, F) -> (1, N, F)
        parts += _numeric(build, network.numeric, x)
    if network.categorical.features:
        inputs.append(_input("codes", TensorProto.INT32, len(network.categorical.features)))
        parts += _categorical(build, network.categorical)
    if network.text.features:
        n_ngrams = sum(feature.n_ngrams for feature in network.text.features)
        inputs.append(_input("text", TensorProto.INT32, n_ngrams))
        parts += _numeric(build, network.text.scaled, _scores(build, network.text))
    if network.categorical.n_embedded:
        parts.append(_embedding(build, network))
    x = build.add("Concat", *parts, axis=2) if len(parts) > 1 else parts[0]
    proba = _average(build, _members(build, x, network))
    _calibrate(build, proba, calibration, n_classes=network.n_classes)
    notes = {TEXT_NUMBERS: str(network.n_members * network.text.n_scores)}
    return _model(build, inputs, network.n_classes, notes if network.text.features else {})


def _model(
    build: _Builder, inputs: list[onnx.ValueInfoProto], n_classes: int, notes: dict[str, str]
) -> bytes:
    output = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", n_classes])
    graph = helper.make_graph(build.nodes, "assay_core", inputs, [output], build.constants)
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="assay",
    )
    helper.set_model_props(model, notes)
    onnx.checker.check_model(model)
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised


def _input(name: str, element: int, width: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, element, ["N", width])


def _array(tensor: object) -> np.ndarray:
    array: np.ndarray = tensor.detach().cpu().numpy()  # type: ignore[attr-defined]
    return array


def _scores(build: _Builder, layer: TextInput) -> str:
    """Mirror `TextInput.scores`; returns (K, N, S)."""
    n_members, _, n_scores = layer.weights.shape
    parts = []
    for columns, rows in layer.columns():
        edges = (build.integers([edge]) for edge in (columns.start, columns.stop, 1))
        ngrams = build.add("Slice", "text", *edges)  # (N, L)
        table = _array(layer.weights[:, rows].transpose(0, 1)).reshape(-1, n_members * n_scores)
        weights = build.add("Gather", build.constant(table), ngrams, axis=0)  # (N, L, K * S)
        numbers = build.add("Cast", weights, to=TensorProto.FLOAT)
        total = build.add("ReduceSum", numbers, build.integers([1]), keepdims=0)
        present = build.add("Cast", build.add("Sign", ngrams), to=TensorProto.FLOAT)
        count = build.add("ReduceSum", present, build.integers([1]), keepdims=1)
        root = build.add("Sqrt", build.add("Max", count, build.number(1.0)))
        shape = build.integers([-1, n_members, n_scores])
        parts.append(build.add("Reshape", build.add("Div", total, root), shape))
    scores = build.add("Concat", *parts, axis=2)  # (N, K, S of all columns)
    return build.add("Transpose", scores, perm=[1, 0, 2])


def _numeric(build: _Builder, layer: NumericInput, x: str) -> list[str]:
    """Mirror `NumericInput.forward` for `x`, (1 or K, N, F); returns (K, N, ·) parts."""
    per_member = {
        name: build.constant(_array(getattr(layer, name))[:, None])
        for name in ("fill", "center", "factor", "left", "inverse_width")
    }
    missing = build.add("IsNaN", x)
    filled = build.add("Where", missing, per_member["fill"], x)
    centered = build.add("Sub", filled, per_member["center"])
    scaled = build.add("Mul", centered, per_member["factor"])
    parts = [_clip(build, scaled, layer)]
    if len(layer.bin_feature):
        binned = build.add("Gather", filled, build.constant(_array(layer.bin_feature)), axis=2)
        shifted = build.add("Sub", binned, per_member["left"])
        shares = build.add("Mul", shifted, per_member["inverse_width"])
        parts.append(build.add("Clip", shares, build.number(0.0), build.number(1.0)))
    if len(layer.flag_feature):
        flags = build.add("Gather", missing, build.constant(_array(layer.flag_feature)), axis=2)
        numbers = build.add("Cast", flags, to=TensorProto.FLOAT)
        ones = build.constant(np.ones((len(layer.fill), 1, 1), dtype=np.float32))
        parts.append(build.add("Mul", numbers, ones))  # (1 or K, N, ·) -> (K, N, ·)
    return parts


def _clip(build: _Builder, scaled: str, layer: NumericInput) -> str:
    limits = build.number(-LARGEST_SCALED), build.number(LARGEST_SCALED)
    bounded = build.add("Clip", scaled, *limits)
    if not layer.clips_any:
        return bounded
    third = build.add("Div", bounded, build.number(3.0))
    square = build.add("Mul", third, third)
    root = build.add("Sqrt", build.add("Add", square, build.number(1.0)))
    clipped = build.add("Div", bounded, root)
    if layer.clips_all:
        return clipped
    return build.add("Where", build.constant(_array(layer.is_clipped)), clipped, bounded)


def _categorical(build: _Builder, layer: CategoricalInput) -> list[str]:
    """Mirror `CategoricalInput.forward` but for embeddings; returns (K, N, ·) parts."""
    position = build.add("Add", "codes", build.constant(_array(layer.code_offset).astype(np.int32)))
    parts = []
    if len(layer.hot_feature):
        column = build.constant(_array(layer.hot_feature))
        table = build.constant(_array(layer.slot_table))
        hot_position = build.add("Gather", position, column, axis=1)  # (N, P)
        slots = build.add("Gather", table, hot_position, axis=1)  # (K, N, P)
        equal = build.add("Equal", slots, build.constant(_array(layer.hot_slot)))
        parts.append(build.add("Cast", equal, to=TensorProto.FLOAT))
    if len(layer.value_feature):
        column = build.constant(_array(layer.value_feature))
        value_position = build.add("Gather", position, column, axis=1)
        table = build.constant(_array(layer.value_table))
        parts.append(build.add("Gather", table, value_position, axis=1))
    return parts


def _embedding(build: _Builder, network: Network) -> str:
    """Look codes up in one table of vectors per member -> (K, N, E * width)."""
    layer, vectors = network.categorical, _array(network.embedding)
    slot_table, offsets = _array(layer.slot_table), _array(layer.code_offset)
    tables, starts, n_rows = [], [], 0
    for embedded_idx, column in enumerate(_array(layer.embedded_feature)):
        n_codes = len(layer.features[column].levels) + 2
        slots = slot_table[:, offsets[column] : offsets[column] + n_codes]  # (K, codes)
        rows = slots + int(layer.row_offset[embedded_idx])
        table = np.take_along_axis(vectors, rows[:, :, None], axis=1)
        tables.append(np.where((slots == NO_SLOT)[:, :, None], np.float32(0.0), table))
        starts.append(n_rows)
        n_rows += n_codes
    column = build.constant(_array(layer.embedded_feature))
    codes = build.add("Gather", "codes", column, axis=1)  # (N, E)
    position = build.add("Add", codes, build.constant(np.array(starts, dtype=np.int32)))
    looked_up = build.add(
        "Gather", build.constant(np.concatenate(tables, axis=1)), position, axis=1
    )  # (K, N, E, width)
    shape = build.integers([network.n_members, -1, layer.n_embedded * vectors.shape[2]])
    return build.add("Reshape", looked_up, shape)


def _members(build: _Builder, x: str, network: Network) -> str:
    """Apply scale and layers; returns each member's log probabilities (K, N, C)."""
    linears = network.body.linears()
    for idx, layer in enumerate(linears):
        weight = _array(layer.weight).astype(np.float64) * layer.gain
        if idx == 0:
            weight *= _array(network.input_scale)[:, :, None]
        product = build.add("MatMul", x, build.constant(weight.astype(np.float32)))
        x = build.add("Add", product, build.constant(_array(layer.bias)[:, None]))
        if idx < len(linears) - 1:
            x = _activate(build, x, network.body.activation)
    if not network.is_sigmoid:
        return build.add("LogSoftmax", x, axis=2)
    negative = build.add("Neg", build.add("Softplus", x))
    positive = build.add("Neg", build.add("Softplus", build.add("Neg", x)))
    return build.add("Concat", negative, positive, axis=2)


def _activate(build: _Builder, x: str, activation: Activation) -> str:
    if activation == "silu":
        return build.add("Mul", x, build.add("Sigmoid", x))
    if activation == "leaky_relu":
        return build.add("LeakyRelu", x, alpha=0.01)
    return build.add(_OPERATORS[activation], x)


def _average(build: _Builder, log_proba: str) -> str:
    """Return the members' geometric mean, rows summing to 1: (K, N, C) -> (N, C)."""
    mean = build.add("ReduceMean", log_proba, build.integers([0]), keepdims=0)
    return build.add("Softmax", mean, axis=1)


def _calibrate(build: _Builder, proba: str, calibration: Calibration, *, n_classes: int) -> None:
    """Add the calibration; its output is the graph's, `probabilities`."""
    if calibration.temperature != 1.0:
        log_proba = build.add("Log", build.add("Max", proba, build.number(SMALLEST_PROBABILITY)))
        cooled = build.add("Mul", log_proba, build.number(1.0 / calibration.temperature))
        proba = build.add("Softmax", cooled, axis=1)
    if calibration.mix > 0.0:
        proba = build.add("Mul", proba, build.number(1.0 - calibration.mix))
        proba = build.add("Add", proba, build.number(calibration.mix / n_classes))
    build.nodes.append(helper.make_node("Identity", [proba], ["probabilities"], "probabilities"))
