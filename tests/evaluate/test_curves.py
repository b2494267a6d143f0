"""Curves and reliability agree with scikit-learn and with counting by hand."""

import json

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from assay.errors import UserError
from assay.evaluate.curves import MAX_POINTS, curves, reliability, thin
from assay.evaluate.intervals import Interval, wilson
from assay.metrics import brier, expected_calibration_error


def _binary(rng, n=400):
    y = (rng.random(n) < 0.3).astype(int)
    p = 1 / (1 + np.exp(-(rng.normal(size=n) + 1.5 * y - 1)))
    return y, np.stack([1 - p, p], axis=1)


def _many(rng, n_classes, n=600):
    y = rng.integers(n_classes, size=n)
    proba = rng.dirichlet(np.ones(n_classes), size=n)
    proba[np.arange(n), y] += 0.3
    return y, proba / proba.sum(axis=1, keepdims=True)


def test_roc_points_lie_on_scikit_learns_curve(rng):
    y, proba = _binary(rng)
    (found,) = curves(y, proba, ["no", "yes"])["classes"]
    wrong, right, _ = roc_curve(y, proba[:, 1], drop_intermediate=False)
    points = {(round(a, 5), round(b, 5)) for a, b in zip(wrong, right, strict=True)}
    roc = found["roc"]
    own = list(zip(roc["false_positive_rate"], roc["true_positive_rate"], strict=True))
    assert set(own) <= points
    assert own[0] == (0.0, 0.0) and own[-1] == (1.0, 1.0)  # noqa: PT018 - the two ends
    assert found["auroc"] == pytest.approx(roc_auc_score(y, proba[:, 1]), abs=1e-12)


def test_thinned_area_is_that_of_all_points(rng):
    y, proba = _binary(rng, n=20_000)
    roc = curves(y, proba, ["no", "yes"])["classes"][0]["roc"]
    assert len(roc["threshold"]) <= MAX_POINTS
    area = np.trapezoid(roc["true_positive_rate"], roc["false_positive_rate"])
    assert area == pytest.approx(roc_auc_score(y, proba[:, 1]), abs=1e-3)


def test_precision_recall_points_lie_on_scikit_learns_curve(rng):
    y, proba = _binary(rng)
    (found,) = curves(y, proba, ["no", "yes"])["classes"]
    precision, recall, _ = precision_recall_curve(y, proba[:, 1])
    points = {(round(a, 5), round(b, 5)) for a, b in zip(recall, precision, strict=True)}
    curve = found["precision_recall"]
    assert set(zip(curve["recall"], curve["precision"], strict=True)) <= points
    assert (curve["recall"][0], curve["precision"][0]) == (0.0, 1.0)
    assert curve["recall"][-1] == 1.0
    average = average_precision_score(y, proba[:, 1])
    assert found["average_precision"] == pytest.approx(average, abs=1e-12)


def test_no_point_of_the_hull_is_lost(rng):
    y, proba = _binary(rng, n=3_000)
    wrong, right, _ = roc_curve(y, proba[:, 1], drop_intermediate=False)
    roc = curves(y, proba, ["no", "yes"])["classes"][0]["roc"]
    # The best of any weighting of the two rates lies on the hull.
    kept = np.array([roc["true_positive_rate"], roc["false_positive_rate"]])
    for weight in np.linspace(0.01, 0.99, 99):
        best = (weight * right - (1 - weight) * wrong).max()
        assert (weight * kept[0] - (1 - weight) * kept[1]).max() == pytest.approx(best, abs=1e-4)


def test_points_are_called_the_class_at_their_threshold(rng):
    y, proba = _binary(rng)
    (found,) = curves(y, proba, ["no", "yes"])["classes"]
    roc = found["roc"]
    assert roc["threshold"][0] is None
    own = roc["threshold"][5]
    assert roc["true_positive_rate"][5] == pytest.approx(
        (proba[y == 1, 1] >= own - 1e-5).mean(), abs=0.01
    )


def test_threshold_table_counts_rows(rng):
    y, proba = _binary(rng)
    table = curves(y, proba, ["no", "yes"])["thresholds"]
    assert (table["class"], table["other"], len(table["threshold"])) == ("yes", "no", 101)
    for idx in (0, 13, 50, 99, 100):
        called = (proba[:, 1] >= idx / 100).astype(int)
        ((tn, fp), (fn, tp)) = confusion_matrix(y, called, labels=[0, 1])
        assert [table[name][idx] for name in ("tp", "fp", "fn", "tn")] == [tp, fp, fn, tn]


