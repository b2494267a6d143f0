"""Intervals: how far a score could move on other rows, or with another member.

True classes and probabilities come in; each score leaves with the range that covers
it at the wanted confidence. Rows are drawn anew, the model is not trained anew: an
interval tells of the rows' luck. `member_spread` tells of the training's.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from assay.errors import UserError
from assay.evaluate.draws import Ranking, RowScores
from assay.evaluate.influence import ranked_deviation
from assay.evaluate.redrawn import Draws
from assay.metrics import SCORES, Floats, Indices, score_table

MIN_RANK_RESAMPLES = 200
"""Fewer draws than this say too little of a percentile."""

RARE_ROWS = 100
"""Of fewer rows of a class the AUROC varies askew, which only draws show."""

CROSS_FITTED = 1.2
"""How much wider the interval of out-of-fold rows is than that of rows alone.

Drawing rows anew leaves out that each fold's model would be another one too, and that the
average of all models ships, which is a little better (Bates, Hastie & Tibshirani 2024, J.
Am. Stat. Assoc. 119:1434, find plain intervals too narrow). Over 200 training sets of 1,000
rows of seven tables plain 95 % intervals held the accuracy on untouched rows in 0.895 and
the log loss in 0.880 of the draws; 1.2 times as wide ones, over 200 other sets, in 0.960 and
0.970 (`benchmarks/honesty.py`).
"""

_MOST_SUMS = 1_000_000  # draws x classes whose scores are worked out at once
_RANK_BUDGET = 6_000_000  # rows x classes x resamples for AUROC: see `n_ranked_draws`
_RARE_RANK_BUDGET = 200_000_000  # the same where a class is rare
_HIGHEST = {"brier": 2.0, "log_loss": np.inf}  # of the others it is 1
_LOWEST = {"matthews": -1.0, "cohen_kappa": -1.0}  # of the others it is 0
_RANKED = ("auroc", "average_precision")
_LOSSES = ("log_loss", "brier", "ece")  # no shares of rows, nor means of such
_NO_WIDTH = 1e-9


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
    ranks: Literal["drawn", "influence", "none"] = "drawn",
    draws: Draws | None = None,
) -> dict[str, Interval]:
    """Return each score with its bootstrap interval (Efron 1979, Ann. Statist. 7:1).

    It is the percentile interval over `n_resamples` draws of N rows with replacement, of
    more than 2,000 rows in random blocks (`redrawn.MAX_BLOCKS`). AUROC and average
    precision need an ordering of all rows for each class and get fewer draws when N x C
    is large. Where the time for 200 draws is lacking, their interval is the estimate +- z
    x the standard error of `influence`, kept within the range of the score.

    Args:
        y_true: True class indices, (N,).
        proba: Probabilities, (N, C).
        n_resamples: Draws of rows.
        confidence: Share of draws inside the interval, in (0, 1).
        seed: Of the draws.
        groups: Group of each row, (N,) integers; whole groups are then drawn, since
            rows of one group are less than that many independent rows.
        ranks: How the ends of AUROC and average precision are found: on draws, by
            `influence`, which is faster by far, or not at all, nor the scores.
        draws: Of these rows, or of their groups, where they are made already.

    Returns:
        An interval for each name in `metrics.SCORES`; all None where the score is
        undefined. Draws in which it is undefined are left out; if they are most, the
        ends are None. With one row or one group there is nothing to draw, and the
        ends are None. Where every draw is perfect, or all wrong, the ends are those of
        `less_certain`, of the rows or groups of the rarest class, for accuracy of all.

    Raises:
        UserError: Shapes differ, no row, or a probability that is not finite.
        InternalError: Draws of another number of rows.

    Example:
        >>> y, proba = np.array([0, 1] * 50), np.tile([[0.8, 0.2], [0.6, 0.4]], (50, 1))
        >>> bootstrap_intervals(y, proba)["accuracy"].estimate
        0.5
    """
    y_true, proba = np.asarray(y_true), np.asarray(proba, dtype=np.float64)
    estimates = score_table(y_true, proba, ranks=ranks != "none")
    draws = Draws(len(y_true), groups, seed=seed) if draws is None else draws
    draws.check_rows(len(y_true))
    if draws.n_units == 1:
        return {name: Interval(estimates[name], None, None) for name in SCORES}
    n_rarest = rarest(np.bincount(y_true))
    n_ranked = n_ranked_draws(*proba.shape, n_rarest=n_rarest) if ranks == "drawn" else 0
    drawn = _drawn_scores(y_true, proba, draws, n_resamples=n_resamples, n_ranked=n_ranked)
    deviation = dict.fromkeys(_RANKED, np.nan)
    if ranks != "none" and not n_ranked:
        deviation = ranked_deviation(y_true, proba, draws.unit)
    half = NormalDist().inv_cdf((1 + confidence) / 2)
    if "ece" in drawn:
        drawn["ece"] = _unbiased(drawn["ece"], estimates["ece"])
    found = {
        name: percentile_interval(estimates[name], drawn[name], confidence)
        if name in drawn
        else _normal(name, estimates[name], half * deviation[name])
        for name in SCORES
    }
    n_rarest = _rarest_units(y_true, draws)
    for name in SCORES:
        if name not in _LOSSES and not (name in _LOWEST and found[name].estimate == 0.0):
            n_units = draws.n_units if name == "accuracy" else n_rarest
            found[name] = less_certain(found[name], n_units, confidence=confidence)
    return found


def less_certain(interval: Interval, n_units: float, *, confidence: float) -> Interval:
    """Return Wilson's interval in place of one without width at 1 or 0.

    Where nothing is wrong, or nothing right, rows drawn anew say the same in every draw: that
    claims certainty. The ends are then those of a share of so many right of as many.

    Args:
        interval: Of a score whose best is 1.
        n_units: Independent rows behind it; of those that it is a mean over, the fewest.
        confidence: In (0, 1).

    Example:
        >>> less_certain(Interval(1.0, 1.0, 1.0), 3, confidence=0.95).low == wilson(3, 3).low
        True
        >>> less_certain(Interval(0.5, 0.5, 0.5), 3, confidence=0.95).low
        0.5
    """
    estimate, low, high = interval.estimate, interval.low, interval.high
    if estimate is None or low is None or high is None or high - low > _NO_WIDTH:
        return interval
    perfect = wilson(n_units, n_units, confidence=confidence).low
    if perfect is not None and estimate >= 1.0 - _NO_WIDTH:
        return Interval(estimate, perfect, 1.0)
    if perfect is not None and estimate <= _NO_WIDTH:
        return Interval(estimate, 0.0, 1.0 - perfect)
    return interval


def _rarest_units(y_true: Indices, draws: Draws) -> int:
    """Return how many rows or groups hold a row of the class that fewest of them hold."""
    if draws.n_units == len(y_true):
        return rarest(np.bincount(y_true))
    pairs = np.unique(y_true * draws.n_units + draws.unit)
    return rarest(np.bincount(pairs // draws.n_units))


def widened(name: str, interval: Interval, factor: float) -> Interval:
    """Return an interval whose ends are `factor` times as far from the estimate.

    Args:
        name: Of the score: its ends stay within its range.
        interval: Perhaps without ends.
        factor: At least 1; see `CROSS_FITTED`.

    Example:
        >>> widened("accuracy", Interval(0.9, 0.8, 0.95), 1.5).low
        0.75
    """
    return stretched(interval, factor, _LOWEST.get(name, 0.0), _HIGHEST.get(name, 1.0))


def stretched(interval: Interval, factor: float, lowest: float, highest: float) -> Interval:
    """Return an interval `factor` times as wide, its ends within [lowest, highest].

    Example:
        >>> stretched(Interval(2.0, 1.0, 4.0), 1.5, 0.0, 4.0)
        Interval(estimate=2.0, low=0.5, high=4.0)
    """
    estimate, low, high = interval.estimate, interval.low, interval.high
    if estimate is None or low is None or high is None:
        return interval
    return Interval(
        estimate,
        max(estimate - factor * (estimate - low), min(lowest, low)),  # equal up to rounding
        min(estimate + factor * (high - estimate), max(highest, high)),
    )


def rarest(counts: Indices) -> int:
    """Return how many rows the rarest class has that has any, of its rows by class (C,).

    Example:
        >>> rarest(np.array([7, 0, 3]))
        3
    """
    return int(counts[counts > 0].min(initial=counts.sum()))


def n_ranked_draws(n_rows: int, n_classes: int, *, n_rarest: int) -> int:
    """Return on how many draws AUROC and average precision are found; 0 for none.

    Of 7,000 rows, the ends of an AUROC's interval vary by 4 % of its half width from one set
    of 1,000 draws to another, by 6 % with 400, by 8 % with 200. Those of `influence` lie
    where the ends of 1,000 draws lie on average, within 4 % with 1,800 rows of the class
    and 5 % with 140. So draws may take some 20 ms, not more. Where a class is rarer, ends at
    the same distance from the estimate would lie where no score can be, so that draws may
    take a second.

    Args:
        n_rows: N.
        n_classes: C.
        n_rarest: Rows of the rarest class that has any.

    Example:
        >>> [n_ranked_draws(7_500, n, n_rarest=500) for n in (2, 9)]
        [400, 0]
        >>> n_ranked_draws(7_500, 9, n_rarest=10)
        200
    """
    n_cells = max(n_rows * n_classes, 1)
    n_draws = _RANK_BUDGET // n_cells
    if n_rarest < RARE_ROWS and n_cells * MIN_RANK_RESAMPLES <= _RARE_RANK_BUDGET:
        n_draws = max(n_draws, MIN_RANK_RESAMPLES)
    return n_draws if n_draws >= MIN_RANK_RESAMPLES else 0


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


def percentile_interval(estimate: float | None, draws: Floats, confidence: float) -> Interval:
    """Return the range that `confidence` of the draws (R,) lie in; NaN are left out.

    Without an estimate, or where most draws are NaN, the ends are None.
    """
    known = draws[~np.isnan(draws)]
    if estimate is None or 2 * len(known) <= len(draws):
        return Interval(estimate, None, None)
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(estimate, float(low), float(high))


def _unbiased(draws: Floats, estimate: float | None) -> Floats:
    """Move draws so that their mean is the estimate (Efron 1979), not below 0.

    The calibration error of a draw is larger than that of the rows it comes from, since
    rows that occur twice look less calibrated than they are.
    """
    if estimate is None or np.isnan(draws).all():
        return draws
    moved: Floats = np.maximum(draws - (np.nanmean(draws) - estimate), 0.0)
    return moved


def _normal(name: str, estimate: float | None, half: float) -> Interval:
    if estimate is None or np.isnan(half):
        return Interval(estimate, None, None)
    low = max(estimate - half, _LOWEST.get(name, 0.0))
    return Interval(estimate, low, min(estimate + half, _HIGHEST.get(name, 1.0)))


def _drawn_scores(
    y_true: Indices, proba: Floats, draws: Draws, *, n_resamples: int, n_ranked: int
) -> dict[str, Floats]:
    """Return each score on every draw, (R,); ranked scores on the first `n_ranked` or so."""
    rows = RowScores.of(y_true, proba, draws.block)
    ranking = Ranking(y_true, proba, draws.block) if n_ranked else None
    found: list[dict[str, Floats]] = []
    sums: list[Floats] = []
    ranked: list[dict[str, Floats]] = []
    n_done = 0
    for times in draws.times(n_resamples):
        sums.append(rows.sums(times))
        if ranking is not None and n_done < n_ranked:
            ranked.append(ranking.scores(times))
        n_done += len(times)
        if len(sums) * len(times) * rows.n_classes > _MOST_SUMS:
            found.append(rows.scores_of(sums))
            sums = []
    found += [rows.scores_of(sums)] if sums else []
    return _joined(found) | (_joined(ranked) if ranked else {})


def _joined(found: list[dict[str, Floats]]) -> dict[str, Floats]:
    return {
        name: np.concatenate([scores[name] for scores in found if name in scores])
        for name in found[0]
    }
