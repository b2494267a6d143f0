"""Workbooks: one sheet of an Excel or OpenDocument file.

Both are zip archives of XML. What they unpack to is counted, and how far a sheet reaches,
before the reader meets them: one cell in the last corner of a sheet, or one cell repeated,
makes a table of 17,000,000,000.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

import polars as pl

from assay.errors import UserError, did_you_mean
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read.caps import Caps, caps_of
from assay.read.columnar import POLARS_ERRORS, check_unique, damaged, table_of
from assay.read.content import Content
from assay.read.wording import counted
from assay.table import Table

_PIECE_BYTES = 1 << 20
_LOCAL_HEAD = struct.Struct("<26xHH")  # lengths of name and extra field, APPNOTE 4.3.7
_LONGEST_PART_BYTES = 1 << 26
_BYTES_PER_CELL = 24  # as the reader keeps them
_STRINGS = "xl/sharedStrings.xml"
_TEXT_END = b"</si>"
_CELL = re.compile(rb"<(?:\w+:)?c\s[^<]*?\br\s*=\s*[\"']([A-Za-z]{1,3})([0-9]{1,7})")
_ROW = re.compile(rb"<(?:\w+:)?row\s[^<]*?\br\s*=\s*[\"']([0-9]{1,7})")
_SHARED = re.compile(rb"\bt\s*=\s*[\"']s[\"'][^<]*<(?:\w+:)?v\b[^<]*?>\s*([0-9]{1,9})")
_REPEATED = re.compile(rb"number-(columns|rows)-repeated\s*=\s*[\"']([0-9]{1,9})")


def read_excel(content: Content, recipe: ReadRecipe, ledger: Ledger) -> Table:
    """Read one sheet of an Excel (or OpenDocument) file.

    Args:
        content: The file.
        recipe: `sheet` names the sheet; the first one when empty.
        ledger: Told of converted columns and of sheets left out.

    Raises:
        UserError: The package for Excel is missing, the sheet does not exist,
            or the file is damaged.
    """
    try:
        import fastexcel
    except ImportError:
        raise UserError(
            "reading Excel files needs a package that is not installed",
            where=content.name,
            fix="Run: pip install 'assay[excel]'",
        ) from None
    try:
        sheets = fastexcel.read_excel(content.read()).sheet_names
    except (fastexcel.FastExcelError, ValueError) as error:
        raise damaged("Excel", content, error) from None
    sheet = recipe.sheet or sheets[0]
    if sheet not in sheets:
        raise UserError(
            f"there is no sheet {sheet!r}", where=content.name, fix=did_you_mean(sheet, sheets)
        )
    if len(sheets) > 1 and not recipe.sheet:
        why = f"the first of {len(sheets)} sheets is read, {sheet!r}"
        ledger.add("sheets left out", where=content.name, why=why, undo="read.sheet")
    return table_of(_sheet_frame(content, sheet), content, caps_of(recipe), ledger)


def _sheet_frame(content: Content, sheet: str) -> pl.DataFrame:
    import fastexcel

    try:
        header = pl.read_excel(
            io.BytesIO(content.read()),
            sheet_name=sheet,
            engine="calamine",
            has_header=False,
            read_options={"n_rows": 1},
        )
        frame = pl.read_excel(
            io.BytesIO(content.read()),
            sheet_name=sheet,
            engine="calamine",
            infer_schema_length=None,
        )
    except (fastexcel.FastExcelError, *POLARS_ERRORS) as error:
        raise damaged("Excel", content, error) from None
    cells = [str(cell).strip() for cell in header.row(0) if cell is not None]
    check_unique(cells, content.name)
    names = {
        name: f"column_{at + 1}"
        for at, name in enumerate(frame.columns)
        if name.startswith("__UNNAMED__")
    }
    return frame.rename(names)


def check_workbook(content: Content, caps: Caps) -> None:
    """Refuse a zip archive that is no workbook, or one that would fill the memory.

    Raises:
        UserError: It is another archive, damaged, encrypted, or larger than the caps allow.
    """
    try:
        with content.open() as stream, zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            is_excel = any(name.startswith("xl/") for name in names)
            if not is_excel and "content.xml" not in names:
                raise UserError(
                    f"this is a zip archive of {counted(len(names), 'file')} "
                    f"({', '.join(names[:4])})",
                    where=content.name,
                    fix="Unpack it and give the table inside",
                )
            _check_members(stream, members, content.name, caps)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, struct.error) as error:
        raise UserError(
            f"the zip file is truncated or damaged: {error}", where=content.name
        ) from None


def _check_members(
    stream: BinaryIO, members: list[zipfile.ZipInfo], where: str, caps: Caps
) -> None:
    declared = sum(member.file_size for member in members)
    caps.check_bytes(declared, where, what="the workbook declares")
    n_bytes = 0
    lengths: list[int] = []
    for member in sorted(members, key=lambda one: one.filename != _STRINGS):  # its texts first
        reach = _Reach(lengths)
        for piece in chain(_unpacked(stream, member), [b""]):
            n_bytes += len(piece)
            caps.check_bytes(n_bytes, where, what="the workbook holds")
            if member.filename == _STRINGS:
                texts = reach.whole_of(piece, _TEXT_END).split(_TEXT_END)
                lengths.extend(len(text) for text in texts if text)
            elif member.filename.startswith("xl/worksheets/"):
                reach.follow(piece)
            elif member.filename == "content.xml":
                reach.follow_open_document(piece)
        what = f"{member.filename} reaches over {reach.n_cells:,} cells, which take"
        caps.check_bytes(reach.n_cells * _BYTES_PER_CELL, where, what=what)
        caps.check_bytes(reach.n_text_bytes, where, what="the texts of the cells take")


def _unpacked(stream: BinaryIO, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the bytes of a member, however many there are: a declared size may lie."""
    stream.seek(member.header_offset)
    name_bytes, extra_bytes = _LOCAL_HEAD.unpack(stream.read(_LOCAL_HEAD.size))
    stream.seek(name_bytes + extra_bytes, io.SEEK_CUR)
    left = member.compress_size
    if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, 8):
        raise ValueError(f"{member.filename} is encrypted or packed in a rare way")
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS) if member.compress_type else None
    while left > 0 and (packed := stream.read(min(left, _PIECE_BYTES))):
        left -= len(packed)
        while unpacker is not None and packed and not unpacker.eof:
            yield unpacker.decompress(packed, _PIECE_BYTES)
            packed = unpacker.unconsumed_tail
        if unpacker is None:
            yield packed


