"""Wide tables get fewer bins, and the ledger says so."""

import numpy as np
import polars as pl

from assay.encode import TableEncoder
from assay.ledger import Ledger
from assay.recipe import Recipe
from assay.schema import ColumnSpec, Kind, Schema
from assay.table import Table


def bins_of(n_columns: int, options: dict) -> tuple[list[int], Ledger]:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({f"n{idx}": rng.normal(size=40) for idx in range(n_columns)})
    frame = frame.with_columns(few=pl.Series([0.0, 1.0, 2.0, 3.0] * 10))
    schema = Schema(tuple(ColumnSpec(name, Kind.NUMERIC, "") for name in frame.columns))
    ledger = Ledger()
    recipe = Recipe().with_options(options).encode
    encoder = TableEncoder.fit(Table(frame), schema, recipe, ledger)
    return [feature.n_bins for feature in encoder.numeric], ledger


def test_a_table_of_usual_width_keeps_its_bins():
    bins, ledger = bins_of(30, {})
    assert bins == [16] * 30 + [3]
    assert not len(ledger)


def test_many_columns_get_as_many_bins_each_as_fit():
    bins, ledger = bins_of(30, {"encode.max_total_bins": 250})
    assert bins == [8] * 30 + [3]
    (entry,) = ledger
    assert entry.what == "numbers encoded with 8 bins each"
    assert entry.why == "31 of them would make 483 bins, more than 250"
    assert entry.undo == "encode.max_total_bins"


def test_one_bin_each_is_none():
    bins, ledger = bins_of(30, {"encode.max_total_bins": 40})
    assert bins == [0] * 31
    assert next(iter(ledger)).what == "numbers encoded without bins"


def test_columns_keep_the_bins_that_were_asked_for():
    bins, _ = bins_of(30, {"encode.max_total_bins": 100, 'encode.columns."n3".bins': 20})
    assert bins[3] == 20
    assert bins[4] == 2
    assert sum(bins) <= 100


def test_limits_that_cannot_be_kept_leave_no_bins_but_those_asked_for():
    bins, _ = bins_of(5, {"encode.max_total_bins": 10, "encode.columns.n3.bins": 20})
    assert bins == [0, 0, 0, 20, 0, 0]
