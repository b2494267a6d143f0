"""The threshold of two classes: counts at each, and the figures that follow from them.

The page's script computes the same from the same table; a test compares the two. Where
other shares of the classes are expected, a row counts as many as are to come for it, and
each threshold is moved as `Decisions.adjusted` moves a probability, so that the same rows
are called the class.
"""

from collections.abc import Mapping
from typing import Any

from assay.report.wording import PART_TITLES

_ALIKE = (1.0, 1.0)  # what rows of the two classes count
_HALF = 0.5
_DECIMALS, _MOVED_DECIMALS = 2, 4  # of thresholds; those of a rare class lie close together


def threshold_section(evaluation: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the table that the slider works from, and where it starts.

    Args:
        evaluation: As in the model file.

    Returns:
        None but for two classes with curves; otherwise the table of `curves` with
        part, whose rows they are; start_idx, the threshold of the decisions or 0.5;
        start_reason; cost_miss and cost_alarm, of the cost matrix or 1; weights, what a
        row of the class and another row count, 1 and 1 unless other shares are expected;
        priors, then the share of the class in {training, deployment}, else None;
        n_decimals, that tell the thresholds apart.
    """
    for part in PART_TITLES:
        curves = (evaluation.get(part) or {}).get("curves") or {}
        table = curves.get("thresholds")
        if table:
            decisions = evaluation.get("decisions") or {}
            table = {**table, **_expected(table, decisions.get("priors") or {})}
            start_idx, reason = _start(table, decisions)
            miss, alarm = _costs(table, evaluation)
            return {
                **table,
                "part": part,
                "start_idx": start_idx,
                "start_reason": reason,
                "cost_miss": miss,
                "cost_alarm": alarm,
            }
    return None


def threshold_figures(
    table: Mapping[str, Any], idx: int, *, cost_miss: float = 1.0, cost_alarm: float = 1.0
) -> dict[str, float | int | None]:
    """Return what follows from the counts at one threshold.

    Args:
        table: With tp, fp, fn and tn, lists of counts, and perhaps weights.
        idx: Position in them.
        cost_miss: Of a row of the class that is not called so.
        cost_alarm: Of another row that is called the class.

    Returns:
        tp, fp, fn, tn; precision, recall, specificity, f1, accuracy and called (the
        share of rows called the class), None where undefined; cost; cost_per_1000 rows.
        All but the first four are of weighted rows.

    Example:
        >>> table = {"tp": [3], "fp": [1], "fn": [1], "tn": [5]}
        >>> found = threshold_figures(table, 0, cost_miss=10)
        >>> found["precision"], found["accuracy"], found["cost"]
        (0.75, 0.8, 11.0)
    """
    tp, fp, fn, tn = (int(table[name][idx]) for name in ("tp", "fp", "fn", "tn"))
    own, other = table.get("weights") or _ALIKE
    found, missed, alarms, passed = own * tp, own * fn, other * fp, other * tn
    n_rows = found + missed + alarms + passed
    cost = missed * cost_miss + alarms * cost_alarm
    return {
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "tn": tn,
        "precision": _ratio(found, found + alarms),
        "recall": _ratio(found, found + missed),
        "specificity": _ratio(passed, passed + alarms),
        "f1": _ratio(2 * found, 2 * found + alarms + missed),
        "accuracy": _ratio(found + passed, n_rows),
        "called": _ratio(found + alarms, n_rows),
        "cost": float(cost),
        "cost_per_1000": _ratio(1000 * cost, n_rows),
    }


def _ratio(top: float, bottom: float) -> float | None:
    return top / bottom if bottom else None


def _expected(table: Mapping[str, Any], priors: Mapping[str, Any]) -> dict[str, Any]:
    """Return weights and thresholds for the shares of the classes that are expected."""
    sides: list[dict[str, Any]] = [
        {side: (priors.get(side) or {}).get(table[name]) for side in ("training", "deployment")}
        for name in ("class", "other")
    ]
    if not all(share for side in sides for share in side.values()):
        return {"weights": list(_ALIKE), "priors": None, "n_decimals": _DECIMALS}
    own, other = (float(side["deployment"]) / float(side["training"]) for side in sides)
    moved = [own * p / (own * p + other * (1 - p)) for p in table["threshold"]]
    return {
        "threshold": moved,
        "weights": [own, other],
        "priors": sides[0],
        "n_decimals": _MOVED_DECIMALS,
    }


def _start(table: Mapping[str, Any], decisions: Mapping[str, Any]) -> tuple[int, str]:
    chosen = decisions.get("threshold") or {}
    value, reason = chosen.get("value"), str(chosen.get("rule", ""))
    if value is None or chosen.get("positive") != table["class"] or not 0 <= value <= 1:
        value, reason = _HALF, ""
    distances = [abs(value - threshold) for threshold in table["threshold"]]
    return distances.index(min(distances)), reason


def _costs(table: Mapping[str, Any], evaluation: Mapping[str, Any]) -> tuple[float, float]:
    """Return what a miss and a false alarm cost more than a right answer."""
    matrix = ((evaluation.get("decisions") or {}).get("cost") or {}).get("matrix")
    classes = evaluation.get("classes") or []
    if not matrix or len(matrix) != 2 or table["class"] not in classes:
        return 1.0, 1.0
    own = classes.index(table["class"])
    other = 1 - own
    return matrix[own][other] - matrix[own][own], matrix[other][own] - matrix[other][other]
