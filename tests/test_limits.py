"""Budgets are contracts: what does not fit is left out and told, or refused."""

import itertools

import numpy as np
import polars as pl
import pytest

import assay.limits
import assay.pipeline
from assay.errors import UserError
from assay.pipeline import Trained, run
from assay.recipe import Recipe
from assay.training.history import Silent
from assay.training.loop import train_population
from assay.training.memory import Fitted
from assay.training.rows import CACHE_BYTES

FAST = {
    "target": "y",
    "model.hidden": [8],
    "split.folds": 3,
    "split.repeats": 1,
    "evaluate.bootstrap": 200,
}
TICK_S = 0.01


class Ticking:
    """A clock that goes on a little whenever it is asked, and by leaps in between."""

    def __init__(self, tick_s: float = TICK_S) -> None:
        self.now_s = 0.0
        self._tick_s = tick_s

    def __call__(self) -> float:
        self.now_s += self._tick_s
        return self.now_s


class Listening(Silent):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.plans: list[str] = []
        self.stages: list[str] = []

    def on_plan(self, text: str) -> None:
        self.plans.append(text)

    def on_stage(self, name: str) -> None:
        self.stages.append(name)


def table(n_rows: int = 600) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n_rows)
    y = np.where(x + 0.3 * rng.normal(size=n_rows) > 0, "yes", "no")
    return pl.DataFrame({"x": x, "z": rng.normal(size=n_rows), "y": y})


def train(clock: Ticking, observer: Silent | None = None, **options: object) -> Trained:
    recipe = Recipe().with_options({**FAST, **options})
    return run(table(), recipe, observer=observer or Silent(), clock=clock, start_s=0.0)


def told(trained: Trained) -> str:
    return "\n".join(str(entry) for entry in trained.ledger)


def test_a_training_within_its_time_is_judged_and_says_what_it_left_out():
    clock, observer = Ticking(), Listening()
    trained = train(
        clock, observer, **{"train.epochs": 1000, "train.patience": 0, "train.time": "20s"}
    )
    assert clock.now_s <= 20.0
    assert "of 1000 epochs trained, to end within 20s [train.time]" in told(trained)
    assert trained.evaluation["validation"]["n_rows"] == 600
    assert trained.evaluation["validation"]["scores"]["auroc"]["estimate"] > 0.9
    assert len(observer.plans) == 1
    assert "of 1000 epochs in about" in observer.plans[0]
    assert observer.stages == [
        "reading",
        "preparing",
        "fitting simpler models",
        "training",
        "evaluating",
    ]


def test_a_time_that_suffices_changes_nothing():
    class Timeless(Ticking):
        def __call__(self) -> float:
            raise AssertionError("no clock is looked at without a budget")

    options = {"train.epochs": 5, "split.repeats": 2}
    plain = train(Timeless(), **options)
    within = train(Ticking(), **options, **{"train.time": "10h"})
    assert told(plain) == told(within)
    for name, value in plain.members.items():
        np.testing.assert_array_equal(value, within.members[name])
    assert plain.evaluation == within.evaluation


def test_repeats_are_left_out_before_epochs_become_too_few():
    trained = train(
        Ticking(0.1), **{"split.repeats": 8, "train.batch_size": 8, "train.time": "25s"}
    )
    n_members = trained.evaluation["training"]["n_members"]
    assert n_members < 24
    assert n_members % 3 == 0
    assert f"{n_members} of 24 networks trained, to stay within 25s" in told(trained)


def test_time_already_spent_counts():
    clock = Ticking()
    clock.now_s = 59.0
    with pytest.raises(UserError, match=r"'1m': the time is too short .* Allow 1 min 14 s"):
        train(clock, **{"train.time": "1m"})


def test_a_budget_for_not_even_a_few_steps_is_refused_before_training():
    observer = Listening()
    with pytest.raises(UserError, match=r"too short to train one network.*Allow \d+ s or more"):
        train(Ticking(0.5), observer, **{"train.time": "9s"})
    assert "training" not in observer.stages


def test_memory_too_small_is_refused_with_the_estimate():
    observer = Listening()
    with pytest.raises(UserError, match=r"train.memory = '1M'.*needs? about .* of memory"):
        train(Ticking(), observer, **{"train.memory": "1M"})
    assert "training" not in observer.stages


