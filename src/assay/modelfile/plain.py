"""Plain data from a part's JSON: nothing is parsed before its depth and size are bounded.

Only what `layout.to_json` writes is read: no key twice, no NaN, no number beyond what a
float or 24 digits hold, no text that is not UTF-8.
"""

import json
import re
from functools import lru_cache
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from assay.file_bounds import MAX_VALUES
from assay.modelfile.layout import MalformedError, to_json

MAX_DEPTH = 32
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_MOST_DIGITS = 24
_OPEN, _CLOSE = (np.zeros(256, dtype=bool) for _ in range(2))
_OPEN[list(b"[{")] = True
_CLOSE[list(b"]}")] = True


def parse_json(part: bytes | memoryview) -> Any:
    """Return the data of a JSON text.

    Args:
        part: Bytes that `layout.to_json` wrote.

    Raises:
        MalformedError: They are not, or deeper than `MAX_DEPTH`, or of more than `MAX_VALUES`.

    Example:
        >>> parse_json(b'{"a":[1,2.5,null]}')
        {'a': [1, 2.5, None]}
    """
    _check_bounds(_STRINGS.sub(b"", part))
    try:
        text = str(part, "utf-8")
        data = json.loads(text)
        is_canonical = to_json(data) == part
    except (ValueError, RecursionError):
        raise MalformedError("is no JSON as assay writes it") from None
    if not is_canonical:
        raise MalformedError("is JSON that assay would write otherwise, such as a key twice")
    return data


def check_type(kind: Any, data: object, what: str) -> Any:
    """Return plain data as a typed value: dataclasses, tuples and enumerations made.

    Args:
        kind: A type, such as a dataclass or `tuple[Spec, ...]`.
        data: Plain data of JSON.
        what: What it is, in messages.

    Raises:
        MalformedError: A field is missing or of another type; none is converted.
    """
    try:
        return _adapter(kind).validate_json(to_json(data), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part)[:40] for part in first["loc"])
        raise MalformedError(f"{what}: {place}: {first['msg']}") from None


@lru_cache(maxsize=64)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)  # to make one takes milliseconds


def _check_bounds(bare: bytes) -> None:
    """Bound depth, values and digits of a JSON text without its strings."""
    letters = np.frombuffer(bare, dtype=np.uint8)
    n_values = int(np.count_nonzero(letters == ord(","))) + int(np.count_nonzero(_OPEN[letters]))
    if n_values > MAX_VALUES:
        raise MalformedError(f"holds more than {MAX_VALUES} values")
    brackets = letters[_OPEN[letters] | _CLOSE[letters]]
    depth = np.cumsum(np.where(_OPEN[brackets], 1, -1).astype(np.int32))
    if len(depth) and int(depth.max()) > MAX_DEPTH:
        raise MalformedError(f"nests deeper than {MAX_DEPTH} levels")
    is_digit = (letters >= ord("0")) & (letters <= ord("9"))
    runs = np.diff(np.flatnonzero(~is_digit), prepend=-1, append=len(letters))
    if int(runs.max()) > _MOST_DIGITS + 1:
        raise MalformedError(f"holds a number of more than {_MOST_DIGITS} digits")
