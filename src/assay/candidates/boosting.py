"""Boosted trees on the folds of the population: scikit-learn's histogram gradient boosting.

Comes in: training features of each fit. Goes out: fits that say log probabilities and
become a part of the core graph. Each fit is validated on the rows that it leaves out,
but keeps the number of iterations that is best for the *other* fits of its repeat, so
that the rows it is judged by have no part in the choice.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.candidates.features import Features, TrainingFeatures
from assay.candidates.folds import Folds
from assay.candidates.grown import Grown
from assay.candidates.proba import add_log_proba, log_proba_of
from assay.candidates.threads import load_learners, over_fits
from assay.candidates.trees import Tree, add_trees
from assay.deal import sample_rows
from assay.encode.arrays import Arrays
from assay.nn.graph import GraphBuilder
from assay.training.selection import losses_of_others

MAX_ROWS = 200_000
MAX_CELLS = 20_000_000  # rows x columns; scikit-learn makes float64 of them
_LEAST_ROWS = 10_000  # that a wide table is cut to

# Against scikit-learn's defaults (31 leaves, no penalty, all columns) the log loss of five
# tables of 768 to 6,497 rows is 2 to 10 % lower. Of 45,000 rows, 63 leaves say 11 % more than
# 31 where boosting would go on for 1,000 iterations, and as much where it would not.
_LARGEST_RATE = 0.3  # where few iterations are allowed
_OPTIONS = {"min_samples_leaf": 10, "l2_regularization": 3.0}
_FEW_ROWS, _FEW_BINS, _BINS = 3_000, 64, 255  # few: as good, wide tables a third less time
_MOST_ITERATIONS = 1_000
_LEAST_ITERATIONS = 30
MOST_VALIDATED = 50_000  # rows that iterations or a penalty are chosen by
MOST_CLASSES = 100  # with more, trees would take longer than all else and fill the file
_MOST_TREES = 20_000  # of all fits; one takes about 1 kB in the model file
_LEAST_S, _ROW_S, _MOST_S = 8.0, 5e-3, 150.0  # that all fits may take by `tree_seconds`
_SEED = 4_201


@dataclass(frozen=True)
class Growth:
    """How trees grow for so many training rows.

    Attributes:
        most_rows: Up to which it holds, for a fit.
        n_leaves: Of a tree, at the most.
        columns: Share that each split may choose from.
        rate: Learning rate for two classes.
        multiclass_rate: For more, where every iteration grows a tree for each.
        patience: Iterations after the best one.
        enough: Iterations where no row is left out to choose by.
    """

    most_rows: float
    n_leaves: int
    columns: float
    rate: float = 0.1
    multiclass_rate: float = 0.15  # the same loss on three tables as 0.1, in 20 to 35 % less time
    patience: int = 15
    enough: int = 100


# In the middle, larger trees of fewer columns learn slower: they take twice the time of trees
# of 16 leaves and half of the columns, and the blend's log loss is 0.2 to 0.4 % lower.
_GROWTHS = (
    Growth(2_000, 8, 0.5),
    Growth(20_000, 32, 0.3, rate=0.07, multiclass_rate=0.1, patience=20, enough=150),
    Growth(np.inf, 63, 0.5),
)


@dataclass(frozen=True)
class BoostedFit:
    """One fit.

    Attributes:
        grown: The trees; None where there is one class only.
        is_met: The classes among the training rows, shape (C,).
        n_rows: Training rows.
    """

    grown: Grown | None
    is_met: np.ndarray
    n_rows: int

    def raw(self, x: np.ndarray) -> np.ndarray:
        """Return the scores of the classes, shape (N, C)."""
        raw = np.zeros((len(x), len(self.is_met)))
        if self.grown is not None and len(x):
            scores = self.grown.scores(x)
            raw[:, np.flatnonzero(self.is_met)[-scores.shape[1] :]] = scores
        return raw

    def trees(self, column: np.ndarray, first_target: int) -> tuple[list[Tree], np.ndarray]:
        """Return all trees, and the scores (C,) that they are added to."""
        base = np.zeros(len(self.is_met))
        if self.grown is None:
            return [], base
        classes = np.flatnonzero(self.is_met)[-len(self.grown.base) :]
        base[classes] = self.grown.base
        return [
            Tree(nodes, first_target + int(class_idx), column)
            for trees in self.grown.rounds
            for nodes, class_idx in zip(trees, classes, strict=True)
        ], base


class Boosting:
    """The fits of all folds.

    Args:
        features: What they see.
        fits: M of them.
    """

    def __init__(self, features: Features, fits: tuple[BoostedFit, ...]) -> None:
        self._features = features
        self.fits = fits

    @property
    def n_iterations(self) -> list[int]:
        """Iterations that each fit keeps."""
        return [0 if fit.grown is None else len(fit.grown.rounds) for fit in self.fits]

    def log_proba(self, arrays: Arrays, fit_idx: int) -> np.ndarray:
        """Return what a fit says of rows that it did not learn from, (N, C)."""
        fit = self.fits[fit_idx]
        return log_proba_of(fit.raw(self._features.of(arrays, fit_idx)), fit.is_met, fit.n_rows)

    def add_to(self, build: GraphBuilder) -> str:
        """Add all fits to a graph; return the name of their mean log probabilities."""
        features = self._features
        n_fits, n_scores, n_classes = len(self.fits), features.n_scores, len(self.fits[0].is_met)
        names = features.add_plain(build)
        if n_scores:
            by_row = build.add("Transpose", features.add_scores(build), perm=[1, 0, 2])
            flat = build.integers([-1, n_fits * n_scores])
            names.append(build.add("Reshape", by_row, flat))  # (N, M, S) -> (N, M * S)
        x = build.concat(names, axis=1)
        trees: list[Tree] = []
        base = np.zeros((n_fits, n_classes))
        for idx, fit in enumerate(self.fits):
            own = np.arange(n_scores) + features.n_plain + idx * n_scores
            column = np.concatenate([np.arange(features.n_plain), own])
            grown, base[idx] = fit.trees(column, idx * n_classes)
            trees += grown
        sums = add_trees(build, x, trees, base.reshape(-1))
        raw = build.add("Reshape", sums, build.integers([-1, n_fits, n_classes]))
        is_met = np.stack([fit.is_met for fit in self.fits])
        n_rows = np.array([fit.n_rows for fit in self.fits])
        return add_log_proba(build, raw, is_met, n_rows, fit_axis=1)


def fit_boosting(
    training: TrainingFeatures,
    folds: Folds,
    *,
    seed: int,
    most_rows: int,
    max_iterations: int | None = None,
) -> Boosting:
    """Fit boosted trees on every fold.

    Args:
        training: Features of training rows.
        folds: Who is fitted on what.
        seed: Of the columns that a split may choose from.
        most_rows: Each fit learns from a random part of more.
        max_iterations: Of each fit; by default what the size of the table allows.
    """
    load_learners()
    plan = _Plan(training, folds, seed, most_rows, max_iterations)
    first = over_fits(plan.fit, folds.n_fits)
    n_kept = choose_iterations([curve for _, curve in first], folds.repeat)
    n_kept = np.where(n_kept < 0, plan.n_blind, n_kept)
    fits = over_fits(lambda idx: plan.bring_to(first[idx][0], idx, int(n_kept[idx])), folds.n_fits)
    return Boosting(training.features, tuple(fits))


def choose_iterations(curves: list[np.ndarray], repeat: tuple[int, ...]) -> np.ndarray:
    """Return the number of iterations that is best for the other fits of the same repeat.

    Args:
        curves: Of each fit the validation loss after 0, 1, ... iterations; empty without
            validation. A fit that stopped early is taken to stay where it was.
        repeat: Number of each fit's repeat.

    Returns:
        Shape (M,); -1 where neither others nor the fit itself were validated.

    Example:
        >>> curves = [np.array([3.0, 1.0, 2.0]), np.array([3.0, 2.0, 1.0])]
        >>> choose_iterations(curves, (0, 0)).tolist()
        [2, 1]
    """
    longest = max(len(curve) for curve in curves)
    if not longest:
        return np.full(len(curves), -1)
    losses = np.full((longest, len(curves)), np.nan)
    for idx, curve in enumerate(curves):
        if len(curve):
            losses[:, idx] = np.pad(curve, (0, longest - len(curve)), mode="edge")
    judged = losses_of_others(losses, repeat)
    chosen: np.ndarray = np.where(np.isfinite(judged).any(axis=0), judged.argmin(axis=0), -1)
    return chosen


class _Plan:
    """How each fit is made."""

    def __init__(
        self,
        training: TrainingFeatures,
        folds: Folds,
        seed: int,
        most_rows: int,
        max_iterations: int | None,
    ) -> None:
        self._training, self._folds, self._most_rows = training, folds, most_rows
        self._seed = int(np.random.default_rng([seed, _SEED]).integers(2**31))
        n_rows = min(folds.largest, most_rows)
        self._growth, self._bins = growth(n_rows), n_bins(n_rows)
        self.n_iterations = n_iterations(training, folds, most_rows)
        if max_iterations is not None:
            self.n_iterations = min(self.n_iterations, max_iterations)
        self.n_blind = min(self._growth.enough, self.n_iterations)

    def fit(self, fit_idx: int) -> tuple[Any, np.ndarray]:
        """Return a fitted booster and its validation loss after 0, 1, ... iterations, or ().

        The booster is None where there is one class only.
        """
        is_met = self._is_met(fit_idx)
        if is_met.sum() < 2:
            return None, np.zeros(0)
        booster = self._booster()
        x_val, y_val, weight_val = self._validation(fit_idx, is_met)
        if not len(y_val):
            booster.set_params(max_iter=self.n_blind)
            self._learn(booster, fit_idx)
            return booster, np.zeros(0)
        booster.set_params(early_stopping=True)
        self._learn(booster, fit_idx, X_val=x_val, y_val=y_val, sample_weight_val=weight_val)
        return booster, -booster.validation_score_

    def bring_to(self, booster: Any, fit_idx: int, n_iterations: int) -> BoostedFit:
        """Return a fit of just as many iterations: some are left out, or added."""
        is_met, n_rows = self._is_met(fit_idx), len(self._rows(fit_idx))
        if booster is None:
            return BoostedFit(None, is_met, n_rows)
        if booster.n_iter_ < n_iterations:
            booster.set_params(max_iter=n_iterations, warm_start=True, early_stopping=False)
            self._learn(booster, fit_idx)
        # Nothing public takes trees away.
        del booster._predictors[n_iterations:]
        return BoostedFit(Grown.of(booster), is_met, n_rows)

    def _is_met(self, fit_idx: int) -> np.ndarray:
        folds = self._folds
        is_met: np.ndarray = (
            np.bincount(folds.y[self._rows(fit_idx)], minlength=folds.n_classes) > 0
        )
        return is_met

    def _rows(self, fit_idx: int) -> np.ndarray:
        return self._folds.rows(fit_idx, self._most_rows)

    def _booster(self) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier

        own = self._growth
        rate = own.rate if self._folds.n_classes == 2 else own.multiclass_rate
        return HistGradientBoostingClassifier(
            learning_rate=min(rate * own.enough / self.n_blind, _LARGEST_RATE),
            max_iter=self.n_iterations,
            max_leaf_nodes=own.n_leaves,
            max_features=own.columns,
            max_bins=self._bins,
            scoring="loss",
            early_stopping=False,
            n_iter_no_change=own.patience,
            random_state=self._seed,
            **_OPTIONS,
        )

    def _learn(self, booster: Any, fit_idx: int, **validation: Any) -> None:
        rows, folds = self._rows(fit_idx), self._folds
        x, weight = self._training.of(rows, fit_idx), folds.weights(fit_idx, rows)
        x[:, np.isnan(x).all(axis=0)] = 0.0  # scikit-learn cannot bin a column without numbers
        booster.fit(x, folds.y[rows], sample_weight=weight, **validation)

    def _validation(
        self, fit_idx: int, is_met: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return the rows to validate on: those of known classes that have a weight."""
        folds = self._folds
        rows = folds.judged(fit_idx)
        rows = rows[sample_rows(len(rows), MOST_VALIDATED)]
        rows = rows[is_met[folds.y[rows]]]
        weight = None
        if folds.weight is not None:
            rows = rows[folds.weight[rows] > 0.0]
            weight = folds.weight[rows].astype(np.float64)
            weight /= weight.max(initial=1e-300)
        return self._training.left_out(rows, fit_idx), folds.y[rows], weight


