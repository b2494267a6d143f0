"""What an Arrow file or stream will take, told before its buffers are unpacked.

A record batch names its buffers; each packed one begins with the bytes it becomes. The
messages are FlatBuffers: https://arrow.apache.org/docs/format/Columnar.html, Message.fbs
and File.fbs there; https://flatbuffers.dev/internals.
"""

import struct
from collections.abc import Iterator
from mmap import mmap

from assay.read.caps import Caps
from assay.read.content import Content

Bytes = bytes | mmap

_MAGIC = b"ARROW1"
_CONTINUATION = b"\xff\xff\xff\xff"
_DICTIONARY, _BATCH = 2, 3  # MessageHeader in Message.fbs
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3  # fields of Message
_NODES, _BUFFERS, _COMPRESSION = 1, 2, 3  # of RecordBatch
_FIELDS = 1  # of Schema
_DATA = 1  # of DictionaryBatch
_SCHEMA, _DICTIONARIES, _BATCHES = 1, 2, 3  # of Footer
_NODE_BYTES = _BUFFER_BYTES = 16
_BLOCK_BYTES = 24
_UNPACKED = -1  # stands for a buffer that is not packed after all


def check_arrow_sizes(content: Content, caps: Caps) -> None:
    """Refuse an Arrow file or stream whose buffers would take more than the cap.

    Args:
        content: The file; one that begins with ARROW1 has a footer that names its batches.
        caps: What is allowed.

    Raises:
        UserError: It names more than `caps.max_columns`, or its batches declare more
            than `caps.max_bytes`.
        ValueError: A message is damaged.
    """
    with content.mapped() as data:
        is_file = data[:6] == _MAGIC
        caps.check_columns(_n_columns(data, is_file=is_file), content.name)
        n_bytes = 0
        for metadata, body in _messages_of_file(data) if is_file else _messages(data):
            n_bytes += _batch_bytes(metadata, body)
            caps.check_bytes(n_bytes, content.name, what="the file declares")


def _n_columns(data: Bytes, *, is_file: bool) -> int:
    """Return how many columns the schema names: in the footer, or as a stream begins."""
    message: Bytes = _footer(data) if is_file else data
    at = 0 if is_file else 8 if data[:4] == _CONTINUATION else 4
    field = _SCHEMA if is_file else _HEADER
    (root,) = _unpack("<I", message, at)
    schema = _table(message, at + root, field)
    return _vector(message, schema, _FIELDS)[1] if schema else 0


def _footer(data: Bytes) -> bytes:
    size = int.from_bytes(data[-10:-6], "little")
    if len(data) < size + 18 or data[-6:] != _MAGIC:
        raise ValueError("it has no footer")
    return data[len(data) - 10 - size : len(data) - 10]


def _messages_of_file(data: Bytes) -> Iterator[tuple[bytes, tuple[Bytes, int, int]]]:
    """Yield the batches that the footer names: metadata, and where the body lies."""
    footer = _footer(data)
    (root,) = _unpack("<I", footer, 0)
    for field in (_DICTIONARIES, _BATCHES):
        first, n_blocks = _vector(footer, root, field)
        for block in range(n_blocks):
            start, metadata_bytes, body_bytes = _unpack(
                "<qi4xq", footer, first + block * _BLOCK_BYTES
            )
            end = start + metadata_bytes
            if not 8 <= start < end or body_bytes < 0 or end + body_bytes > len(data):
                raise ValueError("a batch lies outside the file")
            head = 8 if data[start : start + 4] == _CONTINUATION else 4
            yield data[start + head : end], (data, end, body_bytes)


def _messages(data: Bytes) -> Iterator[tuple[bytes, tuple[Bytes, int, int]]]:
    """Yield the batches of a stream, up to its end mark or to where it is cut."""
    at = 0
    while at + 8 <= len(data) and data[at : at + 4] == _CONTINUATION:
        (size,) = _unpack("<i", data, at + 4)
        metadata, at = data[at + 8 : at + 8 + size], at + 8 + size
        if size <= 0 or len(metadata) < size:
            return
        (root,) = _unpack("<I", metadata, 0)
        slot, kind = _slot(metadata, root, _BODY_LENGTH), _slot(metadata, root, _HEADER_TYPE)
        body_bytes = _unpack("<q", metadata, slot)[0] if slot else 0
        if body_bytes < 0:
            raise ValueError("a message has a body of negative size")
        if at + body_bytes > len(data):
            return
        if kind and _unpack("<B", metadata, kind)[0] in (_DICTIONARY, _BATCH):
            yield metadata, (data, at, body_bytes)
        at += body_bytes


def _batch_bytes(metadata: bytes, body: tuple[Bytes, int, int]) -> int:
    batch = _batch(metadata)
    n_bytes = sum(_unpacked_sizes(metadata, batch, body))
    nodes, n_nodes = _vector(metadata, batch, _NODES)
    for at in range(n_nodes):  # a column of nothing takes no buffer, but has cells
        cells, _ = _unpack("<qq", metadata, nodes + at * _NODE_BYTES)
        n_bytes += max(cells, 0)
    return n_bytes


def _batch(metadata: bytes) -> int:
    """Return where the table RecordBatch begins, inside a dictionary too."""
    (root,) = _unpack("<I", metadata, 0)
    header_type = _slot(metadata, root, _HEADER_TYPE)
    header = _table(metadata, root, _HEADER)
    if not header_type or not header:
        raise ValueError("a message has no header")
    (kind,) = _unpack("<B", metadata, header_type)
    return _table(metadata, header, _DATA) if kind == _DICTIONARY else header


def _unpacked_sizes(metadata: bytes, batch: int, body: tuple[Bytes, int, int]) -> Iterator[int]:
    data, body_start, body_bytes = body
    is_packed = _slot(metadata, batch, _COMPRESSION) != 0
    first, n_buffers = _vector(metadata, batch, _BUFFERS)
    for at in range(n_buffers):
        start, size = _unpack("<qq", metadata, first + at * _BUFFER_BYTES)
        if size < 0 or start < 0 or start + size > body_bytes:
            raise ValueError("a buffer lies outside its message")
        declared = size
        if is_packed and size >= 8:
            (declared,) = _unpack("<q", data, body_start + start)
        yield size if declared == _UNPACKED else max(declared, 0)


def _unpack(form: str, data: Bytes, at: int) -> tuple[int, ...]:
    if at < 0:
        raise ValueError("a message points outside itself")
    try:
        return struct.unpack_from(form, data, at)
    except struct.error:
        raise ValueError("a message is cut short") from None


def _slot(data: Bytes, table: int, field: int) -> int:
    """Return where the value of a field stands, or 0 where the field is left out."""
    (back,) = _unpack("<i", data, table)
    vtable = table - back
    (size,) = _unpack("<H", data, vtable)
    if 4 + 2 * field + 2 > size:
        return 0
    (offset,) = _unpack("<H", data, vtable + 4 + 2 * field)
    return table + offset if offset else 0


def _table(data: Bytes, table: int, field: int) -> int:
    """Return where the table or vector that a field refers to begins, or 0."""
    slot = _slot(data, table, field)
    return slot + _unpack("<I", data, slot)[0] if slot else 0


def _vector(data: Bytes, table: int, field: int) -> tuple[int, int]:
    """Return where the elements of a vector begin, and how many there are."""
    start = _table(data, table, field)
    if not start:
        return 0, 0
    (count,) = _unpack("<I", data, start)
    if 4 * count > len(data):
        raise ValueError("a message counts more than it holds")
    return start + 4, count
