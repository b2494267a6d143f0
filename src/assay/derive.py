"""User expressions become columns: a table and SQL in, a wider table out.

An expression reads the cells of its own row and nothing else. That is what makes
a single record and a whole table agree when predicting, and what keeps a column
from carrying the test rows into training. Two checks hold it there:

- The SQL is parsed, never run as a query, and its parsed tree may hold only the
  node and function names listed below. They are those of Polars 2 that look at
  one row. Aggregates, windows, ranks, sub-queries and anything yet unknown are
  refused, because a list of what is allowed fails closed. Polars' own
  `meta.is_row_separable` is no help: it calls `a - AVG(a)` and a rank separable.
- A clock (`NOW()`) and a date format guessed from the cells are refused as well:
  both would make the same record give different columns on different days.

Whole numbers are widened to 64 bits where SQL functions give 8 or 32, because
Polars wraps silently (`EXTRACT(MONTH FROM day) * 100` would be 44 in October).

Reading files is impossible: the parser of an expression knows no table functions.
Memory is bounded as well, for expressions come with model files: see `sql_bounds`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import polars as pl
from polars.exceptions import PanicException, PolarsError

from assay.errors import InternalError, UserError, did_you_mean
from assay.sql_bounds import Bounds, Growth, expanded_size
from assay.table import Table

MAX_EXPRESSION_CHARS = 4_000
"""Longest expression, in characters; a bound on what the parser must recurse into."""

MAX_EXPRESSIONS = 1_000
"""Most derived columns."""

_MAX_EXPANDED = 50_000  # words, once constructs that repeat what they read are written out
_ROW_WISE_NODES = frozenset({"Column", "Literal", "BinaryExpr", "Cast", "Ternary", "Function"})
_ROW_WISE_FAMILIES = frozenset({"ListExpr", "Pow", "StringExpr", "TemporalExpr", "Trigonometry"})
_ROW_WISE_FUNCTIONS = frozenset(
    {
        "Abs", "Atan2", "Ceil", "Clip", "Coalesce", "Exp", "FillNull", "Floor", "Log", "Log1p",
        "MaxHorizontal", "MinHorizontal", "Sign",
        "Boolean.IsFinite", "Boolean.IsIn", "Boolean.IsInfinite", "Boolean.IsNan",
        "Boolean.IsNotNan", "Boolean.IsNotNull", "Boolean.IsNull", "Boolean.Not",
        "Sql.Binary", "Sql.IsIn", "Sql.Round", "Sql.ToFloat",
    }
)  # fmt: skip
_NOT_ROW_WISE_FUNCTIONS = frozenset({"StringExpr.ConcatVertical"})

_INTEGER_FUNCTIONS = frozenset(
    {"ListExpr.Length", "ListExpr.CountMatches"}
    | {f"StringExpr.{name}" for name in ("CountMatches", "Find", "LenBytes", "LenChars")}
    | {
        f"TemporalExpr.{name}"
        for name in (
            "Century", "Day", "Hour", "IsoYear", "Microsecond", "Millennium", "Millisecond",
            "Minute", "Month", "Nanosecond", "OrdinalDay", "Quarter", "Second", "Week",
            "WeekDay", "Year",
        )
    }
)  # fmt: skip
_ARITHMETIC = frozenset(
    {"Plus", "Minus", "Multiply", "RustDivide", "TrueDivide", "FloorDivide", "Modulus"}
)
_NARROW_TYPES = ("Int8", "Int16", "Int32", "UInt8", "UInt16", "UInt32", "UInt64")

# Strings, quoted names and comments: what hides words from a search for words.
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_CLOCK = re.compile(
    r"\b(?:current_(?:date|timestamp|time)|local(?:timestamp|time)|(?:now|today)\s*\()",
    re.IGNORECASE,
)
_CELL_TYPES = "numbers, text, true/false, dates or times"


def derive(table: Table, expressions: Mapping[str, str]) -> Table:
    """Add one column for each expression, in order.

    Expressions are Polars SQL: arithmetic, CASE, CAST, COALESCE, LIKE, IN, TRIM,
    SPLIT_PART and the other functions that look at one row. Names with spaces stand
    in double quotes, text values in single quotes. A later expression may use an
    earlier column.

    Args:
        table: N rows, any N including 0.
        expressions: {name of the new column: SQL expression}.

    Returns:
        The table with the new columns last. Their types follow from the expression
        and the types of the columns it reads, not from the number of rows.

    Raises:
        UserError: The name is taken; the expression does not parse, names a column
            that is not there, looks at more than one row, reads no column, fails on
            a cell, or gives something that is no cell (a list).

    Example:
        >>> people = Table(pl.DataFrame({"Name": ["Braund, Mr. Owen"], "SibSp": [1.0]}))
        >>> title = "TRIM(SPLIT_PART(SPLIT_PART(Name, ',', 2), '.', 1))"
        >>> derive(people, {"Title": title, "Kin": "SibSp + 1"}).frame.rows()
        [('Braund, Mr. Owen', 1.0, 'Mr', 2.0)]
    """
    frame = table.frame
    for name, sql in expressions.items():
        where = f"{table.source}, derived column {name!r} = {_shown(sql)}"
        if name in frame.columns:
            raise UserError(
                f"the table already has a column {name!r}",
                where=where,
                fix="Give the derived column another name",
            )
        frame = frame.with_columns(_evaluate(frame, name, sql, where))
    return table.with_frame(frame)


def referenced_columns(expressions: Mapping[str, str]) -> set[str]:
    """Return the names of all columns that the expressions read, derived ones included.

    Args:
        expressions: {name of the new column: SQL expression}, as for `derive`.

    Raises:
        UserError: An expression does not parse, or looks at more than one row.

    Example:
        >>> sorted(referenced_columns({"Kin": "SibSp + Parch", "IsAlone": "Kin = 0"}))
        ['Kin', 'Parch', 'SibSp']
    """
    names: set[str] = set()
    for name, sql in expressions.items():
        where = f"derived column {name!r} = {_shown(sql)}"
        names.update(_checked_expression(sql, where).meta.root_names())
    return names


def check_growth(expressions: Mapping[str, str]) -> Growth:
    """Refuse expressions that could take all memory, or hours.

    Args:
        expressions: {name of the new column: SQL expression}, as for `derive`.

    Returns:
        A bound on the text of them all in one row, in lengths of its longest cell.

    Raises:
        UserError: More than `MAX_EXPRESSIONS`, or more than `sql_bounds` allows in nodes,
            chains and text; as `referenced_columns`.
    """
    if len(expressions) > MAX_EXPRESSIONS:
        raise UserError(
            f"{len(expressions)} derived columns, more than {MAX_EXPRESSIONS}",
            where="derive",
            fix="Derive fewer, or put them into the table",
        )
    bounds = Bounds()
    for name, sql in expressions.items():
        where = f"derived column {name!r} = {_shown(sql)}"
        expression = _checked_expression(sql, where)
        try:
            bounds.add(name, json.loads(expression.meta.serialize(format="json")))
        except UserError as error:
            raise UserError(error.what, where=where, fix=error.fix) from None
    return bounds.total


def _evaluate(frame: pl.DataFrame, name: str, sql: str, where: str) -> pl.Series:
    expression = _checked_expression(sql, where)
    _check_columns(expression, frame.columns, where)
    try:
        values = frame.select(expression.alias(name)).get_column(name)
    except (PolarsError, PanicException) as error:
        raise UserError(_reason(error), where=where, fix=_remedy(str(error))) from None
    if values.len() != frame.height:
        raise InternalError(f"{where}: {values.len()} values for {frame.height} rows")
    if values.dtype.is_nested() or values.dtype in (pl.Binary, pl.Duration, pl.Null, pl.Object):
        raise UserError(
            f"it gives {values.dtype}, but a column holds {_CELL_TYPES}",
            where=where,
            fix="Reduce it to one such value for each row, for instance with CAST",
        )
    return values.cast(pl.Float64) if values.dtype.is_decimal() else values


def _checked_expression(sql: str, where: str) -> pl.Expr:
    try:
        return _parse(sql)
    except UserError as error:
        raise UserError(error.what, where=where, fix=error.fix) from None


@lru_cache(maxsize=512)
def _parse(sql: str) -> pl.Expr:
    """Parse and check once per text: a single record then costs no parsing."""
    if len(sql) > MAX_EXPRESSION_CHARS:
        raise UserError(
            f"the expression has {len(sql)} characters, more than {MAX_EXPRESSION_CHARS}",
            fix="Split it into several derived columns",
        )
    bare = _QUOTED.sub(" ", sql)
    if expanded_size(bare) > _MAX_EXPANDED:
        raise UserError(
            "the expression nests too deeply", fix="Split it into several derived columns"
        )
    clock = _CLOCK.search(bare)
    if clock:
        raise UserError(
            f"{clock.group().rstrip('( ')!r} reads the clock: a row would change from day to day",
            fix="Write a fixed date, such as DATE '2024-01-31'",
        )
    try:
        expression = pl.sql_expr(sql)
        text = expression.meta.serialize(format="json")
    except (PolarsError, PanicException) as error:
        raise UserError(_reason(error), fix="Write one SQL expression") from None
    expression = _widened(expression, text)
    if not expression.meta.root_names():
        raise UserError(
            "the expression reads no column",
            fix="Write column names bare or in double quotes; single quotes make text",
        )
    return expression


def _widened(expression: pl.Expr, text: str) -> pl.Expr:
    try:
        tree = json.loads(text)
        checked = _row_wise(tree)
        if checked == tree:
            return expression
        return pl.Expr.deserialize(json.dumps(checked).encode(), format="json")
    except (PolarsError, RecursionError):  # Polars reads 128 levels, Python about 1,000
        raise UserError(
            "the expression nests too deeply", fix="Split it into several derived columns"
        ) from None


def _row_wise(tree: object) -> dict[str, Any]:
    """Check a serialised expression and return it with whole numbers of 64 bits."""
    if not isinstance(tree, dict) or len(tree) != 1:  # a node without content, such as "Len"
        raise _not_row_wise(_SPOKEN.get(str(tree), "an unknown construct"))
    [(node, content)] = tree.items()
    if node not in _ROW_WISE_NODES:
        raise _not_row_wise(_SPOKEN.get(node, f"the construct {node}"))
    if node == "Literal" and "Decimal" in str(content.get("Scalar"))[:12]:
        return _cast(tree, "Float64")
    if node in ("Column", "Literal"):
        return tree
    if node == "Function":
        _check_function(content["function"])
        inputs = [_row_wise(child) for child in content["input"]]
        if _function_name(content["function"]) == "Sql.Binary":  # *, /, // and %
            inputs = [_counted(child) for child in inputs]
        checked = {node: {**content, "input": inputs}}
    else:
        children = {key: _row_wise(content[key]) for key in _CHILDREN[node]}
        if node == "Ternary":
            children = {key: _wide(child) for key, child in children.items()}
        if node == "BinaryExpr" and content["op"] in _ARITHMETIC:
            children = {key: _counted(child) for key, child in children.items()}
        checked = {node: {**content, **children}}
    return _wide(checked)


_CHILDREN = {
    "BinaryExpr": ("left", "right"),
    "Cast": ("expr",),
    "Ternary": ("predicate", "truthy", "falsy"),
}
_SPOKEN = {
    "Agg": "an aggregate such as SUM or AVG",
    "Alias": "a second word or an alias after the expression",
    "Explode": "UNNEST",
    "Len": "an aggregate such as COUNT(*)",
    "Over": "a window (OVER)",
    "Selector": "a selection of several columns",
    "SubPlan": "a sub-query",
}


def _wide(tree: dict[str, Any]) -> dict[str, Any]:
    """Widen what makes a narrow integer: LENGTH(s) - 5 of 'abc' is -2, not 4294967294."""
    [(node, content)] = tree.items()
    is_narrow = (
        (node == "Literal" and "Int" in str(content.get("Dyn")))
        or (node == "Cast" and content["dtype"].get("Literal") in _NARROW_TYPES)
        or (node == "Function" and _function_name(content["function"]) in _INTEGER_FUNCTIONS)
    )
    return _cast(tree, "Int64") if is_narrow else tree


def _counted(tree: dict[str, Any]) -> dict[str, Any]:
    """Make a truth in a sum 0 or 1: Polars gives 32 bits without a sign, or refuses."""
    [(node, content)] = tree.items()
    is_truth = (node == "BinaryExpr" and content["op"] not in _ARITHMETIC) or (
        node == "Function" and _function_name(content["function"]).startswith("Boolean.")
    )
    return _cast(tree, "Int64") if is_truth else tree


def _cast(tree: dict[str, Any], dtype: str) -> dict[str, Any]:
    return {"Cast": {"expr": tree, "dtype": {"Literal": dtype}, "options": "Strict"}}


def _check_function(tag: object) -> None:
    name = _function_name(tag)
    family = name.partition(".")[0]
    is_known = family in _ROW_WISE_FAMILIES or name in _ROW_WISE_FUNCTIONS
    if not is_known or name in _NOT_ROW_WISE_FUNCTIONS:
        raise _not_row_wise(f"the function {name.rpartition('.')[2]}")
    if name == "StringExpr.Strptime" and _format_is_guessed(tag):
        raise UserError(
            "without a format, dates are guessed from the cells, so rows depend on each other",
            fix="Write the format, such as DATE(day, '%Y-%m-%d') or STRPTIME(day, '%d.%m.%Y')",
        )


def _function_name(tag: object) -> str:
    """Name of a serialised function: "Abs" or, of a family, "StringExpr.Split"."""
    if isinstance(tag, str):
        return tag
    if not isinstance(tag, dict) or len(tag) != 1:
        return "unknown"
    [(family, member)] = tag.items()
    if isinstance(member, str):
        return f"{family}.{member}"
    name = next(iter(member), "") if isinstance(member, dict) else ""
    return f"{family}.{name}" if name[:1].isupper() else str(family)


def _format_is_guessed(tag: Any) -> bool:
    _, options = tag["StringExpr"]["Strptime"]
    return options["format"] is None


def _check_columns(expression: pl.Expr, names: Iterable[str], where: str) -> None:
    known = list(names)
    for column in expression.meta.root_names():
        if column not in known:
            raise UserError(
                f"there is no column {column!r}",
                where=where,
                fix=did_you_mean(column, known),
            )


def _not_row_wise(found: str) -> UserError:
    return UserError(
        f"an expression may look at one row only, but this one has {found}",
        fix="Use functions of single cells; figures over rows belong into the table you bring",
    )


def _shown(sql: str) -> str:
    return repr(sql if len(sql) <= 160 else f"{sql[:160]}...")


def _reason(error: BaseException) -> str:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return reason if len(reason) <= 240 else f"{reason[:240]}..."


def _remedy(message: str) -> str | None:
    if "conversion from" in message:
        return "TRY_CAST gives a missing value where a cell does not fit"
    if "string value" in message:
        return "Compare dates with TIMESTAMP '2024-01-31 00:00:00'"
    return None
