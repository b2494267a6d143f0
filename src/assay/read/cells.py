"""Python cells to a column: of their one type where they have one, else of their text.

Polars reads most lists by itself. What it would stop at, or read by the first cells alone,
is sorted out here first: mixed types, numbers beyond its range, nested and foreign objects.
"""

import datetime
import decimal
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from assay.errors import UserError
from assay.ledger import Ledger
from assay.read.plain import as_text, bytes_text, json_text, plain_series
from assay.read.wording import other_offsets, tell_utc

_LARGEST = 2**127 - 1  # whole number that Polars reads
_EXACT_LIMIT = 2**53  # larger whole numbers are not all floats
_DEEPEST = 20  # nested cells that Polars is asked to read
_PLAIN = (
    *(int, float, str, bool, bytes, np.number, np.bool_, np.str_),
    *(datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64),
)
_NUMBERS = (int, float, decimal.Decimal, np.integer, np.floating)
_WRITTEN = (
    *(float, np.floating, np.datetime64, np.timedelta64),
    *(datetime.date, datetime.time, datetime.timedelta),
)
_NULLS = ("NAType", "NaTType")
# Of Polars, which panics by a BaseException of its own.
_REFUSALS = (
    *(TypeError, ArithmeticError, ValueError, AttributeError, RuntimeError),
    *(pl.exceptions.PolarsError, pl.exceptions.PanicException),
)


def column_of(name: str, values: Sequence[Any], ledger: Ledger) -> pl.Series:
    """Make a series of Python values; where types are mixed, of their text.

    Args:
        name: Of the column.
        values: N cells; None, NaN and the nulls of pandas are missing.
        ledger: Told where the column became text.

    Raises:
        UserError: A cell is text that no file could hold, or a whole number too long to
            be written.

    Example:
        >>> column_of("a", [1, 2.5, None], Ledger()).to_list()
        [1.0, 2.5, None]
        >>> column_of("a", [1, "x", [2, 3]], Ledger()).to_list()
        ['1', 'x', '[2,3]']
    """
    is_list = isinstance(values, list | tuple)
    if is_list and any(kind.__name__ in _NULLS for kind in set(map(type, values))):
        values = [None if _is_missing(value) else value for value in values]
    if not is_list or _is_one_type(values):
        try:
            series = pl.Series(name, values, strict=True)
        except _REFUSALS:
            pass
        else:
            if getattr(series.dtype, "time_zone", None) == "UTC":  # of all zones without a name
                _tell_offsets(name, values, ledger)
            return series
    cells = list(values)
    numbers = _as_numbers(cells)
    if numbers is not None:
        return pl.Series(name, numbers, dtype=pl.Float64).fill_nan(None)
    kinds = Counter(type(value).__name__ for value in cells if not _is_missing(value))
    if len(kinds) > 1:
        shown = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4))
        why = f"its cells are of mixed types: {shown}"
        ledger.add("column read as text", where=name, why=why, undo="Give one type")
    _tell_offsets(name, cells, ledger)
    return _as_text(name, cells)


