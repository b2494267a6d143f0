"""Typed columns: the same for every source, and errors that name the cell."""

import datetime as dt

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import UserError
from assay.ledger import Ledger
from assay.read.cast import apply_schema, canonical_levels, silently
from assay.read.kinds import infer_schema
from assay.read.plain import plain_series
from assay.recipe import Recipe
from assay.schema import ColumnSpec, Kind, NumberFormat, Schema
from assay.table import Table


def apply(frame: pl.DataFrame, *specs: ColumnSpec, is_training: bool = False, **options):
    recipe = Recipe().with_options(options)
    table = Table(frame, source="new.csv")
    return apply_schema(table, Schema(specs), recipe, is_training=is_training).frame


def spec(name: str, kind: Kind, **figures) -> ColumnSpec:
    return ColumnSpec(name=name, kind=kind, reason="test", **figures)


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([" a ", "?", None, ""], ["a", None, None, None]),
        ([1, 2, None], ["1", "2", None]),
        ([1.0, 2.5, float("nan"), None, -3.0], ["1", "2.5", None, None, "-3"]),
        (["1.0", "01", "2.50"], ["1", "01", "2.50"]),
        ([True, False, None], ["true", "false", None]),
        (["True", "FALSE", "Truex"], ["true", "false", "Truex"]),
        ([dt.date(2020, 1, 2)], ["2020-01-02"]),
        ([dt.datetime(2020, 1, 2, 3, 4, 5)], ["2020-01-02T03:04:05"]),
        ([dt.time(3, 4, 5)], ["03:04:05"]),
        ([1e20, 0.1], ["1e+20", "0.1"]),
    ],
)
def test_levels_are_written_one_way(values, levels):
    assert canonical_levels(pl.Series(values), {"", "?"}).to_list() == levels


def test_categories_and_nulls_are_levels_too():
    assert canonical_levels(pl.Series(["a", None], dtype=pl.Categorical), ()).to_list() == [
        "a",
        None,
    ]
    assert canonical_levels(pl.Series([None, None]), ()).dtype == pl.String


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=8) | st.none(), min_size=1, max_size=10))
def test_a_level_depends_on_its_own_cell_only(cells):
    series = pl.Series(cells, dtype=pl.String)
    whole = canonical_levels(series, {"?"}).to_list()
    alone = [canonical_levels(series[at : at + 1], {"?"}).item() for at in range(len(cells))]
    assert whole == alone
    again = canonical_levels(pl.Series(whole, dtype=pl.String), {"?"}).to_list()
    assert again == whole


def test_texts_of_a_record_read_as_in_a_long_table():
    # Few cells are read at once for all columns, many column by column.
    cells = [" a ", "?", None, "", "3.0", "TRUE", "true", "Yes", "-7.0 "] * 1000
    frame = pl.DataFrame({"c": cells, "b": cells[1:] + cells[:1], "k": cells[::-1]})
    specs = (spec("c", Kind.CATEGORICAL), spec("b", Kind.BOOLEAN), spec("k", Kind.CONSTANT))
    whole = apply(frame, *specs)
    assert whole.head(9).equals(pl.concat([apply(frame[at], *specs) for at in range(9)]))
    assert whole["c"][:5].to_list() == ["a", None, None, None, "3"]
    assert whole["b"][4:7].to_list() == ["true", "true", "yes"]


@pytest.mark.parametrize("kind", [Kind.NUMERIC, Kind.DATETIME])
def test_a_column_of_nothing_is_missing_numbers_or_moments(kind):
    empty = pl.DataFrame({"x": [None, None]}, schema={"x": pl.String})
    assert apply(empty, spec("x", kind))["x"].to_list() == [None, None]
    dtype = pl.Float64 if kind == Kind.NUMERIC else pl.Datetime("us")
    assert apply(empty, spec("x", kind))["x"].dtype == dtype


