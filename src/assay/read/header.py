"""The names of the columns: whether the first row holds them, and what if not.

A first row is a header when it holds words above columns of numbers or dates,
or, in a table of words, when none of its words comes again below.
"""

import re
from collections import Counter
from dataclasses import dataclass

from assay.errors import UserError
from assay.options import ReadRecipe
from assay.read.wording import counted

_MISSING = frozenset(("", "NA", "N/A", "n/a", "na", "?", "-", "null", "NULL", "None", "NaN", "nan"))
_NUMBER = re.compile(r"[-+$€£¥]?\s*\d[\d.,' ]*(?:[eE][+-]?\d+)?\s*[%€$£¥]?|-?[.,]\d+")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ].*)?")
# Longer cells are no numbers or dates; the patterns above take quadratic time.
_MAX_TYPED = 100
_YEAR = re.compile(r"(?:19|20)\d\d")
_TYPED_SHARE = 0.8
_REPEATED_SHARE = 0.05
_MAX_NOTES = 100


@dataclass(frozen=True)
class Names:
    """Column names and how they were found.

    Attributes:
        names: One for each kept column.
        n_header_rows: Rows of the sample that are not data: 0 or 1.
        notes: Sentences for the ledger: what, why, option.
    """

    names: tuple[str, ...]
    n_header_rows: int
    notes: tuple[tuple[str, str, str], ...] = ()


def find_names(
    rows: list[list[str]],
    commented: list[str],
    recipe: ReadRecipe,
    *,
    n_cells: int,
    where: str,
) -> Names:
    """Decide the column names.

    Args:
        rows: Sampled rows, the first of them perhaps the header.
        commented: Cells of a comment line just before the table, or [].
        recipe: `header` and `names` are obeyed.
        n_cells: Cells of a data row.
        where: Name of the file, for messages.

    Returns:
        Names; one fewer than `n_cells` where the last cell of every row is
        empty because rows end in a separator.

    Raises:
        UserError: Names are double, or their number does not fit the rows.
    """
    fitting = [row for row in rows[1:] if len(row) == n_cells]
    has_header = _has_header(rows, fitting, recipe, n_cells)
    if recipe.names and recipe.header == "auto" and _are_known(rows[0], recipe.names, n_cells):
        return _named(rows[0], n_cells, fitting, where)
    if recipe.names:
        return _given_names(recipe.names, n_cells, fitting or rows, int(has_header), where)
    if not has_header and commented and recipe.header != False:  # noqa: E712
        note = ("header found in a comment", f"its {n_cells} cells fit the rows", "read.header")
        named = _named(commented, n_cells, fitting or rows, where)
        return Names(named.names, 0, (note, *named.notes))
    if not has_header:
        names = tuple(f"column_{number + 1}" for number in range(n_cells))
        why = "the first row looks like data" if recipe.header == "auto" else "read.header is false"
        return Names(names, 0, (("columns named by number", why, "read.names"),))
    return _named(rows[0], n_cells, fitting, where)


def looks_like_header(
    first: list[str], below: list[list[str]], *, needs_types: bool = False
) -> bool:
    """Tell whether `first` names the columns of `below`.

    Args:
        first: Cells of the first row.
        below: Rows under it.
        needs_types: Whether only columns of numbers or dates count, and words say nothing.

    Example:
        >>> looks_like_header(["name", "age"], [["Ann", "31"], ["Bob", "22"]])
        True
        >>> looks_like_header(["red", "small"], [["red", "big"], ["blue", "big"]])
        False
    """
    if not below:
        return not any(_is_typed(cell) for cell in first)
    if _numbers_the_columns(first):
        return True
    first, below = _comparable(first, below)
    for_header = for_data = 0
    for at, cell in enumerate(first):
        column = [row[at].strip() for row in below if at < len(row)]
        present = [value for value in column if value not in _MISSING]
        if not present or sum(map(_is_typed, present)) < _TYPED_SHARE * len(present):
            continue
        if _is_typed(cell):
            for_data += 1
        elif cell.strip() not in _MISSING:
            for_header += 1
    if for_header or for_data:
        return for_data == 0 or _holds_years(first, below)
    return not needs_types and _never_recurs(first, below)


