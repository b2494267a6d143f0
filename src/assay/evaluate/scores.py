"""The evaluation: predictions of unseen rows in, plain figures for report and file out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assay.errors import UserError
from assay.evaluate.intervals import Interval, bootstrap_intervals, widened, wilson
from assay.evaluate.redrawn import Draws
from assay.metrics import LOG_LOSS_CLIP, Floats, Indices, confusion_matrix
from assay.options import EvaluateRecipe

MOST_RATES = 30
"""Classes up to which all rates of the confusion matrix are written out with intervals."""

_OF_ONE_CLASS = ("accuracy", "log_loss", "brier")  # say something where all rows are of one

_MOST_NAME = 40  # characters of a class
_MOST_ABSENT = 3  # classes that are named
_UNDEFINED = Interval(None, None, None)
_NOTHING = _UNDEFINED.to_dict()


def evaluate_predictions(
    y_true: Indices,
    proba: Floats,
    classes: Sequence[str],
    recipe: EvaluateRecipe,
    *,
    seed: int,
    groups: Indices | None = None,
    widening: float = 1.0,
    draws: Draws | None = None,
) -> dict[str, Any]:
    """Judge predictions of rows that the model did not learn from.

    Args:
        y_true: True class indices, (N,).
        proba: Probabilities, (N, C).
        classes: Names of the C classes.
        recipe: Confidence and number of resamples.
        seed: Of the resamples.
        groups: Group of each row, (N,); rows of a group are then drawn together.
        widening: How much wider the intervals are made; see `intervals.CROSS_FITTED`.
        draws: As for `bootstrap_intervals`.

    Returns:
        Plain data for JSON, None where a figure is undefined, never NaN:
        n_rows; classes; confidence; scores {name: {estimate, low, high}}, by bootstrap,
        and by Wilson's interval for the accuracy of rows that are not grouped;
        per_class [{class, n, precision, recall, f1}], the last three each {estimate,
        low, high} with Wilson's interval; recall is the accuracy of the class; confusion,
        C rows (true) of C counts; rates, up to `MOST_RATES` classes, the same as shares of
        the true class, each {estimate, low, high}; row_worth, how many independent rows a
        row counts as in the intervals of shares; majority {class, accuracy, log_loss},
        what always naming the commonest class of these rows, and giving their shares as
        probabilities, would score; note, what rows of one class only leave unsaid, or
        which classes have no row, or None.

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
        draws=draws,
    )
    n_right = float((proba.argmax(axis=1) == y_true).sum())
    plain = wilson(n_right, len(y_true), confidence=recipe.confidence)
    worth = 1.0 if groups is None else _worth(plain, intervals["accuracy"])
    if groups is None:  # where all rows are right, a bootstrap would claim certainty
        intervals["accuracy"] = plain
    intervals = {name: widened(name, one, widening) for name, one in intervals.items()}
    is_one_class = bool((y_true == y_true[0]).all())
    if is_one_class:  # no classes are told apart
        intervals = {
            name: one if name in _OF_ONE_CLASS else _UNDEFINED for name, one in intervals.items()
        }
    matrix = confusion_matrix(y_true, proba.argmax(axis=1), n_classes=len(classes))
    row_worth = worth / widening**2
    per_class = _per_class(matrix, classes, recipe.confidence, row_worth)
    if is_one_class:  # a precision of 1 would be sure whatever is named
        per_class = [{**row, "precision": _NOTHING, "f1": _NOTHING} for row in per_class]
    return {
        "n_rows": len(y_true),
        "classes": list(classes),
        "confidence": recipe.confidence,
        "scores": {name: interval.to_dict() for name, interval in intervals.items()},
        "per_class": per_class,
        "confusion": matrix.astype(int).tolist(),
        **_rates(matrix, recipe.confidence, row_worth),
        "row_worth": row_worth,
        "majority": _majority(matrix.sum(axis=1), classes),
        "note": _note(len(y_true), classes[int(y_true[0])])
        if is_one_class
        else _absent_note(per_class),
    }


