"""Delimited text: CSV and its relatives, every cell as text, no row lost unseen.

A clean file is parsed by Polars, and the result is checked against counts of
separators and line ends in the file itself, because Polars fills short rows
without a word. A file that fails the check is read line by line: rows that do
not fit are set aside with their line number and text.
"""

import codecs
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read.caps import BYTES_PER_SPLIT_CELL, BYTES_PER_TEXT, Caps, caps_of
from assay.read.content import Content
from assay.read.dialect import Dialect, detect_dialect
from assay.read.encoding import decoded, flaw_of, shown, to_utf8
from assay.read.lines import Record, iter_records
from assay.read.width import check_lines, check_width
from assay.read.wording import counted
from assay.table import Table

MAX_LISTED_ROWS = 100
"""Rows set aside that the ledger lists one by one."""

_SAMPLE_BYTES = 1 << 20
_MAX_SAMPLE_BYTES = 1 << 28
_BATCH_ROWS = 20_000
_SHOWN_CHARACTERS = 200
_MARK = "\ufeff"


def read_delimited(
    content: Content, recipe: ReadRecipe, ledger: Ledger, *, allow_empty: bool = False
) -> Table:
    """Read a delimited text file.

    Args:
        content: The file, decompressed.
        recipe: What is not "auto" is not detected.
        ledger: Told of the encoding, an unusual format, missing names, and
            every row and line set aside.
        allow_empty: Whether a header without rows gives a table of no rows.

    Returns:
        A table whose columns are all text, cells as in the file without their
        quotes; an empty cell is an empty text.

    Raises:
        UserError: The file is binary, holds no row, names a column twice, or
            the share of rows that do not fit, or hold bytes that are no text,
            exceeds `recipe.max_bad_rows`.
    """
    text = to_utf8(content, recipe.encoding, ledger)
    check_lines(text, recipe, caps_of(recipe))
    sample = _sample(text, caps_of(recipe))
    check_width(sample, recipe, caps_of(recipe), content.name)
    dialect = detect_dialect(sample, recipe, where=content.name, allow_empty=allow_empty)
    caps_of(recipe).check_columns(dialect.n_cells, content.name)
    _check_cells(text, dialect, caps_of(recipe))
    for what, why, undo in dialect.notes:
        ledger.add(what, where=content.name, why=why, undo=undo)
    frame = _read_fast(text, dialect)
    if frame is None:
        frame = _read_carefully(text, dialect, recipe, ledger, allow_empty=allow_empty)
    return Table(frame=_without_last_cell(frame, dialect, content.name), source=content.name)


def _sample(content: Content, caps: Caps) -> str:
    # Whole lines: at least 1 MB, and some 20 lines of a wide table, 2 of one as wide as may be.
    n_bytes = _SAMPLE_BYTES
    usual = caps.max_bytes // BYTES_PER_SPLIT_CELL
    head = content.head(n_bytes)
    while len(head) == n_bytes < _MAX_SAMPLE_BYTES:
        if max(map(head.count, (b"\n", b"\r"))) >= (20 if n_bytes < usual else 2):
            break
        n_bytes *= 8
        head = content.head(n_bytes)
    if len(head) < content.size_bytes:
        cut = max(head.rfind(b"\n"), head.rfind(b"\r")) + 1
        head = head[:cut] or head
    return decoded(head)


@dataclass
class _Counts:
    """Bytes of the data part of a file that the fast result must account for."""

    n_lines: int = 0
    n_separators: int = 0
    n_quotes: int = 0
    n_lone_returns: int = 0
    n_zeros: int = 0


