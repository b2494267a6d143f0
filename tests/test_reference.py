"""The reference sums up a table: exactly, without a row, and back from JSON."""

import json
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from assay.read.cast import apply_schema
from assay.recipe import Recipe
from assay.reference import MAX_LEVELS, MAX_POINTS, WIDE_POINTS, ColumnReference, Reference
from assay.schema import ColumnSpec, Kind, Schema
from assay.table import Table

KINDS = {
    "age": Kind.NUMERIC,
    "town": Kind.CATEGORICAL,
    "member": Kind.BOOLEAN,
    "since": Kind.DATETIME,
    "note": Kind.TEXT,
}


def fit(columns: dict[str, list[object] | pl.Series], **kinds: Kind) -> Reference:
    specs = [
        ColumnSpec(name, kinds.get(name, KINDS.get(name, Kind.NUMERIC)), "") for name in columns
    ]
    schema = Schema(tuple(specs))
    table = Table(pl.DataFrame(columns))
    return Reference.fit(apply_schema(table, schema, Recipe(), is_training=True), schema)


@pytest.fixture(scope="module")
def reference() -> Reference:
    n = 1000
    return fit(
        {
            "age": [None if idx % 10 == 0 else float(idx) for idx in range(n)],
            "town": [("Rome", "Oslo", "Rome", f"village {idx}")[idx % 4] for idx in range(n)],
            "member": [("yes", "no", "no")[idx % 3] for idx in range(n)],
            "since": [datetime(2020, 1, 1) + timedelta(days=idx) for idx in range(n)],
            "note": ["x" * (idx % 50) or None for idx in range(n)],
        }
    )


def test_counts_are_those_of_the_cells_not_above_each_point(rng):
    values = np.round(rng.normal(size=777), 1)
    column = fit({"x": values.tolist()})["x"]
    assert len(column.points) <= MAX_POINTS
    assert (column.points[0], column.points[-1]) == (values.min(), values.max())
    assert list(column.counts) == [(values <= point).sum() for point in column.points]


def test_at_least_five_cells_lie_between_cut_points(rng):
    for n in (1, 2, 9, 10, 11, 57, 499, 5000):
        counts = fit({"x": rng.normal(size=n).tolist()})["x"].counts
        assert counts[-1] == n
        assert min(np.diff(counts), default=5) >= min(5, n - 1)


def test_few_values_are_counted_one_by_one():
    column = fit({"x": [0.0] * 70 + [1.0] * 20 + [2.0] * 10})["x"]
    assert (column.points, column.counts) == ((0.0, 1.0, 2.0), (70, 90, 100))
    assert column.quantiles([0.0, 0.7, 0.71, 1.0]).tolist() == [0.0, 0.0, 1.0, 2.0]


def test_rare_levels_are_not_named(reference):
    town = reference["town"]
    assert (town.levels, town.level_counts, town.n_others) == (("Rome", "Oslo"), (500, 250), 250)
    assert reference["member"].levels == ("no", "yes")


def test_only_the_commonest_levels_are_listed():
    names = [f"level {idx:03}" for idx in range(150) for _ in range(5 + (idx == 149))]
    column = fit({"town": names})["town"]
    assert column.levels[:2] == ("level 149", "level 000")
    assert len(column.levels) == MAX_LEVELS
    assert column.n_others == 50 * 5


def test_texts_are_lengths_and_dates_are_microseconds(reference):
    note, since = reference["note"], reference["since"]
    assert (note.points[0], note.points[-1], note.n_missing) == (1.0, 49.0, 20)
    assert since.points[0] == 1577836800e6


def test_it_comes_back_from_json(reference):
    proba = np.array([[0.25, 0.75], [1.0, 0.0], [np.nan, np.nan]])
    told = reference.with_predictions(proba)
    again = Reference.from_dict(json.loads(json.dumps(told.to_dict(), allow_nan=False)))
    assert again == told
    assert reference.predictions is None
    assert Reference.from_dict(json.loads(json.dumps(reference.to_dict()))) == reference


@pytest.mark.parametrize(
    "change",
    [
        {"n_missing": 2000},
        {"points": [3.0, 1.0], "counts": [1, 900]},
        {"points": [1.0, float("nan")], "counts": [1, 900]},
        {"points": [1.0], "counts": [1, 900]},
        {"counts": [-1]},
        {"kind": "tensor"},
        {"n_rows": 7},
        {"more": 1},
    ],
)
def test_a_summary_that_does_not_add_up_is_refused(reference, change):
    data = json.loads(json.dumps(reference.to_dict()))
    data["columns"][0] |= change
    with pytest.raises((ValueError, TypeError)):
        Reference.from_dict(data)


def test_predictions_are_mean_probabilities_of_the_rows_that_have_any(reference):
    proba = np.array([[0.25, 0.75], [0.95, 0.05], [1.0, 0.0], [np.nan, np.nan]])
    found = reference.with_predictions(proba).predictions
    assert found is not None
    assert found.n_rows == 3
    assert found.shares == pytest.approx((2.2 / 3, 0.8 / 3))


def test_predictions_that_do_not_add_up_are_refused(reference):
    data = reference.with_predictions(np.ones((1, 1))).to_dict()
    with pytest.raises(ValueError, match="predictions"):
        Reference.from_dict({**data, "predictions": {"n_rows": 1, "shares": [1.5]}})


def test_a_column_that_is_told_twice_is_refused(reference):
    data = reference.to_dict()
    with pytest.raises(ValueError, match="twice"):
        Reference.from_dict({**data, "columns": [*data["columns"], data["columns"][0]]})


@pytest.mark.parametrize("kind", [Kind.NUMERIC, Kind.CATEGORICAL, Kind.DATETIME, Kind.TEXT])
@pytest.mark.parametrize("n_rows", [0, 3])
def test_nothing_is_a_summary_too(kind, n_rows, rng):
    empty = fit({"x": pl.Series([None] * n_rows, dtype=pl.String)}, x=kind)
    column = empty["x"]
    assert (column.n_present, column.points, column.levels) == (0, (), ())
    assert Reference.from_dict(json.loads(json.dumps(empty.to_dict()))) == empty


def test_huge_numbers_stay_finite():
    column = fit({"x": [-1.7e308, 1.7e308, 2.0**63] * 10})["x"]
    assert column.points == (-1.7e308, 2.0**63, 1.7e308)
    json.dumps(column.points, allow_nan=False)


def test_wide_tables_get_fewer_points(rng):
    wide = fit({f"x{idx}": rng.normal(size=600).tolist() for idx in range(201)})
    assert {len(column.points) for column in wide.columns} == {WIDE_POINTS}


def test_identifiers_are_left_out():
    spec = ColumnSpec("key", Kind.IDENTIFIER, "")
    table = Table(pl.DataFrame({"key": ["a", "b"]}))
    assert Reference.fit(table, Schema((spec,))).columns == ()


def test_an_unknown_name_is_a_key_error(reference):
    with pytest.raises(KeyError):
        reference["nobody"]


def test_quartiles_of_numbers_are_told_for_golden_rows(reference):
    assert reference.typical() == {"age": [pytest.approx(v, abs=10) for v in (251, 501, 751)]}
    assert ColumnReference("x", Kind.NUMERIC, 0, 0).missing_share == 0.0
