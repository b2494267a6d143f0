"""Rows alike but for a little noise in one or two numbers, and of different classes.

Such rows are measured twice, or entered twice, and labelled differently: they are hard to
tell apart.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from assay.profile.copies import cell_hashes, has_room
from assay.profile.finding import ROWS, Finding
from assay.profile.rows import Column, Floats, Ints, Mask, Rows

_NEAR = 0.01  # of the range of a column, see `_spread`
_LEAST_TURNED = 0.1  # of the pairs have their classes the other way round, or an order tells them
_LEAST_VALUES = 20
_LEAST_SHARE = 0.01  # of the rows that the values of a noisy column are at least
_MOST_SINGLE, _MOST_PAIRED = 24, 8  # columns tried alone, and two by two
_LEAST_ROWS = 10  # that contradict each other
_ROOM = 10  # times as many rows could differ in the other columns as there are
_LEAST_NEAR = 0.5  # of rows that agree elsewhere, or they agree by chance
_MEDIUM = 0.01  # of the rows; two columns may follow from the others, as charges from services
_WORTH_TWO = 1.5  # times as many rows make two columns the better story than one


@dataclass(frozen=True)
class _Noise:
    """Columns in which rows differ a little, and the rows that contradict each other."""

    names: tuple[str, ...]
    n_torn: int


def find_near_conflicts(rows: Rows) -> list[Finding]:
    """Say how many rows nearly equal a row of another class.

    Rows that agree in all columns but one or two count as near copies when those differ
    by at most 1 % of the column's range, and when most rows that so agree do: otherwise
    they agree by chance, or the column tells them apart. So it does where the larger
    number nearly always has the same class, as on both sides of a threshold, or before and
    after a turn within each of many sessions.

    Args:
        rows: With classes.

    Returns:
        One finding at the most, with the columns that hide most contradictions.
    """
    noisy = [one for one in rows.columns if _is_noisy(one, rows.n_rows)]
    if not noisy or len(rows.columns) < 3 or rows.n_looked_at < 2:
        return []
    noisy = sorted(noisy, key=lambda one: -one.spec.n_unique)[:_MOST_SINGLE]
    hashes = {one.name: cell_hashes(one.series) for one in rows.columns}
    total = np.zeros(rows.n_looked_at, dtype=np.uint64)
    for one in hashes.values():
        total += one
    best: _Noise | None = None
    for chosen in _combinations(noisy):
        names = {one.name for one in chosen}
        others = (one.spec.n_unique for one in rows.columns if one.name not in names)
        if not has_room(others, rows.n_rows, times=_ROOM):
            continue
        rest = total.copy()
        for column in chosen:
            rest -= hashes[column.name]
        n_torn = _n_torn(rest, chosen, rows.y)
        factor = _WORTH_TWO if len(chosen) > 1 else 1.0
        if n_torn >= _LEAST_ROWS and (best is None or n_torn > factor * best.n_torn):
            best = _Noise(tuple(one.name for one in chosen), n_torn)
    return [] if best is None else [_described(best, rows)]


def _is_noisy(column: Column, n_rows: int) -> bool:
    return column.is_number and column.spec.n_unique > max(_LEAST_VALUES, _LEAST_SHARE * n_rows)


def _combinations(noisy: Sequence[Column]) -> Iterator[tuple[Column, ...]]:
    yield from ((one,) for one in noisy)
    yield from itertools.combinations(noisy[:_MOST_PAIRED], 2)


def _n_torn(rest: np.ndarray, chosen: Sequence[Column], y: Ints) -> int:
    """Return how many rows have a near copy of another class; 0 where copies are chance.

    Args:
        rest: Hash of all other cells of each row, (N,).
        chosen: Columns that may differ a little.
        y: Class of each row, (N,).
    """
    order = np.argsort(rest, kind="stable")
    agrees = rest[order[1:]] == rest[order[:-1]]
    if np.count_nonzero(agrees) < _LEAST_ROWS // 2:
        return 0
    spreads = [_spread(one.numbers) for one in chosen]
    if not all(spread > 0 for spread in spreads):
        return 0
    values = [one.numbers / spread for one, spread in zip(chosen, spreads, strict=True)]
    near = agrees & _is_near(values, order)  # neighbours in the order of the file
    if np.count_nonzero(near) < _LEAST_NEAR * np.count_nonzero(agrees):
        return 0
    order = np.lexsort((values[0], rest))
    agrees = rest[order[1:]] == rest[order[:-1]]
    is_torn = agrees & _is_near(values, order) & (y[order[1:]] != y[order[:-1]])
    is_torn &= ~_is_equal(values, order)
    at = np.flatnonzero(is_torn)
    left, right = order[at], order[at + 1]
    if any(_is_told(numbers[right] - numbers[left], y[right] - y[left]) for numbers in values):
        return 0
    return len(np.unique(np.concatenate([left, right])))


def _is_told(rise: Floats, class_rise: Ints) -> bool:
    """Whether the larger number of a pair nearly always has the later class, or the earlier.

    Args:
        rise: Of the number from the first row of each pair to the second, (P,).
        class_rise: Of the class index, (P,).
    """
    turn = np.sign(rise) * np.sign(class_rise)
    n_rising, n_falling = int(np.count_nonzero(turn > 0)), int(np.count_nonzero(turn < 0))
    n_told = n_rising + n_falling
    return n_told >= _LEAST_ROWS // 2 and min(n_rising, n_falling) < _LEAST_TURNED * n_told


def _spread(numbers: Floats) -> float:
    """Return the range that numbers spread over, 0 where that cannot be told.

    It is that of the middle nine tenths, unless half of the different numbers crowd in
    less than a quarter of it, as beside a few huge ones: then it is four times theirs.
    """
    known = numbers[~np.isnan(numbers)]
    distinct = np.unique(known)
    if len(distinct) < 2:
        return 0.0
    low, high = np.quantile(known, [0.05, 0.95])
    half = len(distinct) // 2
    narrowest = np.min(distinct[half:] - distinct[:-half])
    spread = min(float(high - low), 4 * float(narrowest))
    return spread if np.isfinite(spread) else 0.0


def _is_near(values: Sequence[Floats], order: Ints) -> Mask:
    """Return whether each row and the next in an order differ by little in every column."""
    near = np.ones(len(order) - 1, dtype=bool)
    for numbers in values:
        one, other = numbers[order[:-1]], numbers[order[1:]]
        both_missing = np.isnan(one) & np.isnan(other)
        near &= both_missing | (np.abs(one - other) <= _NEAR)
    return near


def _is_equal(values: Sequence[Floats], order: Ints) -> Mask:
    equal = np.ones(len(order) - 1, dtype=bool)
    for numbers in values:
        one, other = numbers[order[:-1]], numbers[order[1:]]
        equal &= (one == other) | (np.isnan(one) & np.isnan(other))
    return equal


def _described(noise: _Noise, rows: Rows) -> Finding:
    names = " and ".join(repr(name) for name in noise.names)
    share = noise.n_torn / rows.n_looked_at
    return Finding(
        "near_conflicts",
        "medium" if share >= _MEDIUM and len(noise.names) == 1 else "low",
        noise.names[0] if len(noise.names) == 1 else ROWS,
        f"{noise.n_torn} rows equal a row of another class in every column but {names}, where "
        "they differ by at most 1 % of the range: they are hard to tell apart",
        f"{share:.2%} of {rows.n_looked_at} rows looked at",
    )
