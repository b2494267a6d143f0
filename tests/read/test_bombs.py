"""Small files that stand for large tables are refused by their declared size, or while they grow.

The full sizes, and the memory that a refusal takes, are in benchmarks/torture/bombs.py.
"""

import contextlib
import io
import json
import re
import time
import tracemalloc

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read import json_sizes
from assay.read.caps import MAX_NESTING, caps_of, nesting, written_bytes
from assay.read.source import NamedBytes, read_table
from attacks import bombs

pytestmark = pytest.mark.attack
CAP_BYTES = 5_000_000


def read(data: bytes, name: str = "t.csv", **options: object) -> pl.DataFrame:
    return read_table(NamedBytes(data, name), ReadRecipe(**options), Ledger()).frame


@pytest.mark.parametrize("name", bombs.BOMBS)
def test_a_bomb_is_refused_with_its_size_and_the_option(name):
    data = bombs.BOMBS[name](2 * CAP_BYTES)
    assert len(data) < CAP_BYTES / 10
    with pytest.raises(UserError, match=r"more than 5 MB[.,] .* read\.max_bytes = ") as caught:
        read(data, bombs.file_name(name), max_bytes="5M")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["gzip_csv", "zstd_csv", "parquet_nulls", "arrow_stream"])
def test_what_a_bomb_holds_is_read_once_it_is_allowed(name):
    data = bombs.BOMBS[name](CAP_BYTES)
    assert read(data, bombs.file_name(name), max_bytes="1G").height > 100_000


def test_a_plain_file_counts_as_well():
    with pytest.raises(UserError, match=r"the file has 9 kB, more than 5 kB"):
        read(b"a,b\n" + b"1,2\n" * 2250, max_bytes="5k")


def test_the_usual_cap_follows_the_memory(monkeypatch):
    monkeypatch.setattr("assay.read.caps.physical_bytes", lambda: 8 * 1024**3)
    caps = caps_of(ReadRecipe())
    assert (caps.max_bytes, caps.is_chosen) == (4 * 1024**3, False)


def test_each_text_counts_as_it_would_be_written():
    texts = pl.Series(["abcd", None, "é"])
    assert written_bytes(texts) == 3 * 16 + 6
    assert written_bytes(texts.cast(pl.Categorical)) == 3 * 16 + 6
    assert written_bytes(texts.cast(pl.Binary)) == 3 * 16 + 6
    assert written_bytes(pl.Series([1, 2, 3])) == 24


@pytest.mark.parametrize("sign", [",", ";", "\t", "|", " ", '","'])
def test_a_wide_text_is_refused_before_its_format_is_looked_for(sign, monkeypatch):
    monkeypatch.setattr("assay.read.delimited.detect_dialect", None)
    edge = '"' if sign == '","' else ""
    text = edge + sign.join(f"c{at}" for at in range(300_000)) + edge + "\n"
    with pytest.raises(UserError, match=r"300000 columns, more than 200,000.*read.max_columns"):
        read(text.encode())


def test_one_long_line_of_rubbish_refuses_no_file():
    good = "".join(f"{at},{at}\n" for at in range(200))
    text = "a,b\n" + "," * 3000 + "\n" + good
    assert read(text.encode(), max_columns=1000).shape == (200, 2)
    quoted = '"' + "," * 3000 + '",x\n'
    assert read(("a,b\n" + quoted * 6 + good).encode(), max_columns=1000).shape == (206, 2)


@pytest.mark.parametrize(
    "kind", ["parquet", "ipc", "ipc_stream", "json", "jsonl", "frame", "sqlite", "duckdb"]
)
def test_each_kind_of_table_has_a_cap_of_columns(kind, tmp_path):
    frame = pl.DataFrame({f"c{at}": [1] for at in range(60)})
    buffer = io.BytesIO()
    if kind in ("sqlite", "duckdb"):
        module = pytest.importorskip({"sqlite": "sqlite3"}.get(kind, kind))
        with contextlib.closing(module.connect(str(tmp_path / "t.db"))) as connection:
            connection.execute(f"CREATE TABLE t ({', '.join(f'{c} INT' for c in frame.columns)})")
    elif kind in ("json", "jsonl"):
        frame.write_json(buffer) if kind == "json" else frame.write_ndjson(buffer)
    elif kind != "frame":
        getattr(frame, f"write_{kind}")(buffer)
    data = buffer.getvalue()
    source = (
        frame if kind == "frame" else NamedBytes(data, f"t.{kind}") if data else tmp_path / "t.db"
    )
    with pytest.raises(UserError, match=r"60 columns, more than 50. .* read.max_columns = 60"):
        read_table(source, ReadRecipe(max_columns=50), Ledger())


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [MAX_NESTING + 1, 100_000])
def test_json_nested_too_deep_is_refused_in_every_form(opening, depth):
    closing = "]" if opening == "[" else "}"
    cell = opening * depth + "1" + closing * depth
    for name, text in (
        ("t.json", f'[{{"a":{cell}}}]'),
        ("t.jsonl", f'{{"a":1}}\n{{"a":{cell}}}\n'),
    ):
        with pytest.raises(UserError, match="more than 64 deep"):
            read(text.encode(), name)


