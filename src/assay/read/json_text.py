"""JSON and JSON lines: objects in, a table out.

How deep objects stand inside each other, and how many cells their keys make together,
is looked at before a parser meets them: twenty thousand lines that each name ten keys
of their own are four thousand million cells.
"""

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from assay.errors import UserError
from assay.ledger import Ledger
from assay.read.caps import BYTES_PER_CELL, MAX_NESTING, Caps, nesting
from assay.read.columnar import POLARS_ERRORS, table_of
from assay.read.content import Content
from assay.read.frames import from_columns, from_records
from assay.read.json_sizes import check_inner_sizes, check_json_sizes, too_deep
from assay.table import Table

_PIECE_BYTES = 1 << 22
_KEY_BYTES = 3000  # what a key inside cells takes: it is a field of the column's type
_KEY = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"\s*+:')


def read_json(content: Content, caps: Caps, ledger: Ledger) -> Table:
    """Read JSON: a list of objects, or an object of columns.

    Raises:
        UserError: It is not valid JSON (line and column are named), of another
            shape, such as pandas' "split", nested too deep, or larger than the caps allow.
    """
    value = _parsed(content, caps)
    if isinstance(value, dict) and _is_split(value):
        raise UserError(
            "the names stand in 'columns' and the rows in 'data', as pandas writes it split",
            where=content.name,
            fix="Write it as a list of objects, with pandas by orient='records'",
        )
    if isinstance(value, dict):
        return table_of(_frame_of_object(value, content, caps, ledger), content, caps, ledger)
    if not isinstance(value, list) or not value:
        raise _wrong_shape(content, value)
    _check_rows(value, caps, content.name)
    return table_of(from_records(value, content.name, ledger), content, caps, ledger)


def read_json_lines(content: Content, caps: Caps, ledger: Ledger) -> Table:
    """Read JSON lines: one object in each line.

    Raises:
        UserError: A line is not an object (the first such line is named) or is nested
            too deep, or the table is larger than the caps allow.
    """
    data = content.read()
    n_lines = _count_lines(data, content.name)
    _check_keys(data, n_lines, caps, content.name)
    check_inner_sizes(data, caps, content.name)
    try:
        frame = pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)
    except POLARS_ERRORS:
        frame = None
    if frame is None or frame.height != n_lines:
        # Line by line: slower, but it tells which line is wrong.
        check_json_sizes(data, caps, content.name, is_lines=True)
        rows = _json_rows(data, content.name)
        _check_rows(rows, caps, content.name)
        frame = from_records(rows, content.name, ledger)
    return table_of(frame, content, caps, ledger)


