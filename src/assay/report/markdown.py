"""The model card: the report's document as a page of Markdown to complete by hand.

The sections are those of Mitchell et al. 2019 (Model Cards for Model Reporting, FAT*
2019:220). What only a person can know is left to fill in, and says so.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from assay.report.opening import grave_sentence
from assay.report.wording import candidate_name, counted, figure, one_line, percent, span

MARK = "<!-- Model card written by assay "
"""Begins every card; at the end of the line stands the checksum of the rest."""

_MARKS = "\\`*_[]#|~"
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_FILL_IN = "*To be filled in by a person.*"
_MOST_ROWS = 30
_DECISIONS = {
    "threshold": "Threshold",
    "cost": "Costs",
    "conformal": "Sets of classes",
    "abstention": "No label",
}
_BY_CLASS = ("precision", "recall", "f1")


def render_markdown(document: Mapping[str, Any]) -> str:
    """Return the model card.

    Args:
        document: From `make_context`.

    Returns:
        Markdown; names from the table cannot act as markup. The first line is a comment.
    """
    model = document["model"]
    lines = [
        f"# Model card: {escaped(model['target'])}",
        "",
        f"**{escaped(document['verdict']['text'])}**",
        "",
        *_warning(document),
        *_details(document),
        *_section("Intended use", [_fill_in("what it is for, who uses it, what it is not for")]),
        *_section("Training data", _data(document)),
        *_section("Scores", _scores(document)),
        *_section("Decisions", _decisions(document)),
        *_section("What it depends on", _importance(document)),
        *_section("Limits and findings", _findings(document)),
        *_section(
            "Ethical considerations",
            [_fill_in("whom its errors harm, which groups were looked at, what was done")],
        ),
        *_section("How to reproduce", _reproduce(document)),
    ]
    card = "\n".join(lines) + "\n"
    return f"{MARK}{document['report']['assay_version']}{_seal(card.encode())}\n{card}"


def is_untouched(card: bytes) -> bool:
    """Whether a file is a model card that nobody has changed: what a person fills in is theirs."""
    mark, _, rest = card.partition(b"\n")
    return mark.startswith(MARK.encode()) and mark.endswith(_seal(rest).encode())


def _seal(card: bytes) -> str:
    return f", checksum {zlib.crc32(card):08x} -->"


def escaped(text: object) -> str:
    r"""Return text whose marks are text in Markdown and in the HTML made of it.

    Example:
        >>> print(escaped("<b>*a|b*"))
        &lt;b&gt;\*a\|b\*
    """
    return "".join(
        f"\\{mark}" if mark in _MARKS else _ENTITIES.get(mark, mark) for mark in str(text)
    )


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"## {title}", "", *lines] if lines else []


def _fill_in(what: str) -> str:
    return f"{_FILL_IN} Tell {what}."


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _warning(document: Mapping[str, Any]) -> list[str]:
    told = grave_sentence(document["findings"]["items"])
    return [f"**{told}**", ""] if told else []


def _details(document: Mapping[str, Any]) -> list[str]:
    versions, model, read = document["versions"], document["model"], document["read"]
    shipped = document["verdict"]["shipped"]
    what = f"{candidate_name(shipped)}, " if shipped else ""
    n_networks = 0 if shipped in ("logistic", "boosting") else read["n_members"]
    networks = f"{counted(n_networks, 'network')}, " if n_networks else ""
    return [
        f"- File: {escaped(model['file'])}",
        f"- Model: {what}{networks}{counted(model['n_classes'], 'class')}",
        f"- Trained by assay {escaped(versions['assay'])}, seed {versions['seed']}",
    ]


def _data(document: Mapping[str, Any]) -> list[str]:
    read = document["read"]
    n_rows = "unknown" if read["n_rows"] is None else f"{read['n_rows']:,}"
    kinds = ", ".join(f"{n} {escaped(kind)}" for kind, n in read["kinds"].items())
    classes = [
        f"{escaped(one['class'])}" + (f" ({percent(one['share'])})" if one["share"] else "")
        for one in read["classes"]["items"][:_MOST_ROWS]
    ]
    n_more = document["model"]["n_classes"] - len(classes)
    more = f" and {n_more:,} more" if n_more > 0 else ""
    lines = [
        f"- Rows to learn from: {n_rows}",
        f"- Columns: {read['n_columns']}" + (f" ({kinds})" if kinds else ""),
        f"- Classes of {escaped(document['model']['target'])}: {', '.join(classes)}{more}",
    ]
    return [*lines, "", _fill_in("where the rows come from, of when, and how they were chosen")]


def _scores(document: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for part in document["parts"]:
        about = f"{part['title']}: {counted(part['n_rows'], 'row')}; "
        rows = [
            [score["label"], figure(score["estimate"]), span(score), _baseline(score)]
            for score in part["scores"]
        ]
        header = ["score", "estimate", "interval", "always the commonest class"]
        lines += [f"{about}intervals at {percent(part['confidence'], 0)} confidence.", ""]
        lines += [*_table(header, rows), ""]
        lines += [escaped(part["note"]), ""] if part["note"] else []
        lines += _uncalibrated(part)
        lines += [*_by_class(part), *_confusion(part["confusion"])]
    if not lines:
        return [escaped(document["verdict"]["text"])]
    return [*lines, *_candidates(document)]


def _uncalibrated(part: Mapping[str, Any]) -> list[str]:
    """Return calibration error and Brier score before calibration, in a line."""
    before = (part["reliability"] or {}).get("before")
    if not before:
        return []
    told = [
        f"{label} {figure(before[name]['estimate'])} ({span(before[name])})"
        for name, label in (("ece", "calibration error (ECE)"), ("brier", "Brier score"))
    ]
    return [f"Before calibration: {', '.join(told)}.", ""]


def _by_class(part: Mapping[str, Any]) -> list[str]:
    rows = [
        [escaped(one["class"]), f"{one['n']:,}", *(_ranged(one[name]) for name in _BY_CLASS)]
        for one in part["per_class"]["items"][:_MOST_ROWS]
    ]
    header = ["class", "rows", "precision", "recall (accuracy of the class)", "F1"]
    return [*_table(header, rows), ""] if rows else []


def _confusion(confusion: Mapping[str, Any] | None) -> list[str]:
    """Return the confusion matrix: rows and their share of the true class, with interval."""
    if not confusion:
        return []
    names = [escaped(name) for name in confusion["classes"]]
    rows = [
        [name, *(_cell(n, found) for n, found in zip(counts, rates, strict=True))]
        for name, counts, rates in zip(names, confusion["counts"], confusion["rates"], strict=True)
    ]
    hidden = f"; {counted(confusion['n_more'], 'more class')}" if confusion["n_more"] else ""
    told = f"True class down, class answered across; rows and their share of the class{hidden}:"
    return [told, "", *_table(["true class", *names], rows), ""]


def _cell(n: int, found: Mapping[str, float | None]) -> str:
    if found["estimate"] is None:
        return f"{n:,}"
    ends = span(found, 1, is_share=True)
    return f"{n:,}: {percent(found['estimate'])}" + (f" ({ends})" if ends else "")


def _ranged(score: Mapping[str, float | None]) -> str:
    ends = span(score)
    return figure(score["estimate"]) + (f" ({ends})" if ends else "")


def _baseline(score: Mapping[str, Any]) -> str:
    return "" if score["majority"] is None else figure(score["majority"])


def _candidates(document: Mapping[str, Any]) -> list[str]:
    rows = []
    for one in document["candidates"]:
        loss = one["scores"].get("log_loss") or {}
        name = f"**{one['label']}** (ships)" if one["is_shipped"] else escaped(one["label"])
        right = one["scores"].get("accuracy") or {}
        cells = [
            text for score in (loss, right) for text in (figure(score.get("estimate")), span(score))
        ]
        rows.append([name, *cells])
    if not rows:
        return []
    header = ["candidate", "log loss", "interval", "accuracy", "interval"]
    told = [document["compared"], ""] if document["compared"] else []
    return [*told, *_table(header, rows), ""]


def _decisions(document: Mapping[str, Any]) -> list[str]:
    """Return the rules that the model file holds, and first the class shares they are for."""
    found, lines = document["decisions"], []
    priors = found.get("priors") or {}
    if priors.get("text"):
        shares = [
            f"{escaped(name)}: {percent(share)} (learnt from: {percent(priors['training'][name])})"
            for name, share in list(priors["deployment"].items())[:_MOST_ROWS]
            if name in priors["training"]
        ]
        lines += [f"**{escaped(priors['text'])}** {', '.join(shares)}.", ""]
    for key, title in _DECISIONS.items():
        one = found.get(key) or {}
        if one.get("text"):
            rule = f" ({escaped(one['rule'])})" if one.get("rule") else ""
            lines.append(f"- {title}{rule}: {escaped(one['text'])}")
    return [*lines, "", escaped(found["note"])] if lines and found.get("note") else lines


def _importance(document: Mapping[str, Any]) -> list[str]:
    importance = document["importance"]
    if not importance:
        return []
    rows = [
        [escaped(one["column"]), figure(one["increase"]["estimate"]), span(one["increase"])]
        for one in importance["columns"]["items"][:_MOST_ROWS]
    ]
    return _table(["column", "increase of log loss when shuffled", "interval"], rows)


def _findings(document: Mapping[str, Any]) -> list[str]:
    found = document["findings"]["items"]
    lines = [
        f"- **{escaped(one['severity'])}**, {escaped(one['where'])}: {escaped(one['what'])}"
        for one in found[:_MOST_ROWS]
    ]
    if len(found) > len(lines):
        lines.append(f"- and {len(found) - len(lines)} more")
    n_decisions = len(document["ledger"]["items"]) + document["ledger"]["n_more"]
    lines.append(
        "- The scores hold for rows like those it learned from. "
        f"Its ledger holds {counted(n_decisions, 'decision')} about the data."
    )
    return [*lines, "", _fill_in("where it should not be trusted")]


def _reproduce(document: Mapping[str, Any]) -> list[str]:
    told = document["reproduce"]
    fence = "```"
    return [
        f"Save the recipe as {escaped(told['recipe'])}; `assay report MODEL` shows it.",
        "",
        f"{fence}sh",
        *(one_line(command).replace("`", "'") for command in told["commands"]),
        fence,
    ]
