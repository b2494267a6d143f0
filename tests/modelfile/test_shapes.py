"""Shapes of a core graph's nodes: the right one, or a refusal."""

import numpy as np
import pytest

from assay.modelfile.core_message import Node, Tensor
from assay.modelfile.layout import MalformedError
from assay.modelfile.shapes import ROWS, Call, broadcast, infer, size_of, work_of

N = ROWS


def whole(*numbers: int) -> Tensor:
    array = np.array(numbers, dtype=np.int64)
    return Tensor(array.shape, array)


def call(operator: str, *inputs: object, **attributes: object) -> Call:
    """Return a node that reads shapes, or constants of whole numbers."""
    shapes = [one.shape if isinstance(one, Tensor) else one for one in inputs]
    constants = [one if isinstance(one, Tensor) else None for one in inputs]
    node = Node(operator, tuple(map(str, range(len(inputs)))), "out", attributes)
    return Call(node, shapes, constants)


@pytest.mark.parametrize(
    ("made", "shape"),
    [
        (call("Relu", (N, 3)), (N, 3)),
        (call("Add", (1, N, 3), (5, 1, 3)), (5, N, 3)),
        (call("Mul", (N, 3), ()), (N, 3)),
        (call("Where", (1, N, 3), (5, 1, 3), (1, N, 3)), (5, N, 3)),
        (call("Max", (N, 3), (1,)), (N, 3)),
        (call("Clip", (N, 3), (), (1,)), (N, 3)),
        (call("Cast", (N, 3), to=1), (N, 3)),
        (call("LeakyRelu", (N, 3), alpha=0.1), (N, 3)),
        (call("Softmax", (N, 3), axis=1), (N, 3)),
        (call("LogSoftmax", (5, N, 3), axis=2), (5, N, 3)),
        (call("Unsqueeze", (N, 3), whole(0)), (1, N, 3)),
        (call("Gather", (N, 3), (2,), axis=1), (N, 2)),
        (call("Gather", (7, 4), (N, 3), axis=0), (N, 3, 4)),
        (call("Gather", (5, 7, 4), (N, 3), axis=1), (5, N, 3, 4)),
        (call("Slice", (N, 9), whole(2), whole(5), whole(1)), (N, 3)),
        (call("Slice", (N, 9), whole(0), whole(9), whole(1)), (N, 9)),
        (call("Concat", (N, 3), (N, 4), (N, 1), axis=1), (N, 8)),
        (call("Concat", (N, 3), axis=1), (N, 3)),
        (call("Reshape", (N, 6), whole(-1, 2, 3)), (N, 2, 3)),
        (call("Reshape", (4, N, 6), whole(4, -1, 2, 3)), (4, N, 2, 3)),
        (call("Reshape", (6,), whole(2, 3)), (2, 3)),
        (call("Transpose", (N, 4, 5), perm=np.array([1, 0, 2])), (4, N, 5)),
        (call("ReduceSum", (4, N, 5), whole(0), keepdims=0), (N, 5)),
        (call("ReduceMean", (N, 4, 5), whole(2), keepdims=1), (N, 4, 1)),
        (call("MatMul", (1, N, 3), (5, 3, 4)), (5, N, 4)),
        (call("MatMul", (N, 3), (3, 4)), (N, 4)),
    ],
)
def test_shapes(made, shape):
    assert infer(made) == shape


