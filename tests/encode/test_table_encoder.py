"""Encoding: typed tables to arrays, with a stated meaning for every odd cell."""

import json
from datetime import datetime

import numpy as np
import polars as pl
import pytest

from assay.encode import TableEncoder
from assay.errors import UserError
from assay.ledger import Ledger
from assay.recipe import Recipe
from assay.schema import ColumnSpec, Kind, Schema
from assay.table import Table


def encoder_for(
    columns: dict[str, tuple[Kind, list]],
    options: dict | None = None,
    ledger: Ledger | None = None,
) -> TableEncoder:
    frame = pl.DataFrame({name: cells for name, (_, cells) in columns.items()})
    ledger = Ledger() if ledger is None else ledger
    schema = Schema(tuple(ColumnSpec(name, kind, "") for name, (kind, _) in columns.items()))
    recipe = Recipe().with_options(options or {}).encode
    return TableEncoder.fit(Table(frame), schema, recipe, ledger)


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


def test_levels_of_one_row_get_the_codes_of_a_long_table():
    encoder = encoder_for({"c": (Kind.CATEGORICAL, ["b", "a", None])})
    rows = pl.DataFrame({"c": ["a", "b", None, "new"] * 20})
    alone = [encoder.transform(Table(rows[at])).codes.item() for at in range(4)]
    assert alone == [2, 3, 0, 1]
    assert encoder.transform(Table(rows)).codes[:, 0].tolist() == alone * 20


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


def test_minutes_are_a_part_where_times_are_not_all_at_full_hours():
    hours = [datetime(2020, 1, day, day) for day in range(1, 20)]
    full = encoder_for({"d": (Kind.DATETIME, hours)})
    assert [one.part for one in full.numeric] == ["elapsed", "day", "weekday", "hour"]
    moments = [moment.replace(minute=moment.day) for moment in hours]
    encoder = encoder_for({"d": (Kind.DATETIME, moments)})
    assert [one.part for one in encoder.numeric] == [*(one.part for one in full.numeric), "minute"]
    numeric = encoder.transform(Table(pl.DataFrame({"d": moments}))).numeric
    np.testing.assert_array_equal(numeric[:, -1], np.arange(1.0, 20.0))
    assert TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict()))) == encoder


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
    assert text[2].sum() == 0


def test_long_texts_are_told_of():
    ledger = Ledger()
    texts = [" ".join(f"word{idx}" for idx in range(30)), None]
    encoder = encoder_for({"t": (Kind.TEXT, texts)}, {"encode.text_ngrams": 16}, ledger)
    assert encoder.text[0].n_ngrams == 16
    (entry,) = ledger
    assert "an even sample of 16 words and n-grams" in entry.what
    assert entry.undo == "encode.text_ngrams"
    assert encoder.transform(Table(pl.DataFrame({"t": texts}))).text.shape == (2, 16)


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


def test_rare_levels_are_pooled_only_where_a_level_has_weights_of_its_own():
    columns = {
        "few": (Kind.CATEGORICAL, [str(idx % 3) for idx in range(40)]),
        "many": (Kind.CATEGORICAL, [str(idx % 9) for idx in range(40)]),
    }
    for options, expected in (({}, [1, 4]), ({"encode.min_count": 2}, [2, 2])):
        encoder = encoder_for(columns, options)
        assert [feature.min_count for feature in encoder.categorical] == expected


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
        ({"encode.columns.x.levels": ["1"]}, "levels is for categorical columns"),
        ({"encode.columns.x.min_count": 2}, "min_count is for categorical columns"),
        ({"encode.columns.d.encoding": "label"}, "this one is datetime"),
        ({"encode.columns.c.divisor": 2.0}, "divisor is for numeric columns"),
        ({"encode.columns.c.bins": 4}, "bins is for numeric columns"),
        ({"encode.columns.b.clip": True}, 'this one is boolean. Declare kinds.b = "numeric"'),
        ({"encode.columns.t.missing_flag": False}, "this one is text"),
        ({"encode.columns.id.scale": "none"}, "this one is identifier"),
        ({'encode.columns."my col".fill': "mode"}, r'columns."my col": fill is .* is constant'),
        ({"encode.columns.x.divisor": 2.0}, "divisor = 2.0 has no use with scale = 'robust'"),
        ({"encode.columns.x.fill_value": 2.0}, "no use with fill = 'median'"),
        ({"encode.columns.c.fill_value": "a"}, "no use with fill = 'none'"),
        ({"encode.columns.c.fill": "constant"}, r"needs a fill_value.*Set encode\.columns\.c\."),
        ({"encode.categorical_fill": "constant"}, r"^encode\.categorical_fill: .* a fill_value"),
        ({"encode.fill_value": 2.0}, "^encode: fill_value = 2.0 has no use with fill = 'median'"),
        ({"encode.columns.c.levels": ["x", "y"]}, "The column holds 'a', 'b', 'c'"),
        ({"encode.columns.c.levels": ["a", "b", "a"]}, "levels names 'a' twice"),
    ],
)
def test_choices_that_do_not_fit_a_column_are_refused(options, message):
    columns = {
        "x": (Kind.NUMERIC, [1.0, 2.0, 3.0]),
        "c": (Kind.CATEGORICAL, ["a", "b", "c"]),
        "b": (Kind.BOOLEAN, ["no", "yes", "no"]),
        "d": (Kind.DATETIME, [datetime(2020, 1, day) for day in (1, 2, 3)]),
        "t": (Kind.TEXT, ["some words", "more words", "few"]),
        "id": (Kind.IDENTIFIER, ["1", "2", "3"]),
        "my col": (Kind.CONSTANT, ["1", "1", "1"]),
    }
    with pytest.raises(UserError, match=message):
        encoder_for(columns, options)


