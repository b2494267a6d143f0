"""Importance for each candidate, also those that do not ship: how they differ in what they use.

Comes in: what the parts of a blend say of shuffled rows, or ways to predict left-out rows by
single candidates, and the importance of what ships. Goes out: the same for each, of fewer
rows, columns and shuffles, since nobody trains to wait for it. What a part of the blend says
of a row was needed for the blend: it is not asked again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from assay.deal import sample_rows
from assay.explain.importance import described, drawn_intervals, permutation_importance
from assay.explain.screen import Unit
from assay.explain.subject import Subject
from assay.metrics import Floats, Indices, row_log_loss
from assay.table import Table

Mix = Callable[[Mapping[str, np.ndarray]], np.ndarray]
"""From log probabilities (..., C) by part to the probabilities of a candidate, (..., C)."""

MOST_ROWS = 300
MOST_COLUMNS = 20  # those that matter most to what ships
_SHUFFLES = 1
_N_RESAMPLES = 1000  # draws behind an interval
_CHANCE = 13  # keeps this source of chance apart from others of the same seed


class Overheard:
    """Measures candidates by the shuffles of columns that measure what ships.

    Args:
        candidates: How each makes probabilities of what the parts of the blend say.
        y: Classes of the N rows that are shuffled, (N,).
    """

    def __init__(self, candidates: Mapping[str, Mix], y: Indices) -> None:
        self._candidates = candidates
        self._rows = candidate_rows(len(y))
        self._y, self._n_rows = y[self._rows], len(y)
        self._logs: Mapping[str, np.ndarray] = {}
        self._losses: dict[str, dict[Unit, Floats]] = {name: {} for name in candidates}

    def hear(self, logs: Mapping[str, np.ndarray]) -> None:
        """Keep what was said last: log probabilities by part, (V * N, C)."""
        self._logs = logs

    def listen(self, units: Sequence[Unit]) -> None:
        """Note the losses of what was said last: `Listen` of `permutation_importance`."""
        few = {
            name: part.reshape(len(units), self._n_rows, -1)[:, self._rows]
            for name, part in self._logs.items()
        }  # (V * N, C) -> (V, N', C)
        self._logs = {}
        for name, mix in self._candidates.items():
            proba = mix(few)
            loss = row_log_loss(np.tile(self._y, len(units)), proba.reshape(-1, proba.shape[2]))
            self._losses[name] |= dict(zip(units, loss.reshape(len(units), -1), strict=True))

    def importance(
        self,
        shipped: Mapping[str, Any],
        *,
        confidence: float,
        groups: Indices | None = None,
        seed: int = 0,
    ) -> dict[str, dict[str, Any]]:
        """Return the importance of columns for each candidate, as `candidates_importance` does.

        Args:
            shipped: The importance for what ships; its first columns are told.
            confidence: Of the intervals.
            groups: Group of each of the N rows, (N,); whole groups are drawn together.
            seed: Of the draws: the same for all candidates.
        """
        units = [(one["column"], *one.get("with", [])) for one in shipped["columns"]]
        few = None if groups is None else groups[self._rows]
        found = {}
        for name, losses in self._losses.items():
            told = [unit for unit in units[:MOST_COLUMNS] if unit in losses]
            if not told:
                continue
            changes = [[losses[unit] - losses[()]] for unit in told]
            rng = np.random.default_rng([seed, _CHANCE])
            intervals = drawn_intervals(changes, few, confidence, _N_RESAMPLES, rng)
            increases = [
                (unit[0], interval, _SHUFFLES)
                for unit, interval in zip(told, intervals, strict=True)
            ]
            n_columns = sum(len(unit) for unit in told)
            found[name] = described(increases, told, len(self._y), confidence, n_columns)
        return found


def candidate_rows(n_rows: int) -> Any:
    """Return which of N rows the candidates are explained by: positions or a slice."""
    return sample_rows(n_rows, MOST_ROWS)


def candidates_importance(
    subjects: Mapping[str, Subject],
    raw: Table,
    y: Indices,
    shipped: Mapping[str, Any],
    *,
    confidence: float,
    groups: Indices | None = None,
    seed: int = 0,
    most_s: float | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the importance of columns for each candidate.

    Args:
        subjects: Each candidate, which predicts each of the N rows by fits that had left
            it out.
        raw: N raw rows.
        y: Their classes, (N,), as indices.
        shipped: The importance for what ships; its first columns are measured.
        confidence: Of the intervals.
        groups: Group of each row, (N,); whole groups are drawn together.
        seed: Of shuffles and draws: the same for all candidates.
        most_s: Seconds that all of them may take, about; None for no limit.

    Returns:
        For each candidate what `permutation_importance` returns, {} where nothing is to be
        measured.
    """
    listed = [[one["column"], *one.get("with", [])] for one in shipped["columns"]]
    columns = [name for names in listed[:MOST_COLUMNS] for name in names]
    if not columns:
        return {}
    return {
        name: permutation_importance(
            own,
            raw,
            y,
            columns=columns,
            n_shuffles=_SHUFFLES,
            confidence=confidence,
            groups=groups,
            seed=seed,
            most_s=None if most_s is None else most_s / len(subjects),
        )
        for name, own in subjects.items()
    }
