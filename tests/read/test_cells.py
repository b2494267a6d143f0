"""Python cells that Polars would stop at, or read by the first of them alone."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from assay.errors import UserError
from assay.ledger import Ledger
from assay.read.cells import check_name, column_of
from assay.read.plain import as_text, plain_series

pytestmark = pytest.mark.attack


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([1, 2, None], pl.Int64, [1, 2, None]),
        ([1, 2.5], pl.Float64, [1.0, 2.5]),
        ([2.5, 1], pl.Float64, [2.5, 1.0]),
        ([np.int8(1), 2, np.float32(0.5)], pl.Float64, [1.0, 2.0, 0.5]),
        ([1, None, pd.NA, float("nan")], pl.Int64, [1, None, None, None]),
        ([1, pd.NA], pl.Int64, [1, None]),
        ([pd.NaT, datetime.date(2020, 1, 4)], pl.Date, [None, datetime.date(2020, 1, 4)]),
        ([2**53 + 1, 0.5], pl.String, ["9007199254740993", "0.5"]),
        ([2**64], pl.Int128, [2**64]),
        ([10**40], pl.String, [str(10**40)]),
        ([10**400, 1], pl.String, [str(10**400), "1"]),
        ([True, 2], pl.String, ["true", "2"]),
        ([1e-7, "x"], pl.String, ["1e-7", "x"]),
        ([3.0, "x", 1e22], pl.String, ["3", "x", "1e+22"]),
        ([decimal.Decimal("NaN"), decimal.Decimal("1.5")], pl.Float64, [None, 1.5]),
        ([decimal.Decimal("1e400")], pl.Float64, [float("inf")]),
        ([decimal.Decimal("-Infinity"), 1], pl.Float64, [-float("inf"), 1.0]),
        ([1j], pl.String, ["1j"]),
        ([range(3), None], pl.String, ["range(0, 3)", None]),
        ([{1: 2}], pl.String, ['{"1":2}']),
        ([[1, "a"]], pl.String, ['[1,"a"]']),
        ([[1], "a"], pl.String, ["[1]", "a"]),
        ([b"a", "b"], pl.String, ["a", "b"]),
        ([], pl.Null, []),
        ([None], pl.Null, [None]),
    ],
)
def test_cells_become_a_column(values, dtype, expected):
    found = column_of("a", values, Ledger())
    assert found.dtype == dtype
    assert found.to_list() == expected


def test_mixed_types_are_told_and_one_foreign_type_is_not_called_mixed():
    ledger = Ledger()
    column_of("a", [1, "x"], ledger)
    assert [entry.what for entry in ledger] == ["column read as text"]
    column_of("b", [1j, 2j], ledger)
    assert len(ledger) == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["x", "\ud800"], "row 2, column 'a'"),
        ([["\udcff"]], "half a character"),
        ([10**5000], "too long"),
    ],
)
def test_cells_that_no_file_could_hold_are_refused(values, said):
    with pytest.raises(UserError, match=said):
        column_of("a", values, Ledger())


def test_endless_nesting_is_refused():
    cell: list = []
    cell.append(cell)
    with pytest.raises(UserError, match="too long"):
        column_of("a", [cell], Ledger())
    for _ in range(2000):
        cell = [cell]
    with pytest.raises(UserError, match="too long"):
        column_of("a", [cell], Ledger())


def test_names_that_no_file_could_hold_are_refused():
    check_name("\U0001f600", "table")
    with pytest.raises(UserError, match="half a character"):
        check_name("a\ud800", "table")


@pytest.mark.parametrize(
    "cell",
    [
        *(True, 7, 2.5, 3.0, np.float32(1.1), decimal.Decimal("1.5"), decimal.Decimal("1e400")),
        *(b"ab", b"\xff\x00", "text", [1, 2], np.array([1, 2])),
        *(datetime.date(2020, 1, 4), datetime.time(1, 2, 3, 500_000), datetime.timedelta(days=1)),
        *(datetime.datetime(2020, 1, 4, 5, 6, 7, 8), pd.Timestamp("2020-01-04 05:06:07.5")),
        datetime.datetime(2020, 1, 4, tzinfo=datetime.timezone(datetime.timedelta(hours=5))),
        np.datetime64("2020-01-04"),
    ],
)
def test_a_cell_is_written_alike_alone_and_beside_other_types(cell):
    alone = as_text(plain_series(column_of("a", [cell], Ledger())))
    mixed = column_of("a", [cell, "x", None], Ledger())
    assert mixed.to_list() == [*alone, "x", None]


def test_a_signalling_nan_in_a_series_of_pandas_is_missing():
    cells = pd.Series([decimal.Decimal("sNaN"), 1.5], dtype=object)
    assert column_of("a", cells, Ledger()).to_list() == [None, 1.5]


def test_offsets_that_python_s_moments_lose_are_told():
    zone = datetime.timezone(datetime.timedelta(hours=5))
    ledger = Ledger()
    column_of("d", [datetime.datetime(2020, 1, 4, 12, tzinfo=zone), None], ledger)
    column_of("utc", [datetime.datetime(2020, 1, 4, 12, tzinfo=datetime.UTC)], ledger)
    (entry,) = ledger
    assert (entry.where, entry.what) == ("d", "times read as UTC")
    assert entry.why == "1 cell of another offset, such as '2020-01-04 12:00:00+05:00'"
