"""The threshold section: what the slider works from, and where it starts."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from assay.decide import Decisions
from assay.evaluate.curves import curves
from assay.evaluate.decisions import fit_decisions
from assay.recipe import Recipe
from assay.report.threshold import threshold_figures, threshold_section


def test_figures_are_those_of_scikit_learn(rng):
    y = rng.integers(2, size=300)
    p = np.clip(0.3 * y + 0.7 * rng.random(300), 0, 1)
    table = curves(y, np.stack([1 - p, p], axis=1), ["no", "yes"], positive=1)["thresholds"]
    for idx in (5, 30, 50, 80):
        called = (p >= table["threshold"][idx]).astype(int)
        found = threshold_figures(table, idx, cost_miss=5, cost_alarm=2)
        assert found["precision"] == pytest.approx(precision_score(y, called))
        assert found["recall"] == pytest.approx(recall_score(y, called))
        assert found["f1"] == pytest.approx(f1_score(y, called))
        assert found["accuracy"] == pytest.approx(accuracy_score(y, called))
        cost = 5 * ((y == 1) & (called == 0)).sum() + 2 * ((y == 0) & (called == 1)).sum()
        assert found["cost"] == cost
        assert found["cost_per_1000"] == pytest.approx(cost / 300 * 1000)


def test_what_is_undefined_is_none():
    table = {"tp": [0], "fp": [0], "fn": [0], "tn": [4]}
    found = threshold_figures(table, 0)
    assert (found["precision"], found["recall"], found["f1"]) == (None, None, None)
    assert (found["accuracy"], found["specificity"]) == (1.0, 1.0)


def test_slider_starts_where_the_decisions_say(full_evaluation):
    found = threshold_section(full_evaluation())
    assert (found["class"], found["part"]) == ("yes", "validation")
    assert found["threshold"][found["start_idx"]] == pytest.approx(0.42)
    assert found["start_reason"] == "f1"
    # of the matrix: a missed "yes" costs 2, a false alarm 1
    assert (found["cost_miss"], found["cost_alarm"]) == (2.0, 1.0)


@pytest.mark.parametrize(("positive", "value"), [("no", 0.2), ("yes", 1.7), ("yes", None)])
def test_slider_starts_at_a_half_without_a_threshold_of_its_class(full_evaluation, positive, value):
    evaluation = full_evaluation()
    evaluation["decisions"]["threshold"] |= {"positive": positive, "value": value}
    del evaluation["decisions"]["cost"]
    found = threshold_section(evaluation)
    assert found["threshold"][found["start_idx"]] == 0.5
    assert (found["cost_miss"], found["cost_alarm"], found["start_reason"]) == (1.0, 1.0, "")


def test_more_classes_have_none(full_evaluation):
    assert threshold_section(full_evaluation(("a", "b", "c"))) is None
    assert threshold_section({}) is None


def deciding(y, p, **options):
    """Return an evaluation with decisions fitted to what one probability says."""
    proba = np.stack([1 - p, p], axis=1)
    recipe = Recipe.from_dict({"decide": options}).decide
    return {
        "classes": ["no", "yes"],
        "validation": {"curves": curves(y, proba, ["no", "yes"], positive=1)},
        "decisions": fit_decisions(y, proba, ["no", "yes"], recipe, seed=0, n_resamples=50)[1],
    }


@pytest.mark.parametrize("priors", [{}, {"yes": 0.05}, {"yes": 0.001}])
def test_slider_starts_with_the_figures_of_the_decisions(priors):
    # Few distinct probabilities, so that each fifth of the rows chooses the same threshold.
    y = np.tile(np.repeat([0, 1, 0, 1, 0, 1], [120, 6, 20, 18, 4, 72]), 2)
    p = np.tile(np.repeat([0.105, 0.105, 0.455, 0.455, 0.905, 0.905], [120, 6, 20, 18, 4, 72]), 2)
    evaluation = deciding(y, p, priors=priors, threshold="f1")
    scores = evaluation["decisions"]["threshold"]["scores"]
    table = threshold_section(evaluation)
    found = threshold_figures(table, table["start_idx"])
    assert table["start_reason"] == "f1"
    for name in ("precision", "recall", "specificity", "f1", "accuracy"):
        assert found[name] == pytest.approx(scores[name]["estimate"])
    assert found["called"] == pytest.approx(scores["share"]["estimate"])
    assert found["tp"] + found["fp"] + found["fn"] + found["tn"] == len(y)


def test_moved_thresholds_call_the_same_rows_as_moved_probabilities(rng):
    y = rng.permutation(np.repeat([0, 1], [140, 160]))
    p = np.clip(0.3 * y + 0.7 * rng.random(300), 0, 1)
    evaluation = deciding(y, p, priors={"yes": 0.02}, cost={"yes": {"no": 20}, "no": {"yes": 1}})
    table, plain = threshold_section(evaluation), evaluation["validation"]["curves"]["thresholds"]
    shares = np.array([[0.98, 0.02], np.bincount(y) / 300])
    moved = Decisions(("no", "yes"), training=shares[1], deployment=shares[0])
    proba = moved.adjusted(np.stack([1 - p, p], axis=1))[:, 1]
    weight = (shares[0] / shares[1])[y]
    for idx in (5, 40, 70, 95):
        called = proba >= table["threshold"][idx]
        assert (called & (y == 1)).sum() == table["tp"][idx] == plain["tp"][idx]
        found = threshold_figures(table, idx, cost_miss=20, cost_alarm=1)
        assert found["precision"] == pytest.approx(
            precision_score(y, called, sample_weight=weight, zero_division=np.nan)
        )
        cost = np.where(y == 1, 20.0, 1.0) * (called != y)
        assert found["cost_per_1000"] == pytest.approx(1000 * np.average(cost, weights=weight))
    assert table["priors"] == pytest.approx({"training": y.mean(), "deployment": 0.02})
