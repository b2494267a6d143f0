"""Separators, quotes and comments are found by consistency."""

import pytest

from assay.errors import UserError
from assay.options import ReadRecipe
from assay.read.dialect import detect_dialect

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
