"""Encodings are detected, and the unusual ones are told."""

import pytest

from assay.errors import UserError
from assay.ledger import Ledger
from assay.read.content import from_bytes
from assay.read.encoding import decoded, detect_encoding, flaw_of, shown, to_utf8

TEXT = "name,city\nZoë,Köln\nJosé,A Coruña\n"


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16-le"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32-le"),
        ("cp1252", "cp1252"),
    ],
)
def test_every_encoding_gives_the_same_text(encoding, found):
    content = from_bytes(TEXT.encode(encoding), "x.csv")
    assert detect_encoding(content) == found
    assert to_utf8(content, "auto", Ledger()).read().decode("utf-8-sig") == TEXT


def test_bytes_that_cp1252_lacks_mean_latin_1():
    assert detect_encoding(from_bytes(b"a,b\n\xe9\x81,2\n", "x")) == "latin-1"


def test_a_guess_is_told_with_its_line_and_option():
    ledger = Ledger()
    to_utf8(from_bytes(b"a\nb\n\xe9t\xe9\n", "x.csv"), "auto", ledger)
    (entry,) = ledger
    assert "line 3" in entry.why
    assert entry.undo == "read.encoding"


def test_invalid_bytes_far_from_the_start_are_seen():
    data = b"a,b\n" * 800_000 + b"\xe9,1\n"
    assert detect_encoding(from_bytes(data, "x")) == "cp1252"


def test_a_character_split_between_chunks_is_valid():
    data = b"x" * ((1 << 20) - 1) + "é\n".encode()
    assert detect_encoding(from_bytes(data, "x")) == "utf-8"


def test_some_wrong_bytes_make_no_other_encoding():
    ledger = Ledger()
    content = from_bytes("a,b\nété,2\n".encode() + b"\xe9,3\n", "x.csv")
    assert detect_encoding(content) == "utf-8"
    assert decoded(to_utf8(content, "auto", ledger).read()) == "a,b\nété,2\n\udce9,3\n"
    (entry,) = ledger
    assert entry.what == "text read as utf-8"
    assert "not all, first at line 3" in entry.why


def test_a_byte_alone_makes_latin_text():
    assert detect_encoding(from_bytes(b"a,b\n\xe9t\xe9,2\n", "x.csv")) == "cp1252"


def test_flaws_are_named_and_shown():
    assert [flaw_of(text) for text in ("é", "\0", "\udce9")] == [
        "",
        "a NUL byte",
        "a byte that is not UTF-8",
    ]
    assert shown(decoded(b"a\xe9b")) == "a\ufffdb"


def test_binary_data_is_refused():
    with pytest.raises(UserError, match="binary data, not a table"):
        detect_encoding(from_bytes(bytes(range(256)) * 4, "x.bin"))


@pytest.mark.parametrize("name", ["utf9", "hex", "undefined", "a\0b"])
def test_an_unknown_encoding_names_some(name):
    with pytest.raises(UserError, match=r"read.encoding = .* is not a known"):
        to_utf8(from_bytes(b"a\n1\n", "x"), name, Ledger())


def test_utf_16_without_a_mark_is_refused_where_it_is_told():
    with pytest.raises(UserError, match=r"not valid utf-16, .* does not start with BOM"):
        to_utf8(from_bytes(b"a,b\n1,2\n", "x"), "utf-16", Ledger())


def test_a_forced_encoding_that_does_not_fit_is_refused():
    with pytest.raises(UserError, match="not valid"):
        to_utf8(from_bytes(b"a\n\xe9\n", "x"), "utf-8", Ledger())


def test_a_forced_encoding_is_obeyed():
    data = "имя,б\nАня,1\n".encode("cp1251")
    assert "Аня" in to_utf8(from_bytes(data, "x"), "cp1251", Ledger()).read().decode()
