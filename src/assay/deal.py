"""Share rows out: groups, copies and classes in, the part of each row out.

Rows that must not be parted form a *unit*. `split` calls `deal` for folds, holdout and
validation. Units of several rows come first: those alike in their class counts are
dealt in equal numbers, what is left goes one by one, the largest first, to the part
that lacks those classes most (the idea of scikit-learn's StratifiedGroupKFold). Single
rows come last and level the parts. Time is cut into consecutive blocks instead.
`sample_rows` draws a part of many rows wherever all of them would take too long.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.errors import UserError
from assay.schema import Kind, Schema

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_SAMPLE_SEED = 20_639
_LEAST_OF_CLASS = 20  # rows that suffice to learn something of a class


def join_units(
    groups: NDArray[np.integer] | None, copies: NDArray[np.integer] | None
) -> Ints | None:
    """Join rows of one group and copies of one row, directly or through others.

    Args:
        groups: Group of each row, (N,), or None.
        copies: Equal numbers for copies of one row, (N,), or None.

    Returns:
        Unit of each row, (N,), the integers 0 to U - 1; None when both are None.

    Example:
        >>> join_units(np.array([5, 5, 7, 8]), np.array([0, 1, 1, 2])).tolist()
        [0, 0, 0, 1]
    """
    if groups is None or copies is None:
        only = copies if groups is None else groups
        return None if only is None else ranks(only)
    left, right = ranks(groups), ranks(copies)
    if len(left) == 0:
        return left
    return ranks(_components(left, right + left.max() + 1)[left])


def duplicate_groups(frame: pl.DataFrame) -> Ints:
    """Number rows so that copies share a number: that of the first of them.

    Rows are compared by a hash of 64 bits. In a million rows two unlike ones meet
    once in 37 million tables, and would merely stay on the same side.

    Args:
        frame: N rows; missing cells equal each other, and so do NaN. Without columns
            every row is its own.

    Returns:
        (N,) integers in [0, N).

    Example:
        >>> frame = pl.DataFrame({"a": [1.5, 2.5, 1.5, 3.5], "b": list("xyxx")})
        >>> duplicate_groups(frame).tolist()
        [0, 1, 0, 3]
    """
    if frame.width == 0:
        return np.arange(frame.height, dtype=np.int64)
    hashes = frame.hash_rows().to_numpy()
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    numbers: Ints = first[inverse.reshape(-1)].astype(np.int64)
    return numbers


def must_repeat(frame: pl.DataFrame, schema: Schema) -> bool:
    """Whether equal rows are bound to occur, and so are no sign of copies.

    That is so where the features have fewer combinations of their values than the
    table has rows. Texts repeat only in copies.

    Example:
        >>> from assay.schema import ColumnSpec
        >>> schema = Schema((ColumnSpec("sex", Kind.CATEGORICAL, ""),))
        >>> must_repeat(pl.DataFrame({"sex": list("MFMFMF")}), schema)
        True
    """
    n_combinations = 1
    for spec in schema.features:
        n_combinations *= frame[spec.name].n_unique()
        if spec.kind == Kind.TEXT or n_combinations >= frame.height:
            return False
    return True


def ranks(values: NDArray[np.generic]) -> Ints:
    """Return the rank of each value among the distinct ones, (N,), from 0."""
    rank: Ints = np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return rank


def n_distinct(rank: Ints) -> int:
    """Return how many different ranks there are, without the sort that `np.unique` does.

    Example:
        >>> n_distinct(np.array([3, 0, 3]))
        2
    """
    return int(np.count_nonzero(np.bincount(rank)))


def sample_rows(n_rows: int, most: int) -> Ints | slice:
    """Choose up to `most` of `n_rows` rows, the same ones in every run.

    They are drawn at random: every third row of a table whose rows recur in threes
    would be of one kind.

    Returns:
        Row numbers in rising order, (most,); `slice(None)` where all rows are taken.

    Example:
        >>> len(set(sample_rows(1000, 10))), sample_rows(10, 10)
        (10, slice(None, None, None))
    """
    if n_rows <= most:
        return slice(None)
    rng = np.random.default_rng(_SAMPLE_SEED)
    chosen: Ints = rng.choice(n_rows, max(most, 0), replace=False, shuffle=False)
    return np.sort(chosen)


def sample_of_classes(y: Ints, n_classes: int, most: int) -> Ints | slice:
    """Choose as `sample_rows` does, and more rows of each class that has hardly any by chance.

    Rows of a class are added up to the number `least_of_class` or all there are.

    Args:
        y: Class index of each row, (N,).
        n_classes: C.
        most: Rows to draw; up to a tenth more are added, or a row of each class.

    Returns:
        Row numbers in rising order; `slice(None)` where all rows are taken.

    Example:
        >>> y = np.repeat([0, 1], [9_990, 10])
        >>> np.bincount(y[sample_of_classes(y, 2, 1_000)]).tolist()
        [999, 10]
    """
    chosen = sample_rows(len(y), most)
    if isinstance(chosen, slice):
        return chosen
    lacking = least_of_class(most, n_classes) - np.bincount(y[chosen], minlength=n_classes)
    is_left = lacking[y] > 0
    is_left[chosen] = False
    left = np.random.default_rng(_SAMPLE_SEED).permutation(np.flatnonzero(is_left))
    left = left[np.argsort(y[left], kind="stable")]  # random order within each class
    ends = np.cumsum(np.bincount(y[left], minlength=n_classes))
    place = np.arange(len(left)) - np.concatenate([[0], ends])[y[left]]
    return np.sort(np.concatenate([chosen, left[place < lacking[y[left]]]]))


def least_of_class(most: int, n_classes: int) -> int:
    """Return how many rows of each class a sample of `most` rows holds, where there are such."""
    return min(_LEAST_OF_CLASS, max(most // (10 * n_classes), 1))


def deal(y: Ints, unit: Ints | None, quota: Floats, *, rng: np.random.Generator) -> Ints:
    """Give each row a part, whole units together and every class in proportion.

    Args:
        y: Class index of each row, (N,), N > 0.
        unit: Unit of each row, (N,), the integers 0 to U - 1 without a gap; None when
            every row is one.
        quota: Wanted shares of the P parts, (P,), positive; need not sum to 1.
        rng: Source of every random choice.

    Returns:
        Part of each row, (N,), in [0, P). Where all units are single rows, the rows of
        each class in a part differ from its quota by less than one.

    Example:
        >>> y = np.array([0] * 6 + [1] * 3)
        >>> part = deal(y, None, np.ones(3), rng=np.random.default_rng(0))
        >>> np.bincount(part[y == 0]).tolist(), np.bincount(part[y == 1]).tolist()
        ([2, 2, 2], [1, 1, 1])
    """
    n_rows = np.bincount(y)  # (C,)
    dealer = _Dealer(quota / quota.sum(), n_rows)
    part = np.full(len(y), -1, dtype=np.int64)
    if unit is not None:
        part = _deal_large_units(dealer, unit, y, rng)
    singles = rng.permutation(np.flatnonzero(part < 0))
    singles = singles[np.argsort(y[singles], kind="stable")]  # random order within each class
    ends = np.cumsum(np.bincount(y[singles], minlength=len(n_rows)))
    starts = np.concatenate([[0], ends[:-1]])
    for class_idx in np.argsort(n_rows, kind="stable"):  # rare classes first
        row_idx = singles[starts[class_idx] : ends[class_idx]]
        part[row_idx] = dealer.level(int(class_idx), len(row_idx))
    return part


def _components(left: Ints, right: Ints) -> Ints:
    """Label connected nodes alike, (nodes,); row n of the table joins left[n] and right[n].

    Each round every root takes the least label of its neighbours, then all paths are
    shortened to their root, so that few rounds suffice (Shiloach & Vishkin 1982,
    J. Algorithms 3:57).
    """
    label = np.arange(right.max() + 1, dtype=np.int64)
    while True:
        a, b = label[left], label[right]
        if (a == b).all():
            return label
        least = np.minimum(a, b)
        np.minimum.at(label, a, least)
        np.minimum.at(label, b, least)
        while (label != label[label]).any():
            label = label[label]


def _deal_large_units(dealer: "_Dealer", unit: Ints, y: Ints, rng: np.random.Generator) -> Ints:
    """Deal units of several rows, the largest first; return parts (N,), -1 for single rows."""
    size = np.bincount(unit)
    part_of_unit = np.full(len(size), -1, dtype=np.int64)
    large = rng.permutation(np.flatnonzero(size > 1))
    if len(large) == 0:
        return part_of_unit[unit]
    order = np.argsort(unit, kind="stable")  # rows of one unit side by side
    starts = np.concatenate([[0], np.cumsum(size)[:-1]])
    # Units with equal class counts get equal sums of one random number for each class.
    code = rng.integers(2**62, size=dealer.n_classes, dtype=np.uint64)
    sums = np.add.reduceat(code[y[order]], starts)[large]
    _, kind, n_alike = np.unique(sums, return_inverse=True, return_counts=True)
    by_kind = np.split(large[np.argsort(kind, kind="stable")], np.cumsum(n_alike)[:-1])
    for alike in sorted(by_kind, key=lambda units: -int(size[units[0]])):
        start = starts[alike[0]]
        row_idx = order[start : start + size[alike[0]]]
        counts = np.bincount(y[row_idx], minlength=dealer.n_classes)
        part_of_unit[alike] = dealer.give(counts, len(alike))
    return part_of_unit[unit]


def cut_time(moment: Ints, quota: Floats) -> Ints:
    """Cut time into consecutive blocks, with row counts as near to `quota` as moments allow.

    Args:
        moment: Time of each row, (N,), integers; rows of one moment stay together.
        quota: Wanted shares of the P blocks, earliest first, (P,).

    Returns:
        Block of each row, (N,), in [0, P); every block has at least one moment.

    Raises:
        UserError: There are fewer moments than blocks.

    Example:
        >>> cut_time(np.array([3, 1, 1, 2]), np.ones(2)).tolist()
        [1, 0, 0, 1]
    """
    rank = ranks(moment)
    count = np.bincount(rank)
    n_moments, n_blocks = len(count), len(quota)
    if n_moments < n_blocks:
        raise UserError(
            f"{n_moments} moment(s) of time cannot be cut into {n_blocks} parts",
            where="option split.time",
            fix="Choose a finer time column, or fewer folds",
        )
    before = np.concatenate([[0], np.cumsum(count)])  # rows before each moment, (T + 1,)
    wanted = np.cumsum(quota)[:-1] / quota.sum() * len(moment)
    right = np.clip(np.searchsorted(before, wanted), 1, n_moments)
    cut = np.where(wanted - before[right - 1] < before[right] - wanted, right - 1, right)
    for idx in range(len(cut)):  # leave one moment for each block before and after
        lowest = cut[idx - 1] + 1 if idx else 1
        cut[idx] = min(max(cut[idx], lowest), n_moments - (len(cut) - idx))
    return np.searchsorted(cut, rank, side="right").astype(np.int64)


class _Dealer:
    """Counts of each class in each part, and where the next unit is wanted most."""

    def __init__(self, quota: Floats, total: Ints) -> None:
        self.quota = quota  # (P,), sums to 1
        self.n_classes = len(total)
        self._weight = 1.0 / np.maximum(total, 1)  # rare classes weigh more
        self._counts = np.zeros((len(quota), len(total)))  # (P, C)

    def give(self, counts: Ints, n_units: int) -> Ints:
        """Return parts for `n_units` units alike in their class counts (C,)."""
        times = np.floor(self.quota * n_units + 1e-9).astype(np.int64)
        self._counts += times[:, None] * counts
        part = np.repeat(np.arange(len(times)), times)
        singly = [self._neediest(counts) for _ in range(n_units - len(part))]
        return np.concatenate([part, np.array(singly, dtype=np.int64)])

    def _neediest(self, counts: Ints) -> int:
        # Least growth of sum over parts and classes of weight * count^2 / quota, which is
        # smallest when every class is shared out as the quota says.
        growth = ((2 * self._counts + counts) * counts * self._weight).sum(axis=1) / self.quota
        tied = np.isclose(growth, growth.min(), rtol=1e-9, atol=0.0)
        filled = self._counts.sum(axis=1) / self.quota
        best = int(np.argmin(np.where(tied, filled, np.inf)))
        self._counts[best] += counts
        return best

    def level(self, class_idx: int, n_rows: int) -> Ints:
        """Return parts for single rows of one class, filling the emptiest first."""
        have = self._counts[:, class_idx]
        wish = _water_level(have, self.quota, n_rows)
        times = np.floor(wish + 1e-9)
        left = n_rows - int(times.sum())
        # The rest goes where the fraction is largest, and among equals to the smallest part.
        filled = (self._counts.sum(axis=1) + times) / self.quota
        order = np.lexsort((filled, -np.round(wish - times, 9)))
        times[order[:left]] += 1
        self._counts[:, class_idx] += times
        return np.repeat(np.arange(len(times)), times.astype(np.int64))


def _water_level(have: Floats, quota: Floats, amount: int) -> Floats:
    """Share `amount` so that (have + share) / quota is as level as it can be made."""
    height = have / quota
    order = np.argsort(height, kind="stable")
    level = (np.cumsum(have[order]) + amount) / np.cumsum(quota[order])
    # The lowest k parts are filled to a common level that the next part stands above.
    above = np.append(height[order][1:], np.inf)
    surface = level[np.argmax(level <= above)]
    wish: Floats = np.maximum(surface * quota - have, 0.0)
    return wish
