"""Two columns that give the target away together: by their sum, difference or order.

A total and one of its parts, a deadline and a delivery: neither tells the class alone.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from assay.profile.finding import Finding, drop_option
from assay.profile.rows import Column, Floats, Ints, Rows
from assay.schema import Kind

_N_PROBES = 200
_MOST_COMPARED = 100  # columns whose order is compared pair by pair
_MOST_ROWS = 2_000
_CERTAIN = 0.98  # of the rows, or of the majority's errors
_MIN_ERRORS = 15
_TOLERANCE = 1e-9
_ROUNDING = 1e-6
_SEED = 71_405


def find_pairs(rows: Rows, *, already: frozenset[str] = frozenset()) -> list[Finding]:
    """Name pairs of numeric columns whose sum or difference is the target, or whose order is.

    Args:
        rows: The table with its classes.
        already: Columns that are named as leaks; they are left out.
    """
    columns = [
        one
        for one in rows.columns
        if one.is_number and one.name not in already and not one.n_missing
    ]
    if len(columns) < 2 or rows.n_looked_at - int(rows.class_counts.max()) < _MIN_ERRORS:
        return []
    findings = list(_sums(rows, columns))
    return findings or list(_orders(rows, columns))


def _sums(rows: Rows, columns: list[Column]) -> Iterator[Finding]:
    """Look for a + b = y or a - b = y.

    A random weighting of some rows turns each column into one number, and sums of
    columns into sums of numbers; sorting finds the partner of each. What matches is
    checked in all rows.
    """
    rng = np.random.default_rng([_SEED, rows.n_looked_at])
    probes = rng.choice(rows.n_looked_at, min(_N_PROBES, rows.n_looked_at), replace=False)
    weights = rng.standard_normal(len(probes))
    traces = np.array([weights @ one.numbers[probes] for one in columns])
    size = np.array([np.abs(weights) @ np.abs(one.numbers[probes]) for one in columns])
    for target, told in _targets(rows.classes, rows.y):
        wanted = float(weights @ target[probes])
        for sign, partner in ((1, wanted - traces), (-1, traces - wanted)):
            for left, right in _partners(traces, partner, _TOLERANCE * (size + 1)):
                found = columns[left].numbers + sign * columns[right].numbers
                share = float(np.mean(np.abs(found - target) <= _ROUNDING))
                if share >= _CERTAIN and (sign == -1 or left < right):
                    names = (columns[left].name, columns[right].name)
                    yield _finding(names, "+" if sign == 1 else "-", told, share)
                    return


def _partners(traces: Floats, partner: Floats, tolerance: Floats) -> Iterator[tuple[int, int]]:
    """Return pairs of columns where the trace of the second is the partner of the first."""
    order = np.argsort(traces, kind="stable")
    at = np.searchsorted(traces[order], partner)
    for shift in (-1, 0):
        near = order[np.clip(at + shift, 0, len(order) - 1)]
        is_met = np.abs(traces[near] - partner) <= tolerance + tolerance[near]
        is_met &= near != np.arange(len(near))
        yield from ((int(left), int(near[left])) for left in np.flatnonzero(is_met))


def _targets(classes: Sequence[str], y: Ints) -> Iterator[tuple[Floats, str]]:
    """Return the target as numbers: its names where they are numbers, else 0 and 1."""
    first: Floats = (y == 0).astype(np.float64)
    try:
        named = np.array([float(name) for name in classes])
    except ValueError:
        named = np.full(len(classes), np.nan)
    if np.isfinite(named).all():
        yield named[y], "the target"
    if len(classes) == 2:
        yield y.astype(np.float64), f"1 for {classes[1]!r} and 0 for {classes[0]!r}"
        yield first, f"1 for {classes[0]!r} and 0 for {classes[1]!r}"


def _finding(names: tuple[str, str], sign: str, told: str, share: float) -> Finding:
    left, right = names
    return Finding(
        "leak",
        "high",
        left,
        f"{left!r} {sign} {right!r} is {told}. Ask whether both are known before the outcome is",
        f"in {share:.2%} of the rows",
        drop_option(left, right),
    )


def _orders(rows: Rows, columns: list[Column]) -> Iterator[Finding]:
    """Look for two classes that say which of two columns is larger."""
    if rows.n_classes != 2 or len(columns) > _MOST_COMPARED:
        return
    part = rows.take(_MOST_ROWS)
    named = {one.name: one for one in part.columns}
    for kind in (Kind.NUMERIC, Kind.DATETIME):
        alike = [one for one in columns if one.spec.kind == kind]
        if len(alike) < 2:
            continue
        cells = np.stack([named[one.name].numbers for one in alike], axis=1)  # (N, F)
        for left in range(len(alike) - 1):
            share = _agreement(cells[:, left : left + 1] > cells[:, left + 1 :], part.y)
            best = int(np.abs(share - 0.5).argmax())
            column, other = alike[left], alike[left + 1 + best]
            skill = _skill(rows, column, other)
            if abs(share[best] - 0.5) > 0.4 and skill >= _CERTAIN:
                yield _order_finding(rows, column, other)
                return


def _agreement(is_larger: NDArray[np.bool_], y: Ints) -> Floats:
    share: Floats = np.mean(is_larger == (y == 1)[:, None], axis=0)
    return share


def _skill(rows: Rows, left: Column, right: Column) -> float:
    """Return the share of the majority's errors that the order of two columns takes away."""
    right_share = float(np.mean((left.numbers > right.numbers) == (rows.y == 1)))
    error = 1 - float(rows.class_counts.max()) / rows.n_looked_at
    return 1 - (1 - max(right_share, 1 - right_share)) / error


def _order_finding(rows: Rows, left: Column, right: Column) -> Finding:
    is_larger = left.numbers > right.numbers
    share = float(np.mean(is_larger == (rows.y == 1)))
    name = rows.classes[1 if share > 0.5 else 0]
    return Finding(
        "leak",
        "high",
        left.name,
        f"{left.name!r} is above {right.name!r} where the class is {name!r}, and nowhere else. "
        "Ask whether both are known before the outcome is",
        f"in {max(share, 1 - share):.2%} of the rows",
        drop_option(left.name, right.name),
    )
