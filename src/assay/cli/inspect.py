"""The verb `inspect`: what assay sees in a table, before anything is trained."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.choices import (
    JsonOption,
    QuietOption,
    RecipeOption,
    SetOption,
    SqlOption,
    TableArgument,
)

if TYPE_CHECKING:
    from assay.ledger import Ledger
    from assay.predict import Preparation
    from assay.recipe import Recipe
    from assay.schema import ColumnSpec
    from assay.table import Table

_MAX_COLUMNS = 100
_EXAMPLE_CELLS = 20


def inspect(
    table: TableArgument,
    target: Annotated[
        str | None, typer.Option("--target", metavar="COLUMN", help="The column to predict.")
    ] = None,
    recipe: RecipeOption = None,
    settings: SetOption = None,
    sql: SqlOption = None,
    as_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Tell what assay sees in a table, and why."""
    from assay.cli.choices import make_recipe, open_source
    from assay.cli.output import say, say_json
    from assay.cli.talk import talking

    source = open_source(table)
    shortcuts = {"target": target, "read.sql": sql}
    with talking(is_quiet=is_quiet):
        found = look(source, make_recipe(source, recipe, settings, shortcuts=shortcuts))
    if as_json:
        say_json(found)
        return
    for line in _lines(found):
        say(line)


def look(source: object, recipe: "Recipe") -> dict[str, Any]:
    """Return what is known of a table, as plain data.

    Args:
        source: A path, "-", the bytes of a file, or a database URL.
        recipe: Kinds, derived columns, and the target if there is one.

    Returns:
        source, n_rows, columns [{name, kind, reason, n_missing, missing_share,
        n_unique, example, is_feature}], target {name, n_missing, classes
        [{class, n}]} or None, ledger: decisions that a training would take, and
        findings: what no decision is taken about; both [{what, where, why, undo}].

    Raises:
        UserError: The table cannot be read, or the recipe names what is not there.
    """
    from assay.ledger import Ledger
    from assay.predict import Preparation
    from assay.read import read_table
    from assay.roles import named_roles

    ledger = Ledger()
    table = read_table(source, recipe.read, ledger)
    target = _target(table, recipe) if recipe.target else None
    features = table.drop([recipe.target])
    tolerant = recipe.with_options({"read.infinite": "missing"})
    preparation = Preparation.fit(features, tolerant, ledger, roles=named_roles(recipe))
    findings = _findings(features, preparation, tolerant)
    if recipe.read.infinite == "error":
        ledger, stops = _without_infinite(ledger)
        findings = [*stops, *findings]
    specs = {spec.name: spec for spec in preparation.raw_schema.columns}
    derived = [spec for spec in preparation.schema.columns if spec.name not in specs]
    columns = [
        _column(features, name, specs.get(name), is_dropped=name in recipe.drop)
        for name in features.names
    ]
    columns += [{**_described(spec, features.n_rows), "example": None} for spec in derived]
    return {
        "source": table.source,
        "n_rows": table.n_rows,
        "columns": columns,
        "target": target,
        "ledger": ledger.to_list(),
        "findings": findings,
    }


def _without_infinite(ledger: "Ledger") -> "tuple[Ledger, list[dict[str, str]]]":
    """Return what a training would decide, and what would stop it instead."""
    from assay.ledger import Entry, Ledger
    from assay.read.kinds import STOP_AT_INFINITE

    decided = tuple(entry for entry in ledger if entry.undo != STOP_AT_INFINITE)
    stops = Ledger(
        tuple(
            Entry(
                entry.what.removesuffix(" read as missing"),
                where=entry.where,
                why="training stops there",
                undo='read.infinite = "missing"',
            )
            for entry in ledger
            if entry.undo == STOP_AT_INFINITE
        )
    )
    return Ledger(decided), stops.to_list()


def _findings(
    features: "Table", preparation: "Preparation", recipe: "Recipe"
) -> list[dict[str, str]]:
    """Return what stands out in the columns to predict from, taken together."""
    from assay.cli.layout import counted
    from assay.deal import duplicate_groups, must_repeat
    from assay.ledger import Ledger

    found = Ledger()
    names = [spec.name for spec in preparation.schema.features]
    if not names:
        why = "training stops: every column is set aside"
        found.add("no usable column", where=features.source, why=why, undo="kinds.NAME")
        return found.to_list()
    typed = preparation.apply(features, recipe, is_training=True).frame.select(names)
    if not must_repeat(typed, preparation.schema):
        n_copies = typed.height - len(set(duplicate_groups(typed).tolist()))
        if n_copies:
            are = "is a copy of another" if n_copies == 1 else "are copies of others"
            what = f"{counted(n_copies, 'row')} {are}"
            why = "equal in all columns to predict from; copies are never split apart"
            found.add(what, where=features.source, why=why)
    return found.to_list()


