"""How large a table may be: what a file declares is judged before it is believed.

A file of some kilobytes can stand for terabytes: compressed, or as one long text that
a million rows refer to. The readers ask here before they unpack, and again while.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.amounts import parse_duration, parse_size, size_text
from assay.errors import UserError
from assay.machine import physical_bytes
from assay.options import ReadRecipe
from assay.read.wording import counted

MAX_NESTING = 64
"""Lists and objects that may stand inside each other; parsers are slow beyond, or fail."""

# Possessive: nothing is remembered for each letter of a text of megabytes.
_IN_QUOTES = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_LEAST_BYTES = 1024**3
_SHARE_OF_MEMORY = 0.5
BYTES_PER_CELL = 8
"""What a cell takes at the least."""

BYTES_PER_TEXT = 16
"""What a cell of text takes apart from its letters."""

BYTES_PER_SPLIT_CELL = 64
"""What a short cell takes while the line that holds it is split, as an object of Python."""


@dataclass(frozen=True)
class Caps:
    """How much of a table is read at the most.

    Attributes:
        max_bytes: Of the table, unpacked.
        max_columns: Columns.
        max_time_s: Seconds that a query may take.
        is_chosen: Whether a person set the bytes, and not the machine.
    """

    max_bytes: int
    max_columns: int
    max_time_s: float
    is_chosen: bool = False

    def check_bytes(self, n_bytes: int, where: str, *, what: str = "the table takes") -> None:
        """Refuse a table that is too large.

        Args:
            n_bytes: Bytes that it takes or declares.
            where: Name of the file.
            what: What stands before the number.

        Raises:
            UserError: They are more than `max_bytes`.
        """
        if n_bytes > self.max_bytes:
            raise UserError(
                f"{what} {size_text(n_bytes)}, more than {size_text(self.max_bytes)}",
                where=where,
                fix=self.fix(n_bytes),
            )

    def check_columns(self, n_columns: int, where: str) -> None:
        """Refuse a table of too many columns.

        Raises:
            UserError: They are more than `max_columns`.
        """
        if n_columns > self.max_columns:
            raise UserError(
                f"the table has {counted(n_columns, 'column')}, more than {self.max_columns:,}",
                where=where,
                fix=f"Leave some out, or allow them with read.max_columns = {n_columns}",
            )

    def check_cells(self, n_rows: int, n_columns: int, where: str) -> None:
        """Refuse a table whose cells alone are too many, whatever they hold.

        Raises:
            UserError: As of `check_columns` and `check_bytes`.
        """
        self.check_columns(n_columns, where)
        what = f"{counted(n_rows, 'row')} of {counted(n_columns, 'column')} take"
        self.check_bytes(n_rows * n_columns * BYTES_PER_CELL, where, what=what)

    def check_frame(self, frame: pl.DataFrame, where: str) -> None:
        """Refuse a frame whose cells, each written out, take too much.

        Raises:
            UserError: As of `check_columns` and `check_bytes`.
        """
        self.check_columns(frame.width, where)
        self.check_bytes(sum(map(written_bytes, frame.iter_columns())), where)

    def fix(self, n_bytes: int) -> str:
        """Return what to do about a table of `n_bytes` bytes."""
        gigabytes = -(-n_bytes // 10**9)
        return (
            "Take a sample of it, or, if you trust the file and have the memory, "
            f"allow it with read.max_bytes = {str(gigabytes) + 'G'!r}"
        )


def caps_of(recipe: ReadRecipe) -> Caps:
    """Return the caps of a recipe; without `read.max_bytes`, half of the memory there is.

    Example:
        >>> caps_of(ReadRecipe(max_bytes="2G")).max_bytes
        2000000000
    """
    is_chosen = bool(recipe.max_bytes)
    usual = max(_LEAST_BYTES, int(physical_bytes() * _SHARE_OF_MEMORY))
    return Caps(
        max_bytes=parse_size(recipe.max_bytes) if is_chosen else usual,
        max_columns=recipe.max_columns,
        max_time_s=parse_duration(recipe.max_time),
        is_chosen=is_chosen,
    )


def written_bytes(series: pl.Series) -> int:
    """Return the bytes of a column when each cell stands for itself.

    A text of a megabyte that all of a million rows refer to takes a terabyte so.
    """
    dtype = series.dtype
    series = series.alias("level")  # a name may look like a pattern of names to Polars
    if isinstance(dtype, pl.Categorical | pl.Enum):
        found = series.drop_nulls().value_counts()
        lengths = found["level"].cast(pl.String).str.len_bytes().cast(pl.Int64)
        n_bytes = (lengths * found["count"].cast(pl.Int64)).sum()
        return BYTES_PER_TEXT * len(series) + int(n_bytes or 0)
    if dtype == pl.String:
        return BYTES_PER_TEXT * len(series) + int(series.str.len_bytes().sum() or 0)
    if dtype == pl.Binary:
        return BYTES_PER_TEXT * len(series) + int(series.bin.size().sum() or 0)
    return max(BYTES_PER_CELL * len(series), int(series.estimated_size()))


def nesting(text: str | bytes, *, opening: str = "[{", closing: str = "]}") -> int:
    r"""Return how deep brackets stand inside each other, those in "..." left out.

    Example:
        >>> nesting('{"a": [1, "[[["]}'), nesting("1")
        (2, 0)
    """
    data = text.encode() if isinstance(text, str) else text
    bare = _IN_QUOTES.sub(b"", data) if b'"' in data else data
    marks = (opening + closing).encode()
    kept = np.frombuffer(bare.translate(None, _all_but(marks)), dtype=np.uint8)
    if not len(kept):
        return 0
    is_opening = np.isin(kept, list(opening.encode()))
    steps = np.where(is_opening, np.int8(1), np.int8(-1))
    return max(int(np.cumsum(steps, dtype=np.int32).max()), 0)


def _all_but(kept: Sequence[int]) -> bytes:
    return bytes(byte for byte in range(256) if byte not in kept)