def _comparable(first: list[str], below: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    # Columns without a name and without a value say nothing. Neither do repetitions
    # of the first row, if there are few: files that were put one after the other.
    used = [
        at
        for at, cell in enumerate(first)
        if cell.strip() or any(at < len(row) and row[at].strip() for row in below)
    ]
    others = [row for row in below if row != first]
    if not others or len(below) - len(others) > _REPEATED_SHARE * len(below):
        others = below
    if len(used) == len(first):
        return first, others
    return [first[at] for at in used], [[row[at] for at in used if at < len(row)] for row in others]


def _has_header(
    rows: list[list[str]], fitting: list[list[str]], recipe: ReadRecipe, n_cells: int
) -> bool:
    if recipe.header != "auto":
        return bool(recipe.header)
    if len(rows[0]) != n_cells and len(rows[0]) != n_cells - 1:
        return True  # It cannot be data; its width is judged later.
    return looks_like_header(rows[0], fitting)


def _are_known(first: list[str], names: tuple[str, ...], n_cells: int) -> bool:
    """Whether most of a first row are names that are expected, in whatever order."""
    known = set(names)
    n_known = sum(cell.strip() in known for cell in first)
    return len(first) == n_cells and 2 * n_known > n_cells


def _given_names(
    names: tuple[str, ...], n_cells: int, rows: list[list[str]], n_header_rows: int, where: str
) -> Names:
    _check_unique(names, where, "read.names")
    if len(names) == n_cells:
        return Names(names, n_header_rows)
    if len(names) == n_cells - 1 and _ends_empty(rows):
        return Names(names, n_header_rows, (_trailing_note(),))
    raise UserError(
        f"read.names holds {counted(len(names), 'name')}, the rows have {counted(n_cells, 'cell')}",
        where=where,
        fix="Give one name for each column",
    )


def _named(header: list[str], n_cells: int, rows: list[list[str]], where: str) -> Names:
    cells = [cell.strip() for cell in header]
    notes: tuple[tuple[str, str, str], ...] = ()
    if len(cells) == n_cells + 1 and not cells[-1]:
        cells = cells[:-1]
    elif len(cells) == n_cells and n_cells > 1 and not cells[-1] and _ends_empty(rows):
        cells, notes = cells[:-1], (_trailing_note(),)
    elif len(cells) == n_cells - 1 and cells:
        if _ends_empty(rows):
            notes = (_trailing_note(),)
        elif not _holds_row_names(rows):
            raise _unfit_header(cells, n_cells, where)
        else:
            why = f"rows have {n_cells} cells, the header {len(cells)}: the first is a row name"
            cells, notes = ["row_name", *cells], (("column named row_name", why, "read.names"),)
    elif len(cells) != n_cells:
        raise _unfit_header(cells, n_cells, where)
    empty = [at for at, cell in enumerate(cells) if not cell]
    for at in empty:
        cells[at] = f"column_{at + 1}"
    for at in empty[:_MAX_NOTES]:
        why = f"cell {at + 1} of the header is empty"
        notes += ((f"column named {cells[at]}", why, "read.names"),)
    if len(empty) > _MAX_NOTES:
        why = "their cells of the header are empty too"
        what = f"{counted(len(empty) - _MAX_NOTES, 'more column')} named by number"
        notes += ((what, why, "read.names"),)
    _check_unique(cells, where, "the header")
    n_padded = sum(cell != cell.strip() for cell in header)
    if n_padded:
        why = f"{n_padded} stand between spaces in the header"
        notes += (("column names stripped of spaces", why, "read.names"),)
    return Names(tuple(cells), 1, notes)


def _unfit_header(cells: list[str], n_cells: int, where: str) -> UserError:
    return UserError(
        f"the header has {counted(len(cells), 'cell')} ({', '.join(cells[:6])[:200]!r}), "
        f"most rows have {n_cells}",
        where=where,
        fix="Correct the header, or set read.separator, read.header or read.names",
    )


def _holds_row_names(rows: list[list[str]]) -> bool:
    # R writes a name or a number before each row, and no name above them; a header
    # that lacks a separator is as short.
    first = [row[0].strip() for row in rows]
    is_distinct = len(set(first)) == len(first) and all(first)
    return is_distinct and all(cell.isdigit() or not _is_typed(cell) for cell in first)


def _check_unique(names: tuple[str, ...] | list[str], where: str, what: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        shown = ", ".join(repr(name[:40]) for name in twice[:8])
        raise UserError(
            f"{what} names more than one column {shown}",
            where=where,
            fix="Rename them, or give names with read.names",
        )


def _trailing_note() -> tuple[str, str, str]:
    why = "every row ends in a separator; the cell after it is empty and has no name"
    return ("empty last cell dropped", why, "")


def _ends_empty(rows: list[list[str]]) -> bool:
    return bool(rows) and all(row and not row[-1].strip() for row in rows)


def _is_typed(cell: str) -> bool:
    text = cell.strip()
    if len(text) > _MAX_TYPED:
        return False
    return bool(_NUMBER.fullmatch(text) or _DATE.fullmatch(text))


def _numbers_the_columns(first: list[str]) -> bool:
    # 0, 1, 2 ... as pandas writes it for columns without names.
    cells = [cell.strip() for cell in first]
    if len(cells) > 1 and not cells[0]:
        cells = cells[1:]
    return len(cells) > 2 and cells in (
        [str(number) for number in range(len(cells))],
        [str(number) for number in range(1, len(cells) + 1)],
    )


def _holds_years(first: list[str], below: list[list[str]]) -> bool:
    # "country,2019,2020,2021" over numbers that are not years.
    typed = [at for at, cell in enumerate(first) if _is_typed(cell)]
    years = [first[at].strip() for at in typed]
    if len(years) < 2 or not all(_YEAR.fullmatch(year) for year in years):
        return False
    run = [str(int(years[0]) + step) for step in range(len(years))]
    cells = (row[at].strip() for row in below for at in typed if at < len(row))
    return years == run and not any(_YEAR.fullmatch(cell) for cell in cells)


def _never_recurs(first: list[str], below: list[list[str]]) -> bool:
    cells = [cell.strip() for cell in first]
    if any(not cell for cell in cells[1:]):
        return False
    if len(set(cells)) < len(cells):  # Double names, or a row: then others share its words.
        return not set(cells).intersection(cell.strip() for row in below for cell in row)
    return not any(
        cell and any(at < len(row) and row[at].strip() == cell for row in below)
        for at, cell in enumerate(cells)
    )
