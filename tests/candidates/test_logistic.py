"""Logistic regression equals scikit-learn's on the same inputs, penalty chosen by others."""

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from assay.candidates import logistic
from assay.candidates.features import TrainingFeatures
from assay.candidates.folds import Folds
from assay.candidates.logistic import fit_logistic, most_rows


def fitted(setup):
    folds = Folds.of(setup)
    training = TrainingFeatures.of_setup(setup, folds)
    n_levels = [len(feature.levels) for feature in setup.samples.encoder.categorical]
    return fit_logistic(training, folds, n_levels=n_levels, most_rows=10**6), folds


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_probabilities_equal_those_of_scikit_learn(make, monkeypatch, n_classes, is_weighted):
    monkeypatch.setattr(logistic, "INVERSE_PENALTIES", (1.0,))
    rng = np.random.default_rng(0)
    y = np.arange(200) % n_classes
    frame = pl.DataFrame(
        {
            "x": rng.normal(size=200) + y,
            "z": rng.normal(size=200),
            "level": rng.choice(["a", "b", "c"], 200),
            "w": rng.integers(1, 4, 200),
            "y": y,
        }
    )
    options = {"train.sample_weight": "w"} if is_weighted else {}
    setup, _ = make(frame if is_weighted else frame.drop("w"), **options)
    found, folds = fitted(setup)
    train, left_out = folds.train[0], folds.judged(0)
    numbers = frame.select("x", "z").to_numpy()
    median = np.median(numbers[train], axis=0)
    spread = np.subtract(*np.quantile(numbers[train], (0.75, 0.25), axis=0))
    scaled = (numbers - median) / spread
    hot = OneHotEncoder(sparse_output=False).fit_transform(frame.select("level").to_numpy())
    inputs = np.hstack([scaled / np.sqrt(1.0 + (scaled / 3.0) ** 2), hot])
    weight = frame["w"].to_numpy()[train].astype(float)
    weight = weight / weight.mean() if is_weighted else None
    model = LogisticRegression(C=1.0, max_iter=1000, tol=1e-8)
    model.fit(inputs[train], y[train], sample_weight=weight)
    proba = np.exp(found.log_proba(setup.samples.arrays.take(left_out), 0))
    np.testing.assert_allclose(proba, model.predict_proba(inputs[left_out]), atol=2e-3)


def test_the_penalty_is_the_one_that_serves_the_others(make, monkeypatch):
    setup, _ = make()
    by_penalty = {0: [1.0, 2.0, 3.0], 1: [3.0, 1.0, 2.0], 2: [3.0, 1.0, 2.0]}
    monkeypatch.setattr(
        logistic._Plan, "_losses", lambda self, path, idx: np.array(by_penalty[idx])
    )
    found, _ = fitted(setup)
    norms = [np.abs(fit.weight).sum() for fit in found.fits]
    monkeypatch.setattr(logistic, "INVERSE_PENALTIES", (0.3,))
    monkeypatch.setattr(logistic._Plan, "_losses", lambda self, path, idx: np.zeros(1))
    middle = [np.abs(fit.weight).sum() for fit in fitted(setup)[0].fits]
    assert norms[0] == pytest.approx(middle[0], rel=0.05)  # the others are best at 0.3
    assert norms[1] == pytest.approx(middle[1], rel=0.05)  # (1 + 3) / 2 > (2 + 1) / 2


def test_few_rows_suffice_where_inputs_are_many():
    assert most_rows(10) == 100_000
    assert most_rows(1_000) == 10_000
    assert most_rows(10**6) == 5_000
