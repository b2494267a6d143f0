"""A training of the command that was cut short goes on to the same files."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import assay
import assay.pipeline
from assay.cli.job import Job, default_run
from assay.run_folder import open_run
from attacks.kills import arguments, litter, make_table

TWINS = (".assay", ".html", ".json", ".md")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cut_short(monkeypatch):
    """Let a training end with an error when all is done but the judging."""

    def _cut(error, work):
        def stop(*args, **options):
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(assay.pipeline, "judge_training", stop)
            return work()

    return _cut


@pytest.fixture
def train(run, fruit, quick, place):
    """Train on the fruits, into the working folder."""

    def _train(*options, table=fruit, **named):
        return run("train", table, "--target", "fruit", "-o", "m.assay", *quick, *options, **named)

    return _train


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def same_files(model, whole):
    return all(
        model.with_suffix(twin).read_bytes() == whole.with_suffix(twin).read_bytes()
        for twin in TWINS
    )


def test_an_interrupted_training_goes_on_from_any_folder_to_the_same_files(
    run, train, place, cut_short, monkeypatch
):
    assert train("-q").status == 0
    assert names(place) == ["m.assay", "m.html", "m.json", "m.md"]
    whole = place / "whole" / "m.assay"
    whole.parent.mkdir()
    for twin in TWINS:
        (place / f"m{twin}").rename(whole.with_suffix(twin))

    stopped = cut_short(KeyboardInterrupt(), train)
    assert stopped.status == 130
    assert stopped.err.endswith(
        "assay: interrupted: what was done so far is kept; go on with: assay resume m.assay.run\n"
    )
    assert names(place) == ["m.assay.run", "whole"]

    again = train()
    assert again.status == 2
    assert again.err == (
        "assay: m.assay.run: holds an unfinished training. "
        "Go on with: assay resume m.assay.run (or begin anew with --fresh).\n"
    )
    monkeypatch.chdir(whole.parent)
    result = run("resume", "../m.assay.run", "--json")
    assert result.status == 0
    assert (
        "goes on with what was kept in ../m.assay.run: boosting, logistic, training" in result.err
    )
    assert "epoch" not in result.err  # the networks are trained already
    assert f'"model":"{place}/m.assay"' in result.out.replace(" ", "")
    assert names(place) == ["m.assay", "m.html", "m.json", "m.md", "whole"]
    assert same_files(place / "m.assay", whole)


def test_resume_and_fresh_go_on_and_begin_anew(train, place, cut_short):
    assert train("--resume", "--fresh").status == 2
    assert train("--resume", "-q", "--no-report").status == 0  # there was none: it began
    whole = (place / "m.assay").read_bytes()
    (place / "m.assay").unlink()
    for option in ("--resume", "--fresh"):
        assert cut_short(KeyboardInterrupt(), lambda: train("-q", "--no-report")).status == 130
        assert train("--set", "seed=3", "--resume").status == 2
        assert train(option, "-q", "--no-report").status == 0
        assert (place / "m.assay").read_bytes() == whole
        assert names(place) == ["m.assay"]
        (place / "m.assay").unlink()


def test_errors_tell_how_to_go_on_where_going_on_makes_sense(run, train, place, cut_short):
    full = cut_short(MemoryError(), train)
    assert full.status == 2
    assert "memory ran out" in full.err
    assert full.err.endswith("go on with: assay resume m.assay.run\n")
    bug = cut_short(ZeroDivisionError("x"), lambda: train("--resume", "-q"))
    assert bug.status == 1
    assert bug.err.count("\n") == 1
    assert bug.err.endswith("go on with: assay resume m.assay.run\n")
    refused = train("--resume", "--set", "seed=3", "-q")
    assert "seed was the default when it began, and is 3" in refused.err
    assert "go on with:" not in refused.err
    assert run("resume", "m.assay.run", "-q").status == 0
    mistake = cut_short(assay.UserError("no good"), train)
    assert mistake.err.endswith("assay: no good.\n")
    assert train("--drop", "none").status == 2
    assert names(place) == ["m.assay", "m.html", "m.json", "m.md"]


def test_a_model_that_cannot_be_saved_is_not_lost(run, train, place, monkeypatch):
    def full(*args, **options):
        raise assay.UserError("cannot write: No space left on device", where="m.assay")

    with monkeypatch.context() as patch:
        patch.setattr("assay.model.save_model", full)
        result = train("-q")
    assert result.err.endswith("go on with: assay resume m.assay.run\n")
    assert run("resume", "m.assay.run", "-q").out == f"{place}/m.assay\n"


def test_a_pipe_has_a_run_only_where_it_is_named(run, fruit, quick, place, cut_short):
    data = fruit.read_bytes()
    words = ["train", "-", "--target", "fruit", "-o", "m.assay", "--no-report", "-q", *quick]
    cut_short(KeyboardInterrupt(), lambda: run(*words, stdin=data))
    assert names(place) == []
    assert run(*words, stdin=data).status == 0
    whole = (place / "m.assay").read_bytes()
    (place / "m.assay").unlink()
    result = cut_short(KeyboardInterrupt(), lambda: run(*words, "--run", "r", stdin=data))
    assert result.err.endswith("go on with: assay resume r < TABLE\n")
    nothing = run("resume", "r")
    assert nothing.status == 2
    assert "came from standard input and has to be given again" in nothing.err
    other = run("resume", "r", stdin=data + b"61,90,red,apple\n")
    assert "had 60 rows when it began, and has 61" in other.err
    assert run("resume", "r", "-q", stdin=data).status == 0
    assert (place / "m.assay").read_bytes() == whole
    assert names(place) == ["m.assay"]


def test_passwords_are_not_kept_and_asked_for_again(run, fruit, place, monkeypatch):
    url = "postgresql://ann:hunter2@host/sales"
    job = Job(url, "m.assay", test="t.csv", report="r.html")
    kept = job.to_keep()
    assert kept["table"] == "postgresql://ann:***@host/sales"
    assert (kept["output"], kept["test"]) == (f"{place}/m.assay", f"{place}/t.csv")
    with_run = open_run("r", recipe=assay.Recipe().to_toml(), command=kept)
    with_run.write("training", {}, {})
    with_run.leave()
    assert all(b"hunter2" not in file.read_bytes() for file in (place / "r").iterdir())
    result = run("resume", "r")
    assert result.status == 2
    assert "its password was not kept" in result.err
    assert "--table" in result.err
    monkeypatch.setenv("ASSAY_TABLE", str(fruit))
    assert "its password" not in run("resume", "r").err
    assert names(place) == ["r"]


def test_a_run_of_another_release_is_told(run, place):
    held = open_run("r", recipe="", command={"tables": ["a.csv"]})
    held.write("training", {}, {})
    held.leave()
    assert "another release of assay began this training" in run("resume", "r").err


def test_places_lead_there_from_any_folder(place):
    kept = Job("sqlite:///a b.db?mode=ro", "-").to_keep()["table"]
    assert kept == f"sqlite:///{place}/a%20b.db?mode=ro"
    assert Job("-", "-").to_keep()["table"] == "-"
    odd = Job("a?key=b.csv", "-").to_keep()
    assert (odd["table"], odd["is_secret"]) == (f"{place}/a?key=b.csv", False)
    assert Job("postgresql://host/x", "-").to_keep()["table"] == "postgresql://host/x"


def test_the_folder_of_a_long_name_has_a_short_one():
    assert default_run("a.csv", "b/c.assay") == str(Path("b/c.assay.run"))
    folder, other = (default_run("a.csv", "é" * 125 + end) for end in ("ab", "ac"))
    assert len(os.fsencode(folder)) < 255
    assert folder.startswith("é" * 40)
    assert folder != other


def test_a_training_of_the_library_is_resumed_there(run, place):
    held = open_run("r", recipe="")
    held.write("training", {}, {})
    held.leave()
    result = run("resume", "r")
    assert "begun in Python. Go on with assay.train(..., run=..., resume=True)" in result.err
    assert "there is no such folder" in run("resume", "none").err


def test_the_time_between_checkpoints_is_a_time(train):
    assert (
        "option --checkpoint-every: 'soon' is not a time" in train("--checkpoint-every", "soon").err
    )


def test_the_folder_of_a_run_is_no_file_of_the_training(train, place):
    for options in (
        ("--run", "m.assay"),
        ("--run", "./m.html"),
        ("--run", "c.md", "--report", "c.md"),
        ("--run", "t.csv", "--test", "t.csv"),
    ):
        result = train(*options)
        assert result.status == 2
        assert f"{options[1]}: is the name of a file that is read or written" in result.err
    assert names(place) == []


@pytest.mark.parametrize("every", [0.0, -1.0, float("nan"), float("inf"), True, "60s"])
def test_the_library_takes_a_time_between_checkpoints_that_is_one(place, every):
    with pytest.raises(assay.UserError, match=r"checkpoint_every: .* is no time"):
        assay.train({"x": [1.0]}, "x", run="r", checkpoint_every=every)
    assert names(place) == []


def test_a_test_table_that_the_run_has_not_is_refused(run, place, monkeypatch):
    held = open_run("r", recipe="", command=Job("a.csv", "m.assay").to_keep())
    held.write("training", {}, {})
    held.leave()
    result = run("resume", "r", "--test", "t.csv")
    assert result.status == 2
    assert "r: it was begun without a test table. Leave --test out" in result.err
    monkeypatch.setenv("ASSAY_TEST", "t.csv")  # for all trainings, perhaps
    assert "test table" not in run("resume", "r").err
    Path("m.assay").write_text("")
    assert "m.assay: is a file. Give the folder of the run" in run("resume", "m.assay").err


def test_going_on_that_fails_for_good_offers_to_begin_anew(train, place, cut_short):
    assert cut_short(KeyboardInterrupt(), lambda: train("-q")).status == 130
    stuck = cut_short(assay.UserError("the time is too short"), lambda: train("--resume", "-q"))
    assert stuck.err == (
        "assay: the time is too short. What was done so far is kept, "
        "but going on ends here again; begin anew with 'assay train ... --fresh'\n"
    )
    assert names(place) == ["m.assay.run"]


@pytest.mark.attack
@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_a_termination_at_the_very_beginning_or_end_is_told_in_one_line(train, place, monkeypatch):
    def terminate(*args, **options):
        os.kill(os.getpid(), signal.SIGTERM)

    for moment in ("assay.run_folder.take", "assay.run_folder.RunFolder.remove"):
        with monkeypatch.context() as patch:
            patch.setattr(moment, terminate)
            told = train("-q", "--no-report", "--fresh")
        assert told.status == 143
        assert told.err.startswith("assay: terminated")
        assert told.err.count("\n") == 1
    assert names(place) == ["m.assay", "m.assay.run"]


@pytest.mark.attack
@pytest.mark.skipif(sys.platform == "win32", reason="names are text there")
def test_a_name_that_is_no_text_is_a_mistake(run, fruit, place):
    result = run("train", fruit, "--target", "\udcff", "-o", "m.assay")
    assert result.status == 2
    assert "is no text. Give names and options as UTF-8" in result.err
    assert names(place) == []


@pytest.mark.story
@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_killed_and_terminated_trainings_go_on_to_the_same_files(run, start, tmp_path):
    table = make_table("mixed", tmp_path, n_rows=120)
    whole = tmp_path / "whole" / "m.assay"
    whole.parent.mkdir()
    assert run(*arguments("mixed", table, whole, n_epochs=60)).status == 0
    for number, reached, status in (
        (signal.SIGKILL, "logistic.state", -9),
        (signal.SIGKILL, "training.state", -9),
        (signal.SIGTERM, "training.state", 143),
    ):
        model = tmp_path / f"{reached}{status}" / "m.assay"
        model.parent.mkdir()
        command = arguments("mixed", table, model, n_epochs=60)
        process = start(*command, stderr=subprocess.PIPE)
        wait_for(Path(f"{model}.run") / reached, process)
        os.kill(process.pid, number)
        told = process.communicate(timeout=60)[1].decode()
        assert process.returncode == status
        if number == signal.SIGTERM:
            assert told.startswith("assay: terminated: what was done so far is kept; go on with: ")
        assert run("resume", f"{model}.run", "-q").status == 0
        assert same_files(model, whole)
        assert litter(model) == []


def wait_for(path, process):
    deadline_s = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
