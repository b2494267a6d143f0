"""Fitted decisions: judged by rows that fitted nothing, with figures that can be checked."""

import json

import numpy as np
import pytest

from assay.decide import Decisions
from assay.errors import InternalError, UserError
from assay.evaluate import decisions as module
from assay.evaluate.decisions import class_of_threshold, fit_decisions
from assay.evaluate.intervals import CROSS_FITTED
from assay.evaluate.redrawn import Draws
from assay.evaluate.scores import evaluate_predictions
from assay.options import DecideRecipe, EvaluateRecipe
from assay.recipe import Recipe

COST = {"no": {"yes": 1.0}, "yes": {"no": 9.0}}
INTERVAL = {"estimate", "low", "high"}


def decide(**options: object) -> DecideRecipe:
    return Recipe.from_dict({"decide": options}).decide


def world(n_rows, rng, shares=(0.8, 0.2), sharpness=1.5):
    """Rows of C normal clouds with their true posterior."""
    y = rng.choice(len(shares), n_rows, p=shares)
    logits = rng.normal(size=(n_rows, len(shares)))
    logits[np.arange(n_rows), y] += sharpness
    logits = sharpness * logits + np.log(shares)
    proba = np.exp(logits - logits.max(axis=1, keepdims=True))
    return y, proba / proba.sum(axis=1, keepdims=True)


def noise(n_rows, rng):
    """Two classes that nothing tells apart."""
    score = rng.random(n_rows)
    return rng.integers(0, 2, n_rows), np.stack([1 - score, score], axis=1)


def figures(node, path=""):
    if isinstance(node, dict):
        for name, value in node.items():
            yield from figures(value, f"{path}.{name}")
    elif isinstance(node, list):
        for idx, value in enumerate(node):
            yield from figures(value, f"{path}[{idx}]")
    else:
        yield path, node


def test_the_default_fits_a_threshold_and_sets_but_no_costs(rng):
    decisions, told = fit_decisions(*world(400, rng), ["no", "yes"], DecideRecipe(), seed=0)
    assert set(told) == {
        "n_rows", "confidence", "note", "threshold", "conformal", "abstention"
    }  # fmt: skip
    assert told["threshold"]["rule"] == "f1"
    assert told["threshold"]["is_default"]
    assert told["threshold"]["positive"] == "yes"
    assert decisions.threshold.value == told["threshold"]["value"]
    assert told["conformal"]["coverage"] == 0.9
    assert decisions.cost is None


def test_many_classes_have_no_threshold_unless_one_is_named(rng):
    y, proba = world(300, rng, (0.4, 0.3, 0.3))
    assert "threshold" not in fit_decisions(y, proba, list("abc"), decide(), seed=0)[1]
    told = fit_decisions(y, proba, list("abc"), decide(positive="b"), seed=0)[1]
    assert told["threshold"]["positive"] == "b"


def test_the_document_is_plain_and_without_nan(rng):
    options = decide(cost=COST, priors={"yes": 0.1}, threshold="top 10%", abstain="cost<=1")
    told = fit_decisions(*world(300, rng), ["no", "yes"], options, seed=0)[1]
    json.dumps(told, allow_nan=False)
    for path, value in figures(told):
        assert isinstance(value, str | bool | int | float | None), path
    for part in ("threshold", "cost", "conformal", "abstention", "priors"):
        assert told[part]["text"].endswith(".")
    assert set(told["cost"]["per_row"]) == INTERVAL
    assert told["abstention"]["curve"][-1]["answered"] == pytest.approx(1.0)


def test_the_same_seed_gives_the_same_document(rng):
    y, proba = world(500, rng)
    first, again, other = (
        fit_decisions(y, proba, ["no", "yes"], decide(cost=COST), seed=seed) for seed in (1, 1, 2)
    )
    assert first[1] == again[1] != other[1]
    assert first[0].to_dict() == other[0].to_dict()  # what is shipped knows no chance