def test_columns_come_in_schema_order_and_types():
    frame = pl.DataFrame(
        {
            "extra": [1, 2],
            "k": ["same", "same"],
            "d": ["2020-01-02", None],
            "t": ["Some Words", "?"],
            "b": ["Yes", "no"],
            "c": [1.0, 2.0],
            "x": ["1,5", "?"],
            "i": [7, 8],
        }
    )
    result = apply(
        frame,
        spec("x", Kind.NUMERIC, number_format=NumberFormat(decimal=",")),
        spec("c", Kind.CATEGORICAL),
        spec("b", Kind.BOOLEAN),
        spec("t", Kind.TEXT),
        spec("d", Kind.DATETIME, datetime_format="%Y-%m-%d"),
        spec("i", Kind.IDENTIFIER),
        spec("k", Kind.CONSTANT),
    )
    assert dict(result.schema) == {
        "x": pl.Float64,
        "c": pl.String,
        "b": pl.String,
        "t": pl.String,
        "d": pl.Datetime("us"),
        "i": pl.String,
        "k": pl.String,
    }
    assert result.rows() == [
        (1.5, "1", "yes", "Some Words", dt.datetime(2020, 1, 2), "7", "same"),
        (None, "2", "no", None, None, "8", "same"),
    ]


def test_a_bad_number_is_named_by_row_column_and_value():
    frame = pl.DataFrame({"age": ["31", "abc"]})
    with pytest.raises(UserError, match=r"new.csv, row 2, column 'age': 'abc' is not a number"):
        apply(frame, spec("age", Kind.NUMERIC))
    lenient = apply(frame, spec("age", Kind.NUMERIC, n_invalid=1))
    assert lenient["age"].to_list() == [31.0, None]


def test_a_bad_date_is_named():
    with pytest.raises(UserError, match=r"row 1, column 'd': '2020-13-01' is not a date"):
        apply(
            pl.DataFrame({"d": ["2020-13-01"]}),
            spec("d", Kind.DATETIME, datetime_format="%Y-%m-%d"),
        )


def test_dates_for_numbers_are_refused():
    with pytest.raises(UserError, match="numbers are expected, the column holds Date"):
        apply(pl.DataFrame({"x": [dt.date(2020, 1, 1)]}), spec("x", Kind.NUMERIC))
    with pytest.raises(UserError, match="dates are expected"):
        apply(pl.DataFrame({"x": [1]}), spec("x", Kind.DATETIME))


def test_all_missing_columns_are_named_with_a_guess():
    with pytest.raises(UserError, match=r"lacks 2 columns .* 'age', 'sex'. Did you mean 'Age'"):
        apply(pl.DataFrame({"Age": [1]}), spec("age", Kind.NUMERIC), spec("sex", Kind.CATEGORICAL))


def test_a_missing_column_is_answered_with_three_ways_out():
    with pytest.raises(UserError) as caught:
        apply(pl.DataFrame({"Age": [1]}), spec("age", Kind.NUMERIC))
    assert str(caught.value) == (
        "new.csv: the table lacks the column 'age' that the model reads. Did you mean 'Age'? "
        "Otherwise add it, or read it as missing with --fill-missing "
        '(predict.missing_columns = "fill").'
    )
    cells = pl.DataFrame({"zzz": [1], "sex": ["M"]})
    with pytest.raises(UserError, match=r"It has 'zzz', 'sex'\. Otherwise add it"):
        apply(cells, spec("age", Kind.NUMERIC), spec("sex", Kind.CATEGORICAL))


def test_filled_columns_are_logged_unless_they_are_no_features(caplog):
    specs = (spec("a", Kind.NUMERIC), spec("b", Kind.TEXT), spec("id", Kind.IDENTIFIER))
    apply(pl.DataFrame({"a": [1]}), *specs, **{"predict.missing_columns": "fill"})
    assert caplog.messages == ["new.csv, column 'b': it is absent, all its cells read as missing"]


