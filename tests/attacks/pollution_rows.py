"""Pollutions of one row: a line more or less, a cell torn, a mark too many.

Each operator takes a table, the number of a row and, for those of cells, of a cell,
and returns the text that stands in the row's place, or None where it would change
nothing or leave a row that is correct. Bytes that are not UTF-8 are written as
lone surrogates ("surrogateescape").
"""

from collections.abc import Callable

from attacks.pollution_tables import CleanTable

CellOperator = Callable[[CleanTable, list[str], str, int], str | None]
"""Table, the row's written cells, the raw cell, its number -> the row's text."""

RowOperator = Callable[[CleanTable, list[str]], str | None]
"""Table, the row's written cells -> the row's text."""

_WRONG = (",", ";", "\t", "|")


def _joined(table: CleanTable, cells: list[str], at: int, new: str) -> str:
    return table.separator.join([*cells[:at], new, *cells[at + 1 :]])


def _merged(table: CleanTable, cells: list[str], at: int, between: str) -> str | None:
    if at + 1 >= len(cells):
        return None
    merged = cells[at] + between + cells[at + 1]
    return table.separator.join([*cells[:at], merged, *cells[at + 2 :]])


def _extra_separator(table: CleanTable, cells: list[str], raw: str, at: int) -> str | None:
    return _joined(table, cells, at, cells[at] + table.separator)


def _missing_separator(table: CleanTable, cells: list[str], raw: str, at: int) -> str | None:
    return _merged(table, cells, at, "")


def _wrong_separator(number: int) -> CellOperator:
    def pollute(table: CleanTable, cells: list[str], raw: str, at: int) -> str | None:
        others = [mark for mark in _WRONG if mark != table.separator]
        return _merged(table, cells, at, others[number])

    return pollute


def _quote_at_start(table: CleanTable, cells: list[str], raw: str, at: int) -> str | None:
    return _joined(table, cells, at, table.quote + cells[at])


def _quote_at_end(table: CleanTable, cells: list[str], raw: str, at: int) -> str | None:
    return _joined(table, cells, at, cells[at] + table.quote)


def _quote_inside(table: CleanTable, cells: list[str], raw: str, at: int) -> str | None:
    middle = len(cells[at]) // 2
    if middle == 0:
        return None
    return _joined(table, cells, at, cells[at][:middle] + table.quote + cells[at][middle:])


