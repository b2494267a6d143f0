"""What each column means, guessed from its cells and told with figures.

A raw table comes in, a schema goes out. Every column set aside and every cell
lost to a cast is told to the ledger with the option that undoes it.
"""

from collections.abc import Collection, Mapping

import polars as pl

from assay.errors import UserError, did_you_mean
from assay.ledger import Ledger
from assay.read.cast import infinite_error, strip_missing
from assay.read.guess import Column, guess, look_at, specify
from assay.read.numbers import find_number_format, is_ambiguous
from assay.read.wording import counted, quoted, tell_utc
from assay.recipe import Recipe
from assay.schema import ColumnSpec, Kind, Schema
from assay.table import Table

STOP_AT_INFINITE = 'read.infinite = "error"'
"""Undoes that infinite numbers count as missing."""

_VOTE_ROWS = 2000


def infer_schema(
    table: Table,
    recipe: Recipe,
    ledger: Ledger,
    *,
    roles: Collection[str] = (),
) -> Schema:
    """Decide the kind of every column.

    Args:
        table: Raw or typed columns without the target, N rows.
        recipe: `kinds`, `read.missing`, `read.decimal` and `read.infinite` are
            obeyed; `kinds` may name the target.
        ledger: Told of columns set aside and of cells that a cast loses.
        roles: Columns used for groups, time or weights; they are carried as
            identifiers. A mapping also says what each is used for.

    Returns:
        The schema, columns in the order of the table.

    Raises:
        UserError: `kinds` or `roles` name an unknown column, or `roles` the
            target; a kind set in the recipe fits no cell; a numeric column holds
            an infinite number and `read.infinite` is "error".

    Example:
        >>> table = Table(pl.DataFrame({"age": ["31", "?", "40"], "sex": ["f", "m", "f"]}))
        >>> [str(spec.kind) for spec in infer_schema(table, Recipe(), Ledger()).columns]
        ['numeric', 'categorical']
    """
    _check_names(table, recipe, roles)
    decimal = _decimal_mark(table, recipe)
    specs = []
    for name in table.names:
        column = look_at(table.frame.get_column(name), recipe.read.missing, decimal)
        spec = _decide(column, recipe, table.source, roles)
        _tell(spec, column, recipe, ledger)
        specs.append(spec)
    return Schema(tuple(specs))


def _check_names(table: Table, recipe: Recipe, roles: Collection[str]) -> None:
    uses = [("kinds", name) for name in recipe.kinds if name != recipe.target]
    uses += [(_use_of(name, roles), name) for name in roles]
    known = set(table.names)
    for use, name in uses:
        if name in known:
            continue
        if name == recipe.target:
            raise UserError(
                f"{name!r} is the target, it cannot be the {use} too",
                where=table.source,
                fix="Name another column",
            )
        raise UserError(
            f"{use} names the column {name!r}, which is not there",
            where=table.source,
            fix=did_you_mean(name, table.names),
        )


def _use_of(name: str, roles: Collection[str]) -> str:
    return str(roles[name]) if isinstance(roles, Mapping) else "the split or a weight"


def _decimal_mark(table: Table, recipe: Recipe) -> str:
    # One column that certainly writes "1,5" decides for those that write "1,234".
    if recipe.read.decimal != "auto":
        return recipe.read.decimal
    for name, dtype in table.frame.schema.items():
        if dtype != pl.String:
            continue
        head = table.frame.get_column(name).head(_VOTE_ROWS)
        if not head.str.contains(r"\d,\d").any():
            continue
        values = strip_missing(head, recipe.read.missing)
        values = values.drop_nulls().unique(maintain_order=True)
        found = find_number_format(values)
        if found and found.decimal == "," and not is_ambiguous(values, found):
            return ","
    return "auto"


def _decide(column: Column, recipe: Recipe, source: str, roles: Collection[str]) -> ColumnSpec:
    if column.name in roles:
        return specify(column, Kind.IDENTIFIER, f"used as {_use_of(column.name, roles)}")
    chosen = recipe.kinds.get(column.name)
    if chosen is None:
        spec = guess(column)
    else:
        spec = specify(column, chosen, "set in the recipe")
        _check_chosen(column, spec, source)
    if spec.kind == Kind.NUMERIC:
        _check_infinite(column, recipe, source)
    return spec


def _check_chosen(column: Column, spec: ColumnSpec, source: str) -> None:
    fits_none = column.n_present > 0 and spec.n_invalid == column.n_present
    is_crowded = spec.kind == Kind.BOOLEAN and spec.n_unique > 2
    if spec.kind == Kind.DATETIME and not column.is_text and not column.is_temporal:
        fits_none = column.n_present > 0
    if fits_none or is_crowded:
        example = column.text.drop_nulls()[0] if column.is_text else column.series.drop_nulls()[0]
        reason = (
            f"it has {counted(spec.n_unique, 'value')}"
            if is_crowded
            else f"no cell fits, see {example!r}"
        )
        raise UserError(
            f"{option_of(column.name, spec.kind)} cannot be: {reason}",
            where=source,
            fix="Choose another kind",
        )


def _check_infinite(column: Column, recipe: Recipe, source: str) -> None:
    if column.n_infinite and recipe.read.infinite == "error":
        raise infinite_error(column.numbers, column.name, source)


def option_of(name: str, kind: Kind | str) -> str:
    """Write the recipe line that sets a kind.

    Example:
        >>> option_of("my age", Kind.TEXT)
        'kinds."my age" = "text"'
    """
    is_bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    key = name if is_bare else f'"{escaped}"'
    return f'kinds.{key} = "{kind}"'


def _tell(spec: ColumnSpec, column: Column, recipe: Recipe, ledger: Ledger) -> None:
    name = spec.name
    if spec.kind.is_feature and (why := column.why_utc(spec)):
        tell_utc(name, why, ledger)
    if not spec.kind.is_feature:
        other = Kind.NUMERIC if column.is_numeric else Kind.CATEGORICAL
        undo = option_of(name, other) if name not in recipe.kinds else f"kinds.{name}"
        ledger.add("column set aside", where=name, why=f"{spec.kind}: {spec.reason}", undo=undo)
    if spec.n_invalid:
        shown = quoted(column.invalid(spec, limit=3))
        noun = "a number" if spec.kind == Kind.NUMERIC else "a date"
        ledger.add(
            f"{counted(spec.n_invalid, 'cell')} read as missing",
            where=name,
            why=f"not {noun} like the others: {shown}",
            undo=option_of(name, Kind.CATEGORICAL),
        )
    if spec.kind == Kind.NUMERIC and column.n_infinite:
        ledger.add(
            f"{counted(column.n_infinite, 'infinite number')} read as missing",
            where=name,
            why='read.infinite is "missing"',
            undo=STOP_AT_INFINITE,
        )