def _read_fast(content: Content, dialect: Dialect) -> pl.DataFrame | None:
    grammar = dialect.grammar
    if grammar.escape or grammar.skip_space or grammar.separator == " ":
        return None
    if dialect.skips_all_comments or dialect.n_cells < 2:
        return None
    if len(grammar.separator) > 1 or not grammar.separator.isascii():
        return None
    if grammar.quote and not grammar.quote.isascii():
        return None
    counts = _count(content, dialect)
    if counts.n_lone_returns or counts.n_zeros:
        return None
    if not counts.n_quotes and counts.n_separators != (dialect.n_cells - 1) * counts.n_lines:
        return None  # what Polars made of it would not be taken
    if not _begins_well(content, dialect):
        return None
    try:
        frame = pl.read_csv(
            content.for_polars(),
            has_header=False,
            skip_lines=dialect.first_line - 1,
            separator=grammar.separator,
            quote_char=grammar.quote or None,
            schema={f"c{at}": pl.String for at in range(dialect.n_cells)},
            empty_string_is_null=False,
            glob=False,
        )
    except (pl.exceptions.PolarsError, OSError):
        return None
    return frame if _accounts_for(frame, counts, dialect) else None


def _count(content: Content, dialect: Dialect) -> _Counts:
    counts = _Counts()
    separator = dialect.grammar.separator.encode()
    quote = dialect.grammar.quote.encode()
    n_returns = n_pairs = 0
    n_skipped = dialect.first_line - 1
    last = b""
    for piece in content.chunks():
        n_pairs += piece.count(b"\r\n") + (last == b"\r" and piece[:1] == b"\n")
        n_returns += piece.count(b"\r")
        counts.n_zeros += piece.count(b"\0")
        last = piece[-1:]
        while n_skipped and piece:
            _, end, piece = piece.partition(b"\n")
            n_skipped -= len(end)
        counts.n_lines += piece.count(b"\n")
        counts.n_separators += piece.count(separator)
        counts.n_quotes += piece.count(quote) if quote else 0
    counts.n_lines += last != b"\n"
    counts.n_lone_returns = n_returns - n_pairs
    return counts


def _begins_well(content: Content, dialect: Dialect) -> bool:
    # Polars keeps hundreds of bytes for each surplus cell of the first row, and of no other.
    first = next(_records(content, dialect), None)
    return first is not None and first.cells is not None and len(first.cells) == dialect.n_cells


def _accounts_for(frame: pl.DataFrame, counts: _Counts, dialect: Dialect) -> bool:
    # Each line end and separator of the file ends a row or a cell, or stands
    # inside a cell. Padded short rows and blank lines break the sums.
    if frame.height == 0 or frame.width != dialect.n_cells:
        return False
    grammar = dialect.grammar
    n_inner_lines = n_inner_separators = 0
    if counts.n_quotes:
        for series in frame.iter_columns():
            n_inner_separators += _occurrences(series, grammar.separator)
            n_inner = _occurrences(series, "\n")
            if n_inner:
                cells = series.filter(series.str.contains("\n", literal=True))
                if cells.str.contains(grammar.quote, literal=True).any():
                    return False  # Perhaps a stray quote swallowed rows.
                n_inner_lines += n_inner
    if dialect.comment and frame.to_series(0).str.starts_with(dialect.comment).any():
        return False
    if dialect.header and _holds_header(frame, dialect.header):
        return False
    n_ends = (dialect.n_cells - 1) * frame.height
    return (
        counts.n_lines == frame.height + n_inner_lines
        and counts.n_separators == n_ends + n_inner_separators
    )


def _holds_header(frame: pl.DataFrame, header: tuple[str, ...]) -> bool:
    is_first = frame.to_series(0).is_in([header[0], _MARK + header[0]])
    if not is_first.any():
        return False
    return any(_is_header(row, header) for row in frame.filter(is_first).iter_rows())


def _is_header(cells: Sequence[str], header: tuple[str, ...]) -> bool:
    # Files put one after the other leave a byte order mark before the second header.
    return tuple(cells[1:]) == header[1:] and cells[0].removeprefix(_MARK) == header[0]


def _occurrences(series: pl.Series, mark: str) -> int:
    return int(series.str.count_matches(mark, literal=True).sum() or 0)


