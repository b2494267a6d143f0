"""The verb `predict`: a model file and rows in, labels and probabilities out."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.choices import JsonOption, ModelArgument
from assay.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from assay.estimator import Model
    from assay.table import Table

LABEL, PROBA, CONFIDENCE = "label", "proba", "confidence"


def predict(
    model_path: ModelArgument,
    table: Annotated[
        str | None,
        typer.Argument(metavar="[TABLE]", help="A file, - for standard input, or a database URL."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help=".csv, .parquet or .jsonl; default: print CSV."
        ),
    ] = None,
    record: Annotated[
        str | None,
        typer.Option("--record", metavar="JSON", help="One record, or a list, instead of TABLE."),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="NAMES",
            help="What to write, by commas: columns of TABLE, label, proba, confidence.",
        ),
    ] = None,
    format_name: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="csv, parquet or jsonl.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Predict the rows of a table, or one record.

    Written are the label and the probability of each class, in the order of the
    rows; --columns chooses otherwise.
    """
    from assay.cli.output import check_destination, choose_format, say_json, write_frame

    if (table is None) == (record is None):
        what = "no rows were given" if table is None else "TABLE and --record were both given"
        raise UserError(what, fix="Give a TABLE or --record, one of them")
    out = None if output == "-" else output
    kind = choose_format(out, format_name, is_json=as_json)
    if out is not None:
        check_destination(out, inputs=(model_path, table))

    from assay.estimator import load

    if record is not None:
        records = read_records(record)
        model = load(model_path)
        if out is None and columns is None and format_name is None:
            rows = _as_rows(model, records)
            _tell_ignored(model, rows)
            answers = answer(model, rows)
            say_json(answers if record.lstrip().startswith("[") else answers[0])
            return
        rows = _as_rows(model, records)
    else:
        model = load(model_path)
        rows = read_rows(model, str(table))
    _tell_ignored(model, rows)
    proba = model.predict_proba(rows)
    write_frame(predictions(model, rows, proba, split_names(columns)), out, kind)


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
        data = json.loads(text)
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


def read_rows(model: "Model", source: str) -> "Table":
    """Read the rows of a table, every one of them, and tell what was noticed.

    Args:
        model: Tells how to read.
        source: A path, "-" for standard input, or a database URL.

    Raises:
        UserError: The table cannot be read, or some row of it cannot.
    """
    from assay.cli.output import tell
    from assay.ledger import Ledger

    ledger = Ledger()
    # A model that names the columns may read twice, which standard input does not allow.
    is_read_twice = source == "-" and bool(model.recipe.read.names)
    table = model.read(sys.stdin.buffer.read() if is_read_twice else source, ledger)
    for entry in ledger:
        tell(str(entry))
    return table


def _as_rows(model: "Model", records: list[dict[str, Any]]) -> "Table":
    return replace(model.read(records), source="--record")


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
    model: "Model", rows: "Table", proba: "np.ndarray", names: Sequence[str] | None = None
) -> "pl.DataFrame":
    """Return what is written: one row for each row of the table.

    Args:
        model: Gives the classes.
        rows: N rows as read.
        proba: Their probabilities, shape (N, C).
        names: Columns to write; label and probabilities when None. `label`, `proba`
            and `confidence` always mean the prediction.

    Raises:
        UserError: A name that is neither, or one that occurs twice.
    """
    import polars as pl

    chosen = [LABEL, PROBA] if names is None else names
    series: list[pl.Series] = []
    for name in chosen:
        if name == LABEL:
            series.append(
                pl.Series(LABEL, model.classes[proba.argmax(axis=1)].tolist(), _type(model))
            )
        elif name == PROBA:
            classes = model.evaluation["classes"]
            series += [pl.Series(f"proba_{one}", proba[:, k]) for k, one in enumerate(classes)]
        elif name == CONFIDENCE:
            series.append(pl.Series(CONFIDENCE, proba.max(axis=1)))
        elif name in rows.names:
            series.append(_verbatim(rows.column(name)))
        else:
            known = [*rows.names, LABEL, PROBA, CONFIDENCE]
            raise UserError(
                f"there is no column {name!r}", where="--columns", fix=did_you_mean(name, known)
            )
    _check_distinct([one.name for one in series])
    return pl.DataFrame(series)


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
    for name in names:
        if names.count(name) > 1:
            raise UserError(
                f"two columns would be called {name!r}", where="--columns", fix="Leave one out"
            )


def _tell_ignored(model: "Model", rows: "Table") -> None:
    from assay.cli.layout import counted, listing
    from assay.cli.output import tell

    extra = [name for name in rows.names if name not in model.schema]
    if extra:
        tell(f"{counted(len(extra), 'column')} of the table not used: {listing(extra)}")


def answer(model: "Model", rows: "Table") -> list[dict[str, Any]]:
    """Return for each row {label, proba {class: probability}}."""
    proba = model.predict_proba(rows)
    labels = model.classes[proba.argmax(axis=1)].tolist()
    classes = model.evaluation["classes"]
    return [
        {LABEL: label, PROBA: dict(zip(classes, shares.tolist(), strict=True))}
        for label, shares in zip(labels, proba, strict=True)
    ]
