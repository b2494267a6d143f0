"""A table in memory: Polars columns with the name of where they came from.

Readers make tables; everything above selects rows and columns of them. No file
is opened here.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from polars.exceptions import ColumnNotFoundError

from assay.errors import UserError, did_you_mean


@dataclass(frozen=True)
class Table:
    """Rows and named columns.

    Attributes:
        frame: The data, N rows.
        source: Where it came from, for messages ("titanic.csv").
    """

    frame: pl.DataFrame
    source: str = "table"

    @property
    def n_rows(self) -> int:
        """Number of rows N."""
        return self.frame.height

    @property
    def names(self) -> list[str]:
        """Column names, in order."""
        return self.frame.columns

    def column(self, name: str) -> pl.Series:
        """Return one column.

        Raises:
            UserError: The table has no such column; the nearest name is offered.
        """
        try:  # asking for all names first would cost 10,000 columns 30 seconds
            return self.frame.get_column(name)
        except ColumnNotFoundError:
            raise UserError(
                f"there is no column {name!r}",
                where=self.source,
                fix=did_you_mean(name, self.names),
            ) from None

    def give_up(self) -> dict[str, pl.Series]:
        """Return all columns by name; whoever takes them is their only owner.

        The table keeps its names, with no cells in them. To drop its columns one by one
        would take 100,000 of them an hour.

        Example:
            >>> table = Table(pl.DataFrame({"x": [1, 2]}))
            >>> table.give_up()["x"].to_list(), table.column("x").to_list()
            ([1, 2], [None, None])
        """
        columns = self.frame.get_columns()
        nothing = pl.Series([None] * self.n_rows, dtype=pl.Null)
        for idx, column in enumerate(columns):
            self.frame.replace_column(idx, nothing.alias(column.name))
        return {column.name: column for column in columns}

    def take(self, row_idx: np.ndarray) -> "Table":
        """Return the rows at `row_idx`, shape (M,), integers in [0, N)."""
        return self.with_frame(self.frame[row_idx])

    def drop(self, names: Iterable[str]) -> "Table":
        """Return the table without the named columns; unknown names are ignored."""
        return self.with_frame(self.frame.drop(list(names), strict=False))

    def with_frame(self, frame: pl.DataFrame) -> "Table":
        """Return a table of other data with the same source."""
        return Table(frame=frame, source=self.source)
