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

_UNIT = "\x1f"


@dataclass(frozen=True)
class Grammar:
    """How cells are written.

    Attributes:
        separator: One character, or two alike such as "||"; " " stands for runs of
            spaces and tabs.
        quote: Quote character, or "" when quotes mean nothing.
        escape: A backslash where it escapes quotes, otherwise "".
        skip_space: Whether spaces between a separator and a quote are skipped.
    """

    separator: str = ","
    quote: str = '"'
    escape: str = ""
    skip_space: bool = False

    @property
    def mark(self) -> str:
        """The one character between the cells of a prepared line."""
        return self.separator if len(self.separator) == 1 and self.separator != " " else _UNIT

    def prepared(self, line: str, *, is_open: bool = False) -> str:
        """Return a line with one character between its cells.

        Args:
            line: With its end or without.
            is_open: Whether it begins inside a quoted cell.
        """
        if self.separator == " ":
            return join_blanks(line, self.quote, is_open=is_open)
        return line.replace(self.separator, _UNIT) if len(self.separator) > 1 else line

    def restored(self, cells: list[str]) -> list[str]:
        """Undo `prepared` inside quoted cells."""
        if len(self.separator) == 1:
            return cells
        return [cell.replace(_UNIT, self.separator) for cell in cells]


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
        cells = cells if feed.is_plain else grammar.restored(cells)
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
    return _split(line, grammar)[0]


def _split(line: str, grammar: Grammar) -> tuple[list[str] | None, int]:
    # The cells, and how many quotes inside quoted cells are not doubled.
    quote, separator = grammar.quote, grammar.mark
    line = grammar.prepared(line).rstrip("\r\n")
    cells: list[str] = []
    start = n_strays = 0
    while True:
        if grammar.skip_space:
            while start < len(line) and line[start] == " ":
                start += 1
        if quote and line.startswith(quote, start):
            end, after, n_inner = _closing(line, start + 1, grammar)
            n_strays += n_inner
            if end < 0:
                return None, n_strays
            cells.append(line[start + 1 : end].replace(quote * 2, quote))
            start = after + 1
        else:
            end = line.find(separator, start)
            end = len(line) if end < 0 else end
            cells.append(line[start:end])
            start = end + 1
        if start > len(line):
            return grammar.restored(cells), n_strays


def join_blanks(line: str, quote: str, *, is_open: bool = False) -> str:
    r"""Turn runs of blanks between cells into unit separators (\x1f).

    Args:
        line: With its end or without.
        quote: Quote character, or "".
        is_open: Whether the line begins inside a quoted cell, which stays as it is.

    Example:
        >>> join_blanks('  1   "two words"\t3\n', '"')
        '1\x1f"two words"\x1f3\n'
        >>> join_blanks('two words"   3\n', '"', is_open=True)
        'two words"\x1f3\n'
    """
    mark = re.escape(quote)
    head = ""
    if is_open:
        inside = re.match(rf"(?:[^{mark}]|{mark}{mark})*{mark}", line)
        if inside is None:
            return line
        head, line = inside[0], line[inside.end() :]
        if line[:1].isspace() and line.strip():
            head += _UNIT
    if not quote or quote not in line:
        return head + _UNIT.join(line.split()) + "\n"
    # A quote closes a cell only before a blank: "a",b is no cell, then another.
    found = re.findall(rf"{mark}(?:[^{mark}]|{mark}{mark})*+(?:{mark}(?!\S)|\Z)|\S+", line)
    joined = head + _UNIT.join(found)
    return joined if joined.endswith("\n") else joined + "\n"


class _Feed:
    """Hands lines to the csv reader and can give back all but the first."""

    def __init__(
        self, lines: Iterator[str], grammar: Grammar, *, first_line: int, max_lines: int
    ) -> None:
        self.lines = lines
        self.grammar = grammar
        self.is_plain = grammar.mark == grammar.separator
        self.line = first_line - 1
        self.max_lines = max_lines
        self.taken: list[str] = []
        self.returned: list[str] = []

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        if len(self.taken) >= self.max_lines:
            raise csv.Error("the record spans too many lines")
        line = self.returned.pop() if self.returned else next(self.lines)
        self.line += 1
        self.taken.append(line)
        if self.is_plain:
            return line
        return self.grammar.prepared(line, is_open=len(self.taken) > 1)

    def retry_first_line(self) -> Record:
        """Read the first line alone and give the others back."""
        first, *others = self.taken
        self.line -= len(others)
        self.returned.extend(reversed(others))
        self.taken.clear()
        cells, n_strays = _split(first.rstrip("\r\n"), self.grammar)
        return Record(self.line, cells, first, is_clean=n_strays == 0)


def _csv_reader(feed: "_Feed", grammar: Grammar) -> Iterator[list[str]]:
    return csv.reader(
        feed,
        delimiter=grammar.mark,
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


def _closing(line: str, start: int, grammar: Grammar) -> tuple[int, int, int]:
    # Where the quote stands that closes a cell, or -1; where the separator after it;
    # and how many quotes before it could have closed the cell and did not.
    quote, n_strays = grammar.quote, 0
    at = line.find(quote, start)
    while at >= 0:
        end = at
        while end + 1 < len(line) and line[end + 1] == quote:
            end += 1
        after = end + 1
        while grammar.skip_space and after < len(line) and line[after] == " ":
            after += 1
        is_odd = (end - at) % 2 == 0
        if is_odd and (after == len(line) or line[after] == grammar.mark):
            return end, after, n_strays
        n_strays += is_odd
        at = line.find(quote, end + 1)
    return -1, -1, n_strays


def _allow_big_cells() -> None:
    # A limit of the whole process: 2**31 - 1 fits a C long everywhere.
    if csv.field_size_limit() < min(sys.maxsize, 2**31 - 1):
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
