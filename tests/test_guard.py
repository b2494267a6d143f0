"""Flags: each sort of odd cell is named, and nothing else."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from assay.encode import TableEncoder, TargetEncoder
from assay.errors import UserError
from assay.guard import row_flags
from assay.ledger import Ledger
from assay.predict import Predictor, Preparation
from assay.recipe import Recipe
from assay.reference import Reference
from assay.table import Table

N = 200


def make_frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "age": [float(20 + idx % 60) for idx in range(N)],
            "fare": [None if idx % 9 == 0 else str(idx * 1.5) for idx in range(N)],
            "town": [("Rome", "Oslo", "Kyiv")[idx % 3] for idx in range(N)],
            "member": [idx % 2 == 0 for idx in range(N)],
            "since": [datetime(2020, 1, 1) + timedelta(days=idx) for idx in range(N)],
            "born": [f"{1950 + idx % 50}-0{1 + idx % 9}-11" for idx in range(N)],
            "big": [10**17 + idx * 1000 for idx in range(N)],
        }
    )


def fit(frame: pl.DataFrame, **options: object) -> tuple[Predictor, Reference]:
    """Return a predictor without a graph, and the reference of its table."""
    recipe = Recipe().with_options({"target": "y", "kinds": {"big": "numeric"}} | options)
    table = Table(frame)
    preparation = Preparation.fit(table, recipe, Ledger())
    cast = preparation.cast(table, recipe, is_training=True)
    reference = Reference.fit(cast, preparation.raw_schema)
    typed = preparation.finish(cast, recipe, is_training=True)
    encoder = TableEncoder.fit(typed, preparation.schema, recipe.encode, Ledger())
    return Predictor(preparation, encoder, TargetEncoder("y", ("0", "1"), "string"), b"", recipe), (
        reference
    )


@pytest.fixture(scope="module")
def known() -> tuple[Predictor, Reference]:
    return fit(make_frame())


def flags_of(known: tuple[Predictor, Reference], **cells: object) -> list[str]:
    """Flag the first row of the table with other cells."""
    row = make_frame()[0].with_columns(pl.lit("12").alias("fare"))
    for name, cell in cells.items():
        row = row.with_columns(pl.Series(name, [cell]))
    (flags,) = row_flags(Table(row), *known)
    return flags


def test_rows_of_the_training_table_have_no_flags(known):
    assert row_flags(Table(make_frame()), *known) == [[] for _ in range(N)]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"town": "Bonn"}, ["town: unseen level"]),
        ({"town": None}, ["town: missing, never before"]),
        ({"fare": "cheap"}, ["fare: not a number"]),
        ({"fare": None}, []),
        ({"fare": "?"}, []),
        ({"age": "?"}, ["age: missing, never before"]),
        ({"age": float("inf")}, ["age: not a number"]),
        ({"age": float("nan")}, ["age: missing, never before"]),
        ({"age": 84.9}, []),
        ({"age": 85.0}, ["age: out of range"]),
        ({"age": 14.0}, ["age: out of range"]),
        ({"age": datetime(2020, 1, 1)}, ["age: not a number"]),
        ({"member": "maybe"}, ["member: unseen level"]),
        ({"member": "TRUE"}, []),
        ({"since": datetime(2030, 1, 1)}, ["since: out of range"]),
        ({"since": datetime(2019, 12, 25)}, []),
        ({"since": 5}, ["since: not a date"]),
        ({"born": "long ago"}, ["born: not a date"]),
        ({"born": "1850-01-11"}, ["born: out of range"]),
        ({"big": 10**17 + 10_000}, []),
        ({"big": 10**18}, ["big: out of range"]),
        ({"age": -1.7e308, "town": "Bonn"}, ["age: out of range", "town: unseen level"]),
    ],
)
def test_each_sort_of_odd_cell_is_named(known, cells, expected):
    assert flags_of(known, **cells) == expected


def test_flags_stand_at_their_rows(known):
    frame = make_frame().with_columns(
        town=pl.Series([None if idx == 3 else ("Bonn" if idx == 7 else "Rome") for idx in range(N)])
    )
    flags = row_flags(Table(frame), *known)
    assert {idx: one for idx, one in enumerate(flags) if one} == {
        3: ["town: missing, never before"],
        7: ["town: unseen level"],
    }


def test_columns_that_do_not_fit_at_all_are_flagged_and_missing(known):
    predictor, _ = known
    frame = make_frame().with_columns(pl.col("since").alias("age"))
    recipe = predictor.recipe.with_options({"predict.invalid": "missing"})
    cast = predictor.preparation.cast(Table(frame), recipe, is_training=False)
    assert cast.column("age").null_count() == N
    with pytest.raises(UserError, match="numbers are expected"):
        predictor.preparation.cast(Table(frame), predictor.recipe, is_training=False)


def test_by_default_a_cell_that_does_not_fit_is_an_error(known):
    predictor, _ = known
    frame = make_frame().with_columns(pl.lit("cheap").alias("age"))
    with pytest.raises(UserError, match="'cheap' is not a number"):
        predictor.preparation.cast(Table(frame), predictor.recipe, is_training=False)


def test_an_absent_column_is_an_error_or_a_gap(known):
    predictor, reference = known
    table = Table(make_frame().drop("town"))
    with pytest.raises(UserError, match="lacks the column 'town'"):
        row_flags(table, predictor, reference)
    filling, reference = fit(make_frame(), **{"predict.missing_columns": "fill"})
    assert row_flags(table, filling, reference)[0] == ["town: missing, never before"]


def test_columns_that_only_expressions_read_are_watched():
    known = fit(make_frame(), **{"derive": {"old": "age > 50"}, "drop": ("age",)})
    assert flags_of(known, age=500.0) == ["age: out of range"]


def test_more_levels_than_the_reference_lists_are_still_known():
    frame = make_frame().with_columns(
        town=pl.Series([f"town {idx % 150}" for idx in range(N)]),
    )
    known = fit(frame, **{"kinds.town": "categorical"})
    assert row_flags(Table(frame), *known) == [[] for _ in range(N)]
    assert flags_of(known, town="town 150") == ["town: unseen level"]


def test_no_rows_have_no_flags(known):
    assert row_flags(Table(make_frame().clear()), *known) == []


def test_a_column_of_nothing_is_flagged_only_where_it_had_values(known):
    frame = make_frame().with_columns(pl.lit(None).alias("age"), pl.lit(None).alias("fare"))
    assert row_flags(Table(frame), *known)[0] == ["age: missing, never before"]
    assert np.all(
        [flags == ["age: missing, never before"] for flags in row_flags(Table(frame), *known)]
    )
