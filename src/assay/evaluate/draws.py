"""Scores of rows drawn anew: what does not change from draw to draw is worked out once.

`intervals` calls it; a draw is given as the weights of the rows, how often each is in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from assay.metrics import (
    ECE_BINS,
    Floats,
    Indices,
    confidence_gaps,
    rank_scores,
    row_brier,
    row_log_loss,
    scores_from_margins,
    threshold_ends,
)

_CHUNK = 100_000  # weights held at once: they and their sums stay in the cache


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
        times = np.stack([np.bincount(row, minlength=n_units) for row in drawn])
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

    def scores(self, weight: Floats) -> dict[str, Floats]:
        """Return the scores by name, each (R',), for weights (R', N)."""
        is_right = self.y_true == self.y_pred
        true = _sums(self.y_true, weight, self.n_classes)
        predicted = _sums(self.y_pred, weight, self.n_classes)
        correct = _sums(self.y_true[is_right], weight[:, is_right], self.n_classes)
        scores = scores_from_margins(true, predicted, correct)
        total = weight.sum(axis=1)
        means = weight @ self.losses / total[:, None]  # (R', 2)
        scores["log_loss"], scores["brier"] = means[:, 0], means[:, 1]
        gaps = _sums(self.bins, weight * self.gap, ECE_BINS)
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
            _sorted(y_true == class_idx, proba[:, class_idx])
            for class_idx in ranked_classes(proba.shape[1])
        ]

    def scores(self, weight: Floats) -> dict[str, Floats]:
        """Return the two scores by name, each (R',), for weights (R', N)."""
        area, average = [], []
        for order, ends, own in self._orders:
            ranked = weight[:, order]
            true = np.cumsum(ranked * own, axis=1)[:, ends]
            both = np.cumsum(ranked, axis=1)[:, ends]
            found = rank_scores(true, both - true)
            area.append(found[0])
            average.append(found[1])
        return {"auroc": _mean_known(area), "average_precision": _mean_known(average)}


def _sums(index: Indices, weight: Floats, size: int) -> Floats:
    """Sum weights (R', N) by the index (N,) of their row -> (R', size)."""
    return np.stack([np.bincount(index, row, size) for row in weight])


def _sorted(is_class: Indices, score: Floats) -> tuple[Indices, Indices, Floats]:
    order = np.argsort(-score)
    return order, threshold_ends(score[order]), is_class[order].astype(np.float64)


def _mean_known(per_class: list[Floats]) -> Floats:
    stacked = np.stack(per_class)  # (C, R')
    known = ~np.isnan(stacked)
    total = np.where(known, stacked, 0.0).sum(axis=0)
    mean: Floats = np.divide(
        total, known.sum(axis=0), out=np.full(total.shape, np.nan), where=known.any(axis=0)
    )
    return mean
