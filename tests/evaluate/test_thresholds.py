"""Thresholds: as good as trying every one, and told with scores that others know."""

import numpy as np
import pytest
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    precision_score,
    recall_score,
)

from assay.evaluate.intervals import wilson
from assay.evaluate.resampled import Resampler
from assay.evaluate.thresholds import NEUTRAL, choose_threshold, side_scores
from assay.rules import Rule, parse_threshold


def rows(rng, n=200, *, n_values=60):
    score = rng.integers(1, n_values, size=n) / n_values
    return rng.random(n) < score**2, score


def measured(is_positive, decided, weight):
    true = (weight * (is_positive & decided)).sum()
    precision = true / (weight * decided).sum() if decided.any() else 0.0
    recall = true / (weight * is_positive).sum()
    specificity = (weight * (~is_positive & ~decided)).sum() / (weight * ~is_positive).sum()
    f1 = 2 * true / ((weight * decided).sum() + (weight * is_positive).sum())
    share = (weight * decided).sum() / weight.sum()
    return {
        "n": decided.sum(), "precision": precision, "recall": recall, "f1": f1, "share": share,
        "youden": recall + specificity, "balanced_accuracy": recall + specificity,
    }  # fmt: skip


def worth(rule: Rule, found: dict[str, float]) -> float:
    """What a rule wants to be large; what it forbids is -1."""
    if rule.name == "precision":
        is_enough = found["precision"] >= rule.limit - 1e-12 and found["n"] >= 10
        return found["recall"] if is_enough else -1.0
    if rule.name == "recall":
        return found["precision"] if found["recall"] >= rule.limit - 1e-12 else -1.0
    if rule.name == "top":
        return found["share"] if found["share"] <= rule.limit + 1e-12 else -1.0
    return found[rule.name]


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize(
    "text",
    ["f1", "youden", "balanced_accuracy", "precision>=0.8", "recall>=0.7", "top 10%", "top 100%"],
)
def test_no_threshold_does_better(text, is_weighted, rng):
    rule = parse_threshold(text)
    for _ in range(5):
        is_positive, score = rows(rng)
        weight = rng.random(len(score)) + 0.1 if is_weighted else np.ones(len(score))
        value = choose_threshold(is_positive, score, rule, weight=weight)
        found = worth(rule, measured(is_positive, score >= value, weight))
        each = [
            worth(rule, measured(is_positive, score >= one, weight))
            for one in [*np.unique(score), 2.0]
        ]
        assert found == pytest.approx(max(each), abs=1e-12)


def test_a_precision_out_of_reach_gives_the_highest_one():
    is_positive = np.tile([True, True, False, True, False], 6)
    is_positive[15:] = False
    score = np.linspace(0.9, 0.1, 30)
    value = choose_threshold(is_positive, score, Rule("precision", 0.9))
    assert (score >= value).sum() == 12  # 8 of 12; 2 of 2 are too few to be believed


def test_a_capacity_smaller_than_the_first_tie_names_nobody():
    score = np.full(10, 0.3)
    value = choose_threshold(np.ones(10, dtype=bool), score, Rule("top", 0.05))
    assert not (score >= value).any()


def test_answered_fills_a_share_with_the_surest_rows():
    score = np.array([0.9, 0.8, 0.8, 0.6, 0.5])
    value = choose_threshold(np.ones(5, dtype=bool), score, Rule("answered", 0.4))
    assert (score >= value).tolist() == [True, True, True, False, False]


def test_the_threshold_lies_between_scores_and_ties_stay_together():
    is_positive = np.array([True, True, False, False])
    assert choose_threshold(is_positive, np.array([0.9, 0.7, 0.3, 0.1]), Rule("f1")) == 0.5
    all_equal = choose_threshold(is_positive, np.full(4, 0.5), Rule("f1"))
    assert all_equal == 0.0


def test_neighbouring_numbers_are_told_apart():
    low = 0.5
    high = np.nextafter(low, 1.0)
    value = choose_threshold(np.array([True, False]), np.array([high, low]), Rule("f1"))
    assert low < value <= high


@pytest.mark.parametrize("value", [True, False])
def test_rows_of_one_side_give_the_neutral_threshold(value):
    is_positive, score = np.full(4, value), np.array([0.1, 0.2, 0.6, 0.9])
    assert choose_threshold(is_positive, score, Rule("f1")) == NEUTRAL
    assert choose_threshold(is_positive[:0], score[:0], Rule("f1")) == NEUTRAL


def test_scores_are_those_of_scikit_learn(rng):
    is_positive, score = rows(rng, n=500)
    decided = score >= 0.6
    told = side_scores(is_positive, decided, Resampler(500))
    estimates = {name: one["estimate"] for name, one in told.items()}
    expected = {
        "precision": precision_score(is_positive, decided),
        "recall": recall_score(is_positive, decided),
        "specificity": recall_score(~is_positive, ~decided),
        "f1": f1_score(is_positive, decided),
        "balanced_accuracy": balanced_accuracy_score(is_positive, decided),
        "accuracy": (is_positive == decided).mean(),
        "share": decided.mean(),
    }
    assert estimates == pytest.approx(expected)
    assert all(one["low"] < one["estimate"] < one["high"] for one in told.values())


def test_weighted_scores_are_those_of_scikit_learn(rng):
    is_positive, score = rows(rng, n=500)
    decided, weight = score >= 0.6, rng.random(500) + 0.1
    told = side_scores(is_positive, decided, Resampler(500, weight=weight))
    expected = precision_score(is_positive, decided, sample_weight=weight)
    assert told["precision"]["estimate"] == pytest.approx(expected)
    assert told["f1"]["estimate"] == pytest.approx(
        f1_score(is_positive, decided, sample_weight=weight)
    )


def test_what_nobody_was_decided_for_is_none_not_nan():
    is_positive = np.array([True, False] * 20)
    told = side_scores(is_positive, np.zeros(40, dtype=bool), Resampler(40))
    assert told["precision"] == {"estimate": None, "low": None, "high": None}
    assert told["recall"]["estimate"] == 0.0


def test_perfect_decisions_are_not_certain():
    is_positive = np.repeat([True, False], [3, 17])
    told = side_scores(is_positive, is_positive, Resampler(20))
    assert told["f1"] == wilson(3, 3).to_dict()
    assert told["balanced_accuracy"] == wilson(3, 3).to_dict()
    assert told["accuracy"] == wilson(20, 20).to_dict()