def is_json_lines(content: Content) -> bool:
    """Tell JSON lines from one JSON value: the first line is a whole object."""
    if content.extension in (".jsonl", ".ndjson"):
        return True
    with content.open() as stream:
        first = stream.readline(1 << 24).strip()
        while stream.read(1).isspace():
            pass
        has_more = bool(stream.read(1))
    if not (first.startswith(b"{") and first.endswith(b"}") and has_more):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _parsed(content: Content, caps: Caps) -> Any:
    data = content.read()
    check_json_sizes(data, caps, content.name)
    try:
        return json.loads(data.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise UserError(
            f"this is not valid JSON: {error.msg.lower()} at column {error.colno}",
            where=f"{content.name}, line {error.lineno}",
            fix="Correct it",
        ) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, too
        raise UserError(f"this is not valid JSON: {error}", where=content.name) from None


def _frame_of_object(
    value: Mapping[str, Any], content: Content, caps: Caps, ledger: Ledger
) -> pl.DataFrame:
    columns = {}
    for name, cells in value.items():
        if isinstance(cells, dict):  # pandas writes {"column": {"row": cell}}
            cells = list(cells.values())
        if not isinstance(cells, list):
            raise _wrong_shape(content, value)
        columns[name] = cells
    _check_columns(columns, caps, content.name)
    return from_columns(columns, content.name, ledger)


def _is_split(value: Mapping[str, Any]) -> bool:
    """Whether names and rows stand apart: {"columns": ["a"], "data": [[1], [2]]}."""
    names, rows = value.get("columns"), value.get("data")
    if not (isinstance(names, list) and isinstance(rows, list)):
        return False
    is_known = set(value) <= {"columns", "index", "data"}
    return is_known and all(isinstance(row, list) and len(row) == len(names) for row in rows)


def _count_lines(data: bytes, where: str) -> int:
    """Count the lines that hold something, and refuse one that is nested too deep."""
    n_lines = n_filled = 0
    for lines in _pieces(data):
        if nesting(b"".join(lines)) > MAX_NESTING:
            for number, line in enumerate(lines, start=1):
                if nesting(line) > MAX_NESTING:
                    raise too_deep(f"{where}, line {n_lines + number}")
        n_lines += len(lines)
        n_filled += sum(1 for line in lines if line.strip())
    return n_filled


def _check_keys(data: bytes, n_lines: int, caps: Caps, where: str) -> None:
    """Refuse lines whose keys, nested ones included, make too many cells together."""
    keys: set[bytes] = set()
    for lines in _pieces(data):
        keys.update(_KEY.findall(b"".join(lines)))
        _check_n_keys(len(keys), 0, n_lines, caps, where)


def _pieces(data: bytes) -> Iterator[list[bytes]]:
    stream = io.BytesIO(data)
    while lines := stream.readlines(_PIECE_BYTES):
        yield lines


def _check_rows(rows: Sequence[Any], caps: Caps, where: str) -> None:
    named = [row for row in rows if isinstance(row, Mapping)]
    names = set().union(*named)
    pairs = (pair for row in named for pair in row.items())
    _check_cells(len(rows), len(names), pairs, caps, where)


def _check_columns(columns: Mapping[str, Sequence[Any]], caps: Caps, where: str) -> None:
    n_rows = max(map(len, columns.values()), default=0)
    pairs = ((name, cell) for name, cells in columns.items() for cell in cells)
    _check_cells(n_rows, len(columns), pairs, caps, where)


def _check_cells(
    n_rows: int, n_names: int, pairs: Iterable[tuple[str, Any]], caps: Caps, where: str
) -> None:
    """Refuse rows whose keys, those inside cells included, make too many cells together."""
    caps.check_columns(n_names, where)
    caps.check_cells(n_rows, n_names, where)
    inner: set[tuple[str, ...]] = set()
    for name, cell in pairs:
        if isinstance(cell, dict | list):
            inner.update(_paths(cell, (name,)))
            _check_n_keys(len(inner), n_names, n_rows, caps, where)


def _check_n_keys(n_keys: int, n_names: int, n_rows: int, caps: Caps, where: str) -> None:
    caps.check_columns(n_names + n_keys, where)
    what = f"{n_keys} keys, in {n_rows} rows each, take"
    caps.check_bytes(n_keys * (_KEY_BYTES + n_rows * BYTES_PER_CELL), where, what=what)


def _paths(cell: Any, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the path of each key inside a cell."""
    if isinstance(cell, dict):
        for name, value in cell.items():
            path = (*above, name)
            yield path
            yield from _paths(value, path)
    elif isinstance(cell, list):
        for value in cell:
            yield from _paths(value, above)


def _json_rows(data: bytes, where: str) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(io.BytesIO(data), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"not valid JSON: {error}", where=f"{where}, line {number}", fix="Correct the line"
            ) from None
        if not isinstance(row, dict):
            raise UserError(
                f"{str(row)[:60]!r} is not an object",
                where=f"{where}, line {number}",
                fix='Write one object, such as {"age": 31}, in each line',
            )
        rows.append(row)
    return rows


def _wrong_shape(content: Content, value: object) -> UserError:
    return UserError(
        f"the JSON is {str(value)[:60]!r}, not a table",
        where=content.name,
        fix="Give a list of objects, or an object with one list for each column",
    )
