"""Standard errors by influence agree with derivatives, with draws and with hand work."""

import numpy as np
import pytest

from assay.evaluate import intervals
from assay.evaluate.draws import Ranking
from assay.evaluate.influence import _influence, ranked_deviation
from assay.evaluate.intervals import bootstrap_intervals
from assay.metrics import SCORES, rarer


def _case(n_rows, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    y_true = rng.integers(n_classes, size=n_rows)
    logits = rng.normal(size=(n_rows, n_classes)) + np.eye(n_classes)[y_true]
    proba = np.exp(logits)
    return y_true, (proba / proba.sum(axis=1, keepdims=True)).round(2)


def test_influence_is_the_derivative_by_a_rows_weight():
    y_true, proba = _case(40, 2)  # rounded: many rows share a score
    ranking = Ranking(y_true, proba)
    judged = rarer(y_true)
    found = _influence(y_true == judged, proba[:, judged])
    step = 1e-6
    for row_idx in range(40):
        weight = np.ones((2, 40))
        weight[0, row_idx] += step
        weight[1, row_idx] -= step
        scores = ranking.scores(weight)
        for name, influence in zip(("auroc", "average_precision"), found, strict=True):
            slope = (scores[name][0] - scores[name][1]) / (2 * step)
            assert influence[row_idx] == pytest.approx(slope, abs=1e-7)
    assert found.sum(axis=1) == pytest.approx([0.0, 0.0], abs=1e-12)


def test_auroc_of_two_and_two_rows_by_hand():
    # Scores 4 > 3 > 2 > 1, classes 1 0 1 0: shares beaten 1 and 1/2, area 3/4. Each row
    # lies 1/4 from it: four times (1/4 / 2)^2 = 1/16.
    proba = np.array([[0.6, 0.4], [0.7, 0.3], [0.8, 0.2], [0.9, 0.1]])
    found = ranked_deviation(np.array([1, 0, 1, 0]), proba, np.arange(4))
    assert found["auroc"] == pytest.approx(0.25)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_deviation_is_that_of_draws(n_classes):
    y_true, proba = _case(600, n_classes)
    unit = np.arange(600) // 2
    found = ranked_deviation(y_true, proba, unit)
    rng = np.random.default_rng(0)
    times = np.stack([np.bincount(rng.integers(300, size=300), minlength=300) for _ in range(800)])
    drawn = Ranking(y_true, proba).scores(times[:, unit].astype(float))
    for name, draws in drawn.items():
        assert found[name] == pytest.approx(draws.std(), rel=0.12)  # 800 draws: 2.5 % and bias


def test_many_classes_get_intervals_without_draws(monkeypatch):
    y_true, proba = _case(400, 5)
    drawn = bootstrap_intervals(y_true, proba, n_resamples=400)
    monkeypatch.setattr(intervals, "_RANK_BUDGET", 1000)
    found = bootstrap_intervals(y_true, proba, n_resamples=400)
    assert tuple(found) == SCORES
    for name in ("auroc", "average_precision"):
        assert found[name].estimate == drawn[name].estimate
        width, expected = (one.high - one.low for one in (found[name], drawn[name]))
        assert width == pytest.approx(expected, rel=0.25)
    assert found["log_loss"] == drawn["log_loss"]


def test_one_class_has_no_deviation():
    found = ranked_deviation(np.zeros(4, dtype=int), np.full((4, 2), 0.5), np.arange(4))
    assert np.isnan([found["auroc"], found["average_precision"]]).all()
