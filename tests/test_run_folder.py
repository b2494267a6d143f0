"""A run's folder belongs to one process, keeps what was done, and goes when all is done."""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from assay import run_folder
from assay.errors import UserError
from assay.run_folder import at_work, open_run, read_record, resume_command

SOURCE = Path(__file__).parents[1] / "src"
HOLD = """
import sys, time
from assay.run_folder import open_run
run = open_run(sys.argv[1], recipe="", command={})
run.write("boosting", {}, {})
print("held", flush=True)
time.sleep(60)
"""


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


def begin(folder, **options):
    return open_run(folder, **{"recipe": "seed = 0\n", "command": {"table": "a.csv"}, **options})


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_what_is_kept_is_found_by_the_next_attempt(tmp_path):
    run = begin(tmp_path / "r")
    run.write("training", {"w": np.ones(3, np.float32)}, {"epoch": 4})
    assert run.leave()
    again = begin(tmp_path / "r", start="resume")
    assert again.is_resumed
    assert again.progress == ["training"]
    arrays, document = again.read("training")
    assert document == {"epoch": 4}
    assert arrays["w"].tolist() == [1.0, 1.0, 1.0]
    assert again.read("boosting") is None
    assert read_record(tmp_path / "r").recipe == "seed = 0\n"
    again.remove()
    assert names(tmp_path) == []


def test_a_run_without_progress_leaves_nothing(tmp_path):
    run = begin(tmp_path / "r")
    run.keep("settings", {}, {})
    assert not run.leave()
    assert names(tmp_path) == []


def test_a_new_training_refuses_an_unfinished_one(tmp_path):
    folder = tmp_path / "my r"
    run = begin(folder)
    run.write("logistic", {}, {})
    run.leave()
    with pytest.raises(UserError, match="unfinished") as caught:
        begin(folder)
    assert f"Go on with: assay resume '{folder}' (or begin anew with --fresh)" in str(caught.value)
    with pytest.raises(UserError, match="resume=True"):
        begin(folder, command=None)
    assert begin(folder, start="resume").leave()
    fresh = begin(folder, start="fresh")
    assert fresh.progress == []
    fresh.remove()


def test_a_killed_begin_is_no_unfinished_training(tmp_path):
    run = begin(tmp_path / "r")
    run.keep("settings", {}, {})
    run._lock.release()  # as the system does
    (tmp_path / "r" / ".settings.state.12.0123abcd.part").write_bytes(b"half")
    again = begin(tmp_path / "r")
    assert names(tmp_path / "r") == ["lock", "recipe.toml", "run.state"]
    again.remove()
    assert names(tmp_path) == []


@pytest.mark.parametrize("left", [[], ["lock"], [".run.state.12.0123abcd.part", "lock"]])
def test_what_a_kill_leaves_at_the_start_goes_with_the_next_run(tmp_path, left):
    folder = tmp_path / "m.assay.run"
    folder.mkdir()
    for name in left:
        (folder / name).write_bytes(b"")
    run = begin(folder, is_default=True)
    assert not run.is_resumed
    run.remove()
    assert names(tmp_path) == []


def test_wherever_a_removal_is_cut_short_the_next_run_ends_it(tmp_path, monkeypatch):
    folder, unlink = tmp_path / "r", Path.unlink
    for n_removed in range(5):
        run = begin(folder)
        run.keep("settings", {}, {})
        run.write("training", {}, {})
        left = iter(range(n_removed))

        def stop(path, left=left, **options):
            if next(left, None) is None:
                raise KeyboardInterrupt
            unlink(path, **options)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", stop)
            with pytest.raises(KeyboardInterrupt):
                run.remove()
        assert "lock" in names(folder)
        run._lock.release()  # as the system does
        with pytest.raises(UserError, match="no unfinished training"):
            read_record(folder)
        again = begin(folder)
        assert not again.is_resumed
        again.remove()
        assert names(tmp_path) == ([] if n_removed < 4 else ["r"])
        if folder.exists():  # the record was gone: nobody knows who made the empty folder
            folder.rmdir()


@pytest.mark.attack
def test_what_only_has_the_name_of_a_run_s_file_is_nobody_s(tmp_path):
    folder = tmp_path / "exp.run"
    folder.mkdir()
    begin(folder).remove()
    assert names(tmp_path) == ["exp.run"]
    for name in ("recipe.toml", "terraform.state", "training.state", "run.state", "lock"):
        (folder / name).write_text("precious")
        for start in ("new", "resume", "fresh"):
            with pytest.raises(UserError, match=f"it holds '{name}'"):
                begin(folder, start=start)
        assert names(folder) == [name]
        assert (folder / name).read_text() == "precious"
        (folder / name).unlink()
    run = begin(folder)
    (folder / "terraform.state").write_text("precious")
    assert run.progress == []
    run.remove()
    assert names(folder) == ["terraform.state"]


