"""Plain text that lines up, whatever the names are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.cli.layout import counted, cut, cut_apart, figure, listing, n_cells, ranged, style, table

anything = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)


@given(anything, st.integers(3, 40))
def test_cut_never_takes_more_cells_than_it_may(text, cells):
    assert n_cells(cut(text, cells)) <= cells
    assert cut(text, cells).isprintable()


@pytest.mark.parametrize("names", [
    ["build wind float", "build wind non-float", "vehic wind float"],
    ["Curricular units 1st sem (credited)", "Curricular units 2nd sem (credited)"],
    ["a" * 40 + end for end in ("1x" * 9, "2x" * 9, "2y" * 9, "2y" * 8 + "z" * 2)],
    ["東京" * 20 + "一", "東京" * 20 + "二"],
    ["non-smoker", "non-smoker, former non-smoker"],
])  # fmt: skip
def test_names_that_differ_look_different(names):
    for cells in (8, 28):
        shown = cut_apart(names, cells)
        assert len(set(shown)) == len(names)
        assert max(map(n_cells, shown)) <= cells


def test_names_that_cannot_be_told_apart_stay_within_their_room():
    names = ["a" * idx + "b" * (200 - idx) for idx in range(200)]
    assert all(n_cells(name) <= 16 for name in cut_apart(names, 16))


def test_names_are_cut_as_ever_where_that_tells_them_apart():
    names = ["a_rather_long_name", "another_long_name", "a_rather_long_name"]
    assert cut_apart(names, 9) == [cut(name, 9) for name in names]


def test_cut_keeps_both_ends_and_leaves_short_text_alone():
    assert cut("short", 9) == "short"
    assert cut("beginning_and_end", 9) == "begi…_end"
    assert cut("東京特許許可局長今急遽休暇", 9) == "東京…休暇"


@given(st.lists(st.tuples(anything, anything), min_size=1, max_size=6))
def test_columns_line_up_for_any_names(rows):
    cells = [[cut(one), cut(two) or "-"] for one, two in rows]
    lines = table(cells, indent="")
    width = max(n_cells(one) for one, _ in cells)
    for line, (one, two) in zip(lines, cells, strict=True):
        assert line == (one + " " * (width - n_cells(one)) + "  " + two).rstrip()


def test_numbers_stand_to_the_right():
    assert table([["a", "5"], ["b", "120"]], numbers=[1], indent="") == ["a    5", "b  120"]


def test_empty_table_has_no_lines():
    assert table([]) == []


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.500"), (1.0, "1.000"), (0.12345, "0.123"), (None, "–")]
)
def test_figures_have_three_decimals(value, text):
    assert figure(value) == text


def test_undefined_score_is_a_dash():
    assert ranged({"estimate": None, "low": None, "high": None}) == "–"
    assert ranged(None) == "–"


def test_listing_tells_how_many_are_hidden():
    assert listing([str(idx) for idx in range(15)]).endswith("11 and 3 more")


def test_counts_agree_with_their_noun():
    assert [counted(1, "class"), counted(2, "class"), counted(2, "epoch"), counted(0, "row")] == [
        "1 class",
        "2 classes",
        "2 epochs",
        "0 rows",
    ]


def test_style_is_off_without_a_terminal():
    assert style("plain", bold=True) == "plain"