def test_two_classes_are_told_by_the_rarer_unless_one_is_named():
    proba = np.array([[0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
    assert curves(np.array([1, 0, 1]), proba, ["a", "b"])["thresholds"]["class"] == "a"
    assert curves(np.array([0, 0, 1]), proba, ["a", "b"])["thresholds"]["class"] == "b"
    assert curves(np.array([0, 1]), proba[:2], ["a", "b"])["thresholds"]["class"] == "b"
    named = curves(np.array([1, 0, 1]), proba, ["a", "b"], positive=1)
    assert named["thresholds"]["class"] == named["classes"][0]["class"] == "b"


def test_twelve_commonest_of_many_classes_are_drawn(rng):
    y, proba = _many(rng, 30)
    found = curves(y, proba, [f"c{idx}" for idx in range(30)])
    counts = np.bincount(y, minlength=30)
    assert found["n_classes"] == 30
    assert "thresholds" not in found
    assert [one["n"] for one in found["classes"]] == sorted(counts, reverse=True)[:12]
    name = found["classes"][3]["class"]
    idx = int(name[1:])
    assert found["classes"][3]["auroc"] == pytest.approx(roc_auc_score(y == idx, proba[:, idx]))


def test_one_class_only_gives_none_and_no_nan():
    found = curves(np.zeros(5, dtype=int), np.full((5, 2), 0.5), ["a", "b"])
    (one,) = found["classes"]
    assert (one["class"], one["auroc"], one["roc"]) == ("b", None, None)
    json.dumps(found, allow_nan=False)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match=r"proba must be \(2, 3\)"):
        curves(np.array([0, 1]), np.full((2, 2), 0.5), ["a", "b", "c"])


def test_thinning_keeps_a_curve_of_few_points():
    x, y = np.array([0.0, 0.1, 0.3, 1.0]), np.array([0.0, 0.6, 0.2, 1.0])
    assert thin(x, y) == [0, 1, 2, 3]
    assert thin(x, y, most=3) == [0, 1, 3]
    assert thin(x[:1], y[:1]) == [0]


def test_bins_are_those_of_scikit_learn(rng):
    y, proba = _binary(rng, n=1_000)
    found = reliability(y, proba, confidence=0.95)
    right = proba.argmax(axis=1) == y
    shares, means = calibration_curve(right, proba.max(axis=1), n_bins=10, strategy="quantile")
    assert [one["n"] for one in found["bins"]] == [100] * 10
    assert [one["accuracy"]["estimate"] for one in found["bins"]] == pytest.approx(shares, abs=0.02)
    assert [one["mean_confidence"] for one in found["bins"]] == pytest.approx(means, abs=0.01)
    share = found["bins"][0]["accuracy"]
    assert share == wilson(share["estimate"] * 100, 100, confidence=0.95).to_dict()


def test_rows_equally_sure_stay_in_one_bin():
    proba = np.array([[0.9, 0.1]] * 30 + [[0.6, 0.4]] * 10)
    found = reliability(np.zeros(40, dtype=int), proba, confidence=0.9)
    assert [(one["n"], round(one["mean_confidence"], 6)) for one in found["bins"]] == [
        (10, 0.6),
        (30, 0.9),
    ]


def test_scores_are_those_of_metrics_with_the_intervals_given(rng):
    y, proba = _binary(rng)
    plain = reliability(y, proba, confidence=0.95)
    assert plain["ece"]["estimate"] == expected_calibration_error(y, proba)
    assert plain["brier"] == {"estimate": brier(y, proba), "low": None, "high": None}
    told = reliability(y, proba, confidence=0.95, intervals={"brier": Interval(0.3, 0.2, 0.4)})
    assert told["brier"] == {"estimate": 0.3, "low": 0.2, "high": 0.4}
    json.dumps(told, allow_nan=False)


def test_bins_are_widened_as_shares_of_classes_are(rng):
    y, score = rng.integers(2, size=200), rng.random(200)
    proba = np.stack([1 - score, score], axis=1)
    plain, wide = (reliability(y, proba, confidence=0.95, widening=by) for by in (1.0, 1.2))
    for one, other in zip(plain["bins"], wide["bins"], strict=True):
        assert other["accuracy"]["estimate"] == pytest.approx(one["accuracy"]["estimate"])
        expected = wilson(one["accuracy"]["estimate"] * one["n"] / 1.44, one["n"] / 1.44)
        assert other["accuracy"] == pytest.approx(expected.to_dict())
