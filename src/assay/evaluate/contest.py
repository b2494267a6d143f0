"""The contest: candidates judged on the same rows, what ships, and the verdict.

Comes in: out-of-fold log probabilities of each candidate. Goes out: the mixture to
ship, its honest probabilities for every row, and the plain data of the comparison.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from assay.candidates.blend import average_proba, average_repeats
from assay.deal import sample_rows
from assay.evaluate.intervals import CROSS_FITTED, bootstrap_intervals, widened, wilson
from assay.evaluate.mixture import BLOCK_ROWS, Logs, Mixture, cross_fitted, fit_mixture
from assay.evaluate.redrawn import Draws
from assay.evaluate.verdict import MAJORITY, Verdict, class_shares, reach_verdict
from assay.recipe import Recipe
from assay.split import Split
from assay.training.memory import COMPARED_CELLS, COMPARED_ROWS

BLEND = "blend"
DRAWS = 300  # behind the interval of a candidate; what ships gets all of them
_SHOWN = ("log_loss", "accuracy", "auroc", "brier", "balanced_accuracy", "f1_macro")


@dataclass(frozen=True)
class _Judged:
    """Rows that every candidate judged.

    Attributes:
        row_idx: Which, shape (N',).
        y: Their classes.
        fold: Fold that judges them in each repeat, (R, N'); -1 for none.
        groups: Their groups, or None.
    """

    row_idx: np.ndarray
    y: np.ndarray
    fold: np.ndarray
    groups: np.ndarray | None


class Contest:
    """Candidates on the same folds.

    Args:
        logs: Log probabilities by candidate, (R, N, C), simplest first; NaN where a
            repeat does not judge a row.
        y: Class indices, (N,).
        split: Who left out which rows.
        recipe: What to prefer, how to judge, the seed.
        groups: Group of each row, (N,), or None.
        weight: Weight of each row, (N,), or None; a row of weight 0 is not judged.
    """

    def __init__(
        self,
        logs: Logs,
        y: np.ndarray,
        split: Split,
        recipe: Recipe,
        *,
        groups: np.ndarray | None = None,
        weight: np.ndarray | None = None,
    ) -> None:
        self._logs = logs
        self._y = y
        self._split = split
        self._recipe = recipe
        self._groups = groups
        self._method = recipe.evaluate.calibration
        self._is_calibrated = self._method != "none"
        known = [np.isfinite(log_proba[:, :, 0]).any(axis=0) for log_proba in logs.values()]
        is_judged = np.logical_and.reduce(known)
        if weight is not None and (weight[is_judged] > 0).any():
            is_judged &= weight > 0
        self.row_idx = np.flatnonzero(is_judged)

    @property
    def names(self) -> tuple[str, ...]:
        """Candidates, simplest first; a blend where several have a part in it."""
        is_blend = len(self._blended.weights) > 1
        return (*self._logs, BLEND) if is_blend else tuple(self._logs)

    @property
    def _real(self) -> tuple[str, ...]:
        return tuple(name for name in self._logs if name != MAJORITY)

    @cached_property
    def shipped(self) -> Mixture:
        """What ships, fitted on every row that is judged."""
        shipped = self.verdict.shipped
        return self._blended if shipped == BLEND else self._fitted((shipped,))

    @cached_property
    def _blended(self) -> Mixture:
        return self._fitted(self._real)

    def alone(self) -> dict[str, Mixture]:
        """Return every candidate as it would ship alone, but the class shares and what ships."""
        return {
            name: self._blended if name == BLEND else self._fitted((name,))
            for name in self.names
            if name not in (MAJORITY, self.verdict.shipped)
        }

    def _fitted(self, names: Sequence[str]) -> Mixture:
        return fit_mixture(
            self._logs,
            names,
            self._y,
            is_calibrated=self._is_calibrated,
            row_idx=self.row_idx,
            method=self._method,
        )

    @cached_property
    def proba(self) -> np.ndarray:
        """Honest probabilities of what ships for the rows `row_idx`, shape (N', C)."""
        name = self.verdict.shipped
        if len(self._compared.row_idx) == len(self.row_idx):
            return average_proba(self._compared_proba[name])
        return average_proba(self._cross_fitted(name, self.row_idx))

    @cached_property
    def draws(self) -> Draws:
        """Draws of the rows `row_idx`, the same ones for all candidates."""
        groups = None if self._groups is None else self._groups[self.row_idx]
        return Draws(len(self.row_idx), groups, seed=self._recipe.seed)

    def uncalibrated(self) -> np.ndarray:
        """Return the same with the mixture's weights, but before any calibration."""
        plain = Mixture(self.shipped.weights)
        logs = {name: self._logs[name] for name in plain.weights}
        blocks = [
            plain.apply({name: average_repeats(part[:, rows]) for name, part in logs.items()})
            for rows in np.split(self.row_idx, range(BLOCK_ROWS, len(self.row_idx), BLOCK_ROWS))
        ]
        return np.concatenate(blocks)

    @cached_property
    def verdict(self) -> Verdict:
        """Who is better than whom, and what ships."""
        judged, parts = self._compared, tuple(self._blended.weights)
        return reach_verdict(
            {name: self._compared_proba[name] for name in self.names},
            judged.y,
            judged.fold,
            self._recipe,
            test_per_train=self._test_per_train,
            groups=judged.groups,
            alone=parts[0] if len(parts) == 1 else None,
        )

    def documents(self, told: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return each candidate's scores with intervals, as plain data.

        Args:
            told: Rows judged by what ships, with "n_rows" and "scores". Where these are
                the rows compared here, its intervals are the same wherever they are told.
        """
        judged, weights, shipped = self._compared, self.shipped.weights, self.verdict.shipped
        known = told["scores"] if told and told["n_rows"] == len(judged.y) else None
        return [
            {
                "name": name,
                "n_rows": len(judged.y),
                "scores": {score: known[score] for score in _SHOWN}
                if known is not None and name == shipped
                else self._scores(name),
                "weight": weights.get(name, 0.0),
                "is_shipped": name == shipped,
            }
            for name in self.names
        ]

    def _scores(self, name: str) -> dict[str, dict[str, float | None]]:
        """Return the scores of a candidate with intervals."""
        judged, recipe = self._compared, self._recipe
        proba = average_proba(self._compared_proba[name])
        scores = bootstrap_intervals(
            judged.y,
            proba,
            n_resamples=min(recipe.evaluate.bootstrap, DRAWS),
            confidence=recipe.evaluate.confidence,
            ranks="influence",
            draws=self._compared_draws,
        )
        if judged.groups is None:  # where all rows are right, draws would claim certainty
            n_right = float((proba.argmax(axis=1) == judged.y).sum())
            confidence = recipe.evaluate.confidence
            scores["accuracy"] = wilson(n_right, len(proba), confidence=confidence)
        return {name: widened(name, scores[name], CROSS_FITTED).to_dict() for name in _SHOWN}

    @cached_property
    def _compared(self) -> _Judged:
        n_classes = next(iter(self._logs.values())).shape[2]
        most = max(COMPARED_CELLS // n_classes, COMPARED_ROWS)
        row_idx = self.row_idx[sample_rows(len(self.row_idx), most)]
        groups = None if self._groups is None else self._groups[row_idx]
        return _Judged(row_idx, self._y[row_idx], self._folds()[:, row_idx], groups)

    @cached_property
    def _compared_draws(self) -> Draws:
        judged = self._compared
        if len(judged.row_idx) == len(self.row_idx):
            return self.draws
        return Draws(len(judged.y), judged.groups, seed=self._recipe.seed)

    def _folds(self) -> np.ndarray:
        split = self._split
        fold = np.full((max(split.repeat) + 1, len(self._y)), -1, dtype=np.int64)
        known: set[bytes] = set()  # the same fold again, as of few groups, tells nothing new
        for (repeat, number), left_out in zip(split.member_fold, split.validation, strict=True):
            rows = np.packbits(left_out).tobytes()
            if rows not in known:
                known.add(rows)
                fold[repeat, left_out] = number
        return fold

    @property
    def _test_per_train(self) -> float:
        """Rows judged by a member over rows it learnt from."""
        split = self._split
        return float(split.validation.sum() / max(split.train.sum(), 1))

    def _parts(self, name: str) -> Sequence[str]:
        return self._real if name == BLEND else (name,)

    def _cross_fitted(self, name: str, row_idx: np.ndarray) -> np.ndarray:
        names, logs = self._parts(name), self._logs
        if len(row_idx) < len(self._y):
            logs = {part: self._logs[part][:, row_idx] for part in names}
        return cross_fitted(
            logs,
            names,
            self._y[row_idx],
            is_calibrated=self._is_calibrated and name != MAJORITY,
            seed=self._recipe.seed,
            groups=None if self._groups is None else self._groups[row_idx],
            method=self._method,
        )

    @cached_property
    def _compared_proba(self) -> dict[str, np.ndarray]:
        judged = self._compared
        found = {
            name: self._cross_fitted(name, judged.row_idx)
            for name in self.names
            if name != MAJORITY
        }
        n_classes = next(iter(self._logs.values())).shape[2]
        return {MAJORITY: class_shares(judged.y, n_classes), **found}
