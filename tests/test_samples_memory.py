"""Reading samples lets go of columns on the way, and of nobody else's."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from assay.ledger import Ledger
from assay.predict import Preparation
from assay.read.cast import apply_schema
from assay.recipe import Recipe
from assay.samples import read_samples
from assay.table import Table


def make_frame() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    start = datetime(2020, 1, 1)
    return pl.DataFrame(
        {
            "n": [None, *rng.normal(size=59).tolist()],
            "c": list("abc") * 20,
            "d": [start + timedelta(hours=7 * idx) for idx in range(60)],
            "y": ["no", "yes"] * 30,
        }
    )


def read(frame: pl.DataFrame, **options):
    recipe = Recipe().with_options({"target": "y", **options})
    return read_samples(frame, recipe, Ledger(), on_stage=lambda _: None)


def test_the_callers_table_keeps_its_columns():
    frame = make_frame()
    read(frame)
    assert frame.equals(make_frame())


def test_every_part_of_a_date_and_every_column_is_encoded():
    samples = read(make_frame(), **{"split.holdout": 0.2})
    assert [feature.column for feature in samples.encoder.numeric].count("d") >= 3
    again = samples.encoder.transform(
        samples.preparation.apply(
            Table(make_frame().drop("y")), Recipe().with_options({"target": "y"}), is_training=False
        )
    )
    for name, values in samples.arrays.named().items():
        np.testing.assert_array_equal(values, again.named()[name])


def test_the_reference_sums_up_the_cells_that_are_there():
    column = read(make_frame()).reference["n"]
    cells = make_frame().get_column("n").drop_nulls().to_numpy()
    assert column.n_missing == make_frame().get_column("n").null_count()
    assert (column.points[0], column.points[-1]) == (cells.min(), cells.max())
    for point, count in zip(column.points, column.counts, strict=True):
        assert count == (cells <= point).sum()


@pytest.mark.parametrize("n_cells", [1, 130, 1 << 20])
def test_columns_are_cast_as_many_at_a_time_as_memory_allows(n_cells: int, monkeypatch):
    recipe, together = Recipe(), []
    features = Table(make_frame().drop("y"))
    preparation = Preparation.fit(features, recipe, Ledger())
    whole = preparation.cast(features, recipe, is_training=True)

    def counted(table, *args, **options):
        together.append(len(table.names))
        return apply_schema(table, *args, **options)

    monkeypatch.setattr("assay.predict._CELLS", n_cells)
    monkeypatch.setattr("assay.predict.apply_schema", counted)
    cast = preparation.cast_training(features, recipe)
    assert cast.frame.equals(whole.frame)
    assert together == {1: [1, 1, 1], 130: [2, 1], 1 << 20: [3]}[n_cells]
    assert all(features.column(name).null_count() == 60 for name in features.names)
