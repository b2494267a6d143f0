"""Very many columns: which of them go with the predictions at all.

Comes in: rows and what is predicted for them. Goes out: the columns to look at closer.
Called by `importance` where even testing groups of columns would take hours: this takes
no prediction. A column that matters only together with others may be missed.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from assay.metrics import Floats
from assay.table import Table

_TOGETHER = 1_024  # columns that are compared in one go
_MOST_CLASSES = 12  # those whose probabilities differ most
_LEAST = 1e-7  # of a probability


def strongest_columns(rows: Table, columns: Sequence[str], proba: Floats, most: int) -> list[str]:
    """Return the columns that go with the predictions most closely, strongest first.

    For numbers and dates that is the rank correlation with the logarithm of a class's
    probability, its largest over classes; for levels the root of the share of its variance
    that they explain, less what as many levels explain by chance (the adjusted R^2).
    Whether a cell is missing counts as well. Texts that all differ tell their length.

    Args:
        rows: N cast rows.
        columns: Their names.
        proba: What is predicted for them, (N, C).
        most: How many to return at the most.

    Example:
        >>> x = np.arange(20.0)
        >>> rows = Table(pl.DataFrame({"luck": np.tile([1.0, 2.0], 10), "age": -x}))
        >>> proba = np.stack([x + 1, 41 - x], axis=1) / 42
        >>> strongest_columns(rows, ["luck", "age"], proba, 1)
        ['age']
    """
    targets = _targets(proba)
    strength = np.concatenate([_strength(block, targets) for block in _blocks(rows, columns)])
    order = np.argsort(-strength, kind="stable")[:most]
    return [columns[idx] for idx in order]


def _targets(proba: Floats) -> Floats:
    """Return the logarithms of probabilities, each class as a unit vector, (C', N)."""
    logs = np.log(np.maximum(proba, _LEAST)).T
    chosen = np.argsort(-logs.var(axis=1), kind="stable")[:_MOST_CLASSES]
    return _unit(logs[chosen])


def _blocks(rows: Table, columns: Sequence[str]) -> Iterator[list[pl.Series]]:
    for start in range(0, len(columns), _TOGETHER):
        yield [rows.column(name) for name in columns[start : start + _TOGETHER]]


def _strength(block: Sequence[pl.Series], targets: Floats) -> Floats:
    """Return how closely each of F columns goes with the targets, (F,), in [0, 1]."""
    numbers = np.stack([_numbers(cells) for cells in block])
    missing = np.isnan(numbers)
    found = np.maximum(_correlation(_ranks(numbers), targets), _correlation(missing, targets))
    for idx, cells in enumerate(block):
        if cells.dtype == pl.String:
            found[idx] = max(found[idx], _by_levels(cells, targets))
    return found


def _numbers(cells: pl.Series) -> Floats:
    """Return a column as numbers, (N,), NaN where missing; a text is its length."""
    plain = cells.str.len_chars() if cells.dtype == pl.String else cells.to_physical()
    numbers: Floats = plain.cast(pl.Float64).to_numpy()
    return numbers


def _ranks(numbers: Floats) -> Floats:
    """Return the ranks of each row of (F, N), equal for equal numbers; missing: the middle."""
    order = np.argsort(numbers, axis=1, kind="stable")  # NaN last
    ordered = np.take_along_axis(numbers, order, axis=1)
    is_new = np.diff(ordered, axis=1, prepend=np.nan) != 0.0
    ranks = np.empty(numbers.shape)
    np.put_along_axis(ranks, order, np.cumsum(is_new, axis=1, dtype=np.float64), axis=1)
    ranks[np.isnan(numbers)] = np.nan
    with np.errstate(invalid="ignore"):
        n_known = np.count_nonzero(~np.isnan(ranks), axis=1)
        middle = np.nansum(ranks, axis=1) / np.maximum(n_known, 1)
    return np.where(np.isnan(ranks), middle[:, None], ranks)


def _correlation(numbers: Floats | np.ndarray, targets: Floats) -> Floats:
    """Return the largest |correlation| of each row of (F, N) with a target, (F,)."""
    found: Floats = np.abs(_unit(numbers.astype(np.float64)) @ targets.T).max(axis=1)
    return found


def _unit(numbers: Floats) -> Floats:
    """Return each row centred and of length 1, or 0 where it is constant."""
    centred = numbers - numbers.mean(axis=1, keepdims=True)
    length = np.sqrt(np.square(centred).sum(axis=1, keepdims=True))
    unit: Floats = np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-12)
    return unit


def _by_levels(cells: pl.Series, targets: Floats) -> float:
    codes = cells.rank("dense").fill_null(0).to_numpy().astype(np.intp)
    counts = np.bincount(codes)
    n_rows, n_levels = len(codes), int(np.count_nonzero(counts))
    if n_levels < 2 or n_levels >= n_rows:
        return 0.0
    sums = np.stack([np.bincount(codes, target, len(counts)) for target in targets])
    explained = (np.square(sums) / np.maximum(counts, 1)).sum(axis=1).max()  # of 1
    adjusted = 1.0 - (1.0 - explained) * (n_rows - 1) / (n_rows - n_levels)
    return float(np.sqrt(max(adjusted, 0.0)))
