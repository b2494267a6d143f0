"""Scores of rows drawn anew: what does not change from draw to draw is worked out once.

`intervals` calls it; a draw is given as the weights of the rows, how often each is in it, or
as those of blocks of rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from assay.metrics import (
    Floats,
    Indices,
    confidence_gaps,
    rarer,
    row_brier,
    row_log_loss,
    scores_from_margins,
    threshold_ends,
)

_FEW_CLASSES = 16  # whose rows are faster counted by a matrix product
_FEW_CELLS = 10  # blocks x classes a row up to which so are those of more classes


def ranked_classes(y_true: Indices, n_classes: int, positive: int | None = None) -> Sequence[int]:
    """Return the classes whose ordering is judged: of two `positive`, or the rarer."""
    if n_classes != 2:
        return range(n_classes)
    return [rarer(y_true) if positive is None else positive]


def counts_by_block(n_rows: int, n_blocks: int, n_classes: int) -> bool:
    """Return whether a draw's rows are counted by class faster by blocks than one by one."""
    return n_classes <= _FEW_CLASSES or n_blocks * n_classes <= _FEW_CELLS * n_rows


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
    block: Indices | None = None  # (N,), 0 to B - 1; None where each row is drawn by itself

    @classmethod
    def of(cls, y_true: Indices, proba: Floats, block: Indices | None = None) -> "RowScores":
        """Work them out for true classes (N,), probabilities (N, C) and the rows' blocks (N,)."""
        bins, gap = confidence_gaps(y_true, proba)
        losses = np.stack([row_log_loss(y_true, proba), row_brier(y_true, proba)], axis=1)
        return cls(proba.shape[1], y_true, proba.argmax(axis=1), losses, bins, gap, block)

    @cached_property
    def _few(self) -> bool:
        n_rows = len(self.y_true)
        n_blocks = n_rows if self.block is None else int(self.block.max()) + 1
        return counts_by_block(n_rows, n_blocks, self.n_classes)

    @cached_property
    def _added(self) -> Floats:
        """What a row or block adds: 1 a row, losses, gaps by bin, and of few classes margins.

        Shape (B, 3 + E) for the E bins that have rows, or (B, 3 + E + 3 * C); B is N where
        each row is drawn by itself.
        """
        bins, bin_idx = np.unique(self.bins, return_inverse=True)
        added = [
            *(self._spread(np.zeros_like(bin_idx), 1, loss) for loss in (None, *self.losses.T)),
            self._spread(bin_idx, len(bins), self.gap),
        ]
        if self._few:
            is_right = (self.y_true == self.y_pred).astype(np.float64)
            added += [
                self._spread(self.y_true, self.n_classes),
                self._spread(self.y_pred, self.n_classes),
                self._spread(self.y_true, self.n_classes, is_right),
            ]
        return np.concatenate(added, axis=1)

    def _spread(self, cell: Indices, n_cells: int, weight: Floats | None = None) -> Floats:
        """Return the sums of weights (N,), or of rows, by row or block and cell, (B, n_cells).

        Rows are never spread over cells first: of 2 million, 15 bins would take 240 MB.
        """
        block = np.arange(len(cell)) if self.block is None else self.block
        shape = (int(block.max()) + 1, n_cells)
        sums = np.bincount(block * n_cells + cell, weight, shape[0] * shape[1])
        return sums.reshape(shape).astype(np.float64)

    def scores(self, weight: Floats) -> dict[str, Floats]:
        """Return the scores by name, each (R',), for weights (R', N) or (R', B)."""
        return self.scores_of([self.sums(weight)])

    def sums(self, weight: Floats) -> Floats:
        """Return what `scores_of` makes scores of, (R', ·), for weights (R', N) or (R', B)."""
        added = weight @ self._added
        if self._few:
            return added
        weight = weight if self.block is None else weight[:, self.block]
        is_right = self.y_true == self.y_pred
        margins = [
            _sums(self.y_true, weight, self.n_classes),
            _sums(self.y_pred, weight, self.n_classes),
            _sums(self.y_true[is_right], weight[:, is_right], self.n_classes),
        ]
        return np.concatenate([added, *margins], axis=1)

    def scores_of(self, sums: Sequence[Floats]) -> dict[str, Floats]:
        """Return the scores by name, each (R,), of the sums of all R draws at once."""
        every = np.concatenate(sums)
        added, margins = np.split(every, [every.shape[1] - 3 * self.n_classes], axis=1)
        total = added[:, 0]
        scores = scores_from_margins(*np.split(margins, 3, axis=1))
        scores["log_loss"], scores["brier"] = added[:, 1] / total, added[:, 2] / total
        scores["ece"] = np.abs(added[:, 3:]).sum(axis=1) / total
        return scores


