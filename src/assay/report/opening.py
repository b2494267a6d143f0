"""The first thing that a reader sees: the verdict in a sentence, and a few figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from assay.report.judged import judged_parts
from assay.report.wording import NO_BREAK, counted, figure, percent, shortened, span

_SHOWN = ("accuracy", "log_loss", "auroc", "balanced_accuracy")
_MOST_NAME = 200  # characters


def opening(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the verdict; a sentence made of the scores where the evaluation has none.

    Args:
        evaluation: As in the model file.

    Returns:
        text; has_signal, None where unknown; shipped, prefer and metric, None where
        unknown; comparisons.
    """
    verdict = evaluation.get("verdict") or {}
    return {
        "text": verdict.get("text") or scores_sentence(evaluation),
        "has_signal": verdict.get("has_signal"),
        "shipped": verdict.get("shipped"),
        "prefer": verdict.get("prefer"),
        "metric": verdict.get("metric"),
        "comparisons": verdict.get("comparisons") or [],
    }


def highlights(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return up to four figures for the top of the page, of the rows that count most.

    Test rows go first, since nothing was chosen by them.

    Returns:
        name; label; value and span, as text; note, what to compare with, as text.
    """
    if not document["parts"]:
        return []
    part = document["parts"][-1]
    scores = {score["name"]: score for score in part["scores"]}
    found = []
    for name in _SHOWN:
        score = scores.get(name)
        if score is None or score["estimate"] is None:
            continue
        is_share = name in ("accuracy", "balanced_accuracy")
        value = percent(score["estimate"]) if is_share else figure(score["estimate"])
        found.append(
            {
                "name": name,
                "label": score["label"],
                "value": value,
                "span": span(score, 1 if is_share else 3, is_share=is_share),
                "note": _beside(score, is_share=is_share),
            }
        )
    return found


def _beside(score: Mapping[str, Any], *, is_share: bool) -> str:
    majority = score.get("majority")
    if score["name"] in ("auroc", "balanced_accuracy"):
        return "0.5 is chance" if score["name"] == "auroc" else ""
    if majority is None:
        return ""
    text = percent(majority) if is_share else figure(majority)
    return f"{text} without a model"


def grave_sentence(findings: Sequence[Mapping[str, Any]]) -> str:
    """Return how many grave findings there are, to stand below the verdict; "" of none.

    Example:
        >>> grave_sentence([{"severity": "high"}, {"severity": "low"}])
        '1 grave finding about the table: read it before believing a score.'
    """
    n_grave = sum(one["severity"] == "high" for one in findings)
    if not n_grave:
        return ""
    told = counted(n_grave, "grave finding")
    which = "it" if n_grave == 1 else "them"
    return f"{told} about the table: read {which} before believing a score."


def scores_sentence(evaluation: Mapping[str, Any]) -> str:
    """Return what the scores say in a sentence, of the rows that count most.

    It takes the place of a verdict where no rows were left out to compare candidates on.

    Args:
        evaluation: As in the model file.

    Example:
        >>> scores_sentence({"test": {"n_rows": 60, "scores": {"accuracy": {"estimate": 0.75}}}})
        'The model is right on 75.0 % of 60 rows it had not seen.'
    """
    return _sentence(judged_parts(evaluation, most_classes=1)).replace(NO_BREAK, " ")


def compared_rows(evaluation: Mapping[str, Any]) -> tuple[int, int]:
    """Return on how many rows the candidates are compared, and of how many left out."""
    candidates = evaluation.get("candidates") or [{}]
    n_rows = candidates[0].get("n_rows") or 0
    n_judged = (evaluation.get("validation") or {}).get("n_rows") or 0
    return n_rows, max(n_rows, n_judged) if n_rows else 0


def compared_sentence(evaluation: Mapping[str, Any]) -> str:
    """Return on which part of the rows the candidates are compared; "" for all of them.

    Example:
        >>> of = {"validation": {"n_rows": 900}, "candidates": [{"n_rows": 300}]}
        >>> compared_sentence(of).partition(":")[0]
        'The candidates are compared on 300 of the 900 rows left out, drawn at random'
    """
    n_rows, n_judged = compared_rows(evaluation)
    if n_rows == n_judged:
        return ""
    return (
        f"The candidates are compared on {n_rows:,} of the {n_judged:,} rows left out, drawn at "
        "random: what ships scores a little otherwise here, most where classes have few rows."
    )


def _sentence(parts: Sequence[Mapping[str, Any]]) -> str:
    if not parts:
        return (
            "This model was not tested on rows it had not seen: "
            "nothing can be said about how good it is."
        )
    part = parts[-1]
    score = next((one for one in part["scores"] if one["name"] == "accuracy"), None)
    if score is None or score["estimate"] is None:
        return "This model was tested, but its accuracy is not on record."
    ends = span(score, 1, is_share=True)
    range_text = f" ({percent(part['confidence'], 0)} interval {ends})" if ends else ""
    against = ""
    if part["majority"]:
        majority = part["majority"]
        against = (
            f", against {percent(majority['accuracy'])} for always answering "
            f"“{shortened(str(majority['class']), _MOST_NAME)}”"
        )
    return (
        f"The model is right on {percent(score['estimate'])} of {part['n_rows']:,} "
        f"rows it had not seen{range_text}{against}."
    )
