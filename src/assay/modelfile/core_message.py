"""The core graph as a message: bytes in; nodes, constants and inputs out.

Only the fields that `nn.graph.GraphBuilder` writes are known. External data, functions,
subgraphs, sparse tensors, training information and text constants are none of them.
"""

import struct
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from assay.core import IR_VERSION, OPSET, ROW_NUMBERS, TEXT_NUMBERS, TREE_DOMAIN, TREE_OPSET
from assay.file_bounds import MAX_NODES
from assay.modelfile.layout import MalformedError
from assay.modelfile.protobuf import (
    BYTES,
    FIXED32,
    VARINT,
    Field,
    iterate_fields,
    read_message,
    read_varints,
    signed,
)

_MAX_NAME = 200
_MAX_DIMENSIONS = 8
_NODE_INPUTS = 4_096
_ALL_INPUTS = 16 * MAX_NODES
_NODE_ATTRIBUTES = 16
_ENDS = 16  # inputs or outputs of the graph; assay has three and one
_NOTES = 4  # opsets or notes of the model; assay has two of each
_LARGEST = 2**31  # of a dimension

# Numbers of onnx.TensorProto.DataType.
ELEMENTS: dict[int, np.dtype[Any]] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.uint8),
    6: np.dtype(np.int32),
    7: np.dtype(np.int64),
    9: np.dtype(np.bool_),
    10: np.dtype(np.float16),
    11: np.dtype(np.float64),
}

_MODEL = {
    1: Field("ir_version", VARINT),
    2: Field("producer_name", BYTES),
    7: Field("graph", BYTES),
    8: Field("opset_import", BYTES, most=_NOTES),
    14: Field("metadata_props", BYTES, most=_NOTES),
}
_OPSET = {1: Field("domain", BYTES), 2: Field("version", VARINT)}
_NOTE = {1: Field("key", BYTES), 2: Field("value", BYTES)}
_GRAPH = {
    1: Field("node", BYTES, most=MAX_NODES),
    2: Field("name", BYTES),
    5: Field("initializer", BYTES, most=2 * MAX_NODES),
    11: Field("input", BYTES, most=_ENDS),
    12: Field("output", BYTES, most=_ENDS),
}
_NODE = {
    1: Field("input", BYTES, most=_NODE_INPUTS),
    2: Field("output", BYTES),
    3: Field("name", BYTES),
    4: Field("op_type", BYTES),
    5: Field("attribute", BYTES, most=_NODE_ATTRIBUTES),
    7: Field("domain", BYTES),
}
_TENSOR = {
    1: Field("dims", VARINT, most=_MAX_DIMENSIONS),
    2: Field("data_type", VARINT),
    8: Field("name", BYTES),
    9: Field("raw_data", BYTES),
}
_ATTRIBUTE = {
    1: Field("name", BYTES),
    2: Field("f", FIXED32),
    3: Field("i", VARINT),
    5: Field("t", BYTES),
    20: Field("type", VARINT),
}
_INTS, _INTS_TAG, _TYPE_TAG = 8, 8 << 3, 20 << 3
_VALUE = {1: Field("name", BYTES), 2: Field("type", BYTES)}
_TYPE = {1: Field("tensor_type", BYTES)}
_TENSOR_TYPE = {1: Field("elem_type", VARINT), 2: Field("shape", BYTES)}
_SHAPE = {1: Field("dim", BYTES, most=_MAX_DIMENSIONS)}
_DIMENSION = {1: Field("dim_value", VARINT), 2: Field("dim_param", BYTES)}


@dataclass(frozen=True)
class Tensor:
    """A constant.

    Attributes:
        shape: Its dimensions.
        values: A view of its numbers, in that shape.
    """

    shape: tuple[int, ...]
    values: np.ndarray


