"""Reading samples lets go of columns on the way, and of nobody else's."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from assay.ledger import Ledger
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