def test_cells_lost_when_predicting_are_logged_in_one_line_per_column(caplog):
    frame = pl.DataFrame(
        {
            "x": ["1", "a", "b", "a", "c", "d"],
            "y": [1.0, float("inf"), float("-inf"), None, 2.0, 3.0],
            "d": ["2020-01-02", "soon", None, None, None, None],
            "z": ["1", "?", "2", "3", "4", "5"],
        }
    )
    specs = (
        spec("x", Kind.NUMERIC, n_invalid=1),
        spec("y", Kind.NUMERIC),
        spec("d", Kind.DATETIME, n_invalid=2, datetime_format="%Y-%m-%d"),
        spec("z", Kind.NUMERIC, n_invalid=1),
    )
    apply(frame, *specs)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3
    assert caplog.messages == [
        "new.csv, column 'x': 5 cells read as missing, not a number: 'a', 'b', 'c'",
        "new.csv, column 'y': 2 cells read as missing, infinite: 'inf', '-inf'",
        "new.csv, column 'd': 1 cell read as missing, not a date: 'soon'",
    ]


def test_made_up_rows_are_cast_without_a_word(caplog):
    frame = pl.DataFrame({"x": [float("inf")]})
    with silently():
        apply(frame, spec("x", Kind.NUMERIC))
    assert caplog.messages == []
    apply(frame, spec("x", Kind.NUMERIC))
    assert len(caplog.messages) == 1


def test_training_logs_nothing_because_the_ledger_tells(caplog):
    apply(pl.DataFrame({"x": ["1", "a"]}), spec("x", Kind.NUMERIC, n_invalid=1), is_training=True)
    frame = pl.DataFrame({"x": [1.0, float("inf")]})
    apply(frame, spec("x", Kind.NUMERIC), is_training=True, **{"read.infinite": "missing"})
    assert caplog.messages == []


def test_missing_columns_may_be_filled_when_predicting_only():
    options = {"predict.missing_columns": "fill"}
    frame = pl.DataFrame({"a": [1, 2]})
    specs = (spec("a", Kind.NUMERIC), spec("d", Kind.DATETIME), spec("c", Kind.CATEGORICAL))
    assert apply(frame, *specs, **options).rows() == [(1.0, None, None), (2.0, None, None)]
    with pytest.raises(UserError, match="lacks"):
        apply(frame, *specs, is_training=True, **options)


def test_absent_identifiers_and_constants_are_no_loss():
    frame = pl.DataFrame({"a": [1]})
    specs = (spec("a", Kind.NUMERIC), spec("id", Kind.IDENTIFIER), spec("k", Kind.CONSTANT))
    assert apply(frame, *specs).rows() == [(1.0, None, None)]


def test_truth_values_are_numbers_where_numbers_are_expected():
    assert apply(pl.DataFrame({"x": [True, False]}), spec("x", Kind.NUMERIC)).rows() == [
        (1.0,),
        (0.0,),
    ]


def test_infinite_is_missing_when_predicting_and_an_error_when_training():
    frame = pl.DataFrame({"x": [1.0, float("-inf")]})
    assert apply(frame, spec("x", Kind.NUMERIC))["x"].to_list() == [1.0, None]
    with pytest.raises(UserError, match="row 2, column 'x': -inf is not a finite number"):
        apply(frame, spec("x", Kind.NUMERIC), is_training=True)


