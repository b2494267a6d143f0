"""Probabilities to decisions: worked by hand, and the same after a round through JSON."""

import json

import numpy as np
import pytest

from assay.decide import Decisions, Sets, Threshold
from assay.decide.apply import check_coverage
from assay.errors import UserError
from assay.rules import Rule

CLASSES = ("ill", "well", '<a|b>, "c"')
COST = np.array([[0.0, 10.0, 4.0], [1.0, 0.0, 2.0], [2.0, 3.0, 0.0]])


def everything() -> Decisions:
    return Decisions(
        CLASSES,
        training=np.array([0.5, 0.3, 0.2]),
        deployment=np.array([0.1, 0.8, 0.1]),
        threshold=Threshold(2, 0.125),
        cost=COST,
        sets=Sets(0.9, np.array([0.5, 0.9]), np.array([[0.6, 0.5, 0.4], [0.3, 0.2, 0.1]])),
        abstention=Rule("probability", 0.75),
    )


def test_cost_decisions_are_those_worked_by_hand():
    proba = np.array([[0.2, 0.7, 0.1], [0.05, 0.9, 0.05], [0.1, 0.2, 0.7]])
    decisions = Decisions(CLASSES, cost=COST)
    by_hand = [
        [0.7 + 0.2, 2.0 + 0.3, 0.8 + 1.4],
        [0.9 + 0.1, 0.5 + 0.15, 0.2 + 1.8],
        [0.2 + 1.4, 1.0 + 2.1, 0.4 + 0.4],
    ]
    np.testing.assert_allclose(decisions.expected_cost(proba), by_hand)
    assert decisions.by_cost(proba).tolist() == [0, 1, 2]


def test_equal_costs_off_the_diagonal_name_the_likeliest_class(rng):
    proba = rng.dirichlet(np.ones(3), size=200)
    decisions = Decisions(CLASSES, cost=1.0 - np.eye(3))
    np.testing.assert_array_equal(decisions.by_cost(proba), decisions.label(proba))


def test_two_classes_by_cost_have_the_known_threshold():
    # A false alarm costs 1, a miss 9: decide "ill" from 1 / (1 + 9) on (Elkan 2001).
    decisions = Decisions(("ill", "well"), cost=np.array([[0.0, 9.0], [1.0, 0.0]]))
    proba = np.array([[0.101, 0.899], [0.099, 0.901]])
    assert decisions.by_cost(proba).tolist() == [0, 1]


def test_priors_follow_the_formula():
    decisions = everything()
    proba = np.array([[0.5, 0.3, 0.2], [0.8, 0.1, 0.1]])
    weighed = proba * [0.1 / 0.5, 0.8 / 0.3, 0.1 / 0.2]
    expected = weighed / weighed.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(decisions.adjusted(proba), expected)
    # A row that says nothing beyond the shares it was learnt with has the expected ones.
    np.testing.assert_allclose(decisions.adjusted(proba)[0], [0.1, 0.8, 0.1])


def test_threshold_of_one_class_leaves_the_likeliest_other():
    decisions = Decisions(CLASSES, threshold=Threshold(1, 0.3))
    proba = np.array([[0.4, 0.3, 0.3], [0.4, 0.25, 0.35], [0.3, 0.2, 0.5]])
    assert decisions.by_threshold(proba).tolist() == [1, 0, 2]


def test_a_threshold_above_one_never_names_its_class():
    decisions = Decisions(("a", "b"), threshold=Threshold(1, 1.5))
    assert decisions.by_threshold(np.array([[0.0, 1.0]])).tolist() == [0]


def test_sets_take_the_next_higher_coverage_that_is_held():
    decisions = Decisions(CLASSES, sets=everything().sets)
    proba = np.array([[0.55, 0.35, 0.1], [0.1, 0.15, 0.75]])
    assert decisions.in_set(proba).tolist() == [[True, True, True], [False, False, True]]
    assert decisions.in_set(proba, coverage=0.5).tolist() == [[False] * 3, [False, False, True]]
    np.testing.assert_array_equal(
        decisions.in_set(proba, coverage=0.51), decisions.in_set(proba, coverage=0.9)
    )
    assert decisions.decide(proba, "set").tolist() == [-1, 2]
    assert decisions.with_coverage(0.5).decide(proba, "set").tolist() == [-1, 2]


