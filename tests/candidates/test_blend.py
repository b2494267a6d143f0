"""Blend weights: the known optimum is found, and a part that adds nothing gets nothing."""

import numpy as np
import pytest
from scipy.optimize import minimize

from assay.candidates.blend import (
    PENALTY,
    _Problem,
    _solved,
    _swept,
    average_proba,
    average_repeats,
    blend,
    fit_weights,
    fitted_rows,
)
from assay.errors import UserError


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


def make_parts(n_rows: int, n_classes: int, slopes: list[float], seed: int = 0):
    """Parts that see the truth as slope x signal + noise; slope 0 sees nothing."""
    rng = np.random.default_rng(seed)
    signal = 1.5 * rng.normal(size=(n_rows, n_classes))
    y = (log_softmax(signal) + rng.gumbel(size=signal.shape)).argmax(axis=1)  # y ~ softmax
    logits = [slope * signal + rng.normal(size=signal.shape) for slope in slopes]
    return log_softmax(np.stack(logits)), y


def mean_loss(weight: np.ndarray, parts: np.ndarray, y: np.ndarray) -> float:
    blended = log_softmax(np.tensordot(weight, parts, axes=1))
    return float(-blended[np.arange(len(y)), y].mean())


@pytest.mark.parametrize("n_classes", [2, 4])
def test_weights_without_penalty_are_those_of_a_general_optimiser(n_classes):
    parts, y = make_parts(600, n_classes, [1.0, 0.6, 0.2])
    bounds = [(0.0, 20.0)] * 3
    found = minimize(mean_loss, np.ones(3) / 3, (parts, y), bounds=bounds, options={"ftol": 1e-13})
    expected = found.x / found.x.sum()
    np.testing.assert_allclose(fit_weights(parts, y, penalty=0.0), expected, atol=1e-4)


def test_a_step_solved_at_once_is_the_one_swept_to():
    n_solved, rng = 0, np.random.default_rng(4)
    for seed in range(40):
        parts, y = make_parts(200, 3, [1.0, 0.6, 0.3, 0.0], seed=seed)
        problem = _Problem.of(parts, y)
        weight = rng.random(4) * (rng.random(4) < 0.7)
        gradient, hessian = problem.derivatives(weight)
        allowed = (weight > 0) | (rng.random(4) < 0.7)
        solved = _solved(weight, gradient, hessian, allowed)
        if solved is not None:
            n_solved += 1
            np.testing.assert_allclose(
                solved, _swept(weight, gradient, hessian, allowed), atol=1e-6
            )
    assert n_solved > 30


def test_slopes_are_those_of_the_loss():
    parts, y = make_parts(60, 4, [1.0, 0.5, 0.2])
    problem, weight = _Problem.of(parts, y), np.array([0.7, 0.2, 0.0])
    assert problem.loss(weight) == pytest.approx(mean_loss(weight, parts, y), rel=1e-12)
    gradient, hessian = problem.derivatives(weight)
    for idx, away in enumerate(1e-5 * np.eye(3)):
        rise = problem.loss(weight + away) - problem.loss(weight - away)
        assert rise / 2e-5 == pytest.approx(gradient[idx], rel=1e-6)
        bend = problem.derivatives(weight + away)[0] - problem.derivatives(weight - away)[0]
        np.testing.assert_allclose(bend / 2e-5, hessian[idx], rtol=1e-5)


def test_two_halves_of_the_truth_weigh_the_same():
    rng = np.random.default_rng(1)
    halves = 2.0 * rng.normal(size=(2, 20_000))
    y = (rng.random(20_000) < 1 / (1 + np.exp(-halves.sum(axis=0)))).astype(int)
    parts = log_softmax(np.stack([np.zeros_like(halves), halves], axis=2))  # (2, N, 2)
    np.testing.assert_allclose(fit_weights(parts, y), [0.5, 0.5], atol=0.02)


def test_weights_of_a_worked_case():
    # Of four rows each part knows two and says nothing of the others; each is right in 3
    # of 4 cases where it is sure of one to nine. By symmetry both weigh the same.
    sure, even = np.log([0.9, 0.1]), np.log([0.5, 0.5])
    first, second = np.array([sure] * 4 + [even] * 4), np.array([even] * 4 + [sure] * 4)
    y = np.array([0, 0, 0, 1] * 2)
    weights = fit_weights(np.stack([first, second]), y, penalty=0.0)
    np.testing.assert_allclose(weights, [0.5, 0.5], atol=1e-6)


@pytest.mark.parametrize(("penalty", "least"), [(PENALTY, 0.55), (2.0, 0.9)])
def test_a_useless_part_mostly_gets_exactly_nothing(penalty, least):
    shares = []
    for seed in range(40):
        parts, y = make_parts(300, 2, [1.0, 0.0, 0.8], seed)
        shares.append(fit_weights(parts, y, penalty=penalty))
    useless = np.array(shares)[:, 1]
    assert (useless == 0.0).mean() > least  # 69 and 98 % by the normal distribution
    assert useless.max() < 0.25
    assert (np.array(shares)[:, [0, 2]] > 0).mean() > 0.95