def check_name(name: str, where: str) -> None:
    """Refuse a name of a column that no file could hold.

    Raises:
        UserError: It holds half a character.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UserError(
            f"the column name {name!r} holds half a character", where=where, fix="Rename it"
        ) from None


def _tell_offsets(name: str, cells: Sequence[Any], ledger: Ledger) -> None:
    moments = (cell for cell in cells if isinstance(cell, datetime.datetime) and cell.tzinfo)
    moved = [moment for moment in moments if moment.utcoffset()]
    if moved:
        tell_utc(name, other_offsets(moved), ledger)


def _is_one_type(values: Sequence[Any]) -> bool:
    """Whether all cells are of one sort that Polars reads, so that none decides for others."""
    types = set(map(type, values)) - {type(None)}
    if any(issubclass(kind, decimal.Decimal) for kind in types):
        return len(types) == 1 and all(value is None or value.is_finite() for value in values)
    if len(types) > 1:  # such as NumPy's numbers, or a time stamp of pandas among Python's
        return False
    kind = types.pop() if types else str
    if issubclass(kind, int):  # beyond its range Polars writes to standard error
        return all(value is None or abs(value) <= _LARGEST for value in values)
    if issubclass(kind, _PLAIN):
        return True
    return all(value is None or _is_readable(value, kind) for value in values)


def _is_readable(value: Any, kind: type, depth: int = 0) -> bool:
    if issubclass(kind, _PLAIN):
        return True
    if depth == _DEEPEST:
        return False
    if issubclass(kind, Mapping):
        inner = [*value.values()]
        return all(isinstance(name, str) for name in value) and all(
            one is None or _is_readable(one, type(one), depth + 1) for one in inner
        )
    if issubclass(kind, list | tuple):
        inner = [one for one in value if one is not None]
        is_alike = len(set(map(type, inner))) <= 1
        return is_alike and all(_is_readable(one, type(one), depth + 1) for one in inner)
    return isinstance(value, np.ndarray) and value.dtype.kind in "iufb"


def _as_numbers(cells: Sequence[Any]) -> list[float | None] | None:
    """Return numbers of several types as floats, or None where that would lose something."""
    if set(map(type, cells)) <= {int, float, type(None)}:  # the usual mixture, ten times as fast
        is_exact = all(type(cell) is not int or abs(cell) <= _EXACT_LIMIT for cell in cells)
        return [None if cell is None else float(cell) for cell in cells] if is_exact else None
    numbers: list[float | None] = []
    for cell in cells:
        if _is_missing(cell):
            numbers.append(None)
        elif not _is_float(cell):
            return None
        elif isinstance(cell, decimal.Decimal) and not cell.is_finite():
            numbers.append(None if cell.is_nan() else math.copysign(math.inf, cell))
        else:
            numbers.append(float(cell))
    return numbers


def _is_float(cell: object) -> bool:
    """Whether a cell is a number that a float holds without loss."""
    if not isinstance(cell, _NUMBERS) or isinstance(cell, bool):
        return False
    return not isinstance(cell, int | np.integer) or abs(int(cell)) <= _EXACT_LIMIT


def _as_text(name: str, cells: Sequence[Any]) -> pl.Series:
    texts: list[str | None] = []
    for number, cell in enumerate(cells, start=1):
        try:
            text = _text_of(cell)
            if text is not None:
                text.encode()
        except UnicodeEncodeError:
            raise _unwritable(name, number, "text with half a character in it") from None
        except (ValueError, RecursionError):  # int of more than 4,300 digits; endless nesting
            raise _unwritable(name, number, f"a {type(cell).__name__} too long to read") from None
        texts.append(text)
    return pl.Series(name, texts, dtype=pl.String)


def _unwritable(name: str, row: int, what: str) -> UserError:
    return UserError(
        f"the cell holds {what}", where=f"row {row}, column {name!r}", fix="Correct the cell"
    )


def _text_of(value: object) -> str | None:
    """Write a cell as it is written in a column of its type, so that neighbours decide nothing."""
    if _is_missing(value):
        return None
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.bool_ | np.integer):
        value = value.item()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return bytes_text(value)
    if isinstance(value, list | tuple | dict):
        return json_text(value)
    if isinstance(value, decimal.Decimal):
        return None if value.is_nan() else _written(float(value))
    return _written(value) if isinstance(value, _WRITTEN) else str(value)


def _written(value: Any) -> str | None:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2.0**63:
        return str(int(value))  # as Polars does, but at once
    try:
        text: str | None = as_text(plain_series(pl.Series([value], strict=True)))[0]
    except _REFUSALS:
        return str(value)
    return text


def _is_missing(value: object) -> bool:
    if value is None or type(value).__name__ in _NULLS:
        return True
    return isinstance(value, float | np.floating) and bool(value != value)
