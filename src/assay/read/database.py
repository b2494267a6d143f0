"""Tables that live in databases: SQLite and DuckDB files, and servers by URL.

Files are opened read-only. A password in a URL never reaches a message, the
ledger or the name of the table.
"""

import re
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import polars as pl

from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read.content import open_path
from assay.read.frames import column_of, tidy_frame
from assay.table import Table

_FETCH_ROWS = 50_000
_SELECT = "Write a SELECT"
_ADBC_SCHEMES = ("postgresql", "postgres")
_OTHER_SCHEMES = ("mysql", "mariadb", "mssql", "oracle", "redshift", "clickhouse", "trino")
_SCHEMES = ("sqlite", "duckdb", *_ADBC_SCHEMES, *_OTHER_SCHEMES)
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


def is_url(source: str) -> bool:
    """Tell a URL from a path."""
    return _URL.match(source) is not None


def read_url(url: str, recipe: ReadRecipe, ledger: Ledger) -> Table:
    """Read a table from a database URL.

    Args:
        url: "sqlite:///file.db", "duckdb:///file.duckdb" (four slashes for an
            absolute path), or a server such as "postgresql://user@host/db".
        recipe: `sql` is the query; a file with one table needs none.
        ledger: Told of converted columns.

    Raises:
        UserError: The scheme is unknown, the query is missing or wrong, a
            package is missing, or the server does not answer.
    """
    match = _URL.match(url)
    if match is None:
        raise UserError(f"{url!r} is not a database URL", fix="Write sqlite:///file.db")
    scheme, rest = match.group(1).lower().partition("+")[0], match.group(2)
    if scheme in ("sqlite", "duckdb"):
        path = Path(unquote(rest.removeprefix("/").partition("?")[0]))
        open_path(path)
        reader = read_sqlite if scheme == "sqlite" else read_duckdb
        return reader(path, recipe, ledger)
    if scheme not in _SCHEMES:
        raise UserError(
            f"{scheme}:// is not a database that can be read",
            where=mask_password(url),
            fix=f"Download it to a file, or use one of {', '.join(_SCHEMES)}",
        )
    return _read_server(url, scheme, recipe, ledger)


def read_sqlite(path: Path, recipe: ReadRecipe, ledger: Ledger) -> Table:
    """Read an SQLite file, opened read-only.

    Args:
        path: The file.
        recipe: `sql` is the query; if empty, the file must hold one table.
        ledger: Told of columns of mixed types, which become text.

    Raises:
        UserError: The file is damaged, the query fails (with SQLite's words),
            or it is missing and there is not exactly one table.
    """
    _check_whole(path)
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        connection = sqlite3.connect(uri, uri=True)
        try:
            query = recipe.sql or _only_table(_sqlite_tables(connection), path.name)
            frame = _fetch(connection.execute(query), path.name, ledger)
        finally:
            connection.close()
    except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
        raise _refused(str(error), path.name, recipe) from None
    return Table(frame=tidy_frame(frame, path.name, ledger), source=path.name)


def read_duckdb(path: Path, recipe: ReadRecipe, ledger: Ledger) -> Table:
    """Read a DuckDB file, opened read-only and without access to other files.

    Args:
        path: The file.
        recipe: `sql` is the query; if empty, the file must hold one table.
        ledger: Told of converted columns.

    Raises:
        UserError: DuckDB is not installed, the file is damaged or in use, the
            query fails, or it is missing and there is not exactly one table.
    """
    try:
        import duckdb
    except ImportError:
        raise _needs_package("DuckDB", path.name) from None
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("SET enable_external_access = false")
            query = recipe.sql or _only_table(_duckdb_tables(connection), path.name)
            relation = connection.sql(query)
            if relation is None:
                raise UserError("the query returns no table", where=path.name, fix=_SELECT)
            _check_names(list(relation.columns), path.name)
            frame = relation.pl()
    except duckdb.Error as error:
        raise _refused(str(error), path.name, recipe) from None
    return Table(frame=tidy_frame(frame, path.name, ledger), source=path.name)


