"""A threshold for one class against the rest: probabilities in, the number to compare with out.

Every place between two neighbouring probabilities is tried; the sums that any rule needs
come from one sort. What a threshold promises must be judged on rows that did not choose
it: see `decisions`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.evaluate.resampled import Resampler, ratio
from assay.metrics import Floats, Indices, threshold_ends
from assay.rules import Rule

NEUTRAL = 0.5
"""The threshold where rows of only one side leave nothing to choose by."""

_LEAST_DECIDED = 10  # rows: of fewer a precision is luck
_TOLERANCE = 1e-12  # of sums of weights


def choose_threshold(
    is_positive: NDArray[np.bool_], score: Floats, rule: Rule, *, weight: Floats | None = None
) -> float:
    """Return the threshold that serves a rule best on these rows.

    "f1": the largest 2TP / (2TP + FP + FN). "youden", "balanced_accuracy": the largest
    recall + specificity (Youden 1950, Cancer 3:32). "precision": of those with at least
    so much in ten rows or more, the largest recall; where none has, the largest precision
    in ten rows or more. "recall": of
    those with at least so much, the largest precision. "top": as many rows as fit into
    the share. "answered": as few rows as fill the share. Of equals the highest threshold.

    Args:
        is_positive: Whether each row is of the class, (N,).
        score: Probability of the class, (N,).
        rule: Name and limit.
        weight: What each row counts, (N,).

    Returns:
        A number to be reached: half way to the next lower score; 0 where all rows are
        decided, above the highest score where none is.

    Example:
        >>> is_positive = np.array([True, False, True, False])
        >>> score = np.array([0.9, 0.1, 0.6, 0.4])
        >>> choose_threshold(is_positive, score, Rule("f1"))
        0.5
    """
    if len(score) == 0:
        return NEUTRAL
    order = np.argsort(-score, kind="stable")
    falling = score[order]
    ends = threshold_ends(falling)
    rows = np.ones(len(score)) if weight is None else weight[order]
    true = np.cumsum(rows * is_positive[order])[ends]
    decided = np.cumsum(rows)[ends]
    if rule.name not in ("precision", "top", "answered") and not 0.0 < true[-1] < decided[-1]:
        return NEUTRAL
    best = _best(rule, true, decided, n_decided=ends + 1)
    return between(falling[ends], best)


def _best(rule: Rule, true: Floats, decided: Floats, *, n_decided: Indices) -> int:
    """Return the place of the best threshold in sums (T,) by falling score; -1 for none."""
    n_true, n_rows = true[-1], decided[-1]
    limit = 0.0 if rule.limit is None else rule.limit
    if rule.name == "f1":
        return int(np.argmax(2 * true / (decided + n_true)))
    if rule.name in ("youden", "balanced_accuracy"):
        return int(np.argmax(true / n_true - (decided - true) / (n_rows - n_true)))
    if rule.name == "top":
        return int(np.searchsorted(decided, limit * n_rows * (1 + _TOLERANCE), side="right")) - 1
    if rule.name == "answered":
        return int(np.searchsorted(decided, limit * n_rows * (1 - _TOLERANCE)))
    precision = true / decided
    if rule.name == "recall":
        return int(np.argmax(np.where(true >= limit * n_true * (1 - _TOLERANCE), precision, -1.0)))
    is_known = n_decided >= min(_LEAST_DECIDED, n_decided[-1])
    is_precise = is_known & (precision >= limit * (1 - _TOLERANCE))
    if not is_precise.any():
        return int(np.argmax(np.where(is_known, precision, -1.0)))
    return int(np.argmax(np.where(is_precise, true, -1.0)))


def between(falling: Floats, place: int) -> float:
    """Return a number that the first `place` + 1 distinct scores reach, and no other."""
    if place < 0:
        return float(np.nextafter(falling[0], np.inf))
    if place == len(falling) - 1:
        return 0.0
    middle = (falling[place] + falling[place + 1]) / 2
    return float(middle if middle > falling[place + 1] else falling[place])


def side_scores(
    is_positive: NDArray[np.bool_], is_decided: NDArray[np.bool_], rows: Resampler
) -> dict[str, Any]:
    """Return the scores of deciding one class against the rest, each with its interval.

    Args:
        is_positive: Whether each row is of the class, (N,).
        is_decided: Whether it was decided so, (N,).
        rows: Draws of the rows.

    Returns:
        precision, recall, specificity, f1, balanced_accuracy, accuracy, and share (of
        rows decided positive), each {estimate, low, high}, None where undefined.
    """
    right = is_positive & is_decided
    cells = np.stack([right, is_positive, is_decided, np.ones_like(right)], axis=1)
    n_sides = [rows.n_units(side) for side in (is_positive, ~is_positive) if side.any()]
    drawn = rows.of_shares(
        cells.astype(np.float64),
        {"f1": _f1, "balanced_accuracy": _balanced},
        n_units={
            "f1": rows.n_units(is_positive | is_decided),
            "balanced_accuracy": min(n_sides, default=0.0),
        },
    )
    scores = {
        "precision": rows.share(is_positive, is_decided),
        "recall": rows.share(is_decided, is_positive),
        "specificity": rows.share(~is_decided, ~is_positive),
        **drawn,
        "accuracy": rows.share(is_positive == is_decided),
        "share": rows.share(is_decided),
    }
    return {name: interval.to_dict() for name, interval in scores.items()}


def _f1(sums: Floats) -> Floats:
    return ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2])


def _balanced(sums: Floats) -> Floats:
    right, true, decided, rows = (sums[..., place] for place in range(4))
    recall = ratio(right, true)
    specificity = ratio(rows - true - decided + right, rows - true)
    mean: Floats = (recall + specificity) / 2
    return mean
