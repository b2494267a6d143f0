"""Bounds of expressions: what could take all memory is refused before it runs."""

import time

import polars as pl
import pytest

from assay.derive import check_growth, derive
from assay.errors import UserError
from assay.sql_bounds import MAX_ALL_GROWTH, MAX_GROWTH, MAX_LETTERS, Growth, expanded_size
from assay.table import Table


def nested(pattern: str, depth: int) -> str:
    sql = "a"
    for _ in range(depth):
        sql = pattern.format(sql)
    return sql


BOMB = nested("REPLACE({}, 'x', 'xxxxxxxxxxxx')", 8)  # 12^8 letters of one
REPEATING = [
    "SPLIT_PART({}, ',', 2)",
    "NULLIF({}, 'x')",
    "LEFT({}, -1)",
    "RIGHT({}, 2)",
    "LPAD('x', {})",
    "({}) BETWEEN 1 AND 2",
    "CASE ({}) WHEN 1 THEN 2 WHEN 3 THEN 4 WHEN 7 THEN 2 END",
    "EXTRACT(epoch FROM {})",
    "DATE_PART('epoch', {})",
    "ARRAY_GET('x', {})",
]


@pytest.mark.attack
@pytest.mark.parametrize("pattern", REPEATING)
def test_constructs_that_repeat_what_they_read_may_not_nest_deep(pattern):
    start_s = time.monotonic()
    with pytest.raises(UserError, match="nests too deeply"):
        check_growth({"bomb": nested(pattern, 60)})
    assert time.monotonic() - start_s < 1.0


@pytest.mark.attack
def test_a_chain_of_between_is_counted_without_brackets():
    with pytest.raises(UserError, match="nests too deeply"):
        check_growth({"bomb": "a" + " BETWEEN 1 AND 2" * 60})


@pytest.mark.parametrize("pattern", REPEATING)
def test_a_few_levels_of_them_pass_the_count(pattern):
    assert expanded_size(nested(pattern, 3).lower()) < 50_000


@pytest.mark.parametrize(
    ("sql", "size"),
    [
        ("", 0),
        ("a between b and c", 5),
        ("a between 1 and 2 or b between 1 and 2", 10),
        ("case when a then b else c end", 5),
        ("case a when 1 then 2 when 3 then 4 end", 8),
        ("nullif(a, b)", 9),
        (")) end", 3),
    ],
)
def test_words_are_counted_as_written_out(sql, size):
    assert expanded_size(sql) == size


def test_many_flat_branches_are_no_bomb():
    sql = "CASE " + " ".join(f"WHEN a = {idx} THEN {idx}" for idx in range(60)) + " END"
    assert derive(Table(pl.DataFrame({"a": [7.0]})), {"b": sql}).frame["b"].to_list() == [7]


@pytest.mark.attack
@pytest.mark.parametrize(
    "expressions",
    [
        {"b": "LPAD(a, 1000000000, 'x')"},
        {"b": "RPAD(a, 1000000000, 'x')"},
        {"b": "LPAD(a, LENGTH(a) * 1000000, 'x')"},
        {"b": "REPLACE(a, 'x', a)"},
        {"b": BOMB},
        {"b": nested("REGEXP_REPLACE({}, '.*', '$0$0$0$0')", 8)},
        {"b": f"{BOMB} = 'y'"},
        {"b": f"CASE WHEN {BOMB} = 'y' THEN 1 END"},
        {"b": f"REPLACE(a, {BOMB}, '')"},
        {"b": "ARRAY_TO_STRING(STRING_TO_ARRAY(a, ','), a)"},
        {f"b{idx}": f"{left} || {left}" for idx in range(12) for left in [f"b{idx - 1}"]}
        | {"b0": "a || a"},
        {f"b{idx}": f"CONCAT({left}, {left})" for idx in range(12) for left in [f"b{idx - 1}"]}
        | {"b0": "CONCAT_WS('--', a, a)"},
    ],
)
def test_text_that_grows_without_bound_is_refused(expressions):
    with pytest.raises(UserError, match="could grow without bound"):
        check_growth(expressions)


