"""The rows that findings are looked for in: typed columns, classes and roles.

Of many rows a sample is looked at, the same one in every run. What is asked of a
column more than once (its numbers, its codes) is worked out here, once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.deal import sample_rows
from assay.schema import ColumnSpec, Kind, Schema

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

MIN_CLASS_ROWS = 10
"""Classes with fewer rows say nothing about a column."""

_MOST_ROWS = 100_000
_MOST_CELLS = 20_000_000
_LEAST_ROWS = 2_000
_N_BINS = 48  # at even shares of all rows
_CLASS_BINS = 8  # at even shares of one class's rows
_MOST_BINNED_CLASSES = 24


@dataclass(frozen=True)
class Column:
    """One column as it was cast: Float64, String or Datetime, missing null.

    Attributes:
        spec: What the column means, with the figures of the whole table.
        series: Its cells in the rows looked at, shape (N,).
    """

    spec: ColumnSpec
    series: pl.Series

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.spec.name

    @property
    def is_number(self) -> bool:
        """Whether the cells have an order: numbers and times."""
        return self.spec.kind in (Kind.NUMERIC, Kind.DATETIME)

    @cached_property
    def n_missing(self) -> int:
        """Missing cells in the rows looked at."""
        return self.series.null_count()

    @cached_property
    def is_missing(self) -> Mask:
        """Which cells are missing, (N,)."""
        mask: Mask = self.series.is_null().to_numpy()
        return mask

    @cached_property
    def numbers(self) -> Floats:
        """Numbers, or microseconds since 1970, NaN where missing, (N,)."""
        series = self.series
        if isinstance(series.dtype, pl.Datetime):
            series = series.dt.epoch("us")
        values: Floats = series.cast(pl.Float64).to_numpy()
        return values


@dataclass(frozen=True)
class Rows:
    """N rows with what is known of them.

    Attributes:
        columns: Typed columns that feed the networks.
        set_aside: Identifiers: no features, but they may tell who belongs together.
        y: Class index of each row, (N,); empty where no target is given.
        classes: C class names.
        row_idx: Numbers of these rows in the table, (N,), rising.
        n_rows: Rows of the table, of which these N are a sample.
        has_groups: Whether the split keeps groups together.
        has_time: Whether the split goes by time.
    """

    columns: tuple[Column, ...]
    set_aside: tuple[Column, ...]
    y: Ints
    classes: tuple[str, ...]
    row_idx: Ints
    n_rows: int
    has_groups: bool = False
    has_time: bool = False

    @classmethod
    def of(
        cls,
        frame: pl.DataFrame,
        schema: Schema,
        y: NDArray[np.integer] | None,
        classes: Sequence[str] = (),
        *,
        most: int = _MOST_ROWS,
        has_groups: bool = False,
        has_time: bool = False,
    ) -> "Rows":
        """Take the typed columns of a table, and at most `most` of its rows.

        Of many columns fewer rows are taken, so that no more than 20 million cells are
        in memory twice.
        """
        most = min(most, max(_MOST_CELLS // max(frame.width, 1), _LEAST_ROWS))
        row_idx = np.arange(frame.height, dtype=np.int64)[sample_rows(frame.height, most)]
        taken = frame if len(row_idx) == frame.height else frame[row_idx]
        series = {one.name: one for one in taken.get_columns()}
        columns = [Column(one, series[one.name]) for one in schema.columns if one.name in series]
        return cls(
            tuple(one for one in columns if one.spec.kind.is_feature),
            tuple(one for one in columns if one.spec.kind == Kind.IDENTIFIER),
            np.zeros(0, np.int64) if y is None else np.asarray(y, dtype=np.int64)[row_idx],
            tuple(classes),
            row_idx,
            frame.height,
            has_groups,
            has_time,
        )

    @property
    def n_looked_at(self) -> int:
        """N."""
        return len(self.row_idx)

    @property
    def n_classes(self) -> int:
        """C."""
        return len(self.classes)

    @cached_property
    def class_counts(self) -> Ints:
        """Rows of each class, (C,)."""
        return np.bincount(self.y, minlength=self.n_classes)

    @cached_property
    def hashes(self) -> NDArray[np.uint64]:
        """Of the features of each row, (N,): equal for copies."""
        frame = pl.DataFrame({str(at): one.series for at, one in enumerate(self.columns)})
        hashes: NDArray[np.uint64] = frame.hash_rows().to_numpy()
        return hashes

    @cached_property
    def _by_class(self) -> Ints:
        """Row numbers, those of one class after those of another, (N,)."""
        return np.argsort(self.y, kind="stable")

    def take(self, most: int) -> "Rows":
        """Return at most `most` of these rows."""
        chosen = sample_rows(self.n_looked_at, most)
        if isinstance(chosen, slice):
            return self
        return replace(
            self,
            columns=tuple(Column(one.spec, one.series[chosen]) for one in self.columns),
            set_aside=tuple(Column(one.spec, one.series[chosen]) for one in self.set_aside),
            y=self.y[chosen] if len(self.y) else self.y,
            row_idx=self.row_idx[chosen],
        )

    def codes(self, column: Column) -> tuple[Ints, int]:
        """Cut a column into bins, missing cells into one of their own.

        Numbers with few values keep them. Others are cut at even shares of all rows and
        at even shares, least and largest of each class, so that what separates a rare
        class falls between two bins. Words are their own bins.

        Returns:
            Codes, (N,), and how many there are. Code 0 is for missing cells.
        """
        if not column.is_number:
            codes = column.series.rank("dense").fill_null(0).to_numpy().astype(np.int64)
            return codes, int(codes.max(initial=0)) + 1
        values = column.numbers
        edges = self._edges(values)
        codes = np.searchsorted(edges, values, side="right")
        codes[np.isnan(values)] = 0
        return codes, len(edges) + 1

    def _edges(self, values: Floats) -> Floats:
        """Return where numbers are cut: the first value of each bin, rising."""
        present = np.sort(values)[: len(values) - int(np.isnan(values).sum())]
        if not len(present):
            return present
        is_new = np.empty(len(present), dtype=bool)
        is_new[0] = True
        np.not_equal(present[1:], present[:-1], out=is_new[1:])
        if np.count_nonzero(is_new) <= 4 * _N_BINS:
            return present[is_new]
        at = np.arange(_N_BINS) * len(present) // _N_BINS
        parts = [present[at]]
        if len(self.y) and self.n_classes <= _MOST_BINNED_CLASSES:
            parts += list(self._class_edges(values))
        edges: Floats = np.unique(np.concatenate(parts))
        return edges

    def _class_edges(self, values: Floats) -> Iterator[Floats]:
        ordered = values[self._by_class]
        start = 0
        for count in self.class_counts.tolist():
            own = np.sort(ordered[start : start + count])
            start += count
            n_present = count - int(np.isnan(own).sum())
            if n_present:
                at = np.arange(_CLASS_BINS + 1) * (n_present - 1) // _CLASS_BINS
                yield own[at]
                yield np.nextafter(own[n_present - 1 : n_present], np.inf)
