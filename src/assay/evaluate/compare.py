"""Which of two candidates is better: out-of-fold predictions in, a difference with doubt out.

Two candidates judged on the same folds differ by luck in three ways: which rows were
drawn, which of them each fold learnt from, and the seeds of the training. Rows alone show
only the first. Over 100 to 400 synthetic tables each, two networks that differ in nothing
but their seed were told apart at p < 0.05 by a paired test of the rows in 6 % (1,000
rows, two repeats), 11 % (1,000 rows, one repeat) and 30 % (5,000 rows) of the tables, by
the corrected test of the folds in 1 % each. So the interval and p-value shown are those
of the folds. Where there is one fold, or none, only the rows are left.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay import metrics
from assay.deal import sample_rows
from assay.errors import UserError
from assay.evaluate.draws import Ranking, RowScores
from assay.evaluate.intervals import Interval
from assay.evaluate.redrawn import drawn_weights
from assay.evaluate.signal import LEAST_P
from assay.metrics import Floats, Indices
from assay.options import Metric

Ints = NDArray[np.int64]

IS_LOSS: tuple[Metric, ...] = ("log_loss", "brier")
"""Metrics of which less is better."""

_OF_ROWS: tuple[Metric, ...] = ("log_loss", "brier", "accuracy")  # means over rows
_RANKED: tuple[Metric, ...] = ("auroc", "average_precision")
_N_DRAWS = 200  # a standard error is then known to 5 %
_DRAWN_ROWS = 20_000
_EXACT = 1e-12  # smaller differences are rounding


@dataclass(frozen=True)
class Comparison:
    """How far the first of two candidates is from the second.

    Attributes:
        estimate: Metric of the first minus metric of the second, over all judged rows;
            None where it is undefined.
        low: Lower end of the interval; None where it cannot be told.
        high: Upper end.
        p_value: Of the hypothesis that they do not differ, two-sided; None where it
            cannot be told.
        standard_error: Of the estimate; None where it cannot be told.
        n_folds: J, folds times repeats behind it; 0 where rows are.
        method: "folds" for the corrected t of folds, "rows" for the paired one of rows.
    """

    estimate: float | None
    low: float | None
    high: float | None
    p_value: float | None
    standard_error: float | None
    n_folds: int
    method: Literal["folds", "rows"]

    @property
    def difference(self) -> Interval:
        """The estimate and its interval."""
        return Interval(self.estimate, self.low, self.high)


def compare(
    loss_a: Floats,
    loss_b: Floats,
    fold: Ints,
    *,
    test_per_train: float,
    confidence: float = 0.95,
    groups: Indices | None = None,
) -> Comparison:
    """Compare two candidates by the mean of a figure of each row, such as its log loss.

    With J > 1 folds times repeats and their differences d_j: the corrected resampled t of
    Nadeau & Bengio 2003 (Machine Learning 52:239), t = mean(d) / sqrt((1/J + n_test /
    n_train) var(d)), J - 1 degrees of freedom. The folds' training rows overlap, so that
    the naive 1/J would be far too small. Folds of unequal size count by their rows.

    Else: the paired t over rows, or over groups where rows have them (a ratio estimator:
    Cochran 1977, Sampling Techniques, 6.4).

    Args:
        loss_a: Of the first candidate, (N,) or, for each repeat, (R, N); NaN where a row
            is not judged.
        loss_b: Of the second.
        fold: Fold of each row in each repeat, (R, N); -1 where it is not judged.
        test_per_train: Rows a fold is judged on / rows it learns from: 1 / 4 for 5 folds.
        confidence: Of the interval, in (0, 1).
        groups: Group of each row, (N,), or None.

    Example:
        >>> fold = np.array([[0, 0, 1, 1, 2, 2]])
        >>> better = np.array([0.1, 0.2, 0.2, 0.2, 0.3, 0.1])
        >>> found = compare(better, np.full(6, 0.5), fold, test_per_train=1 / 2)
        >>> round(found.estimate, 3), round(found.p_value, 4), found.n_folds
        (-0.317, 0.0069, 3)
    """
    fold = np.atleast_2d(fold)
    difference = np.asarray(loss_a, dtype=np.float64) - np.asarray(loss_b, dtype=np.float64)
    if difference.shape[-1:] != fold.shape[-1:] or difference.ndim > 2:
        raise UserError(f"losses must be (N,) or (R, N) (got {difference.shape}, {fold.shape})")
    difference = np.broadcast_to(difference, fold.shape)
    judged = (fold >= 0) & ~np.isnan(difference)
    if not judged.any():
        return _unknown(None)
    folds = list(_folds(fold, judged))
    of_fold = np.array([difference[repeat, members].mean() for repeat, members in folds])
    n_rows = np.array([len(members) for _, members in folds], dtype=np.float64)
    n_times = judged.sum(axis=0)
    rows = n_times > 0
    of_row = np.where(judged, difference, 0.0).sum(axis=0)[rows] / n_times[rows]
    estimate = float(difference[judged].mean())
    found = _by_folds(estimate, of_fold, n_rows, test_per_train, confidence)
    if found is not None:
        return found
    return _by_rows(estimate, of_row, None if groups is None else groups[rows], confidence)


def compare_metric(
    metric: Metric,
    y: Indices,
    proba_a: Floats,
    proba_b: Floats,
    fold: Ints,
    *,
    test_per_train: float,
    confidence: float = 0.95,
    seed: int = 0,
    groups: Indices | None = None,
) -> Comparison:
    """Compare two candidates by a metric, in its own unit: first minus second.

    Means over rows (log loss, Brier score, accuracy) go to `compare`. The others are
    found for each fold, and the differences treated alike; the estimate is the difference
    over all rows. With one fold its standard error comes from 200 paired bootstrap draws
    of rows (of up to 20,000 rows, scaled), whole groups where there are some.

    Args:
        metric: One of `options.Metric`.
        y: True class indices, (N,).
        proba_a: Probabilities of the first, (N, C); NaN where a row is not judged.
        proba_b: Of the second.
        fold: As in `compare`.
        test_per_train: As in `compare`.
        confidence: As in `compare`.
        seed: Of the draws.
        groups: As in `compare`.

    Raises:
        UserError: Shapes differ.
    """
    fold = np.atleast_2d(fold)
    known = np.isfinite(proba_a).all(axis=1) & np.isfinite(proba_b).all(axis=1)
    fold = np.where(known, fold, -1)
    if metric in _OF_ROWS:
        return compare(
            row_figures(metric, y, proba_a),
            row_figures(metric, y, proba_b),
            fold,
            test_per_train=test_per_train,
            confidence=confidence,
            groups=groups,
        )
    rows = (fold >= 0).any(axis=0)
    if not rows.any():
        return _unknown(None)
    pair = (proba_a[rows], proba_b[rows])
    estimate = score(metric, y[rows], pair[0]) - score(metric, y[rows], pair[1])
    if np.isnan(estimate):
        return _unknown(None)
    of_fold = per_fold(metric, y, proba_a, fold) - per_fold(metric, y, proba_b, fold)
    n_rows = np.array([len(members) for _, members in _folds(fold, fold >= 0)], dtype=np.float64)
    found = _by_folds(estimate, of_fold, n_rows, test_per_train, confidence)
    if found is not None:
        return found
    unit = None if groups is None else groups[rows]
    error, n_units = _drawn_error(metric, y[rows], pair, unit, seed)
    return _by_t(estimate, error, n_units - 1, confidence, 0)


def row_figures(metric: Metric, y: Indices, proba: Floats) -> Floats:
    """Return what each row adds to log loss, Brier score or accuracy, (N,); NaN not judged.

    Example:
        >>> row_figures("accuracy", np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]])).tolist()
        [1.0, 0.0]
    """
    known = np.isfinite(proba).all(axis=1)
    figures = np.full(len(y), np.nan)
    y, proba = y[known], proba[known]
    if metric == "log_loss":
        figures[known] = metrics.row_log_loss(y, proba)
    elif metric == "brier":
        figures[known] = metrics.row_brier(y, proba)
    else:
        figures[known] = proba.argmax(axis=1) == y
    return figures


def per_fold(metric: Metric, y: Indices, proba: Floats, fold: Ints) -> Floats:
    """Return the metric of each fold of each repeat, (J,); NaN where it is undefined.

    Args:
        metric: One of `options.Metric`.
        y: True class indices, (N,).
        proba: Probabilities, (N, C).
        fold: Fold of each row in each repeat, (R, N); -1 where it is not judged.

    Example:
        >>> proba = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
        >>> y, fold = np.array([0, 1, 1, 1]), np.array([[0, 0, 1, 1]])
        >>> per_fold("accuracy", y, proba, fold).tolist()
        [1.0, 0.0]
    """
    fold, positive = np.atleast_2d(fold), metrics.rarer(y)
    return np.array(
        [score(metric, y[rows], proba[rows], positive) for _, rows in _folds(fold, fold >= 0)]
    )


def score(metric: Metric, y: Indices, proba: Floats, positive: int | None = None) -> float:
    """Return one metric of N rows; NaN where it is undefined.

    Of two classes the average precision is that of `positive`, by default of the rarer.
    """
    if metric in _OF_ROWS:
        return float(row_figures(metric, y, proba).mean())
    if metric == "auroc":
        return metrics.auroc(y, proba)
    if metric == "average_precision":
        return metrics.average_precision(y, proba, positive=positive)
    matrix = metrics.confusion_matrix(y, proba.argmax(axis=1), n_classes=proba.shape[1])
    return float(metrics.scores_from_confusion(matrix)[metric])


def _folds(fold: Ints, judged: NDArray[np.bool_]) -> Iterator[tuple[int, Ints]]:
    """Yield (repeat, row numbers) of every fold of every repeat that judges a row."""
    for repeat in range(len(fold)):
        for number in np.unique(fold[repeat][judged[repeat]]):
            yield repeat, np.flatnonzero(judged[repeat] & (fold[repeat] == number))


def _by_folds(
    estimate: float, difference: Floats, n_rows: Floats, test_per_train: float, confidence: float
) -> Comparison | None:
    """Return Nadeau and Bengio's comparison; None with fewer than two folds, or no spread."""
    known = ~np.isnan(difference)
    difference, n_rows = difference[known], n_rows[known]
    n_folds = len(difference)
    if n_folds < 2 or not test_per_train > 0:
        return None
    share = n_rows / n_rows.sum()
    variance = share @ (difference - share @ difference) ** 2 * n_folds / (n_folds - 1)
    error = float(np.sqrt((1 / n_folds + test_per_train) * variance))
    if error <= _EXACT:
        return None
    return _by_t(estimate, error, n_folds - 1, confidence, n_folds)


