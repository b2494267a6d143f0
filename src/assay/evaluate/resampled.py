"""Intervals of shares and of figures made from sums over rows, weighted or not.

Decisions, hits and costs of N rows come in; figures with intervals go out. The whole
set of draws serves all figures, so that differences are paired.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from assay.evaluate.intervals import (
    Interval,
    less_certain,
    percentile_interval,
    stretched,
    wilson,
)
from assay.evaluate.redrawn import Draws
from assay.metrics import Floats, Indices

Formula = Callable[[Floats], Floats]
Flags = NDArray[np.bool_]


class Resampler:
    """Intervals of figures of the same N rows.

    Rows are drawn anew, or whole groups of them (Efron 1979, Ann. Statist. 7:1); of many
    the blocks of `Draws`.

    Args:
        n_rows: N.
        weight: What each row counts, (N,); None for 1 each.
        groups: Group of each row, (N,) integers; None where each is its own.
        confidence: Share of draws inside an interval, in (0, 1).
        n_resamples: Draws.
        seed: Of blocks and draws.
        draws: Of these rows or groups, where they are made already.
        widening: How much wider the intervals are made; see `intervals.CROSS_FITTED`.

    Attributes:
        weight: What each row counts, (N,).
    """

    def __init__(
        self,
        n_rows: int,
        *,
        weight: Floats | None = None,
        groups: Indices | None = None,
        confidence: float = 0.95,
        n_resamples: int = 1000,
        seed: int = 0,
        draws: Draws | None = None,
        widening: float = 1.0,
    ) -> None:
        self.confidence = confidence
        self.weight = np.ones(n_rows) if weight is None else weight
        self._is_plain = weight is None and groups is None
        self._widening = widening
        self._n_resamples = n_resamples
        self._draws = Draws(n_rows, groups, seed=seed) if draws is None else draws

    def share(self, hits: Flags, among: Flags | None = None) -> Interval:
        """Return the share of `hits` (N,) in the rows `among` (N,), by default in all.

        Of rows that are neither weighted nor grouped it is Wilson's interval, which is
        sensible where all or none are hit. It is widened as `evaluate_predictions` does
        that of the accuracy, and in a part of the rows as that of a class, so that the
        same share has the same interval there and here.

        Example:
            >>> found = Resampler(4).share(np.array([True, True, False, True]))
            >>> found.estimate, round(found.low, 2), round(found.high, 2)
            (0.75, 0.3, 0.95)
        """
        rows = np.ones(len(hits), dtype=bool) if among is None else among
        hits = hits & rows
        if self._is_plain:
            n_hits, n_rows = int(np.count_nonzero(hits)), int(np.count_nonzero(rows))
            if among is None:
                plain = wilson(n_hits, n_rows, confidence=self.confidence)
                return stretched(plain, self._widening, 0.0, 1.0)
            worth = 1.0 / self._widening**2
            return wilson(worth * n_hits, worth * n_rows, confidence=self.confidence)
        columns = np.stack([hits, rows], axis=1).astype(np.float64)
        return self.of_shares(columns, {"share": _share}, n_units={"share": self.n_units(rows)})[
            "share"
        ]

    def n_units(self, among: Flags) -> float:
        """Return how many independent rows `among` (N,) count as, by weight and group.

        (sum w)^2 / sum w^2 over rows or groups (Kish 1965, Survey Sampling, 11.7).

        Example:
            >>> Resampler(4, groups=np.array([0, 0, 1, 1])).n_units(np.array([True] * 4))
            2.0
        """
        by_unit = np.bincount(self._draws.unit, self.weight * among)
        total = float((by_unit**2).sum())
        return float(by_unit.sum()) ** 2 / total if total else 0.0

    def average(self, values: Floats | Flags | Indices) -> float:
        """Return the mean of values (N,) without an interval."""
        return float(np.average(values, weights=self.weight))

    def means(self, **values: Floats) -> dict[str, Interval]:
        """Return the mean of each array of values, (N,), with its interval.

        Example:
            >>> Resampler(3).means(cost=np.array([1.0, 1.0, 4.0]))["cost"].estimate
            2.0
        """
        columns = np.stack([np.ones(len(self.weight)), *values.values()], axis=1)
        formulas = {name: _mean_of(place) for place, name in enumerate(values, start=1)}
        return {
            name: stretched(
                one, self._widening, float(values[name].min()), float(values[name].max())
            )
            for name, one in self._of_sums(columns, formulas).items()
        }

    def of_shares(
        self, columns: Floats, formulas: Mapping[str, Formula], *, n_units: Mapping[str, float]
    ) -> dict[str, Interval]:
        """Return shares, or means of shares, that formulas make of the rows' sums.

        Args:
            columns: What each row adds, (N, M).
            formulas: From sums (..., M) to figures (...) in [0, 1], NaN where undefined.
            n_units: Of each, as for `less_certain`.

        Returns:
            An interval for each formula; without ends where there is only one block.
        """
        found = self._of_sums(columns, formulas)
        certain = {
            name: less_certain(one, n_units[name], confidence=self.confidence)
            for name, one in found.items()
        }
        return {name: stretched(one, self._widening, 0.0, 1.0) for name, one in certain.items()}

    def _of_sums(self, columns: Floats, formulas: Mapping[str, Formula]) -> dict[str, Interval]:
        """Return figures as drawn: of columns (N, M), formulas from sums (..., M)."""
        columns, draws = columns * self.weight[:, None], self._draws
        by_block = np.stack(
            [np.bincount(draws.block, column, draws.n_blocks) for column in columns.T], axis=1
        )  # (blocks, M)
        estimates = {name: formula(by_block.sum(axis=0)) for name, formula in formulas.items()}
        known = {name: None if np.isnan(x) else float(x) for name, x in estimates.items()}
        if draws.n_blocks < 2:
            return {name: Interval(known[name], None, None) for name in formulas}
        drawn = np.concatenate([times @ by_block for times in draws.times(self._n_resamples)])
        return {
            name: percentile_interval(known[name], formula(drawn), self.confidence)  # of (R, M)
            for name, formula in formulas.items()
        }


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Return numerator / denominator, NaN where nothing is to be divided by."""
    top, bottom = np.broadcast_arrays(numerator, denominator)
    result: Floats = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
    return result


def _share(sums: Floats) -> Floats:
    return ratio(sums[..., 0], sums[..., 1])


def _mean_of(place: int) -> Formula:
    return lambda sums: ratio(sums[..., place], sums[..., 0])
