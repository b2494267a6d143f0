"""The temperature is the minimum of the log loss, found where it is known."""

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from assay.errors import UserError
from assay.evaluate.calibration import (
    MAX_TEMPERATURE,
    apply_temperature,
    apply_vector,
    fit_temperature,
    fit_vector,
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


def _skewed(n_rows=6000, n_classes=3, seed=1):
    """Labels of softmax(logits), and probabilities of which each class is off in its own way."""
    proba, y_true = _case(1.0, n_classes, n_rows, seed)
    factors, shifts = np.array([0.6, 1.0, 1.5][:n_classes]), np.array([0.8, 0.0, -0.8][:n_classes])
    shifts = shifts - shifts.mean()
    off = _softmax((np.log(proba) - shifts) / factors)
    return off, proba, y_true


@pytest.mark.parametrize("n_classes", [2, 3])
def test_vector_scaling_undoes_what_each_class_is_off_by(n_classes):
    off, proba, y_true = _skewed(n_classes=n_classes)
    found = apply_vector(off, *fit_vector(off, y_true))
    cooled = apply_temperature(off, fit_temperature(off, y_true))
    assert np.abs(found - proba).mean() < 0.02
    assert np.abs(found - proba).mean() < 0.5 * np.abs(cooled - proba).mean()
    assert log_loss(y_true, found) < log_loss(y_true, cooled) - 0.005


def test_vector_scaling_is_the_minimum_of_its_loss():
    off, _, y_true = _skewed(n_rows=500)
    factors, shifts = fit_vector(off, y_true)
    start, pull = 1 / fit_temperature(off, y_true), 20.0 / 500

    def loss(parameters):
        f, b = parameters.reshape(2, 3)
        return log_loss(y_true, apply_vector(off, f, b)) + pull * (
            ((f - start) ** 2).sum() + (b**2).sum()
        )

    found = minimize(loss, np.concatenate([factors, shifts]), method="Nelder-Mead",
                     options={"xatol": 1e-7, "fatol": 1e-12, "maxiter": 20_000})  # fmt: skip
    np.testing.assert_allclose(np.concatenate([factors, shifts]), found.x, atol=2e-3)


def test_few_rows_stay_near_the_temperature():
    off, _, y_true = _skewed(n_rows=12)
    factors, shifts = fit_vector(off, y_true)
    np.testing.assert_allclose(factors, 1 / fit_temperature(off, y_true), atol=0.3)
    np.testing.assert_allclose(shifts, 0.0, atol=0.3)


def test_vector_scaling_stays_finite_where_rows_are_told_apart():
    proba = np.array([[1.0, 0.0], [0.0, 1.0]] * 50)
    factors, shifts = fit_vector(proba, np.array([0, 1] * 50))
    found = apply_vector(proba, factors, shifts, mix=0.01)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert found.min() == pytest.approx(0.005)


@pytest.mark.attack
def test_vector_scaling_takes_probabilities_only():
    with pytest.raises(UserError, match="probabilities"):
        fit_vector(np.array([[2.0, -1.0]]), np.array([0]))
