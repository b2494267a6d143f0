"""What the simpler models see: plain numbers, and scores that never met their own row."""

from dataclasses import replace

import numpy as np
import polars as pl

from assay.candidates.features import TrainingFeatures
from assay.candidates.folds import Folds
from assay.encode.arrays import FIRST_LEVEL_CODE, UNSEEN_CODE

SMOOTHING = 10.0


def log_odds(share: float) -> float:
    return float(np.log(share / (1.0 - share)))


def training_features(setup):
    folds = Folds.of(setup)
    return TrainingFeatures.of_setup(setup, folds), folds


def test_columns_are_numbers_codes_scores_of_levels_and_of_texts(make):
    setup, _ = make(n_classes=3)
    training, folds = training_features(setup)
    features = training.features
    assert (features.n_numeric, features.n_codes, features.n_scores) == (2, 3, 3 + 3)
    rows = folds.train[0]
    x = training.of(rows, 0)
    assert x.dtype == np.float32
    assert x.shape == (len(rows), features.n_columns)
    arrays = setup.samples.arrays
    np.testing.assert_array_equal(x[:, :2], arrays.numeric[rows])
    np.testing.assert_array_equal(x[:, 2:5], arrays.codes[rows])
    np.testing.assert_array_equal(x[:, 8:], setup.lesson.rows.scores[0, rows])


def test_scores_of_levels_worked_by_hand(make):
    # Ten levels of 12 rows each; level 0 holds the second class only.
    level = np.arange(120) % 10
    y = np.where(level == 0, 1, (np.arange(120) // 10) % 2)
    frame = pl.DataFrame({"many": [f"level {v}" for v in level], "x": np.arange(120.0), "y": y})
    setup, _ = make(frame)
    training, folds = training_features(setup)
    codes = setup.samples.arrays.codes[:, 0]
    for fit_idx, rows in enumerate(folds.train):
        own = rows[codes[rows] == FIRST_LEVEL_CODE]
        prior = y[rows].mean()
        share = (len(own) + SMOOTHING * prior) / (len(own) + SMOOTHING)
        expected = log_odds(share) - log_odds(prior)
        found = training.features.levels.weights[fit_idx, FIRST_LEVEL_CODE, 0]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        assert training.features.levels.weights[fit_idx, UNSEEN_CODE, 0] == 0.0


def test_scores_of_training_rows_come_from_other_rows(make, with_y):
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(400) % 2)
    level = [f"level {v}" for v in rng.integers(0, 150, 400)]
    setup, _ = make(pl.DataFrame({"many": level, "x": rng.normal(size=400), "y": y}))
    training, folds = training_features(setup)
    rows = folds.train[0]
    honest = np.corrcoef(training.of(rows, 0)[:, -1], y[rows])[0, 1]
    leaking = np.corrcoef(training.left_out(rows, 0)[:, -1], y[rows])[0, 1]
    assert abs(honest) < 0.15
    assert leaking > 0.5


def test_no_label_moves_the_score_of_its_own_row(make, with_y):
    setup, _ = make()
    y = setup.samples.y
    training, folds = training_features(setup)
    row = int(folds.train[0][0])
    flipped = y.copy()
    flipped[row] = 1 - flipped[row]
    other, _ = training_features(make(change=with_y(flipped))[0])
    at = np.array([row])
    np.testing.assert_array_equal(other.of(at, 0), training.of(at, 0))


def test_rows_left_out_are_scored_alike_wherever_they_come_from(make):
    setup, _ = make(n_classes=3)
    training, folds = training_features(setup)
    rows = folds.judged(1)
    found = training.features.of(setup.samples.arrays.take(rows), 1)
    np.testing.assert_array_equal(found, training.left_out(rows, 1))
    approximate = setup.network.scores(setup.samples.arrays)[1, rows]
    np.testing.assert_allclose(found[:, -3:], approximate, atol=1e-5)


def test_rows_without_weight_teach_no_level(make):
    weight = np.where(np.arange(120) % 4 == 0, 0.0, 3.0).astype(np.float32)
    roles = lambda samples: replace(samples, roles=replace(samples.roles, weight=weight))  # noqa: E731
    setup, _ = make(change=roles)
    flipped = np.where(weight == 0.0, 1 - setup.samples.y, setup.samples.y)
    other, _ = make(change=lambda samples: roles(replace(samples, y=flipped)))
    first, second = (training_features(one)[0].features.levels for one in (setup, other))
    np.testing.assert_array_equal(first.weights, second.weights)