def test_realised_cost_is_that_of_the_rows(rng):
    y, proba = world(600, rng)
    told = fit_decisions(y, proba, ["no", "yes"], decide(cost=COST), seed=0)[1]["cost"]
    cost = np.array([[0.0, 1.0], [9.0, 0.0]])
    choice = (proba[:, 1] >= 0.1).astype(int)  # 1 / (1 + 9)
    assert told["per_row"]["estimate"] == pytest.approx(cost[y, choice].mean())
    assert told["likeliest"]["estimate"] == pytest.approx(cost[y, proba.argmax(1)].mean())
    constants = [9.0 * (y == 1).mean(), 1.0 * (y == 0).mean()]
    assert told["constant"]["per_row"]["estimate"] == pytest.approx(min(constants))
    assert told["constant"]["decision"] == ["no", "yes"][int(np.argmin(constants))]
    saved = min(constants) - cost[y, choice].mean()
    assert told["saved"]["constant"]["estimate"] == pytest.approx(saved)
    assert told["saved"]["constant"]["low"] > 0
    assert told["expected"] == pytest.approx(told["per_row"]["estimate"], abs=0.1)
    assert sum(told["decided"].values()) == pytest.approx(1.0)


def test_noise_saves_nothing_and_is_told_so(rng):
    y, _ = noise(400, rng)
    proba = np.full((400, 2), 0.5)
    told = fit_decisions(y, proba, ["no", "yes"], decide(cost=COST), seed=0)[1]["cost"]
    assert told["saved"]["constant"]["estimate"] == pytest.approx(0.0)
    assert "not distinguishable from that" in told["text"]


def test_a_threshold_is_not_judged_by_the_rows_that_chose_it():
    """On noise the chosen threshold looks better than chance where it was chosen, only there."""
    optimism, honest = [], []
    for seed in range(40):
        y, proba = noise(60, np.random.default_rng(seed))
        decisions, told = fit_decisions(
            y, proba, ["no", "yes"], decide(threshold="youden"), seed=0, n_resamples=100
        )
        decided = decisions.by_threshold(proba)
        seen = [(decided[y == k] == k).mean() for k in (0, 1)]
        optimism.append(np.mean(seen))
        honest.append(told["threshold"]["scores"]["balanced_accuracy"]["estimate"])
    assert np.mean(optimism) > 0.56
    assert np.mean(honest) == pytest.approx(0.5, abs=0.03)


def test_told_coverage_is_that_of_new_rows():
    told, true = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        y, proba = world(300, rng, (0.5, 0.3, 0.2), 1.0)
        decisions, document = fit_decisions(
            y, proba, list("abc"), decide(), seed=seed, n_resamples=100
        )
        told.append(document["conformal"]["achieved"]["estimate"])
        y_new, proba_new = world(3000, rng, (0.5, 0.3, 0.2), 1.0)
        true.append(decisions.in_set(proba_new)[np.arange(3000), y_new].mean())
    assert 0.88 <= np.mean(true) <= 0.93
    assert np.mean(told) == pytest.approx(np.mean(true), abs=0.01)


def test_sizes_of_sets_add_up(rng):
    told = fit_decisions(*world(500, rng, (0.3,) * 3 + (0.1,)), list("abcd"), decide(), seed=0)[1]
    sets = told["conformal"]
    assert sum(sets["sizes"].values()) == pytest.approx(1.0)
    assert (sets["share_single"], sets["share_empty"]) == (sets["sizes"]["1"], sets["sizes"]["0"])
    asked = [point["coverage"] for point in sets["curve"]]
    sizes = [point["mean_size"] for point in sets["curve"]]
    assert asked == sorted(asked)
    assert sizes == sorted(sizes)


def test_an_easy_target_is_told_to_ask_for_more_coverage(rng):
    told = fit_decisions(*world(500, rng, (0.5, 0.5), 3.0), ["a", "b"], decide(), seed=0)[1]
    assert told["conformal"]["share_empty"] > 0.03
    assert "ask for more coverage" in told["conformal"]["text"]


@pytest.mark.parametrize(
    ("rule", "figure", "least"),
    [("accuracy>=0.95", "accuracy", 0.95), ("answered>=0.6", "answered", 0.6)],
)
def test_abstention_keeps_what_it_promises(rule, figure, least, rng):
    y, proba = world(3000, rng, (0.5, 0.5), 1.0)
    decisions, told = fit_decisions(y, proba, ["a", "b"], decide(abstain=rule), seed=0)
    assert told["abstention"]["is_met"]
    assert told["abstention"][figure]["estimate"] == pytest.approx(least, abs=0.02)
    answered = decisions.abstain(proba)
    assert 0.1 < (answered >= 0).mean() < 0.95
    assert told["abstention"]["floor"] == decisions.abstention.limit


