"""The evaluation: predictions of unseen rows in, plain figures for report and file out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import UserError
from assay.evaluate.intervals import bootstrap_intervals, member_spread, wilson
from assay.metrics import (
    LOG_LOSS_CLIP,
    Floats,
    Indices,
    auroc_per_class,
    confusion_matrix,
    f1,
    precision,
    recall,
    row_log_loss,
)
from assay.recipe import EvaluateRecipe


def evaluate_predictions(
    y_true: Indices,
    proba: Floats,
    classes: Sequence[str],
    recipe: EvaluateRecipe,
    *,
    seed: int,
    member_proba: Floats | None = None,
    member_mask: NDArray[np.bool_] | None = None,
    groups: Indices | None = None,
) -> dict[str, Any]:
    """Judge predictions of rows that the model did not learn from.

    Args:
        y_true: True class indices, (N,).
        proba: Probabilities, (N, C).
        classes: Names of the C classes.
        recipe: Confidence and number of resamples.
        seed: Of the resamples.
        member_proba: Probabilities by each member, (K, N, C).
        member_mask: Rows each member may be judged on, (K, N); by default all. A member
            without such rows is left out.
        groups: Group of each row, (N,); rows of a group are then drawn together.

    Returns:
        Plain data for JSON, None where a figure is undefined, never NaN:
        n_rows; classes; confidence; scores {name: {estimate, low, high}};
        per_class [{class, n, precision, recall, recall_low, recall_high, f1, auroc}],
        recall with Wilson's interval; confusion, C rows (true) of C counts; majority
        {class, accuracy, log_loss}, what always naming the commonest class of these
        rows, and giving their shares as probabilities, would score; and with
        `member_proba` members {n, accuracy, log_loss}, each {mean, low, high, sd}.

    Raises:
        UserError: Shapes differ, no row, a class outside [0, C), or a probability
            that is not finite.

    Example:
        >>> y, proba = np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]])
        >>> result = evaluate_predictions(y, proba, ["no", "yes"], EvaluateRecipe(), seed=0)
        >>> result["confusion"], result["majority"]["class"]
        ([[1, 0], [1, 1]], 'yes')
    """
    y_true, proba = np.asarray(y_true), np.asarray(proba, dtype=np.float64)
    if proba.ndim != 2 or proba.shape[1] != len(classes):
        raise UserError(f"proba must be (N, {len(classes)}) (got shape {proba.shape})")
    intervals = bootstrap_intervals(
        y_true,
        proba,
        n_resamples=recipe.bootstrap,
        confidence=recipe.confidence,
        seed=seed,
        groups=groups,
    )
    matrix = confusion_matrix(y_true, proba.argmax(axis=1), n_classes=len(classes))
    area = auroc_per_class(y_true, proba)
    result: dict[str, Any] = {
        "n_rows": len(y_true),
        "classes": list(classes),
        "confidence": recipe.confidence,
        "scores": {name: interval.to_dict() for name, interval in intervals.items()},
        "per_class": _per_class(matrix, area, classes, recipe.confidence),
        "confusion": matrix.astype(int).tolist(),
        "majority": _majority(matrix.sum(axis=1), classes),
    }
    if member_proba is not None:
        result["members"] = _members(y_true, member_proba, member_mask)
    return result


def _per_class(
    matrix: Floats, area: Floats, classes: Sequence[str], confidence: float
) -> list[dict[str, Any]]:
    n_true = matrix.sum(axis=1)
    precisions, recalls, f1s = precision(matrix), recall(matrix), f1(matrix)
    rows = []
    for idx, name in enumerate(classes):
        share = wilson(matrix[idx, idx], n_true[idx], confidence=confidence)
        rows.append(
            {
                "class": name,
                "n": int(n_true[idx]),
                "precision": _or_none(precisions[idx]),
                "recall": _or_none(recalls[idx]),
                "recall_low": share.low,
                "recall_high": share.high,
                "f1": _or_none(f1s[idx]),
                "auroc": _or_none(area[idx]),
            }
        )
    return rows


def _majority(n_true: Floats, classes: Sequence[str]) -> dict[str, Any]:
    shares = n_true / n_true.sum()
    commonest = int(shares.argmax())
    losses = -np.log(np.clip(shares, LOG_LOSS_CLIP, 1.0))
    return {
        "class": classes[commonest],
        "accuracy": float(shares[commonest]),
        "log_loss": abs(float((shares * losses).sum())),  # abs: not -0.0 for one class
    }


def _members(
    y_true: Indices, member_proba: Floats, member_mask: NDArray[np.bool_] | None
) -> dict[str, Any]:
    shape = member_proba.shape
    mask = np.ones(shape[:2], dtype=bool) if member_mask is None else np.asarray(member_mask)
    if len(shape) != 3 or shape[1] != len(y_true) or mask.shape != shape[:2]:
        raise UserError(
            f"member_proba must be (K, {len(y_true)}, C) and member_mask (K, {len(y_true)})"
            f" (got {shape} and {mask.shape})"
        )
    accuracies, losses = [], []
    for proba, rows in zip(member_proba, mask, strict=True):
        if rows.any():
            own = np.asarray(proba[rows], dtype=np.float64)
            accuracies.append(float((own.argmax(axis=1) == y_true[rows]).mean()))
            losses.append(float(row_log_loss(y_true[rows], own).mean()))
    if not accuracies:
        return {"n": 0, "accuracy": None, "log_loss": None}
    return {
        "n": len(accuracies),
        "accuracy": member_spread(accuracies).to_dict(),
        "log_loss": member_spread(losses).to_dict(),
    }


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
