"""The comparison of candidates, the verdict and the findings as text.

Comes in: the plain data that `Model.evaluation` holds. Goes out: lines for a terminal.
"""

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from assay.cli.layout import GAP, counted, cut, heading, ranged, style, table
from assay.cli.output import one_line
from assay.report.wording import candidate_name

_MAX_WIDTH = 100
_SHOWN = ("log_loss", "accuracy", "auroc")
_HEADER = ("candidate", "log loss", "accuracy", "AUROC")
_MOST_FINDINGS = 3


def candidate_lines(evaluation: Mapping[str, Any]) -> list[str]:
    """Return a table of the candidates, what ships marked by an arrow."""
    candidates = evaluation.get("candidates", ())
    if not candidates:
        return []
    rows = [
        [
            ("→ " if one["is_shipped"] else GAP) + candidate_name(one["name"]),
            *(ranged(one["scores"].get(score)) for score in _SHOWN),
        ]
        for one in candidates
    ]
    n_rows = candidates[0]["n_rows"]
    title = f"Compared on {counted(n_rows, 'row')}, each by models that had left it out"
    return ["", heading(title), *table(rows, header=[GAP + _HEADER[0], *_HEADER[1:]], indent="")]


def verdict_lines(evaluation: Mapping[str, Any]) -> list[str]:
    """Return the verdict in its own words, wrapped to the terminal."""
    verdict = evaluation.get("verdict")
    if not verdict:
        return []
    width = min(shutil.get_terminal_size().columns, _MAX_WIDTH) - len(GAP)
    lines = textwrap.wrap(one_line(verdict["text"]), width=max(width, 20))
    return ["", heading("Verdict"), *(GAP + line for line in lines)]


def finding_lines(findings: Sequence[Mapping[str, str]], *, most: int | None = None) -> list[str]:
    """Return what was found in the table, the gravest first.

    Args:
        findings: As in `evaluation["findings"]`.
        most: How many are shown; `None` for a handful.
    """
    limit = _MOST_FINDINGS if most is None else most
    if not findings:
        return []
    rows = [
        f"{GAP}{style(one['severity'] + ':', bold=one['severity'] == 'high')} "
        f"{cut(one['where'])}: {one_line(one['what'])}"
        for one in findings[:limit]
    ]
    n_hidden = len(findings) - len(rows)
    lines = ["", heading(f"{counted(len(findings), 'finding')} in the table"), *rows]
    return [*lines, f"{GAP}and {n_hidden:,} more"] if n_hidden else lines
