"""From a raw table and a schema to typed columns in the schema's order.

The encoders see only what leaves here: numbers as Float64 with null for
missing, levels and text as String, times as Datetime without a zone. What is lost
in a table that is predicted is logged; in training the ledger is told of it.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

import polars as pl

from assay.errors import UserError, did_you_mean
from assay.read.dates import parse_any_dates, parse_dates, parse_dates_like
from assay.read.floats import count_infinite, without_nan
from assay.read.numbers import parse_numbers
from assay.read.plain import as_text, plain_series, without_zone
from assay.read.wording import counted, quoted
from assay.recipe import Recipe
from assay.schema import ColumnSpec, Kind, NumberFormat, Schema
from assay.table import Table

_FEW_CELLS = 4096  # columns are read together up to this many
_WITH_LEVELS = (Kind.CATEGORICAL, Kind.BOOLEAN, Kind.CONSTANT)
_EMPTY_DTYPE = {Kind.NUMERIC: pl.Float64(), Kind.DATETIME: pl.Datetime("us")}
_CLEAR_DATE = "%Y-%m-%d"  # asked for where several formats are read
_LOG = logging.getLogger("assay")
_is_silent = ContextVar("_is_silent", default=False)


def apply_schema(table: Table, schema: Schema, recipe: Recipe, *, is_training: bool) -> Table:
    """Turn a raw table into the typed columns of a schema.

    Args:
        table: Raw columns in any order; columns that the schema does not name
            are left out.
        schema: What to make of them.
        recipe: Missing markers, decimal mark, `read.infinite`,
            `predict.missing_columns` and `predict.invalid` are read.
        is_training: Whether the schema was made from this very table. If not,
            infinite numbers count as missing, `predict.missing_columns` may fill
            absent columns and `predict.invalid` cells that do not fit, and a warning
            is logged for each column that loses cells by it, as by cells that do not
            fit where some did not before.

    Returns:
        A table with exactly the schema's columns, in its order: numeric
        Float64; categorical, boolean and text String; datetime Datetime("us");
        identifier and constant String. Missing is null everywhere.

    Raises:
        UserError: Columns are missing; a cell is not a number or a date in a
            column where all were (`n_invalid` = 0); a number is infinite while
            training.

    Example:
        >>> table = Table(pl.DataFrame({"age": ["31", "?"]}), source="people.csv")
        >>> spec = ColumnSpec(name="age", kind=Kind.NUMERIC, reason="numbers")
        >>> apply_schema(table, Schema((spec,)), Recipe(), is_training=True).column("age").to_list()
        [31.0, None]
    """
    fills = not is_training and recipe.predict.missing_columns == "fill"
    _check_columns(table, schema, fills=fills)
    present = set(table.names)
    columns = {}
    for specs in _batches(schema.columns, table.n_rows):
        cells = {spec.name: _cells(table, spec, is_present=spec.name in present)
                 for spec in specs}  # fmt: skip
        cells |= _levels_together(specs, cells, recipe.read.missing)
        for spec in specs:
            if spec.name not in present and spec.kind.is_feature:
                _warn(table.source, spec.name, "it is absent, all its cells read as missing")
            own = cells[spec.name]
            columns[spec.name] = _typed(own, spec, recipe, table.source, is_training)
    return table.with_frame(pl.DataFrame(columns))


@contextmanager
def silently() -> Iterator[None]:
    """Let `apply_schema` log nothing: the rows are made up, nobody's cells are lost.

    Example:
        >>> spec = ColumnSpec(name="x", kind=Kind.NUMERIC, reason="numbers")
        >>> made_up = Table(pl.DataFrame({"x": [float("inf")]}))
        >>> with silently():
        ...     apply_schema(made_up, Schema((spec,)), Recipe(), is_training=False).n_rows
        1
    """
    token = _is_silent.set(True)
    try:
        yield
    finally:
        _is_silent.reset(token)


def canonical_levels(series: pl.Series, missing: Collection[str]) -> pl.Series:
    """Write the values of a column as level names, the same for every source.

    Text loses outer spaces; whole numbers lose ".0", so that 3, 3.0 and "3.0"
    are one level; truth values are "true" and "false" however capitalised;
    times are ISO 8601. NaN and the missing markers become null.

    Args:
        series: Shape (N,), any dtype.
        missing: Markers of missing values, compared after stripping.

    Returns:
        Shape (N,), String.

    Example:
        >>> canonical_levels(pl.Series([3.0, None, 2.5]), ()).to_list()
        ['3', None, '2.5']
        >>> canonical_levels(pl.Series([" x", "?", "True"]), {"?"}).to_list()
        ['x', None, 'true']
    """
    series = plain_series(series)
    if series.dtype == pl.String:
        return _text_levels(series, missing)
    return as_text(series)


def strip_missing(series: pl.Series, missing: Collection[str]) -> pl.Series:
    """Strip outer spaces of a String series and turn missing markers into null."""
    stripped = series.str.strip_chars()
    if not missing:
        return stripped
    is_marker = stripped.is_in(_imploded(tuple(missing)))
    # Most columns hold none: asking first saves half of the time of short ones.
    return stripped.set(is_marker.fill_null(False), None) if is_marker.any() else stripped


@lru_cache(maxsize=8)
def _imploded(words: tuple[str, ...]) -> pl.Series:
    return pl.Series(words, dtype=pl.String).implode()


def _text_levels(series: pl.Series, missing: Collection[str]) -> pl.Series:
    text = strip_missing(series, missing)
    # Both rules look at one cell only, so one row reads like the whole table.
    is_whole = text.str.contains(r"^-?\d+\.0$")
    if is_whole.any():
        text = text.str.replace(r"^(-?\d+)\.0$", "$1")
    lowered = text.str.to_lowercase()
    is_truth = lowered.is_in(["true", "false"]).fill_null(False)
    return lowered.zip_with(is_truth, text) if is_truth.any() else text


def _check_columns(table: Table, schema: Schema, *, fills: bool) -> None:
    present = set(table.names)
    absent = [spec for spec in schema.features if spec.name not in present]
    if not absent or fills:
        return
    shown = _listed([spec.name for spec in absent], 20)
    free = [name for name in table.names if name not in schema]
    hint = did_you_mean(absent[0].name, free) or ""
    if not hint.endswith("?"):  # none is near
        hint = f"It has {_listed(table.names, 8)}." if table.names else "The table has no columns."
    what, it = f"the column {shown} that the model reads", "it"
    if len(absent) > 1:
        what, it = f"{len(absent)} columns that the model reads: {shown}", "them"
    raise UserError(
        f"the table lacks {what}",
        where=table.source,
        fix=f"{hint} Otherwise add {it}, or read {it} as "
        f'missing with --fill-missing (predict.missing_columns = "fill")',
    )


def _listed(names: Sequence[str], limit: int) -> str:
    shown = ", ".join(repr(name) for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def _batches(specs: Sequence[ColumnSpec], n_rows: int) -> Iterator[Sequence[ColumnSpec]]:
    """Part columns: those of a long table one by one, so that one is in memory twice."""
    size = max(_FEW_CELLS // max(n_rows, 1), 1)
    return (specs[first : first + size] for first in range(0, len(specs), size))


def _cells(table: Table, spec: ColumnSpec, *, is_present: bool) -> pl.Series:
    """Return the plain cells of a column, missing ones where it is absent."""
    if is_present:
        return plain_series(table.column(spec.name))
    return pl.Series(spec.name, [None] * table.n_rows, dtype=pl.String)


def _levels_together(
    specs: Sequence[ColumnSpec], cells: Mapping[str, pl.Series], missing: Collection[str]
) -> dict[str, pl.Series]:
    """Return the levels of those columns that hold texts, read in one go.

    A call of Polars takes as long for a cell as for a thousand, and to read a text takes
    six: a record of 20 texts would spend nearly all its time on them.
    """
    own = [
        spec for spec in specs if spec.kind in _WITH_LEVELS and cells[spec.name].dtype == pl.String
    ]
    if not own:
        return {}
    n_rows = len(cells[own[0].name])
    read = _text_levels(pl.concat([cells[spec.name] for spec in own]), missing)
    return {
        spec.name: read[idx * n_rows : (idx + 1) * n_rows].rename(spec.name)
        for idx, spec in enumerate(own)
    }


def _typed(
    series: pl.Series, spec: ColumnSpec, recipe: Recipe, source: str, is_training: bool
) -> pl.Series:
    missing = recipe.read.missing
    is_empty = series.dtype == pl.String and series.null_count() == len(series)
    if is_empty and spec.kind in _EMPTY_DTYPE:
        return pl.Series(series.name, [None] * len(series), dtype=_EMPTY_DTYPE[spec.kind])
    if spec.kind == Kind.NUMERIC:
        return _numeric(series, spec, recipe, source, is_training)
    if spec.kind == Kind.DATETIME:
        return _datetime(series, spec, recipe, source, is_training)
    if spec.kind == Kind.IDENTIFIER:
        return as_text(series)
    if spec.kind == Kind.TEXT:
        if series.dtype != pl.String:
            return as_text(series)
        return series.set(strip_missing(series, missing).is_null(), None)
    levels = as_text(series)  # texts are levels already
    return levels.str.to_lowercase() if spec.kind == Kind.BOOLEAN else levels


def _numeric(
    series: pl.Series, spec: ColumnSpec, recipe: Recipe, source: str, is_training: bool
) -> pl.Series:
    if series.dtype == pl.String:
        text = strip_missing(series, recipe.read.missing)
        number_format = spec.number_format or default_number_format(recipe)
        values = parse_numbers(text, number_format)
        is_bad = _unparsed(text, values)
        if not _is_lenient(recipe, is_training):
            _check_parsed(text, is_bad, spec, source, "a number")
        if not is_training:
            _warn_lost(text.filter(is_bad), spec, source, "not a number")
    elif series.dtype.is_numeric() or series.dtype == pl.Boolean:
        values = series.cast(pl.Float64)
    elif _is_lenient(recipe, is_training) or _is_all_missing(series, is_training):
        _warn_lost(as_text(series).drop_nulls(), spec, source, "not a number")
        values = pl.Series(series.name, [None] * len(series), dtype=pl.Float64)
    else:
        raise _wrong_type(series, spec, source, "numbers")
    values = without_nan(values)
    if not count_infinite(values):
        return values
    if is_training and recipe.read.infinite == "error":
        raise infinite_error(values, spec.name, source)
    is_infinite = values.is_infinite().fill_null(False)
    if not is_training:
        _warn_lost(values.filter(is_infinite), spec, source, "infinite")
    return values.set(is_infinite, None)


def _datetime(
    series: pl.Series, spec: ColumnSpec, recipe: Recipe, source: str, is_training: bool
) -> pl.Series:
    if series.dtype == pl.String:
        text = strip_missing(series, recipe.read.missing)
        date_format = spec.datetime_format
        if not date_format:
            values = parse_any_dates(text)
        else:
            parse = parse_dates if is_training else parse_dates_like
            values = parse(text, date_format)
        is_bad = _unparsed(text, values)
        if not _is_lenient(recipe, is_training):
            _check_parsed(
                text, is_bad, spec, source, f"a date written as {date_format or _CLEAR_DATE!r}"
            )
        if not is_training:
            _warn_lost(text.filter(is_bad), spec, source, "not a date")
        return values
    if isinstance(series.dtype, pl.Datetime) or series.dtype == pl.Date:
        return without_zone(series.cast(pl.Datetime("us")) if series.dtype == pl.Date else series)
    if _is_lenient(recipe, is_training) or _is_all_missing(series, is_training):
        _warn_lost(as_text(series).drop_nulls(), spec, source, "not a date")
        return pl.Series(series.name, [None] * len(series), dtype=pl.Datetime("us"))
    raise _wrong_type(series, spec, source, "dates")


def default_number_format(recipe: Recipe) -> NumberFormat:
    """Return the format of numbers as text when none was found: the recipe's decimal mark."""
    return NumberFormat(decimal="," if recipe.read.decimal == "," else ".")


