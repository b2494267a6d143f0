"""The guard: what is odd about the rows that a model is asked about.

Comes in: raw rows, a predictor and the reference of its training table. Goes out: for
each row, the cells that are unlike all that was learnt from. A prediction stands
either way; its flags say that it rests on less.
"""

from collections.abc import Collection, Iterator

import numpy as np
import polars as pl

from assay.predict import Predictor
from assay.read.cast import silently, strip_missing
from assay.read.plain import plain_series
from assay.reference import ColumnReference, Reference
from assay.schema import Kind
from assay.table import Table

MARGIN = 0.1
"""Part of the training table's range that a number or date may lie beyond its ends."""

UNSEEN_LEVEL = "unseen level"
OUT_OF_RANGE = "out of range"
NEWLY_MISSING = "missing, never before"
NOT_A_NUMBER = "not a number"
NOT_A_DATE = "not a date"


def row_flags(raw: Table, predictor: Predictor, reference: Reference) -> list[list[str]]:
    """Return what is odd about each row.

    A cell is flagged that does not fit its column and therefore counts as missing; that
    is missing where none was; that is a level which did not occur; or a number or date
    beyond the smallest or largest that occurred by more than a tenth of their distance.

    Args:
        raw: N raw rows.
        predictor: Casts them; cells that do not fit are no error here.
        reference: The training table.

    Returns:
        For each of N rows its flags in the order of the columns, such as
        ["Age: out of range", "Cabin: unseen level"].

    Raises:
        UserError: A column is missing.
    """
    flags: list[list[str]] = [[] for _ in range(raw.n_rows)]
    lenient = predictor.recipe.with_options({"predict.invalid": "missing"}, is_stored=True)
    with silently():  # predicting tells what was lost
        cast = predictor.preparation.cast(raw, lenient, is_training=False)
    listed = {feature.column: feature.levels for feature in predictor.encoder.categorical}
    present = set(raw.names)
    for column in reference.columns:
        cells = cast.column(column.name)
        given = raw.column(column.name) if column.name in present else cells
        found = _gaps(given, cells, column, missing=predictor.recipe.read.missing)
        for reason, is_odd in (*found, *_strangers(cells, column, listed.get(column.name))):
            flag = f"{column.name}: {reason}"
            for idx in np.flatnonzero(is_odd.to_numpy()):
                flags[idx].append(flag)
    return flags


def _gaps(
    given: pl.Series, cells: pl.Series, column: ColumnReference, *, missing: Collection[str]
) -> Iterator[tuple[str, pl.Series]]:
    """Yield cells that count as missing: those that do not fit, and those that are empty."""
    is_missing = cells.is_null()
    if not is_missing.any():
        return
    if column.kind in (Kind.NUMERIC, Kind.DATETIME):
        is_wrong = is_missing & _is_filled(given, missing)
        yield NOT_A_NUMBER if column.kind == Kind.NUMERIC else NOT_A_DATE, is_wrong
        is_missing = is_missing & ~is_wrong
    if column.n_missing == 0:
        yield NEWLY_MISSING, is_missing


def _is_filled(given: pl.Series, missing: Collection[str]) -> pl.Series:
    plain = plain_series(given)
    if plain.dtype == pl.String:
        return strip_missing(plain, missing).is_not_null()
    return (plain.fill_nan(None) if plain.dtype.is_float() else plain).is_not_null()


def _strangers(
    cells: pl.Series, column: ColumnReference, listed: Collection[str] | None
) -> Iterator[tuple[str, pl.Series]]:
    """Yield cells with a value unlike all that occurred.

    Args:
        cells: Cast, shape (N,).
        column: What occurred.
        listed: All levels that the encoder knows; None for what only expressions read.
    """
    if column.has_levels:
        if listed is not None or not column.n_others:
            known = pl.Series([*(listed or ()), *column.levels], dtype=pl.String)
            yield UNSEEN_LEVEL, cells.is_not_null() & ~cells.is_in(known.implode()).fill_null(True)
    elif column.points and column.kind != Kind.TEXT:
        low, high = column.points[0], column.points[-1]
        margin = MARGIN * high - MARGIN * low  # the difference itself may exceed float64
        values = cells.dt.epoch("us") if column.kind == Kind.DATETIME else cells
        values = values.cast(pl.Float64)
        yield OUT_OF_RANGE, ((values < low - margin) | (values > high + margin)).fill_null(False)
