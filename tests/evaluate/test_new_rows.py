"""Rows whose class became known: realised cost and decisions, and what flagged rows do."""

import numpy as np
import pytest

from assay.decide import Decisions, Threshold
from assay.evaluate.decisions import fit_decisions
from assay.evaluate.new_rows import flagged, realised
from assay.evaluate.resampled import Resampler
from assay.evaluate.scores import evaluate_predictions
from assay.options import DecideRecipe, EvaluateRecipe
from assay.recipe import Recipe
from assay.rules import Rule

COST = np.array([[0.0, 1.0], [9.0, 0.0]])
CLASSES = ("no", "yes")


def world(n_rows, rng):
    """Return two classes, one in four rows the second, and their true posterior."""
    y = (rng.random(n_rows) < 0.25).astype(int)
    logit = rng.normal(size=n_rows) + 2.0 * y - 1.0 + np.log(0.25 / 0.75)
    second = 1 / (1 + np.exp(-logit))
    return y, np.stack([1 - second, second], axis=1)


def test_realised_cost_is_what_the_decisions_cost_against_the_majority(rng):
    y, proba = world(500, rng)
    decisions = Decisions(CLASSES, cost=COST)
    told = realised(y, proba, decisions, DecideRecipe(), Resampler(500), majority=0)["cost"]
    chosen = decisions.by_cost(proba)
    assert told["per_row"]["estimate"] == pytest.approx(COST[y, chosen].mean())
    assert told["majority"]["decision"] == "no"
    assert told["majority"]["per_row"]["estimate"] == pytest.approx(COST[y, 0].mean())
    saved = told["saved"]["majority"]
    assert saved["estimate"] == pytest.approx((COST[y, 0] - COST[y, chosen]).mean())
    assert 0 < saved["low"] < saved["estimate"] < saved["high"]
    assert told["per_row"]["low"] < told["per_row"]["estimate"] < told["per_row"]["high"]


def test_the_majority_is_told_beside_the_best_single_class(rng):
    y, proba = world(500, rng)
    decisions = Decisions(CLASSES, cost=COST)
    told = realised(y, proba, decisions, DecideRecipe(), Resampler(500))["cost"]
    assert told["majority"]["decision"] == "no"  # the commonest of these rows
    assert told["constant"]["decision"] == "yes"  # 9 times as dear to miss
    assert "Always deciding the commonest class 'no' costs" in told["text"]
    assert "Always deciding 'yes' costs" in told["text"]


def test_what_training_fitted_is_applied_and_not_fitted_again(rng):
    recipe = Recipe.from_dict({"decide": {"abstain": "answered>=0.5"}}).decide
    decisions, _ = fit_decisions(*world(2000, rng), CLASSES, recipe, seed=0)
    y, proba = world(3000, rng)
    told = realised(y, proba, decisions, recipe, Resampler(3000))
    assert set(told) == {"n_rows", "confidence", "threshold", "conformal", "abstention"}
    assert told["threshold"]["value"] == decisions.threshold.value
    named = decisions.by_threshold(proba) == 1
    assert told["threshold"]["scores"]["precision"]["estimate"] == pytest.approx(y[named].mean())
    achieved = told["conformal"]["achieved"]
    assert achieved["estimate"] == pytest.approx(0.9, abs=0.03)
    assert achieved["estimate"] == pytest.approx(decisions.in_set(proba)[np.arange(3000), y].mean())
    assert told["abstention"]["answered"]["estimate"] == pytest.approx(0.5, abs=0.05)
    assert told["abstention"]["rule"] == "answered>=0.5"


def test_no_label_for_any_row_is_told_in_words():
    decisions = Decisions(CLASSES, abstention=Rule("probability", 0.99))
    recipe = Recipe.from_dict({"decide": {"abstain": "probability>=0.99"}}).decide
    told = realised(np.array([0]), np.array([[0.6, 0.4]]), decisions, recipe, Resampler(1))
    assert told["abstention"]["answered"]["estimate"] == 0.0
    assert told["abstention"]["text"] == (
        "No row gets a label; with a label for every row 1.000 are right."
    )


@pytest.mark.parametrize("only", [0, 1])
def test_a_threshold_is_not_judged_by_one_side(only, rng):
    _, proba = world(40, rng)
    decisions = Decisions(CLASSES, threshold=Threshold(1, 0.4), cost=COST)
    told = realised(np.full(40, only), proba, decisions, DecideRecipe(), Resampler(40))
    assert "threshold" not in told
    assert told["cost"]["per_row"]["estimate"] >= 0


def test_nothing_held_is_nothing_told(rng):
    y, proba = world(40, rng)
    told = realised(y, proba, Decisions(CLASSES), DecideRecipe(), Resampler(40))
    assert told == {"n_rows": 40, "confidence": 0.95}


def test_flags_are_counted_and_their_rows_judged():
    flags = [["a: out of range", "b: unseen level"], [], ["b: unseen level"], []]
    told = flagged(flags, np.array([False, True, True, True]), confidence=0.95)
    assert (told["n_rows"], told["n_flagged"]) == (4, 2)
    assert told["reasons"] == [
        {"flag": "b: unseen level", "n": 2}, {"flag": "a: out of range", "n": 1}
    ]  # fmt: skip
    assert told["accuracy"]["flagged"]["estimate"] == 0.5
    assert told["accuracy"]["others"]["estimate"] == 1.0


def test_no_flag_leaves_the_accuracy_of_flagged_rows_unsaid():
    told = flagged([[], []], np.array([True, False]), confidence=0.95)
    assert told["n_flagged"] == 0
    assert told["accuracy"]["flagged"] == {"estimate": None, "low": None, "high": None}


def test_scores_and_decisions_are_of_the_same_rows(rng):
    y, proba = world(300, rng)
    judged = evaluate_predictions(y, proba, CLASSES, EvaluateRecipe(bootstrap=100), seed=0)
    told = realised(y, proba, Decisions(CLASSES, cost=1.0 - np.eye(2)), DecideRecipe(),
                    Resampler(300))  # fmt: skip
    wrong = 1.0 - judged["scores"]["accuracy"]["estimate"]
    assert told["cost"]["per_row"]["estimate"] == pytest.approx(wrong)


@pytest.mark.parametrize(
    ("n_named", "said"),
    [
        (60, " It names 0.300 [0.241, 0.367] of the rows, more than the 5% asked for."),
        (11, " It names 0.055 [0.031, 0.096] of the rows, within chance of the 5% asked for."),
        (8, " It names 0.040 [0.020, 0.077] of the rows."),
    ],
)
def test_a_threshold_of_a_capacity_tells_how_many_rows_it_names(n_named, said):
    y, score = np.arange(200) % 2, np.where(np.arange(200) < n_named, 0.9, 0.1)
    decisions = Decisions(CLASSES, threshold=Threshold(1, 0.5))
    recipe = Recipe.from_dict({"decide": {"threshold": "top 5%"}}).decide
    proba = np.stack([1 - score, score], axis=1)
    told = realised(y, proba, decisions, recipe, Resampler(200))["threshold"]
    assert told["text"].endswith(said)
    assert told["is_met"] == (n_named != 60)
