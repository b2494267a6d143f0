"""Scores of rows drawn anew: what does not change from draw to draw is worked out once.

`intervals` calls it; a draw is given as the weights of the rows, how often each is in it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from assay.metrics import (
    ECE_BINS,
    Floats,
    Indices,
    confidence_gaps,
    row_brier,
    row_log_loss,
    scores_from_margins,
    threshold_ends,
)

_CHUNK = 100_000  # weights held at once: they and their sums stay in the cache
_FEW_CLASSES = 16  # whose rows are faster counted by a matrix product


def drawn_weights(unit: Indices, n_resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield how often each row was drawn with replacement, a few draws at a time: (R', N).

    Args:
        unit: Number of each row's unit, (N,), 0 to U - 1: whole units are drawn.
        n_resamples: Draws in all.
        rng: Source of chance.
    """
    n_units = int(unit.max()) + 1
    size = max(1, _CHUNK // len(unit))
    for start in range(0, n_resamples, size):
        n_draws = min(size, n_resamples - start)
        drawn = rng.integers(n_units, size=(n_draws, n_units))
        drawn += np.arange(n_draws)[:, None] * n_units  # a place of its own for each draw
        times = np.bincount(drawn.reshape(-1), minlength=drawn.size).reshape(drawn.shape)
        yield (times if n_units == len(unit) else times[:, unit]).astype(np.float64)


def ranked_classes(n_classes: int) -> range:
    """Return the classes whose ordering is judged: of two only class 1, as `score_table` does."""
    return range(1, 2) if n_classes == 2 else range(n_classes)


@dataclass(frozen=True)
class RowScores:
    """What each of N rows adds to the scores that need no ordering of the rows.

    Nothing here has C columns, so that 1,000 classes cost what two do.
    """

    n_classes: int
    y_true: Indices
    y_pred: Indices
    losses: Floats  # (N, 2): log loss and Brier score
    bins: Indices
    gap: Floats

    @classmethod
    def of(cls, y_true: Indices, proba: Floats) -> "RowScores":
        """Work them out for true classes (N,) and probabilities (N, C)."""
        bins, gap = confidence_gaps(y_true, proba)
        losses = np.stack([row_log_loss(y_true, proba), row_brier(y_true, proba)], axis=1)
        return cls(proba.shape[1], y_true, proba.argmax(axis=1), losses, bins, gap)

    def take(self, row_idx: Indices) -> "RowScores":
        """Return the rows at `row_idx`."""
        return RowScores(
            n_classes=self.n_classes,
            y_true=self.y_true[row_idx],
            y_pred=self.y_pred[row_idx],
            losses=self.losses[row_idx],
            bins=self.bins[row_idx],
            gap=self.gap[row_idx],
        )

    @cached_property
    def _is_class(self) -> Floats:
        """1 where a row is of a class, is predicted to be, and both; (N, 3 * C)."""
        classes = np.arange(self.n_classes)
        true, predicted = self.y_true[:, None] == classes, self.y_pred[:, None] == classes
        return np.concatenate([true, predicted, true & predicted], axis=1).astype(np.float64)

    def _margins(self, weight: Floats) -> tuple[Floats, Floats, Floats]:
        """Return drawn rows of each class: true, predicted, right, (R', C) each."""
        if self.n_classes <= _FEW_CLASSES:  # sums of whole numbers: the same in any order
            true, predicted, correct = np.split(weight @ self._is_class, 3, axis=1)
            return true, predicted, correct
        is_right = self.y_true == self.y_pred
        return (
            _sums(self.y_true, weight, self.n_classes),
            _sums(self.y_pred, weight, self.n_classes),
            _sums(self.y_true[is_right], weight[:, is_right], self.n_classes),
        )

    def scores(self, weight: Floats) -> dict[str, Floats]:
        """Return the scores by name, each (R',), for weights (R', N)."""
        return self.scores_of([self.sums(weight)])

    def sums(self, weight: Floats) -> tuple[Floats, ...]:
        """Return what `scores_of` makes scores of, (R', ·) each, for weights (R', N)."""
        gaps = _sums(self.bins, weight * self.gap, ECE_BINS)
        total = weight.sum(axis=1)
        return (*self._margins(weight), total, weight @ self.losses, gaps)

    def scores_of(self, sums: Sequence[tuple[Floats, ...]]) -> dict[str, Floats]:
        """Return the scores by name, each (R,), of the sums of all R draws at once."""
        parts = [np.concatenate(part) for part in zip(*sums, strict=True)]
        true, predicted, correct, total, losses, gaps = parts
        scores = scores_from_margins(true, predicted, correct)
        means = losses / total[:, None]  # (R, 2)
        scores["log_loss"], scores["brier"] = means[:, 0], means[:, 1]
        scores["ece"] = np.abs(gaps).sum(axis=1) / total
        return scores


class Ranking:
    """AUROC and average precision of many weightings of the same rows.

    Args:
        y_true: True class indices, (N,).
        proba: Probabilities, (N, C); the order of each class is kept, 24 bytes a number.
    """

    def __init__(self, y_true: Indices, proba: Floats) -> None:
        self._orders = [
            _Order.of(y_true == class_idx, proba[:, class_idx])
            for class_idx in ranked_classes(proba.shape[1])
        ]

    def scores(self, weight: Floats) -> dict[str, Floats]:
        """Return the two scores by name, each (R',), for weights (R', N)."""
        found = [order.scores(weight) for order in self._orders]
        area, average = ([one[idx] for one in found] for idx in range(2))
        return {"auroc": _mean_known(area), "average_precision": _mean_known(average)}


@dataclass(frozen=True)
class _Order:
    """N rows by falling score of a class, and the T thresholds at which it has rows.

    Attributes:
        row_idx: The rows, (N,).
        own_idx: Those of the class, (M,).
        n_own: Rows of the class at or above each threshold, (T,).
        n_above: Rows above it, (T,).
        n_rows: Rows at or above it, (T,).
    """

    row_idx: Indices
    own_idx: Indices
    n_own: Indices
    n_above: Indices
    n_rows: Indices

    @classmethod
    def of(cls, is_class: NDArray[np.bool_], score: Floats) -> "_Order":
        row_idx = np.argsort(-score)
        is_own = is_class[row_idx]
        ends = threshold_ends(score[row_idx]) + 1
        n_own = np.cumsum(is_own, dtype=np.intp)[ends - 1]
        has_own = np.diff(n_own, prepend=0) > 0
        n_above = np.concatenate([[0], ends[:-1]])
        own_idx: Indices = row_idx[is_own]
        n_own, n_above, n_rows = n_own[has_own], n_above[has_own], ends[has_own]
        return cls(row_idx, own_idx, n_own, n_above, n_rows)

    def scores(self, weight: Floats) -> tuple[Floats, Floats]:
        """Return AUROC and average precision, (R',) each; see `metrics.rank_scores`."""
        if not len(self.own_idx):
            nothing = np.full(len(weight), np.nan)
            return nothing, nothing
        gained = weight.take(self.own_idx, axis=1)
        true = gained.cumsum(axis=1)
        if len(self.n_own) < len(self.own_idx):
            true = true.take(self.n_own - 1, axis=1)  # (R', T)
            gained = np.diff(true, axis=1, prepend=0.0)
        both = weight.take(self.row_idx, axis=1).cumsum(axis=1)  # (R', N)
        at_or_above = both.take(self.n_rows - 1, axis=1)
        all_true = true[:, -1]
        all_false = both[:, -1] - all_true
        # Pairs won: each row of the class beats the false rows below it and half its equals.
        won = all_false[:, None] - at_or_above
        won += true
        if (self.n_rows - self.n_above > 1).any():
            above = np.where(self.n_above > 0, both.take(self.n_above - 1, axis=1), 0.0)
            won += (at_or_above - above - gained) / 2
        area = _ratio(np.einsum("rt,rt->r", gained, won), all_true * all_false)
        share = np.divide(true, at_or_above, out=np.zeros_like(true), where=at_or_above > 0)
        share *= gained
        average = _ratio(share.cumsum(axis=1)[:, -1], all_true)  # one after the other
        return area, np.where(all_false > 0, average, np.nan)


def _ratio(part: Floats, whole: Floats) -> Floats:
    ratio: Floats = np.divide(part, whole, out=np.full_like(part, np.nan), where=whole != 0)
    return ratio


def _sums(index: Indices, weight: Floats, size: int) -> Floats:
    """Sum weights (R', N) by the index (N,) of their row -> (R', size)."""
    return np.stack([np.bincount(index, row, size) for row in weight])


def _mean_known(per_class: list[Floats]) -> Floats:
    stacked = np.stack(per_class)  # (C, R')
    known = ~np.isnan(stacked)
    total = np.where(known, stacked, 0.0).sum(axis=0)
    mean: Floats = np.divide(
        total, known.sum(axis=0), out=np.full(total.shape, np.nan), where=known.any(axis=0)
    )
    return mean