def rate(n: float, n_true: float, *, confidence: float, row_worth: float) -> Interval:
    """Return a cell of the confusion matrix as a share of its true class, by Wilson.

    Args:
        n: Rows of the cell.
        n_true: Rows of the true class.
        confidence: Of the interval.
        row_worth: How many independent rows a row counts as, as `evaluate_predictions`
            gives it.

    Example:
        >>> found = rate(1, 4, confidence=0.95, row_worth=1.0)
        >>> found.estimate, round(found.low, 3), round(found.high, 3)
        (0.25, 0.046, 0.699)
    """
    return wilson(float(row_worth * n), float(row_worth * n_true), confidence=confidence)


def _rates(matrix: Floats, confidence: float, row_worth: float) -> dict[str, Any]:
    if len(matrix) > MOST_RATES:
        return {}
    rows = [
        [rate(n, row.sum(), confidence=confidence, row_worth=row_worth).to_dict() for n in row]
        for row in matrix
    ]
    return {"rates": rows}


def _note(n_rows: int, name: str) -> str:
    whose = f"All {n_rows:,} rows are" if n_rows > 1 else "The only row is"
    return f"{whose} of class {_shown(name)}: only accuracy, log loss and Brier score say something"


def _absent_note(per_class: Sequence[Mapping[str, Any]]) -> str | None:
    absent = absent_text(per_class)
    n_left = sum(row["n"] > 0 for row in per_class)
    return f"{absent}: means over classes are over the other {n_left}" if absent else None


def absent_text(per_class: Sequence[Mapping[str, Any]]) -> str:
    """Return which classes have no row, or nothing.

    Example:
        >>> absent_text([{"class": "a", "n": 3}, {"class": "b", "n": 0}, {"class": "c", "n": 1}])
        "No row is of class 'b'"
    """
    names = [str(row["class"]) for row in per_class if not row["n"]]
    if not names:
        return ""
    if len(names) > _MOST_ABSENT:
        return f"No row is of {len(names):,} of the {len(per_class):,} classes"
    return f"No row is of class {' or '.join(_shown(name) for name in names)}"


def _shown(name: str) -> str:
    return repr(name if len(name) <= _MOST_NAME else f"{name[: _MOST_NAME - 1]}…")


def _worth(plain: Interval, grouped: Interval) -> float:
    """Return how many independent rows a row is worth where rows come in groups, at most 1.

    The inverse of the design effect (Kish 1965, Survey Sampling, 5.4), from the width of the
    accuracy's interval with whole groups drawn, beside that of independent rows.
    """
    if plain.low is None or plain.high is None or grouped.low is None or grouped.high is None:
        return 1.0
    width = grouped.high - grouped.low
    return min(((plain.high - plain.low) / width) ** 2, 1.0) if width > 0 else 1.0


def _per_class(
    matrix: Floats, classes: Sequence[str], confidence: float, worth: float
) -> list[dict[str, Any]]:
    n_true, n_named, n_right = matrix.sum(axis=1), matrix.sum(axis=0), matrix.diagonal()
    rows = []
    for idx, name in enumerate(classes):
        right, either = n_right[idx], n_true[idx] + n_named[idx] - n_right[idx]
        precision = wilson(worth * right, worth * n_named[idx], confidence=confidence)
        recall = wilson(worth * right, worth * n_true[idx], confidence=confidence)
        rows.append(
            {
                "class": name,
                "n": int(n_true[idx]),
                "precision": precision.to_dict(),
                "recall": recall.to_dict(),
                "f1": _f1(wilson(worth * right, worth * either, confidence=confidence)).to_dict(),
            }
        )
    return rows


def _f1(jaccard: Interval) -> Interval:
    """Turn the share J of right rows among those true or named into F1 = 2J / (1 + J).

    The map only rises, so it carries the interval of the share over.
    """
    shares = (jaccard.estimate, jaccard.low, jaccard.high)
    return Interval(*(None if share is None else 2 * share / (1 + share) for share in shares))


def _majority(n_true: Floats, classes: Sequence[str]) -> dict[str, Any]:
    shares = n_true / n_true.sum()
    commonest = int(shares.argmax())
    losses = -np.log(np.clip(shares, LOG_LOSS_CLIP, 1.0))
    return {
        "class": classes[commonest],
        "accuracy": float(shares[commonest]),
        "log_loss": abs(float((shares * losses).sum())),  # abs: not -0.0 for one class
    }