@dataclass(frozen=True)
class Node:
    """One operation: names of what it reads, and of the one thing that it gives."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Value:
    """An input or the output: type of its elements, and its columns; it has N rows."""

    element: int
    width: int


@dataclass(frozen=True)
class CoreMessage:
    """A core graph, read but not understood.

    Attributes:
        nodes: In their order.
        constants: By name.
        inputs: By name.
        outputs: By name.
    """

    nodes: list[Node]
    constants: dict[str, Tensor]
    inputs: dict[str, Value]
    outputs: dict[str, Value]


def read_core(serialised: bytes | memoryview) -> CoreMessage:
    """Read a core graph, without a copy of its constants.

    Raises:
        MalformedError: It holds anything that assay does not write.
    """
    model = read_message(memoryview(serialised), _MODEL)
    _check_versions(model)
    graph = read_message(_required(model, "graph"), _GRAPH)
    constants = [_tensor(one) for one in graph["initializer"]]
    return CoreMessage(
        nodes=_nodes(graph["node"]),
        constants=_unique(constants),
        inputs=_unique([_value(one) for one in graph["input"]]),
        outputs=_unique([_value(one) for one in graph["output"]]),
    )


def _check_versions(model: dict[str, Any]) -> None:
    opsets = [read_message(one, _OPSET) for one in model["opset_import"]]
    found = {_text(one.get("domain", b"")): one.get("version") for one in opsets}
    known = {"": OPSET, TREE_DOMAIN: TREE_OPSET}
    is_known = "" in found and all(known.get(name) == version for name, version in found.items())
    if model.get("ir_version") != IR_VERSION or not is_known or len(found) < len(opsets):
        raise MalformedError("the core graph is of another version of ONNX")
    notes = [read_message(one, _NOTE) for one in model["metadata_props"]]
    for note in notes:
        key, value = _text(note.get("key", b"")), _text(note.get("value", b""))
        is_number = value.isascii() and value.isdigit() and len(value) < 16 and int(value) > 0
        if key not in (TEXT_NUMBERS, ROW_NUMBERS) or not is_number:
            raise MalformedError("the core graph holds a note that assay never writes")


def _nodes(messages: list[memoryview]) -> list[Node]:
    nodes, n_inputs = [], 0
    for message in messages:
        nodes.append(_node(message))
        n_inputs += len(nodes[-1].inputs)
        if n_inputs > _ALL_INPUTS:
            raise MalformedError("the core graph has nodes of too many inputs")
    return nodes


def _node(message: memoryview) -> Node:
    found = read_message(message, _NODE)
    operator, domain = _text(_required(found, "op_type")), _text(found.get("domain", b""))
    if domain != (TREE_DOMAIN if operator == "TreeEnsemble" else ""):
        raise MalformedError(f"the core graph has operators of the domain {domain!r}")
    _text(found.get("name", b""))
    attributes = _unique([_attribute(one) for one in found["attribute"]])
    inputs = tuple(_text(one) for one in found["input"])
    return Node(operator, inputs, _text(_required(found, "output")), attributes)


def _attribute(message: memoryview) -> tuple[str, Any]:
    """Return name and value: a number, an array of integers, or a tensor."""
    position = 0
    for number, _, value in iterate_fields(message):
        if number == _INTS:
            return _integers(message, position)
        if number != 1:
            break
        position = len(value) + 2  # tag, length below 128, name
    found = read_message(message, _ATTRIBUTE)
    values = {key: found[key] for key in ("f", "i", "t") if key in found}
    if len(values) != 1:
        raise MalformedError("the core graph has an attribute without a value")
    [(key, value)] = values.items()
    kind = {"f": 1, "i": 2, "t": 4}[key]  # of onnx.AttributeProto.AttributeType
    if found.get("type") != kind:
        raise MalformedError("the core graph has an attribute of another type")
    if key == "t":
        value = _tensor(value)[1]
    else:
        value = signed(value) if key == "i" else struct.unpack("<f", value)[0]
    return _text(_required(found, "name")), value


def _integers(message: memoryview, start: int) -> tuple[str, np.ndarray]:
    """Read an attribute that is a name, a run of integers, and the type of such."""
    if not 2 <= start <= 2 + 127:
        raise MalformedError("the core graph has an attribute without a name")
    numbers = read_varints(message[start:])
    tags, values = numbers[0::2], numbers[1::2]
    is_run = len(numbers) % 2 == 0 and bool((tags[:-1] == _INTS_TAG).all())
    if not is_run or tags[-1] != _TYPE_TAG or values[-1] != 7:
        raise MalformedError("the core graph has an attribute of several values")
    return _text(message[2:start]), values[:-1]


def _tensor(message: memoryview) -> tuple[str, Tensor]:
    found = read_message(message, _TENSOR)
    element = ELEMENTS.get(found.get("data_type", 0))
    shape = tuple(found["dims"])
    if element is None:
        raise MalformedError("the core graph has a constant of another type")
    raw = found.get("raw_data", memoryview(b""))
    n_bytes = prod(shape) * element.itemsize
    if n_bytes != len(raw) or max(shape, default=0) > _LARGEST:
        raise MalformedError("the core graph has a constant of another size than its bytes")
    if element == np.bool_ and not (np.frombuffer(raw, np.uint8) <= 1).all():
        raise MalformedError("the core graph has truths that are neither 0 nor 1")
    values = np.frombuffer(raw, dtype=element).reshape(shape)
    return _text(found.get("name", b"")), Tensor(shape, values)


def _value(message: memoryview) -> tuple[str, Value]:
    """Return name, element and width of an input or output of shape (N, width)."""
    found = read_message(message, _VALUE)
    tensor = read_message(
        _required(read_message(_required(found, "type"), _TYPE), "tensor_type"), _TENSOR_TYPE
    )
    shape = read_message(_required(tensor, "shape"), _SHAPE)
    dimensions = [read_message(one, _DIMENSION) for one in shape["dim"]]
    is_rows = len(dimensions) == 2 and {**dimensions[0]}.keys() == {"dim_param"}
    if not is_rows or dimensions[1].keys() != {"dim_value"}:
        raise MalformedError("the core graph has an input or output that is no table")
    name = _text(_required(found, "name"))
    return name, Value(int(tensor.get("elem_type", 0)), int(dimensions[1]["dim_value"]))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise MalformedError("the core graph uses a name twice")
    return found


def _required(message: dict[str, Any], name: str) -> Any:
    if name not in message:
        raise MalformedError(f"the core graph lacks the field {name}")
    return message[name]


def _text(letters: memoryview | bytes) -> str:
    if len(letters) > _MAX_NAME:
        raise MalformedError("the core graph has a name that is too long")
    try:
        return str(letters, "utf-8")
    except UnicodeDecodeError:
        raise MalformedError("the core graph has a name that is no text") from None
