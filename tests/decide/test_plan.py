"""The section [decide] against the classes: what fits, and what is wrong with the rest."""

import numpy as np
import pytest

from assay.decide import cost_matrix, plan_decisions, positive_class
from assay.errors import UserError
from assay.options import DecideRecipe
from assay.recipe import Recipe

NAMES = ("no", "<script>|'yes' ", 'ünknown, "x"')


def decide(**options: object) -> DecideRecipe:
    return Recipe.from_dict({"decide": options}).decide


def test_costs_by_name_become_a_matrix():
    cost = {
        NAMES[2]: {NAMES[0]: 3, NAMES[1]: 4},
        NAMES[0]: {NAMES[1]: 1, NAMES[2]: 2},
        NAMES[1]: {NAMES[0]: 5.5, NAMES[1]: -1, NAMES[2]: 0},
    }
    expected = [[0.0, 1.0, 2.0], [5.5, -1.0, 0.0], [3.0, 4.0, 0.0]]
    assert cost_matrix(cost, NAMES).tolist() == expected
    plan = plan_decisions(decide(cost=cost), NAMES, np.array([3, 3, 3]))
    assert plan.cost.tolist() == expected


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        (
            {"no": {"yes": 1}, "yes": {"no": 2}},
            "'maybe' where 'no' is true .* and 3 more",
        ),
        ({"no": {"yess": 1}}, r"no class 'yess'\. Did you mean 'yes'\?"),
        ({"nope": {"yes": 1}}, r"no class 'nope'\. Did you mean 'no'\?"),
        ({"no": {"yes": float("nan")}}, r"'no' as 'yes': nan is no cost"),
    ],
)
def test_costs_that_do_not_fit_are_named(cost, said):
    with pytest.raises(UserError, match=said) as caught:
        cost_matrix(cost, ("no", "yes", "maybe"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        ({"a": {"b": -1}, "b": {"a": -2}}, "no cost is above 0"),
        ({"a": {"b": 0}, "b": {"a": 0}}, "no cost is above 0"),
        ({"a": {"a": 2, "b": 2}, "b": {"a": 1, "b": 1}}, "every decision costs the same"),
    ],
)
def test_costs_that_decide_nothing_are_refused(matrix, said):
    with pytest.raises(UserError, match=said):
        cost_matrix(matrix, ("a", "b"))


def test_a_class_that_is_not_named_shares_what_is_left():
    plan = plan_decisions(decide(priors={"c": 0.4}), ("a", "b", "c"), np.array([30, 10, 60]))
    np.testing.assert_allclose(plan.training, [0.3, 0.1, 0.6])
    np.testing.assert_allclose(plan.deployment, [0.45, 0.15, 0.4])


def test_a_class_without_a_row_keeps_probabilities_finite():
    plan = plan_decisions(decide(priors={"a": 0.5, "b": 0.5}), ("a", "b"), np.array([10, 0]))
    assert np.isfinite(plan.adjusted(np.array([[1.0, 0.0], [0.0, 1.0]]))).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"priors": {"a": 0.5, "b": 0.6}}, "the shares sum to 1.1, not to 1"),
        ({"priors": {"A": 0.5}}, r"no class 'A'\. Did you mean 'a'\?"),
        ({"positive": "c"}, "the target has no class 'c'"),
        ({"cost": {"a": {"b": 1}}}, "the cost of deciding 'a' where 'b' is true is missing"),
        ({"abstain": "cost<=2"}, "'cost<=2' needs costs"),
    ],
)
def test_what_does_not_fit_the_target_is_told(options, said):
    with pytest.raises(UserError, match=said):
        plan_decisions(decide(**options), ("a", "b"), np.array([10, 10]))


def test_shares_that_leave_nothing_for_others_are_refused():
    priors = {"a": 0.5, "b": 0.5}
    with pytest.raises(UserError, match="nothing is left for other classes"):
        plan_decisions(decide(priors=priors), ("a", "b", "c"), np.array([1, 1, 1]))


