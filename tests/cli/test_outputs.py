"""Where results go: never over what is read, and a full or closed place costs no work."""

import os
import subprocess

import polars as pl
import pytest

from assay.cli.progress import Unheard

pytestmark = pytest.mark.attack


@pytest.mark.parametrize("way", ["same", "./same", "../same", "hard link", "link", "linked folder"])
def test_an_output_that_is_the_input_is_refused(run, model, fruit, tmp_path, monkeypatch, way):
    folder = tmp_path / "sub"
    folder.mkdir()
    table = folder / "t.csv"
    table.write_bytes(fruit.read_bytes())
    monkeypatch.chdir(folder)
    (tmp_path / "linked").symlink_to(folder)
    out = {
        "same": "t.csv",
        "./same": "./t.csv",
        "../same": "../sub/t.csv",
        "hard link": "hard.csv",
        "link": "link.csv",
        "linked folder": "../linked/t.csv",
    }[way]
    if way == "hard link":
        os.link(table, out)
    elif way == "link":
        os.symlink(table, out)
    result = run("predict", model, "t.csv", "-o", out)
    assert result.status == 2
    assert "would overwrite what is read" in result.err
    assert table.read_bytes() == fruit.read_bytes()


def test_a_database_that_is_read_is_not_overwritten(run, model, fruit_database):
    before = fruit_database.read_bytes()
    for scheme in ("sqlite:///", "SQLite:///"):
        url = f"{scheme}{fruit_database}"
        result = run(
            "predict", model, url, "--sql", "SELECT * FROM fruit", "-o", fruit_database,
            "--format", "csv",
        )  # fmt: skip
        assert result.status == 2
        assert "would overwrite what is read" in result.err
    assert fruit_database.read_bytes() == before


def test_a_pipe_with_a_name_is_refused(run, model, fruit, tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    result = run("predict", model, fruit, "-o", tmp_path / "pipe.csv")
    assert (result.status, "no ordinary file" in result.err) == (2, True)


@pytest.fixture
def many_rows(fruit, tmp_path):
    table = pl.read_csv(fruit)
    path = tmp_path / "many.csv"
    pl.concat([table] * 500).write_csv(path)
    return path


def test_a_reader_that_goes_ends_a_prediction_in_silence(start, model, many_rows):
    process = start(
        "predict", model, many_rows, "--quiet", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline().startswith(b"label,")
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_full_outputs(start, model, fruit):
    with open("/dev/full", "wb") as full:
        for arguments in (["predict", model, fruit, "--quiet"], ["--version"]):
            process = start(*arguments, stdout=full, stderr=subprocess.PIPE)
            _, told = process.communicate()
            assert process.returncode == 2
            assert told.count(b"\n") == 1
            assert b"No space left on device" in told
        process = start("predict", model, fruit, stdout=subprocess.PIPE, stderr=full)
        written, _ = process.communicate()
        assert process.returncode == 0
        assert written.count(b"\n") == 61


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_training_outlives_whoever_listened(start, fruit, tmp_path, quick):
    quick = [*quick, "--set", "model.candidates=[]", "--no-report"]
    code = "import os, sys; os.close(2); os.open('/dev/full', os.O_WRONLY)\n"
    code += "from assay.cli import main; sys.exit(main())"
    out = tmp_path / "m.assay"
    process = start(
        "train", fruit, "--target", "fruit", "-o", out, *quick, code=code, stdout=subprocess.DEVNULL
    )
    assert process.wait() == 0
    assert out.exists()


def test_a_terminal_that_vanishes_is_written_to_no_more():
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", buffering=1) as stream:
        unheard = Unheard(stream)
        assert unheard.write("a line\n") == 7
        unheard.flush()
        assert not unheard.isatty()
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)


def test_memory_that_runs_out_and_a_disk_that_breaks_are_one_line(run, model, fruit, monkeypatch):
    for error, said in (
        (MemoryError(), "memory ran out"),
        (OSError(5, "Input/output error", "x.bin"), "x.bin: cannot read or write: Input/output"),
    ):

        def failing(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("assay.model.Model.predict_proba", failing)
        result = run("predict", model, fruit, "--quiet")
        assert (result.status, result.out) == (2, "")
        assert result.err.count("\n") == 1
        assert said in result.err


def test_a_line_of_an_error_is_never_a_book(run, model, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text(f"weight,colour\n{'x' * 100_000},red\n")
    result = run("predict", model, table)
    assert result.status == 2
    assert len(result.err) < 4_100
