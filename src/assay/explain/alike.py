"""Columns that carry the same: shuffled one by one, each would hide behind the other.

Comes in: typed rows. Goes out: the columns in groups. Two numeric columns are alike by
the rank correlation, others by Cramér's V together with mutual predictability.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from assay.metrics import Floats, Indices
from assay.table import Table

ALIKE = 0.95
"""|Spearman's rho| or Cramér's V above which two columns carry the same."""

_LEAST_VARIED = 10  # rows off the commonest cell: by three rows, columns agree by chance
_MOST_ROWS_WIDE, _WIDE = 500, 500  # rows that suffice for so many columns and more
_MOST_LEVELS = 200
_MOST_LEVELLED = 200  # columns compared by levels: 20,000 pairs take a second
_BLOCK = 256


def alike_columns(rows: Table, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Put columns that carry the same into one group.

    A column joins the group of the first column that it is like, so that chains of
    ever less alike columns do not grow. Columns that hold one and the same cell but in
    fewer than 10 rows stand alone.

    Args:
        rows: N typed rows: Float64, String or Datetime columns.
        columns: Names, in the order in which they lead groups.

    Returns:
        All columns, each in one group; groups in the order of their first column.

    Example:
        >>> a = np.arange(20.0)
        >>> frame = pl.DataFrame({"a": a, "b": -(a**2), "c": a % 7})
        >>> alike_columns(Table(frame), ["a", "b", "c"])
        [('a', 'b'), ('c',)]
    """
    frame = rows.frame.head(_MOST_ROWS_WIDE) if len(columns) > _WIDE else rows.frame
    cells = [frame.get_column(name) for name in columns]
    frame = pl.DataFrame({one.name: one for one in cells if _n_varied(one) >= _LEAST_VARIED})
    leader: dict[str, str] = {}
    partners = _by_ranks(frame)
    for name, others in _by_levels(frame).items():
        partners.setdefault(name, []).extend(others)
    for name in columns:
        found = [other for other in partners.get(name, []) if leader.get(other) == other]
        leader[name] = found[0] if found else name
    groups: dict[str, list[str]] = {}
    for name in columns:
        groups.setdefault(leader[name], []).append(name)
    return [tuple(group) for group in groups.values()]


def _n_varied(series: pl.Series) -> int:
    """Return how many rows hold something else than the commonest cell."""
    return len(series) - int(series.unique_counts().max() or 0)  # type: ignore[arg-type]


def _by_ranks(frame: pl.DataFrame) -> dict[str, list[str]]:
    """Return for each numeric column the earlier ones that rank the rows alike."""
    names, ranks = [], []
    for series in frame.iter_columns():
        if series.dtype == pl.String:
            continue
        rank = series.rank("average").cast(pl.Float64)
        centred = (rank - (rank.mean() or 0.0)).fill_null(0.0).to_numpy()  # missing: the middle
        length = float(np.sqrt(centred @ centred))
        if length > 0:
            names.append(series.name)
            ranks.append((centred / length).astype(np.float32))
    if len(names) < 2:
        return {}
    unit = np.stack(ranks)  # (F, N)
    partners = {}
    for start in range(0, len(names), _BLOCK):
        block = np.abs(unit[start : start + _BLOCK] @ unit.T)  # (B, F)
        for offset, correlations in enumerate(block):
            idx = start + offset
            found = np.flatnonzero(correlations[:idx] > ALIKE)
            if len(found):
                partners[names[idx]] = [names[other] for other in found]
    return partners


def _by_levels(frame: pl.DataFrame) -> dict[str, list[str]]:
    """Return for each column the earlier ones whose levels match its own, one numeric at most."""
    most = min(_MOST_LEVELS, frame.height // 5)
    levelled: list[tuple[str, bool, Indices]] = []
    for series in frame.iter_columns():
        if len(levelled) < _MOST_LEVELLED and 1 < series.n_unique() <= most:
            codes = series.rank("dense").fill_null(0).to_numpy().astype(np.intp)
            levelled.append((series.name, series.dtype != pl.String, codes))
    partners: dict[str, list[str]] = {}
    for idx, (name, is_numeric, own) in enumerate(levelled):
        for other, is_other_numeric, others in levelled[:idx]:
            if not (is_numeric and is_other_numeric) and _match(own, others):
                partners.setdefault(name, []).append(other)
    return partners


def _match(one: Indices, other: Indices) -> bool:
    """Whether levels pair off: V alone is 1 for cities and their countries too."""
    width = int(other.max()) + 1
    flat = np.bincount(one * width + other, minlength=(int(one.max()) + 1) * width)
    counts: Indices = flat.reshape(-1, width)  # (R*C,) -> (R, C)
    known = min(counts.max(axis=0).sum(), counts.max(axis=1).sum()) / len(one)
    return bool(known > ALIKE) and cramers_v(counts) > ALIKE


def cramers_v(counts: Indices | Floats) -> float:
    """Return the association of two columns of levels, in [0, 1].

    V = sqrt(chi2 / (n min(R - 1, C - 1))) (Cramér 1946), of chi2 and sizes corrected for
    chance as in Bergsma 2013, J. Korean Stat. Soc. 42:323, since two unrelated columns of
    many levels seem related in few rows.

    Args:
        counts: Rows by level of the one and of the other, (R, C); empty levels count not.

    Returns:
        V; 0 where a column has one level only.

    Example:
        >>> cramers_v(np.array([[50, 0], [0, 50]])), cramers_v(np.array([[25, 25], [25, 25]]))
        (1.0, 0.0)
    """
    found = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0].astype(np.float64)
    n_rows, (n_down, n_across) = found.sum(), found.shape
    if min(n_down, n_across) < 2 or n_rows < 2:
        return 0.0
    expected = np.outer(found.sum(axis=1), found.sum(axis=0)) / n_rows
    phi2 = ((found - expected) ** 2 / expected).sum() / n_rows
    phi2 = max(0.0, phi2 - (n_down - 1) * (n_across - 1) / (n_rows - 1))
    down = n_down - (n_down - 1) ** 2 / (n_rows - 1)
    across = n_across - (n_across - 1) ** 2 / (n_rows - 1)
    return float(np.sqrt(min(1.0, phi2 / max(min(down, across) - 1, 1e-12))))
