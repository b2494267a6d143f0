"""From bytes of unknown encoding to UTF-8 text.

Marks at the start decide first, then the pattern of zero bytes (UTF-16), then
whether the file is UTF-8. What is none of these is read as Windows-1252 or Latin-1
and told to the ledger. A few wrong bytes make no file of another encoding: where
more characters are UTF-8 than are not, the wrong bytes stay for `delimited`, which
sets their rows aside.
"""

import codecs
import io
import re

from assay.errors import UserError
from assay.ledger import Ledger
from assay.read.content import Content

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HEAD_BYTES = 1 << 16
_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\x1a\x1b\x1c\x1d\x1e\x1f\x01")
# Bytes that Windows-1252 leaves undefined.
_NOT_CP1252 = b"\x81\x8d\x8f\x90\x9d"
_WRONG = re.compile("[\udc80-\udcff]")


def to_utf8(content: Content, encoding: str, ledger: Ledger) -> Content:
    r"""Return the same text as UTF-8.

    A file that is UTF-8 already stays on disk. It may hold a few wrong bytes, if
    `encoding` is "auto", and zero bytes; see `decoded` and `flaw_of`.

    Args:
        content: A text file.
        encoding: A Python codec name, or "auto" to detect it.
        ledger: Told of every encoding but UTF-8.

    Raises:
        UserError: The encoding is unknown, bytes do not fit it (a line is named),
            or the file is binary.

    Example:
        >>> from assay.read.content import from_bytes
        >>> to_utf8(from_bytes("prix\n5 €".encode("cp1252"), "a.csv"), "auto", Ledger()).read()
        b'prix\n5 \xe2\x82\xac'
    """
    found = _known(encoding, content.name) if encoding != "auto" else detect_encoding(content)
    bad_line = _first_bad_line(content) if found in ("utf-8", "cp1252", "latin-1") else 0
    if encoding == "auto" and bad_line:
        why = f"it is not valid UTF-8, first at line {bad_line}"
        if found == "utf-8":
            why = f"most of it is, though not all, first at line {bad_line}"
        ledger.add(f"text read as {found}", where=content.name, why=why, undo="read.encoding")
    elif found != "utf-8":
        how = "detected from its first bytes" if encoding == "auto" else "set in the recipe"
        ledger.add(f"text read as {found}", where=content.name, why=how, undo="read.encoding")
    elif bad_line:
        raise UserError(
            f"line {bad_line} is not valid {encoding}",
            where=content.name,
            fix="Correct read.encoding or the file",
        )
    return content if found == "utf-8" else _recode(content, found)


def decoded(data: bytes) -> str:
    r"""Decode UTF-8, half a character at the end left out.

    Bytes that are not UTF-8 become lone surrogates.

    Example:
        >>> decoded(b"5 \xff\xe2\x82")
        '5 \udcff'
    """
    return codecs.getincrementaldecoder("utf-8")(errors="surrogateescape").decode(data)


def flaw_of(text: str) -> str:
    """Say what makes a decoded text no text, or return an empty string.

    Example:
        >>> flaw_of("a"), flaw_of(decoded(bytes((97, 0)))), flaw_of(decoded(bytes((97, 255))))
        ('', 'a NUL byte', 'a byte that is not UTF-8')
    """
    if "\0" in text:
        return "a NUL byte"
    return "a byte that is not UTF-8" if _WRONG.search(text) else ""


def shown(text: str) -> str:
    """Return a decoded text with replacement signs for its wrong bytes."""
    return _WRONG.sub("\ufffd", text)


def detect_encoding(content: Content) -> str:
    """Name the encoding: utf-8, utf-16-le/be, utf-32-le/be, cp1252 or latin-1.

    Raises:
        UserError: The file is binary.
    """
    head = content.head(_HEAD_BYTES)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    wide = _utf16_without_mark(head)
    if wide:
        return wide
    _check_not_binary(head, content.name)
    if _first_bad_line(content) == 0 or _is_mostly_utf8(content):
        return "utf-8"
    undefined = any(byte in piece for piece in content.chunks() for byte in _NOT_CP1252)
    return "latin-1" if undefined else "cp1252"


def _known(encoding: str, where: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        codecs.getincrementaldecoder(name)
        "".encode(name)
    except (LookupError, ValueError):
        raise UserError(
            f"read.encoding = {encoding!r} is not a known text encoding",
            where=where,
            fix="Use a name such as utf-8, utf-16, latin-1, cp1252, gbk or shift_jis",
        ) from None
    return "utf-8" if name in ("utf-8", "utf-8-sig", "ascii") else name


def _utf16_without_mark(head: bytes) -> str:
    # Mostly-Latin text in UTF-16 has a zero in every second byte.
    even, odd = head[0::2], head[1::2]
    if len(head) < 4 or not odd:
        return ""
    if odd.count(0) > 0.5 * len(odd) and even.count(0) < 0.05 * len(even):
        return "utf-16-le"
    if even.count(0) > 0.5 * len(even) and odd.count(0) < 0.05 * len(odd):
        return "utf-16-be"
    return ""


def _check_not_binary(head: bytes, where: str) -> None:
    n_control = len(head) - len(head.translate(None, _CONTROL))
    if n_control > 0.02 * len(head) and n_control > 1:
        raise UserError(
            f"this is binary data, not a table: it starts with {head[:12]!r}",
            where=where,
            fix="Give CSV, Parquet, Arrow, JSON, Excel, SQLite or DuckDB",
        )


def _first_bad_line(content: Content) -> int:
    # The 1-based line of the first byte that is not UTF-8, or 0.
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    for piece in content.chunks():
        held = decoder.getstate()[0]
        try:
            if held or not piece.isascii():
                decoder.decode(piece)
        except UnicodeDecodeError as error:
            # Positions count from the bytes held back from the piece before.
            return line + piece[: max(error.start - len(held), 0)].count(b"\n")
        line += piece.count(b"\n")
    return line if decoder.getstate()[0] else 0


def _is_mostly_utf8(content: Content) -> bool:
    # Pairs of letters of another encoding that happen to be UTF-8 are rare.
    decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
    n_right = n_wrong = 0
    for piece in content.chunks():
        text = decoder.decode(piece)
        if not text.isascii():
            n_piece = len(_WRONG.findall(text))
            n_wrong += n_piece
            n_right += len(text) - len(text.encode("ascii", "ignore")) - n_piece
    return n_right >= n_wrong and n_right > 0


def _recode(content: Content, encoding: str) -> Content:
    decoder = codecs.getincrementaldecoder(encoding)()
    buffer = io.BytesIO()
    try:
        for piece in content.chunks():
            buffer.write(decoder.decode(piece).encode("utf-8"))
        buffer.write(decoder.decode(b"", final=True).encode("utf-8"))
    except UnicodeError as error:
        line = buffer.getvalue().count(b"\n") + 1
        reason = getattr(error, "reason", error)
        raise UserError(
            f"the text is not valid {encoding}, at or after line {line}: {reason}",
            where=content.name,
            fix="Correct read.encoding or the file",
        ) from None
    return Content(name=content.name, data=buffer.getvalue())
