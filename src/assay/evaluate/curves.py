"""Curves: how a model does at every threshold, and whether its confidence can be believed.

True classes and probabilities come in, plain data for the pictures of the report goes
out. Points that no eye could tell apart are left out; corners never are.
"""

import heapq
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import UserError
from assay.evaluate.intervals import Interval, wilson
from assay.metrics import (
    Floats,
    Indices,
    brier,
    expected_calibration_error,
    found_by_threshold,
    rank_scores,
    rarer,
)

MAX_CLASSES = 12
"""Curves of more classes than this are a tangle; the commonest are drawn."""

MAX_POINTS = 101
"""Points of one curve."""

N_THRESHOLDS = 101
"""Thresholds 0, 0.01 ... 1 of the table of two classes."""

RELIABILITY_BINS = 10
"""Bins of equal mass in the reliability diagram."""

_DIGITS = 5  # of a rate, far below what a picture or a person resolves


def curves(
    y: Indices, proba: Floats, classes: Sequence[str], *, positive: int | None = None
) -> dict[str, Any]:
    """Return ROC and precision-recall curves of each class against the rest.

    A point is a distinct probability p: rows of at least p are called the class. The
    upper convex hull is kept before any other point, since the best threshold under
    any costs lies on it (Provost & Fawcett 2001, Machine Learning 42:203).

    Args:
        y: True class indices, (N,).
        proba: Probabilities, (N, C).
        classes: Names of the C classes.
        positive: Index of the class that two classes are told by; by default the rarer
            one in `y`, the second where both are as common.

    Returns:
        Plain data for JSON:
        n_rows;
        n_classes, C;
        classes, the class of two and up to 12 of more, commonest first, each {class,
        n, auroc, average_precision, roc, precision_recall}, the scores None where
        undefined, the curves None where a class has no row or all rows; roc
        {false_positive_rate, true_positive_rate, threshold} and precision_recall
        {recall, precision, threshold} are lists of at most 101, rising in rate and
        recall; the first threshold is None: nothing is called the class;
        thresholds, of two classes only: {class, other, threshold, tp, fp, fn, tn},
        counts at 0, 0.01 ... 1.

    Raises:
        UserError: Shapes do not fit.

    Example:
        >>> y, p = np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9])
        >>> found = curves(y, np.stack([1 - p, p], axis=1), ["no", "yes"])
        >>> found["classes"][0]["class"], found["classes"][0]["auroc"]
        ('yes', 0.75)
        >>> found["thresholds"]["tp"][50], found["thresholds"]["fp"][50]
        (1, 1)
    """
    y, proba = np.asarray(y), np.asarray(proba, dtype=np.float64)
    if proba.shape != (len(y), len(classes)) or len(y) == 0:
        raise UserError(f"proba must be ({len(y)}, {len(classes)}), N > 0 (got {proba.shape})")
    counts = np.bincount(y, minlength=len(classes))
    result: dict[str, Any] = {"n_rows": len(y), "n_classes": len(classes)}
    if len(classes) == 2:
        chosen = rarer(y) if positive is None else positive
        shown = [chosen]
        result["thresholds"] = _threshold_table(y == chosen, proba[:, chosen], classes, chosen)
    else:
        order = np.argsort(-counts, kind="stable")[:MAX_CLASSES]
        shown = [int(idx) for idx in order if counts[idx] > 0]
    result["classes"] = [
        {"class": classes[idx], "n": int(counts[idx]), **_class_curves(y == idx, proba[:, idx])}
        for idx in shown
    ]
    return result


def reliability(
    y: Indices,
    proba: Floats,
    *,
    confidence: float,
    intervals: Mapping[str, Interval] | None = None,
    widening: float = 1.0,
) -> dict[str, Any]:
    """Return how often the model is right when it is so sure.

    Rows are put into ten bins of equal mass by the probability of their predicted
    class; rows equally sure stay together, so that there may be fewer.

    Args:
        y: True class indices, (N,).
        proba: Probabilities, (N, C).
        confidence: Of the intervals, in (0, 1).
        intervals: Of "ece" and "brier", where `bootstrap_intervals` has found them.
        widening: How much wider the intervals of bins are made, by rows that count for
            less, as those of classes are; see `intervals.CROSS_FITTED`.

    Returns:
        Plain data for JSON: n_rows; confidence; bins [{n, mean_confidence, accuracy
        {estimate, low, high}}], rising, with Wilson's interval; ece and brier, each
        {estimate, low, high}, the ends None without `intervals`. The ECE is that of
        `metrics`, over bins of equal width.

    Example:
        >>> proba = np.array([[0.9, 0.1]] * 10)
        >>> found = reliability(np.array([0] * 9 + [1]), proba, confidence=0.95)
        >>> found["bins"][0]["n"], found["bins"][0]["accuracy"]["estimate"]
        (10, 0.9)
    """
    y, proba = np.asarray(y), np.asarray(proba, dtype=np.float64)
    known = intervals or {}
    plain = {"ece": expected_calibration_error(y, proba), "brier": brier(y, proba)}
    scores = {name: known.get(name, Interval(plain[name], None, None)) for name in plain}
    sure, is_right = proba.max(axis=1), proba.argmax(axis=1) == y
    edges = np.quantile(sure, np.linspace(0, 1, RELIABILITY_BINS + 1)[1:-1], method="lower")
    bins = np.searchsorted(np.unique(edges), sure, side="left")
    rows = []
    for idx in np.unique(bins):
        own = bins == idx
        n_right, n_own = is_right[own].sum() / widening**2, own.sum() / widening**2
        share = wilson(float(n_right), float(n_own), confidence=confidence)
        rows.append(
            {
                "n": int(own.sum()),
                "mean_confidence": float(sure[own].mean()),
                "accuracy": share.to_dict(),
            }
        )
    return {
        "n_rows": len(y),
        "confidence": confidence,
        "bins": rows,
        **{name: interval.to_dict() for name, interval in scores.items()},
    }


