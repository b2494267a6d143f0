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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assay.errors import UserError, did_you_mean
from assay.explain.background import Background, background
from assay.explain.subject import Subject, columns_of, log_odds, wording
from assay.explain.variants import Variants
from assay.metrics import Floats, Indices
from assay.reference import ColumnReference, Reference
from assay.table import Table

N_BACKGROUND = 8  # on three tables within 1 to 2 % of 40; the first reason the same in 97 % of rows
MOST_COLUMNS = 50  # that are replaced one by one; of more, those that matter most
_SCREEN_ROWS, _SCREEN_CELLS = 100, 100_000_000  # predicted from to find them
_TOGETHER = 64  # columns that are first replaced together where there are very many
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
            up to 100 rows are tried with the commonest cell in each column; of more than
            3,200 columns in 64 at a time first, then in each column of the 50 blocks
            that change most.

    Raises:
        UserError: No row, an unknown class, a column that is missing or not used.
    """
    if raw.n_rows == 0:
        raise UserError("the table has no rows", where=raw.source, fix="Give at least one row")
    chosen = subject.check_columns(subject.columns if columns is None else columns)
    typed = subject.typed(raw)
    rows, place = _distinct(typed, subject.columns)
    reference = reference or Reference.fit(typed, subject.preparation.raw_schema)
    known = {one.name: one for one in reference.columns}
    proba = subject.proba(rows)
    class_idx = _explained(proba, subject.classes, class_name)
    if columns is None and len(chosen) > MOST_COLUMNS:
        chosen = _most_important(subject, rows, class_idx, chosen, order, known)
    usual = [background(known, name, most=n_background) for name in chosen]
    change = _changes(subject, rows, class_idx, usual)
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
    usual: Sequence[Background],
) -> Floats:
    """Return the change of each cell, (N, J), some rows at a time."""
    most = max(1, min(_MOST_ROWS, _MOST_CELLS // max(len(rows.names), 1)))
    n_cells = max((len(one.cells) for one in usual), default=1)
    size = max(1, most // n_cells)
    change = np.zeros((rows.n_rows, len(usual)))
    for start in range(0, rows.n_rows, size):
        variants = Variants(subject, rows.with_frame(rows.frame.slice(start, size)))
        wanted = class_idx[start : start + size]
        base = log_odds(variants.proba([()]), wanted)
        for idx, one in enumerate(usual):
            change[start : start + size, idx] = _change(variants, wanted, base, one)
    return change


def _change(variants: Variants, class_idx: Indices, base: Floats, usual: Background) -> Floats:
    """Return the mean of base less the log odds with what a column usually holds, (N,).

    Rows that hold a cell of the background already are not predicted again with it.
    """
    own = variants.rows.frame.get_column(usual.cells.name)
    cells = usual.cells.cast(own.dtype)
    columns = [cells[idx : idx + 1].new_from_index(0, len(own)) for idx in range(len(cells))]
    is_other = np.stack([own.ne_missing(column).to_numpy() for column in columns])
    change = np.zeros(is_other.shape)  # (M, N)
    if is_other.any():
        found = variants.proba([[column] for column in columns], is_other)
        every = np.nonzero(is_other)[1]
        change[is_other] = base[every] - log_odds(found, class_idx[every])
    summed: Floats = usual.shares @ change
    return summed


def _most_important(
    subject: Subject,
    rows: Table,
    class_idx: Indices,
    columns: list[str],
    order: Sequence[str],
    known: Mapping[str, ColumnReference],
) -> list[str]:
    """Return the columns to replace in a wide table, in the order of the schema."""
    names = set(columns)
    chosen = [name for name in order if name in names][:MOST_COLUMNS]
    if len(chosen) < MOST_COLUMNS:
        names -= set(chosen)
        others = [name for name in columns if name in names]
        n_left = MOST_COLUMNS - len(chosen)
        chosen += _most_changing(subject, rows, class_idx, others, known)[:n_left]
    wanted = set(chosen)
    return [name for name in columns if name in wanted]


def _most_changing(
    subject: Subject,
    rows: Table,
    class_idx: Indices,
    columns: list[str],
    known: Mapping[str, ColumnReference],
) -> list[str]:
    """Return the columns whose commonest cell changes the rows most, strongest first."""
    is_many = len(columns) > MOST_COLUMNS * _TOGETHER
    n_tries = len(columns) // _TOGETHER + MOST_COLUMNS * _TOGETHER if is_many else len(columns)
    n_few = _SCREEN_CELLS // (n_tries * len(rows.names))
    few = rows.with_frame(rows.frame.head(min(max(n_few, 1), _SCREEN_ROWS)))
    variants, wanted = Variants(subject, few), class_idx[: few.n_rows]
    base = log_odds(variants.proba([()]), wanted)

    def size(names: Sequence[str]) -> float:
        cells = []
        for name in names:
            usual = background(known, name, most=1).cells[:1]
            cells.append(usual.cast(few.column(name).dtype).new_from_index(0, few.n_rows))
        moved = log_odds(variants.proba([cells]), wanted)
        return float(np.abs(moved - base).mean())

    if is_many:
        starts = range(0, len(columns), _TOGETHER)
        blocks = sorted((columns[idx : idx + _TOGETHER] for idx in starts), key=size, reverse=True)
        columns = [name for block in blocks[:MOST_COLUMNS] for name in block]
    return sorted(columns, key=lambda name: size([name]), reverse=True)
