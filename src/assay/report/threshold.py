"""The threshold of two classes: counts at each, and the figures that follow from them.

The page's script computes the same from the same table; a test compares the two.
"""

from collections.abc import Mapping
from typing import Any

from assay.report.wording import PART_TITLES


def threshold_section(evaluation: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the table that the slider works from, and where it starts.

    Args:
        evaluation: As in the model file.

    Returns:
        None but for two classes with curves; otherwise the table of `curves` with
        part, whose rows they are; start_idx, the threshold of the decisions or 0.5;
        start_reason; cost_miss and cost_alarm, of the cost matrix or 1.
    """
    for part in PART_TITLES:
        curves = (evaluation.get(part) or {}).get("curves") or {}
        table = curves.get("thresholds")
        if table:
            start_idx, reason = _start(table, evaluation.get("decisions") or {})
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
        table: With tp, fp, fn and tn, lists of counts.
        idx: Position in them.
        cost_miss: Of a row of the class that is not called so.
        cost_alarm: Of another row that is called the class.

    Returns:
        tp, fp, fn, tn; precision, recall, specificity, f1, accuracy and called (the
        share of rows called the class), None where undefined; cost; cost_per_1000 rows.

    Example:
        >>> table = {"tp": [3], "fp": [1], "fn": [1], "tn": [5]}
        >>> found = threshold_figures(table, 0, cost_miss=10)
        >>> found["precision"], found["accuracy"], found["cost"]
        (0.75, 0.8, 11.0)
    """
    tp, fp, fn, tn = (int(table[name][idx]) for name in ("tp", "fp", "fn", "tn"))
    n_rows = tp + fp + fn + tn
    cost = fn * cost_miss + fp * cost_alarm
    return {
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "tn": tn,
        "precision": _ratio(tp, tp + fp),
        "recall": _ratio(tp, tp + fn),
        "specificity": _ratio(tn, tn + fp),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "accuracy": _ratio(tp + tn, n_rows),
        "called": _ratio(tp + fp, n_rows),
        "cost": float(cost),
        "cost_per_1000": _ratio(1000 * cost, n_rows),
    }


def _ratio(top: float, bottom: float) -> float | None:
    return top / bottom if bottom else None


def _start(table: Mapping[str, Any], decisions: Mapping[str, Any]) -> tuple[int, str]:
    chosen = decisions.get("threshold") or {}
    value = chosen.get("value")
    if value is None or chosen.get("positive") != table["class"] or not 0 <= value <= 1:
        return (len(table["threshold"]) - 1) // 2, ""
    distances = [abs(value - threshold) for threshold in table["threshold"]]
    return distances.index(min(distances)), str(chosen.get("rule", ""))


def _costs(table: Mapping[str, Any], evaluation: Mapping[str, Any]) -> tuple[float, float]:
    """Return what a miss and a false alarm cost more than a right answer."""
    matrix = ((evaluation.get("decisions") or {}).get("cost") or {}).get("matrix")
    classes = evaluation.get("classes") or []
    if not matrix or len(matrix) != 2 or table["class"] not in classes:
        return 1.0, 1.0
    own = classes.index(table["class"])
    other = 1 - own
    return matrix[own][other] - matrix[own][own], matrix[other][own] - matrix[other][other]
