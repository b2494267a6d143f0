"""From lines of text to rows of cells, one record at a time, with line numbers.

This is the careful way to read delimited text: a stray quote costs its own
line and not the rest of the file. `delimited` uses it for every file whose
rows do not all fit, `dialect` for the sample it scores.
"""

import csv
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

MAX_RECORD_LINES = 10_000
"""Lines that one quoted cell may span before its quote counts as stray."""


@dataclass(frozen=True)
class Grammar:
    """How cells are written.

    Attributes:
        separator: One character; " " stands for runs of spaces and tabs.
        quote: Quote character, or "" when quotes mean nothing.
        escape: A backslash where it escapes quotes, otherwise "".
        skip_space: Whether spaces after a separator are skipped.
    """

    separator: str = ","
    quote: str = '"'
    escape: str = ""
    skip_space: bool = False


@dataclass(frozen=True)
class Record:
    """One row as it stands in the text.

    Attributes:
        line: Number of its first line, from 1.
        cells: Its cells without quotes; None where a quote never closes.
        text: The raw text, kept only for rows that do not fit.
        is_clean: Whether its quotes follow the rules; a quote inside a quoted
            cell that is not doubled is kept as it is and counts as unclean.
    """

    line: int
    cells: list[str] | None
    text: str = ""
    is_clean: bool = True


def physical_lines(text: str) -> Iterator[str]:
    r"""Yield lines with their ends, which may be \n, \r\n or \r, also mixed."""
    return iter(io.StringIO(text, newline=""))


def iter_records(
    lines: Iterator[str],
    grammar: Grammar,
    *,
    n_cells: int | None = None,
    first_line: int = 1,
    max_lines: int = MAX_RECORD_LINES,
) -> Iterator[Record]:
    r"""Yield the records of a text; blank lines are skipped.

    Args:
        lines: Physical lines with their ends.
        grammar: How cells are written.
        n_cells: Cells a good record has, at least 1. A record of several lines
            with another count is read again line by line. None: any count.
        first_line: Number of the first line.
        max_lines: Lines that a record may span.

    Example:
        >>> text = 'a,b\n1,"x\ny"\n2,"z\n3,4\n'
        >>> [r.cells for r in iter_records(physical_lines(text), Grammar(), n_cells=2)]
        [['a', 'b'], ['1', 'x\ny'], None, ['3', '4']]
    """
    _allow_big_cells()
    feed = _Feed(lines, grammar, first_line=first_line, max_lines=max_lines)
    reader = _csv_reader(feed, grammar)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield feed.retry_first_line()
            reader = _csv_reader(feed, grammar)
            continue
        if not cells or (len(cells) == 1 and cells[0].isspace() and n_cells != 1):
            feed.taken.clear()
            continue
        if n_cells is None or len(cells) == n_cells:
            yield Record(line=feed.line - len(feed.taken) + 1, cells=cells)
            feed.taken.clear()
        elif len(feed.taken) > 1 and _holds_row(feed.taken[1:], grammar, n_cells):
            yield feed.retry_first_line()
            reader = _csv_reader(feed, grammar)
        else:
            yield Record(feed.line - len(feed.taken) + 1, cells, "".join(feed.taken))
            feed.taken.clear()


def split_line(line: str, grammar: Grammar) -> list[str] | None:
    """Split one line, taking quotes inside quoted cells as they are.

    A quote closes its cell only where a separator or the end follows.

    Args:
        line: One line without its end.
        grammar: How cells are written.

    Returns:
        The cells, or None where a quoted cell never closes.

    Example:
        >>> split_line('1,"a "big" dog",2', Grammar())
        ['1', 'a "big" dog', '2']
    """
    quote, separator = grammar.quote, "\x1f" if grammar.separator == " " else grammar.separator
    cells: list[str] = []
    start = 0
    while True:
        if grammar.skip_space:
            while start < len(line) and line[start] == " ":
                start += 1
        if quote and line.startswith(quote, start):
            end = _closing(line, start + 1, quote, separator)
            if end < 0:
                return None
            cells.append(line[start + 1 : end].replace(quote * 2, quote))
            start = end + 2
        else:
            end = line.find(separator, start)
            end = len(line) if end < 0 else end
            cells.append(line[start:end])
            start = end + 1
        if start > len(line):
            return cells


def join_blanks(line: str, quote: str) -> str:
    r"""Turn runs of blanks between cells into unit separators (\x1f).

    Example:
        >>> join_blanks('  1   "two words"\t3\n', '"')
        '1\x1f"two words"\x1f3\n'
    """
    if quote and quote in line:
        found = re.findall(rf"{quote}(?:[^{quote}]|{quote}{quote})*{quote}?|[^\s]+", line)
        return "\x1f".join(found) + "\n"
    return "\x1f".join(line.split()) + "\n"


class _Feed:
    """Hands lines to the csv reader and can give back all but the first."""

    def __init__(
        self, lines: Iterator[str], grammar: Grammar, *, first_line: int, max_lines: int
    ) -> None:
        self.lines = lines
        self.grammar = grammar
        self.line = first_line - 1
        self.max_lines = max_lines
        self.taken: list[str] = []
        self.returned: list[str] = []

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        if len(self.taken) >= self.max_lines:
            raise csv.Error("the record spans too many lines")
        if self.returned:
            line = self.returned.pop()
        else:
            line = next(self.lines)
            if self.grammar.separator == " ":
                line = join_blanks(line, self.grammar.quote)
        self.line += 1
        self.taken.append(line)
        return line

    def retry_first_line(self) -> Record:
        """Read the first line alone and give the others back."""
        first, *others = self.taken
        self.line -= len(others)
        self.returned.extend(reversed(others))
        self.taken.clear()
        text = first.rstrip("\r\n")
        return Record(self.line, split_line(text, self.grammar), first, is_clean=False)


def _csv_reader(feed: "_Feed", grammar: Grammar) -> Iterator[list[str]]:
    return csv.reader(
        feed,
        delimiter="\x1f" if grammar.separator == " " else grammar.separator,
        quotechar=grammar.quote or None,
        quoting=csv.QUOTE_MINIMAL if grammar.quote else csv.QUOTE_NONE,
        escapechar=grammar.escape or None,
        skipinitialspace=grammar.skip_space,
        strict=True,
    )


def _holds_row(lines: list[str], grammar: Grammar, n_cells: int) -> bool:
    # A line that is a whole row by itself was swallowed by a stray quote.
    for line in lines[:100]:
        cells = split_line(line.rstrip("\r\n"), grammar)
        if cells is not None and len(cells) == n_cells:
            return True
    return False


def _closing(line: str, start: int, quote: str, separator: str) -> int:
    at = line.find(quote, start)
    while at >= 0:
        end = at
        while end + 1 < len(line) and line[end + 1] == quote:
            end += 1
        is_odd = (end - at) % 2 == 0
        if is_odd and (end + 1 == len(line) or line[end + 1] == separator):
            return end
        at = line.find(quote, end + 1)
    return -1


def _allow_big_cells() -> None:
    # A limit of the whole process: 2**31 - 1 fits a C long everywhere.
    if csv.field_size_limit() < min(sys.maxsize, 2**31 - 1):
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
