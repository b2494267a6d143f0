"""How far the sheets of a workbook reach, before the reader meets them.

One cell in the last corner of a sheet, or one cell repeated, makes a table of
17,000,000,000. A sheet may lie anywhere in the archive and its cells may have no address,
so every part that speaks of cells is parsed, strictly: what is not well formed is refused.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from typing import Protocol
from xml.parsers import expat

_EXCEL, _OPEN_DOCUMENT = b"sheetData", b"table-row"  # the elements around cells
_LONGEST_SIGN = 9
_ADDRESS = re.compile(r"([A-Za-z]{1,7})([0-9]{1,12})\Z", re.ASCII)
_CELLS = ("table-cell", "covered-table-cell")
# Of a sheet as programs write it. Whatever else could be a row, a cell or a reference to a
# text is counted too, so that a sheet where there are more of those is parsed in full.
_ROW_END = b"</row>"
_PLAIN_ROW = re.compile(rb'<row r="([0-9]{1,12})"')
_PLAIN_CELL = re.compile(rb'<c r="([A-Z]{1,7})([0-9]{1,12})"')
_PLAIN_REFERENCE = re.compile(rb'<c [^<>]*\bt="s"[^<>]*><v>([0-9]{1,9})</v>')
_ANY_ROW, _ANY_CELL = [b"<row "], [b"<c "]
_ANY_REFERENCE = [b'"s"', b"'s'"]
_HIDING = (b"<!", b"&#")  # comments, and characters by their numbers
_RARE = [re.compile(one) for one in (rb"<row[\t\r\n/>]", rb"<c[\t\r\n/>]")] + [
    re.compile(one) for one in (rb":row[\s/>]", rb":c[\s/>]")
]
_LONGEST_ROW_BYTES = 1 << 24


class SheetSigns:
    """As which kinds of sheets a part of an archive could be read, told piece by piece.

    Example:
        >>> signs = SheetSigns()
        >>> signs.look_at(b"<sheet")
        >>> signs.look_at(b"Data>")
        >>> signs.is_excel, signs.is_open_document
        (True, False)
    """

    def __init__(self) -> None:
        self.is_excel = self.is_open_document = False
        self._rest = b""

    def look_at(self, piece: bytes) -> None:
        """Look at a piece, and where it joins the one before."""
        known = self._rest + piece
        self.is_excel = self.is_excel or _EXCEL in known
        self.is_open_document = self.is_open_document or _OPEN_DOCUMENT in known
        self._rest = known[-_LONGEST_SIGN:]


def text_lengths(pieces: Iterable[bytes]) -> list[int]:
    """Return the bytes of each text that the cells of Excel refer to by number.

    Args:
        pieces: Of the part that holds the texts.

    Raises:
        ValueError: It is not well formed.
    """
    texts = _Texts()
    _parse(pieces, texts)
    return texts.lengths


def excel_sizes(pieces: Iterable[bytes], lengths: list[int]) -> tuple[int, int]:
    """Return how many cells a sheet reaches over, and the bytes of texts they refer to.

    Args:
        pieces: Of the part that holds the sheet.
        lengths: Of the texts, see `text_lengths`.

    Raises:
        ValueError: It is not well formed, or rows or cells stand inside each other.

    Example:
        >>> rows = b'<row r="2"><c r="B2"/><c t="s"><v>0</v></c></row>'
        >>> excel_sizes([b"<sheetData>", rows, b"</sheetData>"], [7])
        (6, 7)
    """
    sheet = _Sheet(lengths)
    _parse(pieces, sheet)
    return sheet.n_cells, sheet.n_text_bytes


def plain_excel_sizes(pieces: Iterable[bytes], lengths: list[int]) -> tuple[int, int] | None:
    """Return the same as `excel_sizes`, faster, or None where a sheet is unusual.

    Raises:
        ValueError: It is not well formed.

    Example:
        >>> row = b'<row r="2"><c r="B2" t="s"><v>0</v></c></row>'
        >>> plain_excel_sizes([b"<sheetData>", row, b"</sheetData>"], [7])
        (4, 7)
        >>> plain_excel_sizes([b"<sheetData><row><c/></row></sheetData>"], []) is None
        True
    """
    parser = _parser()  # well formed, so that every "<" begins a tag
    last_row = last_column = n_text_bytes = 0
    rest = b""
    for piece in chain(pieces, [None]):
        _feed(parser, piece)
        rest += piece or b""
        cut = len(rest) if piece is None else rest.rfind(_ROW_END) + len(_ROW_END)
        if cut < len(_ROW_END) and piece is not None:
            if len(rest) > _LONGEST_ROW_BYTES:
                return None
            continue
        known, rest = rest[:cut], rest[cut:]
        rows, cells = _PLAIN_ROW.findall(known), _PLAIN_CELL.findall(known)
        numbers = _PLAIN_REFERENCE.findall(known)
        kinds = (_ANY_ROW, _ANY_CELL, _ANY_REFERENCE)
        n_any = [sum(map(known.count, kind)) for kind in kinds]  # far faster than patterns
        is_hiding = known.count(b"<?") > known.count(b"<?xml ") or any(
            sign in known for sign in _HIDING
        )
        is_hiding = is_hiding or any(rare.search(known) for rare in _RARE)
        if is_hiding or n_any != [len(rows), len(cells), len(numbers)]:
            return None
        columns = {letters for letters, _ in cells}
        numbered = {*rows, *(row for _, row in cells)}
        last_row = max([last_row, *map(int, numbered)])
        last_column = max([last_column, *(_column_number(one.decode()) for one in columns)])
        n_text_bytes += sum(lengths[at] for at in map(int, numbers) if at < len(lengths))
    return last_row * last_column, n_text_bytes


def open_document_cells(pieces: Iterable[bytes]) -> int:
    """Return how many cells the tables of an OpenDocument sheet reach over together.

    Args:
        pieces: Of the part that holds the sheet.

    Raises:
        ValueError: It is not well formed, or tables or rows stand inside each other.
    """
    tables = _Tables()
    _parse(pieces, tables)
    return tables.n_cells


class _Handler(Protocol):
    def start(self, tag: str, attributes: dict[str, str]) -> None: ...
    def say(self, text: str) -> None: ...
    def end(self, tag: str) -> None: ...


def _parse(pieces: Iterable[bytes], handler: _Handler) -> None:
    parser = _parser()
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.say
    for piece in chain(pieces, [None]):
        _feed(parser, piece)


def _parser() -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_definitions
    return parser


def _feed(parser: expat.XMLParserType, piece: bytes | None) -> None:
    """Parse a piece; none ends the part."""
    try:
        parser.Parse(piece or b"", piece is None)
    except expat.ExpatError as error:
        raise ValueError(f"a part is not well formed: {error}") from None


def _refuse_definitions(*_: object) -> None:
    raise ValueError("a part defines entities of its own")


def _local(tag: str) -> str:
    return tag.rpartition(":")[2]


class _Texts:
    """Bytes of each text of the part that sheets share."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self._n_bytes = 0

    def start(self, tag: str, _: dict[str, str]) -> None:
        if _local(tag) == "si":
            self._n_bytes = 0

    def say(self, text: str) -> None:
        self._n_bytes += len(text.encode())

    def end(self, tag: str) -> None:
        if _local(tag) == "si":
            self.lengths.append(self._n_bytes)


