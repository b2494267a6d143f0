"""Simpler models within budgets: before the training, after it, and told where left out."""

import itertools
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import assay.affordable
from assay.affordable import _within
from assay.candidates import Effort
from assay.pipeline import Trained, run
from assay.recipe import Recipe
from assay.run_folder import RunFolder, Start, open_run
from assay.training.decisions import LeftOut
from assay.training.history import Silent

OPTIONS = {
    "target": "y",
    "model.hidden": [8],
    "split.folds": 3,
    "split.repeats": 1,
    "evaluate.bootstrap": 200,
    "evaluate.importance": False,
    "train.epochs": 3,
    "train.time": "100s",
}
FITTING = "fitting simpler models"


class KilledError(Exception):
    """Stands for the end of the process."""


class Listening(Silent):
    """Notes the stages, and ends the process when the last of some has begun."""

    def __init__(self, *until: str) -> None:
        self.stages: list[str] = []
        self._until = list(until)

    def on_stage(self, name: str) -> None:
        self.stages.append(name)
        if self._until and self.stages[-len(self._until) :] == self._until:
            raise KilledError


def table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    y = np.where(x + 0.3 * rng.normal(size=300) > 0, "yes", "no")
    return pl.DataFrame({"x": x, "z": rng.normal(size=300), "y": y})


def train(observer: Listening, folder: RunFolder | None = None, **options: object) -> Trained:
    clock = itertools.count(0.0, 0.01).__next__  # it goes on whenever it is asked
    recipe = Recipe().with_options({**OPTIONS, **options})
    return run(table(), recipe, observer=observer, clock=clock, start_s=0.0, folder=folder)


def candidates(trained: Trained) -> list[str]:
    return [document["name"] for document in trained.evaluation["candidates"]]


def told(trained: Trained) -> list[str]:
    return [str(entry) for entry in trained.ledger if entry.where == "candidates"]


@pytest.fixture
def efforts(monkeypatch):
    """Pretend that the simpler models take so long."""
    found: dict[str, Effort] = {}
    monkeypatch.setattr(
        assay.affordable,
        "measure_efforts",
        lambda setup, recipe, clock, names: {name: found[name] for name in names},
    )
    return found


def test_what_the_training_leaves_time_for_is_fitted_after_it(efforts):
    efforts |= {"logistic": Effort(1.0), "boosting": Effort(50.0, 400)}  # of 40 s, and of 90
    observer = Listening()
    trained = train(observer)
    assert candidates(trained)[:3] == ["majority", "logistic", "boosting"]
    assert observer.stages[2:] == [FITTING, "training", FITTING, "evaluating"]
    assert told(trained) == []


def test_what_does_not_fit_after_the_training_either_is_left_out_and_told(efforts):
    efforts |= {"logistic": Effort(85.0), "boosting": Effort(1.0, 40)}
    observer = Listening()
    trained = train(observer)
    assert "boosting" in candidates(trained)
    assert "logistic" not in candidates(trained)
    assert observer.stages[2:] == [FITTING, "training", "evaluating"]
    assert told(trained) == ["candidates: logistic not compared, to stay within 100s [train.time]"]


def test_time_too_short_to_measure_before_the_training_may_suffice_after_it(efforts, monkeypatch):
    monkeypatch.setattr(assay.affordable, "_LEAST_LEFT_S", 1000.0)
    efforts |= {"logistic": Effort(1.0), "boosting": Effort(1.0, 40)}
    observer = Listening()
    trained = train(observer)
    assert candidates(trained)[:3] == ["majority", "logistic", "boosting"]
    assert observer.stages[2:] == ["training", FITTING, "evaluating"]


def test_with_little_left_after_the_training_nothing_is_measured(efforts, monkeypatch):
    monkeypatch.setattr(assay.affordable, "_LEAST_LEFT_S", 1000.0)
    monkeypatch.setattr(assay.affordable, "_LEAST_AFTER_S", 1000.0)
    assert len(told(train(Listening()))) == 2
    assert not efforts  # else the fixture would have had no answer


def test_memory_that_left_a_model_out_is_not_asked_again(monkeypatch):
    needs = assay.affordable.CandidateNeeds
    monkeypatch.setattr(needs, "fitting_bytes", lambda needs: 10**15)
    trained = train(Listening(), **{"train.memory": "40G"})
    assert told(trained) == [
        f"candidates: {name} not compared, to stay within 40G [train.memory]"
        for name in ("logistic", "boosting")
    ]


def test_boosting_that_had_to_end_is_told(efforts):
    efforts |= {"logistic": Effort(0.1), "boosting": Effort(15.0, 2)}  # of 40 s
    trained = train(Listening())
    assert told(trained) == [
        "candidates: boosting ended after 4 iterations, to stay within 100s [train.time]"
    ]


def attempt(path: Path, start: Start, *until: str) -> Trained | None:
    folder = open_run(path, recipe="", start=start, every_s=0.0)
    try:
        return train(Listening(*until), folder)
    except KilledError:
        return None
    finally:
        folder.leave()


