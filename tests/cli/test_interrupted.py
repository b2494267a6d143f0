"""Ctrl-C and SIGTERM while networks are trained cost nothing, and nothing else is in the way."""

import os
import signal
import subprocess
import sys

import polars as pl
import pytest

import assay
from assay import run_folder
from assay.cli.job import compute_as_begun
from assay.run_files import POLARS_THREADS
from assay.run_folder import open_run
from assay.state_file import read_state, write_state
from assay.training.history import Silent

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such signals")

EVERY = ("--checkpoint-every", "1h")
UNSET = """
import os, sys
os.environ.pop("POLARS_MAX_THREADS", None)
from assay.cli import main
sys.exit(main())
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def words(fruit, quick):
    """A training that writes a checkpoint only where it has to."""
    return ["train", fruit, "--target", "fruit", "-o", "m.assay", "--no-report", *EVERY, *quick]


@pytest.fixture
def pressed_in(run, words, monkeypatch):
    """Train until a signal comes in the midst of the networks."""

    def _pressed_in(epoch, number=signal.SIGINT):
        def press(observer, now, *args, **options):
            if now == epoch:
                os.kill(os.getpid(), number)

        with monkeypatch.context() as patch:
            patch.setattr("assay.cli.progress.Quiet.on_epoch", press)
            return run(*words, "-q")

    return _pressed_in


@pytest.mark.parametrize(
    ("number", "status", "told"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_the_state_of_that_moment_is_kept(run, words, place, pressed_in, number, status, told):
    assert run(*words, "-q").status == 0
    whole = (place / "m.assay").read_bytes()
    (place / "m.assay").unlink()
    stopped = pressed_in(3, number)
    assert stopped.status == status
    assert stopped.err == (
        f"assay: {told}: what was done so far is kept; go on with: assay resume m.assay.run\n"
    )
    document = read_state(place / "m.assay.run" / "training.state")[1]["document"]
    assert (document["epoch"], document["is_finished"]) == (3, False)
    result = run("resume", "m.assay.run")
    assert result.status == 0
    assert result.err.index("goes on with what was kept") < result.err.index("epoch 4/5")
    assert "epoch 3/5" not in result.err
    assert (place / "m.assay").read_bytes() == whole


def test_the_library_keeps_it_too(fruit, place):
    class Pressing(Silent):
        def on_epoch(self, epoch, *args, **options):
            if epoch == 3:
                signal.raise_signal(signal.SIGINT)

    options = {"train.epochs": 5, "model.hidden": [8], "split.folds": 2}
    with pytest.raises(KeyboardInterrupt):
        assay.train(fruit, "fruit", options=options, run="r", observer=Pressing())
    assert read_state(place / "r" / "training.state")[1]["document"]["epoch"] == 3
    model = assay.train(fruit, "fruit", options=options, run="r", resume=True)
    assert model.to_bytes() == assay.train(fruit, "fruit", options=options).to_bytes()


def test_who_is_refused_is_not_told_that_it_goes_on(run, words, place, pressed_in):
    pressed_in(3)
    other = run(*words, "--resume", "--set", "seed=3")
    assert (other.status, other.out) == (2, "")
    assert other.err.startswith("assay: m.assay.run: the training cannot go on: seed was ")
    file = place / "m.assay.run" / "training.state"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    damaged = run("resume", "m.assay.run")
    assert damaged.status == 2
    assert damaged.err.startswith("assay: m.assay.run/training.state: the saved state is damaged")
    assert damaged.err.count("\n") == 1
    assert "go on with: assay resume m.assay.run" in damaged.err
    file.unlink()
    result = run("resume", "m.assay.run")
    assert "goes on with what was kept in m.assay.run: boosting, logistic\n" in result.err
    assert result.status == 0


def test_what_could_not_be_kept_is_not_told_as_kept(place, pressed_in, monkeypatch, caplog):
    write = run_folder.write_state

    def full(path, *args):
        if path.name == "training.state":
            raise assay.UserError("cannot write: No space left on device", where=str(path))
        write(path, *args)

    monkeypatch.setattr(run_folder, "write_state", full)
    stopped = pressed_in(3)
    assert stopped.status == 130
    assert stopped.err == (
        "assay: interrupted: what could be kept is kept; go on with: assay resume m.assay.run\n"
    )
    assert "what was done since the last checkpoint is lost: m.assay.run/training" in caplog.text
    assert "goes on" not in caplog.text


@pytest.mark.attack
@pytest.mark.parametrize("name", ["settings", "table", "test"])
def test_without_its_record_going_on_is_not_offered(run, place, pressed_in, name):
    pressed_in(3)
    file = place / "m.assay.run" / f"{name}.state"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    damaged = run("resume", "m.assay.run").err
    file.unlink()
    gone = run("resume", "m.assay.run").err
    file.mkdir()
    folder = run("resume", "m.assay.run").err
    for told in (damaged, gone, folder):
        assert told.splitlines()[-1].startswith("assay: m.assay.run")
        assert f"{name}.state" in told
        assert "go on with" not in told
    assert damaged.endswith("Begin anew with 'assay train ... --fresh'.\n")
    assert gone.endswith(
        f"its record {name}.state is gone. Put it back, or begin anew with "
        "'assay train ... --fresh'.\n"
    )
    assert folder.endswith("is a folder, not a saved state. Move it away.\n")
    file.rmdir()
    file.write_bytes(whole)
    assert run("resume", "m.assay.run", "-q").status == 0


@pytest.mark.attack
def test_networks_that_do_not_fit_may_be_trained_again(run, place, pressed_in):
    pressed_in(3)
    file = place / "m.assay.run" / "training.state"
    write_state(file, {}, {"elapsed_s": 1.0, "document": {}})
    told = run("resume", "m.assay.run", "-q").err
    assert "n_threads = None. Remove training.state from the folder of the run to train" in told
    assert told.endswith("is kept; go on with: assay resume m.assay.run\n")
    file.unlink()
    file.mkdir()
    told = run("resume", "m.assay.run").err
    assert told.startswith("assay: m.assay.run/training.state: is a folder, not a saved state. ")
    assert told.endswith("is kept; go on with: assay resume m.assay.run\n")
    file.rmdir()
    assert run("resume", "m.assay.run", "-q").status == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_when_all_is_written_it_is_too_late_to_stop(run, words, place, monkeypatch, number):
    let_go, pressed = run_folder.let_go, []

    def press(*args, **options):
        if not pressed:
            pressed.append(number)
            os.kill(os.getpid(), number)
        let_go(*args, **options)

    monkeypatch.setattr(run_folder, "let_go", press)
    done = run(*words, "-q")
    assert (done.status, done.out, done.err) == (0, "m.assay\n", "")
    assert [entry.name for entry in place.iterdir()] == ["m.assay"]
    assert pressed == [number]


@pytest.mark.attack
def test_a_table_given_again_may_be_no_larger_than_the_recipe_allows(run, fruit, place):
    recipe = assay.Recipe().with_options({"target": "fruit", "read.max_bytes": "1K"})
    job = assay.cli.job.Job("-", "m.assay").to_keep()
    held = open_run("r", recipe=recipe.to_toml(), command=job)
    held.write("training", {}, {})
    held.leave()
    flood = fruit.read_bytes() * 10
    result = run("resume", "r", stdin=flood)
    assert result.status == 2
    assert result.err.startswith("assay: standard input: ")
    assert "more than 1" in result.err


def begun_with(n_threads):
    """Make a run that tells of its threads."""
    held = open_run("r", recipe="", command={})
    held.keep("settings", {}, {"given": {"device": {POLARS_THREADS: n_threads}}})
    held.write("training", {}, {})
    held.leave()


@pytest.mark.parametrize("n_threads", [3, None, True, "3", 0, -1, 10**9, [3]])
def test_polars_gets_its_threads_before_it_is_loaded(place, monkeypatch, n_threads):
    begun_with(n_threads)
    monkeypatch.setattr(os, "environ", {})
    compute_as_begun("r")
    assert os.environ == {}  # it is loaded: nothing would change
    monkeypatch.delitem(sys.modules, "polars")
    for folder in (None, "nowhere"):
        compute_as_begun(folder)
    assert os.environ == {}
    compute_as_begun("r")
    assert os.environ == ({"POLARS_MAX_THREADS": "3"} if n_threads == 3 else {})
    os.environ["POLARS_MAX_THREADS"] = ""  # as where a script has nothing to give
    compute_as_begun("r")
    assert os.environ == {"POLARS_MAX_THREADS": "3" if n_threads == 3 else ""}
    os.environ["POLARS_MAX_THREADS"] = "5"
    compute_as_begun("r")
    assert os.environ == {"POLARS_MAX_THREADS": "5"}  # somebody wants it so


def test_polars_has_its_own_threads_where_a_training_begins_anew(place, monkeypatch):
    begun_with(3)
    (place / "r" / "training.state").unlink()
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.delitem(sys.modules, "polars")
    compute_as_begun("r")
    assert os.environ == {}


@pytest.mark.story
def test_a_run_goes_on_where_there_are_other_threads_of_polars(
    run, start, place, pressed_in, monkeypatch
):
    n_threads = pl.thread_pool_size() + 1
    with monkeypatch.context() as patch:
        patch.setattr(pl, "thread_pool_size", lambda: n_threads)
        assert pressed_in(3).status == 130
    refused = run("resume", "m.assay.run", "-q")  # Polars is loaded here
    assert f"Set POLARS_MAX_THREADS={n_threads}, or begin anew" in refused.err
    process = start("resume", "m.assay.run", "-q", code=UNSET, stderr=subprocess.PIPE)
    told = process.communicate(timeout=120)[1].decode()
    assert (process.returncode, told) == (0, "")
