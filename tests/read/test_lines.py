"""Records out of lines: quotes, line numbers, recovery."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.read import lines
from assay.read.lines import Grammar, iter_records, physical_lines, split_line

cells = st.text(st.sampled_from('ab1 ,"\n;'), max_size=6)
rows = st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=8)


def parse(text: str, n_cells: int | None = None, grammar: Grammar | None = None):
    return list(iter_records(physical_lines(text), grammar or Grammar(), n_cells=n_cells))


@settings(max_examples=300, deadline=None)
@given(rows)
def test_what_the_csv_writer_writes_comes_back(table):
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows(table)
    assert [record.cells for record in parse(buffer.getvalue(), 3)] == table


def test_a_quoted_newline_keeps_the_row_and_the_line_number():
    records = parse('a,"x\ny\nz"\nb,c\n', 2)
    assert [(r.line, r.cells) for r in records] == [(1, ["a", "x\ny\nz"]), (4, ["b", "c"])]


def test_an_unclosed_quote_costs_its_own_line_only():
    records = parse('1,2\n3,"4\n5,6\n7,8\n', 2)
    assert [r.cells for r in records] == [["1", "2"], None, ["5", "6"], ["7", "8"]]
    assert [r.line for r in records] == [1, 2, 3, 4]


def test_a_stray_quote_that_meets_a_later_one_does_not_swallow_rows():
    records = parse('1,"2,3\n4,5,6\n7,"8",9\n', 3)
    assert [r.cells for r in records] == [None, ["4", "5", "6"], ["7", "8", "9"]]


def test_an_inner_quote_that_is_not_doubled_stays():
    (record,) = parse('1,"a "big" dog",2\n', 3)
    assert record.cells == ["1", 'a "big" dog', "2"]
    assert not record.is_clean


def test_all_line_ends_end_lines():
    assert [r.cells for r in parse("a,b\rc,d\r\ne,f\ng,h", 2)] == [
        ["a", "b"],
        ["c", "d"],
        ["e", "f"],
        ["g", "h"],
    ]


def test_blank_lines_are_skipped():
    assert [r.line for r in parse("a,b\n\n  \nc,d\n\n", 2)] == [1, 4]


def test_runs_of_blanks_separate_once():
    records = parse('  1  2\t3\n4 "5 6"  7 \n', 3, Grammar(separator=" "))
    assert [r.cells for r in records] == [["1", "2", "3"], ["4", "5 6", "7"]]


def test_a_cell_of_ten_million_characters_is_read():
    big = "x" * 10_000_000
    (record,) = parse(f'1,"{big}"\n', 2)
    assert record.cells == ["1", big]


def test_many_stray_quotes_stay_linear():
    text = "".join(f'{i},"x,""\n' for i in range(3000))
    assert len(parse(text, 2)) >= 1


def test_split_line_reads_doubled_quotes():
    assert split_line('"a ""b"" c","",""""', Grammar()) == ['a "b" c', "", '"']


def test_a_quoted_cell_among_blanks_keeps_its_lines():
    grammar = Grammar(separator=" ")
    records = parse('1 "two  spaces\nand  lines" x\n2 "y" z\n', 3, grammar)
    assert [r.cells for r in records] == [["1", "two  spaces\nand  lines", "x"], ["2", "y", "z"]]


def test_a_stray_quote_among_blanks_costs_its_own_line_only():
    records = parse('1 "2 3\n4 "5  6" 7\n8 9 10\n', 3, Grammar(separator=" "))
    assert [r.cells for r in records] == [None, ["4", "5  6", "7"], ["8", "9", "10"]]
    assert records[0].text == '1 "2 3\n'


def test_two_separators_alike_end_a_cell_once():
    grammar = Grammar(separator="||")
    records = parse('a||"b||c"||d\n1||2||3\n', 3, grammar)
    assert [r.cells for r in records] == [["a", "b||c", "d"], ["1", "2", "3"]]
    assert split_line('a||"b||c"||d', grammar) == ["a", "b||c", "d"]


def test_spaces_around_quoted_cells_are_no_text():
    records = parse('1 , "x, y" , 2\n3, "z "" w" ,4\n', 3, Grammar(skip_space=True))
    assert [r.cells for r in records] == [["1 ", "x, y", "2"], ["3", 'z " w', "4"]]
    assert all(record.is_clean for record in records)


@pytest.mark.parametrize("quote", ["^", "]", "\\", "-"])
def test_any_character_may_be_the_quote(quote):
    grammar = Grammar(separator=" ", quote=quote)
    (record,) = parse(f"1 {quote}x y{quote} 2\n", 3, grammar)
    assert record.cells == ["1", "x y", "2"]


def test_rows_inside_a_torn_cell_come_back():
    records = parse('1,"2\n3,4,5\n6",7,8\n', 3)
    assert [r.cells for r in records] == [None, ["3", "4", "5"], ['6"', "7", "8"]]


def test_a_row_of_several_lines_may_have_cells_too_many():
    (record,) = parse('1,"2\n3",4,5,6\n', 3)
    assert record.cells == ["1", "2\n3", "4", "5", "6"]
    assert record.text == '1,"2\n3",4,5,6\n'


def test_no_line_is_read_again_more_than_once_on_average(monkeypatch):
    takes = []
    original = lines._Feed.__next__
    monkeypatch.setattr(lines._Feed, "__next__", lambda feed: takes.append(1) or original(feed))
    for line in ('x,"y\n', 'x,"y""\n', 'x,"""\n', '"x,y\n', 'x,"y\n1,2\n1,2\n', 'x,"y\nz""\n'):
        takes.clear()
        n_lines = (line * 400).count("\n")
        list(iter_records(physical_lines(line * 400), Grammar(), n_cells=2))
        assert len(takes) <= 2 * n_lines + 2
