"""The wire format: fields, numbers, and what is cut off."""

import numpy as np
import pytest

from assay.modelfile.layout import MalformedError
from assay.modelfile.protobuf import (
    BYTES,
    FIXED32,
    VARINT,
    Field,
    iterate_fields,
    read_message,
    read_varints,
    signed,
)

KNOWN = {
    1: Field("number", VARINT),
    2: Field("text", BYTES),
    3: Field("many", VARINT, most=4),
    4: Field("small", FIXED32),
}


def read(message: bytes) -> dict[str, object]:
    return read_message(memoryview(message), KNOWN)


def varint(number: int) -> bytes:
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def test_fields_are_read_by_name():
    message = b"\x08\x96\x01" + b"\x12\x03abc" + b"\x18\x01\x18\x02" + b"\x25\x00\x00\x80\x3f"
    found = read(message)
    assert found["number"] == 150
    assert bytes(found["text"]) == b"abc"
    assert found["many"] == [1, 2]
    assert bytes(found["small"]) == b"\x00\x00\x80\x3f"


def test_what_is_absent_is_left_out_or_empty():
    assert read(b"") == {"many": []}


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**31, 2**63, 2**64 - 1])
def test_numbers_are_read_whole(number):
    assert read(b"\x08" + varint(number))["number"] == number


@pytest.mark.parametrize(
    ("number", "expected"), [(0, 0), (2**63 - 1, 2**63 - 1), (2**63, -(2**63)), (2**64 - 1, -1)]
)
def test_signs(number, expected):
    assert signed(number) == expected


@pytest.mark.attack
@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"\x08", "cut off"),
        (b"\x08\x80", "cut off"),
        (b"\x12\x04abc", "cut off"),
        (b"\x12", "cut off"),
        (b"\x25\x00\x00\x80", "cut off"),
        (b"\x08\x01\x08\x02", "the field number twice"),
        (b"\x18\x01" * 5, "holds many more than 4 times"),
        (b"\x28\x01", "field 5, which assay never writes"),
        (b"\x0a\x00", "field 1, which assay never writes"),
        (b"\x0b", "the wire type 3"),
        (b"\x09" + b"\x00" * 8, "the wire type 1"),
        (b"\x0f", "the wire type 7"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "more than 64 bits"),
        (b"\x12" + varint(2**62), "cut off"),
    ],
)
def test_what_is_no_such_message_is_refused(message, reason):
    with pytest.raises(MalformedError, match=reason):
        read(message)


def test_fields_come_in_order():
    found = list(iterate_fields(memoryview(b"\x18\x02\x08\x01")))
    assert found == [(3, VARINT, 2), (1, VARINT, 1)]


def test_streams_of_numbers_are_read_at_once():
    numbers = [0, 1, 127, 128, 16_383, 16_384, 2**31, 2**40, 2**56 - 1]
    stream = b"".join(map(varint, numbers))
    assert read_varints(memoryview(stream)).tolist() == numbers
    assert read_varints(memoryview(b"")).tolist() == []
    assert read_varints(memoryview(b"\x05")).dtype == np.int64


@pytest.mark.attack
@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"\x01\x80", "cut off"),
        (b"\x80", "cut off"),
        (varint(2**56), "too large"),
        (varint(2**63), "too large"),
    ],
)
def test_streams_that_are_cut_or_too_large_are_refused(stream, reason):
    with pytest.raises(MalformedError, match=reason):
        read_varints(memoryview(stream))
