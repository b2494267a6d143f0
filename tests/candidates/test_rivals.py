"""Simpler models say of each row only what fits say that have not met it."""

from dataclasses import replace
from typing import get_args

import numpy as np
import polars as pl
import pytest

from assay.candidates import (
    NAMES,
    Effort,
    Rival,
    begin_rivals,
    blend,
    boosting,
    fit_rivals,
    fitting,
    growth,
    logistic,
    measure_efforts,
)
from assay.candidates.boosted import BoostedFit
from assay.candidates.work import Work
from assay.encode.arrays import Arrays
from assay.errors import InternalError
from assay.ledger import Ledger
from assay.nn.graph import GraphBuilder
from assay.options import CandidateName, ModelRecipe

FEW = 8  # iterations of boosting


def fit(setup, recipe, **options) -> dict[str, Rival]:
    found = fit_rivals(setup, recipe, Ledger(), max_iterations=FEW, **options)
    return {rival.name: rival for rival in found}


@pytest.fixture
def fixed(monkeypatch):
    """Take from all fits what they choose by others' losses."""
    monkeypatch.setattr(boosting, "choose_iterations", lambda curves, _: np.full(len(curves), FEW))
    monkeypatch.setattr(logistic, "INVERSE_PENALTIES", (1.0,))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_no_row_meets_the_fits_that_judge_it(make, with_y, fixed, n_classes):
    setup, recipe = make(n_classes=n_classes)
    left_out = setup.samples.split.validation[0]
    y = np.where(left_out, (setup.samples.y + 1) % n_classes, setup.samples.y)
    other, _ = make(n_classes=n_classes, change=with_y(y))
    before, after = fit(setup, recipe), fit(other, recipe)
    for name in ("majority", *NAMES):
        first, second = before[name].log_proba[0], after[name].log_proba[0]
        np.testing.assert_array_equal(first[left_out], second[left_out])
        if name in NAMES:
            assert not np.array_equal(first[~left_out], second[~left_out])


def test_predictions_are_probabilities_of_every_row_in_each_repeat(make):
    setup, recipe = make(n_classes=3, **{"split.repeats": 2, "split.holdout": 0.2})
    test = setup.samples.split.test
    for rival in fit(setup, recipe).values():
        assert rival.log_proba.shape == (2, 120, 3)
        assert rival.log_proba.dtype == np.float32
        assert rival.n_fits == 6
        assert np.isnan(rival.log_proba[:, test]).all()
        total = np.exp(rival.log_proba[:, ~test]).sum(axis=2)
        np.testing.assert_allclose(total, 1.0, rtol=1e-5)


def test_the_majority_is_the_share_of_the_classes_among_training_rows(make):
    y = np.arange(90) < 60
    x = np.random.default_rng(0).normal(size=90)
    frame = pl.DataFrame({"x": x, "y": y.astype(int)})
    setup, recipe = make(frame)
    found = np.exp(fit(setup, recipe, names=())["majority"].log_proba[0])
    np.testing.assert_allclose(found, [[1 / 3, 2 / 3]] * 90, rtol=1e-6)


def test_simple_models_learn_what_there_is_to_learn(make):
    setup, recipe = make(n_classes=3)
    y = setup.samples.y
    for name in NAMES:
        found = fit(setup, recipe)[name].log_proba[0]
        assert (found.argmax(axis=1) == y).mean() > 0.8


def test_what_is_fitted_and_told_follows_the_names(make):
    setup, recipe = make()
    told: list[str] = []
    found = fit(setup, recipe, names=("boosting", "logistic"), on_stage=told.append)
    assert list(found) == ["majority", "logistic", "boosting"]
    assert told == ["logistic", "boosting"]
    assert list(fit(setup, recipe, names=("boosting",))) == ["majority", "boosting"]


def test_the_same_data_and_seed_give_the_same_predictions(make):
    first, second = (fit(*make()) for _ in range(2))
    for name in NAMES:
        np.testing.assert_array_equal(first[name].log_proba, second[name].log_proba)


def test_predictions_of_altered_rows_come_from_fits_that_left_them_out(make):
    setup, recipe = make(**{"split.repeats": 2})
    arrays, row_idx = setup.samples.arrays, np.array([5, 5, 80, 2])
    for rival in fit(setup, recipe).values():
        found = rival.predict_left_out(arrays.take(row_idx), row_idx)
        expected = blend.average_repeats(rival.log_proba.astype(np.float64))[row_idx]
        np.testing.assert_allclose(found, expected, atol=1e-5)
    shuffled = Arrays(arrays.numeric[::-1], arrays.codes, arrays.text)
    altered = rival.predict_left_out(shuffled, np.arange(120))
    assert not np.allclose(altered[row_idx], found)


def test_rows_that_all_have_learnt_from_are_not_judged(make):
    setup, recipe = make(**{"split.folds": 0, "split.validation_share": 0.2})
    rival = fit(setup, recipe)["boosting"]
    judged = setup.samples.split.validation[0]
    assert np.isfinite(rival.log_proba[0]).all(axis=1).tolist() == judged.tolist()
    found = rival.predict_left_out(setup.samples.arrays, np.arange(120))
    assert np.isfinite(found).all(axis=1).tolist() == judged.tolist()


