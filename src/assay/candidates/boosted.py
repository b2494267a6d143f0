"""A single fit of boosted trees: scikit-learn's histogram gradient boosting.

Comes in: training features. Goes out: plans of how fits are grown, and by them fits that
are brought to as many iterations as are wanted.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.candidates.features import TrainingFeatures
from assay.candidates.folds import Folds
from assay.candidates.grown import Grown
from assay.candidates.growth import (
    LARGEST_RATE,
    Growth,
    growth_of,
    n_bins,
    n_iterations,
    tree_seconds,
)
from assay.candidates.trees import Tree
from assay.deal import sample_rows

First = tuple[Any, np.ndarray]  # a grown booster, its validation losses
MOST_VALIDATED = 50_000  # rows that iterations or a penalty are chosen by
_OPTIONS = {"min_samples_leaf": 10, "l2_regularization": 3.0}
_SEED = 4_201
_LIKELY_ITERATIONS = 100
_LONG_CELLS = 500_000  # rows x columns of a fit, above which threads save time


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


@dataclass(frozen=True)
class Plan:
    """How each fit is made.

    Attributes:
        number: 0 for the usual plan.
        growth: Of trees.
        training: Features of training rows.
        folds: Who is fitted on what.
        seed: Of the columns that a split may choose from.
        most_rows: Each fit learns from a random part of more.
        max_iterations: Of each fit, at the most.
        is_short: Whether these are fewer than the size of the table allows.
    """

    number: int
    growth: Growth
    training: TrainingFeatures
    folds: Folds
    seed: int
    most_rows: int
    max_iterations: int
    is_short: bool

    @property
    def n_blind(self) -> int:
        """Iterations of a fit without validation."""
        return min(self.growth.enough, self.max_iterations)

    @property
    def is_long(self) -> bool:
        """Whether fits are so long that threads save time."""
        return self._n_rows * self.training.features.n_columns >= _LONG_CELLS

    @property
    def likely_seconds(self) -> float:
        """About how long all fits take on one core; often more."""
        tree_s = tree_seconds(self.growth, self._n_rows, self.training.features.n_columns)
        n_trees = self.folds.n_fits * (1 if self.folds.n_classes == 2 else self.folds.n_classes)
        return min(self.max_iterations, _LIKELY_ITERATIONS) * n_trees * tree_s

    @property
    def _n_rows(self) -> int:
        return min(self.folds.largest, self.most_rows)

    def fit(self, fit_idx: int) -> First:
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
        folds = self.folds
        is_met: np.ndarray = (
            np.bincount(folds.y[self._rows(fit_idx)], minlength=folds.n_classes) > 0
        )
        return is_met

    def _rows(self, fit_idx: int) -> np.ndarray:
        return self.folds.rows(fit_idx, self.most_rows)

    def _booster(self) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier

        own = self.growth
        rate = own.rate if self.folds.n_classes == 2 else own.multiclass_rate
        return HistGradientBoostingClassifier(
            learning_rate=min(rate * own.enough / self.n_blind, LARGEST_RATE),
            max_iter=self.max_iterations,
            max_leaf_nodes=own.n_leaves,
            max_features=own.columns,
            max_bins=n_bins(min(self.folds.largest, self.most_rows)),
            scoring="loss",
            early_stopping=False,
            n_iter_no_change=own.patience,
            random_state=self.seed,
            **_OPTIONS,
        )

    def _learn(self, booster: Any, fit_idx: int, **validation: Any) -> None:
        rows, folds = self._rows(fit_idx), self.folds
        x, weight = self.training.of(rows, fit_idx), folds.weights(fit_idx, rows)
        x[:, np.isnan(x).all(axis=0)] = 0.0  # scikit-learn cannot bin a column without numbers
        booster.fit(x, folds.y[rows], sample_weight=weight, **validation)

    def _validation(
        self, fit_idx: int, is_met: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return the rows to validate on: those of known classes that have a weight."""
        folds = self.folds
        rows = folds.judged(fit_idx)
        rows = rows[sample_rows(len(rows), MOST_VALIDATED)]
        rows = rows[is_met[folds.y[rows]]]
        weight = None
        if folds.weight is not None:
            rows = rows[folds.weight[rows] > 0.0]
            weight = folds.weight[rows].astype(np.float64)
            weight /= weight.max(initial=1e-300)
        return self.training.left_out(rows, fit_idx), folds.y[rows], weight


def plans_of(
    training: TrainingFeatures,
    folds: Folds,
    seed: int,
    most_rows: int,
    max_iterations: int | None,
) -> list[Plan]:
    """Return the usual plan and bolder ones; the arguments are those of `boosting.fit_boosting`."""
    n_rows, n_columns = min(folds.largest, most_rows), training.features.n_columns
    own = growth_of(n_rows, folds.n_classes)
    own_seed = int(np.random.default_rng([seed, _SEED]).integers(2**31))
    tree_s, plans = tree_seconds(own, n_rows, n_columns), list[Plan]()
    n_trying = min(own.n_trying, folds.n_fits)
    for number, growth in enumerate((own, *own.steps())):
        most = allowed = n_iterations(growth, training, folds, most_rows)
        if max_iterations is not None:
            share = 1.0
            if number:  # larger trees may take as long, with what trying them takes, not be as many
                share = tree_s / tree_seconds(growth, n_rows, n_columns)
                share *= (folds.n_fits - n_trying) / (folds.n_fits + n_trying)
            most = min(allowed, max(int(share * max_iterations), 1))
        plans.append(
            Plan(number, growth, training, folds, own_seed, most_rows, most, most < allowed)
        )
    return plans
