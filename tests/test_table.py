"""A table gives its columns up without copying them, however many."""

import polars as pl

from assay.table import Table


def test_columns_given_up_are_whole_and_the_table_is_empty_of_cells():
    table = Table(pl.DataFrame({"x": [1, 2], "": ["a", "b"], "column_0": [None, 0.5]}))
    columns = table.give_up()
    assert {name: cells.to_list() for name, cells in columns.items()} == {
        "x": [1, 2],
        "": ["a", "b"],
        "column_0": [None, 0.5],
    }
    assert table.names == ["x", "", "column_0"]
    assert table.frame.null_count().row(0) == (2, 2, 2)


def test_a_table_without_columns_gives_nothing_up():
    assert Table(pl.DataFrame()).give_up() == {}
