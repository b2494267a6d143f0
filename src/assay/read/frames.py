"""Tables that are in memory already: data frames, dictionaries, records, arrays.

pandas, Polars, PyArrow, Modin and others enter through narwhals. What cannot
be a column of one plain type becomes text, and the ledger says so.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from assay.errors import UserError
from assay.ledger import Ledger
from assay.read.cells import check_name, column_of
from assay.read.plain import plain_series
from assay.read.wording import counted
from assay.table import Table

_ACCEPTED = (
    "Give a path, a database URL, a data frame (pandas, Polars, PyArrow), a dict of columns, "
    "a list of dicts or a 2-D NumPy array"
)


def read_frame(source: object, ledger: Ledger) -> Table:
    """Make a table of an object in memory.

    Args:
        source: A data frame that narwhals knows (lazy ones are collected), a
            dict of columns, a list of dicts, or a NumPy array of shape (N, F)
            or with named fields. A pandas index is left out. Names that are
            not text are written as text.
        ledger: Told of columns that became text.

    Returns:
        The table, with the types of its source; see `tidy_frame`.

    Raises:
        UserError: The object is none of these, has no column, names a column
            twice, or its columns differ in length.

    Example:
        >>> read_frame([{"a": 1, "b": "x"}, {"a": 2}], Ledger()).frame.rows()
        [(1, 'x'), (2, None)]
        >>> read_frame(np.zeros((2, 2)), Ledger()).names
        ['x0', 'x1']
    """
    if isinstance(source, Mapping):
        frame = from_columns(_columns_of(source), "dict", ledger)
    elif isinstance(source, np.ndarray):
        frame = _from_array(source, ledger)
    elif isinstance(source, list | tuple):
        frame = from_records(source, "list", ledger)
    else:
        frame = _from_native(source, ledger)
    where = type(source).__name__
    if frame.width == 0:
        raise UserError("the table has no columns", where=where, fix=_ACCEPTED)
    return Table(frame=tidy_frame(frame, where, ledger), source=where)


def tidy_frame(frame: pl.DataFrame, where: str, ledger: Ledger) -> pl.DataFrame:
    """Reduce every column to text, numbers, truth values or times.

    Lists, structures, bytes, decimals and durations are converted, and the
    ledger is told; categories become text silently, as nothing is lost.
    """
    columns = {}
    for series in frame.iter_columns():
        plain = plain_series(series.alias("cell")).alias(series.name)  # a name may be a pattern
        is_level = isinstance(series.dtype, pl.Categorical | pl.Enum) or series.dtype == pl.Null
        if plain.dtype != series.dtype and not is_level:
            ledger.add(
                "column converted",
                where=series.name,
                why=f"{series.dtype} became {plain.dtype} in {where}",
                undo=f"drop = [{series.name!r}]",
            )
        columns[series.name] = plain
    return pl.DataFrame(columns)


def without_patterns(table: Table, ledger: Ledger) -> Table:
    """Put names that Polars takes for patterns of names, "*" and "^...$", in parentheses.

    Args:
        table: As read.
        ledger: Told of each.

    Raises:
        UserError: There is a column of the new name already.

    Example:
        >>> without_patterns(Table(pl.DataFrame({"*": [1], "a": [2]})), Ledger()).names
        ['(*)', 'a']
    """
    found = [name for name in table.names if name == "*" or name[:1] + name[-1:] == "^$"]
    if not found:
        return table
    odd = set(found)
    renamed = [f"({name})" if name in odd else name for name in table.names]
    _check_names(renamed, table.source)
    for name in found:
        why = "its name would stand for other columns"
        ledger.add("column renamed", where=name, why=f"{why}; it is called {f'({name})'!r} now")
    columns = dict(zip(renamed, table.frame.get_columns(), strict=True))
    return table.with_frame(pl.DataFrame(columns))


def from_columns(columns: Mapping[str, Sequence[Any]], where: str, ledger: Ledger) -> pl.DataFrame:
    """Make a frame of named Python columns; mixed types become text.

    Raises:
        UserError: Two columns differ in length.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        (first, n_first), *others = lengths.items()
        name, n_other = next((name, n) for name, n in others if n != n_first)
        raise UserError(
            f"column {first!r} has {counted(n_first, 'cell')}, column {name!r} has {n_other}",
            where=where,
            fix="Give columns of one length",
        )
    return pl.DataFrame({name: column_of(name, values, ledger) for name, values in columns.items()})


