"""Wide tables get fewer bins, and the ledger says so."""

import numpy as np
import polars as pl

from assay.encode import TableEncoder
from assay.ledger import Ledger
from assay.recipe import Recipe
from assay.schema import ColumnSpec, Kind, Schema
from assay.table import Table


def bins_of(n_columns: int, options: dict, n_rows: int = 40) -> tuple[list[int], Ledger]:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({f"n{idx}": rng.normal(size=n_rows) for idx in range(n_columns)})
    frame = frame.with_columns(few=pl.Series([0.0, 1.0, 2.0, 3.0] * (n_rows // 4)))
    schema = Schema(tuple(ColumnSpec(name, Kind.NUMERIC, "") for name in frame.columns))
    ledger = Ledger()
    recipe = Recipe().with_options(options).encode
    encoder = TableEncoder.fit(Table(frame), schema, recipe, ledger)
    return [feature.n_bins for feature in encoder.numeric], ledger


def test_a_table_of_usual_width_keeps_its_bins():
    bins, ledger = bins_of(30, {})
    assert bins == [16] * 30 + [3]
    assert not len(ledger)


def test_few_columns_of_many_rows_get_finer_bins():
    assert bins_of(9, {}, n_rows=2_504)[0] == [35] * 9 + [3]
    assert bins_of(2, {}, n_rows=2_504)[0] == [64] * 2 + [3]
    assert bins_of(2, {}, n_rows=2_500)[0] == [16] * 2 + [3]
    assert bins_of(2, {"encode.bins": 8}, n_rows=2_504)[0] == [8] * 2 + [3]
    assert bins_of(2, {"encode.columns.n1.bins": 8}, n_rows=2_504)[0] == [64, 8, 3]


def test_finer_bins_are_shared_by_the_numbers_that_have_use_for_them():
    assert sum(bins_of(9, {}, n_rows=2_504)[0]) <= 320
    assert bins_of(40, {}, n_rows=2_504)[0] == [16] * 40 + [3]  # never fewer than usual
    chosen = {"encode.columns.n1.bins": 200}  # takes nothing from the others
    assert bins_of(9, chosen, n_rows=2_504)[0] == [39, 200] + [39] * 7 + [3]


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
    bins, ledger = bins_of(5, {"encode.max_total_bins": 10, "encode.columns.n3.bins": 20})
    assert bins == [0, 0, 0, 20, 0, 0]
    (entry,) = ledger
    assert entry.what == "numbers encoded without bins, but 1 with the bins chosen for them"


def test_where_every_column_keeps_its_bins_nothing_is_told():
    chosen = {f"encode.columns.{name}.bins": 3 for name in ("n0", "n1", "few")}
    bins, ledger = bins_of(2, {"encode.max_total_bins": 5, **chosen})
    assert bins == [3, 3, 3]
    assert not len(ledger)


def test_scores_of_texts_count_as_numbers():
    numbers = [float(idx) for idx in range(40)]
    frame = pl.DataFrame({"n": numbers, "t": [f"word{idx} and more" for idx in range(40)]})
    schema = Schema((ColumnSpec("n", Kind.NUMERIC, ""), ColumnSpec("t", Kind.TEXT, "")))
    recipe, ledger = Recipe().with_options({"encode.max_total_bins": 60}).encode, Ledger()
    encoder = TableEncoder.fit(Table(frame), schema, recipe, ledger, n_classes=5)
    assert (encoder.numeric[0].n_bins, encoder.text[0].n_bins) == (10, 10)
    found = [(entry.what, entry.why) for entry in ledger if entry.where == "encode.bins"]
    assert found == [
        (
            "numbers and scores of texts encoded with 10 bins each",
            "6 of them would make 96 bins, more than 60",
        )
    ]
    few = TableEncoder.fit(Table(frame), schema, recipe, ledger, n_classes=2)
    assert (few.numeric[0].n_bins, few.text[0].n_bins) == (16, 16)
