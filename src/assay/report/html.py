"""The report as one page of HTML that needs nothing but itself.

Comes in: the report's document. Goes out: HTML text. Jinja2 escapes every value; what
goes in unescaped is our own: pictures, whose texts `charts` escapes, and the document
as JSON.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from assay.evaluate.intervals import CROSS_FITTED
from assay.report import wording
from assay.report.column_pictures import MOST_BARS, dependence_pictures, importance_picture
from assay.report.score_pictures import (
    accuracy_by_answered_picture,
    candidate_picture,
    coverage_picture,
    learning_pictures,
    precision_recall_picture,
    reliability_picture,
    roc_picture,
    series,
    threshold_picture,
)
from assay.report.threshold import threshold_figures

if TYPE_CHECKING:
    from jinja2 import Environment

MARK = '<meta name="generator" content="assay '
"""Stands near the beginning of every report: what lacks it is not ours to overwrite."""

_MOST_DEPENDENCE_CLASSES = 6


def render_html(document: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        document: From `make_context`.

    Returns:
        A whole HTML document that makes no request; the document itself is in it as
        JSON, in the script element "report-data".
    """
    template = _environment().get_template("report.html.j2")
    return template.render(
        document=document,
        data=embedded_json(document),
        pictures=_pictures(document),
        figures=_start_figures(document),
        styles=class_styles(document),
        most_bars=MOST_BARS,
        widening=CROSS_FITTED,
    )


def embedded_json(document: Mapping[str, Any]) -> str:
    r"""Return JSON that may stand inside a script element, whatever its texts hold.

    Example:
        >>> embedded_json({"class": "</script>"})
        '{"class":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def class_styles(document: Mapping[str, Any]) -> dict[str, str]:
    """Return classes by their styles of line: the same class looks the same in each picture."""
    for part in document["parts"]:
        if part["curves"]:
            names = [one["class"] for one in part["curves"]["classes"]]
            return {name: series(idx) for idx, name in enumerate(names)}
    return {}


def _dependence_styles(document: Mapping[str, Any]) -> dict[str, str]:
    """Return styles of the classes whose dependence is known; those of the curves go first."""
    names = {name for one in document["dependence"] for name in one["proba"]}
    known = {name: css for name, css in class_styles(document).items() if name in names}
    for name in sorted(names - set(known)):
        known[name] = series(len(known))
    if len(names) == 1:  # a single line is of the first colour
        return dict.fromkeys(known, series(0))
    return dict(list(known.items())[:_MOST_DEPENDENCE_CLASSES])


def _pictures(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return every picture of the page; an empty text where there is nothing to draw."""
    parts = {part["key"]: _part_pictures(part) for part in document["parts"]}
    candidates, decisions = document["candidates"], document["decisions"]
    styles = _dependence_styles(document)
    table, importance = document["threshold"], document["importance"]
    return {
        "candidates": [
            picture
            for metric in ("log_loss", "accuracy")
            if (picture := candidate_picture(candidates, metric))
        ],
        "parts": parts,
        "threshold": threshold_picture(table, _all_figures(table)) if table else "",
        "learning": learning_pictures(document["learning"]) if document["learning"] else [],
        "importance": importance_picture(importance) if importance else "",
        "dependence": dependence_pictures(document["dependence"], styles),
        "dependence_styles": styles,
        "abstention": accuracy_by_answered_picture(
            (decisions.get("abstention") or {}).get("curve") or []
        ),
        "coverage": coverage_picture((decisions.get("conformal") or {}).get("curve") or []),
    }


def _part_pictures(part: Mapping[str, Any]) -> dict[str, str]:
    curves, found = part["curves"], part["reliability"]
    return {
        "roc": roc_picture(curves, part["key"]) if curves else "",
        "precision_recall": precision_recall_picture(curves, part["key"]) if curves else "",
        "reliability": reliability_picture(found, part["key"]) if found else "",
    }


def _all_figures(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [threshold_figures(table, idx) for idx in range(len(table["threshold"]))]


def _start_figures(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the figures at the threshold where the slider starts."""
    table = document["threshold"]
    if not table:
        return None
    return threshold_figures(
        table,
        table["start_idx"],
        cost_miss=table["cost_miss"],
        cost_alarm=table["cost_alarm"],
    )


@cache
def _environment() -> "Environment":
    from jinja2 import ChainableUndefined, Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("assay.report", "templates"),
        autoescape=True,
        undefined=ChainableUndefined,  # what an older evaluation lacks is left out
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        figure=wording.figure,
        percent=wording.percent,
        span=wording.span,
        unbroken=wording.unbroken,
        counted=wording.counted,
        score_name=wording.score_name,
        candidate_name=wording.candidate_name,
        one_line=wording.one_line,
        tojson_text=_json_text,
    )
    return environment


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
