"""The rules that turn what is seen of one column into its kind.

`look_at` measures a column once, `guess` walks the rules from the surest to
the last resort, `specify` writes down a kind with its figures.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from assay.read.cast import strip_missing
from assay.read.dates import DateFormat, find_date_format, parse_dates
from assay.read.floats import are_whole, count_infinite, without_nan
from assay.read.numbers import find_number_format, parse_numbers
from assay.read.plain import as_text, plain_series
from assay.read.wording import counted, other_offsets
from assay.schema import ColumnSpec, Kind, NumberFormat

MIN_PARSED = 0.99
"""Share of cells that must read as numbers or dates for the column to be so."""

MIN_TEXT_LEVELS = 50
"""Columns with at most this many levels are categorical, however long the words."""

MAX_CODE_LEVELS = 200
_MIN_IDENTIFIER_ROWS = 20
_MIN_TEXT_WORDS = 4.0

_TRUTH = ({"yes", "no"}, {"true", "false"}, {"t", "f"}, {"y", "n"}, {"on", "off"})
_ID_NAME = re.compile(r"(?i:(?:^|_|\b)(?:id|uuid|guid|key|index|rownum|no|nr)$)|[a-z](?:Id|ID)$")
_PURE_ID_NAME = re.compile(r"(?i:(?:^|_|\b)id$)|[a-z](?:Id|ID)$")
_ROW_NAME = re.compile(r"|Unnamed: 0|index|column_1|row_name")
_CODE_NAME = re.compile(
    r"(?i)zip|post_?(?:al_?)?code|phone|(?:^|_|\b)(?:code|cd|fips|naics|sic|area_?code)$|[a-z]Code$"
)
_UTC_ZONES = ("UTC", "Etc/UTC", "GMT", "Etc/GMT")
_UTC_OFFSET = r"(?:[Zz]|[+-]00(?::?00)?)$"
_HASH = r"^(?:[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}|[0-9a-f]{24,64})$"


@dataclass
class Column:
    """One column and what was measured of it; costly figures wait to be asked.

    Attributes:
        name: Its name.
        series: Shape (N,), plain dtype (see `plain_series`).
        text: For text, stripped, missing markers null; otherwise `series`
            with NaN as null.
        decimal: Decimal mark of the table, or "auto".
    """

    name: str
    series: pl.Series
    text: pl.Series
    decimal: str

    @property
    def is_text(self) -> bool:
        """Whether the cells are strings."""
        return self.series.dtype == pl.String

    @property
    def is_temporal(self) -> bool:
        """Whether the cells are dates or datetimes."""
        return isinstance(self.series.dtype, pl.Datetime) or self.series.dtype == pl.Date

    @property
    def n_missing(self) -> int:
        """Cells that are null, NaN or a missing marker."""
        return self.text.null_count()

    @property
    def n_present(self) -> int:
        """Cells that are not missing."""
        return len(self.text) - self.n_missing

    @cached_property
    def levels(self) -> pl.Series:
        """Distinct values that are not missing, in order of appearance."""
        return self.text.drop_nulls().unique(maintain_order=True)

    @cached_property
    def n_unique(self) -> int:
        """Distinct values that are not missing."""
        return self.text.n_unique() - (self.n_missing > 0)

    @cached_property
    def number_format(self) -> NumberFormat | None:
        """Format of numbers as text; None where most cells are no numbers."""
        if not self.is_text or not self.n_present:
            return None
        if self.decimal != ",":
            if self._is_plain(self.text.head(1000)) and self._is_plain(self.text):
                return NumberFormat()
        elif self._is_plain(self.levels) and not self.levels.str.contains("[.]").any():
            return NumberFormat(decimal=",")
        tried = self.levels.head(5000)
        found = find_number_format(tried, decimal=self.decimal)
        if found is None and self.decimal == ",":
            found = find_number_format(tried)
        return found

    def _is_plain(self, values: pl.Series) -> bool:
        n_present = len(values) - values.null_count()
        n_bad = values.cast(pl.Float64, strict=False).null_count() - values.null_count()
        return n_bad <= (1 - MIN_PARSED) * n_present

    @cached_property
    def numbers(self) -> pl.Series:
        """The cells as Float64, null where missing or not a number."""
        if self.is_text:
            values = parse_numbers(self.text, self.number_format or NumberFormat())
        elif self.series.dtype.is_numeric() or self.series.dtype == pl.Boolean:
            return self.text.cast(pl.Float64)  # without NaN already
        else:
            values = pl.Series(self.name, [None] * len(self.series), dtype=pl.Float64)
        return without_nan(values)

    @cached_property
    def is_numeric(self) -> bool:
        """Whether nearly all cells are numbers."""
        if not self.is_text:
            return self.series.dtype.is_numeric()
        if self.number_format is None:
            return False
        return self.n_invalid_numbers <= (1 - MIN_PARSED) * self.n_present

    @cached_property
    def n_invalid_numbers(self) -> int:
        """Cells that are not missing and not a number ("nan" counts as missing)."""
        n_lost = self.numbers.null_count() - self.n_missing
        if n_lost <= 0 or not self.is_text:
            return 0
        is_nan = self.text.str.to_lowercase().is_in(["nan", "-nan"])
        return n_lost - int(is_nan.sum())

    @cached_property
    def n_infinite(self) -> int:
        """Infinite numbers."""
        return count_infinite(self.numbers)

    @cached_property
    def is_whole(self) -> bool:
        """Whether all numbers are integers."""
        if self.series.dtype.is_integer():
            return True
        return are_whole(self.numbers)

    @cached_property
    def dates(self) -> DateFormat | None:
        """Format of dates as text; None where most cells are no dates."""
        return find_date_format(self.levels) if self.is_text else None

    @cached_property
    def moments(self) -> pl.Series:
        """The cells as datetimes, null where missing or not a date."""
        if self.is_text and self.dates is not None:
            return parse_dates(self.text, self.dates.format)
        if self.is_temporal:
            return self.text
        return pl.Series(self.name, [None] * len(self.text), dtype=pl.Datetime("us"))

    def why_utc(self, spec: ColumnSpec) -> str:
        """Return what zone or offsets the cells lose as features, or "" where none."""
        dtype = self.series.dtype
        if isinstance(dtype, pl.Datetime) and dtype.time_zone not in (None, *_UTC_ZONES):
            return f"the column's zone is {dtype.time_zone}"
        if spec.kind != Kind.DATETIME or not (spec.datetime_format or "").endswith("%z"):
            return ""
        moved = self.text.filter(~self.text.str.contains(_UTC_OFFSET).fill_null(True))
        return other_offsets(moved.to_list()) if len(moved) else ""

    def invalid(self, spec: ColumnSpec, *, limit: int) -> list[str]:
        """Return some distinct cells that do not fit the spec's kind."""
        read = self.numbers if spec.kind == Kind.NUMERIC else self.moments
        cells = self.text.filter(self.text.is_not_null() & read.is_null())
        return [str(cell) for cell in cells.unique(maintain_order=True).head(limit)]


