"""SQLite and DuckDB files, opened to read and for nothing else.

A stranger's file may hold views that never end or call what they should not, and a
recipe may hold a query: neither may write, see another file, or take all memory or time.
"""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from assay.amounts import size_text
from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read.caps import BYTES_PER_CELL, Caps, caps_of
from assay.read.cells import column_of
from assay.read.columnar import POLARS_ERRORS
from assay.read.frames import tidy_frame
from assay.table import Table

_BATCH_ROWS = 50_000
_SELECT = "Write a SELECT"
_STEPS = 10_000  # of SQLite between two looks at the clock
_MOST_TEXT_BYTES = 1 << 27  # of one cell, and
_LEAST_TEXT_BYTES = 1 << 16  # however many columns share the memory
_WAL = b"\x02\x02"  # in the header: changes go to a second file first
_MAY = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
_MAY_NOT_CALL = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}
_OURS = ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "query_only = ON")


def read_sqlite(path: Path, recipe: ReadRecipe, ledger: Ledger) -> Table:
    """Read an SQLite file, opened read-only.

    Args:
        path: The file.
        recipe: `sql` is the query; if empty, the file must hold one table.
        ledger: Told of columns of mixed types, which become text.

    Raises:
        UserError: The file is damaged, the query fails (with SQLite's words), does
            more than read, or takes more than the recipe allows; or it is missing and
            there is not exactly one table.
    """
    _check_whole(path)
    caps = caps_of(recipe)
    try:
        with _unchanged(path) as mode, closing(_connect(path, mode)) as connection:
            deadline_s = time.monotonic() + caps.max_time_s
            _bind(connection, caps, deadline_s)
            query = recipe.sql or _only_table(_sqlite_tables(connection), path.name)
            if not recipe.sql:
                _share_memory(connection, query, caps)
            frame = _fetch(connection.execute(query), path.name, caps, ledger)
    except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
        raise _sqlite_error(error, path.name, recipe) from None
    return Table(frame=tidy_frame(frame, path.name, ledger), source=path.name)


def read_duckdb(path: Path, recipe: ReadRecipe, ledger: Ledger) -> Table:
    """Read a DuckDB file, opened read-only and without access to other files.

    Args:
        path: The file.
        recipe: `sql` is the query; if empty, the file must hold one table.
        ledger: Told of converted columns.

    Raises:
        UserError: DuckDB is not installed, the file is damaged or in use, the
            query fails or takes more than the recipe allows, or it is missing and
            there is not exactly one table.
    """
    try:
        import duckdb
    except ImportError:
        raise needs_package("DuckDB", path.name) from None
    caps = caps_of(recipe)
    try:
        with (
            duckdb.connect(str(path), read_only=True, config=_duckdb_bounds(caps)) as connection,
            _interrupting(connection, caps.max_time_s),
        ):
            query = recipe.sql or _only_table(_duckdb_tables(connection), path.name)
            relation = connection.sql(query)
            if relation is None:
                raise UserError("the query returns no table", where=path.name, fix=_SELECT)
            _check_names(list(relation.columns), path.name, caps)
            frame = _collect(relation, path.name, caps)
    except duckdb.InterruptException:
        raise _too_slow(path.name, recipe) from None
    except (duckdb.Error, *POLARS_ERRORS) as error:
        raise refused(str(error), path.name, recipe) from None
    return Table(frame=tidy_frame(frame, path.name, ledger), source=path.name)


def refused(message: str, where: str, recipe: ReadRecipe) -> UserError:
    """Return what to say of a database that does not answer, in its own words."""
    query = f" (query: {recipe.sql[:120]!r})" if recipe.sql else ""
    text = " ".join(message.split())[:400]
    return UserError(
        f"the database says: {text}{query}", where=where, fix="Correct the query or the address"
    )


def needs_package(what: str, where: str) -> UserError:
    """Return what to say where a driver is absent."""
    return UserError(
        f"reading from {what} needs a package that is not installed",
        where=where,
        fix="Run: pip install 'assay[sql]'",
    )


def _bind(connection: sqlite3.Connection, caps: Caps, deadline_s: float) -> None:
    for pragma in _OURS:
        connection.execute(f"PRAGMA {pragma}")
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, min(caps.max_bytes, _MOST_TEXT_BYTES))
    connection.set_authorizer(_judge)
    connection.set_progress_handler(lambda: time.monotonic() > deadline_s, _STEPS)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?{mode}", uri=True)


@contextmanager
def _unchanged(path: Path) -> Iterator[str]:
    """Give how to open a file so that it is left as it is, and see that it stayed so.

    In the mode of write-ahead logs SQLite leaves two files beside the one it reads,
    unless told that nobody writes; this is believed where there is no log.
    """
    whole = path.resolve()
    log = whole.with_name(f"{whole.name}-wal")
    with whole.open("rb") as stream:
        has_mode = stream.read(20)[18:] == _WAL
    if not has_mode or log.exists():
        yield "mode=ro"
        return
    before = whole.stat()
    yield "mode=ro&immutable=1"
    now = whole.stat()
    if log.exists() or (before.st_mtime_ns, before.st_size) != (now.st_mtime_ns, now.st_size):
        raise UserError(
            "another program wrote to the database while it was read",
            where=path.name,
            fix="Read it again",
        )


def _judge(action: int, _first: str | None, second: str | None, *_: object) -> int:
    is_harmless = action in _MAY and (second or "").lower() not in _MAY_NOT_CALL
    return sqlite3.SQLITE_OK if is_harmless else sqlite3.SQLITE_DENY


