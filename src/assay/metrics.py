"""Scores: true classes and predicted probabilities in, figures out.

Pure array formulas, each with its source. Everywhere `y_true` and `y_pred` are
class indices of shape (N,), `proba` is (N, C) with rows that sum to 1, and
`sample_weight` is (N,) and not negative. A class without a true row cannot be
scored and is left out of every macro average; a figure that is undefined is NaN
here and None in `score_table`. Whatever takes `proba` raises what `score_table` does.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import UserError

Floats = NDArray[np.float64]
Indices = NDArray[np.integer[Any]]
Weight = Floats | None

LOG_LOSS_CLIP = 1e-15
"""Smallest probability inside a logarithm: one certain miss costs 34.5, not infinity."""

ECE_BINS = 15
"""Equal-width bins of the calibration error, as in Guo et al. 2017."""

SCORES = (
    "accuracy", "balanced_accuracy", "f1_macro", "precision_macro", "recall_macro",
    "log_loss", "brier", "auroc", "average_precision", "matthews", "cohen_kappa", "ece",
)  # fmt: skip
"""Names of `score_table`, in its order."""


def score_table(
    y_true: Indices, proba: Floats, *, sample_weight: Weight = None, ranks: bool = True
) -> dict[str, float | None]:
    """Return every scalar score by the names in `SCORES`; the label is the likeliest class.

    Returns:
        A float for each name, or None where the score is undefined, as AUROC without a row of
        a second class, or not asked for: without `ranks` AUROC and average precision.

    Raises:
        UserError: Shapes differ, no row, a class outside [0, C), or a probability
            that is not finite.

    Example:
        >>> scores = score_table(np.array([0, 1, 1]), np.array([[1, 0], [0.2, 0.8], [0.6, 0.4]]))
        >>> round(scores["accuracy"], 3), scores["auroc"]
        (0.667, 1.0)
    """
    y_true, proba, weight = _checked(y_true, proba, sample_weight)
    matrix = _counts(y_true, proba.argmax(axis=1), proba.shape[1], weight=weight)
    area, average = _areas(y_true, proba, weight) if ranks else np.full((2, 1), np.nan)
    scores = {name: float(value) for name, value in scores_from_confusion(matrix).items()}
    scores["log_loss"] = float(np.average(row_log_loss(y_true, proba), weights=weight))
    scores["brier"] = float(np.average(row_brier(y_true, proba), weights=weight))
    scores["auroc"], scores["average_precision"] = macro(area), macro(average)
    scores["ece"] = expected_calibration_error(y_true, proba, sample_weight=weight)
    return {name: None if np.isnan(scores[name]) else scores[name] for name in SCORES}


def confusion_matrix(
    y_true: Indices, y_pred: Indices, *, n_classes: int = 0, sample_weight: Weight = None
) -> Floats:
    """Count rows by true class (down) and predicted class (across).

    Args:
        y_true: True class indices, (N,).
        y_pred: Predicted class indices, (N,).
        n_classes: C; 0 (the default) for one more than the largest index seen.
        sample_weight: Weight of each row, (N,); by default 1.

    Returns:
        Counts or sums of weights, (C, C), float64.

    Example:
        >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1])).tolist()
        [[1.0, 1.0], [0.0, 1.0]]
    """
    if n_classes < 1:
        n_classes = 1 + int(max(np.max(y_true, initial=0), np.max(y_pred, initial=0)))
    y_true = _checked_labels(y_true, n_classes, "y_true")
    y_pred = _checked_labels(y_pred, n_classes, "y_pred")
    if len(y_true) != len(y_pred):
        raise UserError(f"y_true has {len(y_true)} rows, y_pred {len(y_pred)}")
    weight = _checked_weight(sample_weight, len(y_true))
    return _counts(y_true, y_pred, n_classes, weight=weight)


def accuracy(y_true: Indices, y_pred: Indices, *, sample_weight: Weight = None) -> float:
    """Return the share of rows whose label is right, in [0, 1]."""
    matrix = confusion_matrix(y_true, y_pred, sample_weight=sample_weight)
    return float(scores_from_confusion(matrix)["accuracy"])


def recall(matrix: Floats) -> Floats:
    """Return each class's share of true rows that were found: TP / (TP + FN).

    Takes confusion matrices, (..., C, C), rows true; returns (..., C), in [0, 1], NaN
    for a class without a true row.
    """
    true, _, correct = margins(matrix)
    return _ratio(correct, true)


def precision(matrix: Floats) -> Floats:
    """Return each class's share of predictions that were right: TP / (TP + FP).

    Takes confusion matrices, (..., C, C), rows true; returns (..., C), in [0, 1], NaN
    for a class without a true row, and 0 for one that has rows but was never predicted
    (scikit-learn's `zero_division=0`).
    """
    return _precision(*margins(matrix))


def f1(matrix: Floats) -> Floats:
    """Return each class's harmonic mean of precision and recall: 2TP / (2TP + FP + FN).

    Takes confusion matrices, (..., C, C), rows true; returns (..., C), in [0, 1], NaN
    for a class without a true row.
    """
    return _f1(*margins(matrix))


def macro(per_class: Floats) -> float:
    """Return the plain mean over the classes that are not NaN; NaN when all are."""
    return float(_macro(per_class))


def weighted(per_class: Floats, matrix: Floats) -> float:
    """Return the mean of figures (C,) weighted by the true rows of their matrix (C, C)."""
    true = matrix.sum(axis=-1)
    return float(_ratio(np.nansum(per_class * true), true.sum()))


def scores_from_confusion(matrix: Floats) -> dict[str, Floats]:
    """Return the scores that need no more than counts, for one matrix or a stack.

    accuracy; balanced_accuracy and recall_macro (mean recall over the classes that
    occur: two names of one figure); precision_macro; f1_macro; matthews, the
    multi-class correlation R_K (Gorodkin 2004, Comput. Biol. Chem. 28:367), in
    [-1, 1], undefined when all rows have one label or one class; cohen_kappa,
    agreement beyond chance (Cohen 1960, Educ. Psychol. Meas. 20:37), in [-1, 1].

    Args:
        matrix: Confusion matrices, (..., C, C), rows true, counts or weights.

    Returns:
        Arrays of shape (...), NaN where undefined.

    Example:
        >>> scores = scores_from_confusion(np.array([[2.0, 0.0], [1.0, 1.0]]))
        >>> float(scores["accuracy"]), float(scores["cohen_kappa"])
        (0.75, 0.5)
    """
    return scores_from_margins(*margins(matrix))


def margins(matrix: Floats) -> tuple[Floats, Floats, Floats]:
    """Return true rows, predicted rows and right rows of each class, (..., C) each."""
    return matrix.sum(axis=-1), matrix.sum(axis=-2), np.diagonal(matrix, axis1=-2, axis2=-1)


def scores_from_margins(true: Floats, predicted: Floats, correct: Floats) -> dict[str, Floats]:
    """Return `scores_from_confusion` from the `margins` alone: of 1,000 classes 3,000 numbers."""
    total, n_right = true.sum(axis=-1), correct.sum(axis=-1)
    together = (true * predicted).sum(axis=-1)
    spread = (total**2 - (true**2).sum(axis=-1)) * (total**2 - (predicted**2).sum(axis=-1))
    recall_macro = _macro(_ratio(correct, true))
    return {
        "accuracy": _ratio(n_right, total),
        "balanced_accuracy": recall_macro,
        "f1_macro": _macro(_f1(true, predicted, correct)),
        "precision_macro": _macro(_precision(true, predicted, correct)),
        "recall_macro": recall_macro,
        "matthews": _ratio(n_right * total - together, np.sqrt(np.maximum(spread, 0.0))),
        "cohen_kappa": _ratio(n_right * total - together, total**2 - together),
    }


def log_loss(y_true: Indices, proba: Floats, *, sample_weight: Weight = None) -> float:
    """Return the mean of -log p(true class), in nats; 0 is perfect.

    Probabilities are clipped at `LOG_LOSS_CLIP` and not rescaled. Classes absent
    from `y_true` are no obstacle.

    Example:
        >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])), 4)
        0.6931
    """
    y_true, proba, weight = _checked(y_true, proba, sample_weight)
    return float(np.average(row_log_loss(y_true, proba), weights=weight))


def row_log_loss(y_true: Indices, proba: Floats) -> Floats:
    """Return -log p(true class) of each row, (N,), clipped as in `log_loss`."""
    chosen = np.take_along_axis(proba, y_true[:, None], axis=1)[:, 0]  # (N, C) -> (N,)
    loss: Floats = -np.log(np.clip(chosen, LOG_LOSS_CLIP, 1.0))
    return loss


def brier(y_true: Indices, proba: Floats, *, sample_weight: Weight = None) -> float:
    """Return the mean over rows of the squared distance from certainty, in [0, 2].

    The sum over all classes, as first published (Brier 1950, Mon. Weather Rev. 78:1): with two
    twice the form that scikit-learn reports by default (its `scale_by_half=False` is this one).
    """
    y_true, proba, weight = _checked(y_true, proba, sample_weight)
    return float(np.average(row_brier(y_true, proba), weights=weight))


def row_brier(y_true: Indices, proba: Floats) -> Floats:
    """Return the squared distance from certainty of each row, (N,)."""
    chosen = np.take_along_axis(proba, y_true[:, None], axis=1)[:, 0]  # (N, C) -> (N,)
    distance: Floats = np.einsum("nc,nc->n", proba, proba) - 2 * chosen + 1
    return distance


def auroc(y_true: Indices, proba: Floats, *, sample_weight: Weight = None) -> float:
    """Return the area under the ROC curve, macro over one-versus-rest for C > 2.

    The chance that a row of the class is given more than a row of another, ties
    counting half (Hanley & McNeil 1982, Radiology 143:29). With two classes both
    sides give one figure. NaN when fewer than two classes occur.

    Example:
        >>> auroc(np.array([0, 1, 1]), np.array([[0.6, 0.4], [0.6, 0.4], [0.1, 0.9]]))
        0.75
    """
    return macro(auroc_per_class(y_true, proba, sample_weight=sample_weight))


def auroc_per_class(y_true: Indices, proba: Floats, *, sample_weight: Weight = None) -> Floats:
    """Return each class's area under the ROC curve against the rest, (C,), NaN if undefined."""
    return _areas(*_checked(y_true, proba, sample_weight))[0]


