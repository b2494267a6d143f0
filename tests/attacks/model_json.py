"""Parts of a model file that are JSON, but not what assay writes."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from assay.modelfile import layout
from assay.modelfile.layout import to_json

JSON_PARTS = (
    layout.PREDICTOR,
    layout.RECIPE,
    layout.LEDGER,
    layout.EVALUATION,
    layout.GOLDEN,
    layout.REFERENCE,
)
Change = Callable[[Any], object]


def text_attacks(
    parts: dict[str, bytes], part: str, *, with_large: bool = True
) -> Iterator[tuple[str, bytes]]:
    """Yield what it is, and bytes to stand for a part, that are no JSON as assay writes it.

    Args:
        parts: Of a sound file.
        part: The one to be replaced.
        with_large: Whether to make a text of 40 MB as well.
    """
    for what, text in _texts(parts[part]).items():
        yield f"{what} in {part}", text
    for value in (None, 1, "text", [1], {"a": 1}, True):
        yield f"{value!r} as {part}", to_json(value)
    if with_large:
        yield f"20 million values in {part}", b"[" + b"1," * 20_000_000 + b"1]"


def change_attacks(parts: dict[str, bytes]) -> Iterator[tuple[str, str, bytes]]:
    """Yield what it is, the part, and its bytes, of sound JSON with one thing changed."""
    for part, changes in _CHANGES.items():
        for what, change in changes.items():
            data = json.loads(parts[part])
            changed = change(data)
            data = changed if isinstance(changed, dict | list) else data
            yield f"{what} in {part}", part, _raw(data)


def harmless_json(parts: dict[str, bytes]) -> Iterator[tuple[str, str, bytes]]:
    """Yield JSON that may be accepted, but must do no harm."""
    for what, change in _HARMLESS.items():
        data = json.loads(parts[layout.EVALUATION])
        change(data)
        yield what, layout.EVALUATION, to_json(data)
    for sql in ("ATTACH '/etc/passwd' AS x", "COPY (SELECT 1) TO '/tmp/evil'"):
        data = json.loads(parts[layout.RECIPE])
        data["read"]["sql"] = sql
        yield f"a recipe whose query is {sql}", layout.RECIPE, to_json(data)


def _texts(sound: bytes) -> dict[str, bytes]:
    opening, rest = sound[:1], sound[1:]
    first = b'"more":%s,' if opening == b"{" else b"%s,"
    return {
        "100,000 lists": b"[" * 100_000 + b"]" * 100_000,
        "100,000 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "33 levels": opening + first % (b"[" * 33 + b"]" * 33) + rest,
        "NaN": opening + first % b"NaN" + rest,
        "Infinity": opening + first % b"-Infinity" + rest,
        "a number beyond floats": opening + first % b"1e999" + rest,
        "5,000 digits": opening + first % (b"9" * 5_000) + rest,
        "a key twice": b'{"a":1,"a":2}',
        "half a letter": opening + first % b'"\\ud800"' + rest,
        "bytes that are no text": opening + first % b'"\xff\xfe"' + rest,
        "a byte order mark": b"\xef\xbb\xbf" + sound,
        "UTF-16": sound.decode().encode("utf-16"),
        "nothing": b"",
        "spaces": b" " * 1_000,
        "a text without an end": opening + b'"' * 3,
        "a comment": b"/* */" + sound,
        "text behind": sound + b"\nimport os",
        "half of it": sound[: len(sound) // 2],
    }


def _raw(data: object) -> bytes:
    """Write JSON as `to_json`, NaN and infinite numbers included."""
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="surrogatepass")


def _put(*path: str | int, value: Any) -> Change:
    """Return a change that sets a value somewhere within."""

    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value

    return change


def _without(*path: str | int) -> Change:
    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        del data[path[-1]]

    return change


def _repeated(*path: str | int, times: int = 2) -> Change:
    """Return a change that puts the first of a list there several times."""

    def change(data: Any) -> None:
        for key in path:
            data = data[key]
        data.extend(data[:1] * (times - 1))

    return change


def _expressions(*expressions: tuple[str, str]) -> Change:
    return lambda data: data["expressions"].extend(map(list, expressions))


def _expression(sql: str) -> Change:
    return _put("expressions", 0, 1, value=sql)


def _nested(pattern: str, depth: int) -> str:
    sql = "Name"
    for _ in range(depth):
        sql = pattern.format(sql)
    return sql


_columns = ("raw_schema", "columns", 0)
_number, _level, _text = (("encoder", kind, 0) for kind in ("numeric", "categorical", "text"))

_CHANGES: dict[str, dict[str, Change]] = {
    layout.PREDICTOR: {
        "an expression that reads a file": _expression("(SELECT * FROM read_csv('/etc/passwd'))"),
        "an expression that is a function": _expression("read_text('/etc/passwd')"),
        "an expression that pads to 1 GB": _expression("LPAD(Name, 1000000000, 'x')"),
        "an expression that replaces without end": _expression(
            _nested("REPLACE({}, 'e', 'eeeeeeeeeeeeeeee')", 20)
        ),
        "an expression that is written out": _expression(_nested("SPLIT_PART({}, ',', 2)", 60)),
        "an expression of BETWEEN": _expression("Age" + " BETWEEN 1 AND 2" * 100),
        "an expression of 1,000 brackets": _expression("(" * 1_000 + "Name" + ")" * 1_000),
        "an expression of 5,000 letters": _expression("Name" + " || Name" * 700),
        "an expression that reads the clock": _expression("NOW()"),
        "an expression over rows": _expression("SUM(Age)"),
        "an expression that is no SQL": _expression("; DROP TABLE x"),
        "an expression that is a number": _put("expressions", 0, 1, value=1),
        "a chain that doubles": _expressions(
            *((f"d{idx}", f"d{idx - 1} || d{idx - 1}" if idx else "Name") for idx in range(40))
        ),
        "5,000 expressions": _expressions(*((f"d{idx}", "Age + 1") for idx in range(5_000))),
        "an expression twice": _repeated("expressions"),
        "a column twice": _repeated("raw_schema", "columns"),
        "a column without a kind": _without(*_columns, "kind"),
        "a column of an unknown kind": _put(*_columns, "kind", value="pickle"),
        "a column whose name is a number": _put(*_columns, "name", value=7),
        "a column with a field more": _put(*_columns, "__class__", value="os.system"),
        "missing cells as text": _put(*_columns, "n_missing", value="many"),
        "a number format as text": _put(*_columns, "number_format", value="x"),
        "dropped columns as text": _put("dropped", value="Name"),
        "a feature of no column": _put(*_number, "column", value="no such"),
        "a part of no date": _put(*_number, "part", value="century"),
        "an offset as text": _put(*_number, "offset", value="1"),
        "an infinite offset": _put(*_number, "offset", value=float("inf")),
        "bins as truth": _put(*_number, "n_bins", value=True),
        "a feature more": _repeated("encoder", "numeric"),
        "levels as a text": _put(*_level, "levels", value="abc"),
        "levels as numbers": _put(*_level, "levels", value=[1, 2]),
        "levels twice": _repeated(*_level, "levels"),
        "10^9 n-grams": _put(*_text, "n_ngrams", value=10**9),
        "negative n-grams": _put(*_text, "n_ngrams", value=-1),
        "no buckets": _put(*_text, "n_buckets", value=0),
        "10^9 buckets": _put(*_text, "n_buckets", value=10**9),
        "texts 20,000 times": _repeated("encoder", "text", times=20_000),
        "an encoder without texts": _without("encoder", "text"),
        "a class twice": _put("target", "classes", value=["0", "0"]),
        "one class": _put("target", "classes", value=["0"]),
        "no class": _put("target", "classes", value=[]),
        "a class more": _put("target", "classes", value=["0", "1", "2"]),
        "5,000 classes": _put("target", "classes", value=[str(idx) for idx in range(5_000)]),
        "classes as a text": _put("target", "classes", value="01"),
        "a class with markup": _put("target", "classes", value=["0", "<script>alert(1)</script>"]),
        "a class with controls": _put("target", "classes", value=["0", "\x1b]0;evil\x07\x00"]),
        "a class of 400 digits": _put("target", "classes", value=["0", "9" * 400]),
        "labels of an unknown type": _put("target", "label_type", value="object"),
        "the target's class": _put("target", "__reduce__", value=["os.system", "id"]),
        "a target that is a list": _put("target", value=[]),
        "decisions between others": _put("decisions", "classes", value=["a", "b"]),
        "a threshold of no class": _put(
            "decisions", "threshold", value={"positive": 9, "value": 1}
        ),
        "sets of wrong shapes": _put(
            "decisions", "sets", value={"coverage": 0.9, "grid": [0.9], "floors": [[1, 2, 3]]}
        ),
        "decisions as a number": _put("decisions", value=1),
        "a field more": _put("module", value="os"),
        "a field less": _without("dropped"),
    },
    layout.RECIPE: {
        "an unknown option": _put("train", "hook", value="os.system"),
        "an option of another type": _put("train", "epochs", value="many"),
        "an option out of range": _put("train", "epochs", value=-1),
        "a seed of 30 digits": _put("seed", value=10**30),
    },
    layout.LEDGER: {
        "an entry with a field more": _put(0, "more", value="x"),
        "an entry of numbers": _put(0, "what", value=1),
        "an entry that is a list": _put(0, value=[]),
    },
    layout.EVALUATION: {
        "scores of other classes": _put("classes", value=["a", "b"]),
        "no classes": _without("classes"),
    },
    layout.GOLDEN: {
        "other probabilities": _put("probabilities", 0, value=[0.123, 0.877]),
        "infinite probabilities": _put("probabilities", 0, value=[float("inf"), 0.0]),
        "probabilities of three classes": _put("probabilities", 0, value=[0.1, 0.2, 0.7]),
        "probabilities as text": _put("probabilities", 0, value=["0.5", "0.5"]),
        "100,000 golden rows": _repeated("probabilities", times=100_000),
        "no golden rows": _put("probabilities", value=[]),
        "no golden columns": _put("columns", value={}),
        "a golden column less": _without("columns", "Age"),
        "a golden column of another kind": _put("columns", "Age", "kind", value="text"),
        "a golden cell more": _repeated("columns", "Age", "cells"),
        "a golden cell that is a list": _put("columns", "Age", "cells", 0, value=[[]]),
        "a golden number as text": _put("columns", "Age", "cells", 0, value="/etc/passwd"),
        "a golden text as number": _put("columns", "Name", "cells", 0, value=1.5),
        "a golden date of year 10^6": _put(
            "columns", "Boarded", "cells", 0, value="1000000-01-01"
        ),
        "a golden column's path": _put("columns", "Age", "path", value="/etc/passwd"),
    },
    layout.REFERENCE: {
        "a summary of other columns": _repeated("columns"),
        "a summary that does not add up": _put("columns", 0, "n_missing", value=10**6),
        "a summary as text": _put("columns", 0, "points", value="123"),
        "a summary of texts": _put("columns", 0, "counts", value=["1"]),
        "a summary of a field more": _put("columns", 0, "cells", value=[1]),
        "a summary without rows": _without("n_rows"),
        "rows as text": _put("n_rows", value="160"),
        "predictions of three classes": _put("predictions", "shares", value=[0.1, 0.2, 0.7]),
        "predictions as text": _put("predictions", "shares", value="01"),
    },
}  # fmt: skip

_HARMLESS: dict[str, Change] = {
    "an evaluation with markup": _put("verdict", value="<img src=x onerror=alert(1)>"),
    "an evaluation without training": _without("training"),
    "an evaluation of wrong types": _put("validation", value=[1, "x", None]),
    "calibration as text": _put("calibration", value="cold"),
    "rows as text": _put("n_rows", value="many"),
}