def test_a_larger_penalty_never_keeps_more_parts_here():
    parts, y = make_parts(200, 3, [1.0, 0.7, 0.3, 0.1])
    n_kept = [(fit_weights(parts, y, penalty=penalty) > 0).sum() for penalty in (0, 1, 2, 5, 50)]
    assert n_kept == sorted(n_kept, reverse=True)
    assert n_kept[-1] == 1


def test_the_first_of_equal_parts_gets_the_weight_of_all():
    parts, y = make_parts(300, 2, [1.0])
    weights = fit_weights(np.concatenate([parts, parts, parts]), y)
    assert weights.tolist() == [1.0, 0.0, 0.0]


def test_parts_that_say_nothing_or_mislead_leave_one():
    even = np.full((2, 50, 2), np.log(0.5))
    y = np.arange(50) % 2
    assert fit_weights(even, y).tolist() == [1.0, 0.0]
    wrong = np.log(np.where(y[:, None] == [0, 1], 0.01, 0.99))
    assert fit_weights(np.stack([wrong, wrong]), y).tolist() == [1.0, 0.0]


def test_rows_that_a_part_does_not_judge_are_left_out():
    parts, y = make_parts(200, 2, [1.0, 0.8])
    gaps = parts.copy()
    gaps[0, :50] = np.nan
    np.testing.assert_array_equal(fit_weights(gaps, y), fit_weights(parts[:, 50:], y[50:]))
    assert fit_weights(np.full((2, 4, 2), np.nan), np.zeros(4, dtype=int)).tolist() == [0.0, 1.0]


def test_a_class_without_a_row_and_a_certain_miss_are_no_obstacle():
    parts, y = make_parts(100, 3, [1.0, 0.5])
    y = np.minimum(y, 1)
    parts[0, 0] = [-np.inf, -np.inf, 0.0]
    weights = fit_weights(parts, y)
    assert np.isfinite(weights).all()
    assert weights.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_a_few_rows_give_weights_that_sum_to_one(n_rows):
    parts, y = make_parts(n_rows, 2, [1.0, 0.5, 0.0])
    weights = fit_weights(parts, y)
    assert weights.sum() == pytest.approx(1.0)
    assert (weights >= 0).all()


def test_float32_and_many_rows_are_sampled_the_same_every_time():
    parts, y = make_parts(120_000, 2, [1.0, 0.8])
    assert fitted_rows(120_000, 2) == 100_000
    first = fit_weights(parts.astype(np.float32), y)
    np.testing.assert_array_equal(first, fit_weights(parts.astype(np.float32), y))
    np.testing.assert_allclose(first, fit_weights(parts[:, :100_000], y[:100_000]), atol=0.01)


def test_a_blend_is_the_normalised_weighted_geometric_mean():
    parts = np.log([[[0.9, 0.1]], [[0.4, 0.6]]])
    expected = np.array([0.9**0.75 * 0.4**0.25, 0.1**0.75 * 0.6**0.25])
    np.testing.assert_allclose(np.exp(blend(parts, [0.75, 0.25])), [expected / expected.sum()])
    missing = np.stack([parts[0], np.full((1, 2), np.nan)])
    np.testing.assert_allclose(np.exp(blend(missing, [1.0, 0.0])), [[0.9, 0.1]])


def test_repeats_are_averaged_where_they_judge():
    logs = np.log([[[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]], [[0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]])
    logs[1, 1] = np.nan
    logs[:, 2] = np.nan
    found = np.exp(average_repeats(logs))
    root = np.sqrt([0.9 * 0.4, 0.1 * 0.6])
    np.testing.assert_allclose(found[:2], [root / root.sum(), [0.5, 0.5]])
    assert np.isnan(found[2]).all()


def test_shapes_that_do_not_fit_are_told():
    with pytest.raises(UserError, match=r"log_proba must be \(M, N, C\)"):
        fit_weights(np.zeros((2, 3)), np.zeros(3, dtype=int))
    with pytest.raises(UserError, match="M > 0"):
        fit_weights(np.zeros((0, 3, 2)), np.zeros(3, dtype=int))


def test_one_repeat_is_its_own_average_and_several_have_a_geometric_mean(rng):
    proba = rng.dirichlet(np.ones(3), (2, 5))
    np.testing.assert_array_equal(average_proba(proba[:1]), proba[0])
    np.testing.assert_array_equal(average_proba(proba[0]), proba[0])
    proba[0, 3] = np.nan  # not judged by the first repeat
    proba[:, 4] = np.nan
    mean = np.sqrt(proba[0] * proba[1])
    expected = mean / mean.sum(axis=1, keepdims=True)
    expected[3] = proba[1, 3]
    np.testing.assert_allclose(average_proba(proba), expected, rtol=1e-9)
