"""One input of bytes for each of the readers: what the fuzzer feeds, and the tests replay.

The first byte says which reader takes the rest. An error of the caller's is an answer;
any other exception is a fault, as is a table that breaks what its reader promises.
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import polars as pl

from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read import apply_schema, infer_schema, read_table
from assay.read.dates import find_date_format, parse_dates
from assay.read.numbers import find_number_format, is_ambiguous, parse_numbers
from assay.read.source import NamedBytes
from assay.recipe import Recipe
from assay.table import Table

CORPUS = Path(__file__).parent / "corpus" / "read"
"""Inputs that led the fuzzer to new code, one a file."""

MAX_BYTES = 4096
"""Longest input that the fuzzer makes."""


def feed(data: bytes) -> None:
    """Give the bytes after the first to the reader that the first byte names.

    Raises:
        Exception: Any but `UserError`: a fault of the reader.
    """
    if not data:
        return
    reader = READERS[data[0] % len(READERS)]
    try:
        reader(data[1:])
    except UserError as error:
        text = str(error)
        if "\n" in text or not text:
            raise AssertionError(f"an error is one line, not {text!r}") from error


def _delimited(data: bytes) -> None:
    _use(_read(data, "x.csv", ReadRecipe()))


def _delimited_by_recipe(data: bytes) -> None:
    # Two bytes choose among options, so that each is fuzzed with each.
    if len(data) < 3:
        return
    first, second = data[0], data[1]
    recipe = ReadRecipe(
        separator=("auto", ",", ";", " ", "|", "\t", "^", "\\")[first & 7],
        quote=("auto", '"', "'", "^", "|", "\\", "]", "-")[first >> 3 & 7],
        header=("auto", True, False, "auto")[first >> 6],
        comment=("auto", "none", "#", "a")[second & 3],
        encoding=("auto", "utf-8", "utf-16", "cp1252", "gbk", "utf-7", "shift_jis", "utf-32")[
            second >> 2 & 7
        ],
        names=((), ("a", "b"), ("a", "b", "c"), ("x",))[second >> 5 & 3],
        max_bad_rows=0.5 if second >> 7 else 0.01,
    )
    _use(_read(data[2:], "x.csv", recipe, allow_empty=bool(first & 1)))


def _any_file(data: bytes) -> None:
    _use(_read(data, "x", ReadRecipe()))


def _json(data: bytes) -> None:
    _use(_read(data, "x.json", ReadRecipe()))


def _json_lines(data: bytes) -> None:
    _use(_read(data, "x.jsonl", ReadRecipe()))


def _cells(data: bytes) -> None:
    cells = pl.Series("x", data.decode("utf-8", errors="replace").split("\n"), dtype=pl.String)
    text = cells.str.strip_chars()
    found = find_number_format(text.unique(maintain_order=True))
    if found is not None:
        is_ambiguous(text, found)
        assert len(parse_numbers(text, found)) == len(text)
    dates = find_date_format(text.unique(maintain_order=True))
    if dates is not None:
        assert len(parse_dates(text, dates.format)) == len(text)
    _use(Table(cells.to_frame(), source="x"))


def _recipe(data: bytes) -> None:
    recipe = Recipe.from_toml(data.decode("utf-8", errors="replace"))
    assert Recipe.from_toml(recipe.to_toml()) == recipe


READERS: tuple[Callable[[bytes], None], ...] = (
    _delimited,
    _delimited_by_recipe,
    _any_file,
    _json,
    _json_lines,
    _cells,
    _recipe,
)


def _read(data: bytes, name: str, recipe: ReadRecipe, *, allow_empty: bool = False) -> Table:
    ledger = Ledger()
    table = read_table(NamedBytes(data, name), recipe, ledger, allow_empty=allow_empty)
    assert len(set(table.names)) == len(table.names) > 0
    for entry in ledger:
        str(entry).encode()  # What is told can be written down.
    for name in table.names:
        name.encode()
    return table


def _use(table: Table) -> None:
    # A table that was read is also understood: kinds are guessed, and cells cast by them.
    recipe = Recipe(read=ReadRecipe(infinite="missing"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logging.getLogger("assay").setLevel(logging.ERROR)
        schema = infer_schema(table, recipe, Ledger())
        typed = apply_schema(table, schema, recipe, is_training=True)
    assert typed.n_rows == table.n_rows


def seeds() -> Iterator[bytes]:
    """Yield inputs to begin with: small files of many shapes, for each reader."""
    from attacks.pollution_files import file_cases
    from attacks.pollution_tables import clean_tables

    for at, case in enumerate(file_cases(clean_tables(4))):
        if len(case.data) < MAX_BYTES // 2 and at % 7 == 0:
            yield bytes((0,)) + case.data
            yield bytes((1, at % 256, at * 7 % 256)) + case.data
    for reader, text in _TEXTS:
        yield bytes((reader,)) + text.encode()
    for (_, before), (_, after) in pairwise(_TEXTS):
        yield bytes((2,)) + (before + after).encode()


_TEXTS = (
    (3, '[{"a": 1, "b": "x"}, {"a": 2.5, "b": null}]'),
    (3, '{"a": [1, 2], "b": {"0": "x", "1": "y"}}'),
    (3, '[{"a": {"b": [1, 2]}, "c": true}, {"a": 1e999}]'),
    (4, '{"a": 1}\n{"a": 2, "b": "x"}\n\n{"a": [1, {"c": 2}]}\n'),
    (5, "1,234.50\n7\n$5\n"),
    (5, "1.234,5 €\n7 €\n"),
    (5, "31/12/2020\n01/02/2021\n"),
    (5, "2020-01-01T10:00:00Z\n2020-01-02T10:00:00.5+02\n"),
    (5, "Jan 5, 2020 01:30 PM\nFeb 6, 2021 11:00 AM\n"),
    (5, "yes\nno\nNA\n007\n1e400\n-inf\nnan\n12%\n"),
    (6, 'target = "y"\n[train]\nepochs = 5\n[kinds]\na = "text"\n'),
    (6, '[read]\nseparator = ";"\nnames = ["a", "b"]\nmax_bad_rows = 0.5\n'),
    (6, '[derive]\nsize = "a + b"\n[split]\nfolds = 0\nmembers = 3\nvalidation_share = 0.2\n'),
)
