"""Fits that were kept say and ship the same to the last bit."""

import copy

import numpy as np
import pytest

from assay.candidates import fit_rivals
from assay.candidates.grown import Grown
from assay.errors import UserError
from assay.ledger import Ledger
from assay.nn.graph import GraphBuilder


class Drawer:
    """A keeper that holds copies."""

    def __init__(self):
        self.states = {}

    def is_due(self):
        return True

    def write(self, name, arrays, document):
        copies = {key: np.array(array) for key, array in arrays.items()}
        self.states[name] = (copies, dict(document))

    def read(self, name):
        return self.states.get(name)


def fitted(setup, recipe, keeper, **options):
    return fit_rivals(setup, recipe, Ledger(), max_iterations=6, keeper=keeper, **options)


def graph_bytes(rival):
    build = GraphBuilder()
    rival.add_to(build)
    parts = (*build.nodes, *build.constants)
    return b"".join(part.SerializeToString() for part in parts)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_kept_fits_are_the_fits(make, monkeypatch, n_classes):
    setup, recipe = make(n_classes=n_classes)
    drawer = Drawer()
    first = fitted(setup, recipe, drawer)
    assert sorted(drawer.states) == ["boosting", "logistic"]

    def never(*args, **options):
        raise AssertionError("fitted again")

    monkeypatch.setattr("assay.candidates.logistic.fit_logistic", never)
    monkeypatch.setattr("assay.candidates.boosting.fit_boosting", never)
    again = fitted(setup, recipe, drawer)
    arrays = setup.samples.arrays
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.log_proba, other.log_proba)
        np.testing.assert_array_equal(one.average(arrays), other.average(arrays))
        if one.name != "majority":
            assert graph_bytes(one) == graph_bytes(other)


def test_nothing_is_kept_without_a_keeper_and_only_what_is_asked_for(make):
    setup, recipe = make()
    drawer = Drawer()
    assert len(fitted(setup, recipe, None)) == 3
    fitted(setup, recipe, drawer, names=("logistic",))
    assert list(drawer.states) == ["logistic"]


def test_a_fit_of_a_single_class_is_kept_too(make, with_y):
    setup, recipe = make(change=with_y(np.zeros(120, np.int64)))
    drawer = Drawer()
    first = fitted(setup, recipe, drawer)
    again = fitted(setup, recipe, drawer)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.log_proba, other.log_proba)


SPOILT = (
    ("boosting", lambda arrays, document: document.update(n_fits=2)),
    ("boosting", lambda arrays, document: arrays.pop("1.n_nodes")),
    ("boosting", lambda arrays, document: arrays["0.nodes.left"].fill(10**6)),
    ("boosting", lambda arrays, document: arrays["0.nodes.right"].fill(0)),
    ("boosting", lambda arrays, document: arrays.update({"0.nodes.left": arrays["0.nodes.right"]})),
    ("boosting", lambda arrays, document: arrays["0.nodes.feature_idx"].fill(999)),
    ("boosting", lambda arrays, document: arrays["0.nodes.is_categorical"].fill(1)),
    ("boosting", lambda arrays, document: arrays.update({"0.base": np.zeros(0)})),
    ("boosting", lambda arrays, document: arrays.update({"0.base": np.zeros((1, 1))})),
    ("logistic", lambda arrays, document: arrays.pop("2.bias")),
)


@pytest.mark.attack
def test_fits_that_do_not_fit_are_refused(make):
    setup, recipe = make()
    drawer = Drawer()
    fitted(setup, recipe, drawer)
    whole = drawer.states
    for name, spoil in SPOILT:
        drawer.states = copy.deepcopy(whole)
        spoil(*drawer.states[name])
        with pytest.raises(UserError, match=f"what was kept of {name} does not fit"):
            fitted(setup, recipe, drawer)


def test_trees_add_up_as_those_of_scikit_learn():
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3)).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = np.nan
    for y in (np.nan_to_num(x[:, 0]) > 0, rng.integers(0, 4, 300)):
        booster = HistGradientBoostingClassifier(max_iter=7, max_leaf_nodes=6).fit(x, y)
        grown = Grown.of(booster)
        expected = booster.decision_function(x).reshape(300, -1)
        np.testing.assert_array_equal(grown.scores(x), expected)
        again = Grown.from_arrays(grown.to_arrays(), n_columns=3)
        np.testing.assert_array_equal(again.scores(x), expected)
