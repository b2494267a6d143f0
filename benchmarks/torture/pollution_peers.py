"""Other readers of delimited text, at the files of `pollution`: rows of text, or an error."""

import csv
import io
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl

from attacks.pollution import Case, Reading

Rows = Iterable[Iterable[object]]


def _reading(names: Iterable[object], rows: Rows) -> Reading:
    return Reading(
        tuple(str(name) for name in names),
        tuple(tuple("" if cell is None else str(cell) for cell in row) for row in rows),
    )


def _caught(read: Callable[[Case], Reading]) -> Callable[[Case], Reading]:
    def safely(case: Case) -> Reading:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return read(case)
        except Exception as error:
            return Reading(error=str(error) or repr(error))

    return safely


def _csv_told(case: Case) -> Reading:
    # Rows of another width are left out, as a careful caller would.
    csv.field_size_limit(2**31 - 1)
    text = io.StringIO(case.data.decode("utf-8", errors="replace"), newline="")
    names, *rows = csv.reader(text, delimiter=case.table.separator)
    return _reading(names, (row for row in rows if len(row) == len(names)))


def _csv_sniffed(case: Case) -> Reading:
    text = case.data.decode("utf-8", errors="replace")
    dialect = csv.Sniffer().sniff(text[:20_000])
    names, *rows = csv.reader(io.StringIO(text, newline=""), dialect)
    return _reading(names, (row for row in rows if len(row) == len(names)))


def _duckdb(options: str) -> Callable[[Case], Reading]:
    connection = duckdb.connect()

    def read(case: Case) -> Reading:
        with tempfile.NamedTemporaryFile(suffix=".csv") as file:
            Path(file.name).write_bytes(case.data)
            query = f"select * from read_csv(?, all_varchar=true{options})"
            found = connection.execute(query, [file.name])
            names = [column[0] for column in found.description or ()]
            return _reading(names, found.fetchall())

    return read


def _polars(case: Case) -> Reading:
    frame = pl.read_csv(
        case.data, separator=case.table.separator, infer_schema=False, truncate_ragged_lines=True
    )
    return _reading(frame.columns, frame.rows())


def _pandas(case: Case) -> Reading:
    frame = pd.read_csv(
        io.BytesIO(case.data),
        sep=case.table.separator,
        dtype=str,
        keep_default_na=False,
        on_bad_lines="skip",
        encoding_errors="replace",
        index_col=False,
    )
    return _reading(frame.columns, frame.itertuples(index=False))


PEERS: dict[str, Callable[[Case], Reading]] = {
    "csv told the separator": _caught(_csv_told),
    "csv.Sniffer": _caught(_csv_sniffed),
    "DuckDB, sniffing": _caught(_duckdb("")),
    "DuckDB, ignore_errors": _caught(_duckdb(", ignore_errors=true, strict_mode=false")),
    "Polars told the separator": _caught(_polars),
    "pandas told the separator": _caught(_pandas),
}
"""Readers by name; those told the separator know more than assay does."""
