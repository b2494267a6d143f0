"""What a JSON text will take once it is parsed, told before a parser meets it.

Three bytes of JSON, "{}," become an object of 88: what the values of Python take is counted
from the marks outside of quotes, the lengths of the numbers and the number of the texts.
"""

from collections.abc import Iterator

import numpy as np

from assay.errors import UserError
from assay.read.caps import MAX_NESTING, Caps

_PIECE_BYTES = 1 << 18
_BLANKS = b" \t\r\n"
_IS_MARK = np.isin(np.arange(256), list(b",:[]{}"))
_STEP = np.zeros(256, np.int8)
_STEP[list(b"[{")], _STEP[list(b"]}")] = 1, -1
# Bytes of CPython's objects on 64 bits, with what the garbage collector adds to each.
_OBJECT, _EMPTY_OBJECT, _LIST, _PLACE, _NUMBER, _TEXT = 200, 80, 72, 8, 32, 56
_PLACE_IN_OBJECT = 16
_SHORT_NUMBER = 2  # digits: those up to 256 exist once
_SHORT_TEXT = 1  # letters: these exist once, too


def check_json_sizes(data: bytes, caps: Caps, where: str) -> None:
    """Refuse a JSON text that is nested too deep, or whose values would take too much.

    Args:
        data: All of it, as UTF-8.
        caps: What is allowed.
        where: Name of the file.

    Raises:
        UserError: It is nested more than `MAX_NESTING` deep, or its values would take
            more than `caps.max_bytes`.
    """
    what = "once parsed, the JSON takes some"
    n_bytes, depth = _text_bytes(data), 0
    caps.check_bytes(n_bytes, where, what=what)
    for outside, texts, n_read in _split(data):
        depth, deepest = _depths(outside, depth)
        if deepest > MAX_NESTING:
            raise too_deep(where)
        n_bytes += _value_bytes(outside) + _text_value_bytes(texts, outside.count(b":"))
        if n_bytes > caps.max_bytes:  # so far: the rest will be like it
            caps.check_bytes(n_bytes * len(data) // n_read, where, what=what)


def too_deep(where: str) -> UserError:
    """Return what to say of a value that is nested too deep."""
    return UserError(
        f"lists and objects stand inside each other more than {MAX_NESTING} deep",
        where=where,
        fix="Give a flat table",
    )


def _depths(outside: bytes, depth: int) -> tuple[int, int]:
    """Return how deep a piece ends that begins at a depth, and how deep it goes."""
    marks = np.frombuffer(outside, np.uint8)
    steps = _STEP[marks[_STEP[marks] != 0]]
    if not len(steps):
        return depth, depth
    depths = depth + np.cumsum(steps, dtype=np.int32)
    return int(depths[-1]), int(depths.max())


def _text_bytes(data: bytes) -> int:
    """Return what the text takes when it is decoded: its widest character rules all."""
    highest = int(np.frombuffer(data, np.uint8).max(initial=0))
    width = 4 if highest >= 0xF0 else 2 if highest >= 0xC4 else 1  # first bytes in UTF-8
    return width * len(data)


def _split(data: bytes) -> Iterator[tuple[bytes, list[bytes], int]]:
    """Yield what stands outside of quotes, without blanks, the texts inside, and the bytes read."""
    is_open = False
    at = 0
    while at < len(data):
        piece = data[at : at + _PIECE_BYTES]
        at += len(piece)
        if b"\\" in piece:
            if _ends_in_escape(piece):
                piece += data[at : at + 1]
                at += 1
            piece = piece.replace(b"\\\\", b"__").replace(b'\\"', b"__")
        parts = piece.split(b'"')
        outside, texts = parts[is_open::2], parts[1 - is_open :: 2]
        is_open ^= len(parts) % 2 == 0
        yield b"".join(outside).translate(None, _BLANKS), texts, at


def _ends_in_escape(piece: bytes) -> bool:
    return (len(piece) - len(piece.rstrip(b"\\"))) % 2 == 1


def _value_bytes(outside: bytes) -> int:
    n_empty = outside.count(b"{}")
    n_objects = outside.count(b"{") - n_empty
    marks = np.flatnonzero(_IS_MARK[np.frombuffer(outside, np.uint8)])
    n_long = np.count_nonzero(np.diff(marks) > _SHORT_NUMBER + 1)
    n_words = outside.count(b"u") + outside.count(b"s")  # true and null, false
    return (
        n_empty * _EMPTY_OBJECT
        + n_objects * _OBJECT
        + outside.count(b":") * _PLACE_IN_OBJECT
        + outside.count(b"[") * _LIST
        + outside.count(b",") * _PLACE
        + max(int(n_long) - n_words, 0) * _NUMBER
    )


def _text_value_bytes(texts: list[bytes], n_keys: int) -> int:
    """Return what texts take that are no keys, as those of one name are one object."""
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    lengths = lengths[lengths > _SHORT_TEXT]
    share = max(1 - n_keys / len(texts), 0) if texts else 0
    return int(share * (int(lengths.sum()) + len(lengths) * _TEXT))
