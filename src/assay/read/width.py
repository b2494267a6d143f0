"""A text so wide that its format need not be detected: refused from its first lines."""

import re
import statistics

from assay.options import ReadRecipe
from assay.read.caps import Caps

_SEPARATORS = (",", ";", "\t", "|", " ")
_LINES = 5
_LINE_END = re.compile(r"\r\n?|\n")
_IN_QUOTES = re.compile(r'"[^"]*"')


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
