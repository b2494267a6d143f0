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
from assay.read.caps import caps_of
from assay.read.encoding import flaw_of, shown
from assay.read.header import find_names
from assay.read.lines import Grammar, Record, iter_records, physical_lines, split_line
from assay.read.preamble import count_titles, leading_comments, note_of, separator_line
from assay.read.wording import counted

MAX_SAMPLE_ROWS = 1000
_MAX_SCORED_CELLS = 20_000
# Lines above 64 kB and a hundred times the usual length are left out of the scores,
# if there are few.
_MAX_LINE = 1 << 16
_MAX_LENGTHS = 100
_FEW_LINES = 0.05

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
_PLAIN = re.compile(
    r"""
        [+-]?(?:\d{1,3}(?:[, .'\u00a0]\d{3})+|\d+)?(?:[.,]\d*)?(?:[eE][+-]?\d+)?\s*%?  # number
        | [$€£¥]\s*[\d.,]+
        | \d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?.{0,6})?  # date
        | \d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?
        | \?|NA|N/A|n/a|nan|NaN|null|NULL|None|-
        """,
    re.VERBOSE,
)
# Longer cells are no numbers or dates; the pattern above takes quadratic time.
_MAX_PLAIN = 100
_MAX_SCORED = 1000
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
        header: Cells of the header as they stand in the file, or () where a row that
            equals it may well be data.
        comment: Prefix of comment lines, or "".
        skips_all_comments: Whether every line with the prefix is a comment
            (set in the recipe); otherwise only those that do not fit as rows.
        notes: Sentences for the ledger: what, why, option.
    """

    grammar: Grammar
    names: tuple[str, ...]
    n_cells: int
    first_line: int
    header: tuple[str, ...] = ()
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
    hint, n_hint = separator_line(lines)
    if hint and recipe.separator == "auto":
        recipe = recipe.model_copy(update={"separator": hint})
    n_comments, comment = leading_comments(lines, n_hint, recipe.comment)
    start = n_hint + n_comments
    grammar, n_cells, records = _records(lines[start:], start, recipe, comment, where)
    n_titles = count_titles(records, n_cells)
    first = records[n_titles]
    for record in records[: n_titles + 1]:
        _check_header(record, grammar, n_cells, where)
    forced = _is_forced(recipe.comment)
    commented = lines[start - 1] if n_comments and not forced else ""
    names = find_names(
        [record.cells or [] for record in records[n_titles:]],
        _as_header(commented, comment, grammar, n_cells),
        recipe,
        n_cells=n_cells,
        where=where,
    )
    data = records[n_titles + names.n_header_rows :]
    header = first.cells or []
    if not data and not (allow_empty and set(names.names).intersection(map(str.strip, header))):
        raise _only_header(records[0], where)
    notes = (*_notes(grammar, n_cells, data, recipe), *names.notes)
    notes += tuple(note_of(record) for record in records[:n_titles])
    if n_comments:
        what = f"{counted(n_comments, 'line')} skipped at the start"
        notes += ((what, f"comments begin with {comment!r}", "read.comment"),)
    return Dialect(
        grammar=grammar,
        names=names.names,
        n_cells=n_cells,
        first_line=data[0].line if data else len(lines) + 1,
        header=_header_cells(header, n_cells) if names.n_header_rows else (),
        comment=comment,
        skips_all_comments=forced,
        notes=notes,
    )


def _records(
    lines: list[str], start: int, recipe: ReadRecipe, comment: str, where: str
) -> tuple[Grammar, int, list[Record]]:
    # The grammar of a sample, the width of its rows, and its first records.
    if not any(line.strip() for line in lines):
        raise UserError("the file holds no rows", where=where, fix="Choose a file with a table")
    grammar, n_cells = _best_grammar(lines, recipe)
    caps_of(recipe).check_columns(n_cells, where)
    records = [
        replace(record, line=record.line + start)
        for record in _sample_records(lines, grammar)
        if not (_is_forced(recipe.comment) and (record.cells or [""])[0].startswith(comment))
    ]
    if not records:
        raise UserError("the file holds no rows", where=where, fix="Choose a file with a table")
    return grammar, n_cells, records


def _is_forced(comment: str) -> bool:
    return comment not in ("auto", "none")


def _check_header(first: Record, grammar: Grammar, n_cells: int, where: str) -> None:
    # One of the first rows may be the header: nothing of it may be lost.
    flaw = flaw_of("".join(first.cells or [first.text]))
    if first.cells is None and n_cells > 1:
        bare = split_line(first.text, replace(grammar, quote=""))
        if bare is not None and abs(len(bare) - n_cells) <= 1:
            flaw = "a quote that never closes"
    if flaw:
        text = shown(first.text or ",".join(first.cells or ()))
        raise UserError(
            f"the first row holds {flaw}: {text[:80]!r}",
            where=f"{where}, line {first.line}",
            fix="Correct it",
        )


def _best_grammar(lines: list[str], recipe: ReadRecipe) -> tuple[Grammar, int]:
    lines = _usual(lines)
    sample = "".join(lines[:MAX_SAMPLE_ROWS])
    best, best_score = (Grammar(), 1), -1.0
    for grammar in _candidates(sample, recipe):
        records = _sample_records(lines, grammar)
        n_cells, score = _score(records, grammar)
        score *= _SEPARATORS.get(grammar.separator, 0.9) * (0.98 if grammar.escape else 1.0)
        if score > best_score:
            best, best_score = (grammar, n_cells), score
    return _doubled(lines, *best) if recipe.separator == "auto" else best


def _usual(lines: list[str]) -> list[str]:
    # One cell of 10 MB would be scored for each pair of separator and quote.
    typical = sorted(map(len, lines))[len(lines) // 2]
    limit = max(_MAX_LINE, _MAX_LENGTHS * typical)
    usual = [line for line in lines if len(line) <= limit]
    return usual if len(lines) - len(usual) <= max(1, _FEW_LINES * len(lines)) else lines


def _doubled(lines: list[str], grammar: Grammar, n_cells: int) -> tuple[Grammar, int]:
    # Two separators between cells, such as "||", leave every second cell empty.
    if grammar.separator == " " or n_cells % 2 == 0 or n_cells == 1:
        return grammar, n_cells
    records = _sample_records(lines, grammar)
    rows = [r.cells for r in records if r.cells is not None and len(r.cells) == n_cells]
    if not rows or any(cell for row in rows for cell in row[1::2]):
        return grammar, n_cells
    return replace(grammar, separator=grammar.separator * 2), n_cells // 2 + 1


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
            if quote and separator != " " and _has_spaces(sample, separator, quote):
                grammars.append(replace(grammar, skip_space=True))
            if quote and f"\\{quote}" in sample:
                grammars.append(replace(grammar, escape="\\"))
    return grammars


def _has_spaces(sample: str, separator: str, quote: str) -> bool:
    inside = (f"{separator} {quote}", f"{quote} {separator}")
    return any(mark in sample for mark in inside) or bool(
        re.search(rf"^ +{re.escape(quote)}", sample, flags=re.MULTILINE)
    )


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
    rows = [r.cells or [] for r in body[: max(_MAX_SCORED_CELLS // n_cells, 5)]]
    step = 1 + len(rows) * n_cells // (5 * _MAX_SCORED_CELLS)
    cells = [cell for row in rows for cell in row[::step]]
    typed = sum(_cell_score(cell, grammar) for cell in cells) / len(cells)
    header_fits = records[0].cells is not None and len(records[0].cells) == n_cells
    score = share**2 * (1 - 0.5 / n_cells) * typed
    return n_cells, score * (1 - n_unclean / len(fitting)) * (1.0 if header_fits else 0.8)


def _cell_score(cell: str, grammar: Grammar) -> float:
    text = cell.strip()
    if len(text) <= _MAX_PLAIN and _PLAIN.fullmatch(text):
        return 1.0
    if text[:1] in ('"', "'") or text[-1:] == '"':
        is_wrapped = len(text) > 1 and text[:1] == text[-1:]
        n_inner = text.count(grammar.quote) if grammar.quote else 0
        if n_inner and n_inner % 2 == 0 and not is_wrapped:
            return 0.6  # Quotes in pairs were doubled, or belong to the text.
        # A quote that is still there was meant as one, unless it closes nothing.
        return 0.0 if text[:1] == text[-1:] or grammar.quote == '"' else 0.3
    text = text[:_MAX_SCORED]
    if _OTHER_SEPARATOR.search(text) and " " not in text:
        return 0.15
    return 0.6


def _as_header(line: str, comment: str, grammar: Grammar, n_cells: int) -> list[str]:
    text = line.lstrip().removeprefix(comment).strip() if comment else ""
    if not text or n_cells < 2:
        return []
    record = next(iter_records(iter([text + "\n"]), grammar), None)
    cells = record.cells if record is not None else None
    return cells if cells is not None and len(cells) == n_cells else []


def _header_cells(first: list[str], n_cells: int) -> tuple[str, ...]:
    # Numbers, such as 0,1,2 above numbers, may come again as data.
    has_words = any(character.isalpha() for cell in first for character in cell)
    return tuple(first) if has_words and len(first) == n_cells > 1 else ()


def _only_header(first: Record, where: str) -> UserError:
    cells = ", ".join((first.cells or [])[:8])
    return UserError(
        f"there is only a header and no row below it ({cells[:200]!r})",
        where=where,
        fix="Add rows, or set read.header = false if the line is data",
    )


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
