"""The verb `explain`: a model file in, what its predictions depend on out."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.choices import (
    ExcelSafeOption,
    FillMissingOption,
    JsonOption,
    ModelArgument,
    OptionalTable,
    QuietOption,
    RecordOption,
    SqlOption,
)
from assay.cli.predict import read_records, read_rows, split_names
from assay.errors import UserError

if TYPE_CHECKING:
    import polars as pl

    from assay.cli.talk import Talk
    from assay.model import Model
    from assay.table import Table

_MOST_LISTED = 30
_SLICE_ROWS = 5_000
_BAR_CELLS = 20


def explain(
    model_path: ModelArgument,
    table: OptionalTable = None,
    row: Annotated[
        int | None,
        typer.Option("--row", metavar="N", help="Explain row N of TABLE alone, counted from 1."),
    ] = None,
    record: RecordOption = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="NAMES", help="Columns to explain by, by commas."),
    ] = None,
    class_name: Annotated[
        str | None,
        typer.Option(
            "--class", metavar="NAME", help="The class to explain; default: each row's likeliest."
        ),
    ] = None,
    candidate: Annotated[
        str | None,
        typer.Option(
            "--candidate",
            metavar="NAME",
            help="Importance for logistic, boosting, network or blend; default: what ships.",
        ),
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Most reasons of a row.")] = 5,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Reasons of the rows: .csv, .parquet or .jsonl."
        ),
    ] = None,
    sql: SqlOption = None,
    fill_missing: FillMissingOption = False,
    is_excel_safe: ExcelSafeOption = False,
    as_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Tell which columns matter, or why a row is predicted as it is.

    MODEL alone: the importance of each column. With a TABLE that holds the target: its
    importance for these rows. Reasons of single rows: with --row, --record, -o, or a
    TABLE without the target.
    """
    from assay.cli.output import check_destination, choose_format, write_frame
    from assay.cli.spreadsheet import check_is_csv, spreadsheet_safe
    from assay.cli.talk import talking
    from assay.estimator import load
    from assay.explain.answers import stored_importance
    from assay.read.cast import silently

    _check_choice(table, row=row, record=record, output=output, sql=sql, candidate=candidate)
    out = None if output == "-" else output
    kind = choose_format(out, None, is_json=as_json and output is None)
    if is_excel_safe:
        check_is_csv(kind)
    if out is not None:
        check_destination(out, inputs=(model_path, table))
    names = split_names(columns)
    with talking(is_quiet=is_quiet) as talk:
        model = load(model_path)
        model = model.filling_missing() if fill_missing else model
        if table is None and record is None:
            measured = stored_importance(model.evaluation, candidate)
            _show_importance(measured, names, as_json=as_json, where=model_path)
            return
        rows, first, usual = _rows(model, table, record, row, sql, talk)
        is_judged = row is None and record is None and model.target in rows.names
        if is_judged:
            measured = model.permutation_importance(rows, columns=names)
            is_aside = output == "-"
            _show_importance(measured, None, as_json=as_json, where=rows.source, is_aside=is_aside)
        if is_judged and output is None:
            talk("reasons of each row: give -o FILE, or --row N")
            return
        with silently() if is_judged else nullcontext():  # what is odd was told already
            reasons = _reasons(model, rows, usual, columns=names, class_name=class_name, top=top)
    if output is not None or (record is None and row is None and not as_json):
        top = min(top, _n_explained(model, names, reasons))
        frame = reasons_frame(reasons, top=top, first=first)
        write_frame(spreadsheet_safe(frame) if is_excel_safe else frame, out, kind)
        return
    _show_reasons(reasons, first, as_json=as_json, is_list=record is None and row is None)


def _check_choice(
    table: str | None,
    *,
    row: int | None,
    record: str | None,
    output: str | None,
    sql: str | None,
    candidate: str | None,
) -> None:
    if candidate is not None and (table is not None or record is not None):
        raise UserError(
            "the model file predicts by what ships alone",
            where="--candidate",
            fix="Leave TABLE and --record out: other candidates were explained while training",
        )
    if table is not None and record is not None:
        raise UserError("TABLE and --record were both given", fix="Give one of them")
    given = {"--row": row, "--sql": sql}
    for name, value in given.items():
        if value is not None and table is None:
            raise UserError(f"{name} was given without a TABLE", fix="Name the table")
    if output is not None and table is None and record is None:
        raise UserError("-o was given without rows to explain", fix="Give a TABLE or --record")


