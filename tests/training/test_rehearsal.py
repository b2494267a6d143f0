"""A training is measured without being touched."""

import numpy as np
import polars as pl
import pytest
import torch

from assay.ledger import Ledger
from assay.recipe import Recipe
from assay.samples import read_samples
from assay.training.history import Silent
from assay.training.loop import train_population
from assay.training.muon import EVERY
from assay.training.plan import Plan
from assay.training.rehearsal import Pace, measure_pace
from assay.training.setup import Setup, set_up
from assay.training.step import EagerStep

RECIPE = Recipe().with_options(
    {"target": "y", "model.hidden": [8], "split.folds": 3, "train.epochs": 2}
)
PLAN = Plan(n_epochs=2, n_steps=10, batch_size=16)


class Ticking:
    """A clock that goes on by a second whenever it is asked."""

    now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


def make_setup() -> Setup:
    rng = np.random.default_rng(0)
    x = rng.normal(size=150)
    frame = pl.DataFrame({"x": x, "z": rng.normal(size=150), "y": (x > 0).astype(int)})
    samples = read_samples(frame, RECIPE, Ledger(), on_stage=lambda name: None)
    return set_up(samples, RECIPE, torch.device("cpu"))


def measure(setup: Setup) -> Pace:
    return measure_pace(
        setup.network, setup.lesson, RECIPE.train, PLAN, clock=Ticking(), most_s=5.0
    )


def test_a_training_after_its_rehearsal_is_the_same():
    plain, rehearsed = make_setup(), make_setup()
    measure(rehearsed)
    for setup in (plain, rehearsed):
        train_population(setup.network, setup.lesson, RECIPE.train, seed=0, observer=Silent())
    for one, other in zip(plain.network.parameters(), rehearsed.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_steps_are_measured_with_their_share_of_those_that_take_longer(monkeypatch):
    n_calls = 0
    take = EagerStep.take

    def counted(self, *batch):
        nonlocal n_calls
        n_calls += 1
        return take(self, *batch)

    monkeypatch.setattr(EagerStep, "take", counted)
    recipe = RECIPE.train.model_copy(update={"optimizer": "muon"})
    setup = make_setup()
    for most_s in (0.0, 7.0):
        n_calls = 0
        measure_pace(setup.network, setup.lesson, recipe, PLAN, clock=Ticking(), most_s=most_s)
        assert n_calls > EagerStep.n_warm
        assert (n_calls - EagerStep.n_warm) % EVERY == 0


def test_every_part_takes_some_time():
    pace = measure(make_setup())
    assert min(pace.start_s, pace.step_s, pace.row_s, pace.validated_s) > 0.0


def test_an_epoch_is_the_sum_of_its_parts():
    pace = Pace(start_s=1.0, step_s=0.5, row_s=0.01, validated_s=0.02)
    assert pace.epoch_s(PLAN, n_validated=150) == pytest.approx(1.0 + 10 * 0.5 + 150 * 0.02)
    half = pace.of_share(0.5)
    assert (half.start_s, half.step_s, half.row_s) == (0.5, 0.25, 0.01)
