"""The blend: out-of-fold log probabilities of several candidates in, one weight for each out.

The blend is the geometric mean p = softmax(sum_i w_i log p_i), w_i >= 0 and sum_i w_i = 1;
the temperature that makes it calibrated is fitted afterwards, as for a single candidate.
Its log loss is convex in the weights, since log p_i enter as the inputs of a multinomial
logistic regression with M coefficients (a logarithmic opinion pool: Genest & Zidek 1986,
Stat. Sci. 1:114; weights fitted on left-out rows: Wolpert 1992, Neural Networks 5:241).

A candidate that adds nothing still finds a small weight by luck, and costs time and space
for ever. Each has to gain more than a part, `PENALTY`, of its gain's own noise to come in.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.deal import sample_rows
from assay.errors import UserError
from assay.softmax import log_softmax, row_max, row_sum

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PENALTY = 0.5
"""Standard errors that a part must gain to be let in.

On 89 samples of 250 or 800 rows of 36 real tables (logistic regression, boosting and a
network of scikit-learn, 5 folds, judged on other rows) 1 in place of 0.5 gave a log loss
0.2 +- 0.2 % higher, up to 12 % where a good part was shut out; 0 gave one 0.1 +- 0.1 %
lower with 2.4 parts in place of 2.1; equal weights one 4 % higher.
"""

LEAST_LOG = float(np.log(1e-12))
"""Smallest log probability; calibration and the core graph know no smaller one either."""

LEAST_WEIGHT = 0.01
"""A part of less weight is left out: it could not be seen in the predictions."""

_MOST_SUM = 20.0  # of weights while fitting; calibration has the same bound on 1 / T
_CELLS = 400_000  # rows x classes that weights are fitted on
_MOST_ROWS, _LEAST_ROWS = 100_000, 5_000  # whatever the classes, where there are as many
_STEPS = 50  # Newton's; a handful suffices
_SWEEPS = 200  # over the M weights of a step
_LEAST_EIGENVALUE = 1e-4  # of the curvatures, scaled to 1 each; less means equal parts
_TOLERANCE = 1e-9  # of the loss


def fit_weights(log_proba: Floats, y: Ints, *, penalty: float = PENALTY) -> Floats:
    """Return the weights of the blend with the least log loss, few of them above 0.

    First the best single part is found, each at its own best temperature: the *reference*.
    Then mean loss(w) + sum_i penalty * s_i * w_i is minimised over w >= 0 by Newton's
    method, where s_i is the standard error, over rows, of the slope of the loss by w_i at
    the reference, and 0 for the reference itself. So a part comes in only if its slope,
    the gain of a first small weight, is more than `penalty` times its own noise (a score
    test, Rao 1948, Proc. Camb. Phil. Soc. 44:50; as a penalty the self-normalised Lasso,
    Belloni, Chen & Chernozhukov 2012, Econometrica 80:2369). The parts let in are fitted
    again without the penalty, which would pull them towards the reference.

    Up to 400,000 / C rows, at least 5,000 and at most 100,000, are used, sampled where there
    are more.

    Args:
        log_proba: Out-of-fold log probabilities of M parts, (M, N, C); rows with a missing
            value are left out. The first of equal parts gets the weight of all, so put
            the simplest first.
        y: True class indices, (N,), in [0, C).
        penalty: Standard errors to pay, not negative; 0 for the plain optimum.

    Returns:
        Weights, (M,), not negative, summing to 1. One part has weight 1 without a row to
        fit on (then the last, the richest), or if no part says anything of the classes.

    Raises:
        UserError: Shapes differ or there is no part.

    Example:
        >>> good, bad = np.log([[0.8, 0.2], [0.2, 0.8]]), np.log([[0.5, 0.5], [0.5, 0.5]])
        >>> fit_weights(np.stack([bad, good]), np.array([0, 1])).tolist()
        [0.0, 1.0]
    """
    log_proba, y = _checked(log_proba, y)
    n_parts, n_rows, n_classes = log_proba.shape
    if n_parts == 1 or n_rows == 0:
        return _alone(n_parts - 1, n_parts)
    chosen = sample_rows(n_rows, fitted_rows(n_rows, n_classes))
    parts = np.maximum(log_proba[:, chosen], LEAST_LOG)
    problem = _Problem.of(parts.astype(np.float64), y[chosen])
    reference, start = _best_single(problem)
    noise = penalty * problem.slope_errors(start)
    noise[reference] = 0.0
    weight = _minimise(problem, start, noise, np.ones(n_parts, dtype=bool))
    weight = _minimise(problem, weight, np.zeros(n_parts), weight > 0)
    return _shares(weight, reference)


def blend(log_proba: Floats, weights: Floats | Sequence[float]) -> Floats:
    """Return log softmax(sum_i w_i log p_i): (M, ..., C) -> (..., C).

    Args:
        log_proba: Log probabilities of M parts, (M, ..., C); NaN where one is missing. A
            part of weight 0 does not matter, not even where it is missing.
        weights: (M,).

    Example:
        >>> parts = np.log([[0.8, 0.2], [0.5, 0.5]])
        >>> np.exp(blend(parts, [0.5, 0.5])).round(3).tolist()
        [0.667, 0.333]
    """
    used = [
        weight * np.maximum(part, LEAST_LOG)
        for weight, part in zip(weights, log_proba, strict=True)
        if weight > 0
    ]
    return log_softmax(np.asarray(np.sum(used, axis=0, dtype=np.float64)))


def average_repeats(log_proba: Floats) -> Floats:
    """Return the geometric mean over repeats: (..., R, N, C) -> (..., N, C), normalised.

    Repeats that do not judge a row are NaN there and left out; a row that none judges is
    NaN. This is how the finished model averages its members.

    Example:
        >>> repeats = np.log([[[0.8, 0.2]], [[np.nan, np.nan]]])
        >>> np.exp(average_repeats(repeats)).round(3).tolist()
        [[0.8, 0.2]]
    """
    known = ~np.isnan(log_proba).any(axis=-1, keepdims=True)
    count = known.sum(axis=-3)
    total = np.where(known, np.maximum(log_proba, LEAST_LOG), 0.0).sum(axis=-3, dtype=np.float64)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return log_softmax(mean)


def average_proba(proba: Floats) -> Floats:
    """Return the geometric mean of probabilities over repeats: (R, N, C) -> (N, C).

    As `average_repeats`; one repeat, and (N, C), is its own average.
    """
    if proba.ndim == 2 or len(proba) == 1:
        only: Floats = proba.reshape(proba.shape[-2:])
        return only
    with np.errstate(divide="ignore"):  # a class may be left nothing without calibration
        averaged: Floats = np.exp(average_repeats(np.log(proba)))
    return averaged


def fitted_rows(n_rows: int, n_classes: int) -> int:
    """Return on how many of `n_rows` rows weights are fitted, at the most.

    Example:
        >>> fitted_rows(10**6, 2), fitted_rows(10**6, 1_000), fitted_rows(80, 2)
        (100000, 5000, 80)
    """
    return min(n_rows, max(min(_CELLS // n_classes, _MOST_ROWS), _LEAST_ROWS))


class _Problem:
    """The log loss of N rows as a function of the weights of M parts.

    Args:
        gaps: How much more each part gives every other class than the true one, (M, N, C - 1).
    """

    def __init__(self, gaps: Floats) -> None:
        self.n_parts, self.n_rows, _ = gaps.shape
        self._gaps = gaps

    @classmethod
    def of(cls, parts: Floats, y: Ints) -> "_Problem":
        """Return the problem of log probabilities (M, N, C)."""
        others = np.arange(parts.shape[2] - 1)
        others = others + (others >= y[:, None])  # (N, C - 1)
        true = np.take_along_axis(parts, y[None, :, None], axis=2)
        return cls(np.take_along_axis(parts, others[None], axis=2) - true)

    def only(self, idx: int) -> "_Problem":
        """Return the problem of a single part."""
        return _Problem(self._gaps[idx : idx + 1])

    def loss(self, weight: Floats) -> float:
        """Return mean log(1 + sum_c exp(sum_i w_i gap_i)), which is the mean log loss."""
        _, total, peak = self._raised(weight)
        return float((np.log(total) + peak)[:, 0].mean())

    def slopes(self, weight: Floats) -> Floats:
        """Return each row's derivative of the loss by each weight, (M, N)."""
        return self._expected(self._share(weight))

    def slope_errors(self, weight: Floats) -> Floats:
        """Return the standard error of the mean slopes, (M,); 0 for a single row."""
        if self.n_rows < 2:
            return np.zeros(self.n_parts)
        errors: Floats = self.slopes(weight).std(axis=1, ddof=1) / np.sqrt(self.n_rows)
        return errors

    def derivatives(self, weight: Floats) -> tuple[Floats, Floats]:
        """Return gradient (M,) and Hessian (M, M) of the loss."""
        share = self._share(weight)
        mean = self._expected(share)
        root = (self._gaps * np.sqrt(share)).reshape(self.n_parts, -1)  # -> (M, N * (C - 1))
        return mean.mean(axis=1), (root @ root.T - mean @ mean.T) / self.n_rows

    def _raised(self, weight: Floats) -> tuple[Floats, Floats, Floats]:
        """Return exp(z - peak), (N, C - 1), their sums with the true class's, and peak, (N, 1)."""
        logits = np.tensordot(weight, self._gaps, axes=1)
        peak = np.maximum(row_max(logits), 0.0)  # 0 is the true class's
        raised = np.exp(logits - peak)
        return raised, row_sum(raised) + np.exp(-peak), peak

    def _share(self, weight: Floats) -> Floats:
        """Return what the classes other than the true one are given, (N, C - 1)."""
        raised, total, _ = self._raised(weight)
        share: Floats = raised / total
        return share

    def _expected(self, share: Floats) -> Floats:
        expected: Floats = np.einsum("mnc,nc->mn", self._gaps, share)
        return expected


