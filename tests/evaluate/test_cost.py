"""The cost of an evaluation is bounded, and known roughly beforehand."""

from assay.evaluate.cost import affordable, evaluation_seconds
from assay.options import EvaluateRecipe

RECIPE = EvaluateRecipe()


def test_more_rows_cost_no_more_draws_once_they_are_many():
    few, many = (evaluation_seconds(n, 2, RECIPE) for n in (10_000, 20_000))
    assert few < many
    assert evaluation_seconds(100_000, 2, RECIPE) < many


def test_fewer_resamples_make_an_evaluation_affordable():
    found = affordable(RECIPE, 5_000, 2, most_s=0.3)
    assert 100 <= found.bootstrap < 1000
    assert evaluation_seconds(5_000, 2, found) <= 0.3
    assert affordable(RECIPE, 500, 2, most_s=10.0) is RECIPE


def test_resamples_never_fall_below_what_the_recipe_allows():
    assert affordable(RECIPE, 20_000, 30, most_s=0.0).bootstrap == 100