def look_at(series: pl.Series, missing: Collection[str], decimal: str) -> Column:
    """Prepare a column for the rules.

    Args:
        series: Shape (N,), any dtype.
        missing: Markers of missing values in text.
        decimal: Decimal mark of the table, or "auto".
    """
    plain = plain_series(series)
    is_text = plain.dtype == pl.String
    text = strip_missing(plain, missing) if is_text else without_nan(plain)
    return Column(name=series.name, series=plain, text=text, decimal=decimal)


def guess(column: Column) -> ColumnSpec:
    """Choose the kind of a column.

    Example:
        >>> guess(look_at(pl.Series("ok", ["Yes", "no", "no"]), (), "auto")).reason
        "the two words 'Yes' and 'no'"
    """
    if column.n_present == 0:
        return specify(column, Kind.CONSTANT, "no value at all")
    if column.n_unique == 1 and column.n_missing == 0:
        only = as_text(column.levels)[0]
        return specify(column, Kind.CONSTANT, f"every cell is {_shown(only)}")
    if column.is_temporal:
        return specify(column, Kind.DATETIME, f"stored as {column.series.dtype}")
    for rule in (_as_boolean, _as_code, _as_identifier_number, _as_number, _as_date):
        spec = rule(column)
        if spec is not None:
            return spec
    return _as_words(column)


def specify(column: Column, kind: Kind, reason: str) -> ColumnSpec:
    """Write down a kind with the column's figures."""
    number_format = date_format = None
    n_invalid = 0
    if kind == Kind.NUMERIC:
        number_format = (column.number_format or NumberFormat()) if column.is_text else None
        n_invalid = column.n_invalid_numbers
    elif kind == Kind.DATETIME:
        date_format = column.dates.format if column.dates else None
        n_invalid = column.moments.null_count() - column.n_missing
    return ColumnSpec(
        name=column.name,
        kind=kind,
        reason=reason,
        n_missing=column.n_missing,
        n_unique=column.n_unique,
        n_invalid=n_invalid,
        number_format=number_format,
        datetime_format=date_format,
    )


def _as_boolean(column: Column) -> ColumnSpec | None:
    if column.series.dtype == pl.Boolean:
        return specify(column, Kind.BOOLEAN, "stored as truth values")
    if not column.is_text or column.n_unique > 6:
        return None
    words = column.levels.to_list()
    if {word.lower() for word in words} not in _TRUTH:
        return None
    shown = " and ".join(repr(word) for word in words[:2])
    return specify(column, Kind.BOOLEAN, f"the two words {shown}")


