"""Decompressing files, up to a cap."""

import bz2
import gzip
import lzma

import pyarrow as pa
import pytest

from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read.caps import caps_of
from assay.read.compressed import compression_of, decompress
from assay.read.content import from_bytes

CAPS = caps_of(ReadRecipe(max_bytes="5M"))
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
    result = decompress(from_bytes(packed, "t.csv.x"), compression_of(packed), CAPS, ledger)
    assert result.read() == TEXT
    assert result.name == "t.csv"
    assert "times as many" in next(iter(ledger)).why


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd])
def test_a_truncated_archive_is_one_line(pack):
    packed = pack(TEXT)[:-6]
    with pytest.raises(UserError, match="truncated or damaged"):
        decompress(from_bytes(packed, "t.csv.x"), compression_of(packed), CAPS, Ledger())
