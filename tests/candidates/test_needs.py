"""Memory of simpler models: scores of levels count."""

import dataclasses

import numpy as np
import polars as pl
import pytest

from assay.candidates.features import TrainingFeatures
from assay.candidates.folds import Folds
from assay.candidates.needs import CandidateNeeds

NEEDS = CandidateNeeds(n_fits=5, n_cells=1_000, n_levels=(50_000,), n_classes=16, n_scores=16)


@pytest.mark.parametrize(
    "more",
    [
        {"n_fits": 20},
        {"n_levels": (50_000, 50_000)},
        {"n_levels": (500_000,)},
        {"n_cells": 10_000_000},
    ],
)
def test_more_of_anything_needs_more(more):
    assert dataclasses.replace(NEEDS, **more).fitting_bytes() > NEEDS.fitting_bytes()


def test_scores_are_counted_as_they_are_held(make):
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "many": [f"level {value}" for value in rng.integers(0, 60, 400)],
            "y": [f"class {value}" for value in rng.integers(0, 3, 400)],
        }
    )
    setup, _ = make(frame, **{"kinds.many": "categorical"})
    needs = CandidateNeeds.of(setup.samples)
    features = TrainingFeatures.of_setup(setup, Folds.of(setup))
    held = features.features.levels.weights.nbytes + features._by_part.nbytes
    few = dataclasses.replace(needs, n_levels=())
    assert needs.n_levels == (len(setup.samples.encoder.categorical[0].levels),)
    assert needs.fitting_bytes() - few.fitting_bytes() >= held * 0.9
    assert needs.shipping_bytes(["boosting"]) > 0
    assert needs.shipping_bytes([]) == few.shipping_bytes(["boosting"]) == 0


def test_few_levels_have_no_scores(make):
    setup, _ = make()
    assert len(CandidateNeeds.of(setup.samples).n_levels) == 1  # of "few", "two" and "many"