def average_precision(
    y_true: Indices, proba: Floats, *, sample_weight: Weight = None, positive: int | None = None
) -> float:
    """Return the area under the precision-recall steps, NaN when fewer than two classes occur.

    The sum over thresholds of (recall gained) x precision, without interpolation, as scikit-learn
    has it. Two classes: of `positive`, else the `rarer`. More: macro over one-versus-rest.
    """
    return macro(_areas(*_checked(y_true, proba, sample_weight), positive)[1])


def expected_calibration_error(
    y_true: Indices, proba: Floats, *, n_bins: int = ECE_BINS, sample_weight: Weight = None
) -> float:
    """Return how far confidence is from the share that is right, in [0, 1].

    Rows go into equal-width bins of their largest probability, open below and closed
    above; the result is the mean over rows of |accuracy - confidence| of their bin
    (Guo et al. 2017, arXiv 1706.04599, equation 3). Biased upwards with few rows.

    Example:
        >>> round(expected_calibration_error(np.array([0, 1]), np.array([[0.9, 0.1]] * 2)), 3)
        0.4
    """
    y_true, proba, weight = _checked(y_true, proba, sample_weight)
    bins, gap = confidence_gaps(y_true, proba, n_bins)
    weight = np.ones(len(gap)) if weight is None else weight
    return float(np.abs(np.bincount(bins, gap * weight, n_bins)).sum() / weight.sum())


