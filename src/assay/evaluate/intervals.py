"""Intervals: how far a score could move on other rows, or with another member.

True classes and probabilities come in; each score leaves with the range that covers
it at the wanted confidence. Rows are drawn anew, the model is not trained anew: an
interval tells of the rows' luck. `member_spread` tells of the training's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist

import numpy as np

from assay.errors import UserError
from assay.metrics import (
    ECE_BINS,
    SCORES,
    Floats,
    Indices,
    confidence_gaps,
    rank_scores,
    row_brier,
    row_log_loss,
    score_table,
    scores_from_confusion,
    threshold_ends,
)

EXACT_ROWS = 20_000
"""Up to this many rows all of them are drawn anew; above, subsamples of this size."""

N_SUBSAMPLES = 100
"""Subsamples above `EXACT_ROWS`; the standard error is then known to about 7 %."""

MIN_RANK_RESAMPLES = 200
_RANK_BUDGET = 60_000_000  # rows x classes x resamples for AUROC: about two seconds
_CHUNK = 100_000  # weights held at once: they and their sums stay in the cache
_HIGHEST = {"brier": 2.0, "log_loss": np.inf}  # of the others it is 1
_LOWEST = {"matthews": -1.0, "cohen_kappa": -1.0}  # of the others it is 0


@dataclass(frozen=True)
class Interval:
    """A score and the range that covers it.

    Attributes:
        estimate: The score on all rows; None where undefined.
        low: Lower end; None where it cannot be told.
        high: Upper end; None where it cannot be told.
    """

    estimate: float | None
    low: float | None
    high: float | None

    def to_dict(self) -> dict[str, float | None]:
        """Return {"estimate": ..., "low": ..., "high": ...} for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Spread:
    """A score over members: mean, lowest, highest, standard deviation (ddof = 1)."""

    mean: float
    low: float
    high: float
    sd: float

    def to_dict(self) -> dict[str, float]:
        """Return {"mean": ..., "low": ..., "high": ..., "sd": ...} for JSON."""
        return asdict(self)


def bootstrap_intervals(
    y_true: Indices,
    proba: Floats,
    *,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    groups: Indices | None = None,
) -> dict[str, Interval]:
    """Return each score with its bootstrap interval (Efron 1979, Ann. Statist. 7:1).

    Up to 20,000 rows: the percentile interval over `n_resamples` draws of N rows with
    replacement. AUROC and average precision need an ordering of all rows for each
    class and get fewer draws when N x C is large, never under 200.

    Above: rows are plenty and scores near normal, so 100 draws of n = 20,000 rows (at
    most half) without replacement are scored, and the interval is the estimate +- z x
    standard deviation x sqrt(n / (N - n)) (subsampling, Politis & Romano 1994, Ann.
    Statist. 22:2031), kept within the range of the score.

    Args:
        y_true: True class indices, (N,).
        proba: Probabilities, (N, C).
        n_resamples: Draws of rows.
        confidence: Share of draws inside the interval, in (0, 1).
        seed: Of the draws.
        groups: Group of each row, (N,) integers; whole groups are then drawn, since
            rows of one group are less than that many independent rows.

    Returns:
        An interval for each name in `metrics.SCORES`; all None where the score is
        undefined. Draws in which it is undefined are left out; if they are most, the
        ends are None. With one row or one group there is nothing to draw, and the
        ends are None.

    Raises:
        UserError: Shapes differ, no row, or a probability that is not finite.

    Example:
        >>> y, proba = np.array([0, 1] * 50), np.tile([[0.8, 0.2], [0.6, 0.4]], (50, 1))
        >>> bootstrap_intervals(y, proba)["accuracy"].estimate
        0.5
    """
    y_true, proba = np.asarray(y_true), np.asarray(proba, dtype=np.float64)
    estimates = score_table(y_true, proba)
    unit = np.arange(len(y_true)) if groups is None else _ranks(groups, len(y_true))
    rng = np.random.default_rng([seed, 4])
    if unit.max() == 0:
        return {name: Interval(estimates[name], None, None) for name in SCORES}
    if len(y_true) > EXACT_ROWS and unit.max() >= 2 * N_SUBSAMPLES:
        deviation = _subsampled_deviation(y_true, proba, unit, rng=rng)
        half = NormalDist().inv_cdf((1 + confidence) / 2)
        return {name: _normal(name, estimates[name], half * deviation[name]) for name in SCORES}
    draws = _drawn_scores(y_true, proba, unit, n_resamples=n_resamples, rng=rng)
    return {name: _percentile(estimates[name], draws[name], confidence) for name in SCORES}


