"""The promise: whether a model does on new rows what its training said it would.

Comes in: the scores of labelled rows and the model's evaluation. Goes out: one
sentence, and the figures behind it.
"""

from collections.abc import Mapping
from typing import Any

from assay.amounts import too_few
from assay.evaluate.drift import of_classes
from assay.evaluate.intervals import Interval
from assay.evaluate.scores import absent_text

LEAST_ROWS = 20
"""Fewer rows than this say too little of a score."""

_SCORES = {"accuracy": "accuracy", "log_loss": "log loss"}
_LOWER_IS_BETTER = ("log_loss",)
_PARTS = {"test": "test rows", "validation": "rows left out of training"}
_LEARNT = (
    "not compared: these look like the rows that the model learnt from, "
    "so that the scores are too good"
)


def compare_with_promise(
    judged: Mapping[str, Any], evaluation: Mapping[str, Any], *, is_learnt: bool = False
) -> dict[str, Any]:
    """Compare the scores of new rows with those that the training estimated.

    For accuracy and log loss the interval of the difference is put together from the
    two scores' own intervals, as of independent samples (MOVER: Zou and Donner 2008,
    Statist. Med. 27:1693; for shares Newcombe 1998, Statist. Med. 17:873). A score is
    below what was promised if its difference is worse than 0 over the whole interval:
    at 95 % confidence, without any change, at most 2.5 % of tables for either score.

    Args:
        judged: New rows, as `evaluate_predictions` gives them.
        evaluation: Of the training; its test rows are what was promised, else the rows
            that networks had left out.
        is_learnt: Whether the rows look like those that the model learnt from. They can
            only flatter it: that it is below is concluded all the same.

    Returns:
        Plain data for JSON: `conclusion`, "within", "below", "above" or None where
        nothing can be told; `text`, a sentence; `part`, "test", "validation" or None;
        `confidence`; `scores` {name: {promised, found, difference, conclusion}}, the
        first three each {estimate, low, high}.
    """
    part = next((name for name in _PARTS if name in evaluation), None)
    answer: dict[str, Any] = {"conclusion": None, "part": part, "confidence": None, "scores": {}}
    reason = _why_not(judged, part)
    if part is None or reason:
        return {**answer, "text": f"not compared with what was promised: {reason}"}
    promised = evaluation[part]
    answer["confidence"] = promised["confidence"]
    for name in _SCORES:
        found = _score(promised["scores"].get(name), judged["scores"].get(name), name)
        if found is not None:
            answer["scores"][name] = found
    concluded = _concluded(answer["scores"], part)
    if is_learnt and concluded["conclusion"] != "below":
        return {**answer, "confidence": None, "scores": {}, "text": _LEARNT}
    concluded["text"] += _caveat(judged, promised)
    return {**answer, **concluded}


def difference_interval(found: Interval, promised: Interval) -> Interval:
    """Return found - promised with its interval; the ends None where one is unknown.

    Example:
        >>> ends = difference_interval(Interval(0.7, 0.66, 0.74), Interval(0.8, 0.77, 0.83))
        >>> round(ends.estimate, 2), round(ends.low, 2), round(ends.high, 2)
        (-0.1, -0.15, -0.05)
    """
    if found.estimate is None or promised.estimate is None:
        return Interval(None, None, None)
    estimate = found.estimate - promised.estimate
    if found.low is None or found.high is None or promised.low is None or promised.high is None:
        return Interval(estimate, None, None)
    down = found.estimate - found.low, promised.high - promised.estimate
    up = found.high - found.estimate, promised.estimate - promised.low
    low, high = ((one**2 + other**2) ** 0.5 for one, other in (down, up))
    return Interval(estimate, estimate - low, estimate + high)


def _why_not(judged: Mapping[str, Any], part: str | None) -> str:
    if part is None:
        return "no rows were left out of training"
    if judged["n_rows"] < LEAST_ROWS:
        return f"{too_few(judged['n_rows'])}, {LEAST_ROWS} are needed"
    present = [row["class"] for row in judged["per_class"] if row["n"]]
    return f"all rows are of the class {present[0]!r}" if len(present) == 1 else ""


def _caveat(judged: Mapping[str, Any], promised: Mapping[str, Any]) -> str:
    """Return that classes are absent or have other shares: scores may differ by that alone."""
    n_promised = {row["class"]: row["n"] for row in promised["per_class"]}
    n_found = {row["class"]: row["n"] for row in judged["per_class"]}
    expected = [n_promised.get(name, 0) for name in n_found]
    absent = absent_text(
        [row for row, n in zip(judged["per_class"], expected, strict=True) if n or row["n"]]
    )
    if absent:
        n_absent = sum(n for n, there in zip(expected, n_found.values(), strict=True) if not there)
        share = n_absent / max(sum(expected), 1)
        return f"; but {_lowered(absent)}, which held {share:.1%} of those rows"
    moved = of_classes(expected, list(n_found.values()), [str(name) for name in n_found])
    return f"; but the classes have other shares, {moved.what}" if moved.is_drifted else ""


def _lowered(text: str) -> str:
    return text[0].lower() + text[1:]


def _score(promised: Any, found: Any, name: str) -> dict[str, Any] | None:
    """Return one score's comparison, or None where a part of it is undefined."""
    if promised is None or found is None:
        return None
    difference = difference_interval(Interval(**found), Interval(**promised))
    if difference.low is None or difference.high is None:
        return None
    is_lower, is_higher = difference.high < 0.0, difference.low > 0.0
    if name in _LOWER_IS_BETTER:
        is_lower, is_higher = is_higher, is_lower
    return {
        "promised": dict(promised),
        "found": dict(found),
        "difference": difference.to_dict(),
        "conclusion": "below" if is_lower else "above" if is_higher else "within",
    }


def _concluded(scores: Mapping[str, Any], part: str) -> dict[str, Any]:
    """Return the worst conclusion and the sentence about it."""
    if not scores:
        text = "not compared with what was promised: its intervals are undefined"
        return {"conclusion": None, "text": text}
    conclusions = [score["conclusion"] for score in scores.values()]
    conclusion = next(one for one in ("below", "above", "within") if one in conclusions)
    told = [
        _told(name, score) for name, score in scores.items() if score["conclusion"] == conclusion
    ]
    text = f"{conclusion} what was promised by {_PARTS[part]}: {', '.join(told)}"
    return {"conclusion": conclusion, "text": text}


def _told(name: str, score: Mapping[str, Any]) -> str:
    found, promised, difference = (score[one] for one in ("found", "promised", "difference"))
    return (
        f"{_SCORES[name]} {found['estimate']:.3f} against {promised['estimate']:.3f}, "
        f"{difference['estimate']:+.3f} [{difference['low']:+.3f}, {difference['high']:+.3f}]"
    )