def confidence_gaps(
    y_true: Indices, proba: Floats, n_bins: int = ECE_BINS
) -> tuple[Indices, Floats]:
    """Return each row's bin of confidence, (N,) in [0, n_bins), and (is right) - confidence."""
    confidence = proba.max(axis=1)
    bins = np.clip(np.ceil(confidence * n_bins).astype(np.intp) - 1, 0, n_bins - 1)
    return bins, (proba.argmax(axis=1) == y_true) - confidence


def _areas(
    y_true: Indices, proba: Floats, weight: Weight, positive: int | None = None
) -> tuple[Floats, Floats]:
    """Return AUROC and average precision of each class, (C,) and (C,); one sort serves both."""
    n_classes = proba.shape[1]
    area, average = np.full(n_classes, np.nan), np.full(n_classes, np.nan)
    for class_idx in range(n_classes):
        true, false, _ = found_by_threshold(y_true == class_idx, proba[:, class_idx], weight)
        area[class_idx], average[class_idx] = rank_scores(true, false)
    if n_classes == 2:
        average[1 - (rarer(y_true) if positive is None else positive)] = np.nan
    return area, average


def rarer(y_true: Indices) -> int:
    """Return which of the classes 0 and 1 has fewer rows; 1 where they have as many."""
    return int(2 * np.count_nonzero(y_true) <= len(y_true))


