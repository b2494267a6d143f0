"""Calibration: probabilities and true classes in, one temperature or one vector out.

A network that is sure too often (or too seldom) keeps its order of rows when all its
logits are divided by one number, the temperature (Guo et al. 2017, arXiv 1706.04599).
Vector scaling (the same paper) gives each class a factor and a shift of its own; of two
classes it is the beta calibration of Kull et al. 2017 (AISTATS, PMLR 54:623).
Both are fitted on out-of-fold predictions, and mixed with a small uniform share so that
nothing is called impossible after few rows; both follow the refine-then-calibrate
practice of RealMLP's authors (arXiv 2407.04491, 2501.19195).
"""

import numpy as np

from assay.errors import UserError
from assay.metrics import Floats, Indices
from assay.softmax import row_max, row_sum, softmax

MAX_TEMPERATURE = 20.0
"""Temperatures stay in [1 / 20, 20]; data told apart without error would ask for 0."""

PROBABILITY_FLOOR = 1e-12
"""Smallest probability that a logarithm is taken of; the core graph has the same."""

MAX_SHIFT = 10.0
"""Shifts of vector scaling stay in [-10, 10]."""

_PULL = 20.0  # rows that vouch for the temperature: what pulls vector scaling towards it
_BRACKET = 1e-9  # of log temperature: 33 halvings of the range above, or 5 Newton steps
_BLOCK = 1 << 16  # numbers at once: they stay in the cache


def fit_temperature(proba: Floats, y_true: Indices) -> float:
    """Return the temperature T that minimises the log loss of softmax(log(proba) / T).

    Logarithms of probabilities are logits but for a constant in each row, which
    softmax ignores. The loss is convex in 1/T, so its slope there, mean(E[logit] -
    logit of the true class), rises through zero once. Newton's steps, or halvings of
    the bracket where those lead out of it, find log T within 1e-9.

    Args:
        proba: Probabilities, (N, C), in [0, 1]; below 1e-12 they count as 1e-12.
        y_true: True class indices, (N,), in [0, C).

    Returns:
        T in [1/20, 20]. The ends are given when the best T lies beyond: 1/20 where
        every row is right, 20 where the probabilities say nothing or mislead.

    Raises:
        UserError: Shapes differ, no row, or a value that is no probability.

    Example:
        >>> proba = np.array([[0.98, 0.02]] * 4)  # sure, and right 3 of 4 times
        >>> T = fit_temperature(proba, np.array([0, 0, 0, 1]))
        >>> np.round(apply_temperature(proba[:1], T), 3).tolist()
        [[0.75, 0.25]]
    """
    y_true = np.asarray(y_true)
    logits = _logits(proba)
    if logits.ndim != 2 or len(logits) == 0 or y_true.shape != (len(logits),):
        raise UserError(
            f"proba must be (N, C) and y_true (N,), N > 0 (got {logits.shape}, {y_true.shape})"
        )
    logits -= row_max(logits)
    truth = float(np.take_along_axis(logits, y_true[:, None], axis=1).mean())
    low, high = -np.log(MAX_TEMPERATURE), np.log(MAX_TEMPERATURE)
    log_t, step = 0.0, np.inf
    while high - low > _BRACKET and abs(step) > _BRACKET:
        mean, variance = _moments(logits, np.exp(-log_t))
        slope = mean - truth  # by 1 / T; by log T it is -slope / T
        low, high = (log_t, high) if slope > 0 else (low, log_t)
        step = slope * np.exp(log_t) / variance if variance > 0 else np.inf
        if not low < log_t + step < high:
            step = (low + high) / 2 - log_t
        log_t += step
    return float(np.exp(log_t))


def apply_temperature(proba: Floats, temperature: float, *, mix: float = 0.0) -> Floats:
    """Return (1 - mix) softmax(log(proba) / temperature) + mix / C.

    Args:
        proba: Probabilities, (..., C), in [0, 1]; below 1e-12 they count as 1e-12.
        temperature: Above 0; above 1 makes predictions less sure, 1 changes nothing.
        mix: Share of the uniform distribution, in [0, 1]; see `mix_weight`.

    Returns:
        Probabilities, (..., C), whose last axis sums to 1.

    Raises:
        UserError: A value that is no probability.

    Example:
        >>> np.round(apply_temperature(np.array([0.8, 0.2]), 2.0), 3).tolist()
        [0.667, 0.333]
    """
    logits = _logits(proba)
    cooled = softmax(logits / temperature)
    mixed: Floats = (1 - mix) * cooled + mix / logits.shape[-1]
    return mixed