def test_an_accuracy_out_of_reach_is_told(rng):
    told = fit_decisions(*noise(300, rng), ["a", "b"], decide(abstain="accuracy>=0.95"), seed=0)[1]
    assert not told["abstention"]["is_met"]
    assert "accuracy>=0.95 was asked for and is not reached" in told["abstention"]["text"]


def test_a_precision_out_of_reach_is_told(rng):
    options = decide(threshold="precision>=0.99")
    told = fit_decisions(*noise(300, rng), ["a", "b"], options, seed=0)[1]["threshold"]
    assert not told["is_met"]
    assert "is not reached" in told["text"]


def test_the_curve_of_abstention_is_that_of_the_surest_rows(rng):
    y, proba = world(200, rng)
    told = fit_decisions(y, proba, ["no", "yes"], decide(), seed=0)[1]["abstention"]["curve"]
    assert len(told) == 20
    surest = np.argsort(-proba.max(axis=1))[:100]
    half = next(point for point in told if point["answered"] == pytest.approx(0.5))
    assert half["accuracy"]["estimate"] == (proba[surest].argmax(axis=1) == y[surest]).mean()
    assert (proba.max(axis=1) >= half["floor"]).sum() == 100


def test_other_shares_give_the_figures_to_expect_there():
    rng = np.random.default_rng(7)
    y, proba = world(20_000, rng, (0.5, 0.5))
    options = decide(priors={"yes": 0.1}, cost=COST, threshold="top 5%")
    decisions, told = fit_decisions(y, proba, ["no", "yes"], options, seed=0, n_resamples=100)
    y_new, proba_new = world(20_000, rng, (0.9, 0.1))
    # What a model that counts with equal shares says of the new rows.
    proba_new = proba_new / [0.9, 0.1]
    proba_new /= proba_new.sum(axis=1, keepdims=True)
    cost = np.array([[0.0, 1.0], [9.0, 0.0]])[y_new, decisions.by_cost(proba_new)].mean()
    assert told["cost"]["per_row"]["estimate"] == pytest.approx(cost, rel=0.06)
    is_named = decisions.by_threshold(proba_new) == 1
    assert is_named.mean() == pytest.approx(0.05, abs=0.006)
    assert told["threshold"]["scores"]["share"]["estimate"] == pytest.approx(0.05, abs=0.003)
    precision = told["threshold"]["scores"]["precision"]["estimate"]
    assert precision == pytest.approx((y_new[is_named] == 1).mean(), abs=0.04)
    assert told["priors"]["deployment"] == pytest.approx({"no": 0.9, "yes": 0.1})


def test_rows_of_a_group_widen_intervals(rng):
    y, proba = (np.repeat(one, 8, axis=0) for one in world(100, rng))
    groups = np.repeat(np.arange(100) * 7, 8)
    alone = fit_decisions(y, proba, ["no", "yes"], decide(), seed=0)[1]["conformal"]["achieved"]
    grouped = fit_decisions(y, proba, ["no", "yes"], decide(), seed=0, groups=groups)[1]
    told = grouped["conformal"]["achieved"]
    assert told["high"] - told["low"] > 1.5 * (alone["high"] - alone["low"])


@pytest.mark.parametrize("n_rows", [1, 2, 3, 7])
def test_a_handful_of_rows_gives_no_nan(n_rows, rng):
    y, proba = world(max(n_rows, 1), rng)
    options = decide(cost=COST, threshold="precision>=0.9", abstain="answered>=0.5")
    decisions, told = fit_decisions(y, proba, ["no", "yes"], options, seed=0)
    json.dumps(told, allow_nan=False)
    assert Decisions.from_dict(decisions.to_dict()).to_dict() == decisions.to_dict()


def test_a_class_without_rows_gives_no_nan(rng):
    y, proba = np.zeros(30, dtype=int), rng.dirichlet(np.ones(3), size=30)
    options = decide(positive="b", priors={"c": 0.2})
    told = fit_decisions(y, proba, list("abc"), options, seed=0)[1]
    json.dumps(told, allow_nan=False)
    assert told["conformal"]["per_class"][1]["coverage"]["estimate"] is None


