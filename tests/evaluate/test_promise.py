"""The promise: within, below or above what training estimated, or why that is not told."""

import json

import numpy as np
import pytest
from scipy import stats

from assay.evaluate.intervals import Interval, wilson
from assay.evaluate.promise import compare_with_promise, difference_interval
from assay.evaluate.scores import evaluate_predictions
from assay.options import EvaluateRecipe

CLASSES = ["no", "yes"]


def judged(n: int, share_right: float, *, seed: int = 0, sure: float = 0.8) -> dict[str, object]:
    """Return the scores of n rows of which a share is named right."""
    y = np.arange(n) % 2
    is_right = np.random.default_rng(seed).permutation(n) < round(share_right * n)
    p_second = np.where(is_right == (y == 1), sure, 1 - sure)
    proba = np.stack([1 - p_second, p_second], axis=1)
    return evaluate_predictions(y, proba, CLASSES, EvaluateRecipe(), seed=0)


def compare(found: dict[str, object], **parts: object) -> dict[str, object]:
    answer = compare_with_promise(found, parts)
    json.dumps(answer, allow_nan=False)
    return answer


def test_the_same_rows_keep_the_promise():
    answer = compare(judged(500, 0.8), validation=judged(500, 0.8, seed=1))
    assert (answer["conclusion"], answer["part"]) == ("within", "validation")
    part, figures = answer["text"].split(": ")
    assert part == "within what was promised by rows left out of training"
    assert figures.startswith("accuracy 0.800 against 0.800, +0.000 [-0.")
    assert "log loss" in answer["text"]


def test_worse_rows_break_it_and_better_ones_exceed_it():
    promised = judged(1000, 0.8)
    below = compare(judged(300, 0.7), test=promised)
    assert (below["conclusion"], below["part"]) == ("below", "test")
    assert below["text"].startswith("below what was promised by test rows: accuracy 0.700 against")
    assert compare(judged(300, 0.9), test=promised)["conclusion"] == "above"
    # Surer of the same wrong labels: the accuracy holds, the log loss does not.
    surer = compare(judged(300, 0.8, sure=0.99), test=promised)
    assert [one["conclusion"] for one in surer["scores"].values()] == ["within", "below"]
    assert "accuracy" not in surer["text"]


def of_three(counts: tuple[int, int, int]) -> dict[str, object]:
    """Return the scores of rows of three classes, of which these counts occur."""
    y = np.repeat(np.arange(3), counts)
    proba = np.where(np.arange(3) == y[:, None], 0.8, 0.1)
    return evaluate_predictions(y, proba, ["0", "1", "2"], EvaluateRecipe(bootstrap=100), seed=0)


def test_classes_that_are_absent_or_rarer_are_told():
    promised = of_three((200, 100, 100))
    absent = compare(of_three((150, 70, 0)), test=promised)
    assert absent["text"].endswith("; but no row is of class '2', which held 25.0% of those rows")
    rarer = compare(of_three((150, 70, 5)), test=promised)
    told = "; but the classes have other shares, '2': 25.0% of rows in training, 2.2% now"
    assert rarer["text"].endswith(told)
    assert "but" not in compare(of_three((104, 48, 48)), test=promised)["text"]
    assert "but" not in compare(of_three((20, 10, 3)), test=promised)["text"]


def test_test_rows_go_before_rows_left_out():
    answer = compare(judged(200, 0.8), validation=judged(900, 0.99), test=judged(900, 0.8))
    assert (answer["part"], answer["conclusion"]) == ("test", "within")


def test_one_bad_score_is_enough():
    answer = compare(judged(300, 0.9, sure=0.99999), test=judged(1000, 0.8))
    assert [one["conclusion"] for one in answer["scores"].values()] == ["above", "below"]
    assert answer["conclusion"] == "below"


@pytest.mark.parametrize(
    ("found", "parts", "why"),
    [
        (judged(100, 0.8), {}, "no rows were left out of training"),
        (judged(19, 0.8), {"test": judged(100, 0.8)}, "19 rows are too few, 20 are needed"),
    ],
)
def test_what_cannot_be_told_is_said(found, parts, why):
    answer = compare(found, **parts)
    assert answer["conclusion"] is None
    assert answer["text"] == f"not compared with what was promised: {why}"


def test_one_row_is_told_in_the_singular():
    text = compare(judged(1, 1.0), test=judged(100, 0.8))["text"]
    assert text.endswith(": 1 row is too few, 20 are needed")


@pytest.mark.parametrize(("share", "conclusion"), [(0.9, None), (0.8, None), (0.6, "below")])
def test_rows_learnt_from_can_only_break_the_promise(share, conclusion):
    parts = {"test": judged(1000, 0.8)}
    answer = compare_with_promise(judged(300, share), parts, is_learnt=True)
    assert answer["conclusion"] == conclusion
    assert answer["text"].startswith(
        "below" if conclusion else "not compared: these look like the rows that the model learnt"
    )


def test_rows_of_one_class_are_not_compared():
    y, proba = np.ones(50, np.int64), np.tile([0.4, 0.6], (50, 1))
    found = evaluate_predictions(y, proba, CLASSES, EvaluateRecipe(), seed=0)
    assert "all rows are of the class 'yes'" in compare(found, test=judged(100, 0.8))["text"]
    known = {name for name, score in found["scores"].items() if score["estimate"] is not None}
    assert known == {"accuracy", "log_loss", "brier"}


def test_scores_without_an_interval_are_not_compared():
    one = judged(100, 0.8)
    unknown = {name: {"estimate": 0.5, "low": None, "high": None} for name in one["scores"]}
    answer = compare(one, test={**one, "scores": unknown})
    assert (answer["conclusion"], answer["scores"]) == (None, {})


def test_differences_of_shares_are_newcombes():
    # Newcombe 1998, table II, example (a): 56/70 against 48/80, method 10.
    found = difference_interval(wilson(56, 70), wilson(48, 80))
    assert found.estimate == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_differences_of_symmetric_intervals_are_normal():
    half = stats.norm.ppf(0.975)
    found = difference_interval(
        Interval(0.5, 0.5 - 3 * half, 0.5 + 3 * half), Interval(0.1, 0.1 - 4 * half, 0.1 + 4 * half)
    )
    assert (found.low, found.high) == pytest.approx((0.4 - 5 * half, 0.4 + 5 * half))
    assert difference_interval(Interval(None, None, None), found) == Interval(None, None, None)


def test_it_seldom_calls_equal_models_below():
    rng = np.random.default_rng(0)
    n_below = 0
    for _ in range(1000):
        counts = rng.binomial([400, 150], 0.85)
        shares = [wilson(counts[0], 400), wilson(counts[1], 150)]
        n_below += (difference_interval(shares[1], shares[0]).high or 0.0) < 0.0
    assert n_below / 1000 <= 0.035