def from_records(rows: Sequence[Any], where: str, ledger: Ledger) -> pl.DataFrame:
    """Make a frame of a list of dicts; a key that a row lacks is missing there.

    Raises:
        UserError: A row is not a dict.
    """
    names: dict[str, object] = {}
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            shown = repr(row)[:60]
            raise UserError(f"row {number} is {shown}, not a dict", where=where, fix=_ACCEPTED)
        names.update(dict.fromkeys(row))
    _check_names(list(names), where)
    return from_columns(
        {str(name): [row.get(name) for row in rows] for name in names}, where, ledger
    )


def _columns_of(source: Mapping[Any, Any]) -> dict[str, Sequence[Any]]:
    _check_names(list(source), "dict")
    columns: dict[str, Sequence[Any]] = {}
    is_row = bool(source) and all(_is_scalar(value) for value in source.values())
    for name, values in source.items():
        if is_row:
            columns[str(name)] = [values.item() if isinstance(values, np.ndarray) else values]
        elif _is_scalar(values):
            raise UserError(
                f"column {name!r} is {values!r:.60}, not a list", where="dict", fix=_ACCEPTED
            )
        elif isinstance(values, Mapping):
            columns[str(name)] = list(values.values())
        else:
            columns[str(name)] = values if hasattr(values, "__len__") else list(values)
    return columns


def _from_array(array: np.ndarray[Any, Any], ledger: Ledger) -> pl.DataFrame:
    if array.dtype.names:
        fields = {name: array[name].ravel() for name in array.dtype.names}
        return pl.DataFrame(
            {name: _array_column(name, cells, ledger) for name, cells in fields.items()}
        )
    if array.ndim != 2:
        raise UserError(
            f"the array has {counted(array.ndim, 'dimension')}, a table has 2",
            where="ndarray",
            fix="Give shape (rows, columns), for one column with .reshape(-1, 1)",
        )
    columns = [_array_column(f"x{at}", array[:, at], ledger) for at in range(array.shape[1])]
    return pl.DataFrame(columns)


def _array_column(name: str, cells: np.ndarray[Any, Any], ledger: Ledger) -> pl.Series:
    if cells.dtype.kind == "c":
        raise UserError("complex numbers are no features", where=f"ndarray, column {name!r}")
    if cells.dtype.kind in "OS":
        return column_of(name, cells.tolist(), ledger)
    if cells.dtype == np.float16:
        cells = cells.astype(np.float32)
    return pl.Series(name, np.ascontiguousarray(cells))


def _from_native(source: object, ledger: Ledger) -> pl.DataFrame:
    import narwhals as nw

    where = type(source).__name__
    source = _with_text_names(source, where)
    try:
        frame = nw.from_native(source)  # type: ignore[call-overload]
    except (TypeError, ValueError) as error:
        return _from_exchange(source, error)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    columns = {}
    for name in frame.columns:
        column = frame.get_column(name)
        try:
            series = column.to_polars().alias(name)
            is_foreign = isinstance(series.dtype, pl.Extension | pl.Object)
            columns[name] = column_of(name, column.to_list(), ledger) if is_foreign else series
        except (
            Exception,
            pl.exceptions.PanicException,
        ):  # Each library has its own errors for mixed types.
            columns[name] = column_of(name, column.to_list(), ledger)
    return pl.DataFrame(columns)


def _from_exchange(source: object, error: Exception) -> pl.DataFrame:
    if type(source).__name__ == "Series":
        raise UserError(
            "a Series is one row or one column, a table has both",
            where="source",
            fix="Give a frame, such as frame[['name']] or, of pandas, frame.iloc[[0]]",
        ) from error
    if hasattr(source, "__arrow_c_stream__"):
        return pl.DataFrame(source)
    if hasattr(source, "__array__"):
        return _from_array(np.asarray(source), Ledger())
    raise UserError(
        f"{type(source).__name__} is not a table", where="source", fix=_ACCEPTED
    ) from error


def _with_text_names(source: object, where: str) -> object:
    # pandas allows numbers, tuples and doubles as names; narwhals wants text.
    if type(source).__module__.partition(".")[0] not in ("pandas", "modin"):
        return source
    columns = list(getattr(source, "columns", ()))
    _check_names(columns, where)
    if all(isinstance(name, str) for name in columns):
        return source
    copy = source.copy(deep=False)  # type: ignore[attr-defined]
    copy.columns = [str(name) for name in columns]
    return copy


def _check_names(names: Sequence[object], where: str) -> None:
    counts = Counter(str(name) for name in names)
    for name in counts:
        check_name(name, where)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        shown = ", ".join(repr(name) for name in twice[:8])
        raise UserError(f"more than one column is named {shown}", where=where, fix="Rename them")


def _is_scalar(value: object) -> bool:
    is_iterable = hasattr(value, "__iter__") and getattr(value, "ndim", 1) != 0
    return isinstance(value, str | bytes) or not is_iterable