def test_one_column_may_take_the_number_that_fills():
    options = {"encode.fill_value": 2.0, "encode.columns.x.fill": "constant"}
    encoder = encoder_for({"x": (Kind.NUMERIC, [1.0, None, 3.0])}, options)
    assert encoder.numeric[0].fill_value == 2.0


def test_a_level_may_be_given_as_a_number():
    encoder = encoder_for(
        {"c": (Kind.CATEGORICAL, ["1", "2", "3", None])},
        {"encode.columns.c.fill": "constant", "encode.columns.c.fill_value": 3},
    )
    assert encoder.categorical[0].levels == ("1", "2", "3")
    assert encoder.categorical[0].fill_value == "3"


@pytest.mark.parametrize("scale", ["robust", "standard", "minmax"])
def test_numbers_far_from_zero_keep_their_differences(scale, rng):
    near = rng.normal(size=200)
    cells = [*(1e9 + near).tolist(), None]
    options = {
        "encode.scale": scale,
        "encode.columns.x.fill": "constant",
        "encode.columns.x.fill_value": 1e9,
    }
    encoder = encoder_for({"x": (Kind.NUMERIC, cells)}, options)
    feature = encoder.numeric[0]
    numeric = encoder.transform(Table(pl.DataFrame({"x": [*cells, 5.0]}))).numeric[:, 0]
    assert len(np.unique(numeric[:200])) == 200
    np.testing.assert_allclose(numeric[:200] + (feature.offset - 1e9), near, atol=1e-6)
    assert np.isnan(numeric[200])
    assert feature.fill_value + feature.offset == 1e9
    assert TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict()))) == encoder


@pytest.mark.parametrize(
    ("cells", "options"),
    [
        ([1e9, 1e9 + 1], {"encode.scale": "none"}),
        ([1e9, 1e9 + 1], {"encode.scale": "divide"}),
        ([1e9, 2e9], {}),
        ([1e9, 1e9], {}),
        ([None, None], {}),
        ([0.0, 5.0, 1e9, 1e9 + 1], {}),
    ],
)
def test_other_numbers_are_left_where_they_are(cells, options):
    encoder = encoder_for({"x": (Kind.NUMERIC, pl.Series(cells, dtype=pl.Float64))}, options)
    assert encoder.numeric[0].offset == 0.0


def test_moments_of_one_hour_keep_their_differences():
    dates = [datetime(2024, 5, 1, 12, 0, second, 500_000) for second in range(60)]
    encoder = encoder_for({"d": (Kind.DATETIME, dates)})
    assert [feature.part for feature in encoder.numeric] == ["elapsed"]
    numeric = encoder.transform(Table(pl.DataFrame({"d": dates}))).numeric[:, 0]
    np.testing.assert_allclose(np.diff(numeric), 1 / 86_400, rtol=1e-3)


def test_the_ledger_tells_what_becomes_of_single_cells():
    ledger = Ledger()
    many = [*"aaaabbbcde", None, None]
    encoder_for(
        {
            "whole": (Kind.NUMERIC, [float(idx) for idx in range(12)]),
            "age": (Kind.NUMERIC, [None, None, *range(10)]),
            "day": (Kind.DATETIME, [None, *(datetime(2020, 1, day) for day in range(1, 12))]),
            "own": (Kind.CATEGORICAL, [*"ababababab", None, None]),
            "mode": (Kind.CATEGORICAL, [*"abababababa", None]),
            "rare": (Kind.CATEGORICAL, many),
            "n_rows": (Kind.CATEGORICAL, many),
            "empty": (Kind.CATEGORICAL, pl.Series([None] * 12, dtype=pl.String)),
            "words": (Kind.TEXT, ["some words"] * 11 + [None]),
        },
        {
            "encode.columns.age.fill": "constant",
            "encode.columns.age.fill_value": -1,
            "encode.columns.day.missing_flag": False,
            "encode.columns.mode.fill": "mode",
            "encode.columns.rare.min_count": 3,
            "encode.columns.rare.fill": "constant",
            "encode.columns.rare.fill_value": "a",
            "encode.columns.n_rows.levels": ["b", "a"],
            "encode.columns.n_rows.missing_flag": False,
        },
        ledger,
    )
    assert [(entry.where, entry.what, entry.why, entry.undo) for entry in ledger] == [
        (
            "age",
            "2 cells filled, with -1, and flagged",
            "2 of 12 cells are missing",
            "encode.columns.age.fill",
        ),
        (
            "day",
            "1 cell filled, with each network's own median",
            "1 of 12 cells is missing",
            "encode.columns.day.fill",
        ),
        (
            "own",
            "2 cells kept as a level of their own",
            "2 of 12 cells are missing",
            "encode.columns.own.fill",
        ),
        (
            "mode",
            "1 cell filled, with each network's own most common level",
            "1 of 12 cells is missing",
            "encode.columns.mode.fill",
        ),
        (
            "rare",
            "2 cells filled, with 'a'; levels with fewer than 3 training rows pooled as rare",
            "2 of 12 cells are missing; 3 of 5 levels have so few",
            "encode.columns.rare.fill; encode.columns.rare.min_count",
        ),
        (
            "n_rows",
            "2 cells read as no level; 3 levels count as unseen",
            "2 of 12 cells are missing; not in the given list: 'c', 'd', 'e'",
            "encode.columns.n_rows.fill; encode.columns.n_rows.levels",
        ),
        (
            "empty",
            "12 cells kept as a level of their own",
            "12 of 12 cells are missing",
            "encode.columns.empty.fill",
        ),
        ("words", "1 cell read as empty text", "1 of 12 cells is missing", ""),
    ]
