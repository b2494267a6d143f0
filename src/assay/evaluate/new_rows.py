"""New rows whose class became known: what the model and its decisions really did on them.

Comes in: a finished predictor, labelled rows and what the training promised. Goes out:
scores, realised decisions, flags, drift and the promise, as plain data. Nothing is fitted.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.decide import NO_LABEL, Decisions
from assay.evaluate.drift import drift, is_same
from assay.evaluate.intervals import wilson
from assay.evaluate.promise import compare_with_promise
from assay.evaluate.resampled import Resampler
from assay.evaluate.scores import evaluate_predictions
from assay.evaluate.worth import (
    Decided,
    abstention_worth,
    cost_worth,
    sets_worth,
    threshold_worth,
)
from assay.guard import row_flags
from assay.metrics import Floats, Indices
from assay.options import DecideRecipe
from assay.predict import Predictor
from assay.read.cast import silently
from assay.reference import Reference
from assay.roles import group_numbers
from assay.rules import Rule, parse_abstention, parse_threshold
from assay.table import Table

MOST_REASONS = 50  # reasons of flags that are listed


def judge_new_rows(
    predictor: Predictor,
    features: Table,
    y: Indices,
    *,
    decisions: Decisions | None,
    reference: Reference | None,
    evaluation: Mapping[str, Any],
) -> dict[str, Any]:
    """Compare predictions and decisions with the classes of new rows.

    Args:
        predictor: What predicts.
        features: N raw rows without the target.
        y: Their classes, (N,), as indices.
        decisions: What turns probabilities into decisions; None where nothing is held.
        reference: The training table summed up; None in models of earlier releases.
        evaluation: Of the training.

    Returns:
        As `evaluate_predictions`; decisions, as `realised`; flags, as `flagged`, None
        without a reference; promise, as `compare_with_promise`; drift, a list.

    Raises:
        UserError: A column is missing, or a cell does not fit its column.
    """
    recipe, classes = predictor.recipe, predictor.target.classes
    proba = predictor.predict_proba(features)
    groups = group_numbers(features, recipe)
    judged = evaluate_predictions(
        y, proba, classes, recipe.evaluate, seed=recipe.seed, groups=groups
    )
    is_learnt, moved, flags = False, [], None
    if reference is not None:
        with silently():  # predicting tells what was lost
            cast = predictor.preparation.cast(features, recipe, is_training=False)
        is_learnt = reference.n_rows == len(y) and is_same(reference, cast)
        moved = [one.to_dict() for one in drift(reference, cast, proba, classes)]
        odd = row_flags(features, predictor, reference)
        flags = flagged(odd, proba.argmax(axis=1) == y, confidence=recipe.evaluate.confidence)
    rows = Resampler(
        len(y),
        groups=groups,
        confidence=recipe.evaluate.confidence,
        n_resamples=recipe.evaluate.bootstrap,
        seed=recipe.seed,
    )
    majority = (evaluation.get("validation") or {}).get("majority") or {}
    usual = majority.get("class")
    return {
        **judged,
        "decisions": {}
        if decisions is None
        else realised(
            y,
            proba,
            decisions,
            recipe.decide,
            rows,
            majority=classes.index(usual) if usual in classes else None,
        ),
        "flags": flags,
        "promise": compare_with_promise(judged, evaluation, is_learnt=is_learnt),
        "drift": moved,
    }


def realised(
    y: Indices,
    proba: Floats,
    decisions: Decisions,
    recipe: DecideRecipe,
    rows: Resampler,
    *,
    majority: int | None = None,
) -> dict[str, Any]:
    """Return what the stored decisions did on new rows; none of them is fitted to these.

    Args:
        y: True class indices, (N,).
        proba: Probabilities as the model gives them, (N, C).
        decisions: As the model file holds them.
        recipe: The section [decide]: which rules were asked for.
        rows: Draws of these rows.
        majority: The commonest class of the training; None for that of these rows.

    Returns:
        n_rows, confidence, and what the model holds of threshold, cost, conformal and
        abstention, each as `decisions.fit_decisions` describes it. A threshold is not
        judged where only one of its two sides has rows.
    """
    nothing = np.full(len(y), NO_LABEL)
    one_part = np.zeros(len(y), dtype=np.intp)
    threshold, abstention = decisions.threshold, decisions.abstention
    decided = Decided(
        np.asarray(y),
        decisions.adjusted(proba),
        nothing if threshold is None else decisions.by_threshold(proba),
        nothing if abstention is None else decisions.abstain(proba),
        one_part,
        () if decisions.sets is None else (decisions.sets,),
    )
    told: dict[str, Any] = {"n_rows": len(y), "confidence": rows.confidence}
    if threshold is not None and 0 < np.count_nonzero(y == threshold.positive) < len(y):
        rule = parse_threshold(recipe.threshold)
        rule, is_default = (Rule("f1"), True) if rule.name == "auto" else (rule, False)
        told["threshold"] = threshold_worth(decided, rows, decisions, rule, is_default=is_default)
    if decisions.cost is not None:
        told["cost"] = cost_worth(decided, rows, decisions, majority=majority)
    if decisions.sets is not None:
        has_own = decisions.sets.floors.shape[1] > 1
        told["conformal"] = sets_worth(decided, rows, decisions, has_own=has_own)
    if abstention is not None:
        rule = parse_abstention(recipe.abstain)
        told["abstention"] = abstention_worth(decided, rows, decisions, rule)
    return told


def flagged(flags: list[list[str]], is_right: np.ndarray, *, confidence: float) -> dict[str, Any]:
    """Return how many rows are flagged, why, and how the model does on them.

    Args:
        flags: Of each of N rows, from `guard.row_flags`.
        is_right: Whether the likeliest class is the true one, (N,).
        confidence: Of the intervals.

    Returns:
        n_rows; n_flagged; reasons [{flag, n}], the commonest first, at most
        `MOST_REASONS`; accuracy {flagged, others}, each {estimate, low, high} with
        Wilson's interval.

    Example:
        >>> told = flagged([["age: out of range"], []], np.array([False, True]), confidence=0.95)
        >>> told["n_flagged"], told["reasons"], told["accuracy"]["flagged"]["estimate"]
        (1, [{'flag': 'age: out of range', 'n': 1}], 0.0)
    """
    is_odd = np.array([bool(one) for one in flags], dtype=bool)
    counts = Counter(flag for one in flags for flag in one)
    commonest = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_REASONS]
    accuracy = {
        name: wilson(float(is_right[own].sum()), float(own.sum()), confidence=confidence).to_dict()
        for name, own in (("flagged", is_odd), ("others", ~is_odd))
    }
    return {
        "n_rows": len(flags),
        "n_flagged": int(is_odd.sum()),
        "reasons": [{"flag": flag, "n": n} for flag, n in commonest],
        "accuracy": accuracy,
    }
