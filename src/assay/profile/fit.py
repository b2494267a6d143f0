"""How well one column alone tells the target, on rows it was not fitted to.

The rows of each bin vote for a class; a row is judged by the votes of the other folds
only. Everything is counted, nothing is trained: one pass over the rows.
"""

from dataclasses import dataclass

import numpy as np

from assay.metrics import rank_scores, threshold_ends
from assay.profile.rows import MIN_CLASS_ROWS, Floats, Ints

_N_FOLDS = 5
_SEED = 71_401
_MIN_SKILL = 0.3  # below it the area under the curve decides nothing: half of the time saved
_MOST_CELLS = 400_000  # folds x bins x classes that are counted in one array


@dataclass(frozen=True)
class Fit:
    """What a column alone achieves out of fold.

    Attributes:
        accuracy: Share of rows whose bin voted right, in [0, 1].
        skill: Share of the errors of the majority class that are gone, at most 1.
        auroc: Macro over classes of at least `MIN_CLASS_ROWS` rows; NaN if undefined, or
            if the skill is below 0.3.
        class_f1: F1 of each class, (C,); NaN for a class of fewer rows.
    """

    accuracy: float
    skill: float
    auroc: float
    class_f1: Floats


def folds_of(n_rows: int) -> Ints:
    """Return a fold in [0, 5) for each row, (N,), the same in every run."""
    rng = np.random.default_rng([_SEED, n_rows])
    fold: Ints = rng.permutation(np.arange(n_rows, dtype=np.int64) % _N_FOLDS)
    return fold


def fit(codes: Ints, n_codes: int, y: Ints, counts: Ints, fold: Ints) -> Fit | None:
    """Judge a column by the classes in its bins.

    Args:
        codes: Bin of each row, (N,), in [0, n_codes).
        n_codes: Number of bins B.
        y: Class index of each row, (N,).
        counts: Rows of each class, (C,).
        fold: Fold of each row, (N,), in [0, 5).

    Returns:
        The figures; None where bins and classes are too many to be counted.

    Example:
        >>> y = np.array([0, 1] * 50)
        >>> found = fit(y, 2, y, np.array([50, 50]), folds_of(100))
        >>> found.accuracy, found.skill, found.auroc
        (1.0, 1.0, 1.0)
    """
    n_classes = len(counts)
    if _N_FOLDS * n_codes * n_classes > _MOST_CELLS:
        return None
    cell = (fold * n_codes + codes) * n_classes + y
    counted = np.bincount(cell, minlength=_N_FOLDS * n_codes * n_classes)
    table: Floats = counted.reshape(_N_FOLDS, n_codes, n_classes).astype(np.float64)
    prior = counts / counts.sum()
    votes = table.sum(axis=0) - table + prior  # (5, B, C): one row's worth of doubt
    table = table.reshape(-1, n_classes)  # (5, B, C) -> (5*B, C)
    votes = votes.reshape(-1, n_classes)
    is_used = table.any(axis=1)
    table, votes = table[is_used], votes[is_used]
    return _judged(table, votes, counts)


def _judged(table: Floats, votes: Floats, counts: Ints) -> Fit:
    n_rows, n_classes = int(counts.sum()), len(counts)
    chosen = votes.argmax(axis=1)
    own = table[np.arange(len(table)), chosen]
    right = np.bincount(chosen, own, n_classes)
    predicted = np.bincount(chosen, table.sum(axis=1), n_classes)
    accuracy = float(right.sum() / n_rows)
    error = 1 - int(counts.max()) / n_rows
    is_told = counts >= MIN_CLASS_ROWS
    f1 = np.full(n_classes, np.nan)
    f1[is_told] = 2 * right[is_told] / (counts + predicted)[is_told]
    skill = 1 - (1 - accuracy) / error if error > 0 else 0.0
    area = _auroc(table, votes, is_told) if skill >= _MIN_SKILL else float("nan")
    return Fit(accuracy, skill, area, f1)


def _auroc(table: Floats, votes: Floats, is_told: np.ndarray) -> float:
    classes = np.flatnonzero(is_told)
    if len(is_told) == 2:
        classes = classes[-1:]
    if not len(classes):
        return float("nan")
    scores = votes / votes.sum(axis=1, keepdims=True)
    total = table.sum(axis=1)
    areas = []
    for class_idx in classes.tolist():
        order = np.argsort(-scores[:, class_idx])
        ends = threshold_ends(scores[order, class_idx])
        true = np.cumsum(table[order, class_idx])
        false = np.cumsum(total[order]) - true
        areas.append(float(rank_scores(true[ends], false[ends])[0]))
    return float(np.mean(areas))
