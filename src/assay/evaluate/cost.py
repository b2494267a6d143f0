"""How long an evaluation takes: rows and classes in, seconds out.

The constants were measured on one core of a Xeon at 2 GHz that was busy otherwise;
they are meant for dividing a budget, not for a promise.
"""

from assay.evaluate.draws import counts_by_block
from assay.evaluate.intervals import n_ranked_draws
from assay.evaluate.redrawn import MAX_BLOCKS
from assay.options import EvaluateRecipe

LEAST_DRAWS = 100  # the least that the recipe allows
RELIABILITY_DRAWS = 200  # behind the calibration error before calibration
_START_S = 4e-3  # of all intervals of some predictions, however few
_DRAW_S = 20e-9  # a block in a draw
_KEPT_S = 8e-9  # the same where the draws are made already
_SUM_S = 0.8e-9  # a block and class in a draw
_COUNT_S = 6e-9  # a row in a draw, where classes are too many for sums of blocks
_RANK_S = 6e-9  # a row and class in a draw that is ranked
_MARGIN_S = 50e-9  # a class in a draw
_ROW_S = 0.6e-6  # a row: what it adds to each score
_CELL_S = 0.2e-6  # a row and class: orders, influences and copies
_MIXED_S = 1.5e-6  # a row and class of a candidate: cross-fitted weights and temperature
_DECIDING_S = 0.1  # thresholds, sets and curves of however few rows, and what they load
_DECIDED_S = 6e-6  # the same: a row
_DECIDED_CELL_S = 0.35e-6  # the same: a row and class
_FIT_S = 1e-6  # a row and class that the temperature is fitted on, six times


def evaluation_seconds(
    n_rows: int,
    n_classes: int,
    recipe: EvaluateRecipe,
    *,
    n_rarest: int | None = None,
    n_fitted: int = 0,
) -> float:
    """Return about how long scores and intervals of some predictions take.

    Args:
        n_rows: N judged rows.
        n_classes: C.
        recipe: Its number of resamples counts.
        n_rarest: Rows of the rarest class; None for as many as of the others.
        n_fitted: Rows that the calibration is fitted on.

    Example:
        >>> evaluation_seconds(0, 2, EvaluateRecipe())
        0.0
    """
    n_rarest = n_rows // n_classes if n_rarest is None else n_rarest
    n_ranked = n_ranked_draws(n_rows, n_classes, n_rarest=n_rarest)
    n_orders = 1 if n_classes == 2 else n_classes
    ranking = min(n_ranked, recipe.bootstrap) * n_rows * n_orders * _RANK_S
    seconds = _intervals_seconds(n_rows, n_classes, recipe.bootstrap, draw_s=_DRAW_S)
    return seconds + ranking + n_classes * n_fitted * _FIT_S


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
        0.4
    """
    if not n_rows:
        return 0.0
    drawing = n_candidates * _intervals_seconds(n_rows, n_classes, n_resamples, draw_s=_KEPT_S)
    drawing += _intervals_seconds(n_rows, n_classes, RELIABILITY_DRAWS, draw_s=_KEPT_S)
    deciding = _DECIDING_S + n_rows * (_DECIDED_S + n_classes * _DECIDED_CELL_S)
    return drawing + deciding + n_rows * n_classes * (n_candidates + 1) * _MIXED_S


def _intervals_seconds(n_rows: int, n_classes: int, n_draws: int, *, draw_s: float) -> float:
    """Return how long intervals take of which AUROC's is that of the rows' influence."""
    if not n_rows:
        return 0.0
    n_blocks = min(n_rows, MAX_BLOCKS)
    if counts_by_block(n_rows, n_blocks, n_classes):
        summing = n_blocks * n_classes * _SUM_S
    else:
        summing = n_rows * _COUNT_S
    drawing = n_draws * (n_blocks * draw_s + summing + n_classes * _MARGIN_S)
    return _START_S + drawing + n_rows * (_ROW_S + n_classes * _CELL_S)


def affordable(
    recipe: EvaluateRecipe,
    n_rows: int,
    n_classes: int,
    *,
    most_s: float,
    n_rarest: int | None = None,
) -> EvaluateRecipe:
    """Return a recipe with so few resamples that scores take `most_s`, if that can be.

    Example:
        >>> affordable(EvaluateRecipe(), 20_000, 2, most_s=0.04).bootstrap
        318
    """
    while evaluation_seconds(n_rows, n_classes, recipe, n_rarest=n_rarest) > most_s:
        n_fewer = max(recipe.bootstrap * 17 // 20, LEAST_DRAWS)
        if n_fewer == recipe.bootstrap:
            break
        recipe = recipe.model_copy(update={"bootstrap": n_fewer})
    return recipe
