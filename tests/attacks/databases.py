"""Databases that a stranger made: views that never end, texts without measure, damage."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "

VIEWS = {
    "endless rows": ENDLESS + "SELECT x FROM c",
    "endless search": ENDLESS + "SELECT x FROM c WHERE x < 0",
    "a large text": "SELECT hex(zeroblob(400000000)) AS x",
    "many large texts": ENDLESS + "SELECT zeroblob(1000000) AS x FROM c",
    "many columns": "SELECT " + ", ".join(f"zeroblob(900000) AS c{at}" for at in range(1900)),
    "a join of joins": ENDLESS + "SELECT count(*) AS x FROM c a, c b, c d",
}
"""Hostile views by what they do."""

QUERIES = (
    "DELETE FROM people",
    "DROP TABLE people",
    "CREATE TABLE x (a)",
    "CREATE TEMP TABLE x AS SELECT 1 AS a",
    "ATTACH '{other}' AS other",
    "VACUUM INTO '{other}'",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA writable_schema = ON",
    "SELECT load_extension('{other}')",
    "SELECT writefile('{other}', 'x') AS a",
    "SELECT readfile('/etc/hosts') AS a",
    "INSERT INTO people VALUES (1, 'x') RETURNING age",
    "UPDATE people SET age = 1 RETURNING age",
    "SELECT 1 AS a; DELETE FROM people",
)
"""Queries that do more than read this table."""

DUCKDB_QUERIES = (
    "DROP TABLE people",
    "ATTACH '{other}'",
    "COPY people TO '{other}'",
    "EXPORT DATABASE '{other}'",
    "SELECT * FROM read_csv('/etc/hosts')",
    "SELECT * FROM read_text('/etc/hosts')",
    "SELECT * FROM '/etc/hosts'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET memory_limit = '100GB'",
    "SELECT 1 AS a; COPY people TO '{other}'",
)
"""The same in DuckDB's words."""


def sqlite_file(path: Path, *, view: str = "") -> Path:
    """Make a database of one table, or of one view and no table."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        if view:
            connection.execute(f"CREATE VIEW people AS {view}")
        else:
            connection.execute("CREATE TABLE people (age INTEGER, name TEXT)")
            rows = [(at, f"name {at}") for at in range(300)]
            connection.executemany("INSERT INTO people VALUES (?, ?)", rows)
        connection.commit()
    return path


def damaged(whole: bytes, *, n: int, seed: int) -> Iterator[bytes]:
    """Yield a file cut short or with bytes changed, `n` times."""
    import numpy as np

    random = np.random.default_rng([seed, 60])
    for number in range(n):
        if number % 3 == 0:
            yield whole[: int(random.integers(0, len(whole)))]
            continue
        data = bytearray(whole)
        for at in random.integers(0, len(whole), size=1 + number % 8):
            data[at] = int(random.integers(0, 256))
        yield bytes(data)