def _by_rows(
    estimate: float, difference: Floats, groups: Indices | None, confidence: float
) -> Comparison:
    unit = np.arange(len(difference)) if groups is None else _numbered(groups)
    total = np.bincount(unit, difference - difference.mean())
    n_units = len(total)
    if n_units < 2:
        return _unknown(estimate)
    error = float(np.sqrt((total**2).sum() * n_units / (n_units - 1)) / len(difference))
    return _by_t(estimate, error, n_units - 1, confidence, 0)


def _by_t(
    estimate: float, error: float, n_free: int, confidence: float, n_folds: int
) -> Comparison:
    from scipy.special import stdtr, stdtrit  # Student's t; scipy.stats would take 0.5 s to load

    method: Literal["folds", "rows"] = "folds" if n_folds else "rows"
    if abs(estimate) <= _EXACT and error <= _EXACT:  # the same predictions
        return Comparison(0.0, 0.0, 0.0, 1.0, 0.0, n_folds, method)
    if not error > _EXACT or n_free < 1:  # every row differs by the same: no noise to judge by
        return _unknown(estimate)
    half = float(stdtrit(n_free, (1 + confidence) / 2)) * error
    p_value = max(float(2 * stdtr(n_free, -abs(estimate / error))), LEAST_P)
    return Comparison(estimate, estimate - half, estimate + half, p_value, error, n_folds, method)