def mask_password(url: str) -> str:
    """Return the URL with *** for a password.

    Example:
        >>> mask_password("postgresql://ann:secret@host/db")
        'postgresql://ann:***@host/db'
    """
    # Up to the last @: a password may itself hold one.
    masked = re.sub(r"(://[^:/@]*):.*@", r"\1:***@", url, flags=re.DOTALL)
    secret = r"([?&;][^=&;]*(?:pass|pwd|secret|token|key)[^=&;]*=)[^&;]*"
    return re.sub(secret, r"\1***", masked, flags=re.IGNORECASE)


def _read_server(url: str, scheme: str, recipe: ReadRecipe, ledger: Ledger) -> Table:
    where = mask_password(url)
    _check_password(url, where)
    if not recipe.sql:
        raise UserError(
            "a database server needs a query", where=where, fix='Add --sql "SELECT * FROM ..."'
        )
    try:
        if scheme in _ADBC_SCHEMES:
            frame = pl.read_database_uri(recipe.sql, url, engine="adbc")
        else:
            frame = pl.read_database_uri(recipe.sql, url, engine="connectorx")
    except ImportError:
        raise _needs_package(scheme, where) from None
    except BaseException as error:  # Drivers raise their own kinds, even Rust panics.
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            raise
        raise _refused(_without_secrets(str(error), url), where, recipe) from None
    return Table(frame=tidy_frame(frame, where, ledger), source=where)


def _check_password(url: str, where: str) -> None:
    # Drivers cut such a password in pieces and print some of them.
    found = re.search(r"://[^:/@]*:(.*)@", url, flags=re.DOTALL)
    if found and re.search(r"[@:/?#\s]", found.group(1)):
        raise UserError(
            "the password in the URL holds one of @ : / ? # or a space",
            where=where,
            fix="Write such characters percent-encoded: %40 for @, %3A for :, %2F for /",
        )


def _without_secrets(text: str, url: str) -> str:
    found = re.search(r"://[^:/@]*:(.*)@", url, flags=re.DOTALL)
    secrets = [found.group(1)] if found else []
    secrets += re.findall(r"(?i)[?&;][^=&;]*(?:pass|pwd|secret|token|key)[^=&;]*=([^&;]+)", url)
    text = text.replace(url, mask_password(url))
    for secret in secrets:
        for form in {secret, unquote(secret), quote(secret)} - {""}:
            text = text.replace(form, "***")
    return text


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


def _fetch(cursor: sqlite3.Cursor, where: str, ledger: Ledger) -> pl.DataFrame:
    if cursor.description is None:
        raise UserError("the query returns no table", where=where, fix=_SELECT)
    names = [str(item[0]) for item in cursor.description]
    _check_names(names, where)
    columns: list[list[Any]] = [[] for _ in names]
    while rows := cursor.fetchmany(_FETCH_ROWS):
        for column, cells in zip(columns, zip(*rows, strict=True), strict=True):
            column.extend(cells)
    named = zip(names, columns, strict=True)
    return pl.DataFrame({name: column_of(name, cells, ledger) for name, cells in named})


def _check_names(names: list[str], where: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(
            f"the query names more than one column {twice[0]!r}",
            where=where,
            fix="Rename one with AS",
        )


def _refused(message: str, where: str, recipe: ReadRecipe) -> UserError:
    query = f" (query: {recipe.sql[:120]!r})" if recipe.sql else ""
    text = " ".join(message.split())[:400]
    return UserError(
        f"the database says: {text}{query}", where=where, fix="Correct the query or the address"
    )


def _needs_package(what: str, where: str) -> UserError:
    return UserError(
        f"reading from {what} needs a package that is not installed",
        where=where,
        fix="Run: pip install 'assay[sql]'",
    )
