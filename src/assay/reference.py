"""The reference: what the training table looked like, column by column.

Comes in: the cast columns of the training table. Goes out: a summary that the model
file carries, so that new rows can be compared with it (`guard`, `evaluate.drift`)
and a column can be given its usual values (`explain`). No row is stored: columns are
summed up one by one. What is stored of single cells: the smallest and the largest
number or date, and cut points between which at least `LEAST_CELLS` cells lie; of texts
only their lengths; of levels only those that occur `LEAST_CELLS` times or more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from assay.schema import ColumnSpec, Kind, Schema
from assay.table import Table

LEAST_CELLS = 5
"""Cells behind each thing that is told of a column, its two ends excepted."""

MAX_LEVELS = 100
"""Commonest levels that are listed; the others are counted together."""

MAX_POINTS, WIDE_POINTS = 101, 21
"""Most cut points of a column, and of one of more than `WIDE_COLUMNS`."""

WIDE_COLUMNS = 200

_MOST_TOLD = 1_000_000
"""Cut points, and levels, of all columns together; each column tells up to 5."""


@dataclass(frozen=True)
class ColumnReference:
    """One raw column of the training table.

    Attributes:
        name: The column.
        kind: Its kind.
        n_rows: N of the table.
        n_missing: Cells without a value.
        points: Rising values, from the smallest to the largest: numbers; dates as
            microseconds since 1970; of a text its number of characters. Empty for
            levels, and where no cell has a value.
        counts: For each point, how many cells are not above it.
        levels: Levels from the commonest on, as `read.cast` writes them.
        level_counts: Cells of each.
        n_others: Cells of all levels that are not listed.
    """

    name: str
    kind: Kind
    n_rows: int
    n_missing: int
    points: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    levels: tuple[str, ...] = ()
    level_counts: tuple[int, ...] = ()
    n_others: int = 0

    @property
    def has_levels(self) -> bool:
        """Whether it holds levels rather than numbers, dates or texts."""
        return self.kind in (Kind.CATEGORICAL, Kind.BOOLEAN)

    @property
    def n_present(self) -> int:
        """Cells with a value."""
        return self.n_rows - self.n_missing

    @property
    def missing_share(self) -> float:
        """Share of cells without a value, 0 for a table without rows."""
        return self.n_missing / self.n_rows if self.n_rows else 0.0

    def quantiles(self, shares: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return cut points at shares of the cells, shape (Q,), float64.

        Each is a point that was seen: the lowest with at least the share not above it.

        Args:
            shares: Each in [0, 1]; shape (Q,).
        """
        wanted = np.asarray(shares, np.float64) * self.n_present
        idx = np.searchsorted(np.asarray(self.counts), wanted, side="left")
        points: np.ndarray = np.asarray(self.points, np.float64)[idx]
        return points

    @classmethod
    def fit(
        cls,
        cells: pl.Series,
        spec: ColumnSpec,
        *,
        max_points: int = MAX_POINTS,
        max_levels: int = MAX_LEVELS,
    ) -> "ColumnReference":
        """Sum up one cast column, shape (N,)."""
        found = cls(spec.name, spec.kind, len(cells), cells.null_count())
        if found.has_levels:
            return _with_levels(found, cells, max_levels)
        return _with_points(found, ordered_values(cells, spec.kind), max_points)


@dataclass(frozen=True)
class PredictionReference:
    """What a model predicted for rows that it had not learnt from.

    Attributes:
        n_rows: Rows predicted.
        shares: Mean probability of each class, (C,).
    """

    n_rows: int
    shares: tuple[float, ...]

    @classmethod
    def fit(cls, proba: np.ndarray) -> "PredictionReference":
        """Sum up probabilities, shape (N, C); rows that hold NaN are left out."""
        known = proba[np.isfinite(proba).all(axis=1)].astype(np.float64)
        shares = known.sum(axis=0) / max(len(known), 1)
        return cls(len(known), tuple(np.round(shares, 9).tolist()))


