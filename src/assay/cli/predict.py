"""The verb `predict`: a model file and rows in, labels and probabilities out."""

from collections import Counter
from collections.abc import Sequence
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
from assay.cli.decided import CostOption, CoverageOption, DecideOption, Outcome
from assay.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import polars as pl

    from assay.cli.talk import Talk
    from assay.model import Model
    from assay.table import Table

LABEL, PROBA, CONFIDENCE, SET, FLAGS = "label", "proba", "confidence", "set", "flags"


def predict(
    model_path: ModelArgument,
    table: OptionalTable = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help=".csv, .parquet or .jsonl; default: print CSV."
        ),
    ] = None,
    record: RecordOption = None,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="NAMES",
            help="What to write, by commas: columns of TABLE, label, proba, confidence, set.",
        ),
    ] = None,
    format_name: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="csv, parquet or jsonl.")
    ] = None,
    decide: DecideOption = None,
    cost: CostOption = None,
    coverage: CoverageOption = None,
    sql: SqlOption = None,
    fill_missing: FillMissingOption = False,
    has_flags: Annotated[
        bool,
        typer.Option(
            "--flags",
            help="Say of each row what is odd about it, and of the table whether it has drifted; "
            "cells that do not fit their column are then missing.",
        ),
    ] = False,
    is_excel_safe: ExcelSafeOption = False,
    as_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Predict the rows of a table, or one record.

    Written are the label and the probability of each class, in the order of the
    rows; --columns chooses otherwise. --decide takes the label by costs, by a
    threshold, or gives one to those rows only that are sure enough.
    """
    from assay.cli.decided import choose_decisions, crowded, decided
    from assay.cli.guarded import guard_rows
    from assay.cli.output import check_destination, choose_format, say_json, write_frame
    from assay.cli.spreadsheet import check_is_csv, spreadsheet_safe
    from assay.cli.talk import talking

    _check_rows_given(table, record, sql)
    out = None if output == "-" else output
    kind = choose_format(out, format_name, is_json=as_json)
    if is_excel_safe:
        check_is_csv(kind)
    if out is not None:
        check_destination(out, inputs=(model_path, table, cost))

    records = None if record is None else read_records(record)
    with talking(is_quiet=is_quiet) as talk:
        model = _open(model_path, fills=fill_missing, marks=has_flags)
        chosen = choose_decisions(model, decide, cost, coverage)
        if records is None:
            rows = read_rows(model, str(table), talk, sql=sql or "")
        else:
            rows = replace(model.read(records), source="--record")
        _tell_ignored(model, rows, talk)
        proba = model.predict_proba(rows)
        outcome = decided(model, proba, chosen)
        if (told := crowded(model, outcome, chosen)) is not None:
            talk(told)
        if has_flags:
            outcome = replace(outcome, flags=guard_rows(model, rows, proba, talk))
    if record is not None and (out, columns, format_name) == (None, None, None):
        answers = answer(model, outcome)
        say_json(answers if record.lstrip().startswith("[") else answers[0])
        return
    frame = predictions(model, rows, outcome, split_names(columns))
    frame = frame if kind != "csv" else _flat(frame)
    write_frame(spreadsheet_safe(frame) if is_excel_safe else frame, out, kind)


def _check_rows_given(table: str | None, record: str | None, sql: str | None) -> None:
    if (table is None) == (record is None):
        what = "no rows were given" if table is None else "TABLE and --record were both given"
        raise UserError(what, fix="Give a TABLE or --record, one of them")
    if record is not None and sql is not None:
        raise UserError("--sql and --record were both given", fix="Give one of them")


def _open(path: str, *, fills: bool, marks: bool) -> "Model":
    from assay.estimator import load

    model = load(path)
    model = model.filling_missing() if fills else model
    return model.marking_invalid() if marks else model


def read_records(text: str) -> list[dict[str, Any]]:
    """Return the records of `--record`.

    Raises:
        UserError: Not JSON, or neither an object nor a list of objects.

    Example:
        >>> read_records('{"age": 30}')
        [{'age': 30}]
    """
    import json

    try:
        data = json.loads(text, parse_int=_whole_number)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(
            f"not valid JSON: {error}",
            where="--record",
            fix="""Quote it for the shell, such as --record '{"age": 30}'""",
        ) from None
    records = data if isinstance(data, list) else [data]
    if not records or not all(isinstance(one, dict) and one for one in records):
        raise UserError(
            "neither an object nor a list of objects", where="--record", fix="Name the columns"
        )
    return records


def _whole_number(digits: str) -> int:
    try:
        number = int(digits)  # ValueError beyond 4,300 digits
        float(number)
    except (ValueError, OverflowError):
        what = f"{digits[:12]}… is a whole number of {len(digits.lstrip('-')):,} digits"
        raise UserError(what, where="--record", fix="Give a shorter one") from None
    return number


def read_rows(model: "Model", source: str, talk: "Talk", *, sql: str = "") -> "Table":
    """Read the rows of a table, every one of them, and tell what was noticed.

    Args:
        model: Tells how to read.
        source: A path, "-" for standard input, or a database URL.
        talk: Is told.
        sql: Query to run where the table is a database; that of the recipe is not.

    Raises:
        UserError: The table cannot be read, or some row of it cannot.
    """
    from assay.cli.choices import open_source
    from assay.ledger import Ledger

    ledger = Ledger()
    table = model.read(open_source(source), ledger, sql=sql)
    for entry in ledger:
        talk(str(entry))
    return table


def split_names(text: str | None) -> list[str] | None:
    """Return the names in `--columns`; quotes hold a name with a comma together.

    Example:
        >>> split_names('id,"a, b",label')
        ['id', 'a, b', 'label']
    """
    import csv

    if text is None:
        return None
    found = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
    return found or [""]


def predictions(
    model: "Model", rows: "Table", outcome: Outcome, names: Sequence[str] | None = None
) -> "pl.DataFrame":
    """Return what is written: one row for each row of the table.

    Args:
        model: Gives the classes.
        rows: N rows as read.
        outcome: What was decided for them.
        names: Columns to write; label, set if there is one, and probabilities when None.
            `label`, `proba`, `confidence`, `set` and `flags` always mean the prediction.
            Flags that were asked for are written in any case.

    Raises:
        UserError: A name that is neither, or one that occurs twice.
    """
    import polars as pl

    proba, own = outcome.proba, [LABEL, PROBA, CONFIDENCE]
    usual = [LABEL, PROBA]
    if outcome.sets is not None:
        own, usual = [*own, SET], [LABEL, SET, PROBA]
    chosen = list(usual if names is None else names)
    if outcome.flags is not None:
        own.append(FLAGS)
        chosen += [] if FLAGS in chosen else [FLAGS]
    series: list[pl.Series] = []
    for name in chosen:
        if name == LABEL:
            series.append(pl.Series(LABEL, outcome.labels, _type(model)))
        elif name == SET and outcome.sets is not None:
            series.append(pl.Series(SET, outcome.sets, pl.List(_type(model))))
        elif name == FLAGS and outcome.flags is not None:
            series.append(pl.Series(FLAGS, outcome.flags, pl.List(pl.String)))
        elif name == PROBA:
            classes = model.evaluation["classes"]
            series += [pl.Series(f"proba_{one}", proba[:, k]) for k, one in enumerate(classes)]
        elif name == CONFIDENCE:
            series.append(pl.Series(CONFIDENCE, proba.max(axis=1)))
        elif name in rows.names:
            series.append(_verbatim(rows.column(name)))
        else:
            near = did_you_mean(name, [*rows.names, *own])
            fix = "Give --decide set as well" if name == SET else near
            raise UserError(f"there is no column {name!r}", where="--columns", fix=fix)
    _check_distinct([one.name for one in series])
    return pl.DataFrame({one.name: one for one in series})


def _flat(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Return the table with sets as JSON text and flags as text: CSV holds no lists."""
    import json

    import polars as pl

    if FLAGS in frame.columns and frame[FLAGS].dtype == pl.List:
        flags = frame[FLAGS].list.join("; ").replace("", None)
        frame = frame.with_columns(flags.alias(FLAGS))
    if SET not in frame.columns or frame[SET].dtype != pl.List:
        return frame
    texts = [json.dumps(one, ensure_ascii=False) for one in frame[SET].to_list()]
    return frame.with_columns(pl.Series(SET, texts, pl.String))