def test_members_with_the_same_rows_share_a_fit(make):
    setup, recipe = make(**{"split.folds": 0, "split.members": 3})
    for rival in fit(setup, recipe).values():
        assert rival.n_fits == 1
        assert rival.log_proba.shape == (3, 120, 2)
        assert np.isnan(rival.log_proba).all()
        assert np.isfinite(rival.average(setup.samples.arrays)).all()


@pytest.mark.parametrize("name", NAMES)
def test_labels_of_rows_without_weight_are_not_learnt(make, fixed, name):
    weight = np.where(np.arange(120) % 4 == 0, 0.0, 3.0).astype(np.float32)

    def weigh(samples):
        return replace(samples, roles=replace(samples.roles, weight=weight))

    setup, recipe = make(change=weigh)
    flipped = np.where(weight == 0.0, 1 - setup.samples.y, setup.samples.y)
    other, _ = make(change=lambda samples: weigh(replace(samples, y=flipped)))
    first, second = fit(setup, recipe)[name], fit(other, recipe)[name]
    np.testing.assert_array_equal(first.log_proba, second.log_proba)


@pytest.mark.parametrize("name", NAMES)
def test_weights_of_rows_and_classes_are_heeded(make, fixed, name):
    def weigh(samples):
        weight = np.where(samples.y == 1, 5.0, 1.0).astype(np.float32)
        return replace(samples, roles=replace(samples.roles, weight=weight))

    rng = np.random.default_rng(0)
    y = (np.arange(200) % 4 == 0).astype(int)
    frame = pl.DataFrame({"x": rng.normal(size=200) + y, "z": rng.normal(size=200), "y": y})
    plain, weighted, balanced = (
        fit(*make(frame, **options))[name].log_proba[0, :, 1].mean()
        for options in ({}, {"change": weigh}, {"train.class_weight": "balanced"})
    )
    assert weighted > plain + 0.2
    assert balanced > plain + 0.2


def test_rows_that_a_budget_leaves_out_are_told_with_its_option(make):
    setup, recipe = make(**{"train.time": "30s"})
    ledger, learnt = Ledger(), {}
    for most_rows in (None, 40, 80, 10**9):
        begun = begin_rivals(setup, recipe, ledger, max_iterations=FEW, most_rows=most_rows)
        learnt[most_rows] = begun.most_rows["boosting"]
    (entry,) = ledger
    assert entry.what == "boosting fitted on 40 of up to 80 rows of each fold"
    assert entry.why.endswith("to stay within 30s")
    assert entry.undo == "train.time"
    assert (learnt[40], learnt[80], learnt[10**9]) == (40, 80, learnt[None])


def test_a_part_of_many_rows_is_told(make, monkeypatch):
    monkeypatch.setattr(growth, "MAX_ROWS", 50)
    setup, recipe = make()
    ledger = Ledger()
    found = fit_rivals(setup, recipe, ledger, max_iterations=FEW)
    (entry,) = ledger
    assert entry.what == "boosting fitted on 50 of up to 80 rows of each fold"
    assert "model.candidates" in entry.undo
    assert found[2].fits.fits[0].n_rows == 50


class Slow:
    """A clock that fits put forward: a second each, and so much for each iteration."""

    def __init__(self, monkeypatch, iteration_s, n_kept=None):
        self.now_s, self.asked = 0.0, []

        def fit(work, name, *, most_rows, max_iterations):
            self.asked.append(max_iterations)
            n_run = max_iterations if n_kept is None else min(max_iterations, n_kept + 15)
            self.now_s += 1.0 + (n_run - 1) * iteration_s if name == "boosting" else 1.0
            fits = BoostedFit(None, np.ones(2, dtype=bool), 80)
            found = boosting.Boosting(None, (fits,))
            kept = min(max_iterations, n_kept or max_iterations)
            monkeypatch.setattr(boosting.Boosting, "n_iterations", [kept])
            return found

        monkeypatch.setattr(Work, "fit", fit)

    def __call__(self):
        return self.now_s


def test_efforts_are_told_for_each_name(make, monkeypatch):
    setup, recipe = make()
    clock = Slow(monkeypatch, 0.25)
    found = measure_efforts(setup, recipe, clock)
    assert list(found) == list(NAMES)
    assert found["logistic"] == Effort(3.0, 1, 80)  # one second for each of three fits
    assert found["boosting"] == Effort(3 * (1.0 + 60 * 0.25), 60, 80)
    assert clock.asked == [1, 1, 9]


def test_fits_that_take_no_time_are_measured_by_more_iterations(make, monkeypatch):
    monkeypatch.setattr(fitting, "_TELLING_S", 10.0)
    setup, recipe = make()
    clock = Slow(monkeypatch, 0.125, n_kept=21)
    found = measure_efforts(setup, recipe, clock, names=("boosting",))
    assert clock.asked == [1, 9, 41]  # it ends by itself after 36
    assert found["boosting"].seconds == pytest.approx(3 * (1.0 + 60 * 0.125), rel=0.05)


def test_the_majority_is_no_part_of_a_graph(make):
    setup, recipe = make()
    with pytest.raises(InternalError, match="majority"):
        fit(setup, recipe, names=())["majority"].add_to(GraphBuilder())


def test_names_follow_the_options():
    assert set(NAMES) == set(get_args(CandidateName)) == set(ModelRecipe().candidates)
