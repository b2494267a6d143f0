"""Tables that a database URL names: in SQLite and DuckDB files, and on servers.

A password in a URL never reaches a message, the ledger or the name of the table.
"""

import importlib
import os
import re
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read.caps import caps_of
from assay.read.content import on_disk, open_path
from assay.read.database_files import needs_package, read_duckdb, read_sqlite, refused
from assay.read.frames import tidy_frame
from assay.read.secrets import check_password, mask_password, without_secrets
from assay.table import Table

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
    scheme = match.group(1).lower().partition("+")[0]
    path = file_of_url(url)
    if path is not None:
        what, reader = ("SQLite", read_sqlite) if scheme == "sqlite" else ("DuckDB", read_duckdb)
        path = on_disk(open_path(path, caps_of(recipe)), what)
        return reader(path, recipe, ledger)
    if scheme not in _SCHEMES:
        raise UserError(
            f"{scheme}:// is not a database that can be read",
            where=mask_password(url),
            fix=f"Download it to a file, or use one of {', '.join(_SCHEMES)}",
        )
    return _read_server(url, scheme, recipe, ledger)


def file_of_url(url: str) -> Path | None:
    """Return the file that a database URL names, or None.

    Example:
        >>> file_of_url("sqlite:///sales.db"), file_of_url("postgresql://host/sales")
        (PosixPath('sales.db'), None)
    """
    match = _URL.match(url)
    if match is None or match.group(1).lower().partition("+")[0] not in ("sqlite", "duckdb"):
        return None
    return Path(unquote(match.group(2).removeprefix("/").partition("?")[0]))


def _read_server(url: str, scheme: str, recipe: ReadRecipe, ledger: Ledger) -> Table:
    where = mask_password(url)
    check_password(url, where)
    if not recipe.sql:
        raise UserError(
            "a database server needs a query", where=where, fix='Add --sql "SELECT * FROM ..."'
        )
    try:
        if scheme in _ADBC_SCHEMES:
            frame = pl.read_database_uri(recipe.sql, url, engine="adbc")
        else:
            _silence_driver()
            frame = pl.read_database_uri(recipe.sql, url, engine="connectorx")
    except ImportError:
        raise needs_package(scheme, where) from None
    except BaseException as error:  # Drivers raise their own kinds, even Rust panics.
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            raise
        raise refused(without_secrets(str(error), url), where, recipe) from None
    caps_of(recipe).check_frame(frame, where)
    return Table(frame=tidy_frame(frame, where, ledger), source=where)


def _silence_driver() -> None:
    """Load the driver so that it logs nothing: its lines go past us, password and all."""
    before = os.environ.get("RUST_LOG")
    os.environ["RUST_LOG"] = "off"  # read once, when the driver is loaded
    try:
        importlib.import_module("connectorx")
    finally:
        if before is None:
            del os.environ["RUST_LOG"]
        else:
            os.environ["RUST_LOG"] = before
