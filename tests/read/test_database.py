"""Databases are read only, and passwords stay secret."""

import contextlib
import os
import sqlite3
import threading
from pathlib import Path

import polars as pl
import pytest

from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read import database_files
from assay.read.database import read_url
from assay.read.secrets import mask_password, without_secrets
from assay.read.source import read_table


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    path = tmp_path / "people.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE people (age INTEGER, name TEXT)")
        connection.executemany("INSERT INTO people VALUES (?, ?)", [(31, "Ann"), (None, "Bob")])
        connection.commit()
    return path


@pytest.fixture
def duckdb_file(tmp_path: Path) -> Path:
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "people.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE people AS SELECT 31 AS age, 'Ann' AS name")
    return path


def read(source: object, sql: str = "", ledger: Ledger | None = None) -> pl.DataFrame:
    recipe = ReadRecipe(sql=sql)
    return read_table(source, recipe, Ledger() if ledger is None else ledger).frame


def test_the_only_table_needs_no_query(sqlite_file, duckdb_file):
    assert read(sqlite_file).rows() == [(31, "Ann"), (None, "Bob")]
    assert read(duckdb_file).rows() == [(31, "Ann")]


def test_urls_and_paths_agree(sqlite_file, duckdb_file):
    assert read(f"sqlite:///{sqlite_file}").equals(read(sqlite_file))
    assert read(f"duckdb:///{duckdb_file}").equals(read(duckdb_file))


def test_several_tables_are_listed(sqlite_file):
    with contextlib.closing(sqlite3.connect(sqlite_file)) as connection:
        connection.execute('CREATE TABLE "two words" (z)')
        connection.commit()
    with pytest.raises(UserError, match=r'2 tables: "people", "two words".* --sql'):
        read(sqlite_file)
    assert read(sqlite_file, 'SELECT * FROM "two words"').rows() == []


def test_a_query_cannot_write(sqlite_file, duckdb_file):
    with pytest.raises(UserError, match="may only read"):
        read(sqlite_file, "DELETE FROM people")
    with pytest.raises(UserError, match="read-only"):
        read(duckdb_file, "DROP TABLE people")
    assert read(sqlite_file).height == 2


def test_a_duckdb_query_sees_no_other_file(duckdb_file, tmp_path):
    other = tmp_path / "secret.csv"
    other.write_text("a\n1\n")
    with pytest.raises(UserError, match="the database says"):
        read(duckdb_file, f"SELECT * FROM read_csv('{other}')")


def test_a_wrong_query_shows_the_words_of_the_database(sqlite_file, duckdb_file):
    with pytest.raises(UserError, match="no such column: nope"):
        read(sqlite_file, "SELECT nope FROM people")
    with pytest.raises(UserError, match="nope"):
        read(duckdb_file, "SELECT nope FROM people")


def test_double_names_of_a_query_are_an_error(sqlite_file):
    with pytest.raises(UserError, match="more than one column 'age'"):
        read(sqlite_file, "SELECT age, age FROM people")


def test_mixed_types_become_text_and_are_told(tmp_path):
    path = tmp_path / "m.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (v)")
        connection.executemany("INSERT INTO t VALUES (?)", [(1,), ("x",), (None,), (2.0,)])
        connection.commit()
    ledger = Ledger()
    assert read(path, ledger=ledger).rows() == [("1",), ("x",), (None,), ("2",)]
    assert [entry.what for entry in ledger] == ["column read as text"]


def test_a_damaged_database_is_one_line(sqlite_file):
    whole = sqlite_file.read_bytes()
    sqlite_file.write_bytes(whole[:4500])
    with pytest.raises(UserError, match="truncated: 4500 bytes of 8192"):
        read(sqlite_file)
    data = bytearray(whole)
    data[4096:] = b"\x07" * 4096
    sqlite_file.write_bytes(data)
    with pytest.raises(UserError, match="the database says"):
        read(sqlite_file)


def test_a_missing_database_offers_the_nearest_name(sqlite_file):
    with pytest.raises(UserError, match=r"Did you mean 'people\.db'"):
        read(f"sqlite:///{sqlite_file.parent}/peple.db")


