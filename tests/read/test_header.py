"""Whether the first row names the columns."""

import pytest

from assay.errors import UserError
from assay.options import ReadRecipe
from assay.read.header import find_names, looks_like_header


@pytest.mark.parametrize(
    ("first", "below", "expected"),
    [
        (["name", "age"], [["Ann", "31"], ["Bob", "22"]], True),
        (["Ann", "31"], [["Bob", "22"], ["Eva", "44"]], False),
        (["p", "x"], [["p", "y"], ["e", "x"]], False),
        (["colour", "size"], [["red", "big"], ["blue", "big"]], True),
        (["", "a"], [["0", "1.5"], ["1", "2.5"]], True),
        (["0", "1", "2"], [["1.5", "2.5", "3"], ["4.5", "5.5", "6"]], True),
        (["land", "2019", "2020"], [["DE", "1.5", "2.5"], ["FR", "4.5", "5.5"]], True),
        (["1", "2"], [["3", "4"], ["5", "6"]], False),
        (["when", "what"], [["2020-01-01", "x"], ["2020-01-02", "y"]], True),
        (["5", "?"], [["3", "4"], ["5", "6"]], False),
        (["a", "b", ""], [["x", "y", ""], ["z", "w", ""]], True),
        (["a", "b", "", "c"], [["x", "y", "", "u"], ["z", "w", "", "v"]], True),
        (["a", "", "c"], [["x", "y", "u"], ["z", "w", "v"]], False),
        (["a", "a"], [["x", "y"], ["z", "w"]], True),
        (["x", "x"], [["x", "y"], ["z", "w"]], False),
        (["a", "b"], [["x", "y"]] * 30 + [["a", "b"]] + [["z", "w"]] * 30, True),
        (["x", "y"], [["x", "y"]] * 30 + [["z", "w"]] * 30, False),
    ],
)
def test_the_first_row_is_judged_by_the_rows_below(first, below, expected):
    assert looks_like_header(first, below) is expected


def names(rows, n_cells, **options):
    return find_names(rows, [], ReadRecipe(**options), n_cells=n_cells, where="x.csv")


def test_double_names_are_named():
    with pytest.raises(UserError, match=r"more than one column 'a', 'b'"):
        names([["a", "b", "a", "b"], ["1", "2", "3", "4"]], 4)


def test_without_header_columns_are_numbered_and_told():
    found = names([["1", "2"], ["3", "4"]], 2)
    assert found.names == ("column_1", "column_2")
    assert found.notes[0][2] == "read.names"


def test_given_names_skip_a_header_that_equals_them():
    assert names([["a", "b"], ["x", "y"]], 2, names=("a", "b")).n_header_rows == 1
    assert names([["1", "2"], ["3", "4"]], 2, names=("a", "b")).n_header_rows == 0


def test_a_wrong_number_of_given_names_is_an_error():
    with pytest.raises(UserError, match=r"read.names holds 1 name, the rows have 2 cells"):
        names([["1", "2"]], 2, names=("a",))


def test_row_names_get_a_name():
    found = names([["x", "y"], ["r1", "1", "2"], ["r2", "3", "4"]], 3)
    assert found.names == ("row_name", "x", "y")


def test_a_separator_at_the_end_of_rows_is_no_column():
    found = names([["a", "b"], ["1", "2", ""], ["3", "4", ""]], 3)
    assert found.names == ("a", "b")
    assert found.notes[0][0] == "empty last cell dropped"


def test_a_header_that_does_not_fit_is_an_error():
    with pytest.raises(UserError, match="the header has 2 cells"):
        names([["a", "b"], ["1", "2", "3", "4"]], 4)


def test_a_forced_header_is_obeyed():
    assert names([["1", "2"], ["3", "4"]], 2, header=True).names == ("1", "2")
    assert names([["a", "b"], ["3", "4"]], 2, header=False).n_header_rows == 0


@pytest.mark.parametrize(
    "first", [["1.5", "2.5"], ["2020-01-01", "2020-01-02"], ["r", "r"], ["", "r"]]
)
def test_a_header_short_of_a_separator_is_no_header_of_row_names(first):
    rows = [["xy", "z"], *[[cell, "1", "u"] for cell in first]]
    with pytest.raises(UserError, match=r"the header has 2 cells .*, most rows have 3"):
        names(rows, 3)


@pytest.mark.parametrize("first", [["1", "2"], ["Ann", "Bob"]])
def test_rows_may_have_names_that_all_differ(first):
    assert names([["x", "y"], *[[cell, "1", "2"] for cell in first]], 3).names[0] == "row_name"


def test_many_empty_names_are_told_in_one_sentence():
    found = names([["a", *[""] * 500, "z"], *[["1"] * 502] * 2], 502)
    assert found.names[500] == "column_501"
    assert len(found.notes) == 101
    assert found.notes[-1][0] == "400 more columns named by number"


def test_a_header_in_a_comment_is_used_where_the_first_row_is_data():
    found = find_names([["1", "2"], ["3", "4"]], ["a", "b"], ReadRecipe(), n_cells=2, where="x.csv")
    assert (found.names, found.n_header_rows) == (("a", "b"), 0)
    assert found.notes[0][0] == "header found in a comment"


def test_given_names_leave_out_the_cell_behind_the_last_separator():
    found = names([["1", "2", ""], ["3", "4", " "]], 3, names=("a", "b"))
    assert found.names == ("a", "b")
    assert found.notes[0][0] == "empty last cell dropped"


def test_a_separator_behind_the_last_name_names_no_column():
    assert names([["a", "b", ""], ["1", "2"], ["3", "4"]], 2).names == ("a", "b")
    assert names([["a", "b", ""], ["1", "2", ""], ["3", "4", ""]], 3).names == ("a", "b")


def test_a_first_name_that_is_empty_as_pandas_writes_it_is_numbered_and_told():
    found = names([["", "a", "b"], ["0", "1.5", "x"], ["1", "2.5", "y"]], 3)
    assert found.names == ("column_1", "a", "b")
    assert [what for what, _, _ in found.notes] == ["column named column_1"]
