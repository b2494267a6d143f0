"""Hostile cells and tables, and the doors by which a model is asked about them.

The law: probabilities are finite, in [0, 1] and sum to 1, and are the same whatever the
batch and the order of rows, or a UserError is raised; never anything else, and no warning.
"""

import datetime
import decimal
import io
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from hypothesis import strategies as st

import assay
from assay.encode.arrays import FIRST_LEVEL_CODE, Arrays
from assay.errors import UserError
from assay.ledger import Ledger
from assay.predict import Predictor
from assay.read import NamedBytes, read_table
from attacks.small_model import QUICK

Columns = dict[str, list[Any]]
TOLERANCE = 1e-6
NAMES = ("number", "euro", "level", "flag", "day", "words", "many")


def mixed_table(n_rows: int = 120, seed: int = 0) -> pl.DataFrame:
    """Return a table with a column of every kind, and the class `y`."""
    rng = np.random.default_rng([seed, 302])
    idx = np.arange(n_rows)
    number = np.where(idx % 11 == 3, np.nan, rng.normal(50, 20, size=n_rows).round(2))
    day = [datetime.date(2020, 1, 1) + datetime.timedelta(days=int(i) * 3) for i in idx]
    return pl.DataFrame(
        {
            "number": pl.Series(number).fill_nan(None),
            "euro": [f"{1000 + 37 * i // 1000}.{i:03d},{i % 90 + 10} €" for i in idx],
            "level": [("red", "green", "blue", None)[i % 4] for i in idx],
            "flag": [("yes", "no")[int(i) % 3 == 0] for i in idx],
            "day": [str(one) for one in day],
            "words": [f"word{i % 7} and thing{i % 5} went to place number {i}" for i in idx],
            "many": [f"shop {i * 7 % 31}" for i in idx],
            "y": [
                ("no", "yes", "maybe")[int(v + i % 3)]
                for i, v in enumerate(rng.random(n_rows) * 0.9)
            ],
        }
    )


def mixed_model(**options: Any) -> assay.Model:
    """Return a model of `mixed_table`, with a derived column."""
    derived = {"derive.size": "number * number + length(words)"}
    return assay.train(mixed_table(), "y", options={**QUICK, **derived, **options})


def numeric_model(**options: Any) -> assay.Model:
    """Return a model of numbers alone, with whole numbers as classes."""
    rng = np.random.default_rng([0, 303])
    x = rng.normal(size=(90, 3)) * [1.0, 1e6, 1e-6]
    columns = {f"x{at}": x[:, at] for at in range(3)}
    frame = pl.DataFrame({**columns, "y": (x[:, 0] > 0).astype(int) + 2 * (x[:, 1] > 0)})
    return assay.train(frame, "y", options={**QUICK, **options})


