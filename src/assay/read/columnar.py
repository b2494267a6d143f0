"""Files that know their columns: Parquet and Arrow."""

from collections import Counter
from typing import TYPE_CHECKING

import polars as pl

from assay.errors import UserError
from assay.ledger import Ledger
from assay.read.arrow_sizes import check_arrow_sizes
from assay.read.caps import Caps
from assay.read.content import Content
from assay.read.frames import tidy_frame
from assay.read.parquet_sizes import check_columns_declared, check_parquet_sizes
from assay.table import Table

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_FOOTER_ELEMENTS = 1_000_000  # what the library allows by itself
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
POLARS_ERRORS = (pl.exceptions.PolarsError, OSError, ValueError, pl.exceptions.PanicException)
"""What Polars raises on files that it cannot read."""


def read_parquet(content: Content, caps: Caps, ledger: Ledger) -> Table:
    """Read a Parquet file.

    Args:
        content: The file.
        caps: How large it may be.
        ledger: Told of converted columns and of a stored pandas index left out.

    Raises:
        UserError: The file is damaged or truncated, names a column twice, or
            takes more than the caps allow.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        check_columns_declared(content, caps)
        most = max(_FOOTER_ELEMENTS, 8 * caps.max_columns)
        with (
            content.open() as stream,
            pq.ParquetFile(stream, thrift_container_size_limit=most) as file,
        ):
            names, metadata = list(file.schema_arrow.names), file.metadata
            check_unique(names, content.name)
            _check_types(file.schema_arrow, content.name)
            _check_no_interval(file.schema, content.name)
            caps.check_cells(metadata.num_rows, len(names), content.name)
            check_parquet_sizes(content, file, caps)
    except (pa.ArrowException, OSError, ValueError, IndexError) as error:
        raise damaged("Parquet", content, error) from None
    try:
        frame = pl.read_parquet(content.for_polars(), glob=False, hive_partitioning=False)
    except POLARS_ERRORS as error:
        raise damaged("Parquet", content, error) from None
    index = [name for name in frame.columns if name.startswith("__index_level_")]
    for name in index:
        ledger.add("column dropped", where=name, why="it is the index of a pandas frame")
    return table_of(frame.drop(index), content, caps, ledger)


def read_arrow(content: Content, caps: Caps, ledger: Ledger) -> Table:
    """Read an Arrow IPC file or stream (Feather 2).

    Raises:
        UserError: The file is damaged or truncated, names a column twice, or takes
            more than the caps allow.
    """
    import pyarrow as pa

    is_file = content.head(6) == b"ARROW1"
    try:
        check_arrow_sizes(content, caps)
        with content.open() as stream:
            opener = pa.ipc.open_file if is_file else pa.ipc.open_stream
            reader = opener(stream)
            check_unique(list(reader.schema.names), content.name)
            caps.check_columns(len(reader.schema.names), content.name)
            _check_types(reader.schema, content.name)
            frame = pl.from_arrow(reader.read_all())
    except (pa.ArrowException, *POLARS_ERRORS, IndexError) as error:
        raise damaged("Arrow", content, error) from None
    if not isinstance(frame, pl.DataFrame):
        raise UserError("the file holds no table", where=content.name)
    if not is_file and not content.read().endswith(_END_OF_STREAM):
        why = "it has no end mark, so rows may be lost at its end"
        ledger.add("Arrow stream read as it is", where=content.name, why=why)
    return table_of(frame, content, caps, ledger)


def table_of(frame: pl.DataFrame, content: Content, caps: Caps, ledger: Ledger) -> Table:
    """Return a frame as the table of a file.

    Raises:
        UserError: It has no column, or takes more than the caps allow.
    """
    if frame.width == 0:
        raise UserError("the file holds no columns", where=content.name)
    caps.check_frame(frame, content.name)
    return Table(frame=tidy_frame(frame, content.name, ledger), source=content.name)


def check_unique(names: list[str], where: str) -> None:
    """Refuse names that occur twice.

    Raises:
        UserError: One does.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        shown = ", ".join(repr(name) for name in twice[:8])
        raise UserError(f"more than one column is named {shown}", where=where, fix="Rename them")


def _check_types(schema: "pa.Schema", where: str) -> None:
    """Refuse types that Polars does not know: it panics, and tells of it by itself."""
    for field in schema:
        unknown = _unknown_type(field.type)
        if unknown is not None:
            raise _not_read(field.name, str(unknown), where)


def _check_no_interval(schema: "pq.ParquetSchema", where: str) -> None:
    """Refuse what PyArrow takes for bytes, and Polars does not know."""
    for at in range(len(schema)):
        if schema.column(at).converted_type == "INTERVAL":
            raise _not_read(schema.column(at).path, "interval", where)


def _not_read(column: str, dtype: str, where: str) -> UserError:
    return UserError(
        f"column {column!r} is of type {dtype}, which is not read",
        where=where,
        fix="Leave the column out, or write it as numbers or text",
    )


def _unknown_type(dtype: "pa.DataType") -> "pa.DataType | None":
    """Return the first type that Polars does not know, in a type or inside it."""
    from pyarrow import types

    refusals = (
        *(types.is_decimal256, types.is_run_end_encoded, types.is_interval, types.is_union),
        *(types.is_list_view, types.is_large_list_view),
    )
    if any(is_refused(dtype) for is_refused in refusals):
        return dtype
    if types.is_dictionary(dtype):
        return _unknown_type(dtype.value_type)
    if hasattr(dtype, "storage_type"):
        return _unknown_type(dtype.storage_type)
    inner = (_unknown_type(dtype.field(at).type) for at in range(dtype.num_fields))
    return next((found for found in inner if found is not None), None)


def damaged(what: str, content: Content, error: BaseException) -> UserError:
    """Return what to say of a file that a library cannot read."""
    return UserError(
        f"the {what} file is truncated or damaged: {str(error).splitlines()[0][:200]}",
        where=content.name,
        fix="Copy or write it again",
    )
