"""What is kept in reserve for judging is what judging does."""

import numpy as np
import polars as pl
import pytest
import torch

from assay.ledger import Ledger
from assay.options import EvaluateRecipe
from assay.recipe import Recipe
from assay.reserve import SLACK, Judging
from assay.samples import read_samples
from assay.training.rehearsal import Pace
from assay.training.setup import Setup, set_up

RECIPE = Recipe().with_options({"target": "y", "model.hidden": [8], "split.folds": 3})
ROW_S = 0.5


@pytest.fixture(scope="module")
def setup() -> Setup:
    x = np.random.default_rng(0).normal(size=150)
    frame = pl.DataFrame({"x": x, "y": (x > 0.8).astype(int)})
    samples = read_samples(frame, RECIPE, Ledger(), on_stage=lambda name: None)
    return set_up(samples, RECIPE, torch.device("cpu"))


def judging(setup: Setup, *, row_s: float = 0.0, n_test: int = 0, most_s: float = 9.0) -> Judging:
    return Judging(
        setup,
        Pace(0.0, 0.0, row_s, 0.0),
        EvaluateRecipe(),
        n_test=n_test,
        n_rivals=2,
        most_s=most_s,
        explaining_s=0.0,
    )


@pytest.mark.parametrize("n_test", [0, 40])
def test_rows_left_out_are_predicted_once(setup, n_test):
    n_members, n_validated = setup.network.n_members, 50
    free, slow = (judging(setup, row_s=s, n_test=n_test).seconds(n_validated) for s in (0, ROW_S))
    n_predicted = n_members * (n_validated + max(setup.lesson.train.counts) + 2 * n_test)
    assert slow - free == pytest.approx(SLACK * ROW_S * n_predicted)


def test_resamples_are_fewer_where_they_may_not_take_long(setup):
    assert judging(setup).recipe(50).bootstrap == EvaluateRecipe().bootstrap
    assert judging(setup, most_s=0.0).recipe(50).bootstrap == 100


def test_the_rarest_class_of_rows_to_come_is_as_rare_as_of_the_known(setup):
    share = np.bincount(setup.samples.y).min() / 150
    assert judging(setup)._n_rarest(1_000) == round(1_000 * share)