def _best_single(problem: _Problem) -> tuple[int, Floats]:
    """Return the part that is best alone, the first of equals, and its weights (M,)."""
    free, alone = np.zeros(1), np.ones(1)
    scales, losses = np.zeros(problem.n_parts), np.zeros(problem.n_parts)
    for idx in range(problem.n_parts):
        single = problem.only(idx)
        scale = _minimise(single, alone, free, np.ones(1, dtype=bool))
        scales[idx], losses[idx] = scale[0], single.loss(scale)
    best = int(np.flatnonzero(losses <= losses.min() + _TOLERANCE)[0])
    return best, scales * _alone(best, problem.n_parts)


def _minimise(problem: _Problem, start: Floats, cost: Floats, allowed: NDArray[np.bool_]) -> Floats:
    """Minimise loss(w) + cost . w over w >= 0, w = 0 where not allowed, by Newton's method."""
    weight = start.copy()
    value = problem.loss(weight) + cost @ weight
    for _ in range(_STEPS):
        gradient, hessian = problem.derivatives(weight)
        step = _newton_step(weight, gradient + cost, hessian, allowed) - weight
        promised = float((gradient + cost) @ step)
        if promised > -_TOLERANCE:
            return weight
        length = 1.0
        while length > 1e-6:
            trial = weight + length * step
            reached = problem.loss(trial) + cost @ trial
            if reached <= value + 1e-4 * length * promised:  # Armijo 1966, Pac. J. Math. 16:1
                break
            length /= 2
        else:
            return weight
        weight, value = trial, reached
    return weight