def _as_code(column: Column) -> ColumnSpec | None:
    if not column.is_numeric:
        return None
    n = column.n_unique
    if column.is_text and _has_leading_zeros(column):
        if _is_distinct(column):
            return specify(column, Kind.IDENTIFIER, f"digits with leading zeros, {_all(column)}")
        return specify(column, Kind.CATEGORICAL, f"{counted(n, 'code')} with leading zeros")
    if not column.is_whole or column.n_infinite:
        return None
    if _CODE_NAME.search(column.name) and n > 2 and n < 0.5 * _span(column):
        return specify(column, Kind.CATEGORICAL, f"{n} codes, by its name and the gaps between")
    if not _PURE_ID_NAME.search(column.name) or _is_distinct(column) or column.n_present < 2:
        return None
    if n <= max(MAX_CODE_LEVELS, 0.05 * column.n_present):
        return specify(
            column, Kind.CATEGORICAL, f"{counted(n, 'recurring identifier')}, by its name"
        )
    if n < 0.05 * column.n_present or column.n_present < _MIN_IDENTIFIER_ROWS:
        return None
    return specify(
        column,
        Kind.IDENTIFIER,
        f"its name, and {counted(n, 'distinct value')} in {column.n_present} cells; "
        "perhaps a group",
    )


def _as_identifier_number(column: Column) -> ColumnSpec | None:
    if not column.is_numeric or not column.is_whole or column.n_infinite:
        return None
    if not _is_distinct(column):
        return None
    if _ROW_NAME.fullmatch(column.name) and _span(column) <= 1.1 * column.n_present:
        return specify(column, Kind.IDENTIFIER, f"row numbers, {_all(column)}")
    if column.n_present < _MIN_IDENTIFIER_ROWS:
        return None
    if _span(column) <= 1.1 * column.n_present:
        return specify(column, Kind.IDENTIFIER, f"a run of whole numbers, {_all(column)}")
    if _ID_NAME.search(column.name):
        return specify(column, Kind.IDENTIFIER, f"its name, and {_all(column)}")
    return None


def _as_number(column: Column) -> ColumnSpec | None:
    if not column.is_numeric:
        return None
    if not column.is_text:
        reason = f"stored as {column.series.dtype}, {column.n_unique} distinct"
        return specify(column, Kind.NUMERIC, reason)
    n_read = column.n_present - column.n_invalid_numbers
    found = column.number_format or NumberFormat()
    reason = f"{n_read} of {counted(column.n_present, 'cell')} read as numbers"
    if found.affixes:
        reason += f" with {' '.join(found.affixes)}"
    if found.decimal != ".":
        reason += f", decimal mark {found.decimal!r}"
    if found.thousands:
        reason += f", thousands separated by {found.thousands!r}"
    return specify(column, Kind.NUMERIC, reason)


def _as_date(column: Column) -> ColumnSpec | None:
    if column.dates is None:
        return None
    n_read = column.n_present - (column.moments.null_count() - column.n_missing)
    if n_read < MIN_PARSED * column.n_present:
        return None
    reason = f"{n_read} of {counted(column.n_present, 'cell')} read as {column.dates.format}"
    if column.dates.is_ambiguous:
        reason += "; day and month could be the other way round"
    return specify(column, Kind.DATETIME, reason)


def _as_words(column: Column) -> ColumnSpec:
    n = column.n_unique
    if not column.is_text:
        reason = f"{counted(n, 'distinct value')} of {column.series.dtype}"
        return specify(column, Kind.CATEGORICAL, reason)
    if _is_text_identifier(column):
        return specify(column, Kind.IDENTIFIER, f"{_all(column)}, and look like keys")
    share = n / column.n_present
    if n > MIN_TEXT_LEVELS:
        n_words = float(column.levels.str.count_matches(r"\S+").mean() or 0)  # type: ignore[arg-type]
        if share > 0.5 or n_words >= _MIN_TEXT_WORDS:
            return specify(
                column, Kind.TEXT, f"{n} distinct values, {n_words:.1f} words on average"
            )
    return specify(column, Kind.CATEGORICAL, counted(n, "distinct level"))


def _is_distinct(column: Column) -> bool:
    return column.n_unique == column.n_present and column.n_present > 1


def _is_text_identifier(column: Column) -> bool:
    if not _is_distinct(column) or column.n_present < _MIN_IDENTIFIER_ROWS:
        return False
    levels = column.levels
    if levels.str.contains(r"\s").any():
        return False
    lengths = levels.str.len_chars()
    is_even = lengths.min() == lengths.max() and levels.str.contains(r"\d").any()
    is_named = bool(_ID_NAME.search(column.name) or _ROW_NAME.fullmatch(column.name))
    return is_named or bool(is_even) or bool(levels.str.contains(_HASH).all())


def _has_leading_zeros(column: Column) -> bool:
    if not column.text.str.contains(r"^0\d").any():
        return False
    is_digits = column.levels.str.contains(r"^\d+$").all()
    lengths = column.levels.str.len_chars()
    return bool(is_digits) and lengths.min() == lengths.max()


def _span(column: Column) -> float:
    low, high = column.numbers.min(), column.numbers.max()
    return float(high) - float(low) + 1 if low is not None else 0.0  # type: ignore[arg-type]


def _all(column: Column) -> str:
    return f"every value differs ({column.n_unique} of {column.n_present})"


def _shown(value: str, limit: int = 40) -> str:
    return repr(value if len(value) <= limit else value[:limit] + "...")
