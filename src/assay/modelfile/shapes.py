"""Shapes of everything that a core graph computes, found without computing it.

Each operator that assay writes has its rule here; there is no other. A shape holds `ROWS`
once at the most, where the N rows are, and no rule mixes rows: what a row gets depends on
that row. Sizes follow from shapes, so that a graph of a few bytes cannot ask for
terabytes (an outer sum, a table looked up by a thousand places, a concatenation doubled
forty times).

Source of the rules: onnx.ai/onnx/operators, opset 20.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from assay.modelfile.core_message import ELEMENTS, Node, Tensor
from assay.modelfile.layout import MalformedError
from assay.modelfile.tree_check import check_trees

ROWS = -1
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """A node with the shapes that it reads.

    Attributes:
        node: The node.
        shapes: Of its inputs.
        constants: Its inputs that are constants; None for the others.
    """

    node: Node
    shapes: Sequence[Shape]
    constants: Sequence[Tensor | None]

    def whole(self, position: int) -> list[int]:
        """Return the whole numbers of a constant input.

        Raises:
            MalformedError: It is none, or long.
        """
        constant = self.constants[position] if position < len(self.constants) else None
        if constant is None or constant.values.dtype != np.int64 or len(constant.shape) > 1:
            raise MalformedError(f"{self.node.operator} reads a shape that is no constant")
        if constant.values.size > 8:
            raise MalformedError(f"{self.node.operator} reads a shape that is too long")
        return [int(number) for number in constant.values.reshape(-1)]

    def axis(self, shape: Shape, default: int | None = None) -> int:
        """Return the attribute `axis`, which may not be the rows.

        Raises:
            MalformedError: It is absent, outside the shape, or of the rows.
        """
        return checked_axis(self.node.attributes.get("axis", default), shape)


def size_of(shape: Shape) -> int:
    """Return the numbers of one row."""
    return prod(max(size, 0) if size != ROWS else 1 for size in shape)


def infer(call: Call) -> Shape:
    """Return the shape of what a node gives.

    Raises:
        MalformedError: assay writes no such operator, or not with such inputs.
    """
    rule = _RULES.get(call.node.operator)
    if rule is None:
        raise MalformedError(f"the core graph has the operator {call.node.operator!r}")
    n_least, n_most, attributes, shape_of = rule
    if not n_least <= len(call.shapes) <= n_most:
        raise MalformedError(f"{call.node.operator} reads {len(call.shapes)} inputs")
    if set(call.node.attributes) - attributes:
        raise MalformedError(f"{call.node.operator} has attributes that assay never writes")
    shape = shape_of(call)
    if shape.count(ROWS) > 1:
        raise MalformedError(f"{call.node.operator} mixes rows")
    return shape


def work_of(call: Call, shape: Shape) -> int:
    """Return about how many operations a row takes."""
    if call.node.operator == "MatMul":
        return size_of(shape) * call.shapes[0][-1]
    if call.node.operator == "Slice":  # of hundreds of texts each reads its own part
        return size_of(shape)
    return size_of(shape) + sum(map(size_of, call.shapes))


def checked_axis(axis: Any, shape: Shape) -> int:
    """Return an axis of a shape that is not the rows.

    Raises:
        MalformedError: It is none.
    """
    if type(axis) is not int or not 0 <= axis < len(shape) or shape[axis] == ROWS:
        raise MalformedError(f"the core graph has an operator along the axis {axis!r}")
    return axis


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """Return the common shape of several.

    Raises:
        MalformedError: They do not fit.

    Example:
        >>> broadcast([(1, ROWS, 3), (5, 1, 3)])
        (5, -1, 3)
    """
    n_axes = max(map(len, shapes))
    padded = [(1,) * (n_axes - len(shape)) + shape for shape in shapes]
    common = []
    for sizes in zip(*padded, strict=True):
        different = {size for size in sizes if size != 1}
        if len(different) > 1:
            raise MalformedError("the core graph joins arrays of shapes that do not fit")
        common.append(different.pop() if different else 1)
    return tuple(common)


def _same(call: Call) -> Shape:
    return call.shapes[0]


def _together(call: Call) -> Shape:
    return broadcast(call.shapes)


def _cast(call: Call) -> Shape:
    if call.node.attributes.get("to") not in ELEMENTS:
        raise MalformedError("Cast makes what is no number")
    return call.shapes[0]


def _clip(call: Call) -> Shape:
    if any(shape not in ((), (1,)) for shape in call.shapes[1:]):
        raise MalformedError("Clip reads a limit that is no number")
    return call.shapes[0]


def _along_axis(call: Call) -> Shape:
    call.axis(call.shapes[0])
    return call.shapes[0]


def _unsqueeze(call: Call) -> Shape:
    if call.whole(1) != [0]:
        raise MalformedError("Unsqueeze adds another axis than the first")
    return (1, *call.shapes[0])


def _gather(call: Call) -> Shape:
    data, places = call.shapes
    axis = call.axis(data)
    return (*data[:axis], *places, *data[axis + 1 :])


def _slice(call: Call) -> Shape:
    shape = call.shapes[0]
    (start,), (stop,), axes = call.whole(1), call.whole(2), call.whole(3)
    axis = checked_axis(axes[0] if len(axes) == 1 else None, shape)
    if not 0 <= start < stop <= shape[axis]:
        raise MalformedError("Slice reaches beyond its input")
    return (*shape[:axis], stop - start, *shape[axis + 1 :])


def _concat(call: Call) -> Shape:
    first = call.shapes[0]
    axis = call.axis(first)
    for shape in call.shapes:
        if len(shape) != len(first) or shape[axis] == ROWS:
            raise MalformedError("Concat joins arrays that do not fit")
        if shape[:axis] + shape[axis + 1 :] != first[:axis] + first[axis + 1 :]:
            raise MalformedError("Concat joins arrays that do not fit")
    return (*first[:axis], sum(shape[axis] for shape in call.shapes), *first[axis + 1 :])


def _reshape(call: Call) -> Shape:
    """Allow one axis to be left open: that of the rows, where there are rows."""
    wanted, given = call.whole(1), call.shapes[0]
    known = [size for size in wanted if size != ROWS]
    fits = min(known, default=1) > 0 and prod(known) == size_of(given)
    if not fits or wanted.count(ROWS) != given.count(ROWS):
        raise MalformedError("Reshape makes a shape that does not fit")
    return tuple(wanted)


def _transpose(call: Call) -> Shape:
    order = call.node.attributes.get("perm")
    shape = call.shapes[0]
    if not isinstance(order, np.ndarray) or sorted(order.tolist()) != list(range(len(shape))):
        raise MalformedError("Transpose has no order of axes")
    return tuple(shape[axis] for axis in order)


def _reduce(call: Call) -> Shape:
    shape, axes = call.shapes[0], call.whole(1)
    keeps = call.node.attributes.get("keepdims")
    axis = checked_axis(axes[0] if len(axes) == 1 else None, shape)
    if keeps not in (0, 1):
        raise MalformedError(f"{call.node.operator} does not say whether it keeps its axis")
    return (*shape[:axis], *([1] if keeps else []), *shape[axis + 1 :])


def _matmul(call: Call) -> Shape:
    left, right = call.shapes
    if min(len(left), len(right)) < 2 or ROWS in right or left[-1] != right[-2]:
        raise MalformedError("MatMul reads arrays that do not fit")
    return (*broadcast([left[:-2], right[:-2]]), left[-2], right[-1])


def _trees(call: Call) -> Shape:
    shape = call.shapes[0]
    if len(shape) != 2 or shape[0] != ROWS:
        raise MalformedError("TreeEnsemble reads what is no table")
    return (ROWS, check_trees(call.node.attributes, n_features=shape[1]))


_TREE_ATTRIBUTES = frozenset(
    {
        "aggregate_function", "leaf_targetids", "leaf_weights", "n_targets", "nodes_falseleafs",
        "nodes_falsenodeids", "nodes_featureids", "nodes_missing_value_tracks_true",
        "nodes_modes", "nodes_splits", "nodes_trueleafs", "nodes_truenodeids", "tree_roots",
    }
)  # fmt: skip
_NONE: frozenset[str] = frozenset()
_AXIS = frozenset({"axis"})
_KEEP = frozenset({"keepdims"})
_MANY = 4_096

# Operator: fewest and most inputs, attributes, and the rule of its shape.
_RULES: Mapping[str, tuple[int, int, frozenset[str], Callable[[Call], Shape]]] = {
    **dict.fromkeys(
        (
            "Gelu", "Identity", "IsNaN", "Log", "Neg", "Relu", "Selu", "Sigmoid", "Sign",
            "Softplus", "Sqrt", "Tanh",
        ),
        (1, 1, _NONE, _same),
    ),
    **dict.fromkeys(("Add", "Div", "Equal", "Max", "Mul", "Sub"), (2, 2, _NONE, _together)),
    **dict.fromkeys(("LogSoftmax", "Softmax"), (1, 1, _AXIS, _along_axis)),
    **dict.fromkeys(("ReduceMean", "ReduceSum"), (2, 2, _KEEP, _reduce)),
    "Cast": (1, 1, frozenset({"to"}), _cast),
    "Clip": (3, 3, _NONE, _clip),
    "Concat": (1, _MANY, _AXIS, _concat),
    "Gather": (2, 2, _AXIS, _gather),
    "LeakyRelu": (1, 1, frozenset({"alpha"}), _same),
    "MatMul": (2, 2, _NONE, _matmul),
    "Reshape": (2, 2, _NONE, _reshape),
    "Slice": (4, 4, _NONE, _slice),
    "Transpose": (1, 1, frozenset({"perm"}), _transpose),
    "TreeEnsemble": (1, 1, _TREE_ATTRIBUTES, _trees),
    "Unsqueeze": (2, 2, _NONE, _unsqueeze),
    "Where": (3, 3, _NONE, _together),
}  # fmt: skip
