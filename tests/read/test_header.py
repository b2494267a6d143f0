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