def _unknown(estimate: float | None) -> Comparison:
    return Comparison(estimate, None, None, None, None, 0, "rows")


def _drawn_error(
    metric: Metric, y: Indices, pair: tuple[Floats, Floats], groups: Indices | None, seed: int
) -> tuple[float, int]:
    """Return the bootstrap standard error of a difference, and the number of units drawn."""
    n_rows = len(y)
    chosen = sample_rows(n_rows, _DRAWN_ROWS)
    unit = np.arange(len(y[chosen])) if groups is None else _numbered(groups[chosen])
    n_units = int(unit.max()) + 1
    if n_units < 2:
        return float("nan"), n_units
    scorers = [
        Ranking(y[chosen], proba[chosen], positive=metrics.rarer(y))
        if metric in _RANKED
        else RowScores.of(y[chosen], proba[chosen])
        for proba in pair
    ]
    draws = np.concatenate(
        [
            scorers[0].scores(weight)[metric] - scorers[1].scores(weight)[metric]
            for weight in drawn_weights(unit, _N_DRAWS, np.random.default_rng([seed, 11]))
        ]
    )
    known = draws[~np.isnan(draws)]
    spread = float(known.std(ddof=1)) if 2 * len(known) > len(draws) else float("nan")
    return spread * float(np.sqrt(len(unit) / n_rows)), n_units


def _numbered(groups: Indices) -> Indices:
    return np.unique(groups, return_inverse=True)[1].reshape(-1)
