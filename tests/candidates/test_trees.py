"""Trees in the graph say what scikit-learn's say, at thresholds and for missing numbers too."""

import numpy as np
import onnxruntime
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from assay.candidates.trees import Tree, _spans, add_trees, round_down
from assay.nn.graph import GraphBuilder


def run(trees: list[Tree], base: np.ndarray, x: np.ndarray) -> np.ndarray:
    build = GraphBuilder()
    sums = add_trees(build, build.input("numeric", x.shape[1]), trees, base)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # several share the trees of a node, and round otherwise
    session = onnxruntime.InferenceSession(build.finish(sums, len(base)), options)
    (found,) = session.run(None, {"numeric": x})
    return found


def boosted(x: np.ndarray, y: np.ndarray) -> tuple[HistGradientBoostingClassifier, list[Tree]]:
    model = HistGradientBoostingClassifier(max_iter=30, min_samples_leaf=2, learning_rate=0.3)
    model.fit(x, y)
    column = np.arange(x.shape[1])
    return model, [
        Tree(tree.nodes, idx, column)
        for trees in model._predictors
        for idx, tree in enumerate(trees)
    ]


def test_thresholds_are_rounded_down():
    thresholds = np.array([0.1, 0.5, -0.1, 1e300, -1e300, np.inf, 16777217.0])
    found = round_down(thresholds)
    assert found.dtype == np.float32
    assert (found.astype(float) <= thresholds).all()
    with np.errstate(over="ignore"):
        above = np.nextafter(found, np.float32(np.inf)).astype(float)
    assert ((above > thresholds) | np.isinf(thresholds)).all()
    assert found[1] == 0.5
    assert found[6] == 16777216.0


@pytest.mark.parametrize("n_classes", [2, 4])
def test_sums_equal_those_of_scikit_learn(n_classes, rng):
    x = rng.normal(size=(300, 5)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    x[:, 4] = rng.integers(0, 6, 300)  # many ties
    y = (np.nan_to_num(x[:, 0]) + np.isnan(x[:, 1]) + x[:, 4] > 3) + rng.integers(
        0, n_classes - 1, 300
    )
    model, trees = boosted(x, y)
    splits = np.concatenate([t.nodes["num_threshold"][t.nodes["is_leaf"] == 0] for t in trees])
    at = round_down(splits[np.isfinite(splits)])
    strange = np.full((3 * len(at) + 3, 5), np.nan, dtype=np.float32)
    strange[: len(at)] = at[:, None]
    strange[len(at) : 2 * len(at)] = np.nextafter(at, np.float32(np.inf))[:, None]
    strange[2 * len(at) : 3 * len(at)] = np.nextafter(at, np.float32(-np.inf))[:, None]
    strange[-2:] = [[np.inf], [-np.inf]]
    for rows in (x, strange):
        found = run(trees, model._baseline_prediction[0], rows)
        expected = model.decision_function(rows).reshape(len(rows), -1)
        np.testing.assert_allclose(found, expected, atol=2e-5)


def test_trees_read_the_columns_that_they_are_told(rng):
    x = rng.normal(size=(60, 2)).astype(np.float32)
    model, trees = boosted(x, (x[:, 0] > 0).astype(int))
    moved = [Tree(tree.nodes, 1, np.array([3, 2])) for tree in trees]
    wide = np.concatenate([np.zeros((60, 2), np.float32), x[:, ::-1]], axis=1)
    found = run(moved, np.array([0.0, *model._baseline_prediction[0]]), wide)
    np.testing.assert_allclose(found[:, 1], model.decision_function(x), atol=2e-5)
    np.testing.assert_array_equal(found[:, 0], 0.0)


def test_trees_of_one_leaf_are_added_to_the_base(rng):
    x = np.ones((9, 1), dtype=np.float32)
    _, trees = boosted(x, np.arange(9) % 2)
    assert all(tree.is_leaf for tree in trees)
    total = sum(float(tree.nodes["value"][0]) for tree in trees)
    np.testing.assert_allclose(run(trees, np.array([0.25]), x), 0.25 + total, atol=1e-6)


def test_no_trees_say_the_base_of_every_row():
    found = run([], np.array([1.0, 2.0]), np.full((4, 3), np.nan, dtype=np.float32))
    np.testing.assert_array_equal(found, [[1.0, 2.0]] * 4)


@pytest.mark.parametrize("enough", [1, 40, 70])
def test_trees_of_several_nodes_say_what_one_says(rng, monkeypatch, enough):
    x = rng.normal(size=(200, 3)).astype(np.float32)
    model, trees = boosted(x, rng.integers(0, 5, 200))
    whole = run(trees, model._baseline_prediction[0], x)
    monkeypatch.setattr("assay.candidates.trees._ENOUGH_TREES", enough)
    np.testing.assert_array_equal(run(trees, model._baseline_prediction[0], x), whole)


@pytest.mark.parametrize(
    ("n_trees", "expected"),
    [
        ([0], [(0, 1)]),
        ([3000], [(0, 1)]),
        ([3000, 3000], [(0, 2)]),
        ([3000] * 5, [(0, 2), (2, 5)]),
        ([400] * 6, [(0, 3), (3, 6)]),
        ([2000, 0, 0, 0, 0, 1], [(0, 2), (2, 6)]),
        ([0, 0, 2000, 0, 0, 0], [(0, 6)]),
        ([9] * 90, [(0, 90)]),
    ],
)
def test_a_node_has_enough_trees_and_two_targets(n_trees, expected):
    assert _spans(np.array(n_trees)) == expected


def test_there_are_never_too_many_nodes():
    assert len(_spans(np.full(5_000, 900))) <= 100