def _share_memory(connection: sqlite3.Connection, query: str, caps: Caps) -> None:
    """Let no row of a view, each of its texts within bounds, take more than the cap."""
    described = connection.execute(f"{query} LIMIT 0").description or ()
    share = max(caps.max_bytes // max(len(described), 1), _LEAST_TEXT_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, min(share, _MOST_TEXT_BYTES))


def _sqlite_error(error: Exception, where: str, recipe: ReadRecipe) -> UserError:
    code = getattr(error, "sqlite_errorname", "")
    if code == "SQLITE_INTERRUPT":
        return _too_slow(where, recipe)
    if code == "SQLITE_AUTH":
        return refused("a query may only read", where, recipe)
    if code == "SQLITE_TOOBIG":
        return UserError(
            "the table holds a text or a row that is too large",
            where=where,
            fix="Leave it out with read.sql, or allow more with read.max_bytes "
            f"(of one text {size_text(_MOST_TEXT_BYTES)} at the most)",
        )
    return refused(str(error), where, recipe)


def _too_slow(where: str, recipe: ReadRecipe) -> UserError:
    return UserError(
        f"the query takes longer than {recipe.max_time}",
        where=where,
        fix="Write a simpler one, or allow it more with read.max_time",
    )


def _duckdb_bounds(caps: Caps) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "enable_external_access": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "memory_limit": f"{max(caps.max_bytes >> 20, 64)}MiB",
        "temp_directory": "",
        "lock_configuration": "true",
    }


@contextmanager
def _interrupting(connection: Any, after_s: float) -> Iterator[None]:
    timer = threading.Timer(min(after_s, threading.TIMEOUT_MAX), connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _collect(relation: Any, where: str, caps: Caps) -> pl.DataFrame:
    # The second name is that of DuckDB 1.
    open_reader = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
    reader = open_reader(_BATCH_ROWS)
    batches, n_bytes = [], 0
    for batch in reader:
        batches.append(batch)
        n_bytes += batch.nbytes
        caps.check_bytes(n_bytes, where)
    import pyarrow as pa

    frame = pl.from_arrow(pa.Table.from_batches(batches, reader.schema))
    return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()


def _sqlite_tables(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    )
    return [_quoted(name) for (name,) in rows]


def _duckdb_tables(connection: Any) -> list[str]:
    rows = connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables "
        "WHERE table_schema NOT IN ('information_schema', 'pg_catalog') ORDER BY ALL"
    ).fetchall()
    return [
        _quoted(name) if schema == "main" else f"{_quoted(schema)}.{_quoted(name)}"
        for schema, name in rows
    ]


def _check_whole(path: Path) -> None:
    # SQLite itself reads a file that lost its last pages without a word. The
    # header counts the pages; https://www.sqlite.org/fileformat2.html, section 1.3.
    with path.open("rb") as stream:
        header = stream.read(100)
    page_bytes = int.from_bytes(header[16:18], "big")
    n_pages = int.from_bytes(header[28:32], "big")
    is_counted = header[24:28] == header[92:96]
    expected_bytes = (65536 if page_bytes == 1 else page_bytes) * n_pages
    size_bytes = path.stat().st_size
    if len(header) < 100 or (is_counted and size_bytes < expected_bytes):
        raise UserError(
            f"the SQLite file is truncated: {size_bytes} bytes of {expected_bytes}",
            where=path.name,
            fix="Copy it again",
        )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _only_table(tables: list[str], where: str) -> str:
    if len(tables) == 1:
        return f"SELECT * FROM {tables[0]}"
    if not tables:
        raise UserError("the database holds no table", where=where)
    shown = ", ".join(tables[:20]) + (" ..." if len(tables) > 20 else "")
    raise UserError(
        f"the database holds {len(tables)} tables: {shown}",
        where=where,
        fix=f"Choose one with --sql 'SELECT * FROM {tables[0]}' (read.sql)",
    )


def _check_names(names: list[str], where: str, caps: Caps) -> None:
    caps.check_columns(len(names), where)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UserError(
            f"the query names more than one column {min(twice)!r}",
            where=where,
            fix="Rename one with AS",
        )


def _fetch(cursor: sqlite3.Cursor, where: str, caps: Caps, ledger: Ledger) -> pl.DataFrame:
    if cursor.description is None:
        raise UserError("the query returns no table", where=where, fix=_SELECT)
    names = [str(item[0]) for item in cursor.description]
    _check_names(names, where, caps)
    columns: list[list[Any]] = [[] for _ in names]
    rows: list[tuple[Any, ...]] = []
    n_bytes = 0
    for row in cursor:
        n_bytes += BYTES_PER_CELL * len(row)
        n_bytes += sum(len(cell) for cell in row if isinstance(cell, str | bytes))
        if n_bytes > caps.max_bytes:
            caps.check_bytes(n_bytes, where)
        rows.append(row)
        if len(rows) == _BATCH_ROWS:
            _append(columns, rows)
            rows = []
    _append(columns, rows)
    named = zip(names, columns, strict=True)
    return pl.DataFrame({name: column_of(name, cells, ledger) for name, cells in named})


def _append(columns: list[list[Any]], rows: list[tuple[Any, ...]]) -> None:
    for column, cells in zip(columns, zip(*rows, strict=True), strict=bool(rows)):
        column.extend(cells)
