"""The core graph of a stranger's file: checked whole before ONNX Runtime reads it.

What passes holds only operators that assay writes, reads only the encoder's arrays and its
own constants, keeps rows apart, and takes a bounded amount of memory and work for each row.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from assay.encode.table_encoder import TableEncoder
from assay.file_bounds import NUMBERS_PER_CONSTANT, ROW_NUMBERS
from assay.modelfile.core_message import CoreMessage, Value, read_core
from assay.modelfile.layout import MalformedError
from assay.modelfile.shapes import ROWS, Call, Shape, infer, size_of, work_of

OUTPUT = "probabilities"
ROW_WORK, WORK_PER_CONSTANT = 1 << 24, 16
"""Operations of a row, likewise."""

_FLOAT, _INT32 = 1, 6
_ELEMENTS = {"numeric": _FLOAT, "codes": _INT32, "text": _INT32}


@dataclass(frozen=True)
class CoreFacts:
    """What a core graph is made of.

    Attributes:
        n_nodes: Operations.
        operators: Their names, sorted.
        n_constants: Numbers that it stores.
        largest: Numbers of a row that the largest node holds.
        row_numbers: Numbers of a row that all nodes hold together.
    """

    n_nodes: int
    operators: tuple[str, ...]
    n_constants: int
    largest: int
    row_numbers: int


def array_widths(encoder: TableEncoder) -> dict[str, int]:
    """Return the columns of an encoder's arrays by name, but for arrays without any."""
    widths = {
        "numeric": len(encoder.numeric),
        "codes": len(encoder.categorical),
        "text": sum(feature.n_ngrams for feature in encoder.text),
    }
    return {name: width for name, width in widths.items() if width}


def check_core(
    serialised: bytes | memoryview, widths: Mapping[str, int], *, n_classes: int
) -> CoreFacts:
    """Check a core graph.

    Args:
        serialised: The ONNX model.
        widths: Of `array_widths`.
        n_classes: C.

    Raises:
        MalformedError: It is not as `nn.graph.GraphBuilder` makes it, does not fit the encoder,
            or would take more memory or time than its size justifies.
    """
    core = read_core(serialised)
    _check_ends(core, widths, n_classes)
    shapes: dict[str, Shape] = {name: tensor.shape for name, tensor in core.constants.items()}
    for name, value in core.inputs.items():
        _define(shapes, name, (ROWS, value.width))
    if any(np.isnan(tensor.values).any() for tensor in core.constants.values()):
        raise MalformedError("the core graph has a weight that is no number")
    n_constants = sum(tensor.values.size for tensor in core.constants.values())
    most_numbers = max(ROW_NUMBERS, NUMBERS_PER_CONSTANT * n_constants)
    most_work = max(ROW_WORK, WORK_PER_CONSTANT * n_constants)
    largest, numbers, work = 1, sum(widths.values()), 0
    for node in core.nodes:
        missing = [name for name in node.inputs if name not in shapes]
        if missing:
            raise MalformedError(f"the core graph reads {missing[0]!r}, which is not there yet")
        reads = [shapes[name] for name in node.inputs]
        call = Call(node, reads, [core.constants.get(name) for name in node.inputs])
        shape = infer(call)
        _define(shapes, node.output, shape)
        largest, numbers = max(largest, size_of(shape)), numbers + size_of(shape)
        work += work_of(call, shape)
        if numbers > most_numbers or work > most_work:
            raise MalformedError("the core graph would take far more memory or time than its size")
    if shapes.get(OUTPUT) != (ROWS, n_classes):
        raise MalformedError("the core graph does not give probabilities of each row")
    operators = tuple(sorted({node.operator for node in core.nodes}))
    return CoreFacts(len(core.nodes), operators, n_constants, largest, numbers)


def _check_ends(core: CoreMessage, widths: Mapping[str, int], n_classes: int) -> None:
    """Demand the encoder's arrays as inputs, and the classes as output."""
    expected = {name: Value(_ELEMENTS[name], width) for name, width in widths.items()}
    if core.inputs != expected:
        raise MalformedError("the core graph reads other arrays than the encoder writes")
    if core.outputs != {OUTPUT: Value(_FLOAT, n_classes)}:
        raise MalformedError("the core graph gives something else than the classes' probabilities")


def _define(shapes: dict[str, Shape], name: str, shape: Shape) -> None:
    if not name or name in shapes:
        raise MalformedError("the core graph uses a name twice")
    shapes[name] = shape
