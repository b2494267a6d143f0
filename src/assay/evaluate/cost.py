"""How long an evaluation takes: rows and classes in, seconds out.

The constants were measured on one core of a Xeon at 2 GHz that was busy otherwise;
they are meant for dividing a budget, not for a promise.
"""

from assay.evaluate.intervals import EXACT_ROWS, N_SUBSAMPLES, n_ranked_draws
from assay.options import EvaluateRecipe

LEAST_DRAWS = 100  # the least that the recipe allows
_DRAW_S = 65e-9  # a row in a draw
_RANK_S = 70e-9  # a row and class in a draw that is ranked
_CELL_S = 1e-6  # a row and class: calibration, averages and copies
_MIXED_S = 1.5e-6  # a row and class of a candidate: cross-fitted weights and temperature
_DECIDED_S = 15e-6  # a row: thresholds, sets and curves
_RELIABILITY_DRAWS = 400  # before and after calibration
_FIT_S = 1e-6  # a row and class that the temperature is fitted on, six times


def evaluation_seconds(
    n_rows: int, n_classes: int, recipe: EvaluateRecipe, *, n_fitted: int = 0
) -> float:
    """Return about how long scores and intervals of some predictions take.

    Args:
        n_rows: N judged rows.
        n_classes: C.
        recipe: Its number of resamples counts.
        n_fitted: Rows that the calibration is fitted on.

    Example:
        >>> evaluation_seconds(0, 2, EvaluateRecipe())
        0.0
    """
    n_ranked = 1 if n_classes == 2 else n_classes
    is_large = n_rows > EXACT_ROWS
    draws = N_SUBSAMPLES if is_large else recipe.bootstrap
    n_drawn = min(n_rows, EXACT_ROWS)
    rank_draws = min(draws, n_ranked_draws(n_rows, n_classes, is_large=is_large))
    rank_draws = max(rank_draws, 1)  # the estimate itself ranks once
    seconds = n_drawn * (draws * _DRAW_S + rank_draws * n_ranked * _RANK_S)
    return seconds + n_classes * (n_rows * _CELL_S + n_fitted * _FIT_S)


def comparison_seconds(
    n_rows: int, n_classes: int, *, n_candidates: int, n_resamples: int
) -> float:
    """Return about how long comparing candidates, decisions and curves take.

    Args:
        n_rows: Rows left out.
        n_classes: C.
        n_candidates: The networks, simpler models and their blend.
        n_resamples: Behind the interval of a candidate.

    Example:
        >>> round(comparison_seconds(10_000, 2, n_candidates=4, n_resamples=300), 1)
        1.3
    """
    if not n_rows:
        return 0.0
    n_drawn = min(n_rows, EXACT_ROWS)
    drawing = n_drawn * (n_candidates * n_resamples + _RELIABILITY_DRAWS) * _DRAW_S
    return drawing + n_rows * (_DECIDED_S + n_classes * (n_candidates + 1) * _MIXED_S)


def affordable(
    recipe: EvaluateRecipe, n_rows: int, n_classes: int, *, most_s: float
) -> EvaluateRecipe:
    """Return a recipe with so few resamples that scores take `most_s`, if that can be.

    Example:
        >>> affordable(EvaluateRecipe(), 20_000, 2, most_s=0.5).bootstrap
        318
    """
    while evaluation_seconds(n_rows, n_classes, recipe) > most_s:
        n_fewer = max(recipe.bootstrap * 17 // 20, LEAST_DRAWS)
        if n_rows > EXACT_ROWS or n_fewer == recipe.bootstrap:
            break
        recipe = recipe.model_copy(update={"bootstrap": n_fewer})
    return recipe
