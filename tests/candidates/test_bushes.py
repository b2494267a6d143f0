"""Small trees followed by NumPy say what scikit-learn says, to the last bit."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

from assay.candidates.bushes import MOST_LEAVES, Bushes
from assay.candidates.grown import NODE, Grown


def grown_on(x, y, **options):
    chosen = {"max_iter": 20, "max_leaf_nodes": MOST_LEAVES, "early_stopping": False}
    return Grown.of(HistGradientBoostingClassifier(**chosen | options).fit(x, y))


def rows(rng, n_rows=400):
    """Numbers, few values, mostly missing, and huge ones."""
    x = rng.normal(size=(n_rows, 5)).astype(np.float32)
    x[:, 1] = rng.integers(0, 4, n_rows)
    x[rng.random(n_rows) < 0.7, 2] = np.nan
    x[:, 3] *= np.float32(1e30)
    x[rng.random(x.shape) < 0.05] = np.nan
    return x


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("n_leaves", [2, 5, MOST_LEAVES])
def test_scores_are_those_of_scikit_learn(rng, n_classes, n_leaves):
    x = rows(rng)
    told = np.nan_to_num(x[:, 0]) + np.isnan(x[:, 2]) + rng.normal(size=len(x)) * 0.3
    y = np.digitize(told, np.quantile(told, np.arange(1, n_classes) / n_classes))
    grown = grown_on(x, y, max_leaf_nodes=n_leaves)
    asked = np.concatenate([x, rows(rng)])
    asked[:3], asked[3:6] = np.inf, -np.inf
    expected = grown.scores(asked.astype(np.float64))  # by scikit-learn's own code
    found = Bushes.of([nodes for trees in grown.rounds for nodes in trees])
    np.testing.assert_array_equal(found.scores(asked, grown.base), expected)
    np.testing.assert_array_equal(grown.scores(asked), expected)


def test_a_number_at_a_threshold_goes_left_and_the_next_one_right(rng):
    x = rng.integers(0, 50, (300, 1)).astype(np.float32) / np.float32(7)
    grown = grown_on(x, (x[:, 0] * 7).astype(int) % 2)
    nodes = np.concatenate([nodes for trees in grown.rounds for nodes in trees])
    at = nodes["num_threshold"][nodes["is_leaf"] == 0].astype(np.float32)
    sides = [np.nextafter(at, np.float32(side)) for side in (-np.inf, np.inf)]
    asked = np.concatenate([at, *sides])[:, None]
    np.testing.assert_array_equal(grown.scores(asked), grown.scores(asked.astype(np.float64)))


def test_many_rows_are_the_same_in_parts(rng, monkeypatch):
    x = rows(rng)
    grown = grown_on(x, x[:, 1] > 1)
    whole = grown.scores(x)
    monkeypatch.setattr("assay.candidates.bushes._CHUNK", 100)
    np.testing.assert_array_equal(grown.scores(x), whole)


def test_trees_that_say_nothing_leave_the_base(rng):
    x = rng.normal(size=(20, 2)).astype(np.float32)
    y = np.arange(20) % 2
    grown = grown_on(x, y, min_samples_leaf=15)  # single leaves
    np.testing.assert_array_equal(grown.scores(x), grown.scores(x.astype(np.float64)))
    without = Grown(grown.base, ())
    np.testing.assert_array_equal(without.scores(x), np.repeat(grown.base[None], 20, axis=0))


def test_larger_trees_are_left_to_scikit_learn(rng):
    x = rows(rng)
    grown = grown_on(x, rng.integers(0, 2, len(x)), max_leaf_nodes=12, min_samples_leaf=5)
    trees = [nodes for trees in grown.rounds for nodes in trees]
    assert max(len(nodes) for nodes in trees) > 2 * MOST_LEAVES - 1
    assert Bushes.of(trees) is None
    assert grown.scores(x).shape == (len(x), 1)


def test_a_node_has_the_fields_of_scikit_learn():
    assert dict(NODE.fields) == dict(PREDICTOR_RECORD_DTYPE.fields)