class _Sheet:
    """Cells of the smallest table that holds all of an Excel sheet, and their texts."""

    def __init__(self, lengths: list[int]) -> None:
        self.n_text_bytes = 0
        self._lengths = lengths
        self._open: set[str] = set()
        self._last_row = self._last_column = 0
        self._n_bare_rows = 0  # without a number: each follows the row before it
        self._row_columns = self._n_bare_cells = 0  # of the row that is open
        self._is_reference = False
        self._number = ""

    @property
    def n_cells(self) -> int:
        return (self._last_row + self._n_bare_rows) * self._last_column

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        if name not in ("row", "c", "v"):
            return
        if name in self._open or (name == "row" and "c" in self._open):
            raise ValueError("rows or cells stand inside each other")
        self._open.add(name)
        if name == "c":
            self._start_cell(attributes)
        elif name == "v":
            self._number = ""
        else:
            self._start_row(attributes)

    def say(self, text: str) -> None:
        if self._is_reference and "v" in self._open:
            self._number += text

    def end(self, tag: str) -> None:
        name = _local(tag)
        self._open.discard(name)
        if name == "v" and self._is_reference:
            number = int(self._number)
            self.n_text_bytes += self._lengths[number] if 0 <= number < len(self._lengths) else 0

    def _start_row(self, attributes: dict[str, str]) -> None:
        self._row_columns = self._n_bare_cells = 0
        if "r" in attributes:
            self._last_row = max(self._last_row, int(attributes["r"]))
        else:
            self._n_bare_rows += 1

    def _start_cell(self, attributes: dict[str, str]) -> None:
        self._is_reference = attributes.get("t") == "s"
        address = attributes.get("r")
        if address is None:
            self._n_bare_cells += 1
        elif found := _ADDRESS.match(address):
            self._row_columns = max(self._row_columns, _column_number(found[1]))
            self._last_row = max(self._last_row, int(found[2]))
        else:
            raise ValueError(f"a cell has the address {address[:20]!r}")
        self._last_column = max(self._last_column, self._row_columns + self._n_bare_cells)


class _Tables:
    """Cells of OpenDocument tables, where one row or cell may stand for many."""

    def __init__(self) -> None:
        self._open: set[str] = set()
        self._n_before = 0  # cells of the tables before
        self._last_row = self._last_column = 0
        self._n_rows = self._n_columns = 0  # so far, in the table and in the row

    @property
    def n_cells(self) -> int:
        return self._n_before + self._last_row * self._last_column

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        if name in ("table", "table-row"):
            if name in self._open or "table-row" in self._open:
                raise ValueError("tables or rows stand inside each other")
            self._open.add(name)
        if name == "table":
            self._n_before = self.n_cells
            self._last_row = self._last_column = self._n_rows = 0
        elif name == "table-row":
            self._n_rows += _repeats(attributes, "number-rows-repeated")
            self._n_columns = 0
        elif name in _CELLS:
            self._n_columns += _repeats(attributes, "number-columns-repeated")
            if any("value" in key for key in attributes):
                self._last_row = max(self._last_row, self._n_rows)
                self._last_column = max(self._last_column, self._n_columns)

    def say(self, _: str) -> None:
        """Texts stand in the part itself, so its size tells theirs."""

    def end(self, tag: str) -> None:
        self._open.discard(_local(tag))


def _repeats(attributes: dict[str, str], name: str) -> int:
    found = [int(count) for key, count in attributes.items() if key.endswith(name)]
    return max([*found, 0]) if found else 1


@lru_cache(maxsize=20_000)
def _column_number(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = 26 * number + ord(letter) - 64
    return number
