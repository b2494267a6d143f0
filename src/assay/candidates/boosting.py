"""Boosted trees on the folds of the population: scikit-learn's histogram gradient boosting.

Comes in: training features of each fit. Goes out: fits that say log probabilities and
become a part of the core graph. Each fit is validated on the rows that it leaves out,
but keeps the number of iterations that is best for the *other* fits of its repeat, so
that the rows it is judged by have no part in the choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from assay.candidates.features import Features, TrainingFeatures
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
from assay.candidates.proba import add_log_proba, log_proba_of
from assay.candidates.threads import load_learners, over_fits
from assay.candidates.trees import Tree, add_trees
from assay.deal import sample_rows
from assay.encode.arrays import Arrays
from assay.machine import give_back
from assay.nn.graph import GraphBuilder
from assay.training.selection import losses_of_others

First = tuple[Any, np.ndarray]  # a grown booster, its validation losses
MOST_VALIDATED = 50_000  # rows that iterations or a penalty are chosen by
_OPTIONS = {"min_samples_leaf": 10, "l2_regularization": 3.0}
_SEED = 4_201
_MANY_ITERATIONS = 200  # that tell of trees which are too small
_LIKELY_ITERATIONS = 100
_LONG_CELLS = 500_000  # rows x columns of a fit, above which threads save time
_GAIN = 0.005  # share of the loss that bolder trees have to save


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
        ended_after: Iterations after which a fit that still gained was ended for
            `max_iterations`; None where none was.
    """

    def __init__(
        self, features: Features, fits: tuple[BoostedFit, ...], ended_after: int | None = None
    ) -> None:
        self._features = features
        self.fits = fits
        self.ended_after = ended_after

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
    hands: "Hands | None" = None,
) -> Boosting:
    """Fit boosted trees on every fold.

    Args:
        training: Features of training rows.
        folds: Who is fitted on what.
        seed: Of the columns that a split may choose from.
        most_rows: Each fit learns from a random part of more.
        max_iterations: Of each fit, of trees of the usual size; by default what the size
            of the table allows.
        hands: Make the fits; by default those of this process.
    """
    load_learners()
    hands = hands or Alone()
    plans = plans_of(training, folds, seed, most_rows, max_iterations)
    plan, first = _choose_plan(plans, min(plans[0].growth.n_trying, folds.n_fits), hands)
    give_back()  # here and below: what the threads of these fits used stays with them otherwise
    first += hands.grow(plan, range(len(first), folds.n_fits))
    give_back()
    n_kept = choose_iterations([curve for _, curve in first], folds.repeat)
    n_kept = np.where(n_kept < 0, plan.n_blind, n_kept)
    fits = hands.bring(plan, [booster for booster, _ in first], n_kept.tolist())
    is_ended = plan.is_short and any(len(curve) > plan.max_iterations for _, curve in first)
    return Boosting(training.features, tuple(fits), plan.max_iterations if is_ended else None)


def plans_of(
    training: TrainingFeatures,
    folds: Folds,
    seed: int,
    most_rows: int,
    max_iterations: int | None,
) -> list["Plan"]:
    """Return the usual plan and bolder ones; the arguments are those of `fit_boosting`."""
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
    losses = _by_iteration(curves)
    if not len(losses):
        return np.full(len(curves), -1)
    judged = losses_of_others(losses, repeat)
    chosen: np.ndarray = np.where(np.isfinite(judged).any(axis=0), judged.argmin(axis=0), -1)
    return chosen


def _by_iteration(curves: list[np.ndarray]) -> np.ndarray:
    """Return losses of all fits, (iterations, M): NaN for those without validation."""
    longest = max(len(curve) for curve in curves)
    losses = np.full((longest, len(curves)), np.nan)
    for idx, curve in enumerate(curves):
        if len(curve):
            losses[:, idx] = np.pad(curve, (0, longest - len(curve)), mode="edge")
    return losses


def _choose_plan(plans: list["Plan"], n_fits: int, hands: "Hands") -> tuple["Plan", list[First]]:
    """Take the next plan as long as that helps and boosting goes on for long.

    The rows that choose are among those that judge: one of three plans by the losses of
    hundreds of rows, which flatters a score by far less than the width of its interval.

    Args:
        plans: The usual one, and bolder ones.
        n_fits: The first fits, which try them.
        hands: Make the fits.

    Returns:
        The plan to follow, and its first fits.
    """
    chosen, fits, losses = _try(plans[0], n_fits, hands)
    for plan in plans[1:]:
        if not len(losses) or losses.argmin() < _MANY_ITERATIONS:
            break
        tried = _try(plan, n_fits, hands)
        if not tried[2].min() < (1.0 - _GAIN) * losses.min():
            break
        chosen, fits, losses = tried
    return chosen, fits


def _try(plan: "Plan", n_fits: int, hands: "Hands") -> tuple["Plan", list[First], np.ndarray]:
    """Return the first fits of a plan and their mean loss after each iteration."""
    fits = hands.grow(plan, range(n_fits))
    return plan, fits, _by_iteration([curve for _, curve in fits]).mean(axis=1)


class Hands(Protocol):
    """Whoever makes fits."""

    def grow(self, plan: "Plan", fit_idx: Sequence[int]) -> list[First]:
        """Return grown boosters and their validation losses, for each of some fits."""

    def bring(self, plan: "Plan", boosters: list[Any], n_kept: list[int]) -> list[BoostedFit]:
        """Return all fits, brought to their numbers of iterations."""


class Alone:
    """The hands of this process, which make all fits."""

    def grow(self, plan: "Plan", fit_idx: Sequence[int]) -> list[First]:
        """Return boosters and losses, made side by side where that saves time."""
        return over_fits(lambda idx: plan.fit(fit_idx[idx]), len(fit_idx), is_long=plan.is_long)

    def bring(self, plan: "Plan", boosters: list[Any], n_kept: list[int]) -> list[BoostedFit]:
        """Return all fits, made likewise."""
        return over_fits(
            lambda idx: plan.bring_to(boosters[idx], idx, n_kept[idx]),
            len(boosters),
            is_long=plan.is_long,
        )


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