_TEXTS = (
    "", " ", "\0", "a\0b", "\ufeff", "NaN", "nan", "inf", "-inf", "Infinity", "null", "NA", "?",
    "-", "0", "-0", "0x1f", "1e400", "-1e400", "1e-400", "5e-324", "9007199254740993", "1e22",
    "18446744073709551617", "1_000", "1,5", "1.5", "1.234,56 €", "٣", "½", "1.0", "01", "+1", "1e5",
    "True", "FALSE", "yes", "No", "red", " red ", "RED", "shop 7", "2020-02-30", "2020-01-04",
    "0000-00-00", "9999-12-31", "99999-01-01", "2020-01-04T00:00:00Z", "word1 and thing2",
    "\U0001f600" * 3, "👩‍👩‍👧‍👦", "עברית שלום", "\u202eabc", "é", "e\u0301", "İ", "ß", "ﬁ",
    "\u2028",
    "a,b", 'a"b', "a\nb", "a\r\nb", "=1+1", "\ud800", "\udcff x", "x" * 3000, "é" * 3000,
)  # fmt: skip
_NUMBERS = (
    0, 1, -1, True, False, 0.0, -0.0, 1.5, 50, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63,
    2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 2**70, 10**400, 5e-324, 2.2e-308, 1.8e308, 1e30,
    -1e39, 1e22, float("nan"), float("inf"), -float("inf"),
)  # fmt: skip
_OTHERS = (
    datetime.date(2020, 1, 4), datetime.date.min, datetime.date.max, datetime.datetime.min,
    datetime.datetime.max, datetime.datetime(2020, 1, 4, 5, 6, 7, 8),
    datetime.datetime(2020, 1, 4, tzinfo=datetime.timezone(datetime.timedelta(hours=5))),
    datetime.time(1, 2), datetime.timedelta(days=1), datetime.timedelta.max,
    decimal.Decimal("1.5"), decimal.Decimal("NaN"), decimal.Decimal("1e400"),
    b"red", b"\xff\xfe", b"", [1, 2], [], [None], {"a": 1}, {}, (1,), {1, 2}, ["a", 1], 1j,
    np.float32(1.5), np.float64("nan"), np.int8(3), np.bool_(True), np.str_("red"),
    np.datetime64("2020-01-04"), np.datetime64("NaT"), pd.NA, pd.NaT, pd.Timestamp("2020-01-04"),
    object, Ellipsis, range(3), np.array([1, 2]), np.array(1.0),
)  # fmt: skip

texts = st.one_of(st.sampled_from(_TEXTS), st.text(max_size=20))
numbers = st.one_of(
    st.sampled_from(_NUMBERS), st.floats(), st.integers(), st.integers(-(2**70), 2**70)
)
cells = st.one_of(st.none(), texts, numbers, st.sampled_from(_OTHERS))


def columns_of(names: Sequence[str], *, most_rows: int = 6) -> st.SearchStrategy[Columns]:
    """Return tables with these columns: of one kind of cell, or of any."""

    def of_length(n_rows: int) -> st.SearchStrategy[Columns]:
        column = st.one_of(
            *(
                st.lists(one, min_size=n_rows, max_size=n_rows)
                for one in (
                    texts,
                    numbers,
                    st.floats(),
                    st.integers(-(2**63), 2**63 - 1),
                    st.none(),
                    cells,
                )
            )
        )
        return st.fixed_dictionaries(dict.fromkeys(names, column))

    return st.integers(0, most_rows).flatmap(of_length)


def as_records(columns: Columns) -> list[dict[str, Any]]:
    n_rows = len(next(iter(columns.values()), []))
    return [{name: cells[row] for name, cells in columns.items()} for row in range(n_rows)]


def as_csv(columns: Columns) -> bytes:
    """Return delimited text, quoted where it must be; half characters are replaced."""

    def written(cell: object) -> str:
        text = "" if cell is None else str(cell)
        return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') else text

    rows = [list(columns), *([one[name] for name in columns] for one in as_records(columns))]
    text = "".join(",".join(written(cell) for cell in row) + "\n" for row in rows)
    return text.encode("utf-8", errors="replace")


def as_json_lines(columns: Columns) -> bytes:
    lines = [json.dumps(row, default=str) for row in as_records(columns)]
    return "\n".join(lines).encode("utf-8", errors="replace")


def as_parquet(columns: Columns) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame(columns, strict=False).write_parquet(buffer)
    return buffer.getvalue()


DOORS: Mapping[str, Callable[[Columns], object]] = {
    "dict": lambda columns: columns,
    "records": as_records,
    "pandas": lambda columns: pd.DataFrame(columns),
    "pandas object": lambda columns: pd.DataFrame(columns, dtype=object),
    "polars": lambda columns: pl.DataFrame(columns, strict=False),
    "polars object": lambda columns: pl.DataFrame(
        {name: pl.Series(name, cells, dtype=pl.Object) for name, cells in columns.items()}
    ),
    "lazy": lambda columns: pl.DataFrame(columns, strict=False).lazy(),
    "arrow": lambda columns: pa.table(columns),
    "csv": as_csv,
    "json": lambda columns: NamedBytes(as_json_lines(columns), "t.jsonl"),
    "parquet": as_parquet,
}


