"""Decisions on the command line: `--decide`, `--cost` and `--coverage` in, labels and sets out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import numpy as np

    from assay.decide import Decisions, How
    from assay.model import Model

DecideOption = Annotated[
    str | None,
    typer.Option(
        "--decide",
        metavar="HOW",
        help="What the label is: cost, threshold, set, abstain, or label, the likeliest class.",
    ),
]
CostOption = Annotated[
    str | None,
    typer.Option(
        "--cost", metavar="FILE", help="CSV or TOML: what each decision costs for each true class."
    ),
]
CoverageOption = Annotated[
    float | None,
    typer.Option(
        "--coverage", metavar="SHARE", help="Share of rows whose set shall hold the true class."
    ),
]


@dataclass(frozen=True)
class Outcome:
    """What was decided for N rows.

    Attributes:
        labels: In the target's own type, (N,); None where no class is named.
        proba: Probabilities that belong to the decision, (N, C).
        sets: The classes of each row's set, or None where sets were not asked for.
        flags: What is odd about each row, or None where that was not asked for.
    """

    labels: list[Any]
    proba: "np.ndarray"
    sets: list[list[Any]] | None = None
    flags: list[list[str]] | None = None


def choose_decisions(
    model: "Model", how: str | None, cost: str | None, coverage: float | None
) -> "tuple[Decisions, How] | None":
    """Return what decides and how, or None where the likeliest class is wanted as it is.

    Args:
        model: Holds the decisions.
        how: Value of `--decide`.
        cost: Value of `--cost`; its file goes before what the model holds.
        coverage: Value of `--coverage`, likewise.

    Raises:
        UserError: An unknown way, options that do not go together, or a file or a
            coverage that makes no sense.
    """
    from assay.cli.cost_file import read_cost_file
    from assay.decide import HOWS

    if how is None:
        given = "--cost" if cost is not None else "--coverage"
        if cost is not None or coverage is not None:
            fix = "Give --decide cost as well" if cost is not None else "Give --decide set as well"
            raise UserError("decides nothing by itself", where=given, fix=fix)
        return None
    found = next((one for one in HOWS if one == how), None)
    if found is None:
        raise UserError(f"{how!r} is no way to decide", where="--decide", fix=_ways(how))
    if cost is not None and found not in ("cost", "abstain"):
        raise UserError(f"--decide {how} knows no costs", where="--cost", fix="Leave it out")
    if coverage is not None and found not in ("set", "abstain"):
        raise UserError(f"--decide {how} makes no sets", where="--coverage", fix="Leave it out")
    costs = None if cost is None else read_cost_file(cost)
    decisions = model.deciding(cost=costs, coverage=coverage, where=cost or "cost")
    if found == "cost" and decisions.cost is None:
        raise UserError("the model holds no cost matrix", fix="Give one with --cost FILE")
    return decisions, found


def crowded(model: "Model", outcome: Outcome, chosen: "tuple[Decisions, How] | None") -> str | None:
    """Return that a threshold of "top k%" names more of these rows than that, beyond chance.

    The threshold was fitted to rows left out of training; among others it may name any share.

    Args:
        model: Holds the rule.
        outcome: What was decided for N rows.
        chosen: What `choose_decisions` returned.

    Returns:
        A sentence; None where there is nothing to tell.
    """
    from assay.evaluate.intervals import wilson
    from assay.rules import parse_threshold

    rule = parse_threshold(model.recipe.decide.threshold)
    if chosen is None or chosen[1] != "threshold" or rule.name != "top" or rule.limit is None:
        return None
    threshold = chosen[0].threshold
    if threshold is None:
        return None
    name = model.classes[threshold.positive]
    n_named, n_rows = sum(label == name for label in outcome.labels), len(outcome.labels)
    share = wilson(n_named, n_rows, confidence=model.recipe.evaluate.confidence)
    if share.low is None or share.low <= rule.limit:
        return None
    most = f"{rule.limit * 100:.10g}%"
    return (
        f"warning: {chosen[0].classes[threshold.positive]!r} is named for {n_named:,} of "
        f"{n_rows:,} rows, {share.estimate:.1%}, more than the {most} that were asked for: the "
        "threshold is that of the rows learnt from; sort by its probability to take fewer"
    )


def _ways(how: str) -> str:
    from assay.decide import HOWS

    return did_you_mean(how, HOWS) or ""


def decided(model: "Model", proba: "np.ndarray", chosen: "tuple[Decisions, How] | None") -> Outcome:
    """Return what is decided for probabilities (N, C).

    Args:
        model: Gives the classes.
        proba: As the model predicts them.
        chosen: What `choose_decisions` returned.

    Raises:
        UserError: The model does not hold what the decision needs.
    """
    if chosen is None:
        return Outcome(model.classes[proba.argmax(axis=1)].tolist(), proba)
    decisions, how = chosen
    labels = model.labels(decisions.decide(proba, how)).tolist()
    sets = None
    if how == "set":
        sets = [model.classes[row].tolist() for row in decisions.in_set(proba)]
    return Outcome(labels, decisions.adjusted(proba).astype(proba.dtype), sets)
