"""The cost of an evaluation is bounded, and known roughly beforehand."""

import pytest

from assay.evaluate.cost import affordable, comparison_seconds, evaluation_seconds
from assay.options import EvaluateRecipe

RECIPE = EvaluateRecipe()


def _draws_seconds(n_rows, **counts):
    """Return what 900 of 1,000 draws take."""
    few = RECIPE.model_copy(update={"bootstrap": 100})
    every, least = (evaluation_seconds(n_rows, 2, one, **counts) for one in (RECIPE, few))
    return every - least


def test_more_rows_cost_no_more_draws_once_they_are_many():
    assert _draws_seconds(500) < _draws_seconds(2_000)
    # Blocks are drawn, and AUROC is left to influence: what else there is grows with the rows.
    assert _draws_seconds(100_000) == pytest.approx(_draws_seconds(20_000))
    assert evaluation_seconds(20_000, 2, RECIPE) < evaluation_seconds(100_000, 2, RECIPE) < 0.3


def test_the_ranking_of_a_rare_class_is_counted():
    common, rare = (evaluation_seconds(20_000, 10, RECIPE, n_rarest=n) for n in (500, 10))
    assert rare > 1.5 * common


@pytest.mark.parametrize("n_rows", [2_000, 20_000])
def test_a_comparison_costs_more_with_each_candidate(n_rows):
    two, five = (comparison_seconds(n_rows, 2, n_candidates=n, n_resamples=300) for n in (2, 5))
    assert two < five < 1.0
    assert comparison_seconds(0, 2, n_candidates=2, n_resamples=300) == 0.0


def test_fewer_resamples_make_an_evaluation_affordable():
    found = affordable(RECIPE, 5_000, 2, most_s=0.03)
    assert 100 <= found.bootstrap < 1000
    assert evaluation_seconds(5_000, 2, found) <= 0.03
    assert affordable(RECIPE, 500, 2, most_s=10.0) is RECIPE


def test_resamples_never_fall_below_what_the_recipe_allows():
    assert affordable(RECIPE, 20_000, 30, most_s=0.0).bootstrap == 100