def test_zones_become_utc():
    moment = dt.datetime(2020, 1, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    frame = pl.DataFrame({"d": [moment.astimezone(dt.UTC)]})
    assert apply(frame, spec("d", Kind.DATETIME)).item() == dt.datetime(2020, 1, 1, 10)


def test_no_rows_keep_the_types():
    frame = pl.DataFrame(schema={"x": pl.String, "c": pl.Int64, "d": pl.String})
    result = apply(
        frame,
        spec("x", Kind.NUMERIC),
        spec("c", Kind.CATEGORICAL),
        spec("d", Kind.DATETIME, datetime_format="%Y-%m-%d"),
    )
    assert result.shape == (0, 3)
    assert result.dtypes == [pl.Float64, pl.String, pl.Datetime("us")]


def test_typed_columns_pass_a_second_time_unchanged():
    raw = Table(pl.DataFrame({"x": ["1", "?"], "c": ["a", "b"], "d": ["2020-01-01", ""]}))
    schema = infer_schema(raw, Recipe(), Ledger())
    once = apply_schema(raw, schema, Recipe(), is_training=True)
    assert apply_schema(once, schema, Recipe(), is_training=True).frame.equals(once.frame)


def test_nested_columns_become_json():
    assert plain_series(pl.Series([[1, 2], None])).to_list() == ["[1,2]", None]
    assert plain_series(pl.Series([{"a": 1}, None])).to_list() == ['{"a":1}', None]
    assert plain_series(pl.Series([b"ab", None])).to_list() == ["ab", None]
    assert plain_series(pl.Series([b"\xff"])).to_list() == ["ff"]
    assert plain_series(pl.Series([b"r&\x0f", b"\xff"])).to_list() == ["r&\x0f", "ff"]
    assert plain_series(pl.Series([dt.timedelta(minutes=1)])).to_list() == [60.0]


def test_bytes_inside_nested_cells_are_text_or_hexadecimal():
    image = pl.Series([{"bytes": b"\xff\xd8", "path": "a.jpg"}, None])
    assert plain_series(image).to_list() == ['{"bytes":"ffd8","path":"a.jpg"}', None]
    assert plain_series(pl.Series([[b"a", None], []])).to_list() == ['["a",null]', "[]"]


def test_maps_and_types_of_other_libraries_become_plain():
    maps = pl.from_arrow(pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())))
    assert plain_series(maps).to_list() == ['{"k":1}', None]
    texts = pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1}', None]))
    foreign = pl.from_arrow(pa.table({"x": texts})).to_series()
    assert plain_series(foreign).to_list() == ['{"a":1}', None]
    assert plain_series(foreign).dtype == pl.String


def test_dates_written_as_text_for_a_typed_column_stand_alone():
    column = spec("d", Kind.DATETIME)  # learnt from a column of dates, so no format is known
    frame = pl.DataFrame({"d": ["13/04/2020", "03/04/2020"]})
    with pytest.raises(UserError, match=r"row 2, column 'd'.*'03/04/2020' is not a date") as error:
        apply(frame, column)
    assert "\n" not in str(error.value)
    read = apply(frame, column, **{"predict.invalid": "missing"})["d"].to_list()
    assert read == [dt.datetime(2020, 4, 13), None]


def test_new_dates_keep_the_way_they_were_written_but_not_the_time_of_day():
    column = spec("d", Kind.DATETIME, datetime_format="%d/%m/%Y")
    cells = ["03/04/2020", "03/04/2020 01:30", "03/04/2020T01:30:05", None]
    moments = [dt.datetime(2020, 4, 3), dt.datetime(2020, 4, 3, 1, 30)]
    moments += [dt.datetime(2020, 4, 3, 1, 30, 5), None]
    assert apply(pl.DataFrame({"d": cells}), column)["d"].to_list() == moments
    timed = spec("d", Kind.DATETIME, datetime_format="%d/%m/%Y %H:%M")
    assert apply(pl.DataFrame({"d": cells}), timed)["d"].to_list() == moments
    for cell in ("2020-04-03", "03/04/2020 01:30:00+02:00"):
        with pytest.raises(UserError, match="a date written as '%d/%m/%Y'"):
            apply(pl.DataFrame({"d": [cell]}), column)
    offset = spec("d", Kind.DATETIME, datetime_format="%Y-%m-%dT%H:%M:%S%.f%z")
    with pytest.raises(UserError, match="a date written as"):
        apply(pl.DataFrame({"d": ["2020-04-03T01:30:00"]}), offset)


@pytest.mark.parametrize("n_rows", [1, 5000])
def test_columns_are_warned_of_in_their_order(n_rows, caplog):
    frame = pl.DataFrame({"a": ["x"] * n_rows, "c": ["x"] * n_rows})
    specs = [spec(name, Kind.NUMERIC) for name in ("a", "b", "c")]
    apply(frame, *specs, **{"predict.missing_columns": "fill", "predict.invalid": "missing"})
    told = [record.getMessage().split("column ")[1][:3] for record in caplog.records]
    assert told == ["'a'", "'b'", "'c'"]


def test_missing_dates_are_no_numbers_while_training():
    frame = pl.DataFrame({"x": [None]}, schema={"x": pl.Date})
    with pytest.raises(UserError, match="numbers are expected, the column holds Date"):
        apply(frame, spec("x", Kind.NUMERIC), is_training=True)
