"""Columns with a role: of weights only the ratios matter, and what is none is refused."""

import numpy as np
import polars as pl
import pytest

import assay
from assay.errors import UserError
from assay.recipe import Recipe
from assay.roles import read_roles
from assay.table import Table

RECIPE = Recipe().with_options({"target": "y", "train.sample_weight": "w"})
RATIOS = np.array([1.0, 0.5, 0.0, 0.25])


def weights(values: object) -> np.ndarray:
    frame = pl.DataFrame({"w": values}, strict=False)
    return read_roles(Table(frame, "t.csv"), RECIPE).weight


@pytest.mark.parametrize("largest", [1e-6, 0.3, 1.0, 7.0, 1e6])
def test_ordinary_weights_stay_as_they_are(largest):
    found = weights(largest * RATIOS)
    assert found.dtype == np.float32
    assert found.flags.writeable
    np.testing.assert_array_equal(found, (largest * RATIOS).astype(np.float32))


@pytest.mark.parametrize("largest", [1e-320, 1e-300, 1e-46, 1e-40, 1e-7, 1e7, 1e37, 1e39, 1e300])
def test_of_large_and_tiny_weights_the_ratios_are_kept(largest):
    np.testing.assert_allclose(weights(largest * RATIOS), RATIOS, rtol=1e-3)


def test_weights_whose_sum_is_infinite_are_weights():
    np.testing.assert_array_equal(weights([1.7e308] * 3), np.ones(3))


def test_weights_may_be_text_or_integers():
    np.testing.assert_array_equal(weights([" 2e300", "1e300 "]), [1.0, 0.5])
    np.testing.assert_array_equal(weights([2**62, 2**61]), [1.0, 0.5])


@pytest.mark.attack
@pytest.mark.parametrize("bad", [float("inf"), float("nan"), -1e300, -1.0, None, "1e400", "much"])
def test_what_is_no_weight_is_refused(bad):
    with pytest.raises(UserError, match=r"row 2, column 'w': .* is no weight"):
        weights(pl.Series(["1e300", bad, "1"] if isinstance(bad, str) else [1e300, bad, 1.0]))


@pytest.mark.attack
def test_weights_that_are_all_0_are_refused():
    with pytest.raises(UserError, match="all weights are 0"):
        weights([0.0, 0.0, 0.0])


def test_equal_ratios_give_equal_models():
    rng = np.random.default_rng(0)
    x, ratio = rng.normal(size=120), rng.integers(1, 5, 120).astype(float)
    y = np.where(x + rng.normal(size=120) > 0, "yes", "no")
    options = {
        "train.sample_weight": "w",
        "model.hidden": [8],
        "train.epochs": 3,
        "split.folds": 3,
        "split.repeats": 1,
        "evaluate.bootstrap": 100,
        "evaluate.importance": False,
    }
    said, scores = [], []
    for scale in (2.0**-2, 2.0**900, 2.0**-900):  # powers of two round nothing
        frame = pl.DataFrame({"x": x, "w": scale * ratio, "y": y})
        model = assay.train(frame, "y", options=options)
        said.append(model.predict_proba(frame))
        scores.append(model.evaluation["validation"]["scores"]["log_loss"]["estimate"])
    np.testing.assert_array_equal(said[1], said[2])
    np.testing.assert_allclose(said[1], said[0], atol=1e-5)
    assert scores[1] == pytest.approx(scores[0], abs=1e-5)