@dataclass
class _Rejects:
    """Rows that did not fit: the first hundred and how many there were."""

    n_rows: int = 0
    n_comments: int = 0
    n_unclean: int = 0
    first_unclean: int = 0
    headers: list[int] = field(default_factory=list)
    listed: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, record: Record, n_cells: int, flaw: str) -> None:
        """Note one row and why it is none."""
        self.n_rows += 1
        if len(self.listed) < MAX_LISTED_ROWS:
            width = "a quote that never closes"
            if record.cells is not None:
                width = counted(len(record.cells), "cell")
            text = record.text or ",".join(record.cells or ())
            text = shown(text.rstrip("\r\n")[:_SHOWN_CHARACTERS])
            why = flaw or f"{width} where {_expected(n_cells)}"
            self.listed.append((record.line, why, text))


def _expected(n_cells: int) -> str:
    return "1 is expected" if n_cells == 1 else f"{n_cells} are expected"


def _read_carefully(
    content: Content, dialect: Dialect, recipe: ReadRecipe, ledger: Ledger, *, allow_empty: bool
) -> pl.DataFrame:
    rejects = _Rejects()
    batches: list[pl.DataFrame] = []
    rows: list[list[str]] = []
    for cells in _good_rows(content, dialect, rejects):
        rows.append(cells)
        if len(rows) == _BATCH_ROWS:
            batches.append(_frame(rows, dialect.n_cells))
            rows = []
    if rows or not batches:
        batches.append(_frame(rows, dialect.n_cells))
    n_good = sum(batch.height for batch in batches)
    if not allow_empty and not n_good + rejects.n_rows:
        raise UserError("there is a header but no row", where=content.name, fix="Add rows")
    _judge(rejects, n_good, recipe, content.name)
    _tell(rejects, dialect, content.name, ledger)
    return pl.concat(batches)


def _good_rows(content: Content, dialect: Dialect, rejects: _Rejects) -> Iterator[list[str]]:
    has_flaws = _has_flaws(content)
    prefix, n_cells, header = dialect.comment, dialect.n_cells, dialect.header
    for record in _records(content, dialect):
        cells = record.cells
        is_good = cells is not None and len(cells) == n_cells
        if prefix and (dialect.skips_all_comments or not is_good):
            start = (cells or [record.text])[0]
            if start.lstrip().startswith(prefix):
                rejects.n_comments += 1
                continue
        flaw = flaw_of("".join(cells or ())) if has_flaws else ""
        if cells is None or not is_good or flaw:
            rejects.add(record, n_cells, flaw)
            continue
        if header and cells[0].endswith(header[0]) and _is_header(cells, header):
            rejects.headers.append(record.line)
            continue
        if not record.is_clean:
            rejects.n_unclean += 1
            rejects.first_unclean = rejects.first_unclean or record.line
        yield cells


def _records(content: Content, dialect: Dialect) -> Iterator[Record]:
    lines = _lines_of(content)
    for _ in range(dialect.first_line - 1):
        next(lines, None)
    return iter_records(
        lines, dialect.grammar, n_cells=dialect.n_cells, first_line=dialect.first_line
    )


def _lines_of(content: Content) -> Iterator[str]:
    # As `physical_lines` of the whole text, which would take four bytes a letter.
    errors = "surrogateescape"
    with io.TextIOWrapper(content.open(), "utf-8-sig", errors=errors, newline="") as lines:
        yield from lines


def _has_flaws(content: Content) -> bool:
    # Whether some rows of the text are no text.
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in content.chunks():
            if b"\0" in piece:
                return True
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return True
    return False


