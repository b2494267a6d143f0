"""Plain text that lines up: cells, columns and figures for a terminal.

Widths are counted in cells of the terminal: an ideograph takes two, a combining
mark none. Nothing here knows what a model is.
"""

import os
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile
from typing import Any

import typer

from assay.cli.output import one_line
from assay.report.wording import counted as counted  # beside the other words of tables

GAP = "  "
NAME_CELLS = 28  # names longer than this are cut in the middle
MAX_LISTED = 12
_ROUNDS = 3  # of telling names apart: each may make others alike


def n_cells(text: str) -> int:
    """Return how many cells of a terminal a text takes.

    Example:
        >>> n_cells("Zürich"), n_cells("東京")
        (6, 4)
    """
    return sum(_width(mark) for mark in text)


def cut(text: str, cells: int = NAME_CELLS) -> str:
    """Return the text in at most `cells` cells; what is too long loses its middle.

    Args:
        text: Any text; control characters are shown, not obeyed.
        cells: At least 3.

    Example:
        >>> cut("a_rather_long_name", 9)
        'a_ra…name'
    """
    text = one_line(text)
    if n_cells(text) <= cells:
        return text
    head, tail = "", ""
    room = cells - 1
    left, right = 0, len(text) - 1
    while left <= right:
        is_head_next = n_cells(head) <= n_cells(tail)
        mark = text[left] if is_head_next else text[right]
        if n_cells(head) + n_cells(tail) + _width(mark) > room:
            break
        if is_head_next:
            head, left = head + mark, left + 1
        else:
            tail, right = mark + tail, right - 1
    return f"{head}…{tail}"


def cut_apart(names: Sequence[str], cells: int = NAME_CELLS) -> list[str]:
    """Return names as `cut`, but where that makes some the same, from where they differ on.

    Example:
        >>> cut_apart(["wind, float", "wind, non-float", "none"], 8)
        ['…float', '…non…oat', 'none']
    """
    whole = [one_line(name) for name in names]
    shown, skipped = [cut(name, cells) for name in whole], [0] * len(whole)
    for _ in range(_ROUNDS):
        alike = defaultdict(set)
        for text, name in zip(shown, whole, strict=True):
            alike[text].add(name)
        shared = {text: _n_shared(own) for text, own in alike.items() if len(own) > 1}
        for idx, name in enumerate(whole):
            n_shared = min(shared.get(shown[idx], 0), len(name) - 1)
            if n_shared > skipped[idx]:
                skipped[idx] = n_shared
                shown[idx] = cut(f"…{name[n_shared:]}", cells)
    return shown


def _n_shared(texts: Collection[str]) -> int:
    """Return how many marks all of the texts begin with."""
    ends = zip(min(texts), max(texts), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))


def table(
    rows: Sequence[Sequence[str]],
    *,
    header: Sequence[str] = (),
    numbers: Sequence[int] = (),
    indent: str = GAP,
) -> list[str]:
    """Return lines whose columns line up.

    Args:
        rows: Cells as text, all rows of the same length.
        header: Names of the columns, or nothing.
        numbers: Positions of the columns that are aligned to the right.
        indent: What stands before each line.

    Example:
        >>> table([["no", "9"], ["yes", "10"]], numbers=[1], indent="")
        ['no    9', 'yes  10']
    """
    listed = [list(header), *rows] if header else list(rows)
    if not listed:
        return []
    widths = [max(n_cells(row[idx]) for row in listed) for idx in range(len(listed[0]))]
    lines = [
        indent + GAP.join(_pad(cell, widths[idx], idx in numbers) for idx, cell in enumerate(row))
        for row in listed
    ]
    lines = [line.rstrip() for line in lines]
    return [style(lines[0], dim=True), *lines[1:]] if header else lines


def listing(names: Sequence[str], *, limit: int = MAX_LISTED) -> str:
    """Return names in one line, and how many more there are.

    Example:
        >>> listing(["a", "b", "c"], limit=2)
        'a, b and 1 more'
    """
    shown = ", ".join(cut_apart(names[:limit]))
    return f"{shown} and {len(names) - limit:,} more" if len(names) > limit else shown


def figure(value: float | None, n_decimals: int = 3) -> str:
    """Return a score with its decimals, or a dash where it is undefined.

    Example:
        >>> figure(0.81249), figure(None)
        ('0.812', '–')
    """
    return "–" if value is None else f"{value:.{n_decimals}f}"


def ranged(
    score: Mapping[str, Any] | None, middle: str = "estimate", *, n_decimals: int = 3
) -> str:
    """Return a score with the range it may lie in.

    Args:
        score: Holds `middle`, "low" and "high".
        middle: Name of the figure itself.
        n_decimals: Of each of the three figures.

    Example:
        >>> ranged({"estimate": 0.8121, "low": 0.7849, "high": 0.8361})
        '0.812 [0.785, 0.836]'
    """
    if score is None or score[middle] is None:
        return "–"
    value, low, high = (figure(score[name], n_decimals) for name in (middle, "low", "high"))
    return f"{value} [{low}, {high}]"


def heading(text: str) -> str:
    """Return a heading: bold on a terminal, else as it is."""
    return style(text, bold=True)


def style(text: str, *, bold: bool = False, dim: bool = False) -> str:
    """Return styled text where a terminal shows it and NO_COLOR is not set."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if is_plain or sys.stdout is None or not sys.stdout.isatty():
        return text
    return typer.style(text, bold=bold or None, dim=dim or None)


def _width(mark: str) -> int:
    if unicodedata.combining(mark) or unicodedata.category(mark) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(mark) in ("W", "F") else 1


def _pad(cell: str, width: int, is_right: bool) -> str:
    space = " " * (width - n_cells(cell))
    return space + cell if is_right else cell + space
