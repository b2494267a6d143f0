"""Logistic regression on the folds of the population, by scikit-learn.

Comes in: training features of each fit. Goes out: fits that say log probabilities and
become a part of the core graph. Numbers and scores are filled, centred, scaled and
squashed with a flag where one is missing; levels get a coefficient each. Each fit takes
the penalty that is best for the *other* fits of its repeat.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from assay.candidates.boosted import MOST_VALIDATED
from assay.candidates.features import Features, TrainingFeatures
from assay.candidates.folds import Folds
from assay.candidates.inputs import HotLevels, Scaling
from assay.candidates.proba import add_log_proba, log_proba_of
from assay.candidates.threads import load_learners, over_fits
from assay.deal import sample_rows
from assay.encode.arrays import Arrays
from assay.nn.graph import GraphBuilder
from assay.training.selection import losses_of_others

MAX_ROWS = 100_000
MAX_CELLS = 10_000_000  # rows x inputs
INVERSE_PENALTIES = (0.03, 0.3, 3.0, 30.0, 300.0)
_LEAST_ROWS = 5_000
_LONG_CELLS = 20_000  # rows x columns of a fit, above which threads save time
_MAX_STEPS = 100  # of L-BFGS, for each penalty; each starts where the last ended


@dataclass(frozen=True)
class LogisticFit:
    """One fit.

    Attributes:
        scaling: Of F numbers and scores.
        weight: Coefficients of the numbers and of their flags, shape (2 * F, C), float32.
        level_weight: Coefficients of the levels of all columns, shape (levels, C), float32.
        bias: Shape (C,), float32.
        is_met: The classes among the training rows, shape (C,).
        n_rows: Training rows.
    """

    scaling: Scaling
    weight: np.ndarray
    level_weight: np.ndarray
    bias: np.ndarray
    is_met: np.ndarray
    n_rows: int

    def raw(self, numbers: np.ndarray, level_rows: np.ndarray) -> np.ndarray:
        """Return the scores of the classes, shape (N, C), float64.

        Args:
            numbers: Shape (N, F).
            level_rows: Rows of `level_weight`, shape (N, T).
        """
        inputs = self.scaling.apply(numbers, np.float64)
        result: np.ndarray = inputs @ self.weight.astype(np.float64) + self.bias
        for rows in level_rows.T:
            result += self.level_weight[rows]
        return result


class Logistic:
    """The fits of all folds.

    Args:
        features: What they see.
        levels: Which columns of levels have coefficients.
        fits: M of them.
    """

    def __init__(
        self, features: Features, levels: HotLevels, fits: tuple[LogisticFit, ...]
    ) -> None:
        self._features = features
        self._levels = levels
        self.fits = fits

    def log_proba(self, arrays: Arrays, fit_idx: int) -> np.ndarray:
        """Return what a fit says of rows that it did not learn from, (N, C)."""
        fit, x = self.fits[fit_idx], self._features.of(arrays, fit_idx)
        raw = fit.raw(_numbers(x, self._features), self._levels.rows(arrays.codes))
        return log_proba_of(raw, fit.is_met, fit.n_rows)

    def add_to(self, build: GraphBuilder) -> str:
        """Add all fits to a graph; return the name of their mean log probabilities."""
        raw = build.constant(self._stacked("bias")[:, None])  # (M, 1, C)
        n_numbers = self._features.n_numeric + self._features.n_scores
        if n_numbers:
            weight = build.constant(self._stacked("weight"))
            product = build.add("MatMul", self._add_inputs(build), weight)
            raw = build.add("Add", product, raw)
        if len(self._levels.columns):
            raw = build.add("Add", self._add_levels(build), raw)
        is_met = self._stacked("is_met")
        n_rows = np.array([fit.n_rows for fit in self.fits])
        return add_log_proba(build, raw, is_met, n_rows, fit_axis=0)

    def _add_inputs(self, build: GraphBuilder) -> str:
        """Add the scaled numbers and flags of each fit -> (M, N, 2 * F)."""
        features, names, flags = self._features, [], []
        of_fits = [fit.scaling for fit in self.fits]
        scaling = Scaling(
            np.stack([own.center for own in of_fits]), np.stack([own.factor for own in of_fits])
        )
        parts = []
        if features.n_numeric:
            numeric = build.input("numeric", features.n_numeric)
            x = build.add("Unsqueeze", numeric, build.integers([0]))  # (N, F) -> (1, N, F)
            parts.append((x, slice(0, features.n_numeric)))
        if features.n_scores:
            parts.append((features.add_scores(build), slice(features.n_numeric, None)))
        for x, columns in parts:
            name, flag = scaling.add_to(build, x, columns)
            names.append(name)
            flags.append(flag)
        return build.concat(names + flags, axis=2)

    def _add_levels(self, build: GraphBuilder) -> str:
        """Add each row's coefficients of levels up -> (M, N, C)."""
        levels, table = self._levels, self._stacked("level_weight")  # (M, levels, C)
        codes = build.input("codes", self._features.n_codes)
        chosen = build.add("Gather", codes, build.constant(levels.columns), axis=1)
        rows = build.add("Add", chosen, build.constant(levels.start.astype(np.int32)))
        looked_up = build.add("Gather", build.constant(table), rows, axis=1)  # (M, N, T, C)
        numbers = len(table) * len(levels.columns) * table.shape[2]
        build.n_row_numbers = max(build.n_row_numbers, numbers)
        return build.add("ReduceSum", looked_up, build.integers([2]), keepdims=0)

    def _stacked(self, name: str) -> np.ndarray:
        return np.stack([getattr(fit, name) for fit in self.fits])