def _type(model: "Model") -> "pl.DataType | type[pl.DataType]":
    import polars as pl

    kinds = {"i": pl.Int64, "f": pl.Float64, "b": pl.Boolean}
    return kinds.get(model.classes.dtype.kind, pl.String)


def _verbatim(column: "pl.Series") -> "pl.Series":
    """Return the cells as they are; an empty cell of a text file stays empty, not quoted."""
    import polars as pl

    if column.dtype == pl.String:
        return column.replace("", None)
    return column


def _check_distinct(names: Sequence[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise UserError(
                f"two columns would be called {name!r}", where="--columns", fix="Leave one out"
            )


def _tell_ignored(model: "Model", rows: "Table", talk: "Talk") -> None:
    from assay.cli.layout import counted, listing

    extra = [name for name in rows.names if name not in model.schema]
    if extra:
        talk(f"{counted(len(extra), 'column')} of the table not used: {listing(extra)}")


def answer(model: "Model", outcome: Outcome) -> list[dict[str, Any]]:
    """Return for each row {label, proba {class: probability}}, with set and flags if known."""
    classes = model.evaluation["classes"]
    answers: list[dict[str, Any]] = []
    for idx, label in enumerate(outcome.labels):
        sets = {} if outcome.sets is None else {SET: outcome.sets[idx]}
        shares = dict(zip(classes, outcome.proba[idx].tolist(), strict=True))
        flags = {} if outcome.flags is None else {FLAGS: outcome.flags[idx]}
        answers.append({LABEL: label, **sets, PROBA: shares, **flags})
    return answers
