"""A text so wide that its format need not be detected, and a line too wide to be split."""

import re
import statistics
from collections.abc import Iterator

from assay.options import ReadRecipe
from assay.read.caps import BYTES_PER_SPLIT_CELL, Caps
from assay.read.content import Content

_SEPARATORS = (",", ";", "\t", "|", " ")
_LINES = 5
_LINE_END = re.compile(r"\r\n?|\n")
_IN_QUOTES = re.compile(r'"[^"]*"')
_QUOTED_CELL = re.compile(rb'(?:^|(?<=[,;\t| ]))"[^"]*+(?:""[^"]*+)*+"')
_CHUNK_BYTES = 1 << 20


def check_width(sample: str, recipe: ReadRecipe, caps: Caps, where: str) -> None:
    """Refuse a text whose first lines have too many cells.

    The line in the middle counts, so that one line of rubbish does not refuse a file.

    Args:
        sample: The beginning of the text, in whole lines.
        recipe: Its separator, if it is chosen, counts alone.
        caps: How many columns a table may have.
        where: Name of the file.

    Raises:
        UserError: There are more than `caps.max_columns`.
    """
    if len(sample) <= caps.max_columns:
        return
    lines = [line for line in _LINE_END.split(sample, _LINES)[:_LINES] if line.strip()]
    if lines:
        widths = [_n_cells(line, recipe, caps.max_columns) for line in lines]
        caps.check_columns(int(statistics.median_low(widths)), where)


def _n_cells(line: str, recipe: ReadRecipe, most: int) -> int:
    marks = _SEPARATORS if recipe.separator == "auto" else (recipe.separator,)
    count = max(line.count(mark) for mark in marks)
    if count > most and '"' in line:  # a text in quotes may hold as many as it likes
        bare = _IN_QUOTES.sub("", line)
        count = max(bare.count(mark) for mark in marks)
    return count + 1


def check_lines(content: Content, recipe: ReadRecipe, caps: Caps) -> None:
    """Refuse a text with a line whose cells, split, take too much.

    One line of commas among good ones is a row that does not fit, and it is split
    before that is known.

    Args:
        content: The text, as UTF-8.
        recipe: Its separator, if it is chosen, counts alone.
        caps: What is allowed.

    Raises:
        UserError: They take more than `caps.max_bytes`.
    """
    marks = _SEPARATORS if recipe.separator == "auto" else (recipe.separator,)
    for line in _long_lines(content, caps.max_bytes // BYTES_PER_SPLIT_CELL):
        n_cells = 1 + max(line.count(mark.encode()) for mark in marks)
        if n_cells * BYTES_PER_SPLIT_CELL > caps.max_bytes and b'"' in line:
            bare = _QUOTED_CELL.sub(b"", line)
            n_cells = 1 + max(bare.count(mark.encode()) for mark in marks)
        what = f"one line has {n_cells:,} cells, which take"
        caps.check_bytes(n_cells * BYTES_PER_SPLIT_CELL, content.name, what=what)


def _long_lines(content: Content, n_bytes: int) -> Iterator[bytes]:
    """Yield the lines of more than a number of bytes; one within a piece is none."""
    line = bytearray()
    for piece in content.chunks(max(min(n_bytes, _CHUNK_BYTES), 1)):
        ends = piece.replace(b"\r", b"\n")
        at = ends.find(b"\n")
        line += piece if at < 0 else piece[:at]
        if at >= 0:
            if len(line) > n_bytes:
                yield bytes(line)
            line = bytearray(piece[ends.rfind(b"\n") + 1 :])
    if len(line) > n_bytes:
        yield bytes(line)
