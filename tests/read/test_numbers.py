"""Number formats."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.read.numbers import find_number_format, is_ambiguous, parse_numbers
from assay.schema import NumberFormat


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1,234", "5", "1,234,567.5"], [1234, 5, 1234567.5]),
        (["1.234,5", "7", "-1.234.567"], [1234.5, 7, -1234567]),
        (["1 234", "5", "1\u00a0234,5"], [1234, 5, 1234.5]),
        (["1'234.5", "6"], [1234.5, 6]),
        (["0,5", "1,25"], [0.5, 1.25]),
        (["0,125", "1,250"], [0.125, 1.25]),
        (["12%", "5 %", "-1.5%"], [12, 5, -1.5]),
        (["$5", "-$7.5", "$-2", "$1,234"], [5, -7.5, -2, 1234]),
        (["5 EUR", "6,5 EUR"], [5, 6.5]),
        (["€ 1.234,00"], [1234]),
    ],
)
def test_hand_written_formats_are_found(cells, numbers):
    series = pl.Series(cells)
    found = find_number_format(series)
    assert found is not None
    assert parse_numbers(series, found).to_list() == numbers


@pytest.mark.parametrize(
    "cells", [["1,2,3", "4,5,6"], ["$5", "€6"], ["a", "b"], ["5%", "7"], ["2020-01-01"], ["5 kg"]]
)
def test_what_is_not_one_kind_of_number_has_no_format(cells):
    assert find_number_format(pl.Series(cells)) is None


def test_groups_of_three_could_be_decimals():
    assert is_ambiguous(pl.Series(["1,234", "2,500"]), NumberFormat(thousands=","))
    assert not is_ambiguous(pl.Series(["1,234,567"]), NumberFormat(thousands=","))


def test_a_forced_decimal_mark_decides():
    found = find_number_format(pl.Series(["1,234"]), decimal=",")
    assert found == NumberFormat(decimal=",")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9).map(lambda x: round(x, 2)), min_size=1, max_size=20))
def test_what_python_formats_is_read_back(values):
    style = NumberFormat(thousands=",")
    written = pl.Series([f"{value:,.2f}" for value in values])
    assert parse_numbers(written, style).to_list() == pytest.approx(values)


def test_garbage_is_null_never_a_number():
    cells = ["", "1,23", "12,34,567", "1..2", "--1", "1e", "0x1F", "1_000", "٣"]
    assert parse_numbers(pl.Series(cells), NumberFormat(thousands=",")).null_count() == len(cells)
    assert parse_numbers(pl.Series(["0x1F", "1_000"]), NumberFormat()).null_count() == 2


def test_infinity_reads_as_infinite():
    assert parse_numbers(pl.Series(["inf", "-Infinity"]), NumberFormat()).is_infinite().all()