def test_brackets_inside_a_text_do_not_nest():
    assert nesting(json.dumps({"a": '[[[["[[[', "b": [{"c": "\\"}]})) == 3
    assert read(json.dumps([{"a": "[" * 500}]).encode(), "t.json").rows() == [("[" * 500,)]


def test_a_number_of_thousands_of_digits_is_one_line():
    with pytest.raises(UserError, match="not valid JSON"):
        read(b'[{"a":' + b"1" * 5000 + b"}]", "t.json")


def test_every_flipped_byte_of_parquet_and_arrow_is_read_or_refused():
    frame = pl.DataFrame({"n": [1, None, 3], "s": ["a", "bb", None]})
    for how, step in (("parquet", 3), ("ipc", 5), ("ipc_stream", 3)):
        buffer = io.BytesIO()
        getattr(frame, f"write_{how}")(buffer)
        whole = buffer.getvalue()
        for at in range(0, len(whole), step):
            data = bytearray(whole)
            data[at] ^= 0xFF
            with contextlib.suppress(UserError):
                read(bytes(data), "t.bin")


@pytest.mark.parametrize("writer", ["polars", "pyarrow"])
def test_honest_files_pass_with_all_their_kinds_of_columns(writer):
    frame = pl.DataFrame(
        {
            "n": np.arange(5000),
            "x": np.linspace(0, 1, 5000),
            "s": [f"text {at}" for at in range(5000)],
            "b": [at % 2 == 0 for at in range(5000)],
            "c": pl.Series(["a", "b"] * 2500, dtype=pl.Categorical),
        }
    )
    for compression in ("zstd", "snappy", "gzip", "uncompressed"):
        buffer = io.BytesIO()
        if writer == "polars":
            frame.write_parquet(buffer, compression=compression, row_group_size=1000)
        else:
            name = "none" if compression == "uncompressed" else compression
            pq.write_table(frame.to_arrow(), buffer, compression=name, data_page_size=1000)
        assert read(buffer.getvalue()).equals(frame.with_columns(pl.col("c").cast(pl.String)))
    for compression in ("zstd", "lz4", "uncompressed"):
        buffer = io.BytesIO()
        frame.write_ipc(buffer, compression=compression)
        assert read(buffer.getvalue()).height == 5000


def test_delta_texts_are_read():
    texts = [f"the same long beginning {at}" for at in range(3000)]
    buffer = io.BytesIO()
    encoding = {"s": "DELTA_BYTE_ARRAY"}
    table = pa.table({"s": texts})
    pq.write_table(table, buffer, use_dictionary=False, column_encoding=encoding)
    assert read(buffer.getvalue())["s"].to_list() == texts


def test_an_honest_workbook_passes():
    pytest.importorskip("fastexcel")
    rows = b"".join(
        b'<row r="%d"><c r="A%d" t="s"><v>%d</v></c><c r="B%d"><v>%d</v></c></row>'
        % (at, at, at == 1, at, at)
        for at in range(1, 2000)
    )
    data = bombs.excel_sheet(rows, b"<si><t>red</t></si><si><t>name</t></si>")
    assert read(data, "t.xlsx", max_bytes="1M").height == 1998


def test_time_grows_in_step_with_names():
    # Each took 10 to 60 s where names were looked for in lists.
    names = [f"^c{at}$" for at in range(40_000)]
    row = ",".join("1" * 40_000)
    text = "\n".join([",".join(names), row, row])
    start_s = time.process_time()
    assert read(text.encode()).columns[0] == "(^c0$)"
    assert read(text.encode(), names=tuple(names)).shape == (2, 40_000)
    assert time.process_time() - start_s < 10


