"""Delimited text keeps every row that fits and lists every other."""

import random

import polars as pl
import pytest

from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read import delimited
from assay.read.content import Content, from_bytes
from assay.read.delimited import read_delimited


def read(text: str | bytes, ledger: Ledger | None = None, **options) -> pl.DataFrame:
    data = text.encode() if isinstance(text, str) else text
    recipe = ReadRecipe(**options)
    return read_delimited(
        from_bytes(data, "x.csv"), recipe, Ledger() if ledger is None else ledger
    ).frame


def test_cells_are_verbatim_text():
    frame = read('a,b,c\n 1,"x, y",\n002,"say ""hi""",NA\n')
    assert frame.rows() == [(" 1", "x, y", ""), ("002", 'say "hi"', "NA")]
    assert set(frame.dtypes) == {pl.String}


def test_a_quoted_newline_keeps_the_row():
    assert read('a,b\n1,"x\ny"\n2,z\n').rows() == [("1", "x\ny"), ("2", "z")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_each_line_end_gives_the_same_rows(end):
    assert read(end.join(["a,b", "1,2", "3,4", ""])).rows() == [("1", "2"), ("3", "4")]


def test_short_and_long_rows_are_set_aside_with_line_and_text():
    ledger = Ledger()
    text = "a,b,c\n" + "1,2,3\n" * 8 + "4,5\n6,7,8,9\n"
    assert read(text, ledger, max_bad_rows=0.25).height == 8
    entries = [entry for entry in ledger if entry.what == "row set aside"]
    assert [entry.where for entry in entries] == ["x.csv, line 10", "x.csv, line 11"]
    assert "2 cells where 3 are expected: '4,5'" in entries[0].why


def test_too_many_bad_rows_are_an_error_that_names_the_option():
    with pytest.raises(UserError, match=r"line 3: 2 cells where 3 .*read.max_bad_rows = 0.334"):
        read("a,b,c\n1,2,3\n4,5\n7,8,9\n")


@pytest.mark.parametrize("text", ["a,b,c\n1,2\n", "a,b\n1,2\n" + "3\n" * 3000])
def test_no_share_is_offered_where_none_would_do(text):
    with pytest.raises(UserError, match=r"cells? where .* Correct .* read\.separator") as caught:
        read(text, separator=",")
    assert "max_bad_rows" not in str(caught.value)


def test_the_offered_share_is_enough():
    assert read("a,b,c\n1,2,3\n4,5\n7,8,9\n", max_bad_rows=0.334).height == 2


def test_the_listing_is_capped_and_counted():
    ledger = Ledger()
    read("a,b,c\n" + "1,2,3\n" * 200 + "4,5\n" * 150, ledger, max_bad_rows=0.5)
    assert sum(entry.what == "row set aside" for entry in ledger) == delimited.MAX_LISTED_ROWS
    assert any(entry.what == "50 more rows set aside" for entry in ledger)


def test_polars_padding_never_passes(monkeypatch):
    # One short row and one comma in quotes: the sums must not cancel out.
    text = 'a,b,c\n1,2,3\n4,5\n"x,y",8,9\n'
    with pytest.raises(UserError, match="line 3"):
        read(text)
    assert read(text, max_bad_rows=0.5).rows() == [("1", "2", "3"), ("x,y", "8", "9")]


def test_the_fast_and_the_careful_way_agree(monkeypatch):
    rng = random.Random(0)
    words = ["", "x", "1.5", "a,b", 'q"q', "two\nlines", " padded ", "ünï"]
    rows = [[rng.choice(words) for _ in range(4)] for _ in range(300)]

    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    text = "a,b,c,d\n" + "".join(",".join(map(cell, row)) + "\n" for row in rows)
    fast = read(text)
    monkeypatch.setattr(delimited, "_read_fast", lambda *_: None)
    assert fast.equals(read(text))
    assert fast.rows() == [tuple(row) for row in rows]


def test_every_clean_row_survives_one_polluted_row():
    # The operators of row pollution: a separator less or more, a quote
    # anywhere, another separator. All other rows must come back exactly.
    rng = random.Random(1)
    words = ["mug", "disk, big", 'a "B" c', "", "late, but ok"]
    rows = [
        [f"{i}", f"{rng.random():.3f}", rng.choice(words), f"2020-01-{i % 28 + 1:02d}", "end"]
        for i in range(60)
    ]

    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text

    written = [[cell(text) for text in row] for row in rows]
    for at in range(0, 60, 7):
        for column in range(5):
            original = written[at]
            left, here, right = original[:column], original[column], original[column + 1 :]
            middle = len(here) // 2
            for bad in (
                [*left, here + ",", *right],
                [*left, '"' + here, *right],
                [*left, here + '"', *right],
                [*left, here[:middle] + '"' + here[middle:], *right],
                [*left, here + ";" + "".join(right[:1]), *right[1:]],
            ):
                lines = [",".join(bad if k == at else row) for k, row in enumerate(written)]
                frame = read("id,x,item,day,z\n" + "\n".join(lines) + "\n", max_bad_rows=0.1)
                kept = set(frame.rows())
                assert frame.width == 5
                assert all(tuple(row) in kept for k, row in enumerate(rows) if k != at)


def test_comments_between_rows_are_skipped_and_counted():
    ledger = Ledger()
    assert read("# head\na,b\n1,2\n# mid\n3,4\n", ledger).height == 2
    assert any(entry.what == "1 comment line skipped" for entry in ledger)


@pytest.mark.parametrize(
    "text",
    ["a,b\n", "a,b", 'a,"b\nc"\n', "a,b\n\n  \n", "# made today\na,b\n", "Sales\na,b\n", "a;b\r\n"],
)
def test_only_a_header_gives_no_rows_where_that_is_allowed(text):
    with pytest.raises(UserError, match="only a header and no row"):
        read(text)
    content = from_bytes(text.encode(), "x.csv")
    frame = read_delimited(content, ReadRecipe(), Ledger(), allow_empty=True).frame
    assert (frame.height, frame.width) == (0, 2)
    assert frame.columns[0] == "a"
    assert set(frame.dtypes) == {pl.String}


def test_one_row_of_words_is_no_header_where_the_recipe_names_other_columns():
    content = from_bytes(b"red,small\n", "x.csv")
    recipe = ReadRecipe(names=("colour", "size"))
    with pytest.raises(UserError, match="only a header"):
        read_delimited(content, recipe, Ledger(), allow_empty=True)


def test_rows_far_below_the_header_are_found(monkeypatch):
    monkeypatch.setattr(delimited, "_SAMPLE_BYTES", 32)
    monkeypatch.setattr(delimited, "_MAX_SAMPLE_BYTES", 33)
    content = from_bytes(b"a,b\n" + b"\n" * 100 + b"1,2\n", "x.csv")
    frame = read_delimited(content, ReadRecipe(), Ledger(), allow_empty=True).frame
    assert frame.rows() == [("1", "2")]


def test_a_cell_that_starts_like_a_comment_stays():
    text = "# head\ntag,n\nx,1\n#N/A,2\n"
    assert read(text).rows() == [("x", "1"), ("#N/A", "2")]


def test_a_forced_comment_character_is_obeyed():
    assert read("a,b\n1,2\n;x,y\n3,4\n", comment=";").rows() == [("1", "2"), ("3", "4")]


def test_a_separator_at_the_end_of_each_row_adds_no_column():
    ledger = Ledger()
    assert read("a,b\n1,2,\n3,4,\n", ledger).rows() == [("1", "2"), ("3", "4")]
    assert any(entry.what == "empty last cell dropped" for entry in ledger)


def test_text_after_the_last_separator_is_not_lost_silently():
    text = "a,b\n" + "1,2,\n" * 1200 + "3,4,oops\n"
    with pytest.raises(UserError, match=r"data row 1201 has text 'oops'"):
        read(text)


def test_a_table_of_ten_thousand_columns_is_read():
    names = [f"c{i}" for i in range(10_000)]
    frame = read(",".join(names) + "\n" + (",".join(["1"] * 10_000) + "\n") * 3)
    assert frame.shape == (3, 10_000)


def test_a_path_with_wildcards_is_one_file(tmp_path):
    path = tmp_path / "a[1]*.csv"
    path.write_text("a,b\n1,2\n")
    content = Content(name=path.name, path=path)
    assert read_delimited(content, ReadRecipe(), Ledger()).frame.rows() == [("1", "2")]


def test_latin_1_is_read_and_told():
    ledger = Ledger()
    assert read("a,b\nété,2\n".encode("latin-1"), ledger).rows() == [("été", "2")]
    assert any("cp1252" in entry.what for entry in ledger)


@pytest.mark.parametrize(("flaw", "why"), [(b"\0", "a NUL byte"), (b"\xe9", "not UTF-8")])
def test_a_row_that_is_no_text_is_set_aside_and_listed(flaw, why):
    ledger = Ledger()
    data = b"a,b\n" + "é,2\n".encode() * 150 + b"3," + flaw + b"4\n" + b"5,6\n"
    frame = read(data, ledger)
    assert frame.height == 151
    assert frame.row(0) == ("é", "2")
    (entry,) = [entry for entry in ledger if entry.what == "row set aside"]
    assert entry.where == "x.csv, line 152"
    assert why in entry.why
    entry.why.encode()


def test_half_a_character_at_the_end_is_not_lost_silently():
    ledger = Ledger()
    frame = read(b"a,b\n" + "é,2\n".encode() * 150 + b"3,\xe2\x82", ledger)
    assert frame.height == 150
    assert any(entry.where == "x.csv, line 152" for entry in ledger)


def test_many_rows_that_are_no_text_are_an_error():
    with pytest.raises(UserError, match=r"x.csv, line 3: a NUL byte: '3,\\x004'; 1 of 3 rows"):
        read(b"a,b\n1,2\n3,\x004\n5,6\n")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("is_careful", [False, True])
def test_a_header_that_comes_again_is_no_row(mark, is_careful):
    ledger = Ledger()
    table = "word,other\nx,1\ny,2\n"
    text = table + mark + table + ("1,2,3\n" if is_careful else "")
    frame = read(text, ledger, max_bad_rows=0.5)
    assert frame.rows() == [("x", "1"), ("y", "2")] * 2
    (entry,) = [entry for entry in ledger if "repeats the header" in entry.why]
    assert entry.where == "x.csv, line 4"


def test_headers_again_and_again_are_listed_up_to_a_hundred():
    ledger = Ledger()
    assert read("a,b\n" + ("1,2\n" * 20 + "a,b\n") * 130, ledger).height == 2600
    told = [entry for entry in ledger if "header" in entry.why]
    assert len(told) == delimited.MAX_LISTED_ROWS + 1
    assert told[-1].what == "30 more lines set aside"


def test_a_row_of_numbers_that_equals_the_header_is_a_row():
    text = "0,1,2\n" + "5.5,6,7\n" * 5 + "0,1,2\n"
    assert read(text, header=True).height == 6


def test_the_first_cell_of_a_header_may_come_again():
    assert read("kind,n\nkind,1\nx,2\nkind,3\n").height == 3


def test_two_separators_alike_are_read():
    assert read('a||b||c\n1||"x||y"||\n2||z||w\n').rows() == [("1", "x||y", ""), ("2", "z", "w")]


def test_a_lone_return_inside_a_row_costs_that_row():
    text = "a,b\n" + "1,2\n" * 200 + "3\r4,5\n"
    frame = read(text, ledger := Ledger())
    assert frame.height == 201
    assert any(entry.where == "x.csv, line 202" for entry in ledger)


def test_marks_of_several_bytes_are_read_too():
    assert read("a§b\n1§2\n", separator="§").rows() == [("1", "2")]
    assert read("a,b\n«1,5«,2\n", quote="«").rows() == [("1,5", "2")]


def test_a_quote_left_in_a_cell_of_several_lines_is_read_carefully():
    assert read('a,b\n1,"x\n""y"""\n2,z\n').rows() == [("1", 'x\n"y"'), ("2", "z")]


def test_a_long_file_is_read_in_batches(monkeypatch):
    monkeypatch.setattr(delimited, "_BATCH_ROWS", 10)
    for n_rows in (90, 95):
        frame = read("a,b\n" + "1,2\n" * n_rows + "3\n", max_bad_rows=0.1)
        assert frame.height == n_rows


def test_headers_alone_are_no_rows():
    with pytest.raises(UserError, match="there is a header but no row"):
        read("a,b\na,b\n", header=True)


def test_blank_lines_behind_the_sample_are_no_rows(monkeypatch):
    monkeypatch.setattr(delimited, "_SAMPLE_BYTES", 8)
    monkeypatch.setattr(delimited, "_MAX_SAMPLE_BYTES", 9)
    content = from_bytes(b"a,b\n\n\n\n\n\n\n  \n", "x.csv")
    with pytest.raises(UserError, match="header"):
        read_delimited(content, ReadRecipe(), Ledger())
