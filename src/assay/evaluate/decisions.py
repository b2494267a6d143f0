"""Fit decisions on out-of-fold rows, and say what they are worth on rows that fitted nothing.

Calibrated probabilities of rows that the model did not learn from come in. Out go the
`Decisions` that a model file keeps, fitted on all of these rows, and a plain document
whose figures come from a second fit: each fifth of the rows is decided by what the other
four fifths fitted, so that no threshold, floor or quantile is judged by its own rows.

The rows are predicted by single folds, the finished model averages them and is as a rule
a little better: its sets then cover a little more than asked, and its scores lie a little
above those told here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assay.deal import ranks, sample_rows
from assay.decide import (
    NO_LABEL,
    Decisions,
    Sets,
    Threshold,
    plan_decisions,
    positive_class,
)
from assay.errors import UserError
from assay.evaluate.conformal import categories, fit_sets
from assay.evaluate.intervals import CROSS_FITTED
from assay.evaluate.redrawn import Draws
from assay.evaluate.resampled import Resampler
from assay.evaluate.thresholds import choose_threshold
from assay.evaluate.worth import (
    Decided,
    abstention_worth,
    cost_worth,
    priors_told,
    sets_worth,
    threshold_worth,
)
from assay.metrics import Floats, Indices
from assay.options import DecideRecipe
from assay.rules import Rule, parse_abstention, parse_threshold

NOTE = (
    "Each row is judged by models that had left it out; the finished model averages them, "
    "so its sets cover a little more and its scores are a little better, as a rule."
)
_PARTS = 5
_MAX_CELLS = 2_000_000  # rows x classes that decisions are fitted and judged on
_LEAST_ROWS = 10_000  # of them, where there are as many


def fit_decisions(
    y: Indices,
    proba: Floats,
    classes: Sequence[str],
    recipe: DecideRecipe,
    *,
    seed: int,
    groups: Indices | None = None,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    draws: Draws | None = None,
) -> tuple[Decisions, dict[str, Any]]:
    """Fit everything that the section [decide] asks for, and judge it.

    Args:
        y: True class indices of rows that the model did not learn from, (N,).
        proba: Their calibrated probabilities, (N, C).
        classes: Names of the C classes.
        recipe: The section [decide].
        seed: Of the parts and the resamples.
        groups: Group of each row, (N,); rows of a group stay in one part and are drawn
            together.
        confidence: Coverage of intervals, in (0, 1).
        n_resamples: Draws behind an interval.
        draws: Of the N rows or their groups, where they are made already.

    Returns:
        The decisions to store, and a document, plain data for JSON without NaN. Interval
        means {"estimate", "low", "high"}, None where undefined, `CROSS_FITTED` times as
        wide as drawing rows gives it, as all intervals of left-out rows are. Where other shares of
        classes are expected, all figures are those to expect there.

        n_rows, confidence, note.
        threshold (absent where none is wanted): rule, is_default, positive (class),
            value, is_met, scores and likeliest {precision, recall, specificity, f1,
            balanced_accuracy, accuracy, share: interval}: of the threshold, and of naming
            the likeliest class instead; text.
        cost (absent without a matrix): matrix, per_row (interval), expected (by the
            probabilities), likeliest (interval), constant {decision, per_row}, the best
            single class, majority {decision, per_row}, the commonest one, saved {constant,
            majority, likeliest: interval}, decided {class: share}, text.
        conformal: coverage, method, achieved (interval), mean_size, share_single,
            share_empty, sizes {"0", "1", "2", "3+": share}, accuracy_single (interval),
            per_class [{class, n, coverage: interval}], curve [{coverage, achieved,
            mean_size, share_single, share_empty}], text.
        abstention: rule, floor, is_met, answered and accuracy (intervals), curve
            [{answered, floor, accuracy: interval}], text.
        priors (absent where none are given): training, deployment {class: share}, text.

    Raises:
        UserError: What `plan_decisions` refuses, shapes that differ, no row, or values
            that are no probabilities.
        InternalError: Draws of another number of rows.

    Example:
        >>> y, proba = np.array([0, 1] * 50), np.tile([[0.9, 0.1], [0.4, 0.6]], (50, 1))
        >>> decisions, told = fit_decisions(y, proba, ["no", "yes"], DecideRecipe(), seed=0)
        >>> decisions.by_threshold(proba[:2]).tolist(), told["threshold"]["value"]
        ([0, 1], 0.35)
    """
    y, proba = _checked(y, proba, len(classes))
    if draws is not None:
        draws.check_rows(len(y))
    chosen = sample_rows(len(y), max(_MAX_CELLS // len(classes), _LEAST_ROWS))
    draws = draws if len(y[chosen]) == len(y) else None  # a part of the rows gets its own
    y, proba = y[chosen], proba[chosen]
    groups = None if groups is None else ranks(groups[chosen])
    counts = np.bincount(y, minlength=len(classes))
    plan = plan_decisions(recipe, classes, counts)
    fitter = _Fitter(recipe, plan, class_of_threshold(recipe, classes, counts), counts)
    fitted = fitter.fit(y, proba)

    part = _parts(y, seed=seed, groups=groups)
    decided = _cross_decided(fitter, y, proba, part)
    rows = Resampler(
        len(y),
        weight=None if fitter.class_weight is None else fitter.class_weight[y],
        groups=groups,
        confidence=confidence,
        n_resamples=n_resamples,
        seed=seed,
        draws=draws,
        widening=CROSS_FITTED,
    )
    told: dict[str, Any] = {"n_rows": len(y), "confidence": confidence, "note": NOTE}
    if fitted.threshold is not None:
        is_default = parse_threshold(recipe.threshold).name == "auto"
        told["threshold"] = threshold_worth(
            decided, rows, fitted, fitter.threshold_rule, is_default=is_default
        )
    if fitted.cost is not None:
        told["cost"] = cost_worth(decided, rows, fitted)
    told["conformal"] = sets_worth(decided, rows, fitted, has_own=fitter.has_own_floors)
    told["abstention"] = abstention_worth(decided, rows, fitted, parse_abstention(recipe.abstain))
    if fitted.deployment is not None:
        told["priors"] = priors_told(fitted)
    return fitted, told


def class_of_threshold(recipe: DecideRecipe, classes: Sequence[str], counts: Indices) -> int | None:
    """Return the class that a threshold is for, which may be the rarer only where it is used.

    Args:
        recipe: The section [decide].
        classes: Names of the C classes.
        counts: Rows of each class, (C,).

    Returns:
        Its index; None where no threshold is wanted.

    Raises:
        UserError: What `plan_decisions` refuses.
    """
    plan = plan_decisions(recipe, classes, counts)
    return positive_class(recipe, classes, counts if plan.deployment is None else plan.deployment)


@dataclass(frozen=True)
class _Fitter:
    """What stays the same for every part of the rows."""

    recipe: DecideRecipe
    plan: Decisions
    positive: int | None
    counts: Indices

    @property
    def threshold_rule(self) -> Rule:
        rule = parse_threshold(self.recipe.threshold)
        return Rule("f1") if rule.name == "auto" else rule

    @property
    def class_weight(self) -> Floats | None:
        """What a row of each class counts where other shares are expected, (C,)."""
        if self.plan.training is None or self.plan.deployment is None:
            return None
        weight: Floats = self.plan.deployment / self.plan.training
        return weight

    @property
    def category(self) -> Indices:
        each_class, counts = self.recipe.each_class, self.counts
        if self.plan.deployment is not None:  # a class may be rare only there
            counts = np.rint(self.plan.deployment * counts.sum()).astype(np.int64)
        return categories(counts, self.recipe.coverage, each_class=each_class)

    @property
    def has_own_floors(self) -> bool:
        return bool(self.category.any())

    def fit(self, y: Indices, proba: Floats) -> Decisions:
        """Fit threshold, sets and rule of abstention on some rows."""
        adjusted = self.plan.adjusted(proba)
        return replace(
            self.plan,
            threshold=self._threshold(y, adjusted),
            sets=self._sets(y, adjusted),
            abstention=self._abstention(y, adjusted),
        )

    def _weight(self, y: Indices) -> Floats | None:
        return None if self.class_weight is None else self.class_weight[y]

    def _threshold(self, y: Indices, adjusted: Floats) -> Threshold | None:
        if self.positive is None:
            return None
        is_positive, score = y == self.positive, adjusted[:, self.positive]
        rule, weight = self.threshold_rule, self._weight(y)
        value = choose_threshold(is_positive, score, rule, weight=weight)
        return Threshold(self.positive, value)

    def _sets(self, y: Indices, adjusted: Floats) -> Sets:
        return fit_sets(
            y,
            adjusted,
            self.recipe.coverage,
            category=self.category,
            class_weight=self.class_weight,
        )

    def _abstention(self, y: Indices, adjusted: Floats) -> Rule:
        rule = parse_abstention(self.recipe.abstain)
        if rule.name not in ("accuracy", "answered"):
            return rule
        is_right, top = adjusted.argmax(axis=1) == y, adjusted.max(axis=1)
        # The largest share of rows that keeps an accuracy is the largest recall that
        # keeps a precision, of rows that are right.
        asked = Rule("precision", rule.limit) if rule.name == "accuracy" else rule
        floor = choose_threshold(is_right, top, asked, weight=self._weight(y))
        return Rule("probability", floor)


def _cross_decided(fitter: _Fitter, y: Indices, proba: Floats, part: Indices) -> Decided:
    """Decide each part of the rows by what the others fit."""
    by_threshold, answered = np.full(len(y), NO_LABEL), np.full(len(y), NO_LABEL)
    floors: list[Sets] = []
    for number in range(int(part.max()) + 1):
        own = part == number
        others = ~own if not own.all() else own  # a single row or group: no others
        fitted = fitter.fit(y[others], proba[others])
        if fitted.threshold is not None:
            by_threshold[own] = fitted.by_threshold(proba[own])
        answered[own] = fitted.abstain(proba[own])
        if fitted.sets is not None:
            floors.append(fitted.sets)
    return Decided(y, fitter.plan.adjusted(proba), by_threshold, answered, part, tuple(floors))


def _parts(y: Indices, *, seed: int, groups: Indices | None) -> Indices:
    """Return the part of each row, (N,): classes in equal shares, or groups whole."""
    rng = np.random.default_rng([seed, 30])
    if groups is not None:
        n_groups = int(groups.max()) + 1
        whole: Indices = (rng.permutation(n_groups) % min(_PARTS, n_groups))[groups]
        return whole
    order = np.lexsort((rng.random(len(y)), y))  # by class, within it by chance
    part = np.empty(len(y), dtype=np.intp)
    part[order] = np.arange(len(y)) % min(_PARTS, len(y))
    return part


def _checked(y: Indices, proba: Floats, n_classes: int) -> tuple[Indices, Floats]:
    y, proba = np.asarray(y), np.asarray(proba, dtype=np.float64)
    if proba.ndim != 2 or proba.shape[1] != n_classes or y.shape != (len(proba),) or not len(y):
        raise UserError(
            f"proba must be (N, {n_classes}) and y (N,), N > 0 (got {proba.shape}, {y.shape})"
        )
    if not ((proba >= 0) & (proba <= 1 + 1e-6)).all():  # NaN fails too
        raise UserError("proba must hold probabilities in [0, 1], not logits or missing values")
    if y.min() < 0 or y.max() >= n_classes:
        raise UserError(f"y must lie in [0, {n_classes}) (got {y.min()} to {y.max()})")
    return y, proba