def asked(model: assay.Model, table: object) -> np.ndarray | None:
    """Return the probabilities of a table, checked; None where it was refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            proba = model.predict_proba(table)
        except UserError as error:
            check_refusal(error)
            return None
    check_proba(proba, len(model.classes))
    return proba


def check_refusal(error: UserError) -> None:
    """Raise AssertionError where a refusal says nothing, or more than a line can hold."""
    assert error.what.strip(), "refused without a word"
    assert len(str(error)) < 1000, f"a refusal of {len(str(error))} characters"


def check_proba(proba: np.ndarray, n_classes: int) -> None:
    """Raise AssertionError where probabilities are none."""
    assert proba.ndim == 2, proba.shape
    assert proba.shape[1] == n_classes, proba.shape
    assert np.isfinite(proba).all(), proba
    assert ((proba >= 0) & (proba <= 1)).all(), proba
    np.testing.assert_allclose(proba.astype(np.float64).sum(axis=1), 1.0, atol=TOLERANCE)


_clean = texts.map(lambda text: text.encode("utf-8", "replace").decode())
_TYPED: tuple[tuple[Any, st.SearchStrategy[Any]], ...] = (
    (pl.String, _clean),
    (pl.Float64, st.floats()),
    (pl.Float32, st.floats(width=32)),
    (pl.Int8, st.integers(-128, 127)),
    (pl.Int64, st.integers(-(2**63), 2**63 - 1)),
    (pl.UInt64, st.integers(0, 2**64 - 1)),
    (pl.Int128, st.integers(-(2**127), 2**127 - 1)),
    (pl.Boolean, st.booleans()),
    (pl.Date, st.dates()),
    (pl.Datetime("us"), st.datetimes()),
    (
        pl.Datetime("ns", "Asia/Kolkata"),
        st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)),
    ),
    (pl.Datetime("ms"), st.datetimes()),
    (pl.Time, st.times()),
    (pl.Duration("us"), st.timedeltas(datetime.timedelta(-99_999), datetime.timedelta(99_999))),
    (pl.Categorical, _clean),
    (pl.Decimal(38, 10), st.decimals(-(10**20), 10**20, places=10)),
    (pl.Binary, st.binary(max_size=5)),
    (pl.List(pl.Int64), st.lists(st.integers(-9, 9), max_size=3)),
    (pl.List(pl.String), st.lists(_clean, max_size=2)),
    (pl.Array(pl.Float64, 2), st.lists(st.floats(), min_size=2, max_size=2)),
    (
        pl.Struct({"a": pl.Int64, "b": pl.String}),
        st.fixed_dictionaries({"a": st.integers(-9, 9), "b": _clean}),
    ),
    (pl.Null, st.none()),
)  # fmt: skip


_BATCH_BREAKERS: Columns = {  # bytes that are text alone, beside bytes that are none
    "number": [[-3, 3, -8], None, [-8, 8, -1], None],
    "euro": [None, datetime.timedelta(days=-1190), datetime.timedelta(603, 46, 2112), None],
    "level": ["E", "-", "a,b", None],
    "flag": [datetime.date(308, 4, 7), None, None, datetime.date(4826, 6, 22)],
    "day": [None, {"a": 4, "b": "? x"}, {"a": 1, "b": "a\nb"}, None],
    "words": [b"", b"%\xfd", b"r&\x0f", None],
    "many": [None, b"\x88\xe0", b"(\x11j", b""],
}


def batch_breakers() -> pl.DataFrame:
    """Return rows whose answers once depended on the rows beside them."""
    return pl.DataFrame(_BATCH_BREAKERS)


def frames_of(names: Sequence[str], *, most_rows: int = 6) -> st.SearchStrategy[pl.DataFrame]:
    """Return frames with these columns, each of one type and with nulls."""

    def column(name: str, n_rows: int) -> st.SearchStrategy[pl.Series]:
        def of_type(typed: tuple[Any, st.SearchStrategy[Any]]) -> st.SearchStrategy[pl.Series]:
            dtype, own = typed
            size = {"min_size": n_rows, "max_size": n_rows}
            return st.lists(st.one_of(st.none(), own, own), **size).map(
                lambda values: pl.Series(name, values, dtype=dtype)
            )

        return st.sampled_from(_TYPED).flatmap(of_type)

    def of_length(n_rows: int) -> st.SearchStrategy[pl.DataFrame]:
        return st.tuples(*(column(name, n_rows) for name in names)).map(pl.DataFrame)

    return st.integers(0, most_rows).flatmap(of_length)


def check_door(model: assay.Model, door: str, columns: Columns) -> bool | None:
    """Ask about a table through one door, strictly and with odd cells as missing.

    Returns:
        Whether it was answered strictly; None where the library of the door refuses it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tables = [DOORS[door](columns), DOORS[door](columns)]
        except (Exception, pl.exceptions.PanicException):
            return None  # pandas, Polars and Arrow refuse such a column each in its way
    strict = asked(model, tables[0])
    lenient = asked(model.marking_invalid(), tables[1])
    n_rows = len(next(iter(columns.values())))
    for proba in (strict, lenient):
        if proba is not None and door not in ("csv", "json"):  # blank lines are no rows there
            assert len(proba) == n_rows, (len(proba), n_rows)
    if strict is not None:
        assert lenient is not None, "refused by the more patient of two"
        np.testing.assert_allclose(lenient, strict, atol=TOLERANCE)
    return strict is not None


