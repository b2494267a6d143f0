"""What a Parquet file will take, told before it is decoded.

The footer counts the cells; it may lie about bytes, so the head of each page is read too.
A page head is a struct in Thrift's compact protocol:
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md and
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

import mmap
from collections.abc import Iterator
from typing import Any

from assay.read.caps import Caps
from assay.read.content import Content

_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "FLOAT": 4, "DOUBLE": 8, "INT96": 12}
_WIDTH_OF_TEXT = 16
_FOOTER_BYTES = 8  # its length and the magic at the end of a file
_MAX_DEPTH = 16
_ELEMENTS_PER_COLUMN = 4
_BATCH_BYTES = 1 << 26
_BATCHES_OF_CAP = 32  # a batch takes some times its bytes while it is decoded
_MOST_BATCH_ROWS = 1024
_BOOLS, _VARINTS, _DOUBLE, _BINARY, _LISTS, _MAP, _STRUCT = (1, 2), (4, 5, 6), 7, 8, (9, 10), 11, 12
_BYTE = 3

Bytes = bytes | mmap.mmap


def check_columns_declared(content: Content, caps: Caps) -> None:
    """Refuse a footer of too many columns before it is parsed whole.

    Raises:
        UserError: There are more than `caps.max_columns`.
        ValueError: The footer is damaged.
    """
    with content.mapped() as data:
        size = int.from_bytes(data[-_FOOTER_BYTES:-4], "little")
        start = len(data) - _FOOTER_BYTES - size
        if start < 0:
            raise ValueError("the footer is longer than the file")
        footer = data[start : start + 64]
    # FileMetaData begins with its version and the list of its columns, the root included.
    version, at = _field(footer, 0)
    kind, at = _field(footer, _skip(footer, at, version[1]), version[0])
    if version[0] == 1 and kind == (2, _LISTS[0]):
        n_elements, _, _ = _list_head(footer, at)
        # A column of lists takes three elements: only far above the cap is sure.
        if n_elements - 1 > _ELEMENTS_PER_COLUMN * caps.max_columns:
            caps.check_columns(n_elements - 1, content.name)


def check_parquet_sizes(content: Content, file: Any, caps: Caps) -> None:
    """Refuse a Parquet file that would decode to more than the cap.

    Args:
        content: The file.
        file: The same as a `pyarrow.parquet.ParquetFile`.
        caps: What is allowed.

    Raises:
        UserError: It declares, or its pages hold, more than `caps.max_bytes`.
        ValueError: The pages do not lie where the footer says.
    """
    metadata = file.metadata
    n_bytes = n_page_bytes = 0
    delta: set[str] = set()
    largest = 1
    with content.mapped() as data:
        for chunk in _chunks(metadata):
            width = _WIDTHS.get(chunk.physical_type, _WIDTH_OF_TEXT)
            n_bytes += chunk.num_values * width
            caps.check_bytes(n_bytes, content.name, what="the file declares")
            for page_bytes in _page_sizes(data, chunk):
                n_page_bytes += page_bytes
                largest = max(largest, page_bytes)
                caps.check_bytes(n_page_bytes, content.name, what="the pages of the file hold")
            if "DELTA_BYTE_ARRAY" in chunk.encodings:
                delta.add(chunk.path_in_schema)
    _check_delta(content, file, sorted(delta), largest, caps)


def _chunks(metadata: Any) -> Iterator[Any]:
    for group in range(metadata.num_row_groups):
        columns = metadata.row_group(group)
        for at in range(metadata.num_columns):
            yield columns.column(at)


def _page_sizes(data: Bytes, chunk: Any) -> Iterator[int]:
    """Yield the unpacked bytes of each page of one column of a row group."""
    starts = [chunk.dictionary_page_offset, chunk.data_page_offset]
    at = min(start for start in starts if start is not None and start > 0)
    end = at + chunk.total_compressed_size
    if not 0 < at <= end <= len(data):
        raise ValueError("a column lies outside the file")
    while at < end:
        unpacked, packed, at = _page_head(data, at)
        at += packed
        yield unpacked
    if at > end:
        raise ValueError("a page lies outside its column")


def _page_head(data: Bytes, at: int) -> tuple[int, int, int]:
    """Return the sizes of a page, unpacked and packed, and where its head ends."""
    sizes = {2: -1, 3: -1}
    name = 0
    while data[at]:
        (name, kind), at = _field(data, at, name)
        if name in sizes and kind == 5:
            value, at = _varint(data, at)
            sizes[name] = (value >> 1) ^ -(value & 1)
        else:
            at = _skip(data, at, kind)
    if min(sizes.values()) < 0:
        raise ValueError("a page does not tell its size")
    return sizes[2], sizes[3], at + 1


def _check_delta(content: Content, file: Any, names: list[str], largest: int, caps: Caps) -> None:
    # Each text of this encoding may repeat a megabyte of the one before it for two bytes,
    # and no count tells: so it is decoded some rows at a time, and thrown away.
    if not names:
        return
    n_bytes = 0
    batch_bytes = min(_BATCH_BYTES, caps.max_bytes // _BATCHES_OF_CAP)
    n_rows = max(1, min(_MOST_BATCH_ROWS, batch_bytes // largest))
    for batch in file.iter_batches(batch_size=n_rows, columns=names, use_threads=False):
        n_bytes += batch.nbytes
        caps.check_bytes(n_bytes, content.name, what="the texts of the file take")


def _varint(data: Bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("a number is too long")


def _field(data: Bytes, at: int, before: int = 0) -> tuple[tuple[int, int], int]:
    """Return number and type of the field at a place, and where its value begins."""
    byte, at = data[at], at + 1
    if byte >> 4:
        return (before + (byte >> 4), byte & 15), at
    value, at = _varint(data, at)
    return ((value >> 1) ^ -(value & 1), byte & 15), at


def _list_head(data: Bytes, at: int) -> tuple[int, int, int]:
    """Return how many elements of which type a list has, and where they begin."""
    byte, at = data[at], at + 1
    n_elements = byte >> 4
    if n_elements == 15:
        n_elements, at = _varint(data, at)
    return n_elements, byte & 15, at


def _skip(data: Bytes, at: int, kind: int, depth: int = 0) -> int:
    """Return where a value ends."""
    if depth > _MAX_DEPTH:
        raise ValueError("a page head is nested too deep")
    if kind in _BOOLS:
        return at
    if kind in (_BYTE, _DOUBLE):
        return at + (1 if kind == _BYTE else 8)
    if kind in _VARINTS:
        return _varint(data, at)[1]
    if kind == _BINARY:
        size, at = _varint(data, at)
        return at + size
    if kind in _LISTS:
        n_elements, inner, at = _list_head(data, at)
        for _ in range(n_elements):
            at = _skip(data, at, inner, depth + 1)
        return at
    if kind == _STRUCT:
        while data[at]:
            (_, inner), at = _field(data, at)
            at = _skip(data, at, inner, depth + 1)
        return at + 1
    raise ValueError(f"a page head holds type {kind}")
