"""A password in a database URL stands in nothing that a run writes, says or fails with."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from assay.cli import main
from assay.read import database

CANARY = "Canary7%&Qx"
FORMS = (CANARY, quote(CANARY, safe=""), "Canary7")
QUICK = ["--set", "train.epochs=1", "--set", "model.hidden=[4]", "--set", "split.folds=2"]


@dataclass(frozen=True)
class Result:
    """What a command left."""

    status: int
    said: str


@pytest.fixture
def assay(tmp_path, monkeypatch, capfd) -> Callable[..., Result]:
    """Run a command in an empty folder, with tracebacks shown; drivers are heard as well."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_DEBUG", "1")

    def run(*args: str) -> Result:
        status = main(list(args))
        captured = capfd.readouterr()
        return Result(status, captured.out + captured.err)

    return run


def assert_secret(folder: Path, *runs: Result) -> None:
    written = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for form in FORMS:
        for run in runs:
            assert form not in run.said
        for path, data in written.items():
            assert form.encode() not in data, path


@pytest.mark.attack
@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ann:{quote(CANARY, safe='')}@127.0.0.1:1/db",
        f"postgresql://127.0.0.1:1/db?user=ann&password={quote(CANARY, safe='')}",
        f"postgresql://ann:{CANARY}@127.0.0.1:1/db",
        f"snowflake://ann:{quote(CANARY, safe='')}@host/db",
        f"https://{quote(CANARY, safe='')}@host/rows.csv",
    ],
)
def test_a_failing_run_keeps_the_password(url, tmp_path, assay):
    pytest.importorskip("adbc_driver_postgresql")
    options = ["--sql", "SELECT 1 AS y", "--target", "y", "-o", "m.assay", *QUICK]
    done = assay("train", url, *options)
    assert done.status == 2
    assert "***" in done.said
    assert_secret(tmp_path, done)


@pytest.mark.attack
def test_a_password_of_the_environment_is_kept(tmp_path, assay, monkeypatch):
    pytest.importorskip("adbc_driver_postgresql")
    options = ["--sql", "SELECT 1 AS y", "--target", "y", "-o", "m.assay"]
    monkeypatch.setenv("PGPASSWORD", CANARY)
    url = "postgresql://ann@127.0.0.1:1/db"
    done = assay("train", url, *options)
    assert done.status == 2
    assert_secret(tmp_path, done)


@pytest.mark.attack
def test_a_run_that_succeeds_writes_the_password_nowhere(tmp_path, assay):
    with closing(sqlite3.connect(tmp_path / "rows.db")) as connection:
        connection.execute("CREATE TABLE rows (n INTEGER, c TEXT, y TEXT)")
        rows = [(at % 17, "ab"[at % 2], "yes" if at % 17 > 8 else "no") for at in range(120)]
        connection.executemany("INSERT INTO rows VALUES (?, ?, ?)", rows)
        connection.commit()
    url = f"sqlite:///rows.db?password={quote(CANARY, safe='')}"
    runs = [
        assay("train", url, "--target", "y", "-o", "m.assay", *QUICK),
        assay("predict", "m.assay", url, "-o", "out.csv"),
        assay("report", "m.assay", "-o", "report.html"),
        assay("show", "m.assay", "--json"),
    ]
    assert [run.status for run in runs] == [0, 0, 0, 0], runs[0].said
    assert_secret(tmp_path, *runs)


def test_the_driver_says_nothing_by_itself(monkeypatch):
    pytest.importorskip("connectorx")
    seen = []
    monkeypatch.setenv("RUST_LOG", "debug")
    monkeypatch.setattr(
        database.importlib, "import_module", lambda _: seen.append(os.environ["RUST_LOG"])
    )
    database._silence_driver()
    assert (seen, os.environ["RUST_LOG"]) == (["off"], "debug")