@pytest.mark.attack
def test_work_whose_record_is_gone_is_kept_until_told_otherwise(tmp_path):
    run = begin(tmp_path / "r")
    run.write("training", {}, {})
    run.leave()
    (tmp_path / "r" / "run.state").unlink()
    (tmp_path / "r" / "recipe.toml").unlink()
    for start in ("new", "resume"):
        with pytest.raises(
            UserError, match=r"holds work \(training\), but its record run\.state is"
        ):
            begin(tmp_path / "r", start=start)
    assert "training.state" in names(tmp_path / "r")
    fresh = begin(tmp_path / "r", start="fresh")
    assert fresh.progress == []
    fresh.remove()


def test_who_loses_the_race_for_a_folder_leaves_it_to_the_winner(tmp_path, monkeypatch):
    folder, check, won = tmp_path / "r", run_folder.check_own, []

    def overtaken(path):
        check(path)
        monkeypatch.setattr(run_folder, "check_own", check)
        won.append(begin(path))
        won[0].write("logistic", {}, {})

    monkeypatch.setattr(run_folder, "check_own", overtaken)
    with pytest.raises(UserError, match="another process is at work"):
        begin(folder)
    assert won[0].progress == ["logistic"]
    with pytest.raises(UserError, match="another process is at work"):
        begin(folder, start="fresh")
    assert won[0].leave()
    assert names(folder) == ["lock", "logistic.state", "recipe.toml", "run.state"]


@pytest.mark.skipif(sys.platform == "win32", reason="an open file stays there")
def test_the_lock_is_held_until_its_name_is_gone(tmp_path, monkeypatch):
    run, unlink, is_held = begin(tmp_path / "r"), Path.unlink, []

    def spy(path, **options):
        if path.name == "lock":
            is_held.append(run._lock.is_locked)
        unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", spy)
    run.remove()
    assert is_held == [True]
    assert not run._lock.is_locked
    begin(tmp_path / "r").leave()
    later = begin(tmp_path / "r")
    run.remove()  # again, as where an interrupt came at the very end
    assert "run.state" in names(tmp_path / "r")
    later.remove()


@pytest.mark.attack
def test_a_recipe_that_is_no_text_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match=r"recipe: 'target = \"\\udcff\"' is no text"):
        begin(tmp_path / "r", recipe='seed = 0\ntarget = "\udcff"\n')
    assert names(tmp_path) == []


def test_files_and_folders_of_others_stay(tmp_path):
    folder = tmp_path / "given"
    folder.mkdir()
    begin(folder).remove()
    assert names(tmp_path) == ["given"]
    (folder / "thesis.doc").write_text("mine")
    with pytest.raises(UserError, match=r"holds 'thesis\.doc'"):
        begin(folder)
    assert names(folder) == ["thesis.doc"]
    (folder / "thesis.doc").unlink()
    run = begin(folder)
    (folder / "note.txt").write_text("mine")
    run.write("training", {}, {})
    run.remove()
    assert names(folder) == ["note.txt"]


@pytest.mark.attack
def test_places_that_can_be_no_folder(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UserError, match=r"is a file\. Give the folder of the run"):
        read_record(file)
    for place, what in ((file, "is a file"), (tmp_path / "no" / "r", "cannot make the folder")):
        with pytest.raises(UserError, match=what):
            begin(place)
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(UserError, match="no "):
            read_record(place)
    assert names(tmp_path) == ["file"]


