"""The wire format of protocol buffers, read field by field; nothing is interpreted.

The core graph is checked before ONNX Runtime sees it. The package `onnx` could read it
too, but takes 0.3 s to import, keeps a second copy of every weight, and knows many
fields that a core graph has no use for and that this reader refuses.

Source: protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from assay.modelfile.layout import MalformedError

VARINT, BYTES, FIXED32 = 0, 2, 5
_LONGEST_VARINT = 10


class Field(NamedTuple):
    """A field that a message may hold.

    Attributes:
        name: Its name in the schema.
        wire: How it is written: `VARINT`, `BYTES` or `FIXED32`.
        most: How often it may occur; a field of more than one is read as a list.
    """

    name: str
    wire: int
    most: int = 1


def read_message(message: memoryview, known: Mapping[int, Field]) -> dict[str, Any]:
    r"""Return the fields of a message by name.

    Args:
        message: Its bytes.
        known: Fields that it may hold, by number.

    Returns:
        Numbers, or views of bytes; lists of repeated fields, empty where absent. Single
        fields that are absent are left out.

    Raises:
        MalformedError: Cut off, an unknown field, or one too often. Fields are counted as
            they are read, so that what is refused was never held.

    Example:
        >>> read_message(memoryview(b"\x08\x96\x01"), {1: Field("a", VARINT)})
        {'a': 150}
    """
    found: dict[str, Any] = {field.name: [] for field in known.values() if field.most > 1}
    for number, wire, value in iterate_fields(message):
        field = known.get(number)
        if field is None or field.wire != wire:
            raise MalformedError(f"the core graph holds field {number}, which assay never writes")
        if field.most > 1:
            if len(found[field.name]) == field.most:
                raise MalformedError(
                    f"the core graph holds {field.name} more than {field.most} times"
                )
            found[field.name].append(value)
        elif field.name in found:
            raise MalformedError(f"the core graph holds the field {field.name} twice")
        else:
            found[field.name] = value
    return found


def iterate_fields(message: memoryview) -> Iterator[tuple[int, int, Any]]:
    """Yield number, wire type and value of each field.

    Raises:
        MalformedError: The message is cut off, or holds a wire type that assay never writes.
    """
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, position = _varint(message, position)
            yield number, wire, value
            continue
        if wire == BYTES:
            size, position = _varint(message, position)
        elif wire == FIXED32:
            size = 4
        else:
            raise MalformedError(f"the core graph holds the wire type {wire}")
        if size > len(message) - position:
            raise MalformedError("the core graph is cut off")
        yield number, wire, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Return a number and where the next one begins."""
    number = 0
    for place in range(_LONGEST_VARINT):
        if position + place >= len(message):
            raise MalformedError("the core graph is cut off")
        byte = message[position + place]
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return number, position + place + 1
    raise MalformedError("the core graph holds a number of more than 64 bits")


def signed(number: int) -> int:
    """Return a varint as int64: two's complement."""
    return number - (1 << 64) if number >= 1 << 63 else number


def read_varints(stream: memoryview) -> np.ndarray:
    r"""Return all numbers of a stream of varints, shape (V,), int64.

    A tree holds hundreds of thousands, too many for a loop.

    Raises:
        MalformedError: The last is cut off, or one has more than 62 bits.

    Example:
        >>> read_varints(memoryview(b"\x40\x96\x01")).tolist()
        [64, 150]
    """
    letters = np.frombuffer(stream, dtype=np.uint8)
    last = np.flatnonzero(letters < 0x80)
    if len(letters) and (not len(last) or last[-1] != len(letters) - 1):
        raise MalformedError("the core graph is cut off")
    first = np.concatenate([np.zeros(min(len(last), 1), dtype=np.int64), last[:-1] + 1])
    longest = int((last - first).max(initial=0)) + 1
    if longest > _LONGEST_VARINT - 2:
        raise MalformedError("the core graph holds a number that is too large")
    numbers = np.zeros(len(last), dtype=np.int64)
    for place in range(longest):
        is_part = first + place <= last
        bits = letters[first[is_part] + place].astype(np.int64) & 0x7F
        numbers[is_part] |= bits << (7 * place)
    return numbers