def test_the_positive_class_is_the_named_one_or_the_rarer_of_two():
    counts = np.array([10, 90])
    assert positive_class(decide(), ("a", "b"), counts) == 0
    assert positive_class(decide(), ("a", "b"), counts[::-1]) == 1
    assert positive_class(decide(), ("a", "b"), np.array([5, 5])) == 1
    assert positive_class(decide(positive="b"), ("a", "b"), counts) == 1
    assert positive_class(decide(threshold="none", positive="b"), ("a", "b"), counts) is None
    assert positive_class(decide(), ("a", "b", "c"), np.array([1, 2, 3])) is None
    assert positive_class(decide(positive="c"), ("a", "b", "c"), np.array([1, 2, 3])) == 2


@pytest.mark.parametrize("rule", ["f1", "precision>=0.9", "top 5%"])
def test_a_threshold_between_many_classes_needs_a_name(rule):
    with pytest.raises(UserError, match=r"one class against the rest.*3 classes.*decide\.positive"):
        positive_class(decide(threshold=rule), ("a", "b", "c"), np.array([1, 2, 3]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"threshold": "auc"}, r"decide\.threshold: 'auc' is no rule for a threshold; write auto"),
        ({"threshold": "precision>=1.5"}, r"outside \(0, 1\]"),
        ({"threshold": "top 0%"}, r"outside \(0, 1\]"),
        ({"threshold": "accuracy>=0.9"}, "is no rule for a threshold"),
        ({"coverage": 0.0}, r"decide\.coverage = 0\.0 should be greater than 0"),
        ({"coverage": 1.0}, r"decide\.coverage = 1\.0 should be less than 1"),
        ({"coverage": "most"}, "should be a number"),
        ({"priors": {"a": 0.0}}, r"decide\.priors\.a = 0\.0 should be greater than 0"),
        ({"priors": {"a": float("nan")}}, "finite number"),
        ({"cost": {"a": {"b": float("nan")}}}, r"decide\.cost\.a\.b = nan should be a finite"),
        ({"cost": {"a": {"b": "much"}}}, r"decide\.cost\.a\.b = 'much' should be a number"),
        ({"cost": {"a": 5}}, "should be a section"),
        ({"abstain": "never"}, "is no rule for giving no label"),
    ],
)
def test_a_bad_section_says_what_is_wrong(options, said):
    with pytest.raises(UserError, match=said) as caught:
        decide(**options)
    assert "\n" not in str(caught.value)


def test_the_section_reads_back_from_toml():
    recipe = Recipe.from_dict(
        {
            "decide": {
                "cost": {NAMES[1]: {NAMES[2]: 5}, NAMES[2]: {NAMES[1]: 0.5}},
                "priors": {NAMES[1]: 0.25},
                "threshold": "Precision >= .90",
                "abstain": "cost<=3",
                "positive": "2024",
            }
        }
    )
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert recipe.decide.threshold == "precision>=0.9"


def test_options_of_the_command_line_reach_the_section():
    chosen = (
        Recipe()
        .with_options(
            {"decide.threshold": "top 5%", "decide.positive": "1", "decide.cost.yes.no": "5"}
        )
        .decide
    )
    assert (chosen.threshold, chosen.positive) == ("top 5%", "1")
    assert chosen.cost == {"yes": {"no": 5.0}}


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        ({"no": 5, "yes": {"no": 1}}, r"5 is not \{decided: cost\}"),
        ({"no": {"yes": "x"}, "yes": {"no": 1}}, "'x' is no cost"),
        ({"no": {"no": "x", "yes": 1}, "yes": {"no": 1}}, "'x' is no cost"),
        ({"no": {"yes": None}, "yes": {"no": 1}}, "None is no cost"),
    ],
)
def test_costs_by_name_that_are_no_numbers_are_refused(cost, said):
    with pytest.raises(UserError, match=said):
        cost_matrix(cost, ["no", "yes"])
