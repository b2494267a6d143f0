"""Who is fitted on which rows: the folds of the network population, each once.

Comes in: what the networks learn from. Goes out: rows and weights of each fit, and
which fits judge a row. Members that learn from the same rows share a fit.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from assay.deal import least_of_class, sample_of_classes

if TYPE_CHECKING:  # PyTorch, which whoever fits may do without
    from assay.training.rows import RowSet
    from assay.training.setup import Setup


@dataclass(frozen=True)
class Folds:
    """M fits for K members of R repeats.

    Attributes:
        y: Class indices, shape (N,).
        n_classes: C.
        train: Rows of each fit in rising order, M arrays; those of weight 0 are left out.
        is_left_out: Shape (M, N): the rows that each fit is judged on.
        repeat: Number of each fit's repeat.
        members: For each fit the members that it stands for.
        member_repeat: Number of each member's repeat, from 0 without a gap, shape (K,).
        weight: Sample weights, shape (N,), or None for all 1.
        class_weight: Shape (M, C), or None for all 1.
    """

    y: np.ndarray
    n_classes: int
    train: tuple[np.ndarray, ...]
    is_left_out: np.ndarray
    repeat: tuple[int, ...]
    members: tuple[tuple[int, ...], ...]
    member_repeat: np.ndarray
    weight: np.ndarray | None
    class_weight: np.ndarray | None

    @classmethod
    def of(cls, setup: "Setup") -> "Folds":
        """Take the folds of a population."""
        lesson, samples = setup.lesson, setup.samples
        n_rows = len(samples.y)
        train, left_out = _mask(lesson.train, n_rows), _mask(lesson.validation, n_rows)
        members: dict[bytes, list[int]] = {}
        for idx, masks in enumerate(zip(train, left_out, strict=True)):
            members.setdefault(np.packbits(masks).tobytes(), []).append(idx)
        first = [own[0] for own in members.values()]
        weight = samples.roles.weight
        is_learnt = train[first] if weight is None else train[first] & (weight > 0.0)
        class_weight = lesson.class_weight
        return cls(
            y=samples.y,
            n_classes=samples.target.n_classes,
            train=tuple(np.flatnonzero(own) for own in is_learnt),
            is_left_out=left_out[first],
            repeat=tuple(lesson.repeat[idx] for idx in first),
            members=tuple(tuple(own) for own in members.values()),
            member_repeat=np.unique(lesson.repeat, return_inverse=True)[1],
            weight=weight,
            class_weight=None if class_weight is None else class_weight.cpu().numpy()[first],
        )

    @property
    def n_fits(self) -> int:
        """Number of fits, M."""
        return len(self.train)

    @property
    def largest(self) -> int:
        """Training rows of the fit that has most."""
        return max(len(rows) for rows in self.train)

    def of_fits(self, fit_idx: np.ndarray) -> "Folds":
        """Return some of the fits."""
        class_weight = self.class_weight
        return replace(
            self,
            train=tuple(self.train[idx] for idx in fit_idx),
            is_left_out=self.is_left_out[fit_idx],
            repeat=tuple(self.repeat[idx] for idx in fit_idx),
            members=tuple(self.members[idx] for idx in fit_idx),
            class_weight=None if class_weight is None else class_weight[fit_idx],
        )

    def rows(self, fit_idx: int, most: int) -> np.ndarray:
        """Return the rows that a fit learns from.

        Of more than `most` they are a random part, with rows of each rare class; what these
        then count for is told by `weights`.
        """
        own = self.train[fit_idx]
        return own[sample_of_classes(self.y[own], self.n_classes, most)]

    def judged(self, fit_idx: int) -> np.ndarray:
        """Return the rows that a fit is judged on."""
        return np.flatnonzero(self.is_left_out[fit_idx])

    def weights(self, fit_idx: int, row_idx: np.ndarray) -> np.ndarray | None:
        """Return how much each of the rows counts in a fit, mean 1; None for all alike.

        Args:
            fit_idx: Number of the fit.
            row_idx: From `rows`.
        """
        parts = []
        share = self._share_of_class(fit_idx, row_idx)
        if share is not None:
            parts.append(share[self.y[row_idx]])
        if self.weight is not None:
            parts.append(self.weight[row_idx].astype(np.float64))
        if self.class_weight is not None:
            parts.append(self.class_weight[fit_idx, self.y[row_idx]].astype(np.float64))
        if not parts:
            return None
        weight = np.prod(parts, axis=0)
        weight /= weight.max()  # so that the sum of large ones is finite
        result: np.ndarray = weight / weight.mean()
        return result

    def _share_of_class(self, fit_idx: int, row_idx: np.ndarray) -> np.ndarray | None:
        """Return what makes each class weigh its share, (C,); None where no rows were added."""
        own = self.train[fit_idx]
        counts = np.bincount(self.y[row_idx], minlength=self.n_classes)
        is_rare = (counts > 0) & (counts <= least_of_class(len(row_idx), self.n_classes))
        if len(row_idx) == len(own) or not is_rare.any():
            return None
        wanted = np.bincount(self.y[own], minlength=self.n_classes) * len(row_idx) / len(own)
        share: np.ndarray = wanted / np.maximum(counts, 1)
        return share


def _mask(row_set: "RowSet", n_rows: int) -> np.ndarray:
    """Return a row set as (K, N), bool."""
    mask = np.zeros((len(row_set.counts), n_rows), dtype=bool)
    for own, row_idx, count in zip(mask, row_set.row_idx.numpy(), row_set.counts, strict=True):
        own[row_idx[:count]] = True
    return mask
