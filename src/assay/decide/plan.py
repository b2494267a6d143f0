"""What is to be decided, before anything is fitted: the section [decide] against the classes.

The recipe names classes; out come their places, costs and expected shares, or a word
about what does not fit. Called before training, so that nobody waits for an error.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from assay.decide.apply import Decisions, Floats, check_costs
from assay.errors import UserError, did_you_mean
from assay.options import DecideRecipe
from assay.rules import parse_abstention, parse_threshold

_SUM_TOLERANCE = 1e-6  # of shares that shall sum to 1
_LEAST_COUNT = 0.5  # rows of a class that has none: its share is small, but not 0


def plan_decisions(
    recipe: DecideRecipe, classes: Sequence[str], counts: NDArray[np.generic]
) -> Decisions:
    """Return what needs no fitting, and check the section [decide] against the classes.

    Args:
        recipe: The section [decide].
        classes: Names of the C classes.
        counts: Rows of each class, (C,).

    Raises:
        UserError: A class that the target lacks, costs or shares that make no sense, or
            a rule that does not fit the target.
    """
    positive_class(recipe, classes, counts)
    rule = parse_abstention(recipe.abstain)
    if rule.name == "cost" and not recipe.cost:
        raise UserError(
            f"{recipe.abstain!r} needs costs",
            where="decide.abstain",
            fix="Set decide.cost, or give --cost FILE",
        )
    names = tuple(classes)
    plan = Decisions(names, abstention=None if rule.name in ("accuracy", "answered") else rule)
    if recipe.cost:
        plan = replace(plan, cost=cost_matrix(recipe.cost, names))
    if recipe.priors:
        rows = np.maximum(np.asarray(counts, dtype=np.float64), _LEAST_COUNT)
        training = rows / rows.sum()
        expected = _class_shares(recipe.priors, names, training)
        plan = replace(plan, training=training, deployment=expected)
    return plan


def positive_class(
    recipe: DecideRecipe, classes: Sequence[str], shares: NDArray[np.generic]
) -> int | None:
    """Return the class that a threshold is for: the named one, or the rarer of two.

    Args:
        recipe: The section [decide].
        classes: Names of the C classes.
        shares: Rows or shares of each class, (C,).

    Returns:
        Its index; None where no threshold is wanted.

    Raises:
        UserError: There is no such class, or more than two and none is named.
    """
    rule = parse_threshold(recipe.threshold)
    if recipe.positive:
        place = _place(recipe.positive, classes, where="decide.positive")
        return None if rule.name == "none" else place
    if rule.name == "none" or (rule.name == "auto" and len(classes) != 2):
        return None
    if len(classes) != 2:
        raise UserError(
            f"{recipe.threshold!r} is for one class against the rest, and the target has "
            f"{len(classes)} classes",
            where="decide.threshold",
            fix="Name the class in decide.positive",
        )
    return 0 if shares[0] < shares[1] else 1


def cost_matrix(
    cost: Mapping[str, Mapping[str, float]], classes: Sequence[str], *, where: str = "decide.cost"
) -> Floats:
    """Return costs by name as a matrix, (C, C), rows true, columns decided.

    Args:
        cost: {true: {decided: cost}}; only what being right costs may be left out: 0.
        classes: Names of the C classes.
        where: For messages.

    Raises:
        UserError: A class that the target lacks, a cost that is missing or no finite
            number, none above 0, or decisions that all cost the same.

    Example:
        >>> cost_matrix({"ill": {"well": 9}, "well": {"ill": 1}}, ["ill", "well"]).tolist()
        [[0.0, 9.0], [1.0, 0.0]]
    """
    matrix = np.full((len(classes), len(classes)), np.nan)
    np.fill_diagonal(matrix, 0.0)
    for true, row in cost.items():
        if not isinstance(row, Mapping):
            raise UserError(f"{row!r} is not {{decided: cost}}", where=f"{where}, {true!r}")
        for decided, value in row.items():
            place = _place(true, classes, where=where), _place(decided, classes, where=where)
            matrix[place] = np.nan
            with contextlib.suppress(TypeError, ValueError):  # what is no number stays NaN
                matrix[place] = value
            if not np.isfinite(matrix[place]):
                raise UserError(f"{value!r} is no cost", where=f"{where}, {true!r} as {decided!r}")
    missing = np.argwhere(np.isnan(matrix))
    if len(missing):
        true, decided = (classes[idx] for idx in missing[0])
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(
            f"the cost of deciding {decided!r} where {true!r} is true is missing{more}",
            where=where,
            fix=f"Give {len(classes)} x {len(classes)} costs, without the diagonal or with it",
        )
    return check_costs(matrix, classes, where=where)


def _class_shares(priors: Mapping[str, float], classes: Sequence[str], shares: Floats) -> Floats:
    """Return the expected shares; classes not named divide what is left as in training."""
    expected = np.zeros(len(classes))
    for name, share in priors.items():
        expected[_place(name, classes, where="decide.priors")] = share
    total = sum(priors.values())
    is_named = expected > 0
    if is_named.all() and abs(total - 1.0) > _SUM_TOLERANCE:
        raise UserError(f"the shares sum to {total:g}, not to 1", where="decide.priors")
    if not is_named.all() and total >= 1.0:
        raise UserError(
            f"the shares sum to {total:g}, and nothing is left for other classes",
            where="decide.priors",
        )
    if not is_named.all():
        left = shares[~is_named]
        expected[~is_named] = (1.0 - total) * left / left.sum()
    result: Floats = expected / expected.sum()
    return result


def _place(name: str, classes: Sequence[str], *, where: str) -> int:
    if name not in classes:
        raise UserError(
            f"the target has no class {name!r}", where=where, fix=did_you_mean(name, classes)
        )
    return list(classes).index(name)