def check_batches(model: assay.Model, frame: pl.DataFrame) -> None:
    """Compare the answers for a frame with those for its rows alone, and turned round."""
    patient = model.marking_invalid()
    whole = asked(patient, frame)
    assert whole is not None, "typed cells that do not fit are missing, no error"
    assert len(whole) == frame.height
    order = list(range(frame.height))[::-1]
    turned = asked(patient, frame[order])
    assert turned is not None
    np.testing.assert_allclose(turned, whole[order], rtol=0, atol=TOLERANCE)
    for row in range(frame.height):
        alone = asked(patient, frame[row : row + 1])
        assert alone is not None
        np.testing.assert_allclose(alone[0], whole[row], rtol=0, atol=TOLERANCE)


def check_encoded(predictor: Predictor, frame: pl.DataFrame) -> None:
    """Look at the arrays of a frame: numbers finite or missing, codes and buckets in range.

    Each row has the very arrays that it has alone: probabilities may hide a small change.

    Args:
        predictor: To which cells that do not fit are missing.
        frame: N rows.
    """
    arrays = _encoded(predictor, frame)
    assert arrays.n_rows == frame.height
    for row in range(frame.height):
        alone = _encoded(predictor, frame[row : row + 1])
        for name, expected in arrays.take(slice(row, row + 1)).named().items():
            np.testing.assert_array_equal(alone.named()[name], expected, err_msg=name)
    assert not np.isinf(arrays.numeric).any()
    for at, feature in enumerate(predictor.encoder.categorical):
        assert arrays.codes[:, at].max(initial=0) < FIRST_LEVEL_CODE + len(feature.levels)
    width = 0
    for part in predictor.encoder.text:
        block = arrays.text[:, width : width + part.n_ngrams]
        assert block.max(initial=0) <= part.n_buckets
        width += part.n_ngrams
    assert arrays.text.shape[1] == width


def _encoded(predictor: Predictor, frame: pl.DataFrame) -> Arrays:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return predictor.encode(read_table(frame, predictor.recipe.read, Ledger()))
