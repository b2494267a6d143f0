"""What stands before a table is told apart from its header."""

import pytest

from assay.read.lines import Record
from assay.read.preamble import count_titles, leading_comments, note_of, separator_line


def count(rows, n_cells):
    records = [Record(line, row) for line, row in enumerate(rows, start=1)]
    return count_titles(records, n_cells)


DATA = [["a", "b", "c"], ["1", "2", "x"], ["3", "4", "y"]]


@pytest.mark.parametrize(
    ("titles", "expected"),
    [
        ([], 0),
        ([["Sales"]], 1),
        ([["Sales"], ["of 2020"]], 2),
        ([["Sales", "of 2020"]], 1),
        ([["Sales", "", ""]], 1),
        ([["Sales", "", "", ""]], 1),
        ([["k", "1"], ["l", "2"]], 2),
        ([None], 1),
    ],
)
def test_titles_are_counted(titles, expected):
    assert count([*titles, *DATA], 3) == expected


def test_a_header_shorter_than_its_rows_is_no_title():
    assert count([["x", "y"], ["r1", "1", "2"], ["r2", "3", "4"]], 3) == 0
    assert count([["x", "y"], ["1", "2", "3", "4"], ["5", "6", "7", "8"]], 4) == 0


def test_words_below_a_short_header_are_rows_with_names():
    assert count([["x", "y"], ["r1", "red", "big"], ["r2", "blue", "huge"]], 3) == 0


def test_one_cell_above_words_is_a_title():
    words = [["colour", "size", "stuff"], ["red", "big", "wood"], ["blue", "huge", "steel"]]
    assert count([["Sales", "", ""], *words], 3) == 1
    assert count([["Sales", "of", ""], *words], 3) == 0


def test_units_below_a_header_make_it_no_title():
    assert count([["a", "b", "c"], ["(kg)", "(m)", "(s)"], ["1", "2", "3"]], 3) == 0


def test_a_sparse_first_row_above_no_header_stays():
    assert count([["a", "", ""], ["1", "2", "3"], ["4", "5", "6"]], 3) == 0
    assert count([["a", "", ""], ["1", "2"]], 3) == 0


def test_titles_alone_are_no_preamble():
    assert count([["Sales"]] * 60, 3) == 0
    assert count([["Sales"]], 1) == 0


def test_a_title_with_an_open_quote_is_shown_as_it_stands():
    _, why, _ = note_of(Record(3, None, 'made by "tool\n'))
    assert why == "line 3 stands before the table: 'made by \"tool'"


def test_comments_end_where_another_line_begins():
    lines = ["# a\n", "\n", "// b\n", "x\n", "# c\n"]
    assert leading_comments(lines, 0, "auto") == (3, "//")
    assert leading_comments(lines, 0, "none") == (0, "")
    assert leading_comments(["x\n"], 0, ";") == (0, ";")


def test_a_hint_is_one_character():
    assert separator_line(["sep=\t\r\n"]) == ("\t", 1)
    assert separator_line(["sep=ab\n"]) == ("", 0)
    assert separator_line([]) == ("", 0)