def _column(
    table: "Table", name: str, spec: "ColumnSpec | None", *, is_dropped: bool
) -> dict[str, Any]:
    example = _example(table, name)
    if spec is None:
        column = table.column(name)
        return {
            "name": name,
            "kind": "dropped",
            "reason": "named in the recipe",
            "n_missing": column.null_count(),
            "missing_share": column.null_count() / max(len(column), 1),
            "n_unique": column.n_unique(),
            "example": example,
            "is_feature": False,
        }
    described = _described(spec, table.n_rows)
    if is_dropped:
        described = {**described, "is_feature": False}
    return {**described, "example": example}


def _described(spec: "ColumnSpec", n_rows: int) -> dict[str, Any]:
    return {
        "name": spec.name,
        "kind": str(spec.kind),
        "reason": spec.reason,
        "n_missing": spec.n_missing,
        "missing_share": spec.n_missing / max(n_rows, 1),
        "n_unique": spec.n_unique,
        "is_feature": spec.kind.is_feature,
    }


def _example(table: "Table", name: str) -> str | None:
    """Return the first cell that is not empty, as text."""
    column = table.column(name).drop_nulls()
    return next((str(cell) for cell in column.head(1000) if str(cell).strip()), None)


def _target(table: "Table", recipe: "Recipe") -> dict[str, Any]:
    from assay.read import canonical_levels

    levels = canonical_levels(table.column(recipe.target), recipe.read.missing)
    counts = levels.drop_nulls().value_counts(sort=True)
    classes = [{"class": name, "n": n} for name, n in counts.iter_rows()]
    classes.sort(key=lambda one: (-one["n"], one["class"]))
    return {"name": recipe.target, "n_missing": levels.null_count(), "classes": classes}


def _lines(found: Mapping[str, Any]) -> list[str]:
    from assay.cli.layout import counted, heading

    columns = found["columns"]
    n_features = sum(column["is_feature"] for column in columns)
    return [
        f"{found['source']}: {counted(found['n_rows'], 'row')}, "
        f"{counted(len(columns), 'column')}, {n_features:,} to predict from",
        *(_target_lines(found["target"]) if found["target"] else []),
        "",
        heading("Columns"),
        *_column_lines(columns),
        "",
        *_finding_lines([*found["ledger"], *found["findings"]]),
    ]


def _column_lines(columns: list[dict[str, Any]]) -> list[str]:
    from assay.cli.layout import cut, figure, table

    rows = [
        [
            cut(column["name"]),
            column["kind"] if column["is_feature"] else f"({column['kind']})",
            f"{column['n_missing']:,}",
            figure(column["missing_share"]),
            f"{column['n_unique']:,}",
            cut(column["example"] or "", _EXAMPLE_CELLS),
            cut(column["reason"], 200),
        ]
        for column in columns[:_MAX_COLUMNS]
    ]
    header = ["column", "kind", "missing", "share", "distinct", "example", "why this kind"]
    lines = table(rows, header=header, numbers=(2, 3, 4))
    n_hidden = len(columns) - len(rows)
    return [*lines, f"  and {n_hidden:,} more: see --json"] if n_hidden else lines


def _target_lines(target: Mapping[str, Any]) -> list[str]:
    from assay.cli.layout import MAX_LISTED, counted, cut

    classes = target["classes"]
    shown = ", ".join(f"{cut(one['class'])} ({one['n']:,})" for one in classes[:MAX_LISTED])
    more = f" and {len(classes) - MAX_LISTED:,} more" if len(classes) > MAX_LISTED else ""
    gaps = f"; missing in {counted(target['n_missing'], 'row')}" if target["n_missing"] else ""
    return [
        f"target {cut(target['name'])!r}, {counted(len(classes), 'class')}: {shown}{more}{gaps}"
    ]


def _finding_lines(found: list[dict[str, str]]) -> list[str]:
    from assay.cli.layout import heading
    from assay.cli.output import one_line
    from assay.ledger import Entry

    if not found:
        return ["Nothing is set aside: every column and every cell is used."]
    return [heading("Findings"), *(f"  {one_line(str(Entry(**one)))}" for one in found)]
