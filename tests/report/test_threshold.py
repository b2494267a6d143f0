"""The threshold section: what the slider works from, and where it starts."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from assay.evaluate.curves import curves
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