def _rows(
    model: "Model",
    table: str | None,
    record: str | None,
    row: int | None,
    sql: str | None,
    talk: "Talk",
) -> tuple["Table", int, "Table | None"]:
    """Return the rows to explain, the number of the first, and the table they stand in."""
    if record is not None:
        return replace(model.read(read_records(record)), source="--record"), 1, None
    rows = read_rows(model, str(table), talk, sql=sql or "")
    if rows.n_rows == 0:
        raise UserError("the table has no rows", where=rows.source, fix="Give at least one row")
    if row is None:
        return rows, 1, None
    if not 1 <= row <= rows.n_rows:
        raise UserError(
            f"there is no row {row}", where=rows.source, fix=f"Rows count from 1 to {rows.n_rows:,}"
        )
    alone = rows.with_frame(rows.frame.slice(row - 1, 1))
    return alone, row, rows if model.reference is None else None


def _reasons(
    model: "Model",
    rows: "Table",
    usual: "Table | None",
    *,
    columns: Sequence[str] | None,
    class_name: str | None,
    top: int,
) -> list[dict[str, Any]]:
    """Return the reasons of each row, some rows at a time to spare memory."""
    found: list[dict[str, Any]] = []
    if usual is None and model.reference is None and rows.n_rows > 1:
        usual = rows
    for start in range(0, rows.n_rows, _SLICE_ROWS):
        part = rows.with_frame(rows.frame.slice(start, _SLICE_ROWS))
        found += model.explain(
            part, columns=columns, class_name=class_name, top=top, background=usual
        )
    return found


def _n_explained(
    model: "Model", names: Sequence[str] | None, reasons: Sequence[Mapping[str, Any]]
) -> int:
    """Return how many columns were explained: the most reasons that a row can have."""
    from assay.explain.reasons import MOST_COLUMNS

    known = set(names) if names else model.schema.features[:MOST_COLUMNS]
    found = (len(one["reasons"]) for one in reasons)  # expressions read more than features
    return max(len(known), *found)


def reasons_frame(
    reasons: Sequence[Mapping[str, Any]], *, top: int, first: int = 1
) -> "pl.DataFrame":
    """Return what is written to a file: a row for each row.

    Args:
        reasons: As `Model.explain` returns them, N rows.
        top: Columns of reasons.
        first: Number of the first row.

    Returns:
        Columns row, label, class, proba, reason_1 to reason_`top`, such as
        "Age = 4 (+1.32)"; missing where there are fewer reasons.

    Example:
        >>> why = [{"column": "Age", "cell": "4", "change": 1.321}]
        >>> one = {"label": 1, "class": "1", "probability": 0.75, "reasons": why}
        >>> reasons_frame([one], top=2).rows()
        [(1, 1, '1', 0.75, 'Age = 4 (+1.32)', None)]
    """
    import polars as pl

    texts = [[_phrase(reason) for reason in one["reasons"]] for one in reasons]
    columns = {
        "row": list(range(first, first + len(reasons))),
        "label": [one["label"] for one in reasons],
        "class": [one["class"] for one in reasons],
        "proba": [one["probability"] for one in reasons],
    }
    series = [pl.Series(name, cells) for name, cells in columns.items()]
    for idx in range(top):
        cells = [text[idx] if idx < len(text) else None for text in texts]
        series.append(pl.Series(f"reason_{idx + 1}", cells, dtype=pl.String))
    return pl.DataFrame(series)


def _phrase(reason: Mapping[str, Any]) -> str:
    return f"{reason['column']} = {reason['cell']} ({reason['change']:+.2f})"


