"""From what candidates say to what is shipped: weights, temperature, and their honest test.

Comes in: log probabilities of each candidate for rows that it had not learnt from.
Goes out: one mixture of them, calibrated, and probabilities for the same rows in which
no row had a part in the weights or the temperature that were used for it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from assay.candidates.blend import (
    LEAST_WEIGHT,
    average_repeats,
    blend,
    fit_weights,
    fitted_rows,
)
from assay.deal import sample_rows
from assay.evaluate.calibration import (
    apply_temperature,
    apply_vector,
    fit_temperature,
    fit_vector,
    mix_weight,
)
from assay.metrics import row_log_loss
from assay.nn.core_graph import Calibration

NETWORK = "network"

PRIOR = {"boosting": 0.4, NETWORK: 0.6}
"""What the weights of a blend are drawn towards; see `prior_share`.

Left-out rows are judged by the fit of one fold, but what ships is the average of all fits,
from which networks gain more than trees. With weights fitted on left-out rows alone the
blend was 3 % worse on new rows (geometric mean of log loss, 18 tables), and on tables whose
classes are easily told apart much more.
"""

_MOST_PRIOR = 0.5
_PRIOR_ROWS = 500

SOLVED = 0.15
"""Share of the classes' entropy in the networks' log loss below which they outweigh others.