def _check_cells(content: Content, dialect: Dialect, caps: Caps) -> None:
    # Every cell ends at a separator or at the end of a line, and is a text of its own.
    separator = dialect.grammar.separator.encode()
    n_lines = n_ends = 0
    for piece in content.chunks():
        n_in_piece = piece.count(b"\n") + piece.count(b"\r") - piece.count(b"\r\n")
        n_lines += n_in_piece
        n_ends += n_in_piece + piece.count(separator)
    n_cells = min(n_lines * dialect.n_cells, n_ends)
    what = f"its {n_cells:,} cells take"
    caps.check_bytes(BYTES_PER_TEXT * n_cells, content.name, what=what)


def _frame(rows: list[list[str]], n_cells: int) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * n_cells
    return pl.DataFrame(
        [
            pl.Series(f"c{at}", column, dtype=pl.String)
            for at, column in zip(range(n_cells), columns, strict=True)
        ]
    )


def _judge(rejects: _Rejects, n_good: int, recipe: ReadRecipe, where: str) -> None:
    if not rejects.n_rows:
        return
    n_rows = n_good + rejects.n_rows
    share = rejects.n_rows / n_rows
    if share > recipe.max_bad_rows or not n_good:
        line, why, text = rejects.listed[0]
        verb = "does" if rejects.n_rows == 1 else "do"
        raise UserError(
            f"{why}: {text[:80]!r}; {rejects.n_rows} of {counted(n_rows, 'row')} {verb} not fit",
            where=f"{where}, line {line}",
            fix=_advice(share),
        )


def _advice(bad_share: float) -> str:
    allowed = math.floor(bad_share * 1000 + 1) / 1000
    if allowed >= 1:  # no share that can be allowed
        return "Correct the rows, or set read.separator, read.quote or read.header"
    return f"Correct the rows, or set them aside with read.max_bad_rows = {allowed}"


def _tell(rejects: _Rejects, dialect: Dialect, where: str, ledger: Ledger) -> None:
    for line, why, text in rejects.listed:
        ledger.add(
            "row set aside",
            where=f"{where}, line {line}",
            why=f"{why}: {text!r}",
            undo="read.max_bad_rows = 0 makes it an error",
        )
    n_more = rejects.n_rows - len(rejects.listed)
    if n_more:
        why = f"{_expected(dialect.n_cells)} in a row; the first {MAX_LISTED_ROWS} are listed"
        what = f"{counted(n_more, 'more row')} set aside"
        ledger.add(what, where=where, why=why, undo="read.max_bad_rows")
    for line in rejects.headers[:MAX_LISTED_ROWS]:
        why = "it repeats the header; perhaps files were put one after the other"
        ledger.add("line set aside", where=f"{where}, line {line}", why=why, undo="read.names")
    if len(rejects.headers) > MAX_LISTED_ROWS:
        what = f"{len(rejects.headers) - MAX_LISTED_ROWS} more lines set aside"
        ledger.add(what, where=where, why="they repeat the header", undo="read.names")
    if rejects.n_comments:
        why = f"the comment mark is {dialect.comment!r}"
        what = f"{counted(rejects.n_comments, 'comment line')} skipped"
        ledger.add(what, where=where, why=why, undo='read.comment = "none"')
    if rejects.n_unclean:
        why = f"a quote inside a quoted cell is not doubled, first in line {rejects.first_unclean}"
        what = f"stray quotes kept as text in {counted(rejects.n_unclean, 'row')}"
        ledger.add(what, where=where, why=why, undo="read.quote")


def _without_last_cell(frame: pl.DataFrame, dialect: Dialect, where: str) -> pl.DataFrame:
    # Rows that end in a separator have one cell more than there are names.
    if len(dialect.names) == frame.width - 1:
        last = frame.to_series(frame.width - 1)
        filled = last.str.strip_chars() != ""
        if filled.any():
            row = int(filled.arg_max() or 0) + 1
            raise UserError(
                f"data row {row} has text {last[row - 1]!r} after its last separator, "
                f"where no column is named",
                where=where,
                fix="Name that column in the header, or give read.names",
            )
        frame = frame.drop(last.name)
    frame.columns = list(dialect.names)
    return frame