def infinite_error(values: pl.Series, name: str, source: str) -> UserError:
    """Say where the first infinite number of a Float64 series stands."""
    row = int(values.is_infinite().fill_null(False).arg_max() or 0)
    return UserError(
        f"{values[row]} is not a finite number",
        where=f"{source}, row {row + 1}, column {name!r}",
        fix='Correct the cell, or set read.infinite = "missing"',
    )


def _is_lenient(recipe: Recipe, is_training: bool) -> bool:
    """Whether cells that do not fit their column become missing rather than an error."""
    return not is_training and recipe.predict.invalid == "missing"


def _is_all_missing(series: pl.Series, is_training: bool) -> bool:
    """Whether a new table holds nothing here, of which pandas makes NaN, a number."""
    return not is_training and as_text(series).null_count() == len(series)


def _unparsed(text: pl.Series, values: pl.Series) -> pl.Series:
    """Return which cells do not parse, shape (N,)."""
    return text.is_not_null() & values.is_null()


def _check_parsed(
    text: pl.Series, is_bad: pl.Series, spec: ColumnSpec, source: str, expected: str
) -> None:
    """Allow no cell that does not parse, unless some did not before."""
    if is_bad.any() and not spec.n_invalid:
        row = int(is_bad.arg_max() or 0)
        option = "missing value or a kind of its own"
        raise UserError(
            f"{quoted([text[row]])} is not {expected}",
            where=f"{source}, row {row + 1}, column {spec.name!r}",
            fix=f"Correct the cell, or declare it as a {option} (read.missing, kinds)",
        )


def _warn_lost(cells: pl.Series, spec: ColumnSpec, source: str, reason: str) -> None:
    if len(cells):
        shown = quoted(cells.unique(maintain_order=True).to_list())
        text = f"{counted(len(cells), 'cell')} read as missing, {reason}: {shown}"
        _warn(source, spec.name, text)


def _warn(source: str, name: str, text: str) -> None:
    if not _is_silent.get():
        _LOG.warning("%s, column %r: %s", source, name, text)


def _wrong_type(series: pl.Series, spec: ColumnSpec, source: str, expected: str) -> UserError:
    return UserError(
        f"{expected} are expected, the column holds {series.dtype}",
        where=f"{source}, column {spec.name!r}",
        fix=f"Give {expected}, as in the table the schema was made from",
    )
