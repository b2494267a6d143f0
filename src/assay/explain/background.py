"""What a column usually holds: the cells that a cell is compared with.

Comes in: the reference of the training table. Goes out: for each column a few cells with
their shares. No row of the table is needed, and none is stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.metrics import Floats
from assay.reference import ColumnReference
from assay.schema import Kind

_TYPES: dict[Kind, type[pl.DataType] | pl.DataType] = {
    Kind.NUMERIC: pl.Float64,
    Kind.DATETIME: pl.Datetime("us"),
}


@dataclass(frozen=True)
class Background:
    """Cells of one column and how common they are.

    Attributes:
        cells: M different typed cells, null for missing.
        shares: Share of each, (M,), sum 1.
    """

    cells: pl.Series
    shares: Floats


def background(known: Mapping[str, ColumnReference], name: str, *, most: int = 8) -> Background:
    """Return what a column usually holds, without chance.

    Up to `most` distinct numbers or dates stand with their own shares; of more there are
    `most` quantiles at equal distances, which stand for the mean over the column as the
    midpoint rule does for an integral. Levels have no middle, so twice as many stand
    with their shares, the commonest. Missing cells have their share. Texts, identifiers
    and columns that are not known are missing.

    Args:
        known: Columns of the training table's reference, by name.
        name: The column.
        most: Numbers or dates beside the missing cell; twice as many levels.

    Example:
        >>> from assay.schema import ColumnSpec
        >>> cells, spec = pl.Series("x", [1.0, 1.0, 3.0, None]), ColumnSpec("x", Kind.NUMERIC, "")
        >>> usual = background({"x": ColumnReference.fit(cells, spec)}, "x")
        >>> usual.cells.to_list(), usual.shares.tolist()
        ([1.0, 3.0, None], [0.5, 0.25, 0.25])
    """
    if name not in known:
        return _described(name, pl.String, [], np.zeros(0), 1.0)
    column = known[name]
    values, counts = _common(column, most)
    missing_share = column.missing_share if counts.sum() > 0 else 1.0
    dtype = _TYPES.get(column.kind, pl.String)
    return _described(name, dtype, values, counts, missing_share)


def _common(column: ColumnReference, most: int) -> tuple[list[object], Floats]:
    """Return values without the missing one, and how common they are, (M,)."""
    if column.has_levels:
        level_counts = column.level_counts[: 2 * most]
        return list(column.levels[: 2 * most]), np.array(level_counts, np.float64)
    if column.kind == Kind.TEXT or not column.points:
        return [], np.zeros(0)
    points, counts = np.array(column.points), np.diff(column.counts, prepend=0)
    if len(points) > most:
        middles = (np.arange(most) + 0.5) / most
        points, counts = np.unique(column.quantiles(middles), return_counts=True)
    whole = points.astype(np.int64).tolist() if column.kind == Kind.DATETIME else points.tolist()
    return whole, counts.astype(np.float64)


def _described(
    name: str,
    dtype: type[pl.DataType] | pl.DataType,
    values: list[object],
    counts: Floats,
    missing_share: float,
) -> Background:
    physical = pl.Int64 if isinstance(dtype, pl.Datetime) else dtype
    has_missing = missing_share > 0
    cells = pl.Series(name, [*values, None] if has_missing else values, dtype=physical)
    shares = counts / counts.sum() * (1 - missing_share) if len(counts) else counts
    if has_missing:
        shares = np.append(shares, missing_share)
    return Background(cells.cast(dtype), shares)
