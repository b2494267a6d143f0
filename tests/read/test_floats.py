"""NaN, infinite and whole numbers, whatever the type and the gaps."""

import math

import polars as pl
import pytest

from assay.read.floats import are_whole, count_infinite, without_nan

FLOATS = [pl.Float32, pl.Float64]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "cells",
    [[], [None], [1.0, 2.5], [1.0, None], [math.nan], [math.nan, None, 1.0], [math.inf, math.nan]],
)
def test_nan_becomes_null_as_polars_does_it(cells, dtype):
    series = pl.Series("x", cells, dtype=dtype)
    assert without_nan(series).equals(series.fill_nan(None), check_dtypes=True, check_names=True)
    assert count_infinite(series) == series.is_infinite().sum()


@pytest.mark.parametrize("series", [pl.Series(["nan"]), pl.Series([1]), pl.Series([True])])
def test_other_types_stay_as_they_are(series):
    assert without_nan(series) is series


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("cells", "is_whole"),
    [
        ([], False),
        ([None], False),
        ([1.0, None, -3.0], True),
        ([1.0, 1.5], False),
        ([math.inf], True),
        ([None, 0.5], False),
    ],
)
def test_whole_numbers_are_told(cells, is_whole, dtype):
    assert are_whole(pl.Series("x", cells, dtype=dtype)) is is_whole
