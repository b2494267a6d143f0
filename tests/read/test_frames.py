"""Every frame library and plain Python objects give the same table."""

import datetime as dt

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from assay.errors import UserError
from assay.ledger import Ledger
from assay.read.frames import read_frame

DATA = {"n": [1, 2, 3], "x": [1.5, None, 2.5], "s": ["a", None, "c"], "b": [True, False, True]}


def read(source: object, ledger: Ledger | None = None) -> pl.DataFrame:
    return read_frame(source, Ledger() if ledger is None else ledger).frame


def test_all_frames_agree():
    pd = pytest.importorskip("pandas")
    expected = pl.DataFrame(DATA)
    records = [dict(zip(DATA, row, strict=True)) for row in expected.rows()]
    for source in (
        DATA,
        records,
        expected,
        expected.lazy(),
        pa.table(DATA),
        pd.DataFrame(DATA, index=[7, 8, 9]),
    ):
        assert read(source).equals(expected)


def test_mixed_types_become_text_and_are_told():
    pd = pytest.importorskip("pandas")
    ledger = Ledger()
    frame = read(pd.DataFrame({"m": [1, "x", None, 2.0, True]}, dtype=object), ledger)
    assert frame["m"].to_list() == ["1", "x", None, "2", "true"]
    (entry,) = ledger
    assert "1 int" in entry.why


def test_whole_and_broken_numbers_mix_to_numbers():
    assert read({"m": [1, 2.5, None, float("nan")]})["m"].dtype == pl.Float64


def test_names_that_are_not_text_become_text():
    pd = pytest.importorskip("pandas")
    assert read(pd.DataFrame({1: [1], ("a", 2): [2]})).columns == ["1", "('a', 2)"]


def test_double_names_are_an_error():
    pd = pytest.importorskip("pandas")
    for frame in (pd.DataFrame([[1, 2]], columns=["a", "a"]), pd.DataFrame({1: [1], "1": [2]})):
        with pytest.raises(UserError, match="more than one column is named"):
            read(frame)


def test_categories_periods_and_nullable_integers_enter():
    pd = pytest.importorskip("pandas")
    frame = read(
        pd.DataFrame(
            {
                "c": pd.Categorical(["u", "v"]),
                "p": pd.period_range("2020-01", periods=2, freq="M"),
                "i": pd.array([1, None], dtype="Int64"),
            }
        )
    )
    assert frame.rows() == [("u", "2020-01", 1), ("v", "2020-02", None)]


def test_arrays_name_their_columns():
    assert read(np.arange(6).reshape(2, 3)).columns == ["x0", "x1", "x2"]
    fields = np.array([(1, "x")], dtype=[("p", int), ("q", "U3")])
    assert read(fields).rows() == [(1, "x")]
    assert read(np.zeros((2, 1), dtype=np.float16)).dtypes == [pl.Float32]
    assert read(np.array([[1, "x"], [2, None]], dtype=object)).rows() == [(1, "x"), (2, None)]


def test_one_dimension_is_no_table():
    with pytest.raises(UserError, match=r"1 dimension, a table has 2.*reshape"):
        read(np.zeros(3))


def test_a_dict_of_values_is_one_row():
    assert read({"age": 31, "name": "Ann", "on": dt.date(2020, 1, 1)}).height == 1


def test_an_array_without_dimensions_is_a_value():
    assert read_frame({"a": np.array(3.0), "b": "x"}, Ledger()).frame.rows() == [(3.0, "x")]
    with pytest.raises(UserError, match=r"column 'a' is array\(3.\), not a list"):
        read_frame({"a": np.array(3.0), "b": [1]}, Ledger())


def test_columns_of_unlike_length_are_named():
    with pytest.raises(UserError, match="column 'a' has 2 cells, column 'b' has 1"):
        read({"a": [1, 2], "b": [1]})


@pytest.mark.parametrize("source", [5, None, object(), [1, 2], {}, []])
def test_other_objects_are_refused_with_what_is_accepted(source):
    with pytest.raises(UserError, match="Give a path"):
        read(source)


ALONE = {
    "row of pandas": lambda pandas: pandas.DataFrame({"a": [1], "b": ["x"]}).iloc[0],
    "column of pandas": lambda pandas: pandas.Series([1, 2], name="a"),
    "column of Polars": lambda _: pl.Series("a", [1, 2]),
}


@pytest.mark.parametrize("make", ALONE.values(), ids=ALONE)
def test_a_row_or_a_column_by_itself_is_no_table(make):
    alone = make(pytest.importorskip("pandas"))
    with pytest.raises(UserError, match=r"a Series is one row or one column.*iloc\[\[0\]\]"):
        read(alone)


def test_no_rows_are_a_table():
    assert read(pl.DataFrame(schema={"a": pl.Int64})).shape == (0, 1)