@pytest.mark.attack
@pytest.mark.parametrize("operator", ["AND", "OR"])
def test_long_chains_of_conditions_are_refused_before_they_cost_minutes(operator):
    def chain(n_conditions: int) -> str:
        return f" {operator} ".join(["x > 0"] * n_conditions)

    check_growth({"b": chain(100), "c": f"({chain(99)}) = ({chain(99)})"})
    with pytest.raises(UserError, match=r"'b'.*joins 101 conditions.*more than 100.*Write IN"):
        check_growth({"b": chain(101)})
    with pytest.raises(UserError, match="joins 110 conditions"):
        check_growth({"b": f"({chain(60)}) {operator} ({chain(50)})"})


@pytest.mark.attack
def test_all_expressions_together_are_bounded():
    chain = " AND ".join(["x > 0"] * 100)
    with pytest.raises(UserError, match=r"'b\d+'.*together have more than 20000 parts"):
        check_growth({f"b{idx}": chain for idx in range(1000)})
    tenfold = f"REPLACE(a, 'x', '{'x' * 900}')"
    with pytest.raises(UserError, match="together could make too much text"):
        check_growth({f"b{idx}": tenfold for idx in range(1000)})
    with pytest.raises(UserError, match="together could make too much text"):
        check_growth({f"b{idx}": "LPAD(a, 200000, 'x')" for idx in range(6)})
    growth = check_growth({f"b{idx}": tenfold for idx in range(110)})
    assert growth == Growth(902.0 * 110, 900.0 * 110)
    assert growth.factor < MAX_ALL_GROWTH


def test_a_thousand_ordinary_expressions_pass():
    some = ["LN(a + 1)", "a / NULLIF(b, 0)", "COALESCE(c, 'none') || '-' || d", "a > 3 AND b < 2"]
    check_growth({f"b{idx}": some[idx % len(some)] for idx in range(1000)})


def test_too_many_columns_are_refused():
    with pytest.raises(UserError, match="1001 derived columns, more than 1000"):
        check_growth({f"b{idx}": "a" for idx in range(1001)})


@pytest.mark.parametrize(
    ("sql", "growth"),
    [
        ("a + 1", Growth(1.0, 64.0)),
        ("a * 2", Growth(1.0, 128.0)),
        ("a = 'x'", Growth(0.0, 64.0)),
        ("a || 'four'", Growth(1.0, 132.0)),
        ("CONCAT_WS('--', a, b)", Growth(2.0, 4.0)),
        ("COALESCE(a, 'four')", Growth(1.0, 4.0)),
        ("CASE WHEN a = 'x' THEN a ELSE 'four' END", Growth(1.0, 4.0)),
        ("REPLACE(a, 'x', 'four')", Growth(6.0, 4.0)),
        ("STRFTIME(a, '%Y')", Growth(0.0, 192.0)),
    ],
)
def test_growth_of_common_expressions(sql, growth):
    assert check_growth({"b": sql}) == growth


def test_no_expression_makes_more_than_its_bound():
    cells = ["", "x", "x" * 50, "été, x,x,x", "a b c"]
    table = Table(pl.DataFrame({"a": cells}))
    for sql in (
        "a || a || 'yy'",
        "REPLACE(a, 'x', 'four')",
        "REGEXP_REPLACE(a, '.*', '$0$0')",
        "CONCAT_WS(', ', a, a, a)",
        "LPAD(a, 99, 'é')",
        "ARRAY_TO_STRING(STRING_TO_ARRAY(a, 'x'), '--')",
        "UPPER(a)",
        "TRIM(SPLIT_PART(a, ',', 1))",
    ):
        factor, letters = check_growth({"b": sql})
        assert factor <= MAX_GROWTH
        assert letters <= MAX_LETTERS
        for cell, text in zip(cells, derive(table, {"b": sql}).frame["b"], strict=True):
            assert len((text or "").encode()) <= factor * len(cell.encode()) + letters, sql