class _Reach:
    """How far the cells of a sheet reach, and what their texts take."""

    def __init__(self, lengths: list[int]) -> None:
        self.n_text_bytes = 0
        self._lengths = lengths  # of the texts that cells refer to by number
        self._rest = b""
        self._last_row = self._last_column = 0
        self._repeated_cells = 0
        self._row_repeats = 1

    @property
    def n_cells(self) -> int:
        """Cells of the smallest table that holds all."""
        return max(self._last_row * self._last_column, self._repeated_cells)

    def whole_of(self, piece: bytes, end: bytes) -> bytes:
        """Return what is known up to the last `end`, and keep the rest for the next piece."""
        known = self._rest + piece
        cut = known.rfind(end) if piece else len(known)
        self._rest = known[max(cut, 0) :]
        if len(self._rest) > _LONGEST_PART_BYTES:
            raise ValueError("a cell is longer than 64 MiB")
        return known[: max(cut, 0)]

    def follow(self, piece: bytes) -> None:
        """Look at the cells of an Excel sheet; an empty piece ends it."""
        known = self.whole_of(piece, b"</")
        rows = [int(row) for row in _ROW.findall(known)]
        for letters, row in set(_CELL.findall(known)):
            column = 0
            for letter in letters.upper():
                column = 26 * column + letter - 64
            self._last_column = max(self._last_column, column)
            rows.append(int(row))
        self._last_row = max([self._last_row, *rows])
        for number in map(int, _SHARED.findall(known)):
            self.n_text_bytes += self._lengths[number] if number < len(self._lengths) else 0

    def follow_open_document(self, piece: bytes) -> None:
        """Look at the cells of an OpenDocument sheet, where one may stand for many."""
        for tag in self.whole_of(piece, b"<").split(b">"):
            repeats = {name: int(count) for name, count in _REPEATED.findall(tag)}
            if b"<table:table-row" in tag:
                self._row_repeats = repeats.get(b"rows", 1)
            elif b"<table:table-cell" in tag and b"value" in tag:
                self._repeated_cells += self._row_repeats * repeats.get(b"columns", 1)