@pytest.mark.attack
@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (call("Erf", (N, 3)), "has the operator 'Erf'"),
        (call("Relu"), "Relu reads 0 inputs"),
        (call("Relu", (N, 3), (N, 3)), "Relu reads 2 inputs"),
        (call("Relu", (N, 3), axis=1), "attributes that assay never writes"),
        (call("Add", (N, 3), (N, 4)), "shapes that do not fit"),
        (call("Add", (N, 3), (7, 3)), "shapes that do not fit"),
        (call("Add", (N, 1), (1, N, 1, 1)), "mixes rows"),
        (call("Cast", (N, 3), to=8), "what is no number"),
        (call("Cast", (N, 3)), "what is no number"),
        (call("Clip", (N, 3), (3,), ()), "a limit that is no number"),
        (call("Clip", (N, 3), (), (2,)), "a limit that is no number"),
        (call("Softmax", (N, 3), axis=0), "along the axis 0"),
        (call("Softmax", (N, 3), axis=2), "along the axis 2"),
        (call("Softmax", (N, 3), axis=-1), "along the axis -1"),
        (call("Softmax", (N, 3)), "along the axis None"),
        (call("Softmax", (N, 3), axis=1.0), "along the axis 1.0"),
        (call("Unsqueeze", (N, 3), whole(1)), "another axis than the first"),
        (call("Unsqueeze", (N, 3), whole(0, 1)), "another axis than the first"),
        (call("Unsqueeze", (N, 3), (1,)), "a shape that is no constant"),
        (call("Unsqueeze", (N, 3), Tensor((1,), np.zeros(1))), "a shape that is no constant"),
        (
            call("Unsqueeze", (N, 3), Tensor((1, 1), np.zeros((1, 1), np.int64))),
            "a shape that is no constant",
        ),
        (call("Reshape", (N, 3), whole(*[1] * 9)), "a shape that is too long"),
        (call("Gather", (N, 3), (2,), axis=0), "along the axis 0"),
        (call("Gather", (N, 7), (N, 3), axis=1), "mixes rows"),
        (call("Slice", (N, 9), whole(5), whole(5), whole(1)), "reaches beyond"),
        (call("Slice", (N, 9), whole(-1), whole(5), whole(1)), "reaches beyond"),
        (call("Slice", (N, 9), whole(0), whole(10), whole(1)), "reaches beyond"),
        (call("Slice", (N, 9), whole(0), whole(1), whole(0)), "along the axis 0"),
        (call("Slice", (N, 9), whole(0), whole(1), whole(0, 1)), "along the axis None"),
        (call("Concat", (N, 3), (N, 4, 1), axis=1), "Concat joins arrays"),
        (call("Concat", (N, 3), (7, 3), axis=1), "Concat joins arrays"),
        (call("Concat", (N, 3), (3, N), axis=1), "Concat joins arrays"),
        (call("Concat", (N, 3), (N, 3), axis=0), "along the axis 0"),
        (call("Reshape", (N, 6), whole(-1, 5)), "a shape that does not fit"),
        (call("Reshape", (N, 6), whole(2, 3)), "a shape that does not fit"),
        (call("Reshape", (6,), whole(-1, 3)), "a shape that does not fit"),
        (call("Reshape", (N, 6), whole(-1, -2, -3)), "a shape that does not fit"),
        (call("Reshape", (N, 0), whole(-1, 0)), "a shape that does not fit"),
        (call("Reshape", (N, 6), whole(-1, -1, 6)), "a shape that does not fit"),
        (call("Transpose", (N, 4)), "no order of axes"),
        (call("Transpose", (N, 4), perm=np.array([0, 0])), "no order of axes"),
        (call("Transpose", (N, 4), perm=np.array([0, 1, 2])), "no order of axes"),
        (call("ReduceSum", (4, N), whole(1), keepdims=0), "along the axis 1"),
        (call("ReduceSum", (4, N), whole(0, 1), keepdims=0), "along the axis None"),
        (call("ReduceSum", (4, N), whole(0)), "whether it keeps its axis"),
        (call("ReduceSum", (4, N), whole(0), keepdims=2), "whether it keeps its axis"),
        (call("MatMul", (N, 3), (4, 3)), "MatMul reads arrays"),
        (call("MatMul", (N, 3), (3,)), "MatMul reads arrays"),
        (call("MatMul", (3,), (3, 3)), "MatMul reads arrays"),
        (call("MatMul", (3, N), (N, 3)), "MatMul reads arrays"),
        (call("MatMul", (2, N, 3), (5, 3, 4)), "shapes that do not fit"),
        (call("TreeEnsemble", (3, 4)), "what is no table"),
        (call("TreeEnsemble", (5, N, 4)), "what is no table"),
    ],
)
def test_what_assay_never_writes_is_refused(made, reason):
    with pytest.raises(MalformedError, match=reason):
        infer(made)


def test_sizes_are_those_of_one_row():
    assert size_of(()) == 1
    assert size_of((N, 3)) == 3
    assert size_of((5, N, 3)) == 15
    assert size_of((0, N)) == 0


def test_work_counts_products_and_what_is_read():
    assert work_of(call("MatMul", (1, N, 3), (5, 3, 4)), (5, N, 4)) == 60
    assert work_of(call("Add", (1, N, 3), (5, 1, 3)), (5, N, 3)) == 15 + 3 + 15
    assert work_of(call("Slice", (N, 1_000)), (N, 3)) == 3  # not all that it takes a part of


def test_broadcasting_agrees_with_numpy():
    for shapes in ([(3,), (2, 1)], [(1,), ()], [(4, 1, 3), (1, 5, 1)], [(0,), (1,)]):
        assert broadcast(shapes) == np.broadcast_shapes(*shapes)
