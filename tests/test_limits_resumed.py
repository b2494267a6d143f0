"""What a budget decided holds for the training that is resumed."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from assay.errors import UserError
from assay.ledger import Ledger
from assay.limits import Limits
from assay.pipeline import Trained, run
from assay.recipe import Recipe
from assay.run_folder import RunFolder, Start, open_run
from assay.training.budget import TimeBudget
from assay.training.decisions import Decisions, LeftOut
from assay.training.history import Silent
from assay.training.memory import Fitted

OPTIONS = {
    "target": "y",
    "model.hidden": [8],
    "model.candidates": [],
    "split.folds": 3,
    "split.repeats": 3,
    "evaluate.bootstrap": 200,
    "evaluate.importance": False,
    "train.patience": 0,
    "train.epochs": 1000,
}


class KilledError(Exception):
    """Stands for the end of the process."""


class Ticking:
    """A clock that goes on a little whenever it is asked."""

    def __init__(self, now_s: float, tick_s: float) -> None:
        self.now_s, self.tick_s = now_s, tick_s

    def __call__(self) -> float:
        self.now_s += self.tick_s
        return self.now_s


class KillingIn(Silent):
    """Ends the training in an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch(self, epoch: int, n_epochs: int, **told: object) -> None:
        if epoch == self.epoch:
            raise KilledError


def table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    y = np.where(x + 0.3 * rng.normal(size=300) > 0, "yes", "no")
    return pl.DataFrame({"x": x, "y": y})


def attempt(
    path: Path, start: Start, *, tick_s: float, kill_in: int = 0, every_s: float = 0.0
) -> tuple[Trained | None, RunFolder]:
    """Train within 20 s by a clock of its own; None where it was killed."""
    recipe = Recipe().with_options({**OPTIONS, "train.time": "20s"})
    clock = Ticking(100.0, tick_s)
    folder = open_run(path, recipe="", start=start, every_s=every_s, start_s=100.0, clock=clock)
    observer = KillingIn(kill_in)
    start_s = 100.0 - folder.earlier_s
    try:
        trained = run(
            table(), recipe, observer=observer, clock=clock, start_s=start_s, folder=folder
        )
    except KilledError:
        trained = None
    finally:
        folder.leave()
    return trained, folder


def test_another_pace_after_a_crash_changes_no_decision(tmp_path):
    killed, folder = attempt(tmp_path / "run", "new", tick_s=0.01, kill_in=3)
    assert killed is None
    plan = folder.read("budget-plan")
    assert plan is not None
    slower, _ = attempt(tmp_path / "slower", "new", tick_s=0.3)
    trained, _ = attempt(tmp_path / "run", "resume", tick_s=0.3)
    assert slower is not None
    assert trained is not None
    assert len(slower.members["body.layers.0.weight"]) == 6
    assert len(trained.members["body.layers.0.weight"]) == plan[1]["n_members"] == 9
    assert any("of 1000 epochs trained" in str(entry) for entry in trained.ledger)


def test_a_training_whose_time_is_over_is_still_judged(tmp_path, monkeypatch):
    attempt(tmp_path / "run", "new", tick_s=0.01, kill_in=3)
    monkeypatch.setattr("assay.run_folder.earlier_s", lambda path: 19.5)
    trained, _ = attempt(tmp_path / "run", "resume", tick_s=0.01)
    assert trained is not None
    assert trained.evaluation["validation"]["n_rows"] == 300


def test_a_budget_that_earlier_attempts_used_up_says_so(tmp_path):
    recipe = Recipe().with_options({**OPTIONS, "train.time": "20s"})
    folder = open_run(tmp_path / "run", recipe="")
    spent = TimeBudget("20s", -19.9, lambda: 0.0)
    limits = Limits(recipe, spent, Ledger(), folder)
    with pytest.raises(UserError, match=r": reading the table took 19\.9 s"):
        limits.set_up(None, torch.device("cpu"))
    Decisions(folder).keep("memory", Fitted(1, 1, 0))
    with pytest.raises(UserError, match=r": earlier attempts and reading the table took 19\.9 s"):
        limits.set_up(None, torch.device("cpu"))
    folder.remove()


def test_a_plan_by_which_nothing_was_trained_binds_nobody(tmp_path):
    attempt(tmp_path / "run", "new", tick_s=0.01, kill_in=1, every_s=1e9)
    trained, _ = attempt(tmp_path / "run", "resume", tick_s=0.05, every_s=1e9)
    assert trained is not None


def test_decisions_without_a_keeper_are_not_kept():
    decisions = Decisions(None)
    assert not decisions.has_begun()
    assert decisions.keep("candidates", LeftOut(("boosting",), "train.time")).names == ("boosting",)
    assert decisions.recall("candidates", LeftOut) is None


@pytest.mark.attack
def test_what_is_no_decision_is_refused(tmp_path):
    folder = open_run(tmp_path / "run", recipe="")
    folder.keep("budget-candidates", {}, {"names": []})
    with pytest.raises(UserError, match="budget-candidates"):
        Decisions(folder).recall("candidates", LeftOut)
    folder.remove()
