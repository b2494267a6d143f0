"""What stands before a table in its file: hints, comments, titles, a smaller table."""

import re
from collections.abc import Sequence

from assay.read.header import looks_like_header
from assay.read.lines import Record

_COMMENTS = ("#", "//", "%")
_MAX_RECORDS = 50


def separator_line(lines: Sequence[str]) -> tuple[str, int]:
    r"""Return the separator that a first line such as "sep=;" tells, and its lines.

    Spreadsheets write and understand such a line.

    Example:
        >>> separator_line(["sep=;\n", "a;b\n"]), separator_line(["a;b\n"])
        ((';', 1), ('', 0))
    """
    match = re.fullmatch(r"sep=(.)\s*", lines[0]) if lines else None
    return (match[1], 1) if match else ("", 0)


def leading_comments(lines: Sequence[str], start: int, option: str) -> tuple[int, str]:
    r"""Count the lines of comments from `start` on, and name their mark.

    Args:
        lines: Physical lines.
        start: Where to begin.
        option: The mark of comments, "none", or "auto" to find it.

    Returns:
        Number of lines, blank ones between comments included, and the mark, ""
        where there is none.

    Example:
        >>> leading_comments(["# a\n", "\n", "# b\n", "x,y\n"], 0, "auto")
        (3, '#')
    """
    if option == "none":
        return 0, ""
    prefixes = _COMMENTS if option == "auto" else (option,)
    at, found, end = start, "", start
    while at < len(lines):
        line = lines[at].lstrip()
        prefix = next((mark for mark in prefixes if line.startswith(mark)), "")
        if line and not prefix:
            break
        if prefix:
            found, end = prefix, at + 1
        at += 1
    if not found and option != "auto":
        return 0, option
    return end - start, found


def count_titles(records: Sequence[Record], n_cells: int) -> int:
    """Count the records before the header: narrower than rows, or nearly empty.

    Args:
        records: The first records of the text.
        n_cells: Cells of a data row.

    Returns:
        0 where the first record may be the header.

    Example:
        >>> count_titles([Record(1, ["Sales"]), Record(2, ["a", "b"]), Record(3, ["1", "2"])], 2)
        1
    """
    if n_cells == 1:
        return 0
    for at, record in enumerate(records[:_MAX_RECORDS]):
        width = len(record.cells) if record.cells is not None else 0
        if width >= max(n_cells - 1, 2):
            return _before_header(records, at, n_cells)
        if width > 1 and at == 0 and not _before_header(records, at, n_cells):
            return 0  # A short header is for find_names to judge.
    return 0


def note_of(record: Record) -> tuple[str, str, str]:
    """Write down a record before the header: what, why, option."""
    text = " ".join(record.cells) if record.cells is not None else record.text.rstrip("\r\n")
    return ("line set aside", f"line {record.line} stands before the table: {text[:200]!r}", "")


def _before_header(records: Sequence[Record], at: int, n_cells: int) -> int:
    # A title such as "Sales, of 2020" or "Sales,," is no header where a whole
    # header follows; a header shorter by one has rows with names below it.
    first = records[at].cells or []
    is_short = len(first) < n_cells
    n_filled = sum(bool(cell.strip()) for cell in first)
    is_lone = n_filled == 1 and bool(first[0].strip()) and len(first) > 2
    if not is_short and 2 * n_filled >= len(first):
        return at
    rows = [record.cells or [] for record in records]
    for later in range(at + 1, min(len(rows), at + _MAX_RECORDS)):
        if len(rows[later]) != n_cells:
            continue
        below = [row for row in rows[later + 1 :] if len(row) == n_cells]
        # Numbers in a run, such as 1,2,3, may head columns, though not below a title.
        is_named = all(re.search(r"[^\W\d]", cell) for cell in rows[later])
        is_header = looks_like_header(rows[later], below, needs_types=not is_lone)
        return later if is_named and below and is_header else at
    return at