@pytest.mark.parametrize("unit", [b"{},", b"[],", b'{"a":1},', b'{"a":[0.25,1000]},', b'"ab",'])
def test_json_is_refused_by_what_its_values_take(unit):
    data = b"[" + unit * (2_000_000 // len(unit)) + unit[:-1] + b"]"
    with pytest.raises(UserError, match=r"once parsed, the JSON takes some .* read\.max_bytes"):
        read(data, "t.json", max_bytes="5M")


def test_one_wide_letter_widens_all_of_a_json_text():
    data = b'{"a":["' + b"x" * 2_000_000 + b'"]}'
    assert read(data, "t.json", max_bytes="9M").height == 1
    for wide in ("\U0001f600".encode(), b"\\ud83d\\ude00"):
        with pytest.raises(UserError, match=r"takes some \d+ MB, more than 9 MB"):
            read(data[:-3] + wide + data[-3:], "t.json", max_bytes="9M")


def test_the_size_told_of_json_hardly_depends_on_the_cap():
    rows = [{"age": at, "name": "some name", "share": 1.5} for at in range(20_000)]
    told = []
    for cap in ("2M", "4M", "8M"):
        with pytest.raises(UserError, match="once parsed") as caught:
            read(json.dumps(rows).encode(), "t.json", max_bytes=cap)
        told.append(float(re.search(r"takes some ([\d.]+) MB", str(caught.value))[1]))
    assert max(told) < 1.2 * min(told)


def test_lists_and_objects_inside_cells_are_read_where_they_are_few():
    cells = {"a": [{"k": [at, at]} for at in range(1000)]}
    assert read(json.dumps(cells).encode(), "t.json", max_bytes="5M").height == 1000
    keys = {"a": [{f"k{at}": at for at in range(1000)}]}
    assert read(json.dumps(keys).encode(), "t.json", max_bytes="5M").height == 1
    lines = b"".join(b'{"a":[%d],"b":"x"}\n' % at for at in range(5000))
    assert read(lines, "t.jsonl", max_bytes="5M").height == 5000


def test_a_line_of_commas_is_set_aside_where_its_cells_are_allowed(monkeypatch):
    # Polars would keep hundreds of bytes for each surplus cell of the first row.
    monkeypatch.setattr("assay.read.delimited.pl.read_csv", None)
    good = b"".join(b"%d,%d\n" % (at, at) for at in range(200))
    for line in (b"," * 30_000 + b"\n", b'"x\n",' + b"," * 30_000 + b"\n"):
        assert read(b"a,b\n" + line + good, max_bytes="5M").shape == (200, 2)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_long_line_counts_with_each_line_end(end):
    data = end.join([b"a,b", b"1,2", b"," * 100_000, b"1,2", b"1,2", b""])
    with pytest.raises(UserError, match=r"one line has 100,001 cells, which take 6 MB"):
        read(data, max_bytes="5M")
    data = end.join([b"a,b", *[b"1,2"] * 100_000, b""])
    assert read(data, max_bytes="5M").height == 100_000


@pytest.mark.parametrize("escape", ["", '\\"', "\\\\", "[{" * 70, "\\n"])
def test_quotes_and_escapes_hide_neither_brackets_nor_texts(escape, monkeypatch):
    monkeypatch.setattr(json_sizes, "_PIECE_BYTES", 3)
    value = {"a": [f"x{escape}y", 1000.5, None, True], "b": [1, 2, 3, 4]}
    data = json.dumps(value).encode()
    json_sizes.check_json_sizes(data, caps_of(ReadRecipe(max_bytes="20K")), "t.json")
    deep = b'{"a": ' + json.dumps(escape).encode() + b', "b": ' + b"[" * 64 + b"1"
    with pytest.raises(UserError, match="more than 64 deep"):
        json_sizes.check_json_sizes(deep, caps_of(ReadRecipe()), "t.json")


def test_the_size_of_json_values_is_about_what_python_takes():
    rows = [{"age": at, "name": f"name {at}", "share": at / 7} for at in range(3000)]
    tracemalloc.start()
    kept = json.loads(json.dumps(rows))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept) == 3000
    data = json.dumps(rows).encode()
    json_sizes.check_json_sizes(data, caps_of(ReadRecipe(max_bytes=str(2 * taken))), "t.json")
    with pytest.raises(UserError):
        json_sizes.check_json_sizes(data, caps_of(ReadRecipe(max_bytes=str(taken // 2))), "t.json")


@pytest.mark.parametrize("name", ["t.csv", "t.json", "t.jsonl"])
def test_every_text_counts_as_it_lies_there(name):
    with pytest.raises(UserError, match=r"more than 5 MB.*read\.max_bytes"):
        read(b'{"a": 1}\n' * 700_000, name, max_bytes="5M")


def test_cells_of_a_csv_count_though_they_hold_nothing():
    assert read(b"a,b\n" + b",\n" * 100_000, max_bytes="5M").height == 100_000
    with pytest.raises(UserError, match=r"its 400,00\d cells take 6 MB, more than 5 MB"):
        read(b"a,b\n" + b",\n" * 200_000, max_bytes="5M")


def test_separators_inside_texts_are_no_cells_of_many_columns():
    text = b'a,b\n"' + b"," * 900_000 + b'",1\n2,3\n'
    assert read(text, max_bytes="1M").shape == (2, 2)


def test_an_old_workbook_is_refused_before_it_is_opened():
    with pytest.raises(UserError, match=r"old form \(\.xls\).*Save it as \.xlsx"):
        read(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000, "t.xls")