@pytest.mark.parametrize("until", [("training",), ("training", FITTING)])
def test_a_training_that_was_ended_decides_the_same(tmp_path, efforts, until):
    efforts |= {"logistic": Effort(1.0), "boosting": Effort(50.0, 40)}
    whole = train(Listening())
    assert attempt(tmp_path / "run", "new", *until) is None
    if FITTING in until:
        efforts["boosting"] = Effort(1e6, 40)  # decided already
    trained = attempt(tmp_path / "run", "resume")
    assert trained is not None
    assert candidates(trained) == candidates(whole)
    assert trained.predictor.core.serialised == whole.predictor.core.serialised


def test_the_cheapest_come_first_and_boosting_may_take_what_is_left():
    efforts = {"logistic": Effort(1.0), "boosting": Effort(2.0, 100)}
    assert _within(1.0, efforts) == LeftOut(("logistic", "boosting"), "train.time")
    assert _within(3.0, efforts) == LeftOut(("boosting",), "train.time")
    assert _within(6.25, efforts) == LeftOut(max_iterations=200)
    efforts = {"logistic": Effort(2.0), "boosting": Effort(1.0, 100)}
    assert _within(6.25, efforts) == LeftOut(max_iterations=300)
    assert _within(2.5, efforts) == LeftOut(("logistic",), "train.time", 200)


def test_boosting_learns_from_fewer_rows_rather_than_being_left_out():
    efforts = {"logistic": Effort(1.0), "boosting": Effort(20.0, 60, 50_000)}
    assert _within(26.25, efforts) == LeftOut(max_iterations=60)
    assert _within(13.75, efforts) == LeftOut(max_iterations=60, most_rows=25_000)
    assert _within(6.0, efforts) == LeftOut(("boosting",), "train.time")  # of 9,500 rows
    efforts["logistic"] = Effort(30.0)
    assert _within(12.5, efforts) == LeftOut(("logistic",), "train.time", 60, 25_000)
    first = ["boosting"]
    assert _within(12.5, efforts, first) == LeftOut(("logistic",), "train.time", 60, 25_000)
    assert _within(3.75, efforts, first) == LeftOut(("logistic",), "train.time", 45, 10_000)
    assert _within(-9.0, efforts, first) == LeftOut(("logistic",), "train.time", 30, 10_000)


def test_the_rows_that_time_allows_are_those_that_boosting_learns_from(efforts, monkeypatch):
    monkeypatch.setattr(assay.affordable, "_LEAST_ROWS", 50)
    efforts |= {"logistic": Effort(0.1), "boosting": Effort(64.0, 4, 200)}  # of 40 s
    trained = train(Listening())
    entries = [entry for entry in trained.ledger if entry.undo == "train.time"]
    assert re.match(r"boosting fitted on 9\d of up to 200 rows", entries[0].what)  # 40 / 64 / 1.25
    assert candidates(trained)[:3] == ["majority", "logistic", "boosting"]


def test_what_is_preferred_comes_before_the_others_and_is_never_left_out():
    efforts = {"logistic": Effort(1.0), "boosting": Effort(4.0, 100)}
    assert _within(6.25, efforts, ["boosting"]) == LeftOut(max_iterations=100)
    assert _within(6.0, efforts, ["boosting"]) == LeftOut(("logistic",), "train.time", 120)
    assert _within(4.0, efforts, ["boosting"]) == LeftOut(("logistic",), "train.time", 80)
    assert _within(0.1, efforts, ["boosting"]) == LeftOut(("logistic",), "train.time", 50)


@pytest.mark.parametrize("least_s", [0.0, 1000.0])
def test_preferred_boosting_ends_within_the_time_too(efforts, monkeypatch, least_s):
    monkeypatch.setattr(assay.affordable, "_LEAST_LEFT_S", least_s)
    monkeypatch.setattr(assay.affordable, "_LEAST_AFTER_S", 1000.0)
    efforts |= {"logistic": Effort(1000.0), "boosting": Effort(15.0, 2)}
    trained = train(Listening(), **{"model.prefer": "boosting"})
    assert sorted(told(trained)) == [
        "candidates: boosting ended after 4 iterations, to stay within 100s [train.time]",
        "candidates: logistic not compared, to stay within 100s [train.time]",
    ]


def test_what_is_measured_for_the_preferred_is_not_measured_again(efforts, monkeypatch):
    monkeypatch.setattr(assay.affordable, "_LEAST_LEFT_S", 1000.0)
    efforts |= {"logistic": Effort(1.0), "boosting": Effort(1.0, 400)}
    trained = train(Listening(), **{"model.prefer": "boosting"})
    assert candidates(trained)[:3] == ["majority", "logistic", "boosting"]


def test_memory_that_does_not_suffice_after_the_training_is_told(efforts, monkeypatch):
    efforts |= {"logistic": Effort(0.1), "boosting": Effort(50.0, 40)}
    fits = iter([True, False])
    monkeypatch.setattr(assay.affordable.Affordable, "_fits_into_memory", lambda *_: next(fits))
    trained = train(Listening(), **{"train.memory": "40G"})
    assert told(trained) == ["candidates: boosting not compared, to stay within 40G [train.memory]"]


def test_an_effort_of_no_time_allows_any_number_of_iterations():
    found = _within(1.0, {"boosting": Effort(0.0, 100)})
    assert found.max_iterations is not None
    assert found.max_iterations > 10_000
