"""The judge of a population: what is shipped is what was trained and tested."""

import numpy as np
import polars as pl
import pytest
import torch

from assay.core import CoreGraph
from assay.errors import InternalError
from assay.evaluate.population import Judge, _fitted, calibrated, check_parity
from assay.ledger import Ledger
from assay.nn.core_graph import Calibration, build_core_graph
from assay.nn.network import Network
from assay.recipe import Recipe
from assay.samples import Samples, held_out, read_samples
from assay.training.history import Silent
from assay.training.loop import train_population
from assay.training.predictions import out_of_fold
from assay.training.rows import EncodedRows, Lesson, RowSet

RECIPE = Recipe().with_options(
    {
        "target": "y",
        "model.hidden": [8],
        "train.epochs": 4,
        "split.folds": 3,
        "split.repeats": 1,
        "split.holdout": 0.25,
        "evaluate.bootstrap": 100,
    }
)


@pytest.fixture(scope="module")
def trained() -> tuple[Network, Lesson, Samples]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    frame = pl.DataFrame({"x": x, "z": rng.normal(size=200), "y": (x > 0).astype(int)})
    samples = read_samples(frame, RECIPE, Ledger(), on_stage=lambda name: None)
    network = Network(samples.encoder, RECIPE.model, n_members=3, n_classes=2, seed=0)
    network.fit(samples.arrays, samples.split.train)
    rows = EncodedRows(network, samples.arrays, torch.device("cpu"))
    validation = RowSet.of(samples.split.validation)
    train = RowSet.of(samples.split.train)
    lesson = Lesson(rows, torch.from_numpy(samples.y), train, validation, (0, 0, 0))
    train_population(network, lesson, RECIPE.train, seed=0, observer=Silent())
    return network, lesson, samples


def test_every_row_is_judged_once_and_by_members_that_left_it_out(trained):
    network, lesson, samples = trained
    judge = Judge(network, lesson, samples, RECIPE)
    judged = judge.left_out_rows()
    assert judged["n_rows"] == 150
    oof = out_of_fold(network, lesson.rows, lesson.validation)
    right = oof.argmax(axis=1) == samples.y
    expected = right[np.isfinite(oof[:, 0])].mean()
    assert judged["scores"]["accuracy"]["estimate"] == pytest.approx(expected)
    assert judged["members"]["accuracy"]["low"] <= expected <= judged["members"]["accuracy"]["high"]


def test_held_out_rows_are_judged_by_the_core_graph(trained):
    network, lesson, samples = trained
    judge = Judge(network, lesson, samples, RECIPE)
    core = CoreGraph(build_core_graph(network, judge.calibration))
    judged = judge.test_rows(core, held_out(samples))
    right = core.run(held_out(samples).arrays).argmax(axis=1) == held_out(samples).y
    assert judged["n_rows"] == 50
    assert judged["scores"]["accuracy"]["estimate"] == pytest.approx(right.mean())


def test_no_calibration_leaves_probabilities_as_they_are(trained):
    network, lesson, samples = trained
    plain = RECIPE.with_options({"evaluate.calibration": "none"})
    assert Judge(network, lesson, samples, plain).calibration == Calibration()
    proba = np.array([[0.2, 0.8]])
    np.testing.assert_allclose(calibrated(proba, Calibration()), proba)


def test_a_graph_that_differs_from_the_network_is_not_shipped(trained):
    network, lesson, _ = trained
    calibration = Calibration(1.5, 0.01)
    core = CoreGraph(build_core_graph(network, calibration))
    check_parity(core, network, lesson.rows, calibration)
    with pytest.raises(InternalError, match="differs from the trained network"):
        check_parity(core, network, lesson.rows, Calibration(1.2, 0.01))


def test_the_temperature_does_not_follow_rows_that_recur(monkeypatch):
    rng = np.random.default_rng(0)
    proba = np.full((4000, 2), [0.1, 0.9])
    y = (rng.random(4000) < np.tile([0.6, 0.95], 2000)).astype(np.int64)
    whole = _fitted(proba, y).temperature
    monkeypatch.setattr("assay.evaluate.population._CALIBRATION_CELLS", 4000)
    monkeypatch.setattr("assay.evaluate.population._CALIBRATION_ROWS", 2000)
    assert _fitted(proba, y).temperature == pytest.approx(whole, rel=0.1)
    assert _fitted(proba[::2], y[::2]).temperature > 1.5 * whole  # what every second row says
