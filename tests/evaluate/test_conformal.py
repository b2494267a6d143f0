"""Conformal sets: the quantile of the textbook, and coverage by simulation."""

import numpy as np
import pytest

from assay.decide import Decisions
from assay.evaluate.conformal import COVERAGES, categories, fit_sets

ALL = np.zeros(2, dtype=int)


def world(n_rows, rng, shares=(0.5, 0.3, 0.2), sharpness=1.2):
    """Rows of C normal clouds, and what a slightly overconfident model says of them."""
    y = rng.choice(len(shares), n_rows, p=shares)
    logits = rng.normal(size=(n_rows, len(shares)))
    logits[np.arange(n_rows), y] += sharpness
    logits = 1.3 * (sharpness * logits + np.log(shares))
    proba = np.exp(logits - logits.max(axis=1, keepdims=True))
    return y, proba / proba.sum(axis=1, keepdims=True)


def covered(sets, y, proba, coverage=None):
    classes = tuple(str(idx) for idx in range(proba.shape[1]))
    is_in = Decisions(classes, sets=sets).in_set(proba, coverage=coverage)
    return is_in[np.arange(len(y)), y]


@pytest.mark.parametrize(("n_rows", "coverage"), [(9, 0.9), (10, 0.9), (57, 0.8), (99, 0.99)])
def test_the_floor_is_the_order_statistic_of_the_textbook(n_rows, coverage, rng):
    truth = rng.random(n_rows)
    proba = np.stack([truth, 1 - truth], axis=1)
    sets = fit_sets(np.zeros(n_rows, dtype=int), proba, coverage, category=ALL)
    rank = int(np.ceil(round((n_rows + 1) * coverage, 9)))
    expected = np.sort(truth)[::-1][rank - 1]
    assert sets.floor()[0] == pytest.approx(expected, abs=2e-6)
    assert sets.floor()[0] < expected


def test_too_few_rows_leave_no_class_out(rng):
    proba = rng.dirichlet(np.ones(2), size=8)  # 0.9 needs 9 rows
    sets = fit_sets(np.zeros(8, dtype=int), proba, 0.9, category=ALL)
    assert sets.floor().tolist() == [0.0]


def test_simulated_sets_hold_the_truth_as_often_as_asked():
    achieved = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        sets = fit_sets(*world(400, rng), 0.9, category=np.zeros(3, dtype=int))
        achieved.append(covered(sets, *world(4000, rng)).mean())
    assert 0.895 <= np.mean(achieved) <= 0.91
    assert np.mean([0.85 <= one <= 0.95 for one in achieved]) >= 0.97


def test_classes_with_floors_of_their_own_are_each_covered():
    shares = (0.88, 0.08, 0.04)
    rng = np.random.default_rng(3)
    found = np.zeros((30, 3))
    for idx in range(30):
        y, proba = world(3000, rng, shares)
        category = categories(np.bincount(y), 0.9, each_class=True)
        assert len(set(category.tolist())) == 3
        sets = fit_sets(y, proba, 0.9, category=category)
        y_new, proba_new = world(20_000, rng, shares)
        is_held = covered(sets, y_new, proba_new)
        found[idx] = [is_held[y_new == k].mean() for k in range(3)]
    assert (np.abs(found.mean(axis=0) - 0.9) < 0.02).all()


def test_one_floor_for_all_would_leave_rare_classes_out():
    rng = np.random.default_rng(4)
    y, proba = world(20_000, rng, (0.95, 0.05))
    one = covered(fit_sets(y, proba, 0.9, category=ALL), y, proba)
    own = covered(fit_sets(y, proba, 0.9, category=np.array([0, 1])), y, proba)
    assert one[y == 1].mean() < 0.5
    assert own[y == 1].mean() == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("coverage", [0.5, 0.75, 0.99])
def test_any_other_coverage_can_be_asked_for(coverage):
    rng = np.random.default_rng(5)
    sets = fit_sets(*world(2000, rng), 0.9, category=np.zeros(3, dtype=int))
    achieved = covered(sets, *world(20_000, rng), coverage).mean()
    assert achieved == pytest.approx(coverage, abs=0.03)


def test_more_coverage_never_makes_a_set_smaller(rng):
    sets = fit_sets(*world(500, rng), 0.925, category=np.zeros(3, dtype=int))
    assert len(sets.grid) == len(COVERAGES) + 1
    assert 0.925 in sets.grid
    assert (np.diff(sets.floors, axis=0) <= 0).all()


def test_weights_give_the_coverage_of_other_shares():
    rng = np.random.default_rng(6)
    old, new = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    achieved = []
    for _ in range(30):
        y, proba = world(1000, rng, tuple(old))
        plan = Decisions(("a", "b"), training=old, deployment=new)
        sets = fit_sets(y, plan.adjusted(proba), 0.9, category=ALL, class_weight=new / old)
        y_new, _ = drawn = world(8000, rng, tuple(new))
        # The same clouds in other shares; the model still counts with the old ones.
        proba_new = drawn[1] * (old / new) ** 1.3
        proba_new /= proba_new.sum(axis=1, keepdims=True)
        is_held = covered(sets, y_new, plan.adjusted(proba_new))
        achieved.append(is_held.mean())
    assert np.mean(achieved) == pytest.approx(0.9, abs=0.012)


def test_float32_probabilities_reach_their_own_floor(rng):
    proba = np.round(rng.dirichlet(np.ones(2), size=200), 2)
    y = np.zeros(200, dtype=int)
    sets = fit_sets(y, proba, 0.9, category=ALL)
    exact = covered(sets, y, proba)
    np.testing.assert_array_equal(covered(sets, y, proba.astype(np.float32)), exact)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([50, 50], [0, 0]),
        ([900, 100], [1, 0]),
        ([990, 10], [0, 0]),  # ten rows alone tell too little
        ([500, 600, 2000], [0, 0, 0]),
        ([0, 100], [0, 0]),
    ],
)
def test_only_a_rare_one_of_two_has_its_own_floor_unasked(counts, expected):
    assert categories(np.array(counts), 0.9).tolist() == expected


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([5, 6, 60, 2000], [0, 0, 0, 1]), ([50, 50], [0, 1]), ([1, 2], [0, 0])],
)
def test_rare_classes_are_put_together_until_they_are_enough(counts, expected):
    assert categories(np.array(counts), 0.9, each_class=True).tolist() == expected
    assert not categories(np.array(counts), 0.9, each_class=False).any()
