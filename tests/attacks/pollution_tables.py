"""Clean tables of several shapes, and how they are written as delimited text.

What `pollution` damages: the rows are known cell by cell, so what a reader makes of
a damaged file can be compared with them exactly. Every table is drawn from its own
seed and is the same in every run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

SEED = 50
"""Second part of every seed here: [SEED, number of the table]."""

Row = tuple[str, ...]

_FIRST = ("Ann", "Bob", "Zoë", "O'Hara", "Jürgen", "Mei-Ling", "D'Arcy", "Łukasz", "Eve", "Ada")
_LAST = ("Smith", "van der Berg", "García", "Jones", "Ng", "Müller", "Okafor", "Brown")
_WARES = ("mug, large", 'disk 3.5"', "pen", "paper, A4, white", "lamp", 'cable "Pro"', "desk")
_TALK = (
    "arrived late, but whole",
    'he said "never again", twice',
    "two lines\nin one cell",
    "plain",
    "",
    "100% sure; maybe",
    'ends with a quote "',
)


@dataclass(frozen=True)
class CleanTable:
    """A table and how it is written.

    Attributes:
        name: Its shape in a word.
        names: Column names.
        rows: Cells as text, each row as wide as `names`.
        separator: Between cells.
        quote: Around cells that need it.
        quotes_all: Whether every cell is quoted.
    """

    name: str
    names: Row
    rows: tuple[Row, ...]
    separator: str = ","
    quote: str = '"'
    quotes_all: bool = False

    def cell(self, text: str) -> str:
        """Write one cell."""
        marks = (self.separator, self.quote, "\n", "\r")
        has_outer_space = self.separator == " " and (not text or " " in text)
        if not (self.quotes_all or has_outer_space or any(mark in text for mark in marks)):
            return text
        return self.quote + text.replace(self.quote, self.quote * 2) + self.quote

    def cells(self, row: Sequence[str]) -> list[str]:
        """Write the cells of a row."""
        return [self.cell(text) for text in row]

    def record(self, row: Sequence[str]) -> str:
        """Write a row, without its line end."""
        return self.separator.join(self.cells(row))

    def records(self) -> list[str]:
        """Write the header and every row."""
        return [self.record(self.names), *map(self.record, self.rows)]

    def text(self, end: str = "\n") -> str:
        """Write the whole file; line ends inside cells stay as they are."""
        return "".join(record + end for record in self.records())

    def written(self, **changes: object) -> "CleanTable":
        """Return the same rows written in another way."""
        return replace(self, **changes)  # type: ignore[arg-type]


def clean_tables(n_rows: int = 240) -> tuple[CleanTable, ...]:
    """Make one table of each shape, `n_rows` rows each."""
    return tuple(
        make(n_rows, np.random.default_rng([SEED, number])) for number, make in enumerate(_MAKERS)
    )


def _one(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def _day(rng: np.random.Generator) -> str:
    return f"20{rng.integers(10, 25)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}"


def _orders(n_rows: int, rng: np.random.Generator) -> CleanTable:
    names = ("day", "time", "quantity", "product_id", "price", "ware", "about", "link", "comment")
    rows = tuple(
        (
            _day(rng),
            f"{rng.integers(24):02d}:{rng.integers(60):02d}",
            str(rng.integers(1, 40)),
            f"P{rng.integers(10_000):04d}",
            f"{rng.uniform(1, 900):.2f}",
            _one(rng, _WARES),
            _one(rng, ("handy, light, cheap", "good", "n/a", "the best of its kind")),
            f"https://example.org/p?id={rng.integers(10_000)}&a=1",
            _one(rng, ("", "", "late", "gift, wrapped")),
        )
        for _ in range(n_rows)
    )
    return CleanTable("orders", names, rows)


def _people(n_rows: int, rng: np.random.Generator) -> CleanTable:
    rows = tuple(
        (
            f"{_one(rng, _FIRST)} {_one(rng, _LAST)}",
            _one(rng, ("", str(rng.integers(1, 99)))),
            _one(rng, ("Paris", "München", "São Paulo", "New York, NY")),
            _one(rng, ("", f"{rng.normal(40_000, 9_000):.0f}")),
            _one(rng, ("yes", "no")),
        )
        for _ in range(n_rows)
    )
    return CleanTable("people", ("name", "age", "city", "income", "married"), rows)


def _notes(n_rows: int, rng: np.random.Generator) -> CleanTable:
    rows = tuple(
        (str(at + 1), _one(rng, _TALK), _one(rng, ("good", "bad"))) for at in range(n_rows)
    )
    return CleanTable("notes", ("number", "said", "mood"), rows)


def _measures(n_rows: int, rng: np.random.Generator) -> CleanTable:
    rows = tuple(
        (f"{a:.4f}", f"{b:.2e}", str(int(c)), f"{d:.1f}")
        for a, b, c, d in rng.normal(0, 50, size=(n_rows, 4))
    )
    return CleanTable("measures", ("x", "y", "n", "z"), rows)


def _euro(n_rows: int, rng: np.random.Generator) -> CleanTable:
    rows = tuple(
        (
            f"{rng.integers(1, 29):02d}.{rng.integers(1, 13):02d}.2023",
            f"{rng.uniform(0, 90):.2f}".replace(".", ","),
            f"{rng.uniform(0, 90):.1f}".replace(".", ","),
            _one(rng, ("Köln", "Aachen; Mitte", "Bonn")),
            str(rng.integers(2)),
        )
        for _ in range(n_rows)
    )
    return CleanTable("euro", ("Tag", "Preis", "Menge", "Ort", "bezahlt"), rows, separator=";")


def _words(n_rows: int, rng: np.random.Generator) -> CleanTable:
    rows = tuple(
        (
            _one(rng, ("red", "blue", "dark green", "white")),
            _one(rng, ("small", "big", "huge")),
            _one(rng, ("wood", "steel", "glass, clear")),
            _one(rng, ("keep", "drop")),
        )
        for _ in range(n_rows)
    )
    return CleanTable("words", ("colour", "size", "stuff", "verdict"), rows, separator="\t")


def _pairs(n_rows: int, rng: np.random.Generator) -> CleanTable:
    rows = tuple((f"{rng.normal():.3f}", _one(rng, ("a", "b", "c"))) for _ in range(n_rows))
    return CleanTable("pairs", ("value", "label"), rows)


def _quoted(n_rows: int, rng: np.random.Generator) -> CleanTable:
    rows = tuple(
        (str(at), _one(rng, _TALK), f"{rng.normal():.3f}", _day(rng), _one(rng, ("", "x")))
        for at in range(n_rows)
    )
    names = ("row", "text", "value", "day", "mark")
    return CleanTable("quoted", names, rows, quotes_all=True)


def _log(n_rows: int, rng: np.random.Generator) -> CleanTable:
    rows = tuple(
        (
            f"{_day(rng)}T{rng.integers(24):02d}:00:00Z",
            _one(rng, ("INFO", "WARN", "ERROR")),
            _one(rng, ("GET /a,b", "PUT /c;d", 'said "no"')),
            str(rng.integers(100, 600)),
            f"{rng.exponential():.5f}",
            _one(rng, ("", "-", "n1")),
        )
        for _ in range(n_rows)
    )
    return CleanTable("log", ("when", "level", "what", "status", "took", "node"), rows, "|")


_MAKERS: tuple[Callable[[int, np.random.Generator], CleanTable], ...] = (
    _orders,
    _people,
    _notes,
    _measures,
    _euro,
    _words,
    _pairs,
    _quoted,
    _log,
)