def _newton_step(
    weight: Floats, gradient: Floats, hessian: Floats, allowed: NDArray[np.bool_]
) -> Floats:
    """Minimise the parabola at `weight` over 0 <= w <= 20."""
    solved = _solved(weight, gradient, hessian, allowed)
    if solved is not None:
        return solved
    return _swept(weight, gradient, hessian, allowed)


def _solved(
    weight: Floats, gradient: Floats, hessian: Floats, allowed: NDArray[np.bool_]
) -> Floats | None:
    """Return where the parabola is least by solving for the weights above 0.

    Those that come out below 0 are held there. None where parts say nearly the same, so
    that weight after weight decides among them, or where a held weight had better rise.
    """
    scale = np.sqrt(np.maximum(np.diagonal(hessian), 1e-12))
    alike = hessian / scale[:, None] / scale
    free = np.flatnonzero(allowed)
    if len(free) and np.linalg.eigvalsh(alike[free][:, free])[0] < _LEAST_EIGENVALUE:
        return None
    target = hessian @ weight - gradient  # the parabola's slope at w is hessian @ w - target
    new = np.zeros_like(weight)
    new[~allowed] = weight[~allowed]
    while len(free):
        others = target[free] - hessian[free] @ np.where(allowed, 0.0, weight)
        found = np.linalg.solve(hessian[free][:, free], others)
        if (found > 0.0).all():
            new[free] = found
            break
        free = free[found > 0.0]
    slope = (hessian @ new - target)[allowed]
    is_least = ((new[allowed] > 0.0) | (slope >= 0.0)).all() and (new <= _MOST_SUM).all()
    return new if is_least else None


def _swept(weight: Floats, gradient: Floats, hessian: Floats, allowed: NDArray[np.bool_]) -> Floats:
    """Return the same, weight after weight."""
    new, step = weight.copy(), np.zeros_like(weight)
    bend = np.maximum(np.diagonal(hessian), 1e-12).tolist()
    slopes, rows, start = gradient.tolist(), list(hessian), weight.tolist()
    at, places = weight.tolist(), np.flatnonzero(allowed).tolist()
    for _ in range(_SWEEPS):
        largest = 0.0
        for idx in places:
            slope = slopes[idx] + float(rows[idx].dot(step))
            moved = min(max(at[idx] - slope / bend[idx], 0.0), _MOST_SUM)
            largest = max(largest, abs(moved - at[idx]))
            at[idx], step[idx] = moved, moved - start[idx]
        if largest <= 1e-10:
            break
    new[:] = at
    return new


def _shares(weight: Floats, reference: int) -> Floats:
    total = weight.sum()
    if not total > 0:
        return _alone(reference, len(weight))
    share = np.where(weight < LEAST_WEIGHT * total, 0.0, weight)
    shares: Floats = share / share.sum()
    return shares


def _alone(idx: int, n_parts: int) -> Floats:
    weight = np.zeros(n_parts)
    weight[idx] = 1.0
    return weight


def _checked(log_proba: Floats, y: Ints) -> tuple[Floats, Ints]:
    """Return the rows that every part judges, with their classes."""
    log_proba, y = np.asarray(log_proba), np.asarray(y)
    if log_proba.ndim != 3 or len(log_proba) == 0 or y.shape != log_proba.shape[1:2]:
        raise UserError(
            f"log_proba must be (M, N, C) and y (N,), M > 0 (got {log_proba.shape}, {y.shape})"
        )
    known = ~np.isnan(log_proba).any(axis=(0, 2))
    return (log_proba, y) if known.all() else (log_proba[:, known], y[known])