@dataclass(frozen=True)
class Reference:
    """The training table, summed up.

    Attributes:
        n_rows: N, its labelled rows.
        columns: One for each raw column that the model reads, in the schema's order.
        predictions: Of rows that the model had not learnt from, or None.
    """

    n_rows: int
    columns: tuple[ColumnReference, ...]
    predictions: PredictionReference | None = None

    @classmethod
    def fit(cls, cast: Table, schema: Schema) -> "Reference":
        """Sum up a table.

        Args:
            cast: N rows, cast by `schema`; see `Preparation.cast`.
            schema: Of the raw columns; identifiers and constants are left out.

        Example:
            >>> ages = pl.Series("age", [31.0, None, 40.0])
            >>> spec = ColumnSpec("age", Kind.NUMERIC, "numbers")
            >>> found = Reference.fit(Table(pl.DataFrame([ages])), Schema((spec,)))["age"]
            >>> found.n_missing, found.points, found.counts
            (1, (31.0, 40.0), (1, 2))
        """
        specs = schema.features
        most = max(_MOST_TOLD // max(len(specs), 1), LEAST_CELLS)
        max_points = min(MAX_POINTS if len(specs) <= WIDE_COLUMNS else WIDE_POINTS, most)
        columns = (
            ColumnReference.fit(
                cast.column(spec.name),
                spec,
                max_points=max_points,
                max_levels=min(MAX_LEVELS, most),
            )
            for spec in specs
        )
        return cls(cast.n_rows, tuple(columns))

    def with_predictions(self, proba: np.ndarray) -> "Reference":
        """Return the same with what was predicted for rows left out.

        Args:
            proba: Probabilities, shape (M, C); rows that hold NaN are left out.
        """
        return replace(self, predictions=PredictionReference.fit(proba))

    def __getitem__(self, name: str) -> ColumnReference:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def typical(self) -> dict[str, list[float]]:
        """Return the three quartiles of each numeric column; none where all is missing."""
        numeric = (column for column in self.columns if column.kind == Kind.NUMERIC)
        return {
            column.name: column.quantiles([0.25, 0.5, 0.75]).tolist() if column.points else []
            for column in numeric
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {  # `asdict` would copy each of many numbers
            "n_rows": self.n_rows,
            "columns": tuple(dict(vars(column)) for column in self.columns),
            "predictions": None if self.predictions is None else dict(vars(self.predictions)),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Reference":
        """Rebuild from `to_dict`.

        Raises:
            ValueError, KeyError, TypeError: It is not what `to_dict` gives.
        """
        columns = tuple(_column_from_dict(column) for column in data["columns"])
        n_rows = int(data["n_rows"])
        if any(column.n_rows != n_rows for column in columns):
            raise ValueError("columns of different lengths")
        if len({column.name for column in columns}) < len(columns):
            raise ValueError("a column occurs twice")
        predictions = data["predictions"]
        return cls(n_rows, columns, predictions and _predictions_from_dict(predictions))


def ordered_values(cells: pl.Series, kind: Kind) -> np.ndarray:
    """Return what is compared of a cast column: numbers, microseconds or lengths.

    Args:
        cells: Shape (N,), numeric, datetime or text.
        kind: Its kind.

    Returns:
        The cells with a value, unsorted, shape (<= N,), float64.
    """
    present = cells.drop_nulls()
    if kind == Kind.TEXT:
        present = present.str.len_chars()
    elif kind == Kind.DATETIME:
        present = present.dt.epoch("us")
    return present.cast(pl.Float64).to_numpy()


def _with_points(column: ColumnReference, values: np.ndarray, max_points: int) -> ColumnReference:
    """Add cut points: even steps through the sorted values, at least 5 cells apart."""
    if not len(values):
        return column
    ordered = np.sort(values)
    n_points = min(max_points, max((len(ordered) - 1) // LEAST_CELLS, 1) + 1)
    places = np.round(np.linspace(0, len(ordered) - 1, n_points)).astype(np.int64)
    points = np.unique(ordered[places])
    counts = np.searchsorted(ordered, points, side="right")
    return replace(column, points=tuple(points.tolist()), counts=_ints(counts))


def _with_levels(column: ColumnReference, cells: pl.Series, max_levels: int) -> ColumnReference:
    """Add the commonest levels, equal counts in alphabetical order."""
    counted = cells.drop_nulls().alias("level").value_counts(name="n")
    common = counted.filter(pl.col("n") >= LEAST_CELLS)
    common = common.sort(["n", "level"], descending=[True, False]).head(max_levels)
    counts = tuple(common.get_column("n").to_list())
    return replace(
        column,
        levels=tuple(common.get_column("level").to_list()),
        level_counts=counts,
        n_others=column.n_present - sum(counts),
    )


def _ints(values: np.ndarray) -> tuple[int, ...]:
    return tuple(values.tolist())


def _column_from_dict(data: Mapping[str, Any]) -> ColumnReference:
    listed = {name: tuple(data[name]) for name in ("points", "counts", "levels", "level_counts")}
    column = ColumnReference(**{**data, **listed, "kind": Kind(data["kind"])})
    rising = np.diff(np.array(column.points, np.float64)), np.diff(np.array(column.counts))
    n_told = column.counts[-1] if column.counts else sum(column.level_counts) + column.n_others
    is_sound = (
        0 <= column.n_missing <= column.n_rows
        and len(column.points) == len(column.counts)
        and len(column.levels) == len(column.level_counts)
        and bool(np.isfinite(column.points).all())
        and all(bool((step > 0).all()) for step in rising)
        and min((*column.counts, *column.level_counts, column.n_others)) >= 0
        and n_told == column.n_present
    )
    if not is_sound:
        raise ValueError(f"a summary of {column.name!r} that does not add up")
    return column


def _predictions_from_dict(data: Mapping[str, Any]) -> PredictionReference:
    found = PredictionReference(int(data["n_rows"]), tuple(map(float, data["shares"])))
    if found.n_rows < 0 or not all(0.0 <= share <= 1.0 for share in found.shares):
        raise ValueError("a summary of predictions that does not add up")
    return found