def member_spread(values: Sequence[float] | Floats) -> Spread:
    """Return mean, lowest, highest and standard deviation of one score over members.

    Args:
        values: One finite figure for each member, (K,), K > 0.

    Example:
        >>> member_spread([0.7, 0.8, 0.9]).high
        0.9
    """
    figures = np.asarray(values, dtype=np.float64)
    if figures.ndim != 1 or len(figures) == 0:
        raise UserError(f"values must have shape (K,), K > 0 (got {figures.shape})")
    sd = float(figures.std(ddof=1)) if len(figures) > 1 else 0.0
    return Spread(float(figures.mean()), float(figures.min()), float(figures.max()), sd)


def wilson(n_right: float, n_rows: float, *, confidence: float = 0.95) -> Interval:
    """Return a share with Wilson's score interval (Wilson 1927, JASA 22:209).

    It stays in [0, 1] and is sensible for a handful of rows, where a bootstrap of
    "3 of 3" would claim certainty. Without rows all is None.

    Example:
        >>> share = wilson(3, 3)
        >>> share.estimate, round(share.low, 3), share.high
        (1.0, 0.439, 1.0)
    """
    if n_rows <= 0:
        return Interval(None, None, None)
    z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    share = n_right / n_rows
    middle = (share + z2 / (2 * n_rows)) / (1 + z2 / n_rows)
    half = (z2 * (share * (1 - share) / n_rows + z2 / (4 * n_rows**2))) ** 0.5 / (1 + z2 / n_rows)
    low = 0.0 if n_right == 0 else max(0.0, middle - half)
    high = 1.0 if n_right == n_rows else min(1.0, middle + half)
    return Interval(share, low, high)


def _ranks(groups: Indices, n_rows: int) -> Indices:
    if np.shape(groups) != (n_rows,):
        raise UserError(f"groups must have shape ({n_rows},) (got {np.shape(groups)})")
    return np.unique(groups, return_inverse=True)[1].reshape(-1)


def _percentile(estimate: float | None, draws: Floats, confidence: float) -> Interval:
    known = draws[~np.isnan(draws)]
    if estimate is None or 2 * len(known) <= len(draws):
        return Interval(estimate, None, None)
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(estimate, float(low), float(high))


def _normal(name: str, estimate: float | None, half: float) -> Interval:
    if estimate is None or np.isnan(half):
        return Interval(estimate, None, None)
    low = max(estimate - half, _LOWEST.get(name, 0.0))
    return Interval(estimate, low, min(estimate + half, _HIGHEST.get(name, 1.0)))


def _subsampled_deviation(
    y_true: Indices, proba: Floats, unit: Indices, *, rng: np.random.Generator
) -> dict[str, float]:
    """Return the standard error of each score, from scores of small parts of the rows."""
    n_units = int(unit.max()) + 1
    n_drawn = max(N_SUBSAMPLES, round(n_units * min(0.5, EXACT_ROWS / len(y_true))))
    found: dict[str, list[float]] = {name: [] for name in SCORES}
    for _ in range(N_SUBSAMPLES):
        drawn = rng.choice(n_units, size=n_drawn, replace=False, shuffle=False)
        if n_units < len(y_true):
            is_drawn = np.zeros(n_units, dtype=bool)
            is_drawn[drawn] = True
            drawn = np.flatnonzero(is_drawn[unit])
        scores = score_table(y_true[drawn], proba[drawn])
        for name, score in scores.items():
            found[name].append(np.nan if score is None else score)
    # A part of n of N units without replacement varies as sqrt(1/n - 1/N).
    shrink = np.sqrt((n_drawn / n_units) / (1 - n_drawn / n_units))
    return {name: _deviation(np.array(values)) * float(shrink) for name, values in found.items()}


def _deviation(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1)) if 2 * len(known) > len(values) else float("nan")


