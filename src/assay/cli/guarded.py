"""Guarded prediction on the command line: what is odd about rows and table, told in lines.

Comes in: a model and the rows it was asked about, or an evaluation. Goes out: flags for
each row, and lines about flags, drift and the promise of the training.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assay.cli.layout import GAP, counted, cut, figure, heading, listing, ranged, table
from assay.cli.output import one_line

if TYPE_CHECKING:
    import numpy as np

    from assay.cli.talk import Talk
    from assay.model import Model
    from assay.table import Table

LEAST_ROWS = 200
"""Fewer rows than this are not asked whether the table has drifted."""

_MOST_REASONS = 3
_DECISIONS = ("cost", "threshold", "conformal", "abstention")
_PREDICTION = "prediction"  # kind of the entry that is no column


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
        talk(drift_line(model.drift(rows, proba)))
    return flags


def _flags_line(flags: Sequence[Sequence[str]]) -> str:
    """Return how many rows are flagged, and the commonest reasons."""
    n_flagged = sum(bool(one) for one in flags)
    told = f"{n_flagged:,} of {counted(len(flags), 'row')} flagged"
    reasons = Counter(flag for one in flags for flag in one).most_common()
    shown = [f"{flag} ({n:,})" for flag, n in reasons]
    return f"{told}: {listing(shown, limit=_MOST_REASONS)}" if shown else told


def drift_line(found: Sequence[Mapping[str, Any]]) -> str:
    """Return which columns have drifted, as `Model.drift` gives them, or that none has."""
    tested = _tested(found)
    if not tested:
        return f"drift not judged: {found[0]['what'] if found else 'no column to compare'}"
    drifted = _drifted(found)
    if not drifted:
        return f"no drift in {_compared(tested)} since the training"
    shown = [f"{one['column']} (PSI {figure(one['psi'], 2)})" for one in drifted]
    return f"{_share_drifted(tested)} drifted since the training: {listing(shown)}"


def one_class_lines(judged: Mapping[str, Any]) -> list[str]:
    """Return that all rows are of one class, so that most scores say nothing."""
    note = judged.get("note")
    return [one_line(note), ""] if note else []


def decision_lines(judged: Mapping[str, Any]) -> list[str]:
    """Return what the model's decisions did on these rows, a sentence each."""
    from assay.cli.compared import wrapped

    told = judged.get("decisions") or {}
    texts = [told[name]["text"] for name in _DECISIONS if name in told]
    if not texts:
        return []
    return ["", heading("Decisions"), *(line for text in texts for line in wrapped(text))]


def flag_lines(judged: Mapping[str, Any]) -> list[str]:
    """Return how many rows are unlike all that was learnt from, and how the model does there."""
    from assay.cli.compared import wrapped

    told = judged.get("flags")
    if not told:
        return []
    lines = ["", heading("Flags")]
    if not told["n_flagged"]:
        return [*lines, f"{GAP}no row is unlike what was learnt from"]
    shown = [f"{one['flag']} ({one['n']:,})" for one in told["reasons"]]
    text = (
        f"{told['n_flagged']:,} of {counted(told['n_rows'], 'row')} unlike what was learnt "
        f"from: {listing(shown, limit=_MOST_REASONS)}"
    )
    accuracy = told["accuracy"]
    compared = f"accuracy of these rows {ranged(accuracy['flagged'])}"
    if told["n_flagged"] < told["n_rows"]:
        compared += f", of the others {ranged(accuracy['others'])}"
    return [*lines, *wrapped(text), *wrapped(compared)]


def promise_lines(judged: Mapping[str, Any]) -> list[str]:
    """Return whether the model does on these rows what its training promised."""
    promise = judged.get("promise")
    return ["", heading("Promise"), GAP + promise["text"]] if promise else []


def drift_lines(judged: Mapping[str, Any]) -> list[str]:
    """Return the columns that have drifted, or that none has."""
    found: Sequence[Mapping[str, Any]] = judged.get("drift", ())
    tested = _tested(found)
    if not found:
        return []
    if not tested:
        return ["", heading("Drift"), GAP + found[0]["what"]]
    drifted = _drifted(found)
    if not drifted:
        told = f"none in {_compared(tested)}, compared with the training table"
        return ["", heading("Drift"), GAP + told]
    rows = [[cut(one["column"]), figure(one["psi"], 2), cut(one["what"], 76)] for one in drifted]
    title = heading(f"Drift: {_share_drifted(tested)}")
    return ["", title, *table(rows, header=["column", "PSI", "what"], numbers=[1])]


def _tested(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one for one in found if one["test"] is not None]


def _compared(tested: Sequence[Mapping[str, Any]]) -> str:
    """Return what was compared: columns, and apart from them the predicted classes."""
    n_columns = sum(one["kind"] != _PREDICTION for one in tested)
    told = counted(n_columns, "column")
    return told if n_columns == len(tested) else f"{told} and the predicted classes"


def _share_drifted(tested: Sequence[Mapping[str, Any]]) -> str:
    """Return how many columns have drifted, and whether the predicted classes have."""
    columns = [one for one in tested if one["kind"] != _PREDICTION]
    n_drifted = sum(one["is_drifted"] for one in columns)
    told = f"{n_drifted or 'none'} of {counted(len(columns), 'column')}"
    has_moved = any(one["is_drifted"] for one in tested if one["kind"] == _PREDICTION)
    if not has_moved:
        return told
    return f"{told} and the predicted classes" if n_drifted else "the predicted classes alone"


def _drifted(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    drifted = (one for one in found if one["is_drifted"])
    return sorted(drifted, key=lambda one: -one["psi"])