@pytest.fixture
def logged(tmp_path: Path) -> Path:
    """A database in the mode of write-ahead logs, which another connection may hold open."""
    path = tmp_path / "w.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (v INTEGER)")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.commit()
    return path


def test_reading_a_database_leaves_nothing_beside_it(logged):
    link = logged.with_name("link.db")
    link.symlink_to(logged)
    assert read(logged).rows() == read(link).rows() == [(1,)]
    assert sorted(path.name for path in logged.parent.iterdir()) == ["link.db", "w.db"]


def test_what_stands_in_a_log_only_is_read(logged):
    with contextlib.closing(sqlite3.connect(logged)) as connection:
        connection.execute("INSERT INTO t VALUES (2)")
        connection.commit()
        assert read(logged).rows() == [(1,), (2,)]


def test_a_database_that_changes_while_it_is_read_is_refused(logged, monkeypatch):
    def write_first(*_: object) -> None:
        with contextlib.closing(sqlite3.connect(logged)) as other:
            other.execute("INSERT INTO t SELECT value FROM json_each('[2, 3]')")
            other.commit()

    monkeypatch.setattr(database_files, "_share_memory", write_first)
    with pytest.raises(UserError, match=r"w.db: another program wrote .* Read it again"):
        read(logged)


def test_a_row_that_is_too_large_names_the_option(tmp_path):
    path = tmp_path / "x.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a, b)")
        connection.execute("INSERT INTO t VALUES (hex(zeroblob(50000)), hex(zeroblob(50000)))")
        connection.commit()
    query = "SELECT * FROM t ORDER BY a"
    with pytest.raises(UserError, match=r"a text or a row that is too large.*read\.max_bytes"):
        read_table(path, ReadRecipe(sql=query, max_bytes="150k"), Ledger())
    assert read_table(path, ReadRecipe(sql=query, max_bytes="1M"), Ledger()).n_rows == 1


@pytest.mark.parametrize("scheme", ["sqlite", "duckdb"])
def test_a_database_in_a_pipe_is_refused(scheme, sqlite_file, tmp_path):
    pipe = tmp_path / "pipe.db"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(sqlite_file.read_bytes()))
    writer.start()
    with pytest.raises(UserError, match="must be a file on disk, not compressed or piped"):
        read(f"{scheme}:///{pipe}")
    writer.join()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hunter2@127.0.0.1:1/db",
        "postgresql://ann:hunter2@127.0.0.1:1/db?a=b@c",
        "postgresql://ann:hun%74er2@127.0.0.1:1/db",
        "postgresql://ann@127.0.0.1:1/db?password=hunter2",
        "postgresql://ann:x@hunter2@127.0.0.1:1/db",
        "foo://ann:hunter2@host/db",
    ],
)
def test_a_password_never_appears(url):
    pytest.importorskip("adbc_driver_postgresql")
    ledger = Ledger()
    with pytest.raises(UserError) as caught:
        read_url(url, ReadRecipe(sql="SELECT 1"), ledger)
    said = str(caught.value) + str(caught.value.__cause__) + str(ledger.to_list())
    for form in ("hunter2", "hun%74er2"):
        assert form not in said
    assert "***" in said


def test_mask_keeps_the_rest():
    assert mask_password("mysql://u:p@h:3/d?x=1") == "mysql://u:***@h:3/d?x=1"
    assert mask_password("mysql://u@h/d?ssl_password=q&x=1") == "mysql://u@h/d?ssl_password=***&x=1"


def test_signatures_in_a_url_are_masked():
    url = "https://h/p?design=a&sig=SECRET1&X-Amz-Signature=SECRET2&auth=SECRET3"
    masked = "https://h/p?design=a&sig=***&X-Amz-Signature=***&auth=***"
    assert mask_password(url) == masked
    assert without_secrets("no access with SECRET1, SECRET2", url) == "no access with ***, ***"


def test_a_server_needs_a_query():
    with pytest.raises(UserError, match="needs a query"):
        read_url("postgresql://u:p@h/d", ReadRecipe(), Ledger())


def test_a_web_address_is_no_database():
    with pytest.raises(UserError, match="https:// is not a database"):
        read_url("https://x.org/a.csv", ReadRecipe(), Ledger())
