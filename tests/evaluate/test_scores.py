"""The evaluation is plain data, complete, and right on a case done by hand."""

import json

import numpy as np
import pytest

from assay.errors import UserError
from assay.evaluate.intervals import wilson
from assay.evaluate.scores import MOST_RATES, evaluate_predictions
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


def test_every_rate_of_the_confusion_matrix_has_an_interval():
    result = evaluate_predictions(Y_TRUE, PROBA, CLASSES, RECIPE, seed=0)
    assert len(result["rates"]) == 3
    for counts, rates in zip(result["confusion"], result["rates"], strict=True):
        for n, found in zip(counts, rates, strict=True):
            assert found == wilson(n, sum(counts), confidence=0.95).to_dict()
    assert result["rates"][0][1]["estimate"] == pytest.approx(1 / 3)
    assert result["rates"][0][0] == result["per_class"][0]["recall"]
    assert result["row_worth"] == 1.0


def test_rates_are_as_wide_as_the_other_shares():
    plain, wide = (
        evaluate_predictions(Y_TRUE, PROBA, CLASSES, RECIPE, seed=0, widening=widening)
        for widening in (1.0, 1.2)
    )
    assert wide["row_worth"] == pytest.approx(1 / 1.44)
    for before, after in zip(plain["rates"][0], wide["rates"][0], strict=True):
        assert after["estimate"] == pytest.approx(before["estimate"])
        assert after["high"] - after["low"] > before["high"] - before["low"]


def test_many_classes_keep_what_rates_are_made_from():
    n_classes = MOST_RATES + 1
    y = np.arange(200) % n_classes
    proba = np.full((200, n_classes), 1 / n_classes)
    names = [str(idx) for idx in range(n_classes)]
    result = evaluate_predictions(y, proba, names, RECIPE, seed=0)
    assert "rates" not in result
    assert result["row_worth"] == 1.0


def test_classes_without_rows_are_told():
    result = evaluate_predictions(Y_TRUE[:5], PROBA[:5], CLASSES, RECIPE, seed=0)
    note = "No row is of class 'blue': means over classes are over the other 2"
    assert result["note"] == note
    names = [str(idx) for idx in range(6)]
    proba = np.full((5, 6), 1 / 6)
    result = evaluate_predictions(Y_TRUE[:5], proba, names, RECIPE, seed=0)
    assert result["note"].startswith("No row is of 4 of the 6 classes: means")


@pytest.mark.parametrize("named", [0, 1])
def test_of_one_class_nothing_is_shown_that_means_nothing(named):
    proba = np.tile([0.9, 0.1] if named == 0 else [0.1, 0.9], (8, 1))
    result = evaluate_predictions(np.zeros(8, dtype=int), proba, ["a", "b"], RECIPE, seed=0)
    assert result["note"] == (
        "All 8 rows are of class 'a': only accuracy, log loss and Brier score say something"
    )
    nothing = {"estimate": None, "low": None, "high": None}
    for row in result["per_class"]:
        assert (row["precision"], row["f1"]) == (nothing, nothing)
    assert result["per_class"][0]["recall"]["estimate"] == 1.0 - named
    known = {name for name, score in result["scores"].items() if score["estimate"] is not None}
    assert known == {"accuracy", "log_loss", "brier"}
    assert evaluate_predictions(Y_TRUE, PROBA, CLASSES, RECIPE, seed=0)["note"] is None
