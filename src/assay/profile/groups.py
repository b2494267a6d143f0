"""Columns whose values recur for a few rows each, and whose rows share their class.

A patient's visits, a customer's orders: once a model has seen some of them, it knows
the others. Random folds measure that, not how well a new patient is told.
"""

from dataclasses import dataclass

import numpy as np

from assay.deal import n_distinct
from assay.profile.finding import Finding, text_option
from assay.profile.rows import Column, Floats, Ints, Mask, Rows
from assay.schema import Kind

_MIN_LEVELS = 20
_MOST_ROWS_EACH = 50.0
_LARGEST_LEVEL = 0.05
_LARGEST_NUMBER = 0.02
_MIN_SHARE = 0.1  # of the rows have a relative
_MIN_NUMBER_SHARE = 0.5
_MIN_RELATED = 20
_ALIKE = 0.25
_MUCH_ALIKE = 0.5
_CERTAIN_Z = 4.0
_NEIGHBOUR = 0.5  # of the agreement that the next larger number may have


@dataclass(frozen=True)
class Agreement:
    """How alike the classes of rows with one value are.

    Attributes:
        share: Share of rows that have such a relative.
        n_levels: Different values.
        beyond_chance: Chance that a relative has the row's class, 0 for that of two
            rows drawn at random, 1 for always.
        z: The same in standard errors.
        neighbour: The same for rows of the next larger value; NaN for words.
    """

    share: float
    n_levels: int
    beyond_chance: float
    z: float
    neighbour: float


def find_groups(rows: Rows) -> list[Finding]:
    """Name the columns that seem to say which rows belong together.

    Identifiers that were set aside are looked at too. Only the first of several copies
    of a row counts, for copies are kept together anyway.
    """
    if rows.has_groups or rows.has_time:
        return []
    is_first = _first_of_copies(rows)
    findings = []
    for column in (*rows.set_aside, *rows.columns):
        if not _may_be_group(column, rows):
            continue
        found = _agreement(rows, column, is_first)
        if found is not None and _is_group(column, found):
            findings.append(_finding(column, found))
    return findings


def _may_be_group(column: Column, rows: Rows) -> bool:
    spec = column.spec
    if spec.kind in (Kind.DATETIME, Kind.BOOLEAN) or spec.n_unique < _MIN_LEVELS:
        return False
    n_present = rows.n_rows - spec.n_missing
    return 1.05 * spec.n_unique < n_present < _MOST_ROWS_EACH * spec.n_unique


def _first_of_copies(rows: Rows) -> Mask:
    is_first: Mask = np.zeros(rows.n_looked_at, dtype=bool)
    if not rows.columns:
        return ~is_first
    hashes = rows.hashes
    is_first[np.unique(hashes, return_index=True)[1]] = True
    return is_first


def _agreement(rows: Rows, column: Column, is_first: Mask) -> Agreement | None:
    if column.spec.kind == Kind.NUMERIC:
        values = column.numbers
        is_known = is_first & ~np.isnan(values)
        known = values[is_known]
        if np.any(known != np.floor(known)):
            return None
        codes = np.unique(known, return_inverse=True)[1]
    else:
        ranks = column.series.rank("dense").fill_null(0).to_numpy().astype(np.int64)
        is_known = is_first & (ranks > 0)
        codes = ranks[is_known] - 1
    sizes = np.bincount(codes)
    largest = _LARGEST_NUMBER if column.spec.kind == Kind.NUMERIC else _LARGEST_LEVEL
    if not len(sizes) or sizes.max() > max(largest * len(codes), _MOST_ROWS_EACH):
        return None
    return _measured(codes, rows.y[is_known], rows.n_classes, sizes)


def _measured(codes: Ints, y: Ints, n_classes: int, sizes: Ints) -> Agreement | None:
    """Compare each row with the others of its level, and with those of the next level."""
    cell, counts = np.unique(codes * n_classes + y, return_counts=True)
    level = cell // n_classes
    total = sizes[level]
    is_related = total > 1
    n_related = int(counts[is_related].sum())
    if n_related < _MIN_RELATED:
        return None
    same = counts * (counts - 1) / np.maximum(total - 1, 1)
    agrees = float(same[is_related].sum() / n_related)
    shares = np.bincount(y, minlength=n_classes) / len(y)
    chance = float((shares**2).sum())
    if chance >= 1.0:
        return None
    n_levels = np.count_nonzero(sizes > 1)  # rows of one level are not independent, levels are
    error = np.sqrt(chance * (1 - chance) / n_levels)
    return Agreement(
        n_related / len(y),
        n_distinct(codes),
        (agrees - chance) / (1 - chance),
        float((agrees - chance) / error),
        (_next_agrees(cell, counts, n_classes, sizes) - chance) / (1 - chance),
    )


def _next_agrees(cell: Ints, counts: Ints, n_classes: int, sizes: Ints) -> float:
    """Return the chance that a row of the next level has the row's class."""
    present = np.flatnonzero(sizes)
    following: Ints = np.full(len(sizes), -1, dtype=np.int64)
    following[present[:-1]] = present[1:]
    level = cell // n_classes
    wanted = following[level] * n_classes + cell % n_classes
    at = np.minimum(np.searchsorted(cell, wanted), len(cell) - 1)
    found: Floats = np.where(cell[at] == wanted, counts[at], 0).astype(np.float64)
    has_next = following[level] >= 0
    if not has_next.any():
        return 0.0
    share = found[has_next] / sizes[following[level[has_next]]]
    return float((share * counts[has_next]).sum() / counts[has_next].sum())


def _is_group(column: Column, found: Agreement) -> bool:
    if found.beyond_chance < _ALIKE or found.z < _CERTAIN_Z:
        return False
    if column.spec.kind != Kind.NUMERIC:
        return found.share >= _MIN_SHARE
    # Of a quantity the next larger value tells nearly as much; of a number that names
    # somebody it tells nothing.
    is_name = found.neighbour <= _NEIGHBOUR * found.beyond_chance
    return is_name and found.share >= _MIN_NUMBER_SHARE and found.beyond_chance >= _MUCH_ALIKE


def _finding(column: Column, found: Agreement) -> Finding:
    is_grave = found.beyond_chance >= _MUCH_ALIKE and found.share >= _MIN_NUMBER_SHARE
    return Finding(
        "groups",
        "high" if is_grave else "medium",
        column.name,
        f"rows with one value of {column.name!r} share their class far more than chance: if new "
        "rows bring new values, random folds make the score too good",
        f"{found.n_levels} values; {found.share:.1%} of the rows have a relative, and these "
        f"agree {found.beyond_chance:.2f} beyond chance (0: as any two rows, 1: always)",
        text_option("split.group", column.name),
    )