Where rows are hardly noisy, what a single network gets wrong is mostly its own doing and
gone in the average of all: on 38 splits of such tables the average had 0.65 of the log loss
that single networks had of left-out rows, boosting 0.92 and logistic regression 0.97. See
docs/engine.md.
"""

BLOCK_ROWS = 1 << 16  # at once: what is in between takes ten times the memory of a result
PARTS = 5  # of the rows: what is fitted on four of them judges the fifth

Logs = Mapping[str, np.ndarray]
"""Log probabilities by candidate: (R, N, C) by repeat, NaN where a row is not judged, or
(N, C)."""


@dataclass(frozen=True)
class Mixture:
    """A calibrated geometric mean of candidates: softmax(sum of w log p / T), mixed with 1 / C.

    Attributes:
        weights: Of each candidate, positive, summing to 1.
        calibration: Temperature T, or factors and shifts by class, and the share of the
            uniform distribution.
    """

    weights: Mapping[str, float]
    calibration: Calibration = field(default_factory=Calibration)

    def apply(self, logs: Logs) -> np.ndarray:
        """Return probabilities, (..., C), of log probabilities (..., C) by candidate."""
        parts = [logs[name] for name in self.weights]
        if parts[0].ndim < 2:
            return self._of_block(parts)
        result = np.empty(parts[0].shape)
        for start in range(0, parts[0].shape[-2], BLOCK_ROWS):
            rows = np.s_[..., start : start + BLOCK_ROWS, :]
            result[rows] = self._of_block([part[rows] for part in parts])
        return result

    def _of_block(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        proba = np.exp(blend(np.stack(parts), list(self.weights.values())))
        fitted = self.calibration
        if fitted.factors:
            factors, shifts = np.array(fitted.factors), np.array(fitted.shifts)
            return apply_vector(proba, factors, shifts, mix=fitted.mix)
        return apply_temperature(proba, fitted.temperature, mix=fitted.mix)


def fit_mixture(
    logs: Logs,
    names: Sequence[str],
    y: np.ndarray,
    *,
    is_calibrated: bool,
    row_idx: np.ndarray | None = None,
    method: str = "temperature",
) -> Mixture:
    """Fit weights, where there are several candidates, and the calibration.

    Args:
        logs: By repeat, (R, N, C), where some repeat judges every row; or their averages by
            `average_repeats`, (N, C).
        names: The candidates to mix.
        y: Class indices, (N,).
        is_calibrated: Whether a calibration is fitted.
        method: Which: "temperature" or "vector".
        row_idx: The rows to fit on; None for all. Of many a random part is enough.
    """
    row_idx = np.arange(len(y)) if row_idx is None else row_idx
    n_rows, n_classes = len(row_idx), next(iter(logs.values())).shape[-1]
    chosen = row_idx[sample_rows(n_rows, fitted_rows(n_rows, n_classes))]
    averages = np.stack([_averaged(logs[name], chosen) for name in names])
    shares = _shrunk(fit_weights(averages, y[chosen]), names, len(chosen))
    shares = _led_by_networks(shares, averages, y[chosen], names)
    weights = {name: float(share) for name, share in zip(names, shares, strict=True) if share > 0}
    if not is_calibrated:
        return Mixture(weights)
    proba = np.exp(blend(averages, shares))
    mix = mix_weight(n_rows)
    if method == "vector":
        factors, shifts = fit_vector(proba, y[chosen])
        found = Calibration(1.0, mix, tuple(factors.tolist()), tuple(shifts.tolist()))
        return Mixture(weights, found)
    return Mixture(weights, Calibration(fit_temperature(proba, y[chosen]), mix))


def cross_fitted(
    logs: Logs,
    names: Sequence[str],
    y: np.ndarray,
    *,
    is_calibrated: bool,
    seed: int,
    groups: np.ndarray | None = None,
    method: str = "temperature",
) -> np.ndarray:
    """Return each row's probabilities by a mixture that was fitted on other rows.

    Args:
        logs: By repeat, (R, N, C); some repeat judges every row.
        names: The candidates to mix.
        y: Class indices, (N,).
        is_calibrated: Whether calibrations are fitted.
        seed: Of the division into fifths.
        groups: Group of each row, (N,), or None; no group is parted.
        method: Of the calibration, as for `fit_mixture`.

    Returns:
        Shape (R, N, C); NaN where a repeat does not judge the row.
    """
    unit = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    part = (np.random.default_rng(seed).permutation(int(unit.max()) + 1) % PARTS)[unit]
    result = np.full_like(logs[names[0]], np.nan, dtype=np.float64)
    n_rows, n_classes = result.shape[1:]
    fitted = logs  # of which every part takes a sample, or nearly all
    if fitted_rows(n_rows, n_classes) == n_rows:
        fitted = {name: average_repeats(logs[name]) for name in names}
    for idx in range(PARTS):
        own, others = np.flatnonzero(part == idx), np.flatnonzero(part != idx)
        if not len(own):
            continue
        mixture = fit_mixture(
            fitted,
            names,
            y,
            is_calibrated=is_calibrated and len(others) > 0,
            row_idx=others if len(others) else own,
            method=method,
        )
        result[:, own] = _applied(mixture, {name: logs[name][:, own] for name in names})
    return result


def prior_share(n_rows: int) -> float:
    """Return how far weights fitted on `n_rows` rows are drawn towards `PRIOR`, in [0, 0.5].

    Half-way up to 500 rows. Then what is left of the weights' noise shrinks with the root
    of the rows, and tables where one candidate is much the better get it: see
    docs/engine.md.

    Example:
        >>> prior_share(200), prior_share(2_000), round(prior_share(8_000), 3)
        (0.5, 0.25, 0.125)
    """
    return _MOST_PRIOR * min(1.0, math.sqrt(_PRIOR_ROWS / max(n_rows, 1)))


def _shrunk(shares: np.ndarray, names: Sequence[str], n_rows: int) -> np.ndarray:
    """Draw fitted weights towards `PRIOR`, where all that it names are there."""
    if not set(PRIOR) <= set(names):
        return shares
    prior = np.array([PRIOR.get(name, 0.0) for name in names])
    share = prior_share(n_rows)
    shrunk: np.ndarray = share * prior + (1.0 - share) * shares
    return shrunk


def _led_by_networks(
    shares: np.ndarray, averages: np.ndarray, y: np.ndarray, names: Sequence[str]
) -> np.ndarray:
    """Draw weights to the networks on tables nearly `SOLVED`.

    Not where another part is better by more than a standard error, as in the verdict.
    """
    if NETWORK not in names or not len(y):
        return shares
    own, solved = names.index(NETWORK), SOLVED * -np.log((np.bincount(y) / len(y))[y]).mean()
    if row_log_loss(y, np.exp(averages[own])).mean() > 2 * solved:  # spares most what follows
        return shares
    losses = np.stack([_calibrated_losses(np.exp(part), y) for part in averages])
    part_left = losses[own].mean() / max(solved, 1e-12)
    behind = losses[own] - losses
    errors = behind.std(axis=1) / np.sqrt(len(y))
    if part_left >= 1.0 or (behind.mean(axis=1) > errors).any():
        return shares
    led = part_left * shares + (1.0 - part_left) * (np.array(names) == NETWORK)
    led[led < LEAST_WEIGHT] = 0.0
    weights: np.ndarray = led / led.sum()
    return weights


def _calibrated_losses(proba: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return each row's log loss at the best temperature of all rows, (N,)."""
    return row_log_loss(y, apply_temperature(proba, fit_temperature(proba, y)))


def _averaged(log_proba: np.ndarray, row_idx: np.ndarray) -> np.ndarray:
    """Return the averages of repeats of some rows, (N', C)."""
    if log_proba.ndim == 2:
        averaged: np.ndarray = log_proba[row_idx]
        return averaged
    return average_repeats(log_proba[:, row_idx])


def _applied(mixture: Mixture, logs: Logs) -> np.ndarray:
    """Apply a mixture to (R, N, C), leaving rows that are not judged as they are."""
    result = np.full(next(iter(logs.values())).shape, np.nan)
    known = [np.isfinite(logs[name][..., 0]) for name in mixture.weights]
    is_known = np.logical_and.reduce(known)
    result[is_known] = mixture.apply({name: logs[name][is_known] for name in mixture.weights})
    return result
