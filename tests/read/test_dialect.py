"""Separators, quotes and comments are found by consistency."""

import time

import pytest

from assay.errors import UserError
from assay.options import ReadRecipe
from assay.read.dialect import _cell_score, detect_dialect
from assay.read.header import looks_like_header
from assay.read.lines import Grammar, join_blanks, split_line

ROWS = [
    ["when", "item", "price", "note"],
    ["2020-01-01", "mug, large", "1.50", "ok"],
    ["2020-01-02", 'disk "B"', "12.00", ""],
    ["2020-01-03", "pen; blue", "0.99", "see a|b"],
]


def write(separator: str, quote: str = '"') -> str:
    def cell(text: str) -> str:
        special = separator in text or quote in text or not text
        return quote + text.replace(quote, quote * 2) + quote if special else text

    return "".join(separator.join(map(cell, row)) + "\n" for row in ROWS)


def detect(text: str, **options):
    return detect_dialect(text, ReadRecipe(**options), where="x.csv")


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "^", "~", ":", " "])
def test_each_separator_and_quote_is_found(separator, quote):
    dialect = detect(write(separator, quote))
    assert dialect.names == tuple(ROWS[0])
    assert (dialect.grammar.separator, dialect.n_cells) == (separator, 4)


def test_decimal_commas_do_not_hide_the_semicolon():
    dialect = detect("a;b;c\n1,5;2,5;3,5\n4,5;5,5;6,5\n")
    assert dialect.grammar.separator == ";"


def test_times_do_not_hide_the_comma():
    dialect = detect("t,v\n2020-01-01 10:00:00,3\n2020-01-01 10:05:00,4\n")
    assert (dialect.grammar.separator, dialect.n_cells) == (",", 2)


def test_backslash_escapes_are_found():
    assert detect('a,b\n"x \\"y\\", z",1\n"w",2\n').grammar.escape == "\\"


def test_spaces_before_quotes_are_skipped():
    assert detect('a, b\n1, "x, y"\n2, "z"\n').grammar.skip_space


def test_an_apostrophe_is_no_quote():
    dialect = detect("name,n\nO'Hara,1\nD'Arcy,2\nRock 'n' Roll,3\n")
    assert dialect.grammar.quote == '"'


def test_a_separator_hint_of_a_spreadsheet_is_obeyed():
    dialect = detect("sep=;\na;b\n1;2\n")
    assert (dialect.names, dialect.first_line) == (("a", "b"), 3)


def test_comments_at_the_start_are_skipped_and_told():
    dialect = detect("# made by x\n# on monday\na,b\n1,2\n")
    assert (dialect.names, dialect.first_line) == (("a", "b"), 4)
    assert any(what == "2 lines skipped at the start" for what, _, _ in dialect.notes)


def test_a_title_before_the_table_is_set_aside_and_told():
    dialect = detect("Sales of 2020\n\nname,n,price\nmug,1,2.5\npen,2,3.5\n")
    assert dialect.names == ("name", "n", "price")
    assert any("Sales of 2020" in why for _, why, _ in dialect.notes)


def test_the_recipe_wins_over_detection():
    dialect = detect("a;b,c\n1;2,3\n", separator=";")
    assert dialect.names == ("a", "b,c")


def test_only_a_header_is_an_error():
    with pytest.raises(UserError, match="only a header and no row"):
        detect("a,b,c\n")


def test_ragged_rows_do_not_change_the_width():
    lines = ["a,b,c"] + ["1,2,3"] * 20 + ["1,2", "1,2,3,4,5"] * 3
    assert detect("\n".join(lines) + "\n").n_cells == 3


@pytest.mark.parametrize("text", ["a\tb\n1\t2\n3\t4\n", "a;b\n1;'x;y'\n2;z\n", "a,b\n1,2\n"])
def test_a_format_that_fits_every_row_is_not_told(text):
    assert detect(text).notes == ()


def test_a_format_that_does_not_fit_every_row_is_told_with_counts():
    dialect = detect("a\tb\n" + "1\t2\n" * 20 + "3\n")
    ((what, why, undo),) = dialect.notes
    assert (what, undo) == ("text format detected", "read.separator")
    assert "give 2 cells in 20 of 21 sampled rows" in why
    assert "%" not in why


def test_unclosed_quotes_in_tabbed_text_are_text():
    text = 'ham\tGo there, now\nspam\tWin "cash"\nham\t"I am in\nham\tok, fine\n'
    dialect = detect(text)
    assert (dialect.grammar.separator, dialect.n_cells) == ("\t", 2)


