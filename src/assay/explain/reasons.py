"""Reasons: what each cell of a row does to its prediction.

Comes in: a subject, rows and the reference of the training table. Goes out: one figure
for each row and column, the **change** that the cell makes.

    change = log odds of the class with the row as it is
             - mean of its log odds with this one cell replaced by what the column
               usually holds, all other cells as they are

Log odds are log(p / (1 - p)) of the calibrated probability p of the class that is
explained. +0.69 doubles the odds of the class, -0.69 halves them. For a model that adds
up over columns, the changes of a row add up to the log odds less their mean, as Shapley
values do; for others, what two columns tell together is in both changes or in none.
(Replacing a feature to see the effect: Robnik-Šikonja & Kononenko 2008, IEEE Trans.
Knowl. Data Eng. 20:589, whose measure in log odds this is.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assay.errors import UserError, did_you_mean
from assay.explain.background import Background, background
from assay.explain.subject import Subject, columns_of, log_odds, stacked, with_cells, wording
from assay.metrics import Floats, Indices
from assay.reference import Reference
from assay.table import Table

N_BACKGROUND = 8  # on three tables within 1 to 2 % of 40; the first reason the same in 97 % of rows
MOST_COLUMNS = 50  # that are replaced one by one; of more, those that matter most
_SCREEN_ROWS = 100
_MOST_ROWS = 65_536  # made-up rows in one prediction
_MOST_CELLS = 8_000_000
_LEAST = 0.005  # a smaller change would read +0.00


@dataclass(frozen=True)
class Reasons:
    """Changes of N rows by J columns.

    Attributes:
        columns: Names of the J columns.
        classes: Names of the C classes.
        proba: Probabilities of the rows as they are, (N, C).
        class_idx: The class explained for each row, (N,).
        change: What each cell adds to the log odds of that class, (N, J).
        cells: The typed cells of the J columns.
    """

    columns: tuple[str, ...]
    classes: tuple[str, ...]
    proba: Floats
    class_idx: Indices
    change: Floats
    cells: pl.DataFrame

    def of_row(self, idx: int, *, top: int = 5) -> list[dict[str, Any]]:
        """Return the strongest reasons of a row, strongest first.

        Args:
            idx: The row, in [0, N).
            top: How many at most; changes that round to 0.00 are no reasons.

        Returns:
            [{"column", "cell" in words, "change"}].
        """
        change = self.change[idx]
        order = np.argsort(-np.abs(change), kind="stable")[:top]
        return [
            {
                "column": self.columns[column],
                "cell": wording(self.cells.item(idx, int(column))),
                "change": float(change[column]),
            }
            for column in order
            if abs(change[column]) >= _LEAST
        ]

    def to_list(self, *, top: int = 5) -> list[dict[str, Any]]:
        """Return for each row {"class", "probability", "reasons"}, as `of_row` tells them."""
        return [
            {
                "class": self.classes[class_idx],
                "probability": float(self.proba[idx, class_idx]),
                "reasons": self.of_row(idx, top=top),
            }
            for idx, class_idx in enumerate(self.class_idx.tolist())
        ]


def explain_rows(
    subject: Subject,
    raw: Table,
    reference: Reference | None = None,
    *,
    columns: Sequence[str] | None = None,
    class_name: str | None = None,
    n_background: int = N_BACKGROUND,
    order: Sequence[str] = (),
) -> Reasons:
    """Return what each cell does to the prediction of its row; see the module's text.

    Args:
        subject: What predicts.
        raw: N raw rows.
        reference: What columns usually hold; None for what these very rows hold.
        columns: Raw columns to explain by; by default all that are used, and of more
            than 50 those that matter most.
        class_name: The class to explain; by default the most probable one of each row.
        n_background: Values that a number or date is compared with, beside the missing
            one; twice as many for a level.
        order: Columns by importance, if known: says which 50 matter most. Otherwise
            100 rows are tried with the commonest cell in each column.

    Raises:
        UserError: No row, an unknown class, a column that is missing or not used.
    """
    if raw.n_rows == 0:
        raise UserError("the table has no rows", where=raw.source, fix="Give at least one row")
    chosen = subject.check_columns(subject.columns if columns is None else columns)
    typed = subject.typed(raw)
    rows, place = _distinct(typed, subject.columns)
    known = reference or Reference.fit(typed, subject.preparation.raw_schema)
    proba = subject.proba(rows)
    class_idx = _explained(proba, subject.classes, class_name)
    if columns is None and len(chosen) > MOST_COLUMNS:
        chosen = _most_important(subject, rows, class_idx, chosen, order, known)
    usual = [background(known, name, most=n_background) for name in chosen]
    change = _changes(subject, rows, class_idx, chosen, usual)
    return Reasons(
        columns=tuple(chosen),
        classes=subject.classes,
        proba=proba[place],
        class_idx=class_idx[place],
        change=change[place],
        cells=columns_of(typed.frame, chosen),
    )


def _distinct(typed: Table, columns: Sequence[str]) -> tuple[Table, Indices]:
    """Return rows that differ in what is looked at, and for each row which of them it is."""
    # Neutral names: a column may have any name, and one may look like a pattern.
    cells = [typed.column(name).alias(f"c{idx}") for idx, name in enumerate(columns)]
    frame = pl.DataFrame(cells).with_row_index("row")
    keys = [one.name for one in cells]
    rows = frame.group_by(keys, maintain_order=True).agg("row").get_column("row")
    first = rows.list.first().to_numpy()
    place = np.empty(typed.n_rows, dtype=np.intp)
    place[rows.explode().to_numpy()] = np.repeat(np.arange(len(rows)), rows.list.len().to_numpy())
    return typed.take(first), place


def _explained(proba: Floats, classes: Sequence[str], class_name: str | None) -> Indices:
    if class_name is None:
        most_probable: Indices = proba.argmax(axis=1)
        return most_probable
    name = str(class_name)
    if name not in classes:
        what = f"the model knows no class {name!r}"
        raise UserError(what, fix=did_you_mean(name, list(classes)))
    return np.full(len(proba), list(classes).index(name))


def _changes(
    subject: Subject,
    rows: Table,
    class_idx: Indices,
    columns: Sequence[str],
    usual: Sequence[Background],
) -> Floats:
    """Return the change of each cell, (N, J), some rows at a time."""
    most = max(1, min(_MOST_ROWS, _MOST_CELLS // max(len(rows.names), 1)))
    n_cells = max((len(one.cells) for one in usual), default=1)
    size = max(1, most // n_cells)
    change = np.zeros((rows.n_rows, len(columns)))
    for start in range(0, rows.n_rows, size):
        part = rows.with_frame(rows.frame.slice(start, size))
        wanted = class_idx[start : start + size]
        base = log_odds(subject.proba(part), wanted)
        for idx, (name, one) in enumerate(zip(columns, usual, strict=True)):
            replaced = _mean_log_odds(subject, part, wanted, base, name, one)
            change[start : start + size, idx] = base - replaced
    return change


def _mean_log_odds(
    subject: Subject, rows: Table, class_idx: Indices, base: Floats, name: str, usual: Background
) -> Floats:
    """Return the mean of the rows' log odds over what the column usually holds, (N,).

    Rows that hold a cell of the background already are not predicted again with it.
    """
    own = rows.frame.get_column(name)
    mean = np.zeros(rows.n_rows)
    parts, places = [], []
    for cell, share in zip(usual.cells.to_list(), usual.shares, strict=True):
        value = pl.Series(name, [cell], dtype=usual.cells.dtype)
        is_other = own.ne_missing(value.cast(own.dtype)).to_numpy()
        mean[~is_other] += share * base[~is_other]
        place = np.flatnonzero(is_other)
        if len(place):
            filled = value.cast(own.dtype).new_from_index(0, len(place))
            kept = rows.frame if len(place) == rows.n_rows else rows.frame.filter(is_other)
            parts.append(kept.with_columns(filled))
            places.append((place, share))
    if parts:
        every = np.concatenate([place for place, _ in places])
        found = log_odds(subject.proba(stacked(parts, rows.source)), class_idx[every])
        ends = np.cumsum([len(place) for place, _ in places])[:-1]
        for (place, share), values in zip(places, np.split(found, ends), strict=True):
            mean[place] += share * values
    return mean


def _most_important(
    subject: Subject,
    rows: Table,
    class_idx: Indices,
    columns: list[str],
    order: Sequence[str],
    reference: Reference,
) -> list[str]:
    """Return the columns to replace in a wide table, in the order of the schema."""
    known = [name for name in order if name in columns][:MOST_COLUMNS]
    if len(known) < MOST_COLUMNS:
        few = rows.with_frame(rows.frame.head(_SCREEN_ROWS))
        base = log_odds(subject.proba(few), class_idx[: few.n_rows])
        size = {}
        for name in columns:
            usual = background(reference, name, most=1)
            cell = usual.cells[:1].new_from_index(0, few.n_rows)
            found = subject.proba(with_cells(few, [cell.cast(few.column(name).dtype)]))
            moved = log_odds(found, class_idx[: few.n_rows])
            size[name] = float(np.abs(moved - base).mean())
        ranked = sorted(columns, key=lambda name: -size[name])
        known += [name for name in ranked if name not in known][: MOST_COLUMNS - len(known)]
    return [name for name in columns if name in known]