def _is_quoted(table: CleanTable, cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == table.quote


def _quotes_dropped(table: CleanTable, cells: list[str], raw: str, at: int) -> str | None:
    return _joined(table, cells, at, raw) if _is_quoted(table, cells[at]) else None


def _opening_dropped(table: CleanTable, cells: list[str], raw: str, at: int) -> str | None:
    return _joined(table, cells, at, cells[at][1:]) if _is_quoted(table, cells[at]) else None


def _closing_dropped(table: CleanTable, cells: list[str], raw: str, at: int) -> str | None:
    return _joined(table, cells, at, cells[at][:-1]) if _is_quoted(table, cells[at]) else None


def _quotes_not_doubled(table: CleanTable, cells: list[str], raw: str, at: int) -> str | None:
    if table.quote not in raw:
        return None
    return _joined(table, cells, at, table.quote + raw + table.quote)


def _other_quote(table: CleanTable, cells: list[str], raw: str, at: int) -> str | None:
    return _joined(table, cells, at, f"'{raw}'")


def _escape_at_end(table: CleanTable, cells: list[str], raw: str, at: int) -> str | None:
    return _joined(table, cells, at, cells[at] + "\\")


def _escaped_quotes(table: CleanTable, cells: list[str], raw: str, at: int) -> str | None:
    quote = table.quote
    return _joined(table, cells, at, f"{quote}\\{quote}{raw}\\{quote}{quote}")


def _text_after_quote(table: CleanTable, cells: list[str], raw: str, at: int) -> str | None:
    quoted = cells[at] if _is_quoted(table, cells[at]) else table.quote + raw + table.quote
    return _joined(table, cells, at, quoted + " x")


def _spaces_around(table: CleanTable, cells: list[str], raw: str, at: int) -> str | None:
    return _joined(table, cells, at, f"  {cells[at]} ")


def _inserted(mark: str) -> CellOperator:
    def pollute(table: CleanTable, cells: list[str], raw: str, at: int) -> str | None:
        middle = len(raw) // 2
        if _is_quoted(table, cells[at]):
            return None
        return _joined(table, cells, at, raw[:middle] + mark + raw[middle:])

    return pollute


CELL_OPERATORS: dict[str, CellOperator] = {
    "extra separator": _extra_separator,
    "missing separator": _missing_separator,
    "wrong separator 1": _wrong_separator(0),
    "wrong separator 2": _wrong_separator(1),
    "wrong separator 3": _wrong_separator(2),
    "quote at the start": _quote_at_start,
    "quote at the end": _quote_at_end,
    "quote inside": _quote_inside,
    "quotes dropped": _quotes_dropped,
    "opening quote dropped": _opening_dropped,
    "closing quote dropped": _closing_dropped,
    "quotes not doubled": _quotes_not_doubled,
    "other quote": _other_quote,
    "escape at the end": _escape_at_end,
    "escaped quotes": _escaped_quotes,
    "text after a quote": _text_after_quote,
    "spaces around": _spaces_around,
    "line end inside": _inserted("\n"),
    "return inside": _inserted("\r"),
    "line separator inside": _inserted("\u2028"),
    "next line inside": _inserted("\x85"),
    "form feed inside": _inserted("\f"),
    "control Z inside": _inserted("\x1a"),
    "zero byte inside": _inserted("\0"),
    "byte of Latin-1 inside": _inserted("\udce9"),
    "cut UTF-8 inside": _inserted("\udce2\udc82"),
}


def _shorter(n_cells: int) -> RowOperator:
    def pollute(table: CleanTable, cells: list[str]) -> str | None:
        kept = cells[:-n_cells]
        return table.separator.join(kept) if kept and any(kept) else None

    return pollute


def _longer(n_cells: int) -> RowOperator:
    def pollute(table: CleanTable, cells: list[str]) -> str | None:
        return table.separator.join([*cells, *["7"] * n_cells])

    return pollute


def _other_separator(number: int) -> RowOperator:
    def pollute(table: CleanTable, cells: list[str]) -> str | None:
        return [mark for mark in _WRONG if mark != table.separator][number].join(cells)

    return pollute


def _whole_row_quoted(table: CleanTable, cells: list[str]) -> str | None:
    inner = table.separator.join(cells).replace(table.quote, table.quote * 2)
    return table.quote + inner + table.quote


def _cut(table: CleanTable, cells: list[str]) -> str | None:
    text = table.separator.join(cells)
    return text[: len(text) // 2]


def _before(line: str) -> RowOperator:
    def pollute(table: CleanTable, cells: list[str]) -> str | None:
        return line + table.separator.join(cells)

    return pollute


def _separators_before(table: CleanTable, cells: list[str]) -> str | None:
    record = table.separator.join(cells)
    return table.separator * (len(table.names) + 1) + "\n" + record


def _header_before(table: CleanTable, cells: list[str]) -> str | None:
    return table.record(table.names) + "\n" + table.separator.join(cells)


def _separator_first(table: CleanTable, cells: list[str]) -> str | None:
    return table.separator + table.separator.join(cells)


def _twice_on_one_line(table: CleanTable, cells: list[str]) -> str | None:
    record = table.separator.join(cells)
    return record + record


def _huge_cell(table: CleanTable, cells: list[str]) -> str | None:
    return _joined(table, cells, len(cells) - 1, "x" * 10_000_000)


def _huge_open_quote(table: CleanTable, cells: list[str]) -> str | None:
    return _joined(table, cells, len(cells) - 1, table.quote + "x, " * 3_333_333)


ROW_OPERATORS: dict[str, RowOperator] = {
    "one cell less": _shorter(1),
    "two cells less": _shorter(2),
    "one cell more": _longer(1),
    "three cells more": _longer(3),
    "all separators wrong 1": _other_separator(0),
    "all separators wrong 2": _other_separator(1),
    "all separators wrong 3": _other_separator(2),
    "whole row quoted": _whole_row_quoted,
    "row cut in the middle": _cut,
    "blank line before": _before("\n"),
    "two blank lines before": _before("\n\n"),
    "spaces on a line before": _before("   \n"),
    "comment before": _before("# a comment, of two parts\n"),
    "title before": _before("Page 2\n"),
    "byte order mark before": _before("\ufeff"),
    "spaces at the start": _before("   "),
    "line of separators before": _separators_before,
    "header before": _header_before,
    "separator first": _separator_first,
    "row twice on one line": _twice_on_one_line,
}

LINE_ENDS = {
    "return as line end": "\r",
    "return and line feed as line end": "\r\n",
    "two returns as line end": "\r\r",
    "no line end": "",
}
"""What ends the polluted row instead of a line feed."""

HUGE_OPERATORS: dict[str, RowOperator] = {
    "cell of 10 MB": _huge_cell,
    "open quote before 10 MB": _huge_open_quote,
}
