"""Importance for each candidate, also those that do not ship: how they differ in what they use.

Comes in: ways to predict left-out rows by single candidates, and the importance of what
ships. Goes out: the same for each, of fewer rows, columns and shuffles, since nobody
trains to wait for it: 3 to 6 % of the time of a training.
"""

from collections.abc import Mapping
from typing import Any

from assay.deal import sample_rows
from assay.explain.importance import permutation_importance
from assay.explain.subject import Subject
from assay.metrics import Indices
from assay.table import Table

MOST_ROWS = 300
MOST_COLUMNS = 20  # those that matter most to what ships
_SHUFFLES = 1


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
