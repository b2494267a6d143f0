"""Every call of the system can fail: the old file or the new one, whole, and one line."""

import errno
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import assay
from assay.errors import UserError
from assay.files import atomic_write
from attacks.faults import CALLS, ERRORS, fail_each, failing, run_command

pytestmark = pytest.mark.attack

WRITING = ("open", "write", "fsync", "replace")  # `atomic_write` is tried with all of them
FAST = {"train.epochs": 1, "model.hidden": [4], "model.candidates": [], "split.folds": 2}


@pytest.fixture(scope="module")
def model() -> assay.Model:
    rng = np.random.default_rng([0, 301])
    x = rng.normal(size=80)
    frame = pl.DataFrame({"x": x, "y": np.where(x + rng.normal(size=80) > 0, "yes", "no")})
    return assay.train(frame, "y", options={**FAST, "evaluate.bootstrap": 100})


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory) -> Path:
    """A folder with the model and a table of two rows."""
    folder = tmp_path_factory.mktemp("saved")
    model.save(folder / "m.assay")
    (folder / "t.csv").write_text("x\n0.5\n-1.0\n")
    return folder


@pytest.mark.parametrize(
    ("call", "name"),
    [(call, name) for call in CALLS for name in ERRORS if name != "MEMORY"]
    + [("open", "MEMORY"), ("write", "MEMORY")],  # elsewhere none is asked for
)
def test_a_file_is_old_or_new_whichever_call_fails(tmp_path, call, name):
    path = tmp_path / "a.bin"

    def write() -> None:
        with atomic_write(path) as file:
            file.write(b"one")
            file.write(b"two")

    n_calls = fail_each(path, write, call, ERRORS[name])
    assert n_calls or call in ("read", "mkdir", "unlink"), "the call is made no more"
    assert path.read_bytes() == b"onetwo"


@pytest.mark.parametrize("call", WRITING)
def test_a_model_is_saved_whole_or_not_at_all(tmp_path, model, call):
    path = tmp_path / "m.assay"
    fail_each(path, lambda: model.save(path), call, ERRORS["ENOSPC"])
    np.testing.assert_array_equal(
        assay.load(path).predict_proba({"x": [1.0]}), model.predict_proba({"x": [1.0]})
    )


@pytest.mark.parametrize("call", WRITING)
def test_a_report_is_written_whole_or_not_at_all(tmp_path, model, call):
    path = tmp_path / "r.md"
    fail_each(path, lambda: model.report(path), call, ERRORS["EIO"])


@pytest.mark.parametrize("call", WRITING)
def test_predictions_are_written_whole_or_not_at_all(saved, tmp_path, call):
    path = tmp_path / "p.csv"
    arguments = ["predict", str(saved / "m.assay"), str(saved / "t.csv"), "-o", str(path)]
    fail_each(path, lambda: run_command(arguments), call, ERRORS["ENOSPC"])


@pytest.mark.parametrize("call", ["open", "read", "close", "stat"])
def test_what_cannot_be_read_is_one_line(saved, call):
    arguments = ["predict", str(saved / "m.assay"), str(saved / "t.csv")]
    for nth in range(1, 100):
        with failing(saved, call, nth, ERRORS["EIO"]) as fault:
            out = run_command(arguments, is_refused=None)
        if not fault.is_fired:
            assert out.startswith("label,")
            return


def test_the_calls_come_in_the_order_that_survives_a_power_cut(tmp_path):
    with failing(tmp_path) as fault, atomic_write(tmp_path / "a.bin") as file:
        file.write(b"new")
    calls = [
        (call, name.endswith(".part"))
        for call, name in fault.seen
        if call in ("open", "write", "flush", "close", "fsync", "replace")
    ]
    assert calls == [
        ("open", True),
        ("write", True),
        ("flush", True),
        ("fsync", True),
        ("close", True),
        ("replace", True),
        ("fsync", False),
    ]
    assert [name for call, name in fault.seen if call == "fsync"][1] == tmp_path.name


def test_a_file_system_without_folder_flush_is_fine(tmp_path):
    error = OSError(errno.EINVAL, "Invalid argument")
    with failing(tmp_path, "fsync", 2, error) as fault, atomic_write(tmp_path / "a") as file:
        file.write(b"new")
    assert fault.is_fired
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_folder_that_vanishes_meanwhile_is_one_line(tmp_path):
    folder = tmp_path / "sub"
    folder.mkdir()

    def vanishing() -> None:
        with atomic_write(folder / "a") as file:
            file.write(b"new")
            next(folder.iterdir()).unlink()
            folder.rmdir()

    with pytest.raises(UserError, match="cannot write: No such file"):
        vanishing()
    assert os.listdir(tmp_path) == []
