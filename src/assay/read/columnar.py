"""Files that know their columns: Parquet, Arrow, JSON, JSON lines and Excel."""

import io
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import polars as pl

from assay.errors import UserError, did_you_mean
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read.content import MAX_DECOMPRESSED_BYTES, Content
from assay.read.frames import from_columns, from_records, tidy_frame
from assay.read.wording import counted
from assay.table import Table

_BYTES_PER_CELL = 8
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
_POLARS_ERRORS = (pl.exceptions.PolarsError, OSError, ValueError, pl.exceptions.PanicException)


def read_parquet(content: Content, ledger: Ledger) -> Table:
    """Read a Parquet file.

    Args:
        content: The file.
        ledger: Told of converted columns and of a stored pandas index left out.

    Raises:
        UserError: The file is damaged or truncated, names a column twice, or
            declares more than `MAX_DECOMPRESSED_BYTES`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with content.open() as stream, pq.ParquetFile(stream) as file:
            names, metadata = list(file.schema_arrow.names), file.metadata
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged("Parquet", content, error) from None
    _check_unique(names, content.name)
    if metadata.num_rows * len(names) * _BYTES_PER_CELL > MAX_DECOMPRESSED_BYTES:
        raise UserError(
            f"the file declares {counted(metadata.num_rows, 'row')} of "
            f"{counted(len(names), 'column')}, "
            f"more than {MAX_DECOMPRESSED_BYTES} bytes in memory",
            where=content.name,
            fix="Take a sample of the rows",
        )
    try:
        frame = pl.read_parquet(content.for_polars(), glob=False, hive_partitioning=False)
    except _POLARS_ERRORS as error:
        raise _damaged("Parquet", content, error) from None
    index = [name for name in frame.columns if name.startswith("__index_level_")]
    for name in index:
        ledger.add("column dropped", where=name, why="it is the index of a pandas frame")
    return _table(frame.drop(index), content, ledger)


def read_arrow(content: Content, ledger: Ledger) -> Table:
    """Read an Arrow IPC file or stream (Feather 2).

    Raises:
        UserError: The file is damaged or truncated, or names a column twice.
    """
    import pyarrow as pa

    is_file = content.head(6) == b"ARROW1"
    try:
        with content.open() as stream:
            opener = pa.ipc.open_file if is_file else pa.ipc.open_stream
            reader = opener(stream)
            _check_unique(list(reader.schema.names), content.name)
            frame = pl.from_arrow(reader.read_all())
    except (pa.ArrowException, *_POLARS_ERRORS) as error:
        raise _damaged("Arrow", content, error) from None
    if not isinstance(frame, pl.DataFrame):
        raise UserError("the file holds no table", where=content.name)
    if not is_file and not content.read().endswith(_END_OF_STREAM):
        why = "it has no end mark, so rows may be lost at its end"
        ledger.add("Arrow stream read as it is", where=content.name, why=why)
    return _table(frame, content, ledger)


def read_json(content: Content, ledger: Ledger) -> Table:
    """Read JSON: a list of objects, or an object of columns.

    Raises:
        UserError: It is not valid JSON (line and column are named), or another
            shape.
    """
    value = _parsed(content)
    if isinstance(value, dict):
        return _table(_frame_of_object(value, content, ledger), content, ledger)
    if not isinstance(value, list) or not value:
        raise _wrong_shape(content, value)
    return _table(from_records(value, content.name, ledger), content, ledger)


def read_json_lines(content: Content, ledger: Ledger) -> Table:
    """Read JSON lines: one object in each line.

    Raises:
        UserError: A line is not an object; the first such line is named.
    """
    data = content.read()
    try:
        frame = pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)
    except _POLARS_ERRORS:
        frame = None
    n_lines = sum(1 for line in io.BytesIO(data) if line.strip())
    if frame is None or frame.height != n_lines:
        # Line by line: slower, but it tells which line is wrong.
        frame = from_records(_json_rows(data, content.name), content.name, ledger)
    return _table(frame, content, ledger)


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


def read_excel(content: Content, recipe: ReadRecipe, ledger: Ledger) -> Table:
    """Read one sheet of an Excel (or OpenDocument) file.

    Args:
        content: The file.
        recipe: `sheet` names the sheet; the first one when empty.
        ledger: Told of converted columns and of sheets left out.

    Raises:
        UserError: The package for Excel is missing, the sheet does not exist,
            or the file is damaged.
    """
    try:
        import fastexcel
    except ImportError:
        raise UserError(
            "reading Excel files needs a package that is not installed",
            where=content.name,
            fix="Run: pip install 'assay[excel]'",
        ) from None
    try:
        sheets = fastexcel.read_excel(content.read()).sheet_names
    except (fastexcel.FastExcelError, ValueError) as error:
        raise _damaged("Excel", content, error) from None
    sheet = recipe.sheet or sheets[0]
    if sheet not in sheets:
        raise UserError(
            f"there is no sheet {sheet!r}", where=content.name, fix=did_you_mean(sheet, sheets)
        )
    if len(sheets) > 1 and not recipe.sheet:
        why = f"the first of {len(sheets)} sheets is read, {sheet!r}"
        ledger.add("sheets left out", where=content.name, why=why, undo="read.sheet")
    return _table(_sheet_frame(content, sheet), content, ledger)


def _sheet_frame(content: Content, sheet: str) -> pl.DataFrame:
    import fastexcel

    try:
        header = pl.read_excel(
            io.BytesIO(content.read()),
            sheet_name=sheet,
            engine="calamine",
            has_header=False,
            read_options={"n_rows": 1},
        )
        frame = pl.read_excel(
            io.BytesIO(content.read()),
            sheet_name=sheet,
            engine="calamine",
            infer_schema_length=None,
        )
    except (fastexcel.FastExcelError, *_POLARS_ERRORS) as error:
        raise _damaged("Excel", content, error) from None
    cells = [str(cell).strip() for cell in header.row(0) if cell is not None]
    _check_unique(cells, content.name)
    names = {
        name: f"column_{at + 1}"
        for at, name in enumerate(frame.columns)
        if name.startswith("__UNNAMED__")
    }
    return frame.rename(names)


def _table(frame: pl.DataFrame, content: Content, ledger: Ledger) -> Table:
    if frame.width == 0:
        raise UserError("the file holds no columns", where=content.name)
    return Table(frame=tidy_frame(frame, content.name, ledger), source=content.name)


def _parsed(content: Content) -> Any:
    try:
        return json.loads(content.read().decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise UserError(
            f"this is not valid JSON: {error.msg.lower()} at column {error.colno}",
            where=f"{content.name}, line {error.lineno}",
            fix="Correct it",
        ) from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"this is not valid JSON: {error}", where=content.name) from None


def _frame_of_object(value: Mapping[str, Any], content: Content, ledger: Ledger) -> pl.DataFrame:
    columns = {}
    for name, cells in value.items():
        if isinstance(cells, dict):  # pandas writes {"column": {"row": cell}}
            cells = list(cells.values())
        if not isinstance(cells, list):
            raise _wrong_shape(content, value)
        columns[name] = cells
    return from_columns(columns, content.name, ledger)


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


def _check_unique(names: list[str], where: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        shown = ", ".join(repr(name) for name in twice[:8])
        raise UserError(f"more than one column is named {shown}", where=where, fix="Rename them")


def _damaged(what: str, content: Content, error: BaseException) -> UserError:
    return UserError(
        f"the {what} file is truncated or damaged: {str(error).splitlines()[0][:200]}",
        where=content.name,
        fix="Copy or write it again",
    )
