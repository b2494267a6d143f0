"""Pollutions of a whole file: its marks, encodings, line ends, and what stands around.

Each operator takes a table and returns the bytes with what must come out, as a
`Case`, or None where it does not apply.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from attacks.pollution import Case
from attacks.pollution_tables import CleanTable, clean_tables

FileOperator = Callable[[CleanTable], Case | None]

SEPARATORS = (",", ";", "\t", "|", " ", ":", "^", "~", "\x01", "\x1e")
ENCODINGS = (
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "cp1252",
    "latin-1",
)


def file_cases(tables: Sequence[CleanTable] | None = None) -> Iterator[Case]:
    """Pollute every table by every operator of files."""
    for table in clean_tables() if tables is None else tables:
        for operator, pollute in _operators().items():
            case = pollute(table)
            if case is not None:
                name = f"{table.name}: {operator}"
                yield replace(case, name=name, operator=operator)


def refused_cases() -> Iterator[Case]:
    """Yield files without a table; each must be refused in one line."""
    table = clean_tables(1)[0]
    nothing = {
        "empty file": b"",
        "one line end": b"\n",
        "blank lines": b"\n \r\n\t\n\n",
        "byte order mark only": b"\xef\xbb\xbf",
        "byte order mark of UTF-16 only": b"\xff\xfe",
        "zero bytes": b"\0" * 5000,
        "random bytes": bytes((at * 7919 + at // 13) % 256 for at in range(5000)),
        "header only": b"a,b,c\n",
        "header without a line end": b"a,b,c",
        "comments only": b"# a\n# b\n",
        "odd number of bytes in UTF-16": "a,b\n1,2\n".encode("utf-16") + b"x",
        "half a character of UTF-16": b"\xff\xfe" + b"\x00\xd8" * 40,
        "one quote": b'"',
        "quotes only": b'"' * 10_001,
        "returns only": b"\r" * 5000,
        "web page": b"<!DOCTYPE html><html><body>a,b</body></html>",
    }
    for name, data in nothing.items():
        yield Case(name=name, operator=name, data=data, table=table, rows=(), may_refuse=True)


def _whole(table: CleanTable, text: str | bytes, **changes: object) -> Case:
    data = text.encode() if isinstance(text, str) else text
    case = Case(name="", operator="", data=data, table=table, rows=table.rows)
    return replace(case, **changes)  # type: ignore[arg-type]


def _operators() -> dict[str, FileOperator]:
    operators: dict[str, FileOperator] = {
        f"separator {separator!r}, quote {quote}": _written(separator, quote)
        for separator in SEPARATORS
        for quote in ('"', "'")
    }
    operators |= {f"encoding {name}": _encoded(name) for name in ENCODINGS}
    operators |= {f"separator {mark!r}": _long_separator(mark) for mark in _LONG}
    operators |= {f"text before: {what}": _before(text) for what, text in _BEFORE.items()}
    operators |= {f"text after: {what}": _after(text) for what, text in _AFTER.items()}
    operators |= _LINE_ENDS | _HEADERS | _TABLES | _OTHERS
    return operators


def _written(separator: str, quote: str) -> FileOperator:
    def pollute(table: CleanTable) -> Case | None:
        written = table.written(separator=separator, quote=quote)
        # Runs of blanks keep no line ends inside cells.
        has_lines = any("\n" in cell for row in table.rows for cell in row)
        return _whole(table, written.text(), may_refuse=separator == " " and has_lines)

    return pollute


def _encoded(encoding: str) -> FileOperator:
    def pollute(table: CleanTable) -> Case | None:
        try:
            return _whole(table, table.text().encode(encoding))
        except UnicodeEncodeError:
            return None

    return pollute


_LONG = (", ", "; ", " | ", "||", "::", ";;", "\t\t", "  ", " , ")


def _long_separator(mark: str) -> FileOperator:
    def pollute(table: CleanTable) -> Case | None:
        written = table.written(separator=mark.strip() or mark[0])
        text = "".join(mark.join(written.cells(row)) + "\n" for row in (table.names, *table.rows))
        return _whole(table, text, may_refuse=True)

    return pollute


_BEFORE = {
    "title": "Sales of 2020\n",
    "title and a blank line": "Sales of 2020\n\n",
    "two titles": "Sales\nof the year 2020\n",
    "title with a comma": "Sales, of 2020\n",
    "title in quotes": '"Sales ""of"" 2020"\n\n',
    "key and value": "source;web\nmade,today\n\n",
    "title and separators": "Sales,,\n",
    "blank lines": "\n\n\n",
    "spaces": "   \n \n",
    "comments": "# made by a tool\n# on monday, at noon\n",
    "comments of slashes": "// made by a tool\n",
    "long preamble": "".join(f"line {at} of the notes\n" for at in range(20)) + "\n",
    "open quote": 'made by "tool\n\n',
}


def _before(text: str) -> FileOperator:
    def pollute(table: CleanTable) -> Case | None:
        if len(table.names) == 2 and any(mark in text for mark in ",;"):
            return None  # A title as wide as the table is a header to anyone.
        return _whole(table, text + table.text(), may_refuse=True)

    return pollute


_AFTER = {
    "blank lines": "\n\n\n",
    "spaces": "   \n  ",
    "total": "Total\n",
    "note": "\nNote: preliminary, may change\n",
    "line of dashes": "-----\n",
    "control Z": "\x1a",
    "zero bytes": "\0\0\0\0",
    "open quote": '"\n',
    "comment": "# end of file\n",
}


def _after(text: str) -> FileOperator:
    def pollute(table: CleanTable) -> Case | None:
        is_row = len(table.names) == 2 and "," in text
        return _whole(table, table.text() + text, n_more=int(is_row))

    return pollute


def _lines_ended(*ends: str) -> FileOperator:
    def pollute(table: CleanTable) -> Case | None:
        records = table.records()
        text = "".join(record + ends[at % len(ends)] for at, record in enumerate(records))
        return _whole(table, text)

    return pollute


_LINE_ENDS: dict[str, FileOperator] = {
    "line ends \\r\\n": _lines_ended("\r\n"),
    "line ends \\r": _lines_ended("\r"),
    "line ends mixed": _lines_ended("\n", "\r\n"),
    "line ends of three kinds": _lines_ended("\n", "\r\n", "\r"),
    "line ends \\n\\r": _lines_ended("\n\r"),
    "line ends \\r\\r\\n": _lines_ended("\r\r\n"),
    "blank line after each row": _lines_ended("\n\n"),
    "no final line end": lambda table: _whole(table, table.text()[:-1]),
    "no final line end, \\r\\n": lambda table: _whole(table, table.text("\r\n")[:-2]),
}


def _headed(between: str) -> FileOperator:
    def pollute(table: CleanTable) -> Case | None:
        header, *records = table.records()
        between_lines = between.replace("<header>", header)
        return _whole(table, "\n".join([header, between_lines, *records]) + "\n")

    return pollute


def _no_header(table: CleanTable) -> Case | None:
    numbered = tuple(f"column_{at + 1}" for at in range(len(table.names)))
    text = "".join(record + "\n" for record in table.records()[1:])
    return _whole(table.written(names=numbered), text)


def _double_names(table: CleanTable) -> Case | None:
    twice = table.written(names=(table.names[0], *table.names[:-1]))
    return _whole(twice, twice.text(), may_refuse=True)


def _names_of_two_lines(table: CleanTable) -> Case | None:
    names = (f"{table.names[0]}\n(in words)", *table.names[1:])
    result = table.written(names=names)
    return _whole(result, result.text())


def _units_below(table: CleanTable) -> Case | None:
    records = table.records()
    units = table.separator.join(f"({name[:2]})" for name in table.names)
    text = "\n".join([records[0], units, *records[1:]]) + "\n"
    return _whole(table, text, rows=(), n_more=len(table.rows) + 1)


def _header_torn(at: int, new: str) -> FileOperator:
    def pollute(table: CleanTable) -> Case | None:
        cells = list(table.names)
        cells[at] = new.replace("<name>", cells[at])
        records = [table.separator.join(cells), *table.records()[1:]]
        text = "\n".join(records) + "\n"
        return _whole(table, text, may_refuse=True, also=tuple(cells))

    return pollute


def _header_merged(table: CleanTable) -> Case | None:
    # Where the first cells all differ, it is what R writes for rows with names. One
    # cell above two is a title.
    if len(table.names) == 2:
        return None
    cells = [table.names[0] + table.names[1], *table.names[2:]]
    text = "\n".join([table.separator.join(cells), *table.records()[1:]]) + "\n"
    return _whole(table, text, may_refuse=True, also=("row_name", *cells))


_HEADERS: dict[str, FileOperator] = {
    "no header": _no_header,
    "double names": _double_names,
    "name of two lines": _names_of_two_lines,
    "units below the header": _units_below,
    "header, quote at the start": _header_torn(0, '"<name>'),
    "header, quote at the end": _header_torn(-1, '<name>"'),
    "header, cell too many": _header_torn(1, "<name>,;\t|x"),
    "header, two names in one": _header_merged,
    "header twice": _headed("<header>"),
    "header, blank line below": _headed(""),
}


def _two_alike(table: CleanTable) -> Case | None:
    return _whole(table, table.text() + "\n" + table.text(), rows=table.rows * 2)


def _two_unlike(table: CleanTable) -> Case | None:
    other = next(one for one in clean_tables(40) if len(one.names) != len(table.names))
    text = table.text() + "\n" + other.written(separator=table.separator).text()
    return _whole(table, text, may_refuse=True)


def _small_one_first(table: CleanTable) -> Case | None:
    if len(table.names) == 2:
        return None
    small = "\n".join(table.separator.join((f"k{at}", str(at))) for at in range(3))
    return _whole(table, f"{small}\n\n{table.text()}", may_refuse=True)


def _small_one_last(table: CleanTable) -> Case | None:
    if len(table.names) == 2:
        return None
    small = "\n".join(table.separator.join((f"k{at}", str(at))) for at in range(2))
    return _whole(table, f"{table.text()}\n{small}\n")


def _side_by_side(table: CleanTable) -> Case | None:
    gap = table.separator * 2
    text = "".join(
        record + gap + ("side" if at == 0 else "x") + "\n"
        for at, record in enumerate(table.records())
    )
    names = (*table.names, f"column_{len(table.names) + 1}", "side")
    rows = tuple((*row, "", "x") for row in table.rows)
    return _whole(table.written(names=names), text, rows=rows, may_refuse=True)


_TABLES: dict[str, FileOperator] = {
    "two tables alike": _two_alike,
    "two tables of other widths": _two_unlike,
    "small table first": _small_one_first,
    "small table last": _small_one_last,
    "tables side by side": _side_by_side,
}


def _escaped(table: CleanTable) -> Case | None:
    def cell(text: str) -> str:
        quote = table.quote
        special = any(mark in text for mark in (table.separator, quote, "\n"))
        return quote + text.replace(quote, "\\" + quote) + quote if special else text

    lines = (table.separator.join(map(cell, row)) for row in (table.names, *table.rows))
    return _whole(table, "".join(line + "\n" for line in lines))


def _cut_at_the_end(table: CleanTable) -> Case | None:
    text = table.text()
    cut = len(text) - len(table.record(table.rows[-1])) // 2 - 1
    return _whole(table, text[:cut], rows=table.rows[:-1], n_more=1)


def _ends_in_separator(table: CleanTable) -> Case | None:
    header, *records = table.records()
    end = table.separator
    text = "".join(record + end + "\n" for record in records)
    return _whole(table, header + "\n" + text)


def _all_end_in_separator(table: CleanTable) -> Case | None:
    return _whole(table, table.text(table.separator + "\n"))


def _hinted(table: CleanTable) -> Case | None:
    return _whole(table, f"sep={table.separator}\n{table.text()}")


def _row_names(table: CleanTable) -> Case | None:
    header, *records = table.records()
    lines = [f"r{at}{table.separator}{record}" for at, record in enumerate(records)]
    names = ("row_name", *table.names)
    rows = tuple((f"r{at}", *row) for at, row in enumerate(table.rows))
    return _whole(table.written(names=names), "\n".join([header, *lines]) + "\n", rows=rows)


_OTHERS: dict[str, FileOperator] = {
    "clean": lambda table: _whole(table, table.text()),
    "every cell quoted": lambda table: _whole(table, table.written(quotes_all=True).text()),
    "backslashes before quotes": _escaped,
    "cut at the end": _cut_at_the_end,
    "rows end in a separator": _ends_in_separator,
    "all lines end in a separator": _all_end_in_separator,
    "separator told in the first line": _hinted,
    "row names without a name": _row_names,
    "one row": lambda table: _whole(
        table.written(rows=table.rows[:1]), table.written(rows=table.rows[:1]).text()
    ),
    "spaces before each line": lambda table: _whole(
        table, "".join("  " + record + "\n" for record in table.records()), may_refuse=True
    ),
}
