"""How a delimited text is written, found from a sample of it.

Each pair of separator and quote is tried on the sample and scored by what it
makes of it: the share of rows with the most common width, whether the cells
read as numbers, dates and plain words, and whether quotes are left over. The
idea of scoring pattern times type is van den Burg, Nazabal and Sutton 2019,
"Wrangling messy CSV files by detecting row and type patterns"; the score is
our own.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace

from assay.errors import UserError
from assay.options import ReadRecipe
from assay.read.header import find_names
from assay.read.lines import Grammar, Record, iter_records, physical_lines
from assay.read.wording import counted

MAX_SAMPLE_ROWS = 1000
_MAX_SCORED_CELLS = 20_000
_MAX_PREAMBLE = 50

# A candidate separator and what a sample must score less to prefer another.
_SEPARATORS = {
    ",": 1.0,
    ";": 1.0,
    "\t": 1.0,
    "|": 1.0,
    "\x01": 1.0,
    "\x1e": 1.0,
    "^": 0.9,
    "~": 0.9,
    " ": 0.75,
    ":": 0.7,
}
_ONE_COLUMN_SCORE = 0.1
_COMMENTS = ("#", "//", "%")
_PLAIN = re.compile(
    r"""\s*(?:
        [+-]?(?:\d{1,3}(?:[, .'\u00a0]\d{3})+|\d+)?(?:[.,]\d*)?(?:[eE][+-]?\d+)?\s*%?  # number
        | [$€£¥]\s*[\d.,]+
        | \d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?.{0,6})?  # date
        | \d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?
        | \?|NA|N/A|n/a|nan|NaN|null|NULL|None|-
        )\s*""",
    re.VERBOSE,
)
_OTHER_SEPARATOR = re.compile(r"[,;|\t]\S")


@dataclass(frozen=True)
class Dialect:
    """What the careful and the fast reader need to know.

    Attributes:
        grammar: Separator and quotes.
        names: Column names, one for each column that is kept.
        n_cells: Cells of a data row.
        first_line: Number, from 1, of the line where data start; behind the
            sample where it has none.
        comment: Prefix of comment lines, or "".
        skips_all_comments: Whether every line with the prefix is a comment
            (set in the recipe); otherwise only those that do not fit as rows.
        notes: Sentences for the ledger: what, why, option.
    """

    grammar: Grammar
    names: tuple[str, ...]
    n_cells: int
    first_line: int
    comment: str = ""
    skips_all_comments: bool = False
    notes: tuple[tuple[str, str, str], ...] = ()


def detect_dialect(
    sample: str, recipe: ReadRecipe, *, where: str, allow_empty: bool = False
) -> Dialect:
    r"""Find out how a text is written.

    Args:
        sample: Whole lines from the start of the text.
        recipe: Options that are not "auto" (or empty) are taken as they are.
        where: Name of the file, for messages.
        allow_empty: Whether a header without rows is accepted. A single line is
            never taken for one where `recipe.names` names other columns.

    Returns:
        The dialect, its names decided.

    Raises:
        UserError: The sample holds no row, only a header, or a header that does
            not fit its rows.

    Example:
        >>> dialect = detect_dialect("a;b\n1,5;x\n2,5;y\n", ReadRecipe(), where="a.csv")
        >>> dialect.grammar.separator, dialect.names
        (';', ('a', 'b'))
    """
    lines = list(physical_lines(sample.removeprefix("\ufeff")))
    hint, n_hint = _separator_line(lines)
    if hint and recipe.separator == "auto":
        recipe = recipe.model_copy(update={"separator": hint})
    n_comments, comment = _leading_comments(lines, n_hint, recipe.comment)
    start = n_hint + n_comments
    body = lines[start:]
    if not any(line.strip() for line in body):
        raise UserError("the file holds no rows", where=where, fix="Choose a file with a table")
    grammar, n_cells = _best_grammar(body, recipe)
    forced = recipe.comment not in ("auto", "none")
    records = [
        record
        for record in _sample_records(body, grammar)
        if not (forced and record.cells and record.cells[0].startswith(comment))
    ]
    records = [replace(record, line=record.line + start) for record in records]
    n_preamble = _preamble(records, n_cells)
    header_comment = lines[start - 1] if n_comments and not forced else ""
    names = find_names(
        [record.cells or [] for record in records[n_preamble:]],
        _as_header(header_comment, comment, grammar, n_cells),
        recipe,
        n_cells=n_cells,
        where=where,
    )
    data = records[n_preamble + names.n_header_rows :]
    header = {cell.strip() for cell in records[n_preamble].cells or []}
    if not data and not (allow_empty and header.intersection(names.names)):
        raise _only_header(records[0], where)
    notes = (*_notes(grammar, n_cells, data, recipe), *names.notes)
    notes += tuple(_preamble_note(record) for record in records[:n_preamble])
    if n_comments:
        what = f"{counted(n_comments, 'line')} skipped at the start"
        notes += ((what, f"comments begin with {comment!r}", "read.comment"),)
    return Dialect(
        grammar=grammar,
        names=names.names,
        n_cells=n_cells,
        first_line=data[0].line if data else len(lines) + 1,
        comment=comment,
        skips_all_comments=forced,
        notes=notes,
    )


def _separator_line(lines: list[str]) -> tuple[str, int]:
    # Spreadsheets understand a first line such as "sep=;".
    match = re.fullmatch(r"sep=(.)\s*", lines[0]) if lines else None
    return (match.group(1), 1) if match else ("", 0)


def _leading_comments(lines: list[str], start: int, option: str) -> tuple[int, str]:
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


def _best_grammar(lines: list[str], recipe: ReadRecipe) -> tuple[Grammar, int]:
    sample = "".join(lines[:MAX_SAMPLE_ROWS])
    best, best_score = (Grammar(), 1), -1.0
    for grammar in _candidates(sample, recipe):
        records = _sample_records(lines, grammar)
        n_cells, score = _score(records, grammar)
        score *= _SEPARATORS.get(grammar.separator, 0.9) * (0.98 if grammar.escape else 1.0)
        if score > best_score:
            best, best_score = (grammar, n_cells), score
    return best


def _candidates(sample: str, recipe: ReadRecipe) -> list[Grammar]:
    separators = [mark for mark in _SEPARATORS if mark in sample]
    if " " not in separators and "\t" in separators:
        separators.append(" ")  # runs of tabs and spaces
    if recipe.separator != "auto":
        separators = [recipe.separator]
    quotes = ['"']
    if '"' in sample:
        quotes.append("")
    if "'" in sample:
        quotes.append("'")
    if recipe.quote != "auto":
        quotes = [recipe.quote]
    grammars = []
    for separator in separators or [","]:
        for quote in quotes:
            grammar = Grammar(separator=separator, quote=quote)
            grammars.append(grammar)
            if quote and separator != " " and f"{separator} {quote}" in sample:
                grammars.append(replace(grammar, skip_space=True))
            if quote and f"\\{quote}" in sample:
                grammars.append(replace(grammar, escape="\\"))
    return grammars


def _sample_records(lines: list[str], grammar: Grammar) -> list[Record]:
    records = []
    for record in iter_records(iter(lines), grammar, max_lines=200):
        records.append(record)
        if len(records) > MAX_SAMPLE_ROWS:
            break
    return records


def _score(records: list[Record], grammar: Grammar) -> tuple[int, float]:
    # Returns the most common width and the score.
    widths = Counter(len(record.cells) for record in records if record.cells is not None)
    if not widths:
        return 1, 0.0
    n_cells = max(widths, key=lambda width: (widths[width] * (width > 1), width))
    share = widths[n_cells] / len(records)
    if n_cells == 1:
        return 1, _ONE_COLUMN_SCORE
    fitting = [r for r in records if r.cells is not None and len(r.cells) == n_cells]
    n_unclean = sum(not record.is_clean for record in fitting)
    body = fitting[1:] or fitting
    cells = [cell for r in body[: max(_MAX_SCORED_CELLS // n_cells, 5)] for cell in r.cells or ()]
    typed = sum(_cell_score(cell, grammar) for cell in cells) / len(cells)
    header_fits = records[0].cells is not None and len(records[0].cells) == n_cells
    score = share**2 * (1 - 0.5 / n_cells) * typed
    return n_cells, score * (1 - n_unclean / len(fitting)) * (1.0 if header_fits else 0.8)


def _cell_score(cell: str, grammar: Grammar) -> float:
    if _PLAIN.fullmatch(cell):
        return 1.0
    text = cell.strip()
    if text[:1] in ('"', "'") or text[-1:] == '"':
        # A quote that is still there was meant as one, unless it closes nothing.
        return 0.0 if text[:1] == text[-1:] or grammar.quote == '"' else 0.3
    if _OTHER_SEPARATOR.search(text) and " " not in text:
        return 0.15
    return 0.6


def _preamble(records: list[Record], n_cells: int) -> int:
    # Lines of titles before the table: narrower than its rows, at the start only.
    for at, record in enumerate(records[:_MAX_PREAMBLE]):
        width = len(record.cells) if record.cells is not None else 0
        if n_cells == 1 or width >= max(n_cells - 1, 2):
            return at
        if width > 1 and at == 0:
            return 0  # A short header is for find_names to judge.
    return 0


def _as_header(line: str, comment: str, grammar: Grammar, n_cells: int) -> list[str]:
    text = line.lstrip().removeprefix(comment).strip() if comment else ""
    if not text or n_cells < 2:
        return []
    record = next(iter_records(iter([text + "\n"]), grammar), None)
    cells = record.cells if record is not None else None
    return cells if cells is not None and len(cells) == n_cells else []


def _only_header(first: Record, where: str) -> UserError:
    shown = ", ".join((first.cells or [])[:8])
    return UserError(
        f"there is only a header and no row below it ({shown})",
        where=where,
        fix="Add rows, or set read.header = false if the line is data",
    )


def _preamble_note(record: Record) -> tuple[str, str, str]:
    shown = " ".join(record.cells or [])[:200]
    return ("line set aside", f"line {record.line} stands before the table: {shown!r}", "")


def _notes(
    grammar: Grammar, n_cells: int, data: list[Record], recipe: ReadRecipe
) -> tuple[tuple[str, str, str], ...]:
    n_fitting = sum(r.cells is not None and len(r.cells) == n_cells for r in data)
    is_unanimous = n_fitting == len(data)
    if is_unanimous or grammar == Grammar() or recipe.separator != "auto":
        return ()
    marks = f"separator {grammar.separator!r}, quote {grammar.quote or 'none'!r}"
    more = ", backslash escapes" if grammar.escape else ""
    cells = counted(n_cells, "cell")
    why = f"{marks}{more} give {cells} in {n_fitting} of {len(data)} sampled rows"
    return (("text format detected", why, "read.separator"),)
