"""Compressed files: told by their first bytes, unpacked piece by piece under a cap.

What a file declares of its size is judged first; what it then yields is counted, as a
declaration may lie. In comes `Content` that is packed, out goes `Content` that is not.
"""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from assay.amounts import size_text
from assay.errors import UserError
from assay.ledger import Ledger
from assay.read.caps import Caps
from assay.read.content import Content

MAX_EXPANSION = 500
"""Largest accepted ratio of sizes beyond 1 GiB; tables compress by 3 to 30."""

_FREE_EXPANSION_BYTES = 1024**3
_CHUNK_BYTES = 1 << 20
_XZ_MEMORY_BYTES = 1 << 28  # xz -9 asks for 65 MiB; a file may ask for 4 GiB
_MOST_DEFLATED = 1032  # bytes that one can stand for, https://zlib.net/zlib_tech.html
_XZ_PADDING = b"\0"


def compression_of(head: bytes) -> str:
    """Name the compression by its first bytes: gzip, zstd, bz2, xz, or ""."""
    magic = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2", b"\xfd7zXZ\0": "xz"}
    return next((name for start, name in magic.items() if head.startswith(start)), "")


def decompress(content: Content, compression: str, caps: Caps, ledger: Ledger) -> Content:
    """Decompress into memory, piece by piece.

    Args:
        content: The compressed file.
        compression: A name from `compression_of`.
        caps: How large it may become.
        ledger: Told the sizes and their ratio.

    Returns:
        The content without its last extension (".csv.gz" becomes ".csv").

    Raises:
        UserError: The file is truncated or damaged, or it declares or yields more than
            `caps.max_bytes`, or, where nobody chose that, grows beyond `MAX_EXPANSION`.
    """
    packed_bytes = max(content.size_bytes, 1)
    what = f"the {compression} file declares that it holds"
    caps.check_bytes(_declared_bytes(content, compression), content.name, what=what)
    buffer = io.BytesIO()
    try:
        with content.open() as raw:
            for piece in _unpacked(raw, compression):
                _check_growth(content.name, packed_bytes, buffer.tell() + len(piece), caps)
                buffer.write(piece)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise UserError(
            f"the {compression} file is truncated or damaged: {error}",
            where=content.name,
            fix="Copy or download it again",
        ) from None
    data = buffer.getvalue()
    if not data:
        raise UserError(f"the {compression} file holds 0 bytes", where=content.name)
    ratio = len(data) / packed_bytes
    why = f"{compression}: {packed_bytes} bytes became {len(data)}, {ratio:.1f} times as many"
    ledger.add("file decompressed", where=content.name, why=why)
    stem = content.name.rsplit(".", 1)[0] if "." in content.name else content.name
    return Content(name=stem, data=data)


def _declared_bytes(content: Content, compression: str) -> int:
    """Return how much a file says that it holds, or 0 where it does not say.

    gzip writes it last (RFC 1952, ISIZE), zstd first (RFC 8878, section 3.1.1.1).
    """
    if compression == "gzip":
        with content.open() as stream:
            stream.seek(max(content.size_bytes - 4, 0))
            declared = int.from_bytes(stream.read(4), "little")
        # What deflate cannot do is said by a file that was cut, not by a bomb.
        return declared if declared <= _MOST_DEFLATED * content.size_bytes else 0
    if compression != "zstd":
        return 0
    head = content.head(18)
    flags = head[4] if len(head) > 4 else 0
    n_bytes = (0, 2, 4, 8)[flags >> 6] or int(bool(flags & 0x20))
    start = 5 + (0 if flags & 0x20 else 1) + (0, 1, 2, 4)[flags & 3]
    size = int.from_bytes(head[start : start + n_bytes], "little")
    return size + 256 if n_bytes == 2 else size


def _unpacked(raw: BinaryIO, compression: str) -> Iterator[bytes]:
    if compression == "xz":
        yield from _unpacked_xz(raw)
        return
    stream = _decompressor(raw, compression)
    while piece := stream.read(_CHUNK_BYTES):
        yield piece


def _decompressor(raw: BinaryIO, compression: str) -> BinaryIO:
    if compression == "gzip":
        return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]
    if compression == "bz2":
        return bz2.BZ2File(raw)  # type: ignore[return-value]
    import pyarrow as pa

    stream: BinaryIO = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), compression)
    return stream


def _unpacked_xz(raw: BinaryIO) -> Iterator[bytes]:
    """Yield the pieces of one or more streams; none may ask for all memory."""
    rest = raw.read(_CHUNK_BYTES)
    while rest:
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)
        while not unpacker.eof:
            piece = unpacker.decompress(rest, max_length=_CHUNK_BYTES)
            if piece:
                yield piece
            rest = b""
            if unpacker.needs_input and not unpacker.eof:
                rest = raw.read(_CHUNK_BYTES)
                if not rest:
                    raise EOFError("it ends before its end mark")
        rest = unpacker.unused_data.lstrip(_XZ_PADDING) or _next_filled(raw)


def _next_filled(raw: BinaryIO) -> bytes:
    """Return the next piece that is not all padding."""
    while piece := raw.read(_CHUNK_BYTES):
        if filled := piece.lstrip(_XZ_PADDING):
            return filled
    return b""


def _check_growth(name: str, packed_bytes: int, unpacked_bytes: int, caps: Caps) -> None:
    ratio = unpacked_bytes / packed_bytes
    is_bomb = unpacked_bytes > _FREE_EXPANSION_BYTES and ratio > MAX_EXPANSION
    if unpacked_bytes > caps.max_bytes or (is_bomb and not caps.is_chosen):
        raise UserError(
            f"the compressed file grows too far: {size_text(packed_bytes)} became more than "
            f"{size_text(min(unpacked_bytes, caps.max_bytes))}, {ratio:.0f} times as many",
            where=name,
            fix=caps.fix(2 * unpacked_bytes),
        )
