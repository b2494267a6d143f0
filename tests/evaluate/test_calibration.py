"""The temperature is the minimum of the log loss, found where it is known."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from assay.errors import UserError
from assay.evaluate.calibration import (
    MAX_TEMPERATURE,
    apply_temperature,
    fit_temperature,
    mix_weight,
)
from assay.metrics import log_loss


def _softmax(logits):
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _case(temperature, n_classes=3, n_rows=5000, seed=0):
    """Labels drawn from softmax(logits), and probabilities that are too sure by a factor."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=1.5, size=(n_rows, n_classes))
    proba = _softmax(logits)
    y_true = (rng.uniform(size=(n_rows, 1)) > proba.cumsum(axis=1)).sum(axis=1)
    return _softmax(logits * temperature), np.minimum(y_true, n_classes - 1)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_the_temperature_that_was_put_in_is_found(temperature, n_classes):
    proba, y_true = _case(temperature, n_classes)
    assert fit_temperature(proba, y_true) == pytest.approx(temperature, rel=0.06)


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_no_temperature_gives_less_log_loss(n_classes):
    proba, y_true = _case(2.0, n_classes, n_rows=400)
    found = minimize_scalar(
        lambda log_t: log_loss(y_true, apply_temperature(proba, np.exp(log_t))),
        bounds=(-3, 3),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert fit_temperature(proba, y_true) == pytest.approx(np.exp(found.x), rel=1e-5)


def test_hand_worked_temperature():
    # Odds of 49 to 1 where 3 to 1 come true: log(49) / T = log(3).
    temperature = fit_temperature(np.array([[0.98, 0.02]] * 4), np.array([0, 0, 0, 1]))
    assert temperature == pytest.approx(np.log(49) / np.log(3), rel=1e-6)


def test_rows_told_apart_without_error_meet_the_lower_end():
    proba = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert fit_temperature(proba, np.array([0, 1])) == pytest.approx(1 / MAX_TEMPERATURE)


def test_misleading_probabilities_meet_the_upper_end():
    proba = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert fit_temperature(proba, np.array([1, 0])) == pytest.approx(MAX_TEMPERATURE)


def test_probabilities_of_nought_are_no_obstacle():
    proba = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    temperature = fit_temperature(proba, np.array([0, 0, 1, 1]))
    assert 1 / MAX_TEMPERATURE < temperature <= MAX_TEMPERATURE
    assert np.isfinite(apply_temperature(proba, temperature)).all()


def test_temperature_one_changes_nothing_and_keeps_the_order_otherwise():
    proba, _ = _case(1.0, n_rows=100)
    np.testing.assert_allclose(apply_temperature(proba, 1.0), proba, rtol=1e-12)
    for temperature in (0.2, 5.0):
        cooled = apply_temperature(proba, temperature)
        np.testing.assert_array_equal(cooled.argmax(axis=1), proba.argmax(axis=1))
        np.testing.assert_allclose(cooled.sum(axis=1), 1.0, rtol=1e-12)


def test_mixing_moves_towards_uniform():
    mixed = apply_temperature(np.array([[1.0, 0.0]]), 1.0, mix=0.1)
    np.testing.assert_allclose(mixed, [[0.95, 0.05]], atol=1e-11)
    assert mix_weight(0) == 1.0
    assert mix_weight(9) == 0.1


def test_members_are_cooled_together():
    proba = np.stack([_case(1.0, n_rows=20, seed=seed)[0] for seed in range(3)])  # (K, N, C)
    together = apply_temperature(proba, 2.0, mix=0.1)
    for member in range(3):
        np.testing.assert_allclose(together[member], apply_temperature(proba[member], 2.0, mix=0.1))


@pytest.mark.parametrize(
    ("proba", "said"),
    [
        ([[2.0, -1.0]], "not logits"),
        ([[np.nan, 0.5]], "missing values"),
        ([[0.5, 0.5]] * 2, r"got \(2, 2\), \(1,\)"),
        (np.zeros((0, 2)), "N > 0"),
    ],
)
def test_wrong_input_is_told(proba, said):
    with pytest.raises(UserError, match=said):
        fit_temperature(np.array(proba), np.array([0]))
