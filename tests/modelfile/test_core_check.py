"""A core graph as a whole: names, ends, and bounds of what a row may take."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from assay.modelfile.core_check import NUMBERS_PER_CONSTANT, ROW_NUMBERS, check_core
from assay.modelfile.layout import MalformedError
from assay.nn.graph import GraphBuilder

WIDTHS = {"numeric": 3, "codes": 2}


def graph(width: int = 2, *, n_sums: int = 0) -> bytes:
    """Return a graph whose first node gives `width` numbers, and more sums of them."""
    build = GraphBuilder()
    x, codes = build.input("numeric", 3), build.input("codes", 2)
    wide = build.add("MatMul", x, build.constant(np.zeros((3, width), np.float32)))
    for _ in range(n_sums):
        build.add("Add", wide, wide)
    numbers = build.add("Cast", codes, to=1)
    narrow = build.add("MatMul", numbers, build.constant(np.zeros((2, 2), np.float32)))
    return build.finish(build.add("Softmax", narrow, axis=1), 2)


def test_a_graph_is_summed_up():
    facts = check_core(graph(), WIDTHS, n_classes=2)
    assert facts.n_nodes == 5
    assert facts.operators == ("Cast", "Identity", "MatMul", "Softmax")
    assert facts.n_constants == 10
    assert facts.largest == 2
    assert facts.row_numbers == 5 + 5 * 2
    assert check_core(graph(50), WIDTHS, n_classes=2).largest == 50


@pytest.mark.attack
@pytest.mark.parametrize(
    ("widths", "n_classes", "reason"),
    [
        ({"numeric": 4, "codes": 2}, 2, "other arrays"),
        ({"numeric": 3}, 2, "other arrays"),
        ({"numeric": 3, "codes": 2, "text": 9}, 2, "other arrays"),
        (WIDTHS, 3, "something else than the classes"),
    ],
)
def test_other_ends_are_refused(widths, n_classes, reason):
    with pytest.raises(MalformedError, match=reason):
        check_core(graph(), widths, n_classes=n_classes)


def changed(change) -> bytes:
    model = onnx.load_from_string(graph())
    change(model.graph)
    return model.SerializeToString()


@pytest.mark.attack
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda graph: graph.node[0].input.__setitem__(0, "later"), "'later', which is not there"),
        (lambda graph: graph.node[0].output.__setitem__(0, "numeric"), "a name twice"),
        (lambda graph: graph.node[0].output.__setitem__(0, ""), "a name twice"),
        (lambda graph: setattr(graph.initializer[0], "name", "numeric"), "a name twice"),
        (lambda graph: graph.node[-1].output.__setitem__(0, "other"), "does not give probabil"),
        (
            lambda graph: graph.initializer.append(
                numpy_helper.from_array(np.array([0.0, np.nan]), "more")
            ),
            "a weight that is no number",
        ),
        (lambda graph: graph.node.insert(0, graph.node[-1]), "which is not there yet"),
    ],
)
def test_wrong_names_are_refused(change, reason):
    with pytest.raises(MalformedError, match=reason):
        check_core(changed(change), WIDTHS, n_classes=2)


def test_infinite_weights_pass():
    serialised = changed(
        lambda graph: graph.initializer.append(numpy_helper.from_array(np.array([-np.inf]), "more"))
    )
    assert check_core(serialised, WIDTHS, n_classes=2).n_constants == 11


@pytest.mark.attack
def test_a_row_takes_no_more_than_the_limit():
    width = 1 << 16
    most = ROW_NUMBERS // width - 2
    assert check_core(graph(width, n_sums=most), WIDTHS, n_classes=2).row_numbers < ROW_NUMBERS
    with pytest.raises(MalformedError, match="far more memory or time"):
        check_core(graph(width, n_sums=most + 2), WIDTHS, n_classes=2)


def test_a_large_graph_may_take_more():
    width = 1 << 18
    n_constants = 3 * width
    most = NUMBERS_PER_CONSTANT * n_constants // width - 2
    assert most * width > ROW_NUMBERS
    check_core(graph(width, n_sums=most), WIDTHS, n_classes=2)
    with pytest.raises(MalformedError, match="far more memory or time"):
        check_core(graph(width, n_sums=most + 2), WIDTHS, n_classes=2)


@pytest.mark.attack
def test_products_are_counted_as_work():
    model = onnx.load_from_string(graph())
    square = numpy_helper.from_array(np.zeros((600, 600), np.float32), "square")
    model.graph.initializer.append(square)
    products = [
        helper.make_node("MatMul", ["square", "square"], ["p0"]),
        helper.make_node("MatMul", ["p0", "square"], ["p1"]),
    ]
    for node in reversed(products):
        model.graph.node.insert(0, node)
    with pytest.raises(MalformedError, match="far more memory or time"):
        check_core(model.SerializeToString(), WIDTHS, n_classes=2)
