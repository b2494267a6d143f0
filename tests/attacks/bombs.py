"""Small files that stand for large tables, each as bytes, and what they claim to be.

Every bomb grows to at least `n_bytes` when it is read; none takes that much to make.
"""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

Bomb = Callable[[int], bytes]

_LINE = b"1,2,3,4,5,6,7,no\n"
_TEXT_BYTES = 100_000
_SHEET_HEAD = b'<?xml version="1.0"?><worksheet><sheetData>'


def _csv_pieces(n_bytes: int) -> Iterator[bytes]:
    yield b"a,b,c,d,e,f,g,y\n"
    piece = _LINE * (1 << 14)
    for _ in range(n_bytes // len(piece) + 1):
        yield piece


def gzip_csv(n_bytes: int) -> bytes:
    """A CSV that packs a thousand to one."""
    sink = io.BytesIO()
    with gzip.GzipFile(fileobj=sink, mode="wb", compresslevel=9, mtime=0) as stream:
        for piece in _csv_pieces(n_bytes):
            stream.write(piece)
    return sink.getvalue()


def gzip_lying(n_bytes: int) -> bytes:
    """The same, whose last bytes claim that it holds ten."""
    return gzip_csv(n_bytes)[:-4] + (10).to_bytes(4, "little")


def gzip_of_many(n_bytes: int) -> bytes:
    """Many members one behind the other, each of them modest."""
    return gzip_csv(n_bytes // 20) * 21


def bz2_csv(n_bytes: int) -> bytes:
    """The same as bz2, piece by piece, as packing repeated text takes long."""
    first, piece, *_ = _csv_pieces(n_bytes)
    return bz2.compress(first) + bz2.compress(piece, 1) * (n_bytes // len(piece) + 1)


def xz_csv(n_bytes: int) -> bytes:
    """The same as xz."""
    packer = lzma.LZMACompressor(preset=0)
    packed = [packer.compress(piece) for piece in _csv_pieces(n_bytes)]
    return b"".join(packed) + packer.flush()


def zstd_csv(n_bytes: int) -> bytes:
    """The same as zstd."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        for piece in _csv_pieces(n_bytes):
            stream.write(piece)
    return bytes(sink.getvalue())


def zstd_declared(n_bytes: int) -> bytes:
    """A zstd frame that declares its size and holds nothing of it."""
    return b"\x28\xb5\x2f\xfd" + bytes([0b11100000]) + n_bytes.to_bytes(8, "little") + b"\0" * 64


def _parquet(table: pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def parquet_zeros(n_bytes: int) -> bytes:
    """Zeros, packed."""
    zeros = np.zeros(n_bytes // 8)
    return _parquet(pa.table({"x": zeros}), compression="zstd", use_dictionary=False)


def parquet_nulls(n_bytes: int) -> bytes:
    """A column of nothing, of many rows."""
    return _parquet(pa.table({"x": pa.nulls(n_bytes // 8, pa.int64())}))


def parquet_dictionary(n_bytes: int) -> bytes:
    """One long text that every row refers to."""
    codes = pa.array(np.zeros(n_bytes // _TEXT_BYTES + 1, np.int32))
    texts = pa.DictionaryArray.from_arrays(codes, pa.array(["x" * _TEXT_BYTES])).cast(pa.string())
    return _parquet(pa.table({"x": texts}), compression="zstd", store_schema=False)


def parquet_delta(n_bytes: int) -> bytes:
    """Texts that each repeat all of the one before."""
    texts = pa.array(["x" * _TEXT_BYTES] * (n_bytes // _TEXT_BYTES + 1))
    encoding = {"x": "DELTA_BYTE_ARRAY"}
    return _parquet(
        pa.table({"x": texts}), use_dictionary=False, column_encoding=encoding, compression="zstd"
    )


def parquet_lying(n_bytes: int) -> bytes:
    """A footer that claims a hundred rows, over a page that holds far more."""
    table = pa.table({"x": np.zeros(n_bytes // 8)})
    honest = _parquet(
        table,
        compression="zstd",
        use_dictionary=False,
        data_page_size=2**31 - 1,
        row_group_size=table.num_rows,
        write_statistics=False,
    )
    column = pq.ParquetFile(io.BytesIO(honest)).metadata.row_group(0).column(0)
    start = len(honest) - 8 - int.from_bytes(honest[-8:-4], "little")
    footer = honest[start:]
    for honest_number in (table.num_rows, column.total_uncompressed_size):
        number = _varint(2 * honest_number)
        footer = footer.replace(number, _varint(200, n_bytes=len(number)))
    return honest[:start] + footer


def _varint(value: int, n_bytes: int = 1) -> bytes:
    out = bytearray()
    while value > 0x7F or len(out) < n_bytes - 1:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _arrow(table: pa.Table, *, is_file: bool = False) -> bytes:
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    opener = pa.ipc.new_file if is_file else pa.ipc.new_stream
    with opener(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue()


def arrow_stream(n_bytes: int) -> bytes:
    """Zeros in an Arrow stream."""
    return _arrow(pa.table({"x": np.zeros(n_bytes // 8)}))


def arrow_file(n_bytes: int) -> bytes:
    """Zeros in an Arrow file."""
    return _arrow(pa.table({"x": np.zeros(n_bytes // 8)}), is_file=True)


def arrow_dictionary(n_bytes: int) -> bytes:
    """One long text that every row refers to."""
    codes = pa.array(np.zeros(n_bytes // _TEXT_BYTES + 1, np.int8))
    levels = pa.array(["x" * _TEXT_BYTES])
    return _arrow(pa.table({"x": pa.DictionaryArray.from_arrays(codes, levels)}))


def json_keys(n_bytes: int) -> bytes:
    """Records that name a column of their own each."""
    n_rows = int((n_bytes / 8) ** 0.5) + 1
    return json.dumps([{f"k{at}": 1} for at in range(n_rows)]).encode()


def json_lines_keys(n_bytes: int) -> bytes:
    """Lines that name a column of their own each."""
    n_rows = int((n_bytes / 8) ** 0.5) + 1
    return b"".join(b'{"k%d":1}\n' % at for at in range(n_rows))


def json_inner_keys(n_bytes: int) -> bytes:
    """Records of one column, whose cells name a key of their own each."""
    n_rows = int((n_bytes / 8) ** 0.5) + 1
    return json.dumps([{"a": {f"k{at}": 1}} for at in range(n_rows)]).encode()


def json_lines_inner_keys(n_bytes: int) -> bytes:
    """The same as lines."""
    n_rows = int((n_bytes / 8) ** 0.5) + 1
    return b"".join(b'{"a":{"k%d":1}}\n' % at for at in range(n_rows))


def csv_commas(n_bytes: int) -> bytes:
    """Two rows with a line of nothing but commas between them."""
    return b"a,b\n" + b"," * (n_bytes // 64) + b"\n1,2\n"


def csv_commas_quoted(n_bytes: int) -> bytes:
    """The same, with a quote in each line."""
    return b'a,b\n"x",' + b"," * (n_bytes // 64) + b'y"\n1,"2"\n'


def json_one_object(n_bytes: int) -> bytes:
    """A cell of many keys, each of which becomes a field of the type of its column."""
    n_keys = min(n_bytes // 2500, 150_000)  # fewer than a table may have columns
    keys = ",".join(f'"k{at:07d}":1' for at in range(n_keys))
    return b'[{"a":{' + keys.encode() + b"}}]"


def json_lines_one_object(n_bytes: int) -> bytes:
    """The same as lines."""
    return json_one_object(n_bytes)[1:-1] + b'\n{"a":{"k1":1}}\n'


def json_inner_lists(n_bytes: int) -> bytes:
    """Cells that are short lists."""
    return b'{"a":[' + b"[1]," * (n_bytes // 450) + b"[1]]}"


def json_lines_inner_lists(n_bytes: int) -> bytes:
    """The same as lines, of which the first has nearly all."""
    return json_inner_lists(n_bytes) + b'\n{"a":[[1]]}\n'


def json_text(n_bytes: int) -> bytes:
    """One long text that an escape at its end widens to four bytes a letter; no small file."""
    return b'{"a":["' + b"x" * (n_bytes // 7) + b'\\ud83d\\ude00"]}'


def _workbook(parts: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return sink.getvalue()


def excel_corner(_: int) -> bytes:
    """A sheet of two cells, one in its last corner."""
    cells = b'<c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    return excel_sheet(b'<row r="1">' + cells)


def excel_sheet(rows: bytes, texts: bytes = b"") -> bytes:
    """A workbook whose only sheet has these rows."""
    main = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rel = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = b"http://schemas.openxmlformats.org/package/2006"
    relation = b'<Relationship Id="rId%d" Type="' + rel + b'/%b" Target="%b"/>'
    return _workbook(
        {
            "[Content_Types].xml": b'<Types xmlns="' + package + b'/content-types"/>',
            "_rels/.rels": b'<Relationships xmlns="'
            + package
            + b'/relationships">'
            + relation % (1, b"officeDocument", b"xl/workbook.xml")
            + b"</Relationships>",
            "xl/workbook.xml": b'<workbook xmlns="' + main + b'" xmlns:r="' + rel + b'"><sheets>'
            b'<sheet name="one" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": b'<Relationships xmlns="'
            + package
            + b'/relationships">'
            + relation % (1, b"worksheet", b"worksheets/sheet1.xml")
            + relation % (2, b"sharedStrings", b"sharedStrings.xml")
            + b"</Relationships>",
            "xl/sharedStrings.xml": b'<sst xmlns="' + main + b'">' + texts + b"</sst>",
            "xl/worksheets/sheet1.xml": b'<worksheet xmlns="'
            + main
            + b'"><sheetData>'
            + rows
            + b"</sheetData></worksheet>",
        }
    )


def excel_texts(n_bytes: int) -> bytes:
    """A sheet whose cells all refer to one long text."""
    n_rows = n_bytes // 30_000 + 1
    rows = b"".join(
        b'<row r="%d"><c r="A%d" t="s"><v>0</v></c></row>' % (at, at) for at in range(1, n_rows)
    )
    return excel_sheet(rows, b"<si><t>" + b"x" * 30_000 + b"</t></si>")


def excel_packed(n_bytes: int) -> bytes:
    """A workbook with a member of zeros."""
    return _workbook({"xl/media/image.png": b"\0" * n_bytes, "xl/workbook.xml": b"<workbook/>"})


def excel_lying(n_bytes: int) -> bytes:
    """The same, whose directory claims that it holds ten bytes."""
    honest = excel_packed(n_bytes)
    return honest.replace(n_bytes.to_bytes(4, "little"), (10).to_bytes(4, "little"))


def open_document(n_bytes: int) -> bytes:
    """A sheet of one cell that is repeated."""
    name = b"urn:oasis:names:tc:opendocument:xmlns:"
    row = (
        b'<table:table-row table:number-rows-repeated="%d"><table:table-cell '
        b'table:number-columns-repeated="1000" office:value-type="float" office:value="1"/>'
        b"</table:table-row>" % (n_bytes // 8000)
    )
    return _workbook(
        {
            "mimetype": b"application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": b'<office:document-content xmlns:office="' + name + b'office:1.0" '
            b'xmlns:table="' + name + b'table:1.0"><office:body><office:spreadsheet>'
            b'<table:table table:name="one">' + row + b"</table:table></office:spreadsheet>"
            b"</office:body></office:document-content>",
        }
    )


def wide_csv(n_columns: int = 1_000_000) -> bytes:
    """A CSV of two rows."""
    header = b",".join(b"c%d" % at for at in range(n_columns))
    return header + b"\n" + b",".join([b"1"] * n_columns) + b"\n"


def wide_parquet(n_columns: int = 1_000_000) -> bytes:
    """A Parquet file of one row, as Polars writes it."""
    sink = io.BytesIO()
    pl.DataFrame([pl.Series(f"c{at}", [1]) for at in range(n_columns)]).write_parquet(
        sink, statistics=False
    )
    return sink.getvalue()


def wide_json(n_columns: int = 1_000_000) -> bytes:
    """One record of many keys."""
    return json.dumps([{f"c{at}": 1 for at in range(n_columns)}]).encode()


def by_name(*bombs: Bomb) -> dict[str, Bomb]:
    return {one.__name__: one for one in bombs}


BOMBS = by_name(
    gzip_csv,
    gzip_lying,
    gzip_of_many,
    bz2_csv,
    xz_csv,
    zstd_csv,
    zstd_declared,
    parquet_zeros,
    parquet_nulls,
    parquet_dictionary,
    parquet_delta,
    parquet_lying,
    arrow_stream,
    arrow_file,
    arrow_dictionary,
    csv_commas,
    csv_commas_quoted,
    json_keys,
    json_lines_keys,
    json_inner_keys,
    json_lines_inner_keys,
    json_one_object,
    json_lines_one_object,
    json_inner_lists,
    json_lines_inner_lists,
    excel_corner,
    excel_texts,
    excel_packed,
    excel_lying,
    open_document,
)
HONEST = by_name(
    csv_commas,
    csv_commas_quoted,
    json_one_object,
    json_lines_one_object,
    json_inner_lists,
    json_lines_inner_lists,
    json_text,
)
"""Those that may be read where they are allowed: what they take is what they are priced at."""

EXTENSIONS = {"gzip": ".csv.gz", "bz2": ".csv.bz2", "xz": ".csv.xz", "zstd": ".csv.zst"} | {
    "parquet": ".parquet",
    "arrow": ".arrow",
    "json": ".json",
    "excel": ".xlsx",
    "open": ".ods",
}


def file_name(bomb: str) -> str:
    """Return the name of a file with such a bomb."""
    kind = "jsonl" if bomb.startswith("json_lines") else bomb.partition("_")[0]
    return bomb + EXTENSIONS.get(kind, f".{kind}")
