"""One small table and one small model for all tests of the command."""

import io
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from assay.cli import main

SOURCE = Path(__file__).parents[2] / "src"
QUICK = ["--set", "train.epochs=5", "--set", "model.hidden=[8]", "--set", "split.folds=2"]


@dataclass(frozen=True)
class Result:
    """What a command left."""

    status: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process."""

    def _run(*args: object, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfd.readouterr()
        status = main([str(arg) for arg in args])
        captured = capfd.readouterr()
        return Result(status, captured.out, captured.err)

    return _run


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.Popen[bytes]]:
    """Start a command in a process of its own."""

    def _start(*args: object, code: str = "", env: dict[str, str] | None = None, **pipes: object):  # type: ignore[no-untyped-def]
        own = code or "import sys; from assay.cli import main; sys.exit(main())"
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), **(env or {})}
        environment.pop("PYTHONUNBUFFERED", None)  # as a person starts it
        command = [sys.executable, "-c", own, *(str(arg) for arg in args)]
        return subprocess.Popen(command, env=environment, **pipes)  # type: ignore[call-overload]

    return _start


def fruit_rows() -> list[str]:
    """Return 60 lines: a running number, a weight with gaps, a colour, the fruit."""
    rows = []
    for idx in range(60):
        is_apple = idx % 3 != 0
        weight = "" if idx % 13 == 5 else f"{(80 if is_apple else 140) + idx % 17}.5"
        colour = (
            ("red", "green", "yellow")[idx % 5 % 3] if is_apple else ("green", "yellow")[idx % 2]
        )
        rows.append(f"{idx + 1},{weight},{colour},{'apple' if is_apple else 'pear'}")
    return rows


@pytest.fixture(scope="session")
def fruit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV file of 60 rows: id, weight, colour, fruit."""
    path = tmp_path_factory.mktemp("fruit") / "fruit.csv"
    path.write_text("\n".join(["id,weight,colour,fruit", *fruit_rows()]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def model(fruit: Path) -> Path:
    """A model of the fruits."""
    path = fruit.with_name("model.assay")
    assert main(["train", str(fruit), "--target", "fruit", "-o", str(path), "--quiet", *QUICK]) == 0
    return path


@pytest.fixture(scope="session")
def fruit_database(fruit: Path) -> Path:
    """An SQLite file with the fruits and another table."""
    path = fruit.with_name("fruit.db")
    rows = [[cell or None for cell in line.split(",")] for line in fruit_rows()]
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE fruit (id INTEGER, weight REAL, colour TEXT, fruit TEXT)")
    connection.execute("CREATE TABLE other (id)")
    connection.executemany("INSERT INTO fruit VALUES (?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return path


@pytest.fixture
def quick() -> list[str]:
    """Options that make a training short."""
    return list(QUICK)
