"""Opening and decompressing files."""

import bz2
import gzip
import lzma
from pathlib import Path

import pyarrow as pa
import pytest

from assay.errors import UserError
from assay.ledger import Ledger
from assay.read import content as content_module
from assay.read.content import Content, compression_of, decompress, from_bytes, open_path

TEXT = b"a,b\n1,2\n" * 200


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd])
def test_each_compression_gives_the_same_bytes(pack):
    packed = pack(TEXT)
    ledger = Ledger()
    result = decompress(from_bytes(packed, "t.csv.x"), compression_of(packed), ledger)
    assert result.read() == TEXT
    assert result.name == "t.csv"
    assert "times as many" in next(iter(ledger)).why


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd])
def test_a_truncated_archive_is_one_line(pack):
    packed = pack(TEXT)[:-6]
    with pytest.raises(UserError, match="truncated or damaged"):
        decompress(from_bytes(packed, "t.csv.x"), compression_of(packed), Ledger())


def test_a_bomb_is_stopped_at_the_cap(monkeypatch):
    monkeypatch.setattr(content_module, "MAX_DECOMPRESSED_BYTES", 5_000_000)
    packed = gzip.compress(b"0" * 20_000_000)
    with pytest.raises(UserError, match="grows too far"):
        decompress(from_bytes(packed, "t.gz"), "gzip", Ledger())


def test_a_missing_file_offers_the_nearest_name(tmp_path: Path):
    (tmp_path / "titanic.csv").write_text("a\n1\n")
    with pytest.raises(UserError, match=r"no such file. Did you mean 'titanic.csv'"):
        open_path(tmp_path / "titanik.csv")


def test_a_folder_is_no_table(tmp_path: Path):
    (tmp_path / "x.csv").write_text("a\n1\n")
    with pytest.raises(UserError, match=r"folder, not a table. Choose a file in it: x.csv"):
        open_path(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path):
    (tmp_path / "x.csv").touch()
    with pytest.raises(UserError, match="the file is empty"):
        open_path(tmp_path / "x.csv")


def test_permission_denied_is_said(tmp_path: Path, monkeypatch):
    path = tmp_path / "x.csv"
    path.write_text("a\n1\n")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match="cannot read the file: permission denied"):
        open_path(path)


def test_chunks_join_to_the_whole():
    assert b"".join(Content(name="x", data=TEXT).chunks(7)) == TEXT
