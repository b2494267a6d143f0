"""The judge of a training: what is shipped is what was trained and tested."""

import copy
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from assay.candidates import Rival, fit_rivals
from assay.encode.arrays import Arrays
from assay.errors import InternalError
from assay.evaluate.left_out import LeftOut
from assay.evaluate.mixture import Mixture
from assay.evaluate.population import Judge, check_parity
from assay.ledger import Ledger
from assay.nn.core_graph import Calibration
from assay.recipe import Recipe
from assay.samples import held_out, read_samples
from assay.training.history import Silent
from assay.training.loop import train_population
from assay.training.predictions import (
    member_log_probabilities,
    out_of_fold,
    score_left_out,
    score_members,
)
from assay.training.setup import Setup, set_up

RECIPE = Recipe().with_options(
    {
        "target": "y",
        "model.hidden": [8],
        "train.epochs": 4,
        "split.folds": 3,
        "split.repeats": 1,
        "split.holdout": 0.25,
        "evaluate.bootstrap": 100,
    }
)
NETWORK_ALONE = RECIPE.with_options({"model.prefer": "network"})
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def setup() -> Setup:
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    y = (x + rng.normal(size=200) > 0).astype(int)
    frame = pl.DataFrame({"x": x, "z": rng.normal(size=200), "y": y})
    samples = read_samples(frame, RECIPE, Ledger(), on_stage=lambda name: None)
    made = set_up(samples, RECIPE, CPU)
    train_population(made.network, made.lesson, RECIPE.train, seed=0, observer=Silent())
    return made


@pytest.fixture(scope="module")
def rivals(setup) -> tuple[Rival, ...]:
    return fit_rivals(setup, RECIPE, Ledger(), max_iterations=20)


def test_every_row_is_judged_once_and_by_members_that_left_it_out(setup, rivals):
    judged = Judge(setup, rivals, NETWORK_ALONE).left_out_rows()
    assert judged["n_rows"] == 150
    (oof,) = out_of_fold(setup.network, setup.lesson.rows, setup.lesson.validation, (0, 0, 0))
    is_judged = np.isfinite(oof[:, 0])
    expected = (oof.argmax(axis=1) == setup.samples.y)[is_judged].mean()
    assert judged["scores"]["accuracy"]["estimate"] == pytest.approx(expected)
    assert judged["members"]["accuracy"]["low"] <= expected <= judged["members"]["accuracy"]["high"]


def test_held_out_rows_are_judged_by_the_core_graph(setup, rivals):
    judge = Judge(setup, rivals, RECIPE)
    core, test = judge.core_graph(), held_out(setup.samples)
    judged = judge.test_rows(core, test)
    right = core.run(test.arrays).argmax(axis=1) == test.y
    assert judged["n_rows"] == 50
    assert judged["scores"]["accuracy"]["estimate"] == pytest.approx(right.mean())


def test_no_calibration_leaves_probabilities_as_they_are(setup, rivals):
    plain = NETWORK_ALONE.with_options({"evaluate.calibration": "none"})
    judge = Judge(setup, rivals, plain)
    assert judge.mixture == Mixture({"network": 1.0}, Calibration())
    (oof,) = out_of_fold(setup.network, setup.lesson.rows, setup.lesson.validation, (0, 0, 0))
    np.testing.assert_allclose(judge.contest.proba, np.exp(oof[judge.contest.row_idx]), atol=1e-9)


@pytest.mark.parametrize("prefer", ["accuracy", "simple", "network", "boosting", "logistic"])
def test_what_is_preferred_ships_and_equals_what_was_trained(setup, rivals, prefer):
    judge = Judge(setup, rivals, RECIPE.with_options({"model.prefer": prefer}))
    judge.core_graph()  # compared with what was trained, to 1e-5
    shipped = [one for one in judge.contest.documents() if one["is_shipped"]]
    assert [one["name"] for one in shipped] == [judge.contest.verdict.shipped]
    if prefer not in ("accuracy", "simple"):
        assert judge.mixture.weights == {prefer: 1.0}
    assert sum(judge.mixture.weights.values()) == pytest.approx(1.0)


def test_a_graph_that_differs_from_what_was_trained_is_not_shipped(setup, rivals):
    judge = Judge(setup, rivals, RECIPE)
    core, rows = judge.core_graph(), setup.lesson.rows
    check_parity(core, setup.network, rows, judge.mixture, rivals)
    other = replace(judge.mixture, calibration=Calibration(3.0, 0.01))
    with pytest.raises(InternalError, match="differs from what was trained"):
        check_parity(core, setup.network, rows, other, rivals)


def test_networks_that_rule_a_class_out_are_compared_without_a_warning(setup):
    network = copy.deepcopy(setup.network)
    with torch.no_grad():
        last = network.body.linears()[-1]
        last.weight.normal_(std=1e4, generator=torch.Generator().manual_seed(0))
    own = replace(setup, network=network)
    said = member_log_probabilities(network, own.lesson.rows)
    assert (np.exp(said.astype(np.float64).mean(axis=0)) == 0.0).any()  # warnings are errors
    Judge(own, (), NETWORK_ALONE).core_graph()