def _drawn_scores(
    y_true: Indices,
    proba: Floats,
    unit: Indices,
    *,
    n_resamples: int,
    rng: np.random.Generator,
) -> dict[str, Floats]:
    """Return each score on every draw, (R,); ranked scores on fewer where rows are many."""
    n_rows, n_classes = proba.shape
    n_ranked = max(MIN_RANK_RESAMPLES, _RANK_BUDGET // (n_rows * max(n_classes, 1)))
    found: dict[str, list[Floats]] = {name: [] for name in SCORES}
    scorer = _DrawScorer(y_true, proba)
    n_done = 0
    for weight in _drawn_weights(unit, n_resamples, rng):
        scores = scorer.scores(weight)
        if n_done < n_ranked:
            scores |= scorer.ranked_scores(weight)
        n_done += len(weight)
        for name, drawn in scores.items():
            found[name].append(drawn)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _drawn_weights(unit: Indices, n_resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield how often each row was drawn, a few draws at a time: (R', N)."""
    n_units = int(unit.max()) + 1
    size = max(1, _CHUNK // len(unit))
    for start in range(0, n_resamples, size):
        n_draws = min(size, n_resamples - start)
        drawn = rng.integers(n_units, size=(n_draws, n_units))
        times = np.stack([np.bincount(row, minlength=n_units) for row in drawn])
        yield (times if n_units == len(unit) else times[:, unit]).astype(np.float64)


class _DrawScorer:
    """Scores of many weightings of the same rows; what does not change is kept."""

    def __init__(self, y_true: Indices, proba: Floats) -> None:
        n_rows, self.n_classes = proba.shape
        self._cell = y_true * self.n_classes + proba.argmax(axis=1)
        bins, gap = confidence_gaps(y_true, proba)
        # Sums that are linear in the weights, one column each: (N, 2 + bins).
        self._sums = np.zeros((n_rows, 2 + ECE_BINS))
        self._sums[:, 0] = row_log_loss(y_true, proba)
        self._sums[:, 1] = row_brier(y_true, proba)
        self._sums[np.arange(n_rows), 2 + bins] = gap
        # Of two classes only class 1 is ranked, as `score_table` does.
        self._ranked = range(1, 2) if self.n_classes == 2 else range(self.n_classes)
        self._y_true, self._proba = y_true, proba
        self._order: dict[int, tuple[Indices, Indices, Floats]] = {}

    def scores(self, weight: Floats) -> dict[str, Floats]:
        """Return the scores that need no order, each (R',), for weights (R', N)."""
        n_cells = self.n_classes**2
        counts = np.zeros((len(weight), n_cells))
        for idx, row in enumerate(weight):
            counts[idx] = np.bincount(self._cell, row, n_cells)
        # (R', C*C) -> (R', C, C)
        scores = scores_from_confusion(counts.reshape(-1, self.n_classes, self.n_classes))
        means = weight @ self._sums / weight.sum(axis=1, keepdims=True)  # (R', 2 + bins)
        scores["log_loss"], scores["brier"] = means[:, 0], means[:, 1]
        scores["ece"] = np.abs(means[:, 2:]).sum(axis=1)
        return scores

    def ranked_scores(self, weight: Floats) -> dict[str, Floats]:
        """Return AUROC and average precision, each (R',), for weights (R', N)."""
        area, average = [], []
        for class_idx in self._ranked:
            order, ends, own = self._sorted(class_idx)
            ranked = weight[:, order]
            true = np.cumsum(ranked * own, axis=1)[:, ends]
            both = np.cumsum(ranked, axis=1)[:, ends]
            found = rank_scores(true, both - true)
            area.append(found[0])
            average.append(found[1])
        return {"auroc": _mean_known(area), "average_precision": _mean_known(average)}

    def _sorted(self, class_idx: int) -> tuple[Indices, Indices, Floats]:
        if class_idx not in self._order:
            score = self._proba[:, class_idx]
            order = np.argsort(-score)
            own = (self._y_true[order] == class_idx).astype(np.float64)
            self._order[class_idx] = order, threshold_ends(score[order]), own
        return self._order[class_idx]


def _mean_known(per_class: list[Floats]) -> Floats:
    stacked = np.stack(per_class)  # (C, R')
    known = ~np.isnan(stacked)
    total = np.where(known, stacked, 0.0).sum(axis=0)
    mean: Floats = np.divide(
        total, known.sum(axis=0), out=np.full(total.shape, np.nan), where=known.any(axis=0)
    )
    return mean
