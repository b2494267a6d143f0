"""The door: content decides, and everything that is no table is refused in one line."""

import gzip
import io
import random
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest

from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read import NamedBytes, apply_schema, infer_schema
from assay.read.source import StandardInput, read_table
from assay.recipe import Recipe
from assay.table import Table

CSV = b"age,sex\n31,f\n40,m\n"
ROWS = [("31", "f"), ("40", "m")]


def read(source: object) -> Table:
    return read_table(source, ReadRecipe(), Ledger())


def test_a_path_may_be_text_or_path(tmp_path: Path):
    path = tmp_path / "people.csv"
    path.write_bytes(CSV)
    assert read(path).frame.rows() == read(str(path)).frame.rows() == ROWS
    assert read(path).source == "people.csv"


def test_standard_input_is_read(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CSV)))
    table = read("-")
    assert (table.frame.rows(), table.source) == (ROWS, "standard input")


def test_closed_standard_input_is_told(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UserError, match="standard input: it is closed"):
        read("-")


def test_standard_input_is_read_as_far_as_the_recipe_allows(monkeypatch):
    text = CSV + b"40,m\n" * 600_000
    data = io.BytesIO(text)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data))
    source = StandardInput()
    with pytest.raises(UserError, match=r"standard input: it holds more than 100 kB.*max_bytes"):
        read_table(source, ReadRecipe(max_bytes="100k"), Ledger())
    assert data.tell() < 3_000_000
    assert read(source).n_rows == 600_002
    assert source.data == text


def test_bytes_may_have_a_name_for_messages_and_extension():
    assert read(NamedBytes(CSV, "standard input")).source == "standard input"
    with pytest.raises(UserError, match="standard input: this is a PDF"):
        read(NamedBytes(b"%PDF-1.7", "standard input"))
    assert read(NamedBytes(b'{"a": 1}\n', "rows.jsonl")).frame.rows() == [(1,)]


def test_only_a_header_is_a_table_where_that_is_allowed(tmp_path: Path):
    path = tmp_path / "people.csv.gz"
    path.write_bytes(gzip.compress(b"age,sex\n"))
    with pytest.raises(UserError, match="only a header"):
        read(path)
    table = read_table(path, ReadRecipe(), Ledger(), allow_empty=True)
    assert (table.names, table.n_rows) == (["age", "sex"], 0)


def test_content_wins_over_the_extension(tmp_path: Path):
    path = tmp_path / "people.csv"
    pl.DataFrame({"age": [31]}).write_parquet(path)
    assert read(path).frame.rows() == [(31,)]
    packed = tmp_path / "people.txt"
    packed.write_bytes(gzip.compress(CSV))
    assert read(packed).frame.rows() == ROWS


def test_text_in_brackets_is_csv_where_the_name_says_so(tmp_path: Path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"[a],b\n1,2\n")
    assert read(path).names == ["[a]", "b"]


def test_a_table_passes():
    table = Table(pl.DataFrame({"a": [1]}))
    assert read(table) is table


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%PDF-1.7 ...", "PDF"),
        (b"\x89PNG\r\n\x1a\n....", "image"),
        (b"\x80\x04\x95abc.", "pickle"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\x93NUMPY\x01\x00", "NumPy"),
        (bytes(range(200)), "binary data"),
        (gzip.compress(gzip.compress(CSV, mtime=0), mtime=0), "gzip file again"),
        (b"", "0 bytes"),
    ],
)
def test_what_is_no_table_is_named(data, words):
    with pytest.raises(UserError, match=words) as caught:
        read(data)
    assert "\n" not in str(caught.value)


def test_a_zip_archive_lists_its_files():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", "a\n1\n")
    with pytest.raises(UserError, match=r"zip archive of 1 file \(a.csv\)"):
        read(buffer.getvalue())


def test_a_name_that_promises_too_much_is_refused(tmp_path: Path):
    path = tmp_path / "x.parquet"
    path.write_bytes(CSV)
    with pytest.raises(UserError, match="the name says Parquet"):
        read(path)


def test_a_compressed_database_must_be_unpacked():
    with pytest.raises(UserError, match="must be a file on disk"):
        read(gzip.compress(b"SQLite format 3\0" + b"\0" * 100))


def test_mangled_files_end_in_a_table_or_one_line():
    rng = random.Random(0)
    base = b'id,name,price,when\n1,"Smith, J",1.5,2020-01-01\n2,\'x\',"2,5",2020-01-02\n' * 3
    marks = b",;\"'\n\r\t |#/\\:0ax\xff\x00"
    for _ in range(150):
        data = bytearray(base)
        for _ in range(rng.randint(1, 8)):
            at = rng.randrange(len(data))
            data[at : at + rng.choice([0, 0, 1, 9])] = bytes([rng.choice(marks)])
        recipe = Recipe().with_options({"read.max_bad_rows": rng.choice([0.0, 0.5])})
        typed = _typed_or_none(bytes(data), recipe)
        assert typed is None or typed.n_rows > 0


def _typed_or_none(data: bytes, recipe: Recipe) -> Table | None:
    ledger = Ledger()
    try:
        table = read_table(data, recipe.read, ledger)
        schema = infer_schema(table, recipe, ledger)
        return apply_schema(table, schema, recipe, is_training=True)
    except UserError:
        return None
