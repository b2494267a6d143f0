"""The evaluation is plain data, complete, and right on a case done by hand."""

import json

import numpy as np
import pytest

from assay.errors import UserError
from assay.evaluate.scores import evaluate_predictions
from assay.metrics import SCORES
from assay.options import EvaluateRecipe

RECIPE = EvaluateRecipe(bootstrap=100)
Y_TRUE = np.array([0, 0, 0, 1, 1, 2])
PROBA = np.array(
    [
        [0.8, 0.1, 0.1],
        [0.6, 0.3, 0.1],
        [0.3, 0.6, 0.1],
        [0.2, 0.7, 0.1],
        [0.5, 0.4, 0.1],
        [0.1, 0.1, 0.8],
    ]
)
CLASSES = ["red", "green", "blue"]


def _strict_json(result):
    return json.loads(json.dumps(result, allow_nan=False))


def test_hand_worked_evaluation():
    result = evaluate_predictions(Y_TRUE, PROBA, CLASSES, RECIPE, seed=0)
    assert result["n_rows"] == 6
    assert result["classes"] == CLASSES
    assert result["confusion"] == [[2, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert result["scores"]["accuracy"]["estimate"] == pytest.approx(4 / 6)
    assert tuple(result["scores"]) == SCORES
    red, green, blue = result["per_class"]
    assert (red["class"], red["n"]) == ("red", 3)
    for name in ("precision", "recall", "f1"):
        assert red[name]["estimate"] == pytest.approx(2 / 3)
        assert green[name]["low"] < green[name]["estimate"] == 0.5 < green[name]["high"]
        assert (blue[name]["estimate"], blue[name]["high"]) == (1.0, 1.0)
        assert 0 < blue[name]["low"] < 0.5  # one row proves little


def test_majority_knows_only_the_shares():
    majority = evaluate_predictions(Y_TRUE, PROBA, CLASSES, RECIPE, seed=0)["majority"]
    assert majority["class"] == "red"
    assert majority["accuracy"] == 0.5
    entropy = 0.5 * np.log(2) + np.log(3) / 3 + np.log(6) / 6
    assert majority["log_loss"] == pytest.approx(entropy)


@pytest.mark.parametrize(
    "y_true", [[0, 0, 0, 0], [2, 2, 2, 2], [0, 1, 0, 1], [1]], ids=["one", "last", "absent", "row"]
)
def test_json_holds_no_nan_whatever_is_absent(y_true):
    proba = np.tile([0.5, 0.3, 0.2], (len(y_true), 1))
    result = evaluate_predictions(np.array(y_true), proba, CLASSES, RECIPE, seed=0)
    assert _strict_json(result) == result
    if len(set(y_true)) == 1:
        assert result["scores"]["auroc"]["estimate"] is None
        assert result["majority"]["log_loss"] == 0.0
        absent = [row for row in result["per_class"] if row["n"] == 0]
        assert all(row["recall"]["estimate"] is row["recall"]["low"] is None for row in absent)


def test_groups_are_drawn_together():
    y_true, proba = np.tile(Y_TRUE, 20), np.tile(PROBA, (20, 1))
    groups = np.tile(np.arange(6), 20)
    alone, grouped = (
        evaluate_predictions(y_true, proba, CLASSES, RECIPE, seed=0, groups=one)["scores"]
        for one in (None, groups)
    )
    assert grouped["accuracy"]["low"] < alone["accuracy"]["low"]


def test_shapes_that_do_not_fit_are_told():
    with pytest.raises(UserError, match=r"proba must be \(N, 2\) \(got shape \(6, 3\)\)"):
        evaluate_predictions(Y_TRUE, PROBA, ["a", "b"], RECIPE, seed=0)


def test_classes_of_grouped_rows_have_wider_intervals():
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(60), 5)
    y = rng.integers(0, 2, 60)[unit]
    proba = np.clip(rng.normal(0.5 + 0.2 * (2 * y[::5] - 1), 0.3), 0.01, 0.99)[unit]
    proba = np.stack([1 - proba, proba], axis=1)
    widths = []
    for groups in (None, unit):
        judged = evaluate_predictions(y, proba, ["a", "b"], RECIPE, seed=0, groups=groups)
        recall = judged["per_class"][0]["recall"]
        widths.append(recall["high"] - recall["low"])
    assert 1.7 < widths[1] / widths[0] < 2.8  # sqrt(5) where all rows of a group are alike
