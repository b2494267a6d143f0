"""A stranger's database is read, or refused in one line; it writes and reads nothing else."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read.source import read_table
from attacks import databases

pytestmark = pytest.mark.attack


def read(path: Path, **options: object) -> int:
    return read_table(path, ReadRecipe(**options), Ledger()).frame.height


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return databases.sqlite_file(tmp_path / "people.db")


@pytest.fixture
def ducks(tmp_path: Path) -> Path:
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "people.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE people AS SELECT range AS age FROM range(300)")
    return path


@pytest.mark.parametrize("name", databases.VIEWS)
def test_a_view_without_measure_is_stopped(name, tmp_path):
    path = databases.sqlite_file(tmp_path / "x.db", view=databases.VIEWS[name])
    with pytest.raises(UserError, match=r"more than 20 MB|longer than 1s|too large"):
        read(path, max_bytes="20M", max_time="1s")


def test_an_endless_query_of_duckdb_is_stopped(ducks):
    query = "SELECT count(*) AS n FROM range(1000000) a, range(1000000) b, range(1000000) c"
    with pytest.raises(UserError, match=r"longer than 1s.*read.max_time"):
        read(ducks, sql=query, max_time="1s")
    with pytest.raises(UserError, match=r"more than 5 MB|emory"):
        read(ducks, sql="SELECT range AS n FROM range(100000000)", max_bytes="5M")


@pytest.mark.parametrize("query", databases.QUERIES)
def test_a_query_of_sqlite_may_only_read(query, people, tmp_path):
    check_refused_and_untouched(people, query, tmp_path / "other.db")


@pytest.mark.parametrize("query", databases.DUCKDB_QUERIES)
def test_a_query_of_duckdb_may_only_read(query, ducks, tmp_path):
    check_refused_and_untouched(ducks, query, tmp_path / "other.csv")


def check_refused_and_untouched(database, query, other):
    before = database.read_bytes()
    with pytest.raises(UserError, match=r"the database says|no table"):
        read(database, sql=query.format(other=other))
    assert database.read_bytes() == before
    assert not other.exists()


def test_a_damaged_sqlite_file_is_read_or_refused_in_one_line(people, tmp_path):
    whole = people.read_bytes()
    n_refused = 0
    for number, data in enumerate(databases.damaged(whole, n=150, seed=0)):
        path = tmp_path / f"{number}.db"
        path.write_bytes(data)
        try:
            assert read(path, max_time="5s") <= 300 * 8
        except UserError:
            n_refused += 1
    assert n_refused > 50


@pytest.mark.parametrize("name", ["x.db", "x.sqlite", "x.duckdb"])
@pytest.mark.parametrize("data", [b"SQLite format 3\0", b"no database at all\n" * 30, b"\0" * 9000])
def test_what_is_no_database_is_refused(name, data, tmp_path):
    path = tmp_path / name
    path.write_bytes(data)
    scheme = "duckdb" if name.endswith("duckdb") else "sqlite"
    with pytest.raises(UserError):
        read_table(f"{scheme}:///{path}", ReadRecipe(), Ledger())


def test_a_locked_database_is_one_line(people, monkeypatch):
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **k, timeout=0.05))
    with contextlib.closing(real(people, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match="database is locked"):
            read(people)


def test_an_interval_of_duckdb_is_one_line(ducks):
    with pytest.raises(UserError, match="the database says"):
        read(ducks, sql="SELECT INTERVAL 1 MONTH AS x")
