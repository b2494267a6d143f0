"""Encoding: typed tables to arrays, with a stated meaning for every odd cell."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from assay.encode import TableEncoder
from assay.errors import UserError
from assay.recipe import Recipe
from assay.schema import ColumnSpec, Kind, Schema
from assay.table import Table


def encoder_for(columns: dict[str, tuple[Kind, list]], options: dict | None = None) -> TableEncoder:
    frame = pl.DataFrame({name: cells for name, (_, cells) in columns.items()})
    schema = Schema(tuple(ColumnSpec(name, kind, "") for name, (kind, _) in columns.items()))
    recipe = Recipe().with_options(options or {}).encode
    return TableEncoder.fit(Table(frame), schema, recipe)


def test_numbers_become_float32_with_nan_for_missing():
    encoder = encoder_for({"x": (Kind.NUMERIC, [1.5, None, 3.0])})
    table = Table(pl.DataFrame({"x": [1.5, None, float("nan"), float("inf")]}))
    numeric = encoder.transform(table).numeric
    assert numeric.dtype == np.float32
    np.testing.assert_array_equal(numeric[:, 0], np.array([1.5, np.nan, np.nan, np.nan], "f4"))


def test_levels_become_codes_with_missing_and_unseen_apart():
    encoder = encoder_for({"c": (Kind.CATEGORICAL, ["b", "a", None])})
    assert encoder.categorical[0].levels == ("a", "b")
    table = Table(pl.DataFrame({"c": ["a", "b", None, "new"]}))
    np.testing.assert_array_equal(encoder.transform(table).codes[:, 0], [2, 3, 0, 1])


def test_numeric_levels_are_ordered_as_numbers():
    encoder = encoder_for({"c": (Kind.CATEGORICAL, ["10", "9", "x", "1"])})
    assert encoder.categorical[0].levels == ("1", "9", "10", "x")


def test_dates_become_those_parts_that_vary():
    dates = [datetime(2020, 1, day, 6) for day in range(1, 20)]
    encoder = encoder_for({"d": (Kind.DATETIME, dates)})
    assert [feature.part for feature in encoder.numeric] == ["elapsed", "day", "weekday"]
    numeric = encoder.transform(
        Table(pl.DataFrame({"d": [datetime(1970, 1, 2, 12), None]}))
    ).numeric
    np.testing.assert_array_equal(numeric[0], [1.5, 2.0, 5.0])
    assert np.isnan(numeric[1]).all()


def test_text_is_hashed_alike_in_every_batch():
    encoder = encoder_for({"t": (Kind.TEXT, ["any"])}, {"encode.text_buckets": 32})
    texts = ["Mr. Owen", "", None, "héllo ☃", "mr. owen"]
    table = Table(pl.DataFrame({"t": texts}))
    text = encoder.transform(table).text
    singly = [
        encoder.transform(Table(pl.DataFrame({"t": [cell]}, schema={"t": pl.String}))).text
        for cell in texts
    ]
    np.testing.assert_array_equal(np.concatenate(singly), text)
    np.testing.assert_array_equal(text[0], text[4])
    assert text[2].sum() == 0.0
    np.testing.assert_allclose(np.square(text[[0, 3]]).mean(axis=1), 1.0, rtol=1e-5)


def test_automatic_encoding_depends_on_the_number_of_levels():
    encoder = encoder_for(
        {
            "two": (Kind.BOOLEAN, [str(idx % 2) for idx in range(40)]),
            "few": (Kind.CATEGORICAL, [str(idx % 8) for idx in range(40)]),
            "many": (Kind.CATEGORICAL, [str(idx % 9) for idx in range(40)]),
        }
    )
    found = {feature.column: feature.encoding for feature in encoder.categorical}
    assert found == {"two": "plus_minus", "few": "one_hot", "many": "embedding"}


def test_plain_data_rebuilds_the_encoder():
    encoder = encoder_for(
        {
            "x": (Kind.NUMERIC, [1.0, None]),
            "c": (Kind.CATEGORICAL, ["a", "b"]),
            "t": (Kind.TEXT, ["u", "v"]),
        }
    )
    assert TableEncoder.from_dict(encoder.to_dict()) == encoder


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encode.columns.x.encoding": "one_hot"}, "for categorical columns"),
        ({"encode.columns.c.scale": "robust"}, "for numeric columns"),
        ({"encode.columns.c.encoding": "plus_minus"}, "needs two levels"),
        ({"encode.columns.c.fill": "median"}, "for numeric columns"),
        ({"encode.columns.x.fill": "none"}, "for categorical columns"),
        ({"encode.columns.x.divisor": 0.0}, "divides by zero"),
        ({"encode.columns.xx.scale": "none"}, "Did you mean 'x'"),
    ],
)
def test_choices_that_do_not_fit_a_column_are_refused(options, message):
    columns = {"x": (Kind.NUMERIC, [1.0, 2.0, 3.0]), "c": (Kind.CATEGORICAL, ["a", "b", "c"])}
    with pytest.raises(UserError, match=message):
        encoder_for(columns, options)
