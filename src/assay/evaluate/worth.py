"""What decisions are worth: rows decided by others' fit in, plain figures and a sentence out.

`decisions` calls it and describes the document. Every figure is of rows that fitted
nothing; what is compared is compared on the same draws of rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.decide import NO_LABEL, Decisions, Sets
from assay.evaluate.intervals import Interval
from assay.evaluate.resampled import Resampler
from assay.evaluate.thresholds import between, side_scores
from assay.metrics import Floats, Indices, threshold_ends
from assay.rules import Rule

_CURVE_COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
_CURVE_POINTS = 20
_FAR = 0.1  # of the coverage of a class from that of all rows
_GOALS = {
    "f1": "the best F1",
    "youden": "the best recall + specificity",
    "balanced_accuracy": "the best balanced accuracy",
}


@dataclass(frozen=True)
class Decided:
    """Rows decided by what other rows fitted.

    Attributes:
        y: True class indices, (N,).
        proba: Probabilities, for the expected shares of the classes, (N, C).
        by_threshold: Decided by threshold, (N,).
        answered: Decided by the rule of abstention, (N,); `NO_LABEL` where it gives none.
        part: Part of each row, (N,).
        sets: Of each part, what the others fitted.
    """

    y: Indices
    proba: Floats
    by_threshold: Indices
    answered: Indices
    part: Indices
    sets: tuple[Sets, ...]

    @property
    def likeliest(self) -> Indices:
        """The likeliest class of each row, (N,)."""
        likeliest: Indices = self.proba.argmax(axis=1)
        return likeliest

    def in_set(self, coverage: float) -> NDArray[np.bool_]:
        """Return which classes are in the set of each row, (N, C)."""
        floors = np.stack(
            [np.broadcast_to(one.floor(coverage), self.proba.shape[1]) for one in self.sets]
        )
        is_in = np.empty(self.proba.shape, dtype=bool)
        for number, floor in enumerate(floors):
            own = self.part == number
            is_in[own] = self.proba[own] >= floor
        return is_in


def threshold_worth(
    decided: Decided, rows: Resampler, fitted: Decisions, rule: Rule, *, is_default: bool
) -> dict[str, Any]:
    """Return how deciding one class by its threshold does; see `fit_decisions`."""
    if fitted.threshold is None:
        return {}
    positive = fitted.threshold.positive
    is_positive = decided.y == positive
    scores = side_scores(is_positive, decided.by_threshold == positive, rows)
    likeliest = side_scores(is_positive, decided.likeliest == positive, rows)
    told = {
        "rule": str(rule),
        "is_default": is_default,
        "positive": fitted.classes[positive],
        "value": fitted.threshold.value,
        "is_met": _is_met(rule, scores),
        "scores": scores,
        "likeliest": likeliest,
    }
    return {**told, "text": _threshold_text(told, rule)}


def _is_met(rule: Rule, scores: Mapping[str, Any]) -> bool:
    """Whether the interval of what was asked for reaches what was asked; see `_reached`."""
    if rule.limit is None:
        return True
    if rule.name == "top":
        low = scores["share"]["low"]
        return low is None or bool(low <= rule.limit)
    high = scores[rule.name]["high"]
    return high is not None and bool(high >= rule.limit)


def _threshold_text(told: Mapping[str, Any], rule: Rule) -> str:
    scores, goal = told["scores"], _GOALS.get(rule.name, str(rule))
    kept = (
        _named(scores["share"], rule, is_met=told["is_met"])
        if rule.name == "top"
        else _reached(scores.get(rule.name), rule, is_met=told["is_met"])
    )
    return (
        f"{told['positive']!r} is decided from a probability of {told['value']:.3g} on, "
        f"for {goal}: precision {_shown(scores['precision'])}, recall "
        f"{_shown(scores['recall'])}, F1 {_shown(scores['f1'])} on rows that did not "
        f"choose it (naming the likeliest class: F1 {_shown(told['likeliest']['f1'])}).{kept}"
    )


def _named(share: Mapping[str, float | None], rule: Rule, *, is_met: bool) -> str:
    """Return how many rows a rule such as "top 5%" named, beside how many it may name."""
    estimate, limit = share["estimate"], 0.0 if rule.limit is None else rule.limit
    asked = f"the {limit * 100:.10g}% asked for"
    beside = ""
    if estimate is not None and estimate > limit:
        beside = f", within chance of {asked}" if is_met else f", more than {asked}"
    return f" It names {_shown(share)} of the rows{beside}."


def _reached(found: Mapping[str, float | None] | None, rule: Rule, *, is_met: bool) -> str:
    """Return that a rule such as "precision>=0.9" was missed, or only by chance; else nothing."""
    if not is_met:
        return f" {rule} was asked for and is not reached."
    estimate = None if found is None else found["estimate"]
    if found is None or estimate is None or rule.limit is None or estimate >= rule.limit:
        return ""
    return f" {rule} was asked for: {_shown(found)} is within chance of it."


def cost_worth(
    decided: Decided, rows: Resampler, fitted: Decisions, *, majority: int | None = None
) -> dict[str, Any]:
    """Return what decisions by cost really cost; see `fit_decisions`.

    `majority` is the commonest class of the training, by default that of these rows.
    """
    if fitted.cost is None:
        return {}
    cost, y = fitted.cost, decided.y
    expected = decided.proba @ cost
    choice = expected.argmin(axis=1)
    # The constant class is the best one of these very rows: the comparison favours it.
    constants = [rows.average(cost[y, idx]) for idx in range(len(fitted.classes))]
    constant = int(np.argmin(constants))
    if majority is None:
        majority = int(np.bincount(y, rows.weight, len(fitted.classes)).argmax())
    own, likeliest, always = cost[y, choice], cost[y, decided.likeliest], cost[y, constant]
    usual = cost[y, majority]
    found = rows.means(
        own=own,
        likeliest=likeliest,
        constant=always,
        majority=usual,
        saved_majority=usual - own,
        saved_constant=always - own,
        saved_likeliest=likeliest - own,
    )
    told = {
        "matrix": cost.tolist(),
        "per_row": found["own"].to_dict(),
        "expected": rows.average(expected.min(axis=1)),
        "likeliest": found["likeliest"].to_dict(),
        "constant": {
            "decision": fitted.classes[constant],
            "per_row": found["constant"].to_dict(),
        },
        "majority": {
            "decision": fitted.classes[majority],
            "per_row": found["majority"].to_dict(),
        },
        "saved": {
            "majority": found["saved_majority"].to_dict(),
            "constant": found["saved_constant"].to_dict(),
            "likeliest": found["saved_likeliest"].to_dict(),
        },
        "decided": {name: rows.average(choice == idx) for idx, name in enumerate(fitted.classes)},
    }
    return {**told, "text": _cost_text(told)}


def _cost_text(told: Mapping[str, Any]) -> str:
    constant, majority = told["constant"], told["majority"]
    usual = (
        ""
        if majority["decision"] == constant["decision"]
        else (
            f"Always deciding the commonest class {majority['decision']!r} costs "
            f"{_shown(majority['per_row'])}, {_difference(told['saved']['majority'])}. "
        )
    )
    return (
        f"Deciding by cost costs {_shown(told['per_row'])} a row. {usual}Always deciding "
        f"{constant['decision']!r} costs {_shown(constant['per_row'])}, "
        f"{_difference(told['saved']['constant'])}; naming the likeliest class costs "
        f"{_shown(told['likeliest'])}, {_difference(told['saved']['likeliest'])}."
    )


def _difference(saved: Mapping[str, float | None]) -> str:
    low, high = saved["low"], saved["high"]
    if low is None or high is None or low <= 0.0 <= high:
        return "not distinguishable from that"
    estimate = saved["estimate"] or 0.0
    return f"{abs(estimate):.3g} {'more' if low > 0.0 else 'less'}"


def sets_worth(
    decided: Decided, rows: Resampler, fitted: Decisions, *, has_own: bool
) -> dict[str, Any]:
    """Return how often conformal sets hold the truth, and how large they are."""
    if fitted.sets is None:
        return {}
    y, coverage = decided.y, fitted.sets.coverage
    is_in = decided.in_set(coverage)
    holds, size = is_in[np.arange(len(y)), y], is_in.sum(axis=1)
    told = {
        "coverage": coverage,
        "method": "a quantile for each class" if has_own else "one quantile",
        "achieved": rows.share(holds).to_dict(),
        "mean_size": rows.average(size),
        "share_single": rows.average(size == 1),
        "share_empty": rows.average(size == 0),
        "sizes": {
            "0": rows.average(size == 0),
            "1": rows.average(size == 1),
            "2": rows.average(size == 2),
            "3+": rows.average(size > 2),
        },
        "accuracy_single": rows.share(holds, size == 1).to_dict(),
        "per_class": [
            {
                "class": name,
                "n": int(np.count_nonzero(y == idx)),
                "coverage": rows.share(holds, y == idx).to_dict(),
            }
            for idx, name in enumerate(fitted.classes)
        ],
        "curve": [_curve_point(decided, rows, one) for one in _CURVE_COVERAGES],
    }
    accuracy = rows.average(decided.likeliest == y)
    return {**told, "text": _sets_text(told, accuracy, has_own=has_own)}


def _curve_point(decided: Decided, rows: Resampler, coverage: float) -> dict[str, float]:
    is_in = decided.in_set(coverage)
    size = is_in.sum(axis=1)
    return {
        "coverage": coverage,
        "achieved": rows.average(is_in[np.arange(len(size)), decided.y]),
        "mean_size": rows.average(size),
        "share_single": rows.average(size == 1),
        "share_empty": rows.average(size == 0),
    }


def _sets_text(told: Mapping[str, Any], accuracy: float, *, has_own: bool) -> str:
    text = (
        f"Sets that shall hold the true class in {told['coverage']:g} of the rows held it in "
        f"{_shown(told['achieved'])}: {told['mean_size']:.2f} classes on average, one class in "
        f"{told['share_single']:.3f} of the rows, none in {told['share_empty']:.3f}."
    )
    missed = [row for row in told["per_class"] if _is_below(row["coverage"], told["coverage"])]
    if missed and not has_own:
        worst = min(missed, key=lambda row: row["coverage"]["estimate"])
        text += (
            f" Class {worst['class']!r} is held in {_shown(worst['coverage'])} only; "
            "decide.each_class = true keeps the coverage in each."
        )
    if told["share_empty"] > 0.0 and accuracy > told["coverage"]:
        text += f" The likeliest class alone is right in {accuracy:.3f}: ask for more coverage."
    return text


def _is_below(interval: Mapping[str, float | None], wanted: float) -> bool:
    """Whether a coverage is so far below what is wanted that it should be told."""
    estimate, high = interval["estimate"], interval["high"]
    return estimate is not None and high is not None and high < wanted > estimate + _FAR


def abstention_worth(
    decided: Decided, rows: Resampler, fitted: Decisions, rule: Rule
) -> dict[str, Any]:
    """Return how many rows get a label, how often it is right, and the whole trade-off."""
    has_label = decided.answered != NO_LABEL
    is_right = decided.answered == decided.y
    answered, accuracy = rows.share(has_label), rows.share(is_right, has_label)
    own = fitted.abstention
    told = {
        "rule": str(rule),
        "floor": own.limit if own is not None and own.name == "probability" else None,
        "is_met": _is_kept(rule, answered, accuracy),
        "answered": answered.to_dict(),
        "accuracy": accuracy.to_dict(),
        "curve": _answered_curve(decided, rows),
    }
    return {**told, "text": _abstention_text(told, rule)}


def _is_kept(rule: Rule, answered: Interval, accuracy: Interval) -> bool:
    if rule.limit is None or rule.name not in ("accuracy", "answered"):
        return True
    high = (accuracy if rule.name == "accuracy" else answered).high
    return high is not None and high >= rule.limit


def _abstention_text(told: Mapping[str, Any], rule: Rule) -> str:
    everyone = told["curve"][-1]["accuracy"]["estimate"]
    missed = _reached(told.get(rule.name), rule, is_met=told["is_met"])
    given = (
        "No row gets a label"
        if told["accuracy"]["estimate"] is None
        else (
            f"A label goes to {_shown(told['answered'])} of the rows and is right in "
            f"{_shown(told['accuracy'])} of them"
        )
    )
    return f"{given}; with a label for every row {everyone:.3f} are right.{missed}"


def _answered_curve(decided: Decided, rows: Resampler) -> list[dict[str, Any]]:
    """Return accuracy when only the surest rows are answered, up to all of them."""
    top, is_right = decided.proba.max(axis=1), decided.likeliest == decided.y
    order = np.argsort(-top, kind="stable")
    falling = top[order]
    ends = threshold_ends(falling)
    mass = np.cumsum(rows.weight[order])[ends]
    wanted = mass[-1] * np.arange(1, _CURVE_POINTS + 1) / _CURVE_POINTS
    places = np.searchsorted(mass, wanted * (1 - 1e-12))
    points = []
    for place in np.unique(np.minimum(places, len(mass) - 1)):
        floor = between(falling[ends], int(place))
        accuracy = rows.share(is_right, top >= floor)
        answered = float(mass[place] / mass[-1])
        points.append({"answered": answered, "floor": floor, "accuracy": accuracy.to_dict()})
    return points


def priors_told(fitted: Decisions) -> dict[str, Any]:
    """Return the shares of the classes that are learnt from and that are expected."""
    if fitted.training is None or fitted.deployment is None:
        return {}
    training = dict(zip(fitted.classes, fitted.training.tolist(), strict=True))
    deployment = dict(zip(fitted.classes, fitted.deployment.tolist(), strict=True))
    text = (
        "Decisions and their figures are for other shares of the classes than those learnt "
        "from; they hold if rows of one class look alike in both."
    )
    return {"training": training, "deployment": deployment, "text": text}


def _shown(interval: Mapping[str, float | None]) -> str:
    estimate, low, high = interval["estimate"], interval["low"], interval["high"]
    if estimate is None:
        return "undefined"
    if low is None or high is None:
        return f"{estimate:.3f}"
    return f"{estimate:.3f} [{low:.3f}, {high:.3f}]"