@pytest.mark.parametrize("coverage", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_coverage_outside_its_range_is_refused(coverage):
    with pytest.raises(UserError, match=r"coverage = .* outside \(0, 1\)"):
        everything().with_coverage(coverage)


@pytest.mark.parametrize("coverage", [0.4, 0.95])
def test_coverage_that_is_not_held_is_told(coverage):
    with pytest.raises(UserError, match=r"holds sets for a coverage of 0\.5 to 0\.9"):
        everything().with_coverage(coverage)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [(Rule("probability", 0.75), [-1, 1]), (Rule("cost", 0.62), [0, -1]), (Rule("set"), [-1, 1])],
)
def test_abstention_names_sure_rows_only(rule, expected):
    sets = Sets(0.9, np.array([0.9]), np.array([[0.3]]))
    decisions = Decisions(CLASSES, cost=COST, sets=sets, abstention=rule)
    proba = np.array([[0.5, 0.4, 0.1], [0.05, 0.9, 0.05]])
    assert decisions.decide(proba, "abstain").tolist() == expected


@pytest.mark.parametrize(
    ("how", "said"),
    [("threshold", "no threshold"), ("cost", "no cost matrix"), ("set", "no conformal sets"),
     ("abstain", "no rule")],
)  # fmt: skip
def test_what_is_not_held_is_told(how, said):
    with pytest.raises(UserError, match=f"the model holds {said}"):
        Decisions(CLASSES).decide(np.full((1, 3), 1 / 3), how)


def test_probabilities_of_other_classes_are_refused():
    with pytest.raises(UserError, match=r"proba must be \(N, 3\) \(got shape \(1, 2\)\)"):
        Decisions(CLASSES).label(np.array([[0.5, 0.5]]))


@pytest.mark.parametrize("how", ["label", "threshold", "cost", "set", "abstain"])
def test_json_keeps_every_decision(how, rng):
    proba = rng.dirichlet(np.ones(3), size=300).astype(np.float32)
    again = Decisions.from_dict(json.loads(json.dumps(everything().to_dict(), allow_nan=False)))
    np.testing.assert_array_equal(again.decide(proba, how), everything().decide(proba, how))
    assert again.to_dict() == everything().to_dict()
    assert again.classes == CLASSES


def test_what_was_not_fitted_is_absent_from_json():
    assert Decisions(CLASSES).to_dict() == {"classes": list(CLASSES)}
    assert Decisions.from_dict({"classes": ["a", "b"]}).threshold is None


@pytest.mark.attack
@pytest.mark.parametrize(
    "change",
    [
        {"cost": [[0.0, 1.0], [1.0, 0.0]]},
        {"cost": [[0.0, 1.0, float("nan")]] * 3},
        {"cost": "costs"},
        {"threshold": {"positive": 3, "value": 0.5}},
        {"threshold": {"positive": -1, "value": 0.5}},
        {"threshold": {"positive": 0, "value": float("inf")}},
        {"threshold": {"positive": 0, "value": [0.5]}},
        {"threshold": {}},
        {"priors": {"training": [0.5, 0.5, 0.0], "deployment": [0.3, 0.3, 0.4]}},
        {"priors": {"training": [0.5, 0.5]}},
        {"priors": {"other": [0.2, 0.2, 0.6]}},
        {"sets": {"coverage": 0.9, "grid": [0.9, 0.5], "floors": [[0.1], [0.2]]}},
        {"sets": {"coverage": 0.9, "grid": [], "floors": []}},
        {"sets": {"coverage": 0.9, "grid": [0.9], "floors": [[0.1, 0.2]]}},
        {"sets": {"coverage": 0.9, "grid": [0.9], "floors": [[float("nan")]]}},
        {"abstain": {"rule": "dice", "limit": 0.5}},
        {"abstain": {"rule": "probability", "limit": None}},
    ],
)
def test_malformed_data_is_refused(change):
    with pytest.raises((KeyError, TypeError, ValueError)):
        Decisions.from_dict({**everything().to_dict(), **change})


@pytest.mark.parametrize("coverage", ["a", None, True, [0.9]])
def test_a_coverage_that_is_no_number_is_refused(coverage):
    with pytest.raises(UserError, match=r"no number"):
        check_coverage(coverage)


@pytest.mark.parametrize("cost", ["x", [["a", 1], [1, 0]], {1, 2}, [[0, 1], [1]]])
def test_costs_that_are_no_numbers_are_refused(cost):
    with pytest.raises(UserError, match=r"is no cost matrix.*Give \{true: \{decided: cost\}\}"):
        Decisions(("no", "yes")).with_cost(cost)


def test_costs_that_are_lacking_are_told_without_the_command_line():
    with pytest.raises(UserError, match=r"no cost matrix. Give costs, or train") as caught:
        Decisions(("no", "yes")).by_cost(np.array([[0.5, 0.5]]))
    assert "--" not in str(caught.value)