def rank_scores(true: Floats, false: Floats) -> tuple[Floats, Floats]:
    """Return AUROC and average precision from counts above falling thresholds.

    Args:
        true: Rows of the class at or above each distinct score, (..., T), cumulated.
        false: Rows of other classes, (..., T), cumulated.

    Returns:
        Two arrays (...); NaN where the class has no row, or no row is of another.
    """
    all_true, all_false = true[..., -1], false[..., -1]
    gained = np.diff(true, prepend=0.0)
    # Pairs won: each row of the class beats the false rows below it and half its equals.
    below = all_false[..., None] - false
    equal = np.diff(false, prepend=0.0)
    area = _ratio((gained * (below + equal / 2)).sum(axis=-1), all_true * all_false)
    share = np.divide(true, true + false, out=np.zeros_like(true), where=true + false > 0)
    average = _ratio((gained * share).sum(axis=-1), all_true)
    return area, np.where(all_false > 0, average, np.nan)


def found_by_threshold(
    is_class: NDArray[np.bool_], score: Floats, weight: Weight = None
) -> tuple[Floats, Floats, Floats]:
    """Return rows of the class and of others at or above each distinct score, and these.

    All three have shape (T,), scores falling; the arguments have shape (N,).
    """
    order = np.argsort(-score)
    falling = score[order]
    ends = threshold_ends(falling)
    own = is_class[order].astype(np.float64)
    weight = np.ones(len(own)) if weight is None else weight[order]
    return np.cumsum(own * weight)[ends], np.cumsum((1 - own) * weight)[ends], falling[ends]


def threshold_ends(falling: Floats) -> Indices:
    """Return the last position of each run of equal scores in a sorted (N,) array."""
    return np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)


def _counts(y_true: Indices, y_pred: Indices, n_classes: int, *, weight: Weight) -> Floats:
    cell = y_true * n_classes + y_pred
    counts = np.bincount(cell, weight, n_classes * n_classes).astype(np.float64)
    return counts.reshape(n_classes, n_classes)  # (C*C,) -> (C, C)


def _precision(true: Floats, predicted: Floats, correct: Floats) -> Floats:
    shares = np.where(predicted > 0, _ratio(correct, predicted), 0.0)
    return np.where(true > 0, shares, np.nan)


def _f1(true: Floats, predicted: Floats, correct: Floats) -> Floats:
    return np.where(true > 0, _ratio(2 * correct, true + predicted), np.nan)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    top, bottom = np.broadcast_arrays(numerator, denominator)
    ratio: Floats = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
    return ratio


def _macro(per_class: Floats) -> Floats:
    known = ~np.isnan(per_class)
    return _ratio(np.where(known, per_class, 0.0).sum(axis=-1), known.sum(axis=-1))


def _checked(
    y_true: Indices, proba: Floats, sample_weight: Weight
) -> tuple[Indices, Floats, Floats | None]:
    proba = np.asarray(proba, dtype=np.float64)
    if proba.ndim != 2 or proba.shape[0] != len(y_true) or proba.shape[1] < 1:
        raise UserError(f"proba must be ({len(y_true)}, C) (got shape {proba.shape})")
    if not np.isfinite(proba).all():
        raise UserError("proba has values that are not finite")
    y_true = _checked_labels(y_true, proba.shape[1], "y_true")
    return y_true, proba, _checked_weight(sample_weight, len(y_true))


def _checked_labels(labels: Indices, n_classes: int, name: str) -> Indices:
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) == 0:
        raise UserError(
            f"{name} must be class indices of shape (N,), N > 0 "
            f"(got shape {labels.shape} of {labels.dtype})"
        )
    if labels.min() < 0 or labels.max() >= n_classes:
        raise UserError(
            f"{name} must lie in [0, {n_classes}) (got {labels.min()} to {labels.max()})"
        )
    return labels.astype(np.intp, copy=False)


def _checked_weight(weight: Weight, n_rows: int) -> Floats | None:
    if weight is None:
        return None
    weight = np.asarray(weight, dtype=np.float64)
    if weight.shape != (n_rows,):
        raise UserError(f"sample_weight must have shape ({n_rows},) (got {weight.shape})")
    if not np.isfinite(weight).all() or weight.min() < 0 or weight.sum() <= 0:
        raise UserError("sample_weight must be finite, not negative and not all zero")
    return weight
