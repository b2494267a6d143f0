"""Expressions look at one row, and say what is wrong with them."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from assay.derive import MAX_EXPRESSION_CHARS, derive, referenced_columns
from assay.errors import UserError
from assay.table import Table

FRAME = pl.DataFrame(
    {
        "Name": ["Braund, Mr. Owen", "Cumings, Mrs. John", None, "Reuchlin, Jonkheer. J"],
        "SibSp": [1.0, 0.0, 2.0, 5.0],
        "Parch": [0.0, 1.0, None, 2.0],
        "home town": ["York", "Bath", "York", None],
        "day": [dt.datetime(2020, 10, 3, 4, 5), None, dt.datetime(1912, 4, 15), None],
    },
    schema_overrides={"day": pl.Datetime("us")},
)
TABLE = Table(FRAME, source="people.csv")

ROW_WISE = [
    "TRIM(SPLIT_PART(SPLIT_PART(Name, ',', 2), '.', 1))",
    "SibSp + Parch + 1",
    "SibSp * 1.5 / (Parch + 1) - 2 % 3",
    "CASE WHEN SibSp = 0 THEN 'alone' WHEN SibSp <= 2 THEN 'few' ELSE 'many' END",
    "CASE WHEN SibSp > 1 THEN 1 ELSE 0 END",
    "CAST(SibSp AS INT)",
    "CAST(SibSp AS VARCHAR) || '!'",
    "TRY_CAST(Name AS DOUBLE)",
    "COALESCE(Parch, 0)",
    "Name LIKE '%Mr.%'",
    "Name NOT ILIKE 'c%'",
    "REGEXP_LIKE(Name, 'M(r|rs)')",
    "\"home town\" IN ('York', 'Bath')",
    "SibSp NOT IN (1, 2)",
    "Parch IS NULL OR SibSp BETWEEN 1 AND 2",
    'UPPER(LEFT("home town", 2))',
    "SUBSTR(Name, 1, LENGTH(Name) - 1)",
    "REPLACE(Name, 'Mr', 'Herr')",
    "STRPOS(Name, ',') - 1",
    "GREATEST(SibSp, Parch)",
    "ROUND(SQRT(ABS(SibSp - 3)), 1)",
    "LN(SibSp + 1) + POW(SibSp, 2)",
    "NULLIF(SibSp, 0)",
    "EXTRACT(YEAR FROM day) * 100 + EXTRACT(MONTH FROM day)",
    "EXTRACT(DOW FROM day)",
    "day > TIMESTAMP '2000-01-01 00:00:00'",
    "STRFTIME(day, '%Y-%m')",
    "(SibSp > 0) + (Parch > 0) - 1",
]


def _derived(expression, frame=FRAME):
    return derive(Table(frame, source="people.csv"), {"new": expression}).frame.get_column("new")


@pytest.mark.parametrize("expression", ROW_WISE)
def test_a_row_alone_gives_what_it_gives_in_the_table(expression):
    together = _derived(expression)
    alone = pl.concat([_derived(expression, FRAME[idx : idx + 1]) for idx in range(FRAME.height)])
    assert alone.dtype == together.dtype
    assert alone.equals(together, null_equal=True)
    backwards = _derived(expression, FRAME.reverse()).reverse()
    assert backwards.equals(together, null_equal=True)


@pytest.mark.parametrize("expression", ROW_WISE)
def test_no_rows_give_the_same_type(expression):
    none = _derived(expression, FRAME[:0])
    assert none.len() == 0
    assert none.dtype == _derived(expression).dtype


def test_title_is_cut_out_of_the_name():
    title = "TRIM(SPLIT_PART(SPLIT_PART(Name, ',', 2), '.', 1))"
    assert _derived(title).to_list() == ["Mr", "Mrs", None, "Jonkheer"]


def test_a_later_expression_may_use_an_earlier_column():
    bands = "CASE WHEN Family = 1 THEN 'Single' WHEN Family = 2 THEN 'Couple' ELSE 'Large' END"
    wider = derive(TABLE, {"Family": "SibSp + COALESCE(Parch, 0) + 1", "Band": bands})
    assert wider.names == [*FRAME.columns, "Family", "Band"]
    assert wider.frame.get_column("Family").to_list() == [2.0, 2.0, 3.0, 8.0]
    assert wider.frame.get_column("Band").to_list() == ["Couple", "Couple", "Large", "Large"]
    assert wider.source == "people.csv"


def test_an_earlier_expression_may_not_use_a_later_column():
    with pytest.raises(UserError, match="no column 'Family'"):
        derive(TABLE, {"Band": "Family + 1", "Family": "SibSp + 1"})


def test_no_expressions_leave_the_table_alone():
    assert derive(TABLE, {}).frame.equals(FRAME)


def test_whole_numbers_do_not_wrap():
    assert _derived("STRPOS(Name, 'zzz') - 5")[0] == -5
    assert _derived("EXTRACT(MONTH FROM day) * 100")[0] == 1000
    assert _derived("CAST(SibSp AS INT) * 2000000000")[3] == 10_000_000_000
    assert _derived("(SibSp > 3) + (Parch > 3) - 1")[0] == -1
    assert _derived("CASE WHEN SibSp > 1 THEN 1 ELSE 0 END * 3000000000")[3] == 3_000_000_000


def test_decimal_literals_make_floats():
    assert _derived("CASE WHEN SibSp > 1 THEN 1.5 ELSE 0 END").dtype == pl.Float64
    assert _derived('0.1 * LENGTH("home town")').to_list()[:1] == pytest.approx([0.4])


@pytest.mark.parametrize(
    "expression",
    [
        "AVG(SibSp)",
        "SibSp - AVG(SibSp)",
        "SibSp / MAX(SibSp)",
        "SUM(SibSp) + 0 * Parch",
        "COUNT(*)",
        "COUNT(SibSp)",
        "FIRST(SibSp)",
        "MEDIAN(SibSp)",
        "STDDEV(SibSp)",
        "QUANTILE_CONT(SibSp, 0.5)",
        "CORR(SibSp, Parch)",
        "STRING_AGG(Name, ',')",
        "ARRAY_AGG(SibSp)",
        "UNNEST(STRING_TO_ARRAY(Name, ','))",
        "RANK() OVER (ORDER BY SibSp)",
        "DENSE_RANK() OVER (ORDER BY SibSp)",
        "ROW_NUMBER() OVER (ORDER BY SibSp)",
        "LAG(SibSp) OVER (ORDER BY Parch)",
        'SUM(SibSp) OVER (PARTITION BY "home town")',
        "SUM(SibSp) OVER (ORDER BY Parch)",
        "COUNT(*) FILTER (WHERE SibSp > 1)",
        "COLUMNS('.*')",
        "SibSp IN (SELECT 1)",
        "(SELECT 1)",
        "EXISTS (SELECT 1)",
    ],
)
def test_what_looks_at_other_rows_is_refused(expression):
    for frame in (FRAME, FRAME[:1], FRAME[:0]):
        with pytest.raises(UserError, match="one row only"):
            _derived(expression, frame)


@pytest.mark.parametrize(
    "expression",
    [
        "read_csv('/etc/passwd')",
        "SibSp + read_parquet('x.parquet')",
        "scan_csv('x.csv')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "(SELECT * FROM read_csv('/etc/passwd'))",
        "SibSp IN (SELECT a FROM read_csv('/etc/passwd'))",
        "SibSp; DROP TABLE people",
        "SibSp FROM people",
    ],
)
def test_files_and_queries_are_out_of_reach(expression):
    with pytest.raises(UserError) as caught:
        _derived(expression)
    assert "derived column 'new'" in str(caught.value)


@pytest.mark.parametrize("clock", ["NOW()", "now ( )", "CURRENT_DATE", "current_timestamp"])
def test_the_clock_is_refused(clock):
    with pytest.raises(UserError, match="clock"):
        _derived(f"CASE WHEN day > {clock} THEN 1 ELSE 0 END")


def test_words_of_the_clock_may_stand_in_text_and_names():
    frame = FRAME.with_columns(pl.lit("x").alias("current_date"))
    assert _derived("\"current_date\" || ' now() '", frame)[0] == "x now() "


def test_a_guessed_date_format_is_refused():
    for guess in ("DATE(Name)", "TIMESTAMP(Name)"):
        with pytest.raises(UserError, match="Write the format"):
            _derived(guess)
    frame = pl.DataFrame({"text": ["31.12.2020"]})
    assert _derived("DATE(text, '%d.%m.%Y')", frame)[0] == dt.date(2020, 12, 31)


def test_a_taken_name_is_refused():
    with pytest.raises(UserError, match="already has a column 'SibSp'"):
        derive(TABLE, {"SibSp": "SibSp + 1"})
    with pytest.raises(UserError, match="already has a column 'a'"):
        derive(Table(pl.DataFrame({"a": [1.0]})), {"a": "a"})


def test_a_missing_column_is_named_with_the_nearest():
    with pytest.raises(UserError) as caught:
        derive(TABLE, {"Family": "SibSpp + 1"})
    assert str(caught.value) == (
        "people.csv, derived column 'Family' = 'SibSpp + 1': there is no column 'SibSpp'."
        " Did you mean 'SibSp'?"
    )


@pytest.mark.parametrize("constant", ["'Mr'", "1 + 2", "NULL", "PI()", "DATE '2020-01-01'"])
def test_an_expression_without_a_column_is_refused(constant):
    with pytest.raises(UserError, match="reads no column"):
        _derived(constant)


@pytest.mark.parametrize("list_", ["STRING_TO_ARRAY(Name, ',')", "day - TIMESTAMP '2000-01-01'"])
def test_what_is_no_cell_is_refused(list_):
    with pytest.raises(UserError, match="a column holds numbers, text"):
        _derived(list_)


def test_a_cell_that_does_not_fit_is_quoted():
    with pytest.raises(UserError, match=r"Braund.*TRY_CAST"):
        _derived("CAST(Name AS DOUBLE)")


@pytest.mark.parametrize("broken", ["", "SibSp +", "((SibSp", "SibSp Parch", "SibSp AS x", "*"])
def test_what_is_no_expression_is_refused(broken):
    with pytest.raises(UserError, match="derived column 'new'"):
        _derived(broken)


def test_adding_text_to_numbers_tells_both_types():
    with pytest.raises(UserError, match="f64 and str"):
        _derived("SibSp + Name")


def test_a_hostile_expression_is_refused_and_not_a_crash():
    with pytest.raises(UserError, match=f"more than {MAX_EXPRESSION_CHARS}"):
        _derived("+".join(["SibSp"] * MAX_EXPRESSION_CHARS))
    deep = {"(" * 900 + "SibSp" + ")" * 900, "ABS(" * 900 + "SibSp" + ")" * 900}
    deep |= {"NOT " * 900 + "(SibSp > 1)", "+".join(["Parch"] * 660), "-" * 2 * 900 + "SibSp"}
    for expression in deep:
        with pytest.raises(UserError, match="derived column 'new'"):
            _derived(expression)


def test_a_sum_of_a_hundred_columns_is_no_hostile_expression():
    frame = pl.DataFrame({f"q{idx}": [float(idx)] for idx in range(100)})
    assert _derived(" + ".join(frame.columns), frame).to_list() == [4950.0]


def test_column_names_may_hold_quotes_and_unicode():
    frame = pl.DataFrame({'say "hi"': [1.0], "größe": [2.0], "Straße 1": [3.0]})
    total = _derived('"say ""hi""" + größe + "Straße 1"', frame)
    np.testing.assert_array_equal(total.to_numpy(), [6.0])


def test_referenced_columns_are_those_the_expressions_read():
    names = referenced_columns({"a": "SibSp + Parch", "b": "a * 2", "c": 'LENGTH("home town")'})
    assert names == {"SibSp", "Parch", "a", "home town"}
    assert referenced_columns({}) == set()
    with pytest.raises(UserError, match="derived column 'x'"):
        referenced_columns({"x": "SibSp +"})
