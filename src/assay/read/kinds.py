"""What each column means, guessed from its cells and told with figures.

A raw table comes in, a schema goes out. Every column set aside and every cell
lost to a cast is told to the ledger with the option that undoes it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import polars as pl

from assay.errors import UserError, did_you_mean
from assay.ledger import Ledger
from assay.read.cast import infinite_error, strip_missing
from assay.read.guess import Column, guess, look_at, specify
from assay.read.numbers import find_number_format, is_ambiguous
from assay.recipe import Recipe
from assay.schema import ColumnSpec, Kind, Schema
from assay.table import Table

_VOTE_ROWS = 2000


def infer_schema(
    table: Table,
    recipe: Recipe,
    ledger: Ledger,
    *,
    target: str = "",
    roles: Collection[str] = (),
) -> Schema:
    """Decide the kind of every column but the target.

    Args:
        table: Raw or typed columns, N rows.
        recipe: `kinds`, `drop`, `read.missing`, `read.decimal` and
            `read.infinite` are obeyed.
        ledger: Told of columns dropped or set aside and of cells that a cast
            loses.
        target: Column to leave out.
        roles: Columns used for groups, time or weights; they are carried as
            identifiers. A mapping also says what each is used for.

    Returns:
        The schema, columns in the order of the table.

    Raises:
        UserError: `kinds`, `drop` or `roles` name an unknown column, a kind
            set in the recipe fits no cell, or a numeric column holds an
            infinite number and `read.infinite` is "error".

    Example:
        >>> table = Table(pl.DataFrame({"age": ["31", "?", "40"], "sex": ["f", "m", "f"]}))
        >>> [str(spec.kind) for spec in infer_schema(table, Recipe(), Ledger()).columns]
        ['numeric', 'categorical']
    """
    _check_names(table, recipe, target, roles)
    decimal = _decimal_mark(table, recipe, target)
    specs = []
    for name in table.names:
        if target and name == target:
            continue
        if name in recipe.drop and name not in roles:
            ledger.add("column dropped", where=name, why="named in the recipe", undo="drop")
            continue
        column = look_at(table.frame.get_column(name), recipe.read.missing, decimal)
        spec = _decide(column, recipe, table.source, roles)
        _tell(spec, column, recipe, ledger)
        specs.append(spec)
    return Schema(tuple(specs))


def _check_names(table: Table, recipe: Recipe, target: str, roles: Collection[str]) -> None:
    asked: list[tuple[str, Iterable[str]]] = [("kinds", recipe.kinds), ("drop", recipe.drop)]
    asked.append(("the split or the weights", roles))
    known = set(table.names) | {target, recipe.target}
    for option, names in asked:
        for name in names:
            if name not in known:
                raise UserError(
                    f"{option} names the column {name!r}, which is not there",
                    where=table.source,
                    fix=did_you_mean(name, table.names),
                )


def _decimal_mark(table: Table, recipe: Recipe, target: str) -> str:
    # One column that certainly writes "1,5" decides for those that write "1,234".
    if recipe.read.decimal != "auto":
        return recipe.read.decimal
    for name, dtype in table.frame.schema.items():
        if dtype != pl.String or name == target:
            continue
        head = strip_missing(table.frame.get_column(name).head(_VOTE_ROWS), recipe.read.missing)
        if not head.str.contains(r"\d,\d").any():
            continue
        values = head.drop_nulls().unique(maintain_order=True)
        found = find_number_format(values)
        if found and found.decimal == "," and not is_ambiguous(values, found):
            return ","
    return "auto"


def _decide(column: Column, recipe: Recipe, source: str, roles: Collection[str]) -> ColumnSpec:
    if column.name in roles:
        use = roles[column.name] if isinstance(roles, Mapping) else "the split or a weight"
        return specify(column, Kind.IDENTIFIER, f"used as {use}")
    chosen = recipe.kinds.get(column.name)
    if chosen is None:
        spec = guess(column)
    else:
        spec = replace(specify(column, chosen, "set in the recipe"))
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
            f"it has {spec.n_unique} values" if is_crowded else f"no cell fits, see {example!r}"
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
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    key = name if is_bare else f'"{quoted}"'
    return f'kinds.{key} = "{kind}"'


def _tell(spec: ColumnSpec, column: Column, recipe: Recipe, ledger: Ledger) -> None:
    name = spec.name
    if not spec.kind.is_feature:
        other = Kind.NUMERIC if column.is_numeric else Kind.CATEGORICAL
        undo = option_of(name, other) if name not in recipe.kinds else f"kinds.{name}"
        ledger.add("column set aside", where=name, why=f"{spec.kind}: {spec.reason}", undo=undo)
    if spec.n_invalid:
        shown = ", ".join(repr(value) for value in column.invalid(spec, limit=3))
        noun = "numbers" if spec.kind == Kind.NUMERIC else "dates"
        ledger.add(
            f"{spec.n_invalid} cells read as missing",
            where=name,
            why=f"they are not {noun} like the others: {shown}",
            undo=option_of(name, Kind.CATEGORICAL),
        )
    if spec.kind == Kind.NUMERIC and column.n_infinite:
        ledger.add(
            f"{column.n_infinite} infinite numbers read as missing",
            where=name,
            why='read.infinite is "missing"',
            undo='read.infinite = "error"',
        )