def _class_curves(is_class: NDArray[np.bool_], score: Floats) -> dict[str, Any]:
    """Return scores and curves of one class against the rest."""
    n_own = int(is_class.sum())
    if n_own in (0, len(is_class)):
        return {"auroc": None, "average_precision": None, "roc": None, "precision_recall": None}
    true, false, threshold = found_by_threshold(is_class, score)
    area, average = rank_scores(true, false)
    found, wrong = true / n_own, false / (len(is_class) - n_own)
    start = np.concatenate([[0.0], wrong]), np.concatenate([[0.0], found])
    kept = thin(*start)
    roc = {
        "false_positive_rate": _rounded(start[0][kept]),
        "true_positive_rate": _rounded(start[1][kept]),
        "threshold": _levels(threshold, kept),
    }
    share = np.concatenate([[1.0], true / (true + false)])  # of no row: by custom all are right
    # Thresholds below the one that finds all add nothing to recall, only false rows.
    last = int(np.argmax(true == n_own)) + 2
    kept = thin(start[1][:last], share[:last])
    precision_recall = {
        "recall": _rounded(start[1][kept]),
        "precision": _rounded(share[kept]),
        "threshold": _levels(threshold, kept),
    }
    return {
        "auroc": float(area),
        "average_precision": float(average),
        "roc": roc,
        "precision_recall": precision_recall,
    }


def _levels(threshold: Floats, kept: Sequence[int]) -> list[float | None]:
    """Return the thresholds of points of a curve whose first one has none."""
    return [None if idx == 0 else round(float(threshold[idx - 1]), _DIGITS) for idx in kept]


def thin(x: Floats, y: Floats, *, most: int = MAX_POINTS) -> list[int]:
    """Return the positions of at most `most` points that hold the shape of a curve.

    The corners of the upper convex hull come first, those farthest out leading; then
    the points farthest from the line through those kept (Ramer 1972; Douglas & Peucker
    1973), until none is left or the room is used up.

    Args:
        x: Positions, (P,), not falling.
        y: Heights, (P,).
        most: At least 2.

    Example:
        >>> thin(np.array([0.0, 0.0, 0.5, 1.0]), np.array([0.0, 1.0, 1.0, 1.0]))
        [0, 1, 3]
    """
    kept = [0, len(x) - 1] if len(x) > 1 else [0]
    for is_hull in (True, False):
        kept = _refined(x, y, kept, most, is_hull=is_hull)
    return kept


def _refined(x: Floats, y: Floats, kept: list[int], most: int, *, is_hull: bool) -> list[int]:
    """Add the farthest point of each gap, the farthest of all first."""
    gaps = [_farthest(x, y, *pair, is_hull) for pair in itertools.pairwise(kept)]
    heap = [gap for gap in gaps if gap is not None]
    heapq.heapify(heap)
    found = list(kept)
    while heap and len(found) < most:
        _, middle, left, right = heapq.heappop(heap)
        found.append(middle)
        for pair in ((left, middle), (middle, right)):
            gap = _farthest(x, y, *pair, is_hull)
            if gap is not None:
                heapq.heappush(heap, gap)
    return sorted(found)


def _farthest(
    x: Floats, y: Floats, left: int, right: int, is_hull: bool
) -> tuple[float, int, int, int] | None:
    """Return (-distance, position, left, right) of the point farthest from a chord, or None."""
    if right - left < 2:
        return None
    across, up = x[right] - x[left], y[right] - y[left]
    inside = slice(left + 1, right)
    area = across * (y[inside] - y[left]) - up * (x[inside] - x[left])
    if not is_hull:
        area = np.abs(area)
    best = int(area.argmax())
    length = float(np.hypot(across, up))
    if area[best] <= 1e-12 or length == 0.0:
        return None
    return -float(area[best]) / length, left + 1 + best, left, right


def _threshold_table(
    is_class: NDArray[np.bool_], score: Floats, classes: Sequence[str], positive: int
) -> dict[str, Any]:
    """Return the four counts at each threshold; a row is called the class at p >= threshold."""
    thresholds = np.linspace(0, 1, N_THRESHOLDS)
    true = _at_or_above(score[is_class], thresholds)
    false = _at_or_above(score[~is_class], thresholds)
    n_own, n_other = int(is_class.sum()), int((~is_class).sum())
    return {
        "class": classes[positive],
        "other": classes[1 - positive],
        "threshold": _rounded(thresholds),
        "tp": true,
        "fp": false,
        "fn": [n_own - n for n in true],
        "tn": [n_other - n for n in false],
    }


def _at_or_above(score: Floats, thresholds: Floats) -> list[int]:
    counts = len(score) - np.searchsorted(np.sort(score), thresholds, side="left")
    return [int(n) for n in counts]


def _rounded(values: Floats) -> list[float]:
    return [round(float(value), _DIGITS) for value in values]