def _show_reasons(
    reasons: Sequence[Mapping[str, Any]], first: int, *, as_json: bool, is_list: bool
) -> None:
    from assay.cli.output import say, say_json

    numbered = [{"row": first + idx, **one} for idx, one in enumerate(reasons)]
    if as_json and is_list:
        import json

        for one in numbered:
            say(json.dumps(one, ensure_ascii=False, allow_nan=False))
        return
    if as_json:
        say_json(numbered if len(numbered) > 1 else numbered[0])
        return
    for one in numbered:
        for line in reason_lines(one):
            say(line)


def reason_lines(one: Mapping[str, Any]) -> list[str]:
    """Return the reasons of a row as a table: column, cell, change of the log odds.

    Args:
        one: {"row", "label", "class", "probability", "reasons"}.
    """
    from assay.cli.layout import cut, heading, table

    name = f"'{cut(one['class'])}'"
    likeliest = (
        "" if str(one["label"]) == one["class"] else f", likeliest '{cut(str(one['label']))}'"
    )
    lines = [
        heading(f"Row {one['row']:,}: {name} with probability {one['probability']:.3f}{likeliest}")
    ]
    if not one["reasons"]:
        return [*lines, "  no cell makes a difference to what its column usually holds"]
    most = max(abs(reason["change"]) for reason in one["reasons"])
    cells = [
        [
            cut(reason["column"]),
            cut(reason["cell"], 40),
            f"{reason['change']:+.2f}",
            _bar(reason["change"] / most),
        ]
        for reason in one["reasons"]
    ]
    lines += table(cells, header=["column", "cell", "log odds", ""], numbers=[2])
    return [
        *lines,
        f"  +0.69 doubles the odds of {name}, -0.69 halves them: this cell against what its",
        "  column usually holds, all other cells as they are",
    ]


def _bar(share: float) -> str:
    return ("+" if share > 0 else "-") * max(1, round(abs(share) * _BAR_CELLS))


def _show_importance(
    importance: Mapping[str, Any],
    names: Sequence[str] | None,
    *,
    as_json: bool,
    where: str,
    is_aside: bool = False,
) -> None:
    from assay.cli.output import say, say_json
    from assay.errors import did_you_mean

    listed = importance["columns"]
    if names is not None:
        known = [one["column"] for one in listed]
        for name in names:
            if name not in known:
                what = f"the importance of a column {name!r} is not known"
                raise UserError(what, where=where, fix=did_you_mean(name, known))
        listed = [one for one in listed if one["column"] in names]
    shown = {**importance, "columns": listed}
    if as_json:
        say_json(shown, is_aside=is_aside)
        return
    for line in importance_lines(shown):
        say(line, is_aside=is_aside)


def importance_lines(importance: Mapping[str, Any]) -> list[str]:
    """Return the importance of columns as a table, the most important first.

    Args:
        importance: As `Model.importance` gives it.
    """
    from assay.cli.layout import counted, cut, cut_apart, heading, ranged, table

    listed = importance["columns"]
    n_rows = counted(importance["n_rows"], "row")
    shown, rows = listed[:_MOST_LISTED], []
    for name, one in zip(cut_apart([one["column"] for one in shown]), shown, strict=True):
        n_more = len(one.get("with", []))
        name += f" and {counted(n_more, 'column')} alike" if n_more else ""
        rows.append([name, ranged(one["increase"], n_decimals=4)])
    level = f"[interval at {importance.get('confidence', 0.95):g}]"
    lines = [
        heading(f"How much the log loss grows when a column is shuffled, over {n_rows}"),
        *table(rows, header=["column", f"increase {level}"]),
    ]
    n_hidden = len(listed) - len(rows)
    if n_hidden:
        lines.append(f"  and {counted(n_hidden, 'column')} more: see --json")
    n_aside = importance.get("n_set_aside", 0)
    n_together = importance.get("n_untested", 0) - n_aside
    if n_aside:
        aside = counted(n_aside, "column")
        lines.append(f"  {aside} not tested: others go with the predictions more closely")
    if n_together:
        lines.append(f"  {counted(n_together, 'column')} not tested singly")
    lines += [f"  {cut(one['text'], 110)}" for one in importance.get("grouped", [])[:_MOST_LISTED]]
    return lines