def test_the_second_process_is_refused_and_a_killed_one_is_no_obstacle(tmp_path):
    folder = tmp_path / "r"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        env={"PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        for start in ("new", "resume", "fresh"):
            with pytest.raises(UserError, match=rf"another process .*{holder.pid}"):
                begin(folder, start=start)
        assert "boosting.state" in names(folder)
    finally:
        holder.kill()
        holder.communicate()
    run = begin(folder, start="resume")
    assert run.is_resumed
    run.remove()


def test_checkpoints_are_due_by_the_clock_and_seconds_add_up(tmp_path):
    clock = Clock()
    run = begin(tmp_path / "r", every_s=60.0, start_s=95.0, clock=clock)
    clock.now_s = 159.0
    assert not run.is_due()
    clock.now_s = 160.0
    assert run.is_due()
    run.write("training", {}, {})
    assert not run.is_due()
    run.leave()
    clock.now_s = 1_000.0
    again = begin(tmp_path / "r", start="resume", start_s=1_000.0, clock=clock)
    assert again.earlier_s == 65.0
    clock.now_s = 1_010.0
    again.write("training", {}, {})
    again.leave()
    last = begin(tmp_path / "r", start="resume", clock=clock)
    assert last.earlier_s == 75.0
    last.remove()


def test_checkpoints_take_less_than_a_fiftieth_of_the_time(tmp_path, monkeypatch):
    clock, write = Clock(), run_folder.write_state

    def slow(*args):
        write(*args)
        clock.now_s += 4.0

    monkeypatch.setattr(run_folder, "write_state", slow)
    run = begin(tmp_path / "r", clock=clock, every_s=60.0)

    def until_due():
        """Return the seconds until it is time, by steps of one."""
        began_s = clock.now_s
        while not run.is_due():
            clock.now_s += 1.0
        return clock.now_s - began_s

    run.write("boosting", {}, {})  # no checkpoint of many
    assert until_due() == 60.0
    clock.now_s += 2.0  # to take it
    run.write("training", {}, {})
    assert until_due() == 50 * (2.0 + 4.0)
    monkeypatch.setattr(run_folder, "write_state", write)
    run.write("training", {}, {})
    assert until_due() == 60.0
    run.remove()


def test_a_run_goes_on_once_all_of_it_is_whole(tmp_path):
    told = []

    def confirmed():
        run = begin(tmp_path / "r", start="resume")
        run.on_going_on = lambda: told.append(run.progress)
        run.keep("settings", {}, {})
        if not run.is_resumed:
            run.write("training", {}, {})
        try:
            run.confirmed()
        finally:
            run.leave()

    confirmed()
    assert told == []  # it began
    confirmed()
    assert told == [["training"]]
    for name in ("training", "budget-plan"):
        place = tmp_path / "r" / f"{name}.state"
        whole = (tmp_path / "r" / "training.state").read_bytes()
        place.write_bytes(whole[:-1])
        with pytest.raises(UserError, match=rf"{name}\.state: the saved state is damaged"):
            confirmed()
        place.write_bytes(whole)
    assert told == [["training"]]


@pytest.mark.attack
def test_a_full_disk_costs_a_checkpoint_and_not_the_training(tmp_path, monkeypatch, caplog):
    run = begin(tmp_path / "r")
    run.write("training", {}, {"epoch": 1})

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with caplog.at_level(logging.WARNING, logger="assay"):
        run.write("training", {}, {"epoch": 2})
        run.write("training", {}, {"epoch": 3})
    assert len(caplog.records) == 1
    assert "the training goes on" in caplog.text
    monkeypatch.undo()
    assert run.read("training")[1] == {"epoch": 1}
    run.remove()


def test_a_mistake_takes_the_run_away_and_a_refusal_of_the_machine_does_not(tmp_path):
    def failing(error):
        run = begin(tmp_path / "r", start="resume")
        run.write("logistic", {}, {})
        run.note_failure(error)
        with pytest.raises(UserError), at_work(run):
            raise error
        return (tmp_path / "r").exists()

    assert not failing(UserError("the training diverged"))
    refused = UserError("memory ran out")
    refused.__context__ = MemoryError()
    assert failing(refused)
    assert failing(UserError("the training diverged"))  # it was resumed: nothing is thrown away


@pytest.mark.attack
def test_a_damaged_record_is_told(tmp_path):
    run = begin(tmp_path / "r")
    run.write("training", {}, {})
    run.leave()
    record = tmp_path / "r" / "run.state"
    record.write_bytes(record.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"damaged.* Begin anew with 'assay train \.\.\. --fresh'"):
        read_record(tmp_path / "r")
    with pytest.raises(UserError, match="damaged"):
        begin(tmp_path / "r", start="resume")
    begin(tmp_path / "r", start="fresh").remove()
    assert names(tmp_path) == []


@pytest.mark.attack
def test_damaged_work_can_be_done_again_and_a_damaged_record_cannot(tmp_path):
    run = begin(tmp_path / "r")
    for name, fix in (("training", "Remove this file to do its part"), ("table", "Begin anew")):
        run.keep(name, {}, {})
        place = tmp_path / "r" / f"{name}.state"
        place.write_bytes(place.read_bytes()[:-1])
        with pytest.raises(UserError, match=rf"damaged: its bytes do not match its seal\. {fix}"):
            run.read(name)
    run.remove()


def test_going_on_is_not_offered_where_it_ends_in_the_same_mistake(tmp_path):
    run = begin(tmp_path / "r")
    run.write("logistic", {}, {})
    run.leave()
    again = begin(tmp_path / "r", start="resume")
    again.note_failure(UserError("there is no such file"))
    assert not again.is_stuck  # it may come back
    again.confirmed()
    again.note_failure(UserError("the time is too short"))
    assert again.is_stuck
    assert again.leave()
    assert "logistic.state" in names(tmp_path / "r")


def test_the_command_is_quoted():
    assert resume_command("a b.run") == "assay resume 'a b.run'"
