"""From bytes of unknown encoding to UTF-8 text.

Marks at the start decide first, then the pattern of zero bytes (UTF-16), then
whether the whole file is valid UTF-8. What is none of these is read as
Windows-1252 or Latin-1 and told to the ledger.
"""

import codecs
import io

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


def to_utf8(content: Content, encoding: str, ledger: Ledger) -> Content:
    r"""Return the same text as valid UTF-8 without zero bytes.

    A file that is UTF-8 already stays on disk.

    Args:
        content: A text file.
        encoding: A Python codec name, or "auto" to detect it.
        ledger: Told of every encoding but UTF-8.

    Raises:
        UserError: The encoding is unknown, bytes do not fit it, the text holds
            a zero byte (its line is named), or the file is binary.

    Example:
        >>> from assay.read.content import from_bytes
        >>> to_utf8(from_bytes("prix\n5 €".encode("cp1252"), "a.csv"), "auto", Ledger()).read()
        b'prix\n5 \xe2\x82\xac'
    """
    found = _known(encoding, content.name) if encoding != "auto" else detect_encoding(content)
    result = content if found == "utf-8" else _recode(content, found)
    _check_text(result, "utf-8" if encoding == "auto" else encoding)
    if encoding == "auto" and found in ("cp1252", "latin-1"):
        why = f"it is not valid UTF-8, first at line {_first_bad_line(content)}"
        ledger.add(f"text read as {found}", where=content.name, why=why, undo="read.encoding")
    elif found != "utf-8":
        how = "detected from its first bytes" if encoding == "auto" else "set in the recipe"
        ledger.add(f"text read as {found}", where=content.name, why=how, undo="read.encoding")
    return result


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
    if _first_bad_line(content) == 0:
        return "utf-8"
    undefined = any(byte in piece for piece in content.chunks() for byte in _NOT_CP1252)
    return "latin-1" if undefined else "cp1252"


def _known(encoding: str, where: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        codecs.getincrementaldecoder(name)
        "".encode(name)
    except LookupError:
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


def _recode(content: Content, encoding: str) -> Content:
    decoder = codecs.getincrementaldecoder(encoding)()
    buffer = io.BytesIO()
    try:
        for piece in content.chunks():
            buffer.write(decoder.decode(piece).encode("utf-8"))
        buffer.write(decoder.decode(b"", final=True).encode("utf-8"))
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        line = buffer.getvalue().count(b"\n") + 1
        raise UserError(
            f"the text is not valid {encoding}, at or after line {line}: {error.reason}",
            where=content.name,
            fix="Correct read.encoding or the file",
        ) from None
    return Content(name=content.name, data=buffer.getvalue())


def _check_text(content: Content, encoding: str) -> None:
    bad = _first_bad_line(content)
    if bad:
        raise UserError(
            f"line {bad} is not valid {encoding}",
            where=content.name,
            fix="Correct read.encoding or the file",
        )
    line = 1
    for piece in content.chunks():
        at = piece.find(0)
        if at >= 0:
            raise UserError(
                f"line {line + piece[:at].count(10)} holds a NUL byte",
                where=content.name,
                fix="Remove the byte; text tables hold none",
            )
        line += piece.count(b"\n")