def fit_logistic(
    training: TrainingFeatures, folds: Folds, *, n_levels: list[int], most_rows: int
) -> Logistic:
    """Fit logistic regressions on every fold.

    Args:
        training: Features of training rows.
        folds: Who is fitted on what.
        n_levels: Levels of each column of codes.
        most_rows: Each fit learns from a random part of more.
    """
    load_learners()
    from sklearn.exceptions import ConvergenceWarning

    plan = _Plan(training, folds, HotLevels.of(n_levels), most_rows)
    with warnings.catch_warnings():  # here, as it is not for several threads at once
        warnings.simplefilter("ignore", ConvergenceWarning)
        n_cells = min(folds.largest, most_rows) * training.features.n_columns
        paths = over_fits(plan.fit_path, folds.n_fits, is_long=n_cells >= _LONG_CELLS)
    losses = np.stack([losses for _, losses in paths], axis=1)  # (penalties, M)
    judged = losses_of_others(losses, folds.repeat)
    best = np.where(np.isfinite(judged).any(axis=0), judged.argmin(axis=0), 1)
    fits = tuple(path[idx] for (path, _), idx in zip(paths, best, strict=True))
    return Logistic(training.features, plan.levels, fits)


class _Plan:
    """How each fit is made."""

    def __init__(
        self, training: TrainingFeatures, folds: Folds, levels: HotLevels, most_rows: int
    ) -> None:
        self._training, self._folds, self._most_rows = training, folds, most_rows
        self.levels = levels

    def fit_path(self, fit_idx: int) -> tuple[list[LogisticFit], np.ndarray]:
        """Return a fit for each penalty and its validation loss, NaN without validation."""
        folds, training = self._folds, self._training
        rows = folds.rows(fit_idx, self._most_rows)
        x = training.of(rows, fit_idx)
        numbers, row_weight = _numbers(x, training.features), folds.weights(fit_idx, rows)
        scaling = Scaling.fit(numbers)
        hot_rows = self.levels.rows(training.codes(rows))
        inputs, kept = self._inputs(numbers, hot_rows, scaling)
        is_met = np.bincount(folds.y[rows], minlength=folds.n_classes) > 0
        path, n_plain = [], 2 * numbers.shape[1]
        for coefficients in _solve_path(inputs, folds.y[rows], row_weight, is_met):
            whole = np.zeros((len(kept) + 1, folds.n_classes), dtype=np.float32)
            whole[np.append(kept, True)] = coefficients
            weight, level_weight, bias = np.split(whole, (n_plain, len(kept)))
            fit = LogisticFit(scaling, weight, level_weight, bias[0], is_met, len(rows))
            path.append(fit)
        return path, self._losses(path, fit_idx)

    def _inputs(
        self, numbers: np.ndarray, hot_rows: np.ndarray, scaling: Scaling
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs (N, kept) for scikit-learn, and which of all are not constant."""
        plain, n_rows = scaling.apply(numbers), len(numbers)
        counts = np.bincount(hot_rows.reshape(-1), minlength=self.levels.n_rows)
        is_varied = (plain != plain[:1]).any(axis=0)
        kept = np.concatenate([is_varied, (counts > 0) & (counts < n_rows)])
        inputs = np.zeros((n_rows, int(kept.sum())), dtype=np.float32)  # large: made once
        inputs[:, : is_varied.sum()] = plain[:, is_varied]
        place = np.where(kept, np.cumsum(kept) - 1, -1)[plain.shape[1] :]
        for rows in hot_rows.T:
            places = place[rows]
            own = np.flatnonzero(places >= 0)
            inputs[own, places[own]] = 1.0
        return inputs, kept

    def _losses(self, path: list[LogisticFit], fit_idx: int) -> np.ndarray:
        folds, training = self._folds, self._training
        rows = folds.judged(fit_idx)
        rows = rows[sample_rows(len(rows), MOST_VALIDATED)]
        weight = np.ones(len(rows)) if folds.weight is None else folds.weight[rows]
        if not weight.any():
            return np.full(len(path), np.nan)
        numbers = _numbers(training.left_out(rows, fit_idx), training.features)
        hot_rows, y = self.levels.rows(training.codes(rows)), folds.y[rows]
        losses = []
        for fit in path:
            log_proba = log_proba_of(fit.raw(numbers, hot_rows), fit.is_met, fit.n_rows)
            losses.append(-np.average(log_proba[np.arange(len(y)), y], weights=weight))
        return np.array(losses)


def _solve_path(
    inputs: np.ndarray, y: np.ndarray, weight: np.ndarray | None, is_met: np.ndarray
) -> list[np.ndarray]:
    """Return coefficients, the last row being the bias, (inputs + 1, C), per penalty."""
    from sklearn.linear_model import LogisticRegression

    classes, path = np.flatnonzero(is_met), []
    if len(classes) < 2 or not inputs.shape[1]:
        bias = np.zeros((inputs.shape[1] + 1, len(is_met)))
        counts = np.bincount(y, weight, minlength=len(is_met))
        bias[-1, classes] = np.log(np.maximum(counts[classes], 1e-9) / counts.sum())
        return [bias] * len(INVERSE_PENALTIES)
    model = LogisticRegression(max_iter=_MAX_STEPS, warm_start=True, tol=1e-4)
    for inverse_penalty in INVERSE_PENALTIES:
        model.set_params(C=inverse_penalty)
        model.fit(inputs, y, sample_weight=weight)
        found = np.concatenate([model.coef_, model.intercept_[:, None]], axis=1)  # (C', inputs + 1)
        whole = np.zeros((found.shape[1], len(is_met)))
        whole[:, classes[-len(found) :]] = found.T
        path.append(whole)
    return path


def _numbers(x: np.ndarray, features: Features) -> np.ndarray:
    """Return the columns that are numbers or scores, (N, F)."""
    return np.delete(x, np.s_[features.n_numeric : features.n_plain], axis=1)


def n_inputs(features: Features, n_levels: list[int]) -> int:
    """Return the inputs of a fit at the most."""
    return 2 * (features.n_numeric + features.n_scores) + HotLevels.of(n_levels).n_rows


def most_rows(n_columns: int) -> int:
    """Return how many rows a fit learns from at the most, by its inputs."""
    return min(MAX_ROWS, max(MAX_CELLS // max(n_columns, 1), _LEAST_ROWS))
