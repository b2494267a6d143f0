"""However a workbook hides how far its cells reach, it is counted."""

import io
import logging
import zipfile
from collections.abc import Callable

import polars as pl
import pytest

from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read import workbook
from assay.read.source import NamedBytes, read_table
from assay.read.workbook_sizes import excel_sizes, open_document_cells, plain_excel_sizes
from attacks import bombs

pytestmark = pytest.mark.attack
FAR = b'<row r="1"><c r="A1"><v>1</v></c></row><row r="200000"><c r="ALL200000"><v>1</v></c></row>'
TEXTS = b"".join(b'<row r="%d"><c r="A%d" t="s"><v>0</v></c></row>' % (n, n) for n in range(1, 999))
SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"


def read(data: bytes, max_bytes: str = "5M") -> pl.DataFrame:
    recipe = ReadRecipe(max_bytes=max_bytes)
    return read_table(NamedBytes(data, "t.xlsx"), recipe, Ledger()).frame


def renamed(data: bytes, names: dict[str, str], edit: Callable[[bytes], bytes] = bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(sink, "w") as new:
        for name in old.namelist():
            new.writestr(names.get(name, name), edit(old.read(name)))
    return sink.getvalue()


def moved() -> bytes:
    def edit(part: bytes) -> bytes:
        return part.replace(b'"worksheets/sheet1.xml"', b'"/zz/picture.png"')

    return renamed(bombs.excel_sheet(FAR), {SHEET: "zz/picture.png"}, edit)


HIDDEN = {
    "moved": moved,
    "case": lambda: renamed(bombs.excel_sheet(FAR), {SHEET: "xl/Worksheets/sheet1.xml"}),
    "no_addresses": lambda: bombs.excel_sheet(
        b'<row r="1">' + b"<c><v>1</v></c>" * 1000 + b'</row><row r="200000"><c><v>1</v></c></row>'
    ),
    "no_row_numbers": lambda: bombs.excel_sheet(b'<row><c r="XFD1"/></row>' + b"<row/>" * 1000),
    "prefixed": lambda: bombs.excel_sheet(
        b'<x:row r="1" xmlns:x="x"><x:c s="0" r="ALL200000"><x:v>1</x:v></x:c></x:row>'
    ),
    "strings_case": lambda: renamed(
        bombs.excel_sheet(TEXTS, b"<si><t>" + b"x" * 30_000 + b"</t></si>"),
        {STRINGS: "xl/SharedStrings.xml"},
    ),
    "strings_prefixed": lambda: bombs.excel_sheet(
        TEXTS, b'<x:si xmlns:x="x"><x:t>' + b"x" * 30_000 + b"</x:t></x:si >"
    ),
    "reference_behind_formula": lambda: bombs.excel_sheet(
        TEXTS.replace(b"<v>", b"<f>A1</f><v>"), b"<si><t>" + b"x" * 30_000 + b"</t></si>"
    ),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_hidden_sheet_is_counted(name):
    with pytest.raises(UserError, match=r"more than 5 MB[.,] .* read\.max_bytes = "):
        read(HIDDEN[name]())


@pytest.mark.parametrize(
    "rows",
    [
        b'<row r="1"><c x="</row><row>"/></row>',  # no XML
        b"<row><row/></row>",
        b'<row r="1"><c r="A1"><row/></c></row>',
        b'<row r="1"><c r="?"/></row>',
    ],
)
def test_a_sheet_that_is_not_well_formed_is_refused(rows):
    with pytest.raises(UserError, match="the zip file is truncated or damaged"):
        read(bombs.excel_sheet(rows))


def test_comments_and_quotes_hide_no_cell():
    decoy = b'<row r="1">' + b'<c/><!-- <row r="1"><c r="A1"/></row> -->' * 9 + b"</row>"
    quoted = b'<row r="1"><c s=\' r="A1"\' r="J1"/></row>'
    for row, n_cells in ((decoy, 9), (quoted, 10)):
        part = [b"<sheetData>", row, b"</sheetData>"]
        assert plain_excel_sizes(part, []) is None
        assert excel_sizes(part, [])[0] == n_cells


def test_both_ways_of_counting_agree_wherever_the_pieces_end():
    part = b"<?xml version='1.0'?><s><sheetData>" + TEXTS + b"</sheetData></s>"
    for n_bytes in (1, 7, 64, 5000):
        pieces = [part[at : at + n_bytes] for at in range(0, len(part), n_bytes)]
        assert plain_excel_sizes(pieces, [3]) == excel_sizes(pieces, [3]) == (998, 2994)


def test_repeated_cells_of_open_document_count_up_to_the_last_value():
    row = b'<t:table-row t:number-rows-repeated="%d"><t:table-cell t:x=">" ' + (
        b't:number-columns-repeated="3" %s/><t:table-cell t:number-columns-repeated="999"/>'
    )
    rows = row % (5, b"") + b"</t:table-row>" + row % (2, b't:value="1"') + b"</t:table-row>"
    table = b"<t:table>" + rows + row % (10**6, b"") + b"</t:table-row></t:table>"
    assert open_document_cells([b'<a xmlns:t="t">', table, table, b"</a>"]) == 2 * 7 * 3


def test_binary_workbooks_and_parts_of_one_name_are_refused():
    data = bombs.excel_sheet(FAR)
    with pytest.raises(UserError, match=r"\(\.xlsb\) are not read"):
        read(renamed(data, {"xl/workbook.xml": "xl/workbook.bin"}))
    with pytest.raises(UserError, match="two parts of one name"):
        read(renamed(data, {STRINGS: "XL/worksheets\\sheet1.xml"}))


def test_a_panic_of_the_library_is_one_line(monkeypatch):
    fastexcel = pytest.importorskip("fastexcel")

    def panic(*_: object, **__: object) -> None:
        raise type("PanicException", (BaseException,), {})("index out of bounds")

    monkeypatch.setattr(fastexcel, "read_excel", panic)
    with pytest.raises(UserError, match="the Excel file is truncated or damaged: index out"):
        read(bombs.excel_sheet(b'<row r="1"><c r="A1"><v>1</v></c></row>'))


def test_an_empty_column_is_read_without_a_word(caplog):
    pytest.importorskip("fastexcel")
    rows = b"".join(
        b'<row r="%d"><c r="A%d"><v>%d</v></c><c r="C%d"><v>2</v></c></row>' % (n, n, n, n)
        for n in (1, 2, 3)
    )
    with caplog.at_level(logging.INFO):
        assert read(bombs.excel_sheet(rows)).height == 2
    assert caplog.text == ""
    assert workbook.logging.getLogger("fastexcel.types.dtype").level == logging.ERROR