def test_quotes_inside_quoted_cells_speak_for_the_quote():
    rows = "".join(
        f'{at}|said ""no""|x\n'.replace("said", '"said').replace('"|x', '""|x') for at in range(30)
    )
    dialect = detect("n|what|z\n" + rows + "7|'a'|y\n")
    assert dialect.grammar == Grammar(separator="|")


@pytest.mark.parametrize("mark", ["||", ";;", "::", "\t\t"])
def test_two_separators_alike_are_one(mark):
    text = mark.join("abc") + "\n" + (mark.join(("1", "x y", "")) + "\n") * 3
    dialect = detect(text)
    assert (dialect.grammar.separator, dialect.names) == (mark, ("a", "b", "c"))


def test_one_long_line_does_not_choose_the_separator():
    text = "a,b\n" + "1,2\n" * 30 + "3," + "x;y;" * 50_000 + "\n"
    assert detect(text).grammar.separator == ","


@pytest.mark.parametrize("header", ['"day,price,ware', 'day,"price,ware', '"day,price'])
def test_an_open_quote_in_the_header_is_an_error_not_a_title(header):
    with pytest.raises(UserError, match=r"x.csv, line 1: the first row holds a quote that never"):
        detect(header + "\n" + '2020-01-01,1.5,"mug, large"\n' * 5)


@pytest.mark.parametrize(("cell", "flaw"), [("\0", "NUL byte"), ("\udce9", "not UTF-8")])
def test_a_header_that_is_no_text_is_an_error(cell, flaw):
    with pytest.raises(UserError, match=f"line 1: the first row holds .* {flaw}"):
        detect(f"a{cell},b\n1,2\n")


def test_more_columns_than_the_cap_are_refused_at_once():
    with pytest.raises(UserError, match=r"read.max_columns = 12"):
        detect(",".join("abcdefghijkl") + "\n" + "1," * 11 + "1\n", max_columns=11)


def test_an_error_shows_a_little_of_a_long_header():
    with pytest.raises(UserError, match="only a header") as caught:
        detect("x" * 100_000 + ",b\n")
    assert len(str(caught.value)) < 400


def test_a_first_line_of_comments_only_in_the_recipe_leaves_no_rows():
    with pytest.raises(UserError, match="no rows"):
        detect(" ;a,b\n;1,2\n", comment=";")
    with pytest.raises(UserError, match="no rows"):
        detect('";a",b\n";1",2\n', comment=";")


LONG = 50_000


def test_a_quote_set_in_the_recipe_is_the_only_one_tried():
    assert detect("a,b\n'1,5',2\n'2,5',3\n", quote="'").grammar.quote == "'"


@pytest.mark.attack
@pytest.mark.parametrize(
    "cell",
    [
        "1" + " " * LONG + "x",
        " " * LONG + "x",
        "1" * LONG + "x",
        "1," * LONG + "x",
        "1.000" * LONG,
        "1-1-1T" + "1:" * LONG,
        "$" + " " * LONG + "$",
        "," * LONG,
        "'" * LONG,
        '"' * LONG,
        '""' * LONG + "x",
        '" ' * LONG,
        "\\" * LONG,
        ". " * LONG,
        "e1" * LONG,
        "+" * LONG,
    ],
    ids=lambda cell: repr(cell[:6]),
)
def test_long_cells_cost_linear_time(cell):
    # The patterns alone took minutes for some of these; the figures are of a whole detection.
    started = time.process_time()
    cells = [cell, f'"{cell}']
    for one in cells:
        _cell_score(one, Grammar())
        looks_like_header([one, "a"], [[one, "1"]])
        split_line(one, Grammar())
        split_line(one, Grammar(skip_space=True))
        join_blanks(one + "\n", '"')
        join_blanks(one + "\n", '"', is_open=True)
    assert time.process_time() - started < 0.1 * 6 * len(cells)


@pytest.mark.parametrize(
    "text",
    [
        '"a",zz,y\n# c\n"q",1,x\n',
        '"a";zz;y\n// c d\n"q";1;x\n',
        '"a",zz,y\n"q",1,x\n# two words\n',
        "'a',zz,y\n# c\n'q',1,x\n",
    ],
)
def test_a_quote_before_a_separator_ends_no_cell_between_blanks(text):
    assert len(detect_dialect(text, ReadRecipe(), where="a.csv").names) == 3


def test_a_quoted_cell_between_blanks_ends_before_a_blank():
    assert join_blanks('"a b",c "d ""e"" f"\n', '"') == '"a\x1fb",c\x1f"d ""e"" f"\n'
    assert join_blanks('x "open to the\n', '"') == 'x\x1f"open to the\n'
