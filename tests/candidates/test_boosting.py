"""Boosting keeps the iterations that serve the other folds, and exactly those trees."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from assay.candidates import boosted, boosting, growth
from assay.candidates.boosting import choose_iterations, fit_boosting
from assay.candidates.features import TrainingFeatures
from assay.candidates.folds import Folds
from assay.candidates.growth import growth_of, most_rows, n_iterations, tree_seconds
from assay.candidates.threads import over_fits


def fitted(setup, **options):
    folds = Folds.of(setup)
    training = TrainingFeatures.of_setup(setup, folds)
    chosen = {"seed": 0, "most_rows": 10**6, "max_iterations": 12, **options}
    return fit_boosting(training, folds, **chosen), training, folds


def test_a_fit_goes_by_the_others_of_its_repeat():
    curves = [np.array([5.0, 1.0, 9.0]), np.array([5.0, 4.0, 1.0]), np.array([5.0, 4.0, 2.0])]
    assert choose_iterations(curves, (0, 0, 0)).tolist() == [2, 1, 1]
    assert choose_iterations(curves, (0, 0, 1)).tolist() == [2, 1, 1]  # alone: by all others


def test_a_fit_that_stopped_is_taken_to_stay_where_it_was():
    curves = [np.array([3.0, 1.0]), np.array([3.0, 2.0, 1.5, 1.4]), np.zeros(0)]
    assert choose_iterations(curves, (0, 0, 0)).tolist() == [3, 1, 3]


def test_without_validation_nothing_is_chosen():
    assert choose_iterations([np.zeros(0)] * 2, (0, 1)).tolist() == [-1, -1]


def test_the_trees_kept_are_those_of_a_fit_of_just_as_many(make, monkeypatch):
    setup, _ = make(n_classes=3)
    for wanted in (4, 20):  # fewer than were grown, and more
        kept = np.full(3, wanted)
        monkeypatch.setattr(boosting, "choose_iterations", lambda *_, kept=kept: kept)
        found, training, folds = fitted(setup)
        assert found.n_iterations == [wanted] * 3
        rows = folds.train[0]
        whole = boosted.plans_of(training, folds, 0, 10**6, 12)[0]._booster()
        names = ("learning_rate", "max_leaf_nodes", "min_samples_leaf", "l2_regularization")
        names = (*names, "max_features", "max_bins", "random_state")
        options = {name: getattr(whole, name) for name in names}
        plain = HistGradientBoostingClassifier(max_iter=wanted, early_stopping=False, **options)
        plain.fit(training.of(rows, 0), folds.y[rows])
        x = training.left_out(folds.judged(0), 0)
        scores = found.fits[0].raw(x)
        np.testing.assert_array_equal(scores, plain.decision_function(x))


def test_iterations_shrink_where_a_table_is_costly(make, monkeypatch):
    setup, _ = make()
    _, training, folds = fitted(setup)
    own = growth_of(folds.largest, 2)
    assert n_iterations(own, training, folds, 10**6) == 1000
    most_s = 8.0 + 5e-3 * folds.largest
    monkeypatch.setattr(growth, "tree_seconds", lambda *_: most_s / (folds.n_fits * 50.5))
    assert n_iterations(own, training, folds, 10**6) == 50
    monkeypatch.setattr(growth, "tree_seconds", lambda *_: 100.0)
    assert n_iterations(own, training, folds, 10**6) == 30


def test_trees_grow_with_the_rows():
    sizes = (100, 2_000, 2_001, 20_000, 20_001)
    assert [growth_of(n, 3).n_leaves for n in sizes] == [8, 8, 32, 32, 63]
    assert [growth_of(n, 2).most_leaves for n in sizes] == [8, 8, 63, 63, 127]
    assert [growth_of(n, 3).most_leaves for n in sizes] == [8, 8, 32, 32, 63]
    own = growth_of(20_000, 2)
    assert tree_seconds(own, 20_000, 10) < tree_seconds(own, 20_000, 100)
    assert most_rows(10) == 200_000
    assert most_rows(1_000) == 20_000
    assert most_rows(10**6) == 10_000


class Plan:
    """Fits whose loss falls to `least` at iteration `best`, and rises from there."""

    def __init__(self, least, best):
        self.least, self.best = least, best

    is_long = False

    def fit(self, fit_idx):
        return self, self.least + np.abs(np.arange(2 * self.best + 1) - self.best) / 1000


def test_bolder_trees_may_take_as_long_as_the_usual_ones_would(make, monkeypatch):
    bolder = replace(growth_of(100, 2), bolder=((1.0, 64),))
    monkeypatch.setattr(boosted, "growth_of", lambda *_: bolder)
    chosen = []
    choose = boosting._choose_plan
    monkeypatch.setattr(
        boosting, "_choose_plan", lambda plans, *args: chosen.extend(plans) or choose(plans, *args)
    )
    setup, _ = make()
    fitted(setup, max_iterations=100)
    usual, larger = chosen
    assert usual.max_iterations == 100
    n_columns = usual.training.features.n_columns
    ratio = tree_seconds(bolder, 80, n_columns) / tree_seconds(larger.growth, 80, n_columns)
    assert larger.max_iterations == int(100 * ratio * 2 / 4) < 100  # one of three fits tries it


@pytest.mark.parametrize(("least", "is_side_by_side"), [(10**9, False), (1, True)])
def test_short_fits_do_not_share_the_processor(make, monkeypatch, least, is_side_by_side):
    monkeypatch.setattr(boosted, "_LONG_CELLS", least)
    told = []
    monkeypatch.setattr(
        boosting,
        "over_fits",
        lambda work, n, *, is_long: told.append(is_long) or over_fits(work, n),
    )
    setup, _ = make()
    fitted(setup)
    assert set(told) == {is_side_by_side}


@pytest.mark.parametrize(
    ("losses_and_iterations", "chosen"),
    [
        ([(0.5, 199), (0.1, 300), (0.1, 300)], 0),  # boosting ends soon: nothing else is tried
        ([(0.5, 200), (0.498, 300), (0.1, 300)], 0),  # hardly better: the next is not tried
        ([(0.5, 200), (0.4, 300), (0.41, 300)], 1),
        ([(0.5, 200), (0.4, 300), (0.3, 100)], 2),
        ([(0.5, 200), (0.4, 150), (0.3, 100)], 1),  # the bolder one ends soon
    ],
)
def test_trees_are_bolder_where_boosting_goes_on_and_that_helps(losses_and_iterations, chosen):
    plans = [Plan(*each) for each in losses_and_iterations]
    found, fits = boosting._choose_plan(plans, 2, boosting.Alone())
    assert plans.index(found) == chosen
    assert [booster for booster, _ in fits] == [found, found]


def test_without_validation_the_usual_trees_grow():
    plans = [Plan(0.5, 300), Plan(0.1, 300)]
    for plan in plans:
        plan.fit = lambda _: (None, np.zeros(0))
    assert boosting._choose_plan(plans, 2, boosting.Alone())[0] is plans[0]


def test_bolder_trees_are_those_of_all_fits(make, monkeypatch):
    setup, _ = make()
    usual, _, folds = fitted(setup, max_iterations=None)
    own = replace(growth_of(folds.largest, 2), bolder=((1.0, 2),))
    monkeypatch.setattr(boosted, "growth_of", lambda *_: own)
    monkeypatch.setattr(boosting, "_MANY_ITERATIONS", 0)
    monkeypatch.setattr(boosting, "_GAIN", -1e9)  # any step is a gain
    found, *_ = fitted(setup, max_iterations=None)
    assert max(map(largest_tree, found.fits)) == 3  # a split and its leaves
    assert min(map(largest_tree, usual.fits)) > 3


def largest_tree(fit):
    return max(len(nodes) for trees in fit.grown.rounds for nodes in trees)


def test_threads_make_no_difference(make, monkeypatch):
    setup, _ = make()
    found, _, folds = fitted(setup)
    monkeypatch.setattr("torch.get_num_threads", lambda: 3)
    again, _, _ = fitted(setup)
    arrays = setup.samples.arrays.take(folds.judged(0))
    np.testing.assert_array_equal(found.log_proba(arrays, 0), again.log_proba(arrays, 0))
