"""What was judged: scores, classes and the confusion matrix of each part, for the report."""

from collections.abc import Mapping, Sequence
from typing import Any

from assay.evaluate.scores import rate
from assay.report.wording import LOWER_IS_BETTER, PART_TITLES, SCORE_NAMES, score_name, shortened

MATRIX_CLASSES = 12
"""Commonest classes of a confusion matrix that is shown whole."""

MOST_CONFUSED = 30
"""Pairs of classes that are told of a larger one."""

_MOST_NAME = 200


def judged_parts(evaluation: Mapping[str, Any], *, most_classes: int) -> list[dict[str, Any]]:
    """Return the parts of an evaluation that there are: rows left out, then test rows.

    Args:
        evaluation: As in the model file.
        most_classes: Rows of a table of classes.

    Returns:
        For each part: key; title; n_rows; confidence; scores [{name, label, estimate,
        low, high, majority, is_lower_better}]; majority; note, what rows of one class
        leave unsaid; members; per_class {items, n_more}, commonest first; confusion
        {classes, counts, rates, n_more, confused};
        curves and reliability, None where the evaluation has none.
    """
    return [_part(key, evaluation[key], most_classes) for key in PART_TITLES if evaluation.get(key)]


def _part(key: str, judged: Mapping[str, Any], most_classes: int) -> dict[str, Any]:
    per_class = judged.get("per_class") or []
    order = sorted(range(len(per_class)), key=lambda idx: (-per_class[idx]["n"], idx))
    return {
        "key": key,
        "title": PART_TITLES[key],
        "n_rows": judged.get("n_rows"),
        "confidence": judged.get("confidence", 0.95),
        "scores": _scores(judged),
        "majority": judged.get("majority"),
        "note": judged.get("note"),
        "members": judged.get("members"),
        "per_class": {
            "items": [
                {**per_class[idx], "class": _name(per_class[idx]["class"])}
                for idx in order[:most_classes]
            ],
            "n_more": max(len(order) - most_classes, 0),
        },
        "confusion": _confusion(judged, order),
        "curves": judged.get("curves"),
        "reliability": _reliability(judged.get("reliability")),
    }


def _scores(judged: Mapping[str, Any]) -> list[dict[str, Any]]:
    scores, majority = judged.get("scores") or {}, judged.get("majority") or {}
    order = [*SCORE_NAMES, *(name for name in scores if name not in SCORE_NAMES)]
    return [
        {
            "name": name,
            "label": score_name(name),
            **scores[name],
            "majority": majority.get(name),
            "is_lower_better": name in LOWER_IS_BETTER,
        }
        for name in order
        if name in scores
    ]


def _confusion(judged: Mapping[str, Any], order: Sequence[int]) -> dict[str, Any] | None:
    """Return the matrix of the commonest classes and the largest confusions of all.

    Returns:
        classes, their names; counts, rows true; rates, their shares of the true class,
        each {estimate, low, high}; n_true, all rows of each class; n_more classes that are
        not shown; confused [{true, predicted, n, share, rate}], the largest first, where
        classes are hidden.
    """
    counts = judged.get("confusion")
    if not counts or not order:
        return None
    names = [_name(row["class"]) for row in judged["per_class"]]
    row_worth = judged.get("row_worth")  # files of earlier releases have none

    def rate_of(n: int, true: int) -> dict[str, float | None]:
        n_true = sum(counts[true])
        if row_worth is None:
            return {"estimate": n / n_true if n_true else None, "low": None, "high": None}
        confidence = judged.get("confidence", 0.95)
        return rate(n, n_true, confidence=confidence, row_worth=row_worth).to_dict()

    shown = sorted(order[:MATRIX_CLASSES])
    confused = []
    if len(shown) < len(order):
        pairs = [
            (n, true, predicted)
            for true, row in enumerate(counts)
            for predicted, n in enumerate(row)
            if n and true != predicted
        ]
        pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
        confused = [
            {
                "true": names[true],
                "predicted": names[predicted],
                "n": n,
                "share": n / sum(counts[true]),
                "rate": rate_of(n, true),
            }
            for n, true, predicted in pairs[:MOST_CONFUSED]
        ]
    return {
        "classes": [names[idx] for idx in shown],
        "counts": [[counts[true][idx] for idx in shown] for true in shown],
        "rates": [[rate_of(counts[true][idx], true) for idx in shown] for true in shown],
        "n_true": [sum(counts[true]) for true in shown],
        "n_more": len(order) - len(shown),
        "confused": confused,
    }


def _reliability(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the diagrams before and after calibration; one alone counts as after."""
    if not found:
        return None
    if "bins" in found:
        return {"before": None, "after": dict(found)}
    return {"before": found.get("before"), "after": found.get("after")}


def _name(text: object) -> str:
    return shortened(str(text), _MOST_NAME)