def fit_vector(proba: Floats, y_true: Indices) -> tuple[Floats, Floats]:
    """Return factors f and shifts b that minimise the log loss of softmax(f log(proba) + b).

    The squares of b and of what f differs from 1 / T, T the best temperature, are held
    down, so that few rows change little more than the temperature does.

    Args:
        proba: Probabilities, (N, C), in [0, 1]; below 1e-12 they count as 1e-12.
        y_true: True class indices, (N,), in [0, C).

    Returns:
        f, (C,), in [1/20, 20], and b, (C,), in [-10, 10], whose mean is 0.

    Raises:
        UserError: Shapes differ, no row, or a value that is no probability.

    Example:
        >>> proba = np.repeat([[0.5, 0.5], [0.2, 0.8]], 2000, axis=0)
        >>> is_second = np.arange(4000) % 4 < np.repeat([1, 3], 2000)  # in 1/4, then in 3/4
        >>> factors, shifts = fit_vector(proba, is_second)
        >>> np.round(apply_vector(proba[[0, -1]], factors, shifts), 1).tolist()
        [[0.7, 0.3], [0.3, 0.7]]
    """
    from scipy.optimize import minimize  # loaded only where it is asked for

    y_true = np.asarray(y_true, dtype=np.intp)
    start = 1.0 / fit_temperature(proba, y_true)
    logits = _logits(proba)
    n_rows, n_classes = logits.shape
    truth = np.eye(n_classes)[y_true]
    pull = _PULL / n_rows

    def loss(parameters: Floats) -> tuple[float, Floats]:
        factors, shifts = parameters.reshape(2, n_classes)
        share = softmax(logits * factors + shifts)
        own = np.take_along_axis(share, y_true[:, None], axis=1)
        away = factors - start
        value = -np.log(np.maximum(own, PROBABILITY_FLOOR)).mean()
        value += pull * (away @ away + shifts @ shifts)
        slope = (share - truth) / n_rows
        by_factor = (slope * logits).sum(axis=0) + 2 * pull * away
        by_shift = slope.sum(axis=0) + 2 * pull * shifts
        return float(value), np.concatenate([by_factor, by_shift])

    first = np.concatenate([np.full(n_classes, start), np.zeros(n_classes)])
    bounds = [(1 / MAX_TEMPERATURE, MAX_TEMPERATURE)] * n_classes
    bounds += [(-MAX_SHIFT, MAX_SHIFT)] * n_classes
    found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds).x
    factors, shifts = found.reshape(2, n_classes)
    return factors, shifts - shifts.mean()


def apply_vector(proba: Floats, factors: Floats, shifts: Floats, *, mix: float = 0.0) -> Floats:
    """Return (1 - mix) softmax(factors log(proba) + shifts) + mix / C.

    Args:
        proba: Probabilities, (..., C), in [0, 1]; below 1e-12 they count as 1e-12.
        factors: (C,), above 0.
        shifts: (C,).
        mix: Share of the uniform distribution, in [0, 1]; see `mix_weight`.

    Raises:
        UserError: A value that is no probability.
    """
    logits = _logits(proba)
    moved = softmax(logits * np.asarray(factors) + np.asarray(shifts))
    mixed: Floats = (1 - mix) * moved + mix / logits.shape[-1]
    return mixed


def mix_weight(n_rows: int) -> float:
    """Return 1 / (n_rows + 1), the uniform share after calibrating on `n_rows` rows.

    Like Laplace's rule of succession: one imagined row of no preference.

    Example:
        >>> mix_weight(99)
        0.01
    """
    return 1.0 / (n_rows + 1)


def _logits(proba: Floats) -> Floats:
    proba = np.asarray(proba, dtype=np.float64)
    if not ((proba >= 0) & (proba <= 1 + 1e-6)).all():  # NaN fails too
        raise UserError("proba must hold probabilities in [0, 1], not logits or missing values")
    logits: Floats = np.log(np.maximum(proba, PROBABILITY_FLOOR))
    return logits


def _moments(logits: Floats, factor: float) -> tuple[float, float]:
    """Return mean and variance of softmax(factor * logits) over logits (N, C), rows' averages.

    The largest logit of each row is 0, so that nothing overflows.
    """
    n_rows, n_classes = logits.shape
    total = np.zeros(2)
    size = max(_BLOCK // n_classes, 1)
    for start in range(0, n_rows, size):
        block = logits[start : start + size]
        share = np.exp(block * factor)
        mass = row_sum(share)[:, 0]
        share *= block
        mean = row_sum(share)[:, 0] / mass
        square = np.einsum("nc,nc->n", share, block) / mass
        total += mean.sum(), (square - mean**2).sum()
    return float(total[0] / n_rows), float(total[1] / n_rows)
