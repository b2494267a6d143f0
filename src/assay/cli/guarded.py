"""Guarded prediction on the command line: what is odd about rows and table, told in lines.

Comes in: a model and the rows it was asked about, or an evaluation. Goes out: flags for
each row, and lines about flags, drift and the promise of the training.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assay.cli.layout import GAP, counted, cut, figure, heading, listing, table

if TYPE_CHECKING:
    import numpy as np

    from assay.cli.talk import Talk
    from assay.model import Model
    from assay.table import Table

LEAST_ROWS = 200
"""Fewer rows than this are not asked whether the table has drifted."""

_MOST_REASONS = 3


def guard_rows(model: "Model", rows: "Table", proba: "np.ndarray", talk: "Talk") -> list[list[str]]:
    """Return the flags of each row, and tell how many there are and of what sort.

    Args:
        model: The model.
        rows: N rows as read.
        proba: What was predicted for them, shape (N, C).
        talk: Is told.

    Raises:
        UserError: The model file keeps no summary of the training table.
    """
    flags = model.flags(rows)
    talk(_flags_line(flags))
    if rows.n_rows >= LEAST_ROWS:
        talk(_drift_line(model.drift(rows, proba)))
    return flags


def _flags_line(flags: Sequence[Sequence[str]]) -> str:
    """Return how many rows are flagged, and the commonest reasons."""
    n_flagged = sum(bool(one) for one in flags)
    told = f"{n_flagged:,} of {counted(len(flags), 'row')} flagged"
    reasons = Counter(flag for one in flags for flag in one).most_common()
    shown = [f"{flag} ({n:,})" for flag, n in reasons]
    return f"{told}: {listing(shown, limit=_MOST_REASONS)}" if shown else told


def _drift_line(found: Sequence[Mapping[str, Any]]) -> str:
    drifted = _drifted(found)
    if not drifted:
        return f"no drift in {counted(len(found), 'column')} since the training"
    shown = [f"{one['column']} (PSI {figure(one['psi'], 2)})" for one in drifted]
    told = f"{len(drifted)} of {counted(len(found), 'column')} drifted since the training"
    return f"{told}: {listing(shown)}"


def promise_lines(judged: Mapping[str, Any]) -> list[str]:
    """Return whether the model does on these rows what its training promised."""
    promise = judged.get("promise")
    return ["", heading("Promise"), GAP + promise["text"]] if promise else []


def drift_lines(judged: Mapping[str, Any]) -> list[str]:
    """Return the columns that have drifted, or that none has."""
    found: Sequence[Mapping[str, Any]] = judged.get("drift", ())
    tested = [one for one in found if one["test"] is not None]
    if not found:
        return []
    if not tested:
        return ["", heading("Drift"), GAP + found[0]["what"]]
    drifted = _drifted(found)
    if not drifted:
        told = f"none in {counted(len(tested), 'column')}, compared with the training table"
        return ["", heading("Drift"), GAP + told]
    rows = [[cut(one["column"]), figure(one["psi"], 2), cut(one["what"], 76)] for one in drifted]
    title = f"Drift: {len(drifted)} of {counted(len(tested), 'column')}"
    return ["", heading(title), *table(rows, header=["column", "PSI", "what"], numbers=[1])]


def _drifted(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    drifted = (one for one in found if one["is_drifted"])
    return sorted(drifted, key=lambda one: -one["psi"])
