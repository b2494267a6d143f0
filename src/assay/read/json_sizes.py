"""What a JSON text will take once it is parsed, told before a parser meets it.

Three bytes of JSON, "{}," become an object of 88: what the values of Python take is counted
from the marks outside of quotes, the lengths of the numbers and the number of the texts, and
what a column of them takes beside them.
"""

import re
from collections.abc import Iterator

import numpy as np

from assay.errors import UserError
from assay.read.caps import MAX_NESTING, Caps

_PIECE_BYTES = 1 << 18
_BLANKS = b" \t\r\n"
_IS_MARK = np.isin(np.arange(256), list(b",:[]{}"))
_STEP = np.zeros(256, np.int8)
_STEP[list(b"[{")], _STEP[list(b"]}")] = 1, -1
_IS_BRACKET_OR_COLON = np.isin(np.arange(256), list(b":[]{}"))
# Bytes of CPython's objects on 64 bits, with what the garbage collector adds to each.
_OBJECT, _EMPTY_OBJECT, _LIST, _NUMBER, _TEXT = 200, 80, 72, 32, 56
_PLACE_IN_OBJECT = 16
_PLACE = 24  # in a list, and in a column
_COPIES = 2  # of the letters of a text, in a column and while it grows
# What a column takes for a list or an object inside a cell, and for a key of it.
_INNER, _INNER_KEY = 450, 150
_HALF_LETTER = re.compile(rb"\\u[dD][89abAB]")
_SHORT_NUMBER = 2  # digits: those up to 256 exist once
_SHORT_TEXT = 1  # letters: these exist once, too


def check_json_sizes(data: bytes, caps: Caps, where: str, *, is_lines: bool = False) -> None:
    """Refuse a JSON text that is nested too deep, or whose values would take too much.

    Args:
        data: All of it, as UTF-8.
        caps: What is allowed.
        where: Name of the file.
        is_lines: Whether each line is an object, so that a cell is no deeper than 1.

    Raises:
        UserError: It is nested more than `MAX_NESTING` deep, or its values would take
            more than `caps.max_bytes`.
    """
    what = "once parsed, the JSON takes some"
    n_text_bytes, n_bytes, depth = _letter_bytes(data) * len(data), 0, 0
    widest = 4 if _HALF_LETTER.search(data) else 2 if b"\\u" in data else _letter_bytes(data)
    caps.check_bytes(n_text_bytes, where, what=what)
    for outside, texts, n_read in _split(data):
        depths, is_key = _depths(outside, depth)
        depth = int(depths[-1]) if len(depths) else depth
        if depths.max(initial=0) > MAX_NESTING:
            raise too_deep(where)
        n_bytes += _value_bytes(outside) + _inner_bytes(depths, is_key, 1 if is_lines else 2)
        # A piece inside of one text: what stands elsewhere may widen all of its letters.
        least = 1 if outside else widest
        n_bytes += _text_value_bytes(texts, outside.count(b":"), least)
        if n_text_bytes + n_bytes > caps.max_bytes:  # so far: the rest will be like it
            rest = n_bytes * len(data) // n_read
            caps.check_bytes(n_text_bytes + rest, where, what=what)


def check_inner_sizes(data: bytes, caps: Caps, where: str) -> None:
    """Refuse JSON lines whose lists and objects inside cells would take too much in columns.

    Raises:
        UserError: They would take more than `caps.max_bytes`.
    """
    what = "once parsed, lists and objects inside its cells take some"
    n_bytes = depth = 0
    for outside, _, n_read in _split(data):
        depths, is_key = _depths(outside, depth)
        depth = int(depths[-1]) if len(depths) else depth
        n_bytes += _inner_bytes(depths, is_key, 1)
        if n_bytes > caps.max_bytes:
            caps.check_bytes(n_bytes * len(data) // n_read, where, what=what)


def too_deep(where: str) -> UserError:
    """Return what to say of a value that is nested too deep."""
    return UserError(
        f"lists and objects stand inside each other more than {MAX_NESTING} deep",
        where=where,
        fix="Give a flat table",
    )


def _depths(outside: bytes, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how deep a piece is after each bracket and colon, and which of them are colons."""
    marks = np.frombuffer(outside, np.uint8)
    marks = marks[_IS_BRACKET_OR_COLON[marks]]
    return depth + np.cumsum(_STEP[marks], dtype=np.int32), marks == ord(":")


def _inner_bytes(depths: np.ndarray, is_key: np.ndarray, row_depth: int) -> int:
    """Return what lists and objects inside cells, and their keys, take in a column."""
    is_inner = depths > row_depth
    n_keys = np.count_nonzero(is_inner & is_key)
    is_opening = np.diff(depths, prepend=depths[:1]) > 0
    return int(_INNER * np.count_nonzero(is_inner & is_opening) + _INNER_KEY * n_keys)


def _letter_bytes(text: bytes) -> int:
    """Return what a letter takes once the text is decoded: its widest one rules all."""
    highest = int(np.frombuffer(text, np.uint8).max(initial=0))
    return 4 if highest >= 0xF0 else 2 if highest >= 0xC4 else 1  # first bytes in UTF-8


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


def _text_value_bytes(texts: list[bytes], n_keys: int, least: int) -> int:
    """Return what texts take that are no keys, as those of one name are one object.

    Args:
        texts: What stands between quotes.
        n_keys: How many of them are keys.
        least: Bytes that a letter takes at the least.
    """
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    lengths = lengths[lengths > _SHORT_TEXT]
    share = max(1 - n_keys / len(texts), 0) if texts else 0
    n_letters, width = int(lengths.sum()), least
    joined = b"".join(texts)
    n_escapes = joined.count(b"\\u")
    if n_escapes:
        n_letters -= 5 * n_escapes
        width = max(width, 4 if _HALF_LETTER.search(joined) else 2)
    width = max(width, _letter_bytes(joined))
    return int(share * ((width + _COPIES) * n_letters + len(lengths) * _TEXT))