def test_ample_memory_changes_nothing_and_is_told():
    observer = Listening()
    plain = train(Ticking(), **{"train.epochs": 2})
    within = train(Ticking(), observer, **{"train.epochs": 2, "train.memory": "40G"})
    assert observer.plans[0].endswith("of memory at the most")
    assert told(plain) == told(within)
    np.testing.assert_array_equal(*(one.members["body.layers.0.bias"] for one in (plain, within)))


def test_networks_that_only_memory_leaves_out_are_told_in_the_plan(monkeypatch):
    def one_of_two_repeats(*args, **kwargs):
        return Fitted(0.5, CACHE_BYTES, 700_000_000)

    monkeypatch.setattr(assay.limits, "fit_into", one_of_two_repeats)
    observer = Listening()
    train(Ticking(), observer, **{"train.epochs": 2, "split.repeats": 2, "train.memory": "40G"})
    assert observer.plans == ["3 of 6 networks, 700 MB of memory at the most"]


def test_what_the_process_held_before_is_not_the_training_s(monkeypatch):
    options = {"train.epochs": 1, "train.memory": "40G"}
    monkeypatch.setattr(assay.limits, "peak_bytes", lambda: 10**13)
    train(Ticking(), **options)
    growing = itertools.count(10**13, 10**10)
    monkeypatch.setattr(assay.limits, "peak_bytes", lambda: next(growing))
    with pytest.raises(UserError, match="to read and encode the table needs about"):
        train(Ticking(), **options)


def spoiling(*member_idx: int):
    def train_spoilt(network, *args, **kwargs):
        for idx in member_idx:
            network.body.linears()[0].weight.data[idx] = float("nan")
        return train_population(network, *args, **kwargs)

    return train_spoilt


def test_a_member_that_diverges_is_left_out_and_told(monkeypatch):
    monkeypatch.setattr(assay.pipeline, "train_population", spoiling(1))
    trained = train(Ticking(), **{"train.epochs": 3})
    text = told(trained)
    assert "network 2 (repeat 1, fold 2) left out, its loss was no longer a number" in text
    assert "200 of 600 rows not judged" in text
    assert trained.evaluation["training"]["n_members"] == 2
    assert trained.evaluation["validation"]["n_rows"] == 400
    assert all(np.isfinite(value).all() for value in trained.members.values())


def test_a_member_that_diverges_late_is_kept_and_told(monkeypatch):
    def train_spoilt(network, *args, observer, **kwargs):
        class SpoilLater(Silent):
            def on_epoch(self, epoch: int, n_epochs: int, **told: object) -> None:
                if epoch == 2:
                    network.body.linears()[0].weight.data[1] = float("inf")

        return train_population(network, *args, observer=SpoilLater(), **kwargs)

    monkeypatch.setattr(assay.pipeline, "train_population", train_spoilt)
    trained = train(Ticking(), **{"train.epochs": 4})
    entries = [str(entry) for entry in trained.ledger if entry.what.startswith("network ")]
    assert len(entries) == 1
    kept = trained.evaluation["training"]["history"]["best_epoch"][1]
    assert kept in (1, 2)
    assert entries[0].startswith(
        f"training: network 2 (repeat 1, fold 2) kept epoch {kept}, its loss was no longer a "
        "number in epoch 3 at train.learning_rate"
    )
    assert trained.evaluation["training"]["n_members"] == 3


def test_rows_are_still_judged_by_the_members_of_another_repeat(monkeypatch):
    monkeypatch.setattr(assay.pipeline, "train_population", spoiling(1, 5))
    trained = train(Ticking(), **{"train.epochs": 3, "split.repeats": 2})
    assert trained.evaluation["training"]["n_members"] == 4
    assert "not judged" not in told(trained) or trained.evaluation["validation"]["n_rows"] < 600


def test_where_all_members_diverge_the_error_names_the_rate(monkeypatch):
    monkeypatch.setattr(assay.pipeline, "train_population", spoiling(0, 1, 2))
    with pytest.raises(UserError, match=r"train.learning_rate = .*diverged"):
        train(Ticking(), **{"train.epochs": 3})
