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
    import numpy as np
    from numpy.typing import NDArray

    from assay.ledger import Ledger
    from assay.predict import Preparation
    from assay.profile import Finding
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
        [{class, n}]} or None, ledger [{what, where, why, undo}]: decisions that a
        training would take, and findings [{kind, severity, where, what, evidence,
        option}]: what no decision is taken about.

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
    findings = _findings(table, features, preparation, tolerant)
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
        "findings": [finding.to_dict() for finding in findings],
    }


def _without_infinite(ledger: "Ledger") -> "tuple[Ledger, list[Finding]]":
    """Return what a training would decide, and what would stop it instead."""
    from assay.ledger import Ledger
    from assay.profile import Finding
    from assay.read.kinds import STOP_AT_INFINITE

    decided = tuple(entry for entry in ledger if entry.undo != STOP_AT_INFINITE)
    stops = [
        Finding(
            "infinite",
            "high",
            entry.where,
            f"{entry.what.removesuffix(' read as missing')}, training stops there",
            'read.infinite is "error"',
            'read.infinite = "missing"',
        )
        for entry in ledger
        if entry.undo == STOP_AT_INFINITE
    ]
    return Ledger(decided), stops


def _findings(
    table: "Table", features: "Table", preparation: "Preparation", recipe: "Recipe"
) -> "list[Finding]":
    """Return what stands out in the columns to predict from, and beside the target."""
    from assay.profile import Finding, examine
    from assay.roles import named_roles

    if not preparation.schema.features:
        stop = "no usable column, training stops"
        why = "every column is set aside"
        return [Finding("no_features", "high", features.source, stop, why, "kinds.NAME")]
    if not recipe.evaluate.findings:
        return []
    roles = named_roles(recipe)
    frame = preparation.apply(features, recipe, is_training=True).frame
    frame = frame.drop(list(roles), strict=False)
    y, classes, stops = _labels(table, recipe)
    if y is not None:
        frame, y = frame.filter(y >= 0), y[y >= 0]
    found = examine(
        frame,
        preparation.schema,
        y,
        classes,
        n_folds=recipe.split.folds,
        has_groups="group" in roles.values(),
        has_time="time" in roles.values(),
    )
    return [*stops, *found]


def _labels(
    table: "Table", recipe: "Recipe"
) -> "tuple[NDArray[np.int64] | None, tuple[str, ...], list[Finding]]":
    """Return classes of the rows, -1 where missing, and what is wrong with the target."""
    from assay.encode import TargetEncoder
    from assay.errors import UserError
    from assay.profile import Finding
    from assay.schema import Kind

    if not recipe.target:
        return None, (), []
    column, missing = table.column(recipe.target), recipe.read.missing
    is_named = recipe.kinds.get(recipe.target) == Kind.CATEGORICAL
    try:
        target = TargetEncoder.fit(
            column, missing=missing, where=table.source, is_categorical=is_named
        )
    except UserError as error:
        stop = f"{error.what}, training stops"
        return None, (), [Finding("target", "high", recipe.target, stop, error.fix or "")]
    return target.encode(column, missing=missing), target.classes, []


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
    column = table.column(name)
    column = column.drop_nulls() if column.null_count() else column
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
        *_decision_lines(found["ledger"]),
        *_finding_lines(found["findings"]),
    ]


def _column_lines(columns: list[dict[str, Any]]) -> list[str]:
    from assay.cli.layout import cut, cut_apart, figure, table

    listed = columns[:_MAX_COLUMNS]
    rows = [
        [
            name,
            column["kind"] if column["is_feature"] else f"({column['kind']})",
            f"{column['n_missing']:,}",
            figure(column["missing_share"]),
            f"{column['n_unique']:,}",
            cut(column["example"] or "", _EXAMPLE_CELLS),
            cut(column["reason"], 200),
        ]
        for name, column in zip(cut_apart([one["name"] for one in listed]), listed, strict=True)
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


def _decision_lines(ledger: list[dict[str, str]]) -> list[str]:
    from assay.cli.layout import heading
    from assay.cli.output import one_line
    from assay.ledger import Entry

    if not ledger:
        return ["Nothing is set aside: every column and every cell is used."]
    return [
        heading("What a training would decide"),
        *(f"  {one_line(str(Entry(**one)))}" for one in ledger),
    ]


def _finding_lines(found: list[dict[str, str]]) -> list[str]:
    from assay.cli.layout import heading, style
    from assay.cli.output import one_line

    if not found:
        return []
    lines = ["", heading("Findings")]
    for one in found:
        severity = style(one["severity"], bold=one["severity"] == "high")
        lines.append(f"  {severity}: {one_line(one['where'])}: {one_line(one['what'])}")
        option = f" [{one['option']}]" if one["option"] else ""
        lines += [f"    {one_line(one['evidence'] + option)}"]
    return lines