@pytest.mark.parametrize(
    ("y", "proba", "said"),
    [
        (np.array([0, 1]), np.array([[0.5, 0.5]]), r"proba must be \(N, 2\)"),
        (np.array([0]), np.array([[0.5, 0.3, 0.2]]), r"proba must be \(N, 2\)"),
        (np.array([], dtype=int), np.zeros((0, 2)), "N > 0"),
        (np.array([0]), np.array([[np.nan, 0.5]]), "must hold probabilities"),
        (np.array([2]), np.array([[0.5, 0.5]]), r"y must lie in \[0, 2\)"),
    ],
)
def test_arrays_that_make_no_sense_are_refused(y, proba, said):
    with pytest.raises(UserError, match=said):
        fit_decisions(y, proba, ["no", "yes"], decide(), seed=0)


def test_draws_of_other_rows_are_a_mistake_of_ours(rng):
    y, proba = world(60, rng)
    with pytest.raises(InternalError, match="draws of 59 rows cannot judge 60 rows"):
        fit_decisions(y, proba, ["no", "yes"], decide(), seed=0, draws=Draws(59, seed=0))


def test_a_part_of_the_rows_gets_draws_of_its_own(monkeypatch, rng):
    monkeypatch.setattr(module, "_MAX_CELLS", 80)
    monkeypatch.setattr(module, "_LEAST_ROWS", 40)
    y, proba = world(60, rng)
    _, told = fit_decisions(y, proba, ["no", "yes"], decide(), seed=0, draws=Draws(60, seed=0))
    assert told["n_rows"] == 40


def test_the_same_share_has_the_same_interval_as_among_the_scores(rng):
    y, proba = world(300, rng)
    told = fit_decisions(y, proba, ["no", "yes"], DecideRecipe(), seed=0)[1]["threshold"]
    judged = evaluate_predictions(
        y, proba, ["no", "yes"], EvaluateRecipe(), seed=0, widening=CROSS_FITTED
    )
    assert told["likeliest"]["accuracy"] == judged["scores"]["accuracy"]
    assert told["likeliest"]["recall"] == judged["per_class"][1]["recall"]
    assert told["likeliest"]["precision"] == judged["per_class"][1]["precision"]
    groups = np.arange(300) // 3
    told = fit_decisions(y, proba, ["no", "yes"], DecideRecipe(), seed=0, groups=groups)[1]
    grouped = evaluate_predictions(
        y, proba, ["no", "yes"], EvaluateRecipe(), seed=0, groups=groups, widening=CROSS_FITTED
    )
    likeliest, accuracy = told["threshold"]["likeliest"], grouped["scores"]["accuracy"]
    assert likeliest["accuracy"] == pytest.approx(accuracy)


def test_a_drawn_score_has_the_same_interval_as_among_the_scores(rng):
    y, proba = world(300, rng)
    told = fit_decisions(y, proba, ["no", "yes"], DecideRecipe(), seed=0)[1]["threshold"]
    judged = evaluate_predictions(
        y, proba, ["no", "yes"], EvaluateRecipe(), seed=0, widening=CROSS_FITTED
    )
    balanced = judged["scores"]["balanced_accuracy"]
    assert told["likeliest"]["balanced_accuracy"] == pytest.approx(balanced)


def test_a_goal_missed_by_chance_is_told_how_near():
    y = np.repeat([0, 1], [40, 160])
    proba = np.tile([0.2, 0.8], (200, 1))
    recipe = decide(threshold="precision>=0.83", positive="yes")
    told = fit_decisions(y, proba, ["no", "yes"], recipe, seed=0)[1]["threshold"]
    assert told["is_met"]
    shown = told["text"].partition("precision ")[2].partition(", recall")[0]
    assert shown.startswith("0.800 [0.7")
    assert told["text"].endswith(f" precision>=0.83 was asked for: {shown} is within chance of it.")


def test_the_class_of_a_threshold_is_the_rarer_one_where_it_is_used():
    classes, counts = ["no", "yes"], np.array([40, 60])
    assert class_of_threshold(decide(), classes, counts) == 0
    assert class_of_threshold(decide(priors={"yes": 0.1}), classes, counts) == 1
    assert class_of_threshold(decide(positive="yes"), classes, counts) == 1
    assert class_of_threshold(decide(threshold="none"), classes, counts) is None
    assert class_of_threshold(decide(), ["a", "b", "c"], np.array([1, 2, 3])) is None