def test_altered_rows_are_predicted_by_those_that_left_them_out(setup, rivals):
    judge = Judge(setup, rivals, NETWORK_ALONE)
    samples, contest = setup.samples, judge.contest
    chosen = np.flatnonzero(np.isin(samples.raw_idx, contest.row_idx))[:40]
    row_idx, raw = samples.raw_idx[chosen], samples.raw.take(chosen)
    predict = LeftOut(setup, rivals, judge.mixture, RECIPE, row_idx)
    cast = samples.preparation.cast(raw, RECIPE, is_training=False)
    found = predict(cast)
    (oof,) = out_of_fold(setup.network, setup.lesson.rows, setup.lesson.validation, (0, 0, 0))
    np.testing.assert_allclose(found, judge.mixture.apply({"network": oof[row_idx]}), atol=1e-6)
    twice = cast.with_frame(pl.concat([cast.frame, cast.frame]))
    np.testing.assert_allclose(predict(twice), np.concatenate([found, found]), atol=1e-6)


def test_rows_that_are_as_they_were_are_not_predicted_again(setup, rivals, monkeypatch):
    judge = Judge(setup, rivals, RECIPE)
    samples = setup.samples
    row_idx = samples.raw_idx[np.flatnonzero(np.isin(samples.raw_idx, judge.contest.row_idx))][:30]
    even = Mixture({"logistic": 0.3, "boosting": 0.3, "network": 0.4})
    arrays, heard, n_asked = setup.lesson.rows.arrays.take(row_idx), [], []
    altered = replace(arrays, numeric=arrays.numeric.copy())
    altered.numeric[5:9, 0] += 1.0
    altered.numeric[3, 0] = np.nan
    both = Arrays(*(np.concatenate([getattr(one, name) for one in (arrays, altered)])
                    for name in ("numeric", "codes", "text")))  # fmt: skip
    fresh = LeftOut(setup, rivals, even, RECIPE, row_idx).of_arrays(both)
    predict = LeftOut(setup, rivals, even, RECIPE, row_idx, hear=heard.append)
    first = predict.of_arrays(arrays)
    average = Rival.predict_left_out

    def counted(self, arrays, row_idx):
        n_asked.append(arrays.n_rows)
        return average(self, arrays, row_idx)

    monkeypatch.setattr(Rival, "predict_left_out", counted)
    found = predict.of_arrays(both)
    assert n_asked == [5, 5]
    np.testing.assert_array_equal(found[:30], first)
    np.testing.assert_allclose(found, fresh, atol=1e-6)
    assert {name: len(part) for name, part in heard[1].items()} == dict.fromkeys(even.weights, 60)
    np.testing.assert_array_equal(predict.of_arrays(arrays), first)  # nothing to ask about
    assert n_asked == [5, 5]


def test_members_score_by_what_they_said_as_when_asked_again(setup):
    lesson, samples = setup.lesson, setup.samples
    repeat = samples.split.repeat
    said = out_of_fold(setup.network, lesson.rows, lesson.validation, repeat)
    found = score_left_out(said, samples.y, lesson.validation, repeat)
    expected = score_members(setup.network, lesson.rows, samples.y, lesson.validation)
    np.testing.assert_allclose(found.accuracy, expected.accuracy, rtol=1e-12)
    np.testing.assert_allclose(found.log_loss, expected.log_loss, rtol=1e-12)


def test_the_blend_of_rivals_judges_altered_rows_too(setup, rivals):
    judge = Judge(setup, rivals, RECIPE)
    samples, contest = setup.samples, judge.contest
    chosen = np.flatnonzero(np.isin(samples.raw_idx, contest.row_idx))
    row_idx = samples.raw_idx[chosen]
    even = Mixture({"logistic": 0.3, "boosting": 0.3, "network": 0.4})
    predict = LeftOut(setup, rivals, even, RECIPE, row_idx)
    found = predict(samples.preparation.cast(samples.raw.take(chosen), RECIPE, is_training=False))
    logs = {rival.name: rival.log_proba[0, row_idx] for rival in rivals}
    (oof,) = out_of_fold(setup.network, setup.lesson.rows, setup.lesson.validation, (0, 0, 0))
    expected = even.apply({**logs, "network": oof[row_idx]})
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_without_rows_left_out_the_networks_ship_as_they_are():
    recipe = RECIPE.with_options(
        {"split.folds": 0, "split.members": 2, "split.holdout": 0.0, "split.validation_share": 0.0}
    )
    frame = pl.DataFrame({"x": np.arange(60) % 13 * 0.5, "y": np.arange(60) % 2})
    samples = read_samples(frame, recipe, Ledger(), on_stage=lambda name: None)
    judge = Judge(set_up(samples, recipe, CPU), (), recipe)
    assert judge.contest is None
    assert judge.mixture == Mixture({"network": 1.0})
    assert judge.left_out_rows() == {}