class Ranking:
    """AUROC and average precision of many weightings of the same rows.

    Args:
        y_true: True class indices, (N,).
        proba: Probabilities, (N, C); the order of each class is kept, 24 bytes a number.
        block: Number of each row's block, (N,); None where each row is drawn by itself.
        positive: Of two classes the one that is judged; by default the rarer.
    """

    def __init__(
        self,
        y_true: Indices,
        proba: Floats,
        block: Indices | None = None,
        *,
        positive: int | None = None,
    ) -> None:
        self._orders = [
            _Order.of(y_true == class_idx, proba[:, class_idx], block)
            for class_idx in ranked_classes(y_true, proba.shape[1], positive)
        ]

    def scores(self, weight: Floats) -> dict[str, Floats]:
        """Return the two scores by name, each (R',), for weights (R', N) or (R', B)."""
        found = [order.scores(weight) for order in self._orders]
        area, average = ([one[idx] for one in found] for idx in range(2))
        return {"auroc": _mean_known(area), "average_precision": _mean_known(average)}


@dataclass(frozen=True)
class _Order:
    """N rows by falling score of a class, and the T thresholds at which it has rows.

    Attributes:
        place: Where a draw holds the weight of each, (N,): the row, or its block.
        own_place: The same of those of the class, (M,).
        n_own: Rows of the class at or above each threshold, (T,).
        n_above: Rows above it, (T,).
        n_rows: Rows at or above it, (T,).
    """

    place: Indices
    own_place: Indices
    n_own: Indices
    n_above: Indices
    n_rows: Indices

    @classmethod
    def of(cls, is_class: NDArray[np.bool_], score: Floats, block: Indices | None) -> "_Order":
        row_idx = np.argsort(-score)
        place = row_idx if block is None else block[row_idx]
        is_own = is_class[row_idx]
        ends = threshold_ends(score[row_idx]) + 1
        n_own = np.cumsum(is_own, dtype=np.intp)[ends - 1]
        has_own = np.diff(n_own, prepend=0) > 0
        n_above = np.concatenate([[0], ends[:-1]])
        own_place: Indices = place[is_own]
        n_own, n_above, n_rows = n_own[has_own], n_above[has_own], ends[has_own]
        return cls(place, own_place, n_own, n_above, n_rows)

    def scores(self, weight: Floats) -> tuple[Floats, Floats]:
        """Return AUROC and average precision, (R',) each; see `metrics.rank_scores`."""
        if not len(self.own_place):
            nothing = np.full(len(weight), np.nan)
            return nothing, nothing
        gained = weight.take(self.own_place, axis=1)
        true = gained.cumsum(axis=1)
        if len(self.n_own) < len(self.own_place):
            true = true.take(self.n_own - 1, axis=1)  # (R', T)
            gained = np.diff(true, axis=1, prepend=0.0)
        both = weight.take(self.place, axis=1)  # (R', N)
        np.cumsum(both, axis=1, out=both)
        at_or_above = both.take(self.n_rows - 1, axis=1)
        all_true = true[:, -1].copy()
        all_false = both[:, -1] - all_true
        # Pairs won: each row of the class beats the false rows below it and half its equals.
        won = all_false[:, None] - at_or_above
        won += true
        if (self.n_rows - self.n_above > 1).any():
            above = np.where(self.n_above > 0, both.take(self.n_above - 1, axis=1), 0.0)
            won += (at_or_above - above - gained) / 2
        area = _ratio(np.einsum("rt,rt->r", gained, won), all_true * all_false)
        share = np.divide(true, at_or_above, out=true, where=at_or_above > 0)
        share *= gained
        average = _ratio(share.sum(axis=1), all_true)
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
