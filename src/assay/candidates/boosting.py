"""Boosted trees on the folds of the population: scikit-learn's histogram gradient boosting.

Comes in: training features of each fit. Goes out: fits that say log probabilities and
become a part of the core graph. Each fit is validated on the rows that it leaves out,
but keeps the number of iterations that is best for the *other* fits of its repeat, so
that the rows it is judged by have no part in the choice.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from assay.candidates.boosted import BoostedFit, First, Plan, plans_of
from assay.candidates.features import Features, TrainingFeatures
from assay.candidates.folds import Folds
from assay.candidates.proba import add_log_proba, log_proba_of
from assay.candidates.threads import load_learners, over_fits
from assay.candidates.trees import Tree, add_trees
from assay.encode.arrays import Arrays
from assay.machine import give_back
from assay.nn.graph import GraphBuilder
from assay.training.selection import losses_of_others

_MANY_ITERATIONS = 200  # that tell of trees which are too small
_GAIN = 0.005  # share of the loss that bolder trees have to save


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


def _choose_plan(plans: list[Plan], n_fits: int, hands: "Hands") -> tuple[Plan, list[First]]:
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


def _try(plan: Plan, n_fits: int, hands: "Hands") -> tuple[Plan, list[First], np.ndarray]:
    """Return the first fits of a plan and their mean loss after each iteration."""
    fits = hands.grow(plan, range(n_fits))
    return plan, fits, _by_iteration([curve for _, curve in fits]).mean(axis=1)


class Hands(Protocol):
    """Whoever makes fits."""

    def grow(self, plan: Plan, fit_idx: Sequence[int]) -> list[First]:
        """Return grown boosters and their validation losses, for each of some fits."""

    def bring(self, plan: Plan, boosters: list[Any], n_kept: list[int]) -> list[BoostedFit]:
        """Return all fits, brought to their numbers of iterations."""


class Alone:
    """The hands of this process, which make all fits."""

    def grow(self, plan: Plan, fit_idx: Sequence[int]) -> list[First]:
        """Return boosters and losses, made side by side where that saves time."""
        load_learners()
        return over_fits(lambda idx: plan.fit(fit_idx[idx]), len(fit_idx), is_long=plan.is_long)

    def bring(self, plan: Plan, boosters: list[Any], n_kept: list[int]) -> list[BoostedFit]:
        """Return all fits, made likewise."""
        load_learners()
        return over_fits(
            lambda idx: plan.bring_to(boosters[idx], idx, n_kept[idx]),
            len(boosters),
            is_long=plan.is_long,
        )
