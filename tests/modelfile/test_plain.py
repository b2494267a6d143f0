"""JSON of a model file: what assay writes is read, nothing else, and typed as it is."""

from dataclasses import dataclass

import numpy as np
import pytest

from assay.modelfile.layout import MalformedError, to_json
from assay.modelfile.plain import MAX_DEPTH, MAX_VALUES, check_type, parse_json


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        [],
        {"a": [1, -2.5, 1e-300, 1e300, True, None, "x"], "b": {"é": "\n\"\\[{"}},
        "a \u2028 text with 🚢",
        10**23,
        0.1 + 0.2,
        ["[" * 100, '"' * 100, "\\" * 100, "1" * 100],
    ],
)  # fmt: skip
def test_what_is_written_is_read(data):
    assert parse_json(to_json(data)) == data
    assert parse_json(memoryview(to_json(data))) == data


def test_depth_is_bounded():
    parse_json(nested(MAX_DEPTH))
    parse_json(b"[" + b",".join([nested(MAX_DEPTH - 1)] * 3) + b"]")
    with pytest.raises(MalformedError, match="nests deeper than 32 levels"):
        parse_json(nested(MAX_DEPTH + 1))


def test_brackets_within_texts_do_not_count():
    assert parse_json(to_json(["[{" * 200])) == ["[{" * 200]


def test_values_are_bounded(monkeypatch):
    assert MAX_VALUES == 8_388_608
    monkeypatch.setattr("assay.modelfile.plain.MAX_VALUES", 10)
    parse_json(to_json(list(range(10))))
    with pytest.raises(MalformedError, match="holds more than 10 values"):
        parse_json(to_json(list(range(11))))
    with pytest.raises(MalformedError, match="holds more than 10 values"):
        parse_json(to_json([[]] * 6))
    with pytest.raises(MalformedError, match="holds more than 10 values"):
        parse_json(to_json([{}] * 6))


@pytest.mark.parametrize("text", [b"9" * 24, b"[" + b"1" * 24 + b"]", b"0." + b"1" * 16])
def test_numbers_of_24_digits_pass(text):
    assert to_json(parse_json(text))


@pytest.mark.attack
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"9" * 25, "more than 24 digits"),
        (b"[1," + b"9" * 25 + b"]", "more than 24 digits"),
        (b"[" + b"9" * 25 + b",1]", "more than 24 digits"),
        (b"0." + b"1" * 25, "more than 24 digits"),
        (b"", "is no JSON"),
        (b"nothing", "is no JSON"),
        (b"NaN", "is no JSON"),
        (b"-Infinity", "is no JSON"),
        (b"1e999", "is no JSON"),
        (b"\xff", "is no JSON"),
        (b'"\\ud800"', "is no JSON"),
        (b"[1] ", "would write otherwise"),
        (b'{"a":1,"a":1}', "would write otherwise"),
        (b'{"b":1,"a":1}', "would write otherwise"),
        (b"1.0e0", "would write otherwise"),
        (b'"\\u0041"', "would write otherwise"),
        (b"]][[", "is no JSON"),
    ],
)
def test_other_texts_are_refused(text, reason):
    with pytest.raises(MalformedError, match=reason):
        parse_json(text)


@dataclass(frozen=True)
class Thing:
    name: str
    numbers: tuple[float, ...] = ()


def test_types_are_made():
    data = [{"name": "a", "numbers": [1, 2.5]}, {"name": "b"}]
    assert check_type(tuple[Thing, ...], data, "things") == (Thing("a", (1.0, 2.5)), Thing("b"))


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        (tuple[Thing, ...], [{"name": 1}], r"^things: 0\.name: Input should be a valid string$"),
        (Thing, {"name": "a", "numbers": ["1"]}, r"^things: numbers\.0: "),
        (Thing, {}, "^things: name: Field required"),
        (int, "1", "^things: : "),
        (int, True, "^things: : "),
        (str, 1, "^things: : "),
        (bool, 1, "^things: : "),
        (dict[str, int], {"x" * 99: "a"}, f"^things: {'x' * 40}: "),
    ],
)
def test_no_type_is_converted(kind, data, reason):
    with pytest.raises(MalformedError, match=reason):
        check_type(kind, data, "things")


def test_json_of_numpy_numbers_is_not_written():
    with pytest.raises(TypeError):
        to_json(np.float32(1.0))
