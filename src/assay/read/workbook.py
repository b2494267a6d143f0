"""Workbooks: one sheet of an Excel or OpenDocument file.

Both are zip archives of XML. What they unpack to is counted, and how far a sheet reaches
(`workbook_sizes`), before the reader meets them.
"""

import io
import logging
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import polars as pl

from assay.errors import UserError, did_you_mean
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read.caps import Caps, caps_of
from assay.read.columnar import POLARS_ERRORS, check_unique, damaged, table_of
from assay.read.content import Content
from assay.read.wording import counted
from assay.read.workbook_sizes import (
    SheetSigns,
    excel_sizes,
    open_document_cells,
    plain_excel_sizes,
    text_lengths,
)
from assay.table import Table

_PIECE_BYTES = 1 << 20
_LOCAL_HEAD = struct.Struct("<26xHH")  # lengths of name and extra field, APPNOTE 4.3.7
_BYTES_PER_CELL = 24  # as the reader keeps them
_STRINGS = "xl/sharedstrings.xml"
# Tells of each column without cells, in words that are no news: it is in the ledger as empty.
logging.getLogger("fastexcel.types.dtype").setLevel(logging.ERROR)


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
    except BaseException as error:
        raise _unreadable(content, error) from None
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
    except BaseException as error:
        raise _unreadable(content, error) from None
    cells = [str(cell).strip() for cell in header.row(0) if cell is not None]
    check_unique(cells, content.name)
    names = {
        name: f"column_{at + 1}"
        for at, name in enumerate(frame.columns)
        if name.startswith("__UNNAMED__")
    }
    return frame.rename(names)


def _unreadable(content: Content, error: BaseException) -> BaseException:
    """Return what to say of a workbook that is not read, or the error where that is none."""
    import fastexcel

    is_panic = type(error).__name__ == "PanicException"  # of no library that could be imported
    is_known = isinstance(error, (fastexcel.FastExcelError, *POLARS_ERRORS))
    return damaged("Excel", content, error) if is_panic or is_known else error


def check_workbook(content: Content, caps: Caps) -> None:
    """Refuse a zip archive that is no workbook, or one that would fill the memory.

    Raises:
        UserError: It is another archive, damaged, encrypted, binary (.xlsb), or larger
            than the caps allow.
    """
    try:
        with content.open() as stream, zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            names = [_plain_name(member) for member in members]
            if not any(name.startswith("xl/") or name == "content.xml" for name in names):
                shown = ", ".join(member.filename for member in members[:4])
                raise UserError(
                    f"this is a zip archive of {counted(len(names), 'file')} ({shown})",
                    where=content.name,
                    fix="Unpack it and give the table inside",
                )
            if any(name.endswith("workbook.bin") for name in names):
                raise UserError(
                    "binary workbooks (.xlsb) are not read",
                    where=content.name,
                    fix="Save it as .xlsx or CSV",
                )
            if len(set(names)) < len(names):
                raise ValueError("it holds two parts of one name")
            _check_members(stream, members, content.name, caps)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, struct.error) as error:
        raise UserError(
            f"the zip file is truncated or damaged: {error}", where=content.name
        ) from None


def _plain_name(member: zipfile.ZipInfo) -> str:
    """Return the name as the reader compares it."""
    return member.filename.lower().replace("\\", "/")


def _check_members(
    stream: BinaryIO, members: list[zipfile.ZipInfo], where: str, caps: Caps
) -> None:
    declared = sum(member.file_size for member in members)
    caps.check_bytes(declared, where, what="the workbook declares")
    n_bytes = 0
    kinds: list[tuple[zipfile.ZipInfo, SheetSigns]] = []
    lengths: list[int] = []
    for member in members:
        signs = SheetSigns()
        for piece in _unpacked(stream, member):
            n_bytes += len(piece)
            caps.check_bytes(n_bytes, where, what="the workbook holds")
            signs.look_at(piece)
        kinds.append((member, signs))
        if _plain_name(member) == _STRINGS:
            lengths = text_lengths(_unpacked(stream, member))
    for member, signs in kinds:
        n_cells = n_text_bytes = 0
        if signs.is_excel:
            sizes = plain_excel_sizes(_unpacked(stream, member), lengths)
            n_cells, n_text_bytes = sizes or excel_sizes(_unpacked(stream, member), lengths)
        if signs.is_open_document:
            n_cells = max(n_cells, open_document_cells(_unpacked(stream, member)))
        what = f"{member.filename} reaches over {n_cells:,} cells, which take"
        caps.check_bytes(n_cells * _BYTES_PER_CELL, where, what=what)
        caps.check_bytes(n_text_bytes, where, what="the texts of the cells take")


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