def n_iterations(training: TrainingFeatures, folds: Folds, most_rows: int) -> int:
    """Return how many iterations a fit may have: fewer for many columns, classes, rows."""
    n_trees = 1 if folds.n_classes == 2 else folds.n_classes
    tree_s = tree_seconds(min(folds.largest, most_rows), training.features.n_columns)
    most_s = min(_LEAST_S + _ROW_S * folds.largest, _MOST_S)
    affordable = min(int(most_s / tree_s), _MOST_TREES) // (folds.n_fits * n_trees)
    return min(max(affordable, _LEAST_ITERATIONS), _MOST_ITERATIONS)


def most_trees(n_fits: int, n_classes: int) -> int:
    """Return how many trees all fits may have together, whatever the table."""
    n_each = n_fits * (1 if n_classes == 2 else n_classes)
    return min(max(_MOST_TREES, _LEAST_ITERATIONS * n_each), _MOST_ITERATIONS * n_each)


def growth(n_rows: int) -> Growth:
    """Return how trees grow for `n_rows` training rows of a fit."""
    return next(growth for growth in _GROWTHS if n_rows <= growth.most_rows)


def n_bins(n_rows: int) -> int:
    """Return how many bins a number has for `n_rows` training rows of a fit."""
    return _FEW_BINS if n_rows <= _FEW_ROWS else _BINS


def tree_seconds(n_rows: int, n_columns: int) -> float:
    """Return about how long a tree takes to grow, on one core.

    Measured on seven tables of 600 to 15,000 rows and 8 to 57 columns: right within a
    factor of two.
    """
    cells = growth(n_rows).n_leaves * min(n_rows, n_bins(n_rows))
    return 3e-4 + n_columns * (8e-9 * cells + 3e-9 * n_rows)


def most_rows(n_columns: int) -> int:
    """Return how many rows a fit learns from at the most."""
    return min(MAX_ROWS, max(MAX_CELLS // max(n_columns, 1), _LEAST_ROWS))
