"""Rows that repeat: copies, copies of another class, and rows alike but for one cell."""

import hashlib
from collections.abc import Iterable

import numpy as np
import polars as pl

from assay.deal import must_repeat
from assay.profile.finding import ROWS, Finding, drop_option
from assay.profile.rows import Ints, Rows
from assay.schema import Kind, Schema

_MEDIUM_CONFLICT = 0.01  # of the rows can certainly not be told
_HIDDEN_SHARE = 0.05  # of the rows repeat but for one column
_HIGH_SHARE = 0.2
_NEAR_DISTINCT = 0.5
_MOST_TRIED = 24
_SEED = 71_403


def find_copies(
    frame: pl.DataFrame,
    schema: Schema,
    y: Ints | None,
    *,
    row_hashes: np.ndarray | None = None,
    has_time: bool = False,
) -> list[Finding]:
    """Count rows whose features repeat, and those of them that differ in class.

    Args:
        frame: Typed columns of the whole table, N rows.
        schema: What they are.
        y: Class index of each row, (N,), or None.
        row_hashes: Of the features of each row, (N,), where they are known already.
        has_time: Whether the split goes by time, which parts copies.

    Returns:
        How many rows are copies, unless they are bound to occur; and how many equal a
        row of another class, with the accuracy that no model can exceed on these rows.
    """
    features = frame.select([spec.name for spec in schema.features])
    if not features.width or features.height < 2:
        return []
    if row_hashes is None or len(row_hashes) != features.height:
        row_hashes = features.hash_rows().to_numpy()
    content, first = _numbered(row_hashes)
    n_copies = features.height - len(first)
    if not n_copies:
        return []
    is_grid = must_repeat(features, schema)
    findings = [] if is_grid else _copies(n_copies, features.height, has_time=has_time)
    if y is not None:
        findings += _conflicts(content, len(first), y, is_grid=is_grid)
    return findings


def _numbered(hashes: np.ndarray) -> tuple[Ints, Ints]:
    """Return a number for each content, (N,), and the first row of each, (M,)."""
    _, first, content = np.unique(hashes, return_index=True, return_inverse=True)
    return content.reshape(-1), first


def _copies(n_copies: int, n_rows: int, *, has_time: bool) -> list[Finding]:
    are = "row is a copy of another" if n_copies == 1 else "rows are copies of others"
    told = "later copies are known from earlier ones" if has_time else "copies are never parted"
    return [
        Finding(
            "duplicates",
            "low",
            ROWS,
            f"{n_copies} {are} in all columns to predict from; {told} by the split",
            f"{n_copies / n_rows:.2%} of {n_rows} rows",
        )
    ]


def _conflicts(content: Ints, n_contents: int, y: Ints, *, is_grid: bool) -> list[Finding]:
    """Say how many rows share their features with a row of another class.

    The best that can be done for rows of one content is to name their commonest class.
    """
    n_classes = int(y.max()) + 1
    cell, counts = np.unique(content * n_classes + y, return_counts=True)
    group = cell // n_classes
    starts = np.flatnonzero(np.append(True, np.diff(group) != 0))
    most = np.maximum.reduceat(counts, starts)
    total = np.add.reduceat(counts, starts)
    n_torn = int(total[most < total].sum())
    if not n_torn:
        return []
    n_lost = int((total - most).sum())
    ceiling = 1 - n_lost / len(y)
    is_grave = n_lost >= _MEDIUM_CONFLICT * len(y) and not is_grid
    return [
        Finding(
            "conflicting_labels",
            "medium" if is_grave else "low",
            ROWS,
            f"{n_torn} rows equal a row of another class: no model of these columns can be right "
            f"in more than {_floored(ceiling)} of the rows here",
            f"{n_torn / len(y):.2%} of {len(y)} rows, in {int((most < total).sum())} contents; "
            f"{n_lost} rows are not of their content's commonest class",
        )
    ]


def _floored(share: float) -> str:
    return f"{np.ceil(share * 10_000) / 100:.2f} %"


def find_hidden_copies(rows: Rows) -> list[Finding]:
    """Name the columns without which many rows would be copies of each other.

    A row number, a time of entry or a little noise makes copies look different; then
    they are dealt to both sides of a split. Each row has the sum of its cells' hashes,
    so leaving a column out is one subtraction.
    """
    tried = [
        one
        for one in rows.columns
        if one.spec.n_unique > _NEAR_DISTINCT * rows.n_rows and one.spec.kind != Kind.TEXT
    ]
    if not tried or len(tried) > _MOST_TRIED or len(rows.columns) < 3:
        return []
    hashes = {one.name: cell_hashes(one.series) for one in rows.columns}
    total = np.zeros(rows.n_looked_at, dtype=np.uint64)
    for one in hashes.values():
        total += one
    n_copies = len(total) - len(np.unique(total))
    findings = []
    for column in tried:
        others = (one.spec.n_unique for one in rows.columns if one is not column)
        if not has_room(others, rows.n_rows):
            continue
        rest = total - hashes[column.name]
        n_hidden = len(rest) - len(np.unique(rest)) - n_copies
        # A pair is seen only when both of its rows are in the sample.
        share = min(n_hidden / rows.n_looked_at * rows.n_rows / rows.n_looked_at, 1.0)
        if share >= _HIDDEN_SHARE:
            findings.append(_hidden(rows, column.name, n_hidden, share))
    return findings


def cell_hashes(series: pl.Series) -> np.ndarray:
    """Return a hash of each cell, (N,), uint64, that may be summed over the cells of a row."""
    hashes: np.ndarray = series.to_frame().hash_rows(seed=_SEED).to_numpy()
    # A second round, since sums of one round's hashes would cancel in equal columns.
    name = hashlib.blake2b(series.name.encode(), digest_size=8).digest()
    return _mixed(hashes ^ np.uint64(int.from_bytes(name, "little")))


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Return numbers, (N,), uint64, whose bits each depend on all bits of those given.

    The last step of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom
    number generators").
    """
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = numbers ^ (numbers >> np.uint64(31))
    return mixed


def has_room(n_values: Iterable[int], n_rows: int, *, times: float = 1000.0) -> bool:
    """Whether columns of so many values need not repeat by far in `n_rows` rows."""
    room = 1.0
    for n in n_values:
        room *= max(n, 1)
        if room > times * n_rows:
            return True
    return False


def _hidden(rows: Rows, name: str, n_hidden: int, share: float) -> Finding:
    return Finding(
        "near_duplicates",
        "high" if share >= _HIGH_SHARE else "medium",
        name,
        f"{share:.1%} of the rows equal another in every column but {name!r}: they are dealt to "
        "both sides of the split, which makes the score too good",
        f"{n_hidden} of {rows.n_looked_at} rows looked at",
        drop_option(name),
    )
