"""Simpler models beside the networks: the same folds, the same out-of-fold predictions.

Comes in: fits of every fold. Goes out: what they say of rows that they left out, and of
new rows; as they are, and as a part of the core graph.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from assay.candidates.folds import Folds
from assay.candidates.proba import log_proba_of
from assay.candidates.threads import over_fits
from assay.encode.arrays import Arrays
from assay.errors import InternalError
from assay.nn.graph import GraphBuilder
from assay.softmax import log_softmax

_CHUNK_ROWS = 1 << 15


class Fits(Protocol):
    """A model fitted on every fold: M fits."""

    def log_proba(self, arrays: Arrays, fit_idx: int) -> np.ndarray:
        """Return what a fit says of rows that it did not learn from, (N, C)."""

    def add_to(self, build: GraphBuilder) -> str:
        """Add all fits to a graph; return the name of their mean log probabilities."""


@dataclass(frozen=True)
class Rival:
    """A simpler model, cross-fitted on the folds of the networks.

    Attributes:
        name: "majority", "logistic" or "boosting".
        log_proba: Log probabilities of each row by the fits of each repeat that left it
            out, shape (R, N, C), float32; NaN where a repeat does not judge a row.
        fits: The M fits.
        is_left_out: Shape (M, N): the rows that each fit is judged on.
        members: For each fit the members of the population with the same rows.
        repeat: Number of the repeat of each member in `log_proba`, shape (K,).
    """

    name: str
    log_proba: np.ndarray
    fits: Fits
    is_left_out: np.ndarray
    members: tuple[tuple[int, ...], ...]
    repeat: np.ndarray

    @classmethod
    def of(cls, name: str, fits: Fits, folds: Folds, arrays: Arrays) -> "Rival":
        """Let every fit judge the rows that it left out.

        Args:
            name: Of the model.
            fits: One for each of the folds.
            folds: Who was fitted on what.
            arrays: All N rows.
        """
        n_repeats = int(folds.member_repeat.max()) + 1
        log_proba = np.full((n_repeats, arrays.n_rows, folds.n_classes), np.nan, np.float32)
        rows = [folds.judged(fit_idx) for fit_idx in range(len(folds.members))]
        found = over_fits(lambda idx: _said(fits, arrays, rows[idx], idx), len(rows))
        for fit_idx, members in enumerate(folds.members):
            for member_idx in members:
                log_proba[folds.member_repeat[member_idx], rows[fit_idx]] = found[fit_idx]
        return cls(name, log_proba, fits, folds.is_left_out, folds.members, folds.member_repeat)

    @property
    def n_fits(self) -> int:
        """Number of fits; members with the same rows share one."""
        return len(self.members)

    def predict_left_out(self, arrays: Arrays, row_idx: np.ndarray) -> np.ndarray:
        """Return what is said of rows by the fits that left them out.

        Args:
            arrays: Row i of it stands for training row `row_idx[i]`, and may be altered.
            row_idx: Shape (rows,), of the N rows that the fits know.

        Returns:
            Log probabilities, shape (rows, C), float64: the fits' geometric mean; NaN for
            a row that every fit learnt from.
        """
        total = np.zeros((arrays.n_rows, self.log_proba.shape[2]))
        counts = np.zeros((arrays.n_rows, 1))
        order = np.argsort(row_idx, kind="stable")
        rows = [order[is_left_out[row_idx[order]]] for is_left_out in self.is_left_out]
        found = over_fits(lambda idx: self.fits.log_proba(arrays.take(rows[idx]), idx), self.n_fits)
        for own, log_proba, members in zip(rows, found, self.members, strict=True):
            total[own] += len(members) * log_proba
            counts[own] += len(members)
        mean = np.divide(total, counts, out=np.full_like(total, np.nan), where=counts > 0)
        return log_softmax(mean)

    def average(self, arrays: Arrays) -> np.ndarray:
        """Return what the shipped model says of new rows, without the core graph.

        Returns:
            Log probabilities, shape (rows, C), float64: the geometric mean of all fits.
        """
        found = over_fits(lambda idx: self.fits.log_proba(arrays, idx), self.n_fits)
        return log_softmax(np.sum(found, axis=0) / self.n_fits)

    def add_to(self, build: GraphBuilder) -> str:
        """Add it to a graph; return the name of its log probabilities, (N, C)."""
        return self.fits.add_to(build)


def _said(fits: Fits, arrays: Arrays, row_idx: np.ndarray, fit_idx: int) -> np.ndarray:
    """Return what a fit says of rows, in chunks: scikit-learn copies them as float64."""
    parts = [
        fits.log_proba(arrays.take(row_idx[start : start + _CHUNK_ROWS]), fit_idx)
        for start in range(0, max(len(row_idx), 1), _CHUNK_ROWS)
    ]
    return np.concatenate(parts).astype(np.float32)


class Majority:
    """The shares of the classes among the training rows; never a part of a graph.

    Args:
        counts: Weights of the classes, shape (M, C).
        n_rows: Training rows of each fit.
    """

    def __init__(self, counts: np.ndarray, n_rows: Sequence[int]) -> None:
        self.counts = counts
        self._n_rows = tuple(n_rows)

    @classmethod
    def fit(cls, folds: Folds) -> "Majority":
        """Count the classes of each fit's training rows."""
        counts = [
            np.bincount(
                folds.y[rows],
                None if folds.weight is None else folds.weight[rows],
                minlength=folds.n_classes,
            )
            for rows in folds.train
        ]
        return cls(np.stack(counts).astype(np.float64), [len(rows) for rows in folds.train])

    def log_proba(self, arrays: Arrays, fit_idx: int) -> np.ndarray:
        """Return the same shares for every row, (N, C)."""
        counts = self.counts[fit_idx]
        raw = np.log(np.where(counts > 0.0, counts, 1.0))[None]
        shares = log_proba_of(raw, counts > 0.0, self._n_rows[fit_idx])
        return np.repeat(shares, arrays.n_rows, axis=0)

    def add_to(self, build: GraphBuilder) -> str:
        """Refuse."""
        raise InternalError("the majority class is no part of a core graph")
