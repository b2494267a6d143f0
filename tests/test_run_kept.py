"""What a run's folder tells of what it keeps: whether it is whole, and what it costs."""

import logging

import pytest

from assay import run_folder
from assay.errors import UserError
from assay.run_folder import open_run, read_record
from assay.state_file import read_state, write_state

WITHOUT_RECORD = ("settings", "table", "test", "budget-plan")


def begun(folder, **options):
    """Make a run with every kind of state, and let go of it."""
    run = open_run(folder, recipe="seed = 0\n", command={}, **options)
    for name in (*WITHOUT_RECORD, "training"):
        run.keep(name, {}, {})
    run.leave()
    return folder


def resumed(folder, **options):
    return open_run(folder, recipe="", command={}, start="resume", **options)


def cut(place):
    place.write_bytes(place.read_bytes()[:-1])


def replaced(place):
    place.unlink()
    place.mkdir()


@pytest.mark.attack
@pytest.mark.parametrize("spoil", [cut, replaced])
@pytest.mark.parametrize("way", ["read", "confirmed"])
def test_a_run_goes_on_without_damaged_work_but_not_without_its_record(tmp_path, spoil, way):
    for name in (*WITHOUT_RECORD, "training"):
        run = resumed(begun(tmp_path / name))
        spoil(run.path / f"{name}.state")
        with pytest.raises(UserError, match=rf"{name}\.state: (the saved|is a folder)") as caught:
            run.read(name) if way == "read" else run.confirmed()
        assert run.is_refused == (name != "training")
        again = "Remove this file to do its part of the work again, or begin anew"
        fix = again if name == "training" else "Begin anew with 'assay train ... --fresh'"
        assert caught.value.fix.startswith(fix if spoil is cut else "Move it away")
        assert run.leave()


@pytest.mark.attack
def test_a_recipe_that_is_gone_is_told_with_what_to_do(tmp_path):
    folder = begun(tmp_path / "r")
    (folder / "recipe.toml").unlink()
    with pytest.raises(UserError, match=r"recipe\.toml: cannot read its recipe\. Put it back, or"):
        read_record(folder)


def test_a_checkpoint_that_is_lost_is_told_whenever_the_training_ends_with_it(
    tmp_path, monkeypatch, caplog
):
    def full(path, *args):
        raise UserError("cannot write: No space left on device", where=str(path))

    run = resumed(begun(tmp_path / "r"))
    run.write("training", {}, {})
    assert not run.is_behind
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, logger="assay"):
        patch.setattr(run_folder, "write_state", full)
        run.write("training", {}, {})
        run.write("training", {}, {}, is_stopping=True)
    first, last = (record.getMessage() for record in caplog.records)
    assert first.startswith("a checkpoint was not kept, the training goes on: ")
    assert last.startswith("what was done since the last checkpoint is lost: ")
    assert run.is_behind
    run.write("training", {}, {})
    assert not run.is_behind
    with monkeypatch.context() as patch:
        patch.setattr(run_folder, "write_state", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run.write("training", {}, {})
    assert run.is_behind
    run.remove()


def interrupt(*args):
    raise KeyboardInterrupt


def test_the_next_attempt_knows_what_checkpoints_take(tmp_path, monkeypatch):
    now_s, write = [100.0], run_folder.write_state

    def slow(*args):
        write(*args)
        now_s[0] += 4.0

    def clock():
        return now_s[0]

    run = open_run(tmp_path / "r", recipe="", every_s=60.0, clock=clock)
    now_s[0] += 60.0
    assert run.is_due()
    with monkeypatch.context() as patch:
        patch.setattr(run_folder, "write_state", slow)
        run.write("training", {}, {})
    run.write("training", {}, {})
    run.leave()
    again = open_run(tmp_path / "r", recipe="", start="resume", every_s=60.0, clock=clock)
    now_s[0] += 50 * 4.0 - 1.0
    assert not again.is_due()
    now_s[0] += 1.0
    assert again.is_due()
    again.remove()


@pytest.mark.attack
@pytest.mark.parametrize("seconds", [None, "1", float("inf"), float("nan"), -1.0])
def test_seconds_that_nobody_waits_are_none(tmp_path, seconds):
    folder = begun(tmp_path / "r", clock=lambda: 0.0)
    told = {"elapsed_s": seconds, "took_s": seconds, "document": {}}
    for place in folder.glob("*.state"):
        document = read_state(place)[1]
        write_state(place, {}, {**document, **told, "document": document["document"]})
    run = resumed(folder, every_s=60.0, clock=iter([0.0, 0.0, 0.0, 0.0, 60.0]).__next__)
    assert run.earlier_s == 0.0
    assert run.is_due()
    run.remove()
