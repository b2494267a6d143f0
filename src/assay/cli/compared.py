"""The comparison of candidates, the verdict and the findings as text.

Comes in: the plain data that `Model.evaluation` holds. Goes out: lines for a terminal.
"""

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from assay.cli.layout import GAP, counted, cut, heading, ranged, table
from assay.cli.output import one_line

SHARES = "class shares"  # short, so that the table fits 80 cells
_NAMES = {"majority": SHARES}
_MAX_WIDTH = 100
_SHOWN = ("log_loss", "accuracy", "auroc")
_HEADER = ("candidate", "log loss", "accuracy", "AUROC")
_MOST_FINDINGS = 2


def candidate_lines(evaluation: Mapping[str, Any]) -> list[str]:
    """Return a table of the candidates, what ships marked by an arrow."""
    from assay.report.opening import compared_rows

    candidates = evaluation.get("candidates", ())
    if not candidates:
        return []
    rows = [
        [
            ("→ " if one["is_shipped"] else GAP) + _NAMES.get(one["name"], one["name"]),
            *(ranged(one["scores"].get(score)) for score in _SHOWN),
        ]
        for one in candidates
    ]
    n_rows, n_judged = compared_rows(evaluation)
    part = f"{n_rows:,} of " if n_rows < n_judged else ""
    title = f"Compared on {part}{counted(n_judged, 'row')}, each by models that had left it out"
    lines = table(rows, header=[GAP + _HEADER[0], *_HEADER[1:]], indent="")
    return ["", heading(title), *lines, *shipped_lines(evaluation)]


def shipped_lines(evaluation: Mapping[str, Any]) -> list[str]:
    """Return what ships and why, in one line; nothing where networks alone were trained."""
    shipped = evaluation.get("shipped", {})
    weights, prefer = shipped.get("weights", {}), shipped.get("prefer", "accuracy")
    if not evaluation.get("candidates") and set(weights) <= {"network"}:
        return []
    if len(weights) > 1:
        what = ", ".join(f"{name} {100 * share:.0f} %" for name, share in weights.items())
    else:
        what = "".join(weights)
    asked = "" if prefer == "accuracy" else f', as model.prefer = "{prefer}" asks'
    return [f"→ ships: {what}{asked}"] if what else []


def verdict_lines(evaluation: Mapping[str, Any]) -> list[str]:
    """Return the verdict in its own words; without one, what the scores say at most.

    Grave findings about the table are counted below it: they may make any score worthless.
    """
    from assay.report.opening import grave_sentence, scores_sentence

    verdict = evaluation.get("verdict")
    text = verdict["text"] if verdict else scores_sentence(evaluation)
    grave = grave_sentence(evaluation.get("findings", ()))
    return ["", heading("Verdict"), *wrapped(text), *(wrapped(grave) if grave else ())]


def wrapped(text: str, *, indent: str = GAP) -> list[str]:
    """Return a text in lines that fit the terminal, indented."""
    return textwrap.wrap(
        one_line(text), width=_width(), initial_indent=indent, subsequent_indent=GAP + indent
    )


def one_of(text: str, *, indent: str = GAP) -> str:
    """Return the first line of a text that fits the terminal; "…" tells that there is more."""
    return clipped(wrapped(text, indent=indent), 1)[0]


def clipped(lines: Sequence[str], most: int) -> list[str]:
    """Return at most `most` lines; where some are cut off, the last ends in "…".

    Example:
        >>> clipped(["one two", "three"], 1), clipped(["one"], 1)
        (['one two…'], ['one'])
    """
    if len(lines) <= most:
        return list(lines)
    kept = list(lines[: max(most, 1)])
    last, width = kept[-1], _width()
    while len(last) + 1 > width and " " in last.strip():
        last = last.rsplit(" ", 1)[0]
    return [*kept[:-1], last.rstrip(" ,;:.") + "…"]


def _width() -> int:
    return max(min(shutil.get_terminal_size().columns, _MAX_WIDTH), 20)


def finding_lines(findings: Sequence[Mapping[str, str]], *, is_brief: bool = False) -> list[str]:
    """Return what was found in the table, the gravest first.

    Args:
        findings: As in `evaluation["findings"]`.
        is_brief: Whether the two gravest are enough, of those that are grave.
    """
    if not findings:
        return []
    shown = findings
    if is_brief:
        shown = [one for one in findings if one["severity"] != "low"][:_MOST_FINDINGS]
    rows = [
        line
        for one in shown
        for line in wrapped(f"{one['severity']}: {cut(one['where'])}: {one['what']}")
    ]
    n_hidden = len(findings) - len(shown)
    lines = ["", heading(f"{counted(len(findings), 'finding')} in the table"), *rows]
    return [*lines, f"{GAP}{n_hidden:,} more: in the report"] if n_hidden else lines
