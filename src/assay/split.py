"""Who learns from which rows: classes, groups and times in, row masks out.

The target's classes come in as indices; out comes, for each member of the
population, the rows it trains on and the rows it is validated on, and one set of
test rows that no member sees. Nothing here looks at features.

Rows that must not be parted (one group, or copies of one row) form a *unit*; `deal`
shares units out, this file decides which rows are dealt, and what may not happen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.deal import cut_time, deal, join_units, n_distinct, ranks
from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import SplitRecipe

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_MOST_CLASSES = 5  # that the ledger tells of one by one


@dataclass(frozen=True)
class Split:
    """Rows of each member, as masks over the N rows of the table.

    Attributes:
        n_rows: N.
        train: Rows each member learns from, (K, N).
        validation: Rows each member is judged on while it does not learn from them,
            (K, N); may be all False.
        test: Rows that no member sees, (N,).
        member_fold: (repeat, fold) of each member, K pairs; without folds, (member, 0).
        unit: Equal for rows of one group and for copies of one row, (N,); None where
            each row is on its own.
    """

    n_rows: int
    train: Mask
    validation: Mask
    test: Mask
    member_fold: tuple[tuple[int, int], ...]
    unit: Ints | None = None

    @property
    def repeat(self) -> tuple[int, ...]:
        """Number of each member's repeat; without folds each member is one."""
        return tuple(repeat for repeat, _ in self.member_fold)

    @property
    def n_repeats(self) -> int:
        """Number of repeats."""
        return len(set(self.repeat))


def make_split(
    y: NDArray[np.integer],
    recipe: SplitRecipe,
    *,
    seed: int,
    n_classes: int,
    ledger: Ledger,
    groups: NDArray[np.integer] | None = None,
    time: NDArray[np.generic] | None = None,
    duplicate_of: NDArray[np.integer] | None = None,
    class_names: Sequence[str] = (),
) -> Split:
    """Divide rows into training, validation and test rows for every member.

    Args:
        y: Class index of each row, (N,), in [0, n_classes).
        recipe: Folds, repeats, members, holdout, validation share, stratify.
        seed: Of every random choice; the same seed gives the same split.
        n_classes: C.
        ledger: Told of fewer folds, uneven folds and rare classes.
        groups: Rows with equal numbers are never parted, (N,).
        time: Numbers or datetimes, (N,). Validation and test are then later than
            training, and rows of one moment stay together; copies of a row may
            recur, since the past is known when the future is predicted.
        duplicate_of: As `groups`, for copies of one row; both are obeyed together.
        class_names: Names for messages, C of them; by default the indices.

    Returns:
        The split. With folds and no time, each row outside the test is validated
        exactly once in each repeat. With time, fold f learns from the first f + 1
        of folds + 1 blocks and is validated on the next.

    Raises:
        UserError: Shapes differ; fewer than two classes, units or moments; a missing
            time; a share so small that it holds no row; a member left with one class.

    Example:
        >>> y = np.array([0, 1] * 10)
        >>> recipe = SplitRecipe(folds=5, repeats=1)
        >>> split = make_split(y, recipe, seed=0, n_classes=2, ledger=Ledger())
        >>> split.validation.sum(axis=0).tolist() == [1] * 20
        True
    """
    rows = _Rows.checked(
        y,
        n_classes=n_classes,
        groups=groups,
        time=time,
        duplicate_of=duplicate_of,
        class_names=class_names,
    )
    test = _test_rows(rows, recipe, seed)
    _tell_untrained_classes(rows, ~test, ledger)
    if recipe.folds:
        parts = _cross_fit(rows, recipe, seed, allowed=~test, ledger=ledger)
    else:
        parts = _own_validation(rows, recipe, seed, allowed=~test)
    fold, validation, train = (list(column) for column in zip(*parts, strict=True))
    unit = rows.unit if time is None else join_units(groups, duplicate_of)
    split = Split(rows.n_rows, np.stack(train), np.stack(validation), test, tuple(fold), unit)
    _check_training(rows, split)
    return split


@dataclass(frozen=True)
class _Rows:
    """What the split knows of each row: class, unit, moment."""

    y: Ints
    n_classes: int
    unit: Ints | None  # None: every row is a unit of its own
    moment: Ints | None  # rank of the row's time
    has_groups: bool  # units are groups, and not only copies of one row
    names: tuple[str, ...]

    @property
    def n_rows(self) -> int:
        return len(self.y)

    @classmethod
    def checked(
        cls,
        y: NDArray[np.integer],
        *,
        n_classes: int,
        groups: NDArray[np.integer] | None,
        time: NDArray[np.generic] | None,
        duplicate_of: NDArray[np.integer] | None,
        class_names: Sequence[str],
    ) -> "_Rows":
        y = np.asarray(y)
        for name, array in (("groups", groups), ("time", time), ("duplicate_of", duplicate_of)):
            if array is not None and np.shape(array) != y.shape:
                raise UserError(f"{name} must have shape {y.shape} (got {np.shape(array)})")
        if y.ndim != 1 or y.dtype.kind not in "iu":
            raise UserError(f"y must be class indices (N,) (got {y.dtype} of shape {y.shape})")
        if len(y) and (y.min() < 0 or y.max() >= n_classes):
            raise UserError(f"y must lie in [0, {n_classes}) (got {y.min()} to {y.max()})")
        if len(np.unique(y)) < 2:
            raise UserError(
                f"the target has {len(np.unique(y))} class(es) in {len(y)} rows",
                fix="Bring rows of at least two classes",
            )
        unit = None if time is not None else join_units(groups, duplicate_of)
        names = tuple(class_names) or tuple(str(idx) for idx in range(n_classes))
        moment = None if time is None else _moments(time)
        has_groups = groups is not None
        return cls(y.astype(np.int64), n_classes, unit, moment, has_groups, names)


def _moments(time: NDArray[np.generic]) -> Ints:
    time = np.asarray(time)
    if time.dtype.kind not in "iufM":
        raise UserError(
            f"time must be numbers or datetimes (got {time.dtype})",
            where="option split.time",
            fix="Choose a numeric or datetime column",
        )
    n_missing = int(np.isnan(time).sum()) if time.dtype.kind in "fM" else 0
    if n_missing:
        raise UserError(
            f"{n_missing} of {len(time)} rows have no time",
            where="option split.time",
            fix="Fill or remove those rows, or split without time",
        )
    return ranks(time)


def _test_rows(rows: _Rows, recipe: SplitRecipe, seed: int) -> Mask:
    everything = np.ones(rows.n_rows, dtype=bool)
    if recipe.holdout == 0:
        return ~everything
    return _share(rows, recipe, everything, option="holdout", seeds=(seed, 1, 0))


def _share(
    rows: _Rows,
    recipe: SplitRecipe,
    allowed: Mask,
    *,
    option: Literal["holdout", "validation_share"],
    seeds: tuple[int, int, int],
) -> Mask:
    """Choose a share of the allowed rows: the latest, or whole units at random."""
    share = recipe.holdout if option == "holdout" else recipe.validation_share
    row_idx = np.flatnonzero(allowed)
    chosen = np.zeros(rows.n_rows, dtype=bool)
    if rows.moment is not None:
        block = cut_time(rows.moment[row_idx], np.array([1 - share, share]))
        chosen[row_idx] = block == 1
    else:
        part = _dealt(rows, recipe, row_idx, quota=np.array([1 - share, share]), seeds=seeds)
        chosen[row_idx] = part == 1
    if not chosen.any() or (chosen | ~allowed).all():
        kept = "no row" if not chosen.any() else "every row"
        units = "groups and copies" if rows.has_groups else "copies of a row"
        together = f" while {units} stay together" if rows.unit is not None else ""
        raise UserError(
            f"{share} of {len(row_idx)} rows is {kept}{together}",
            where=f"option split.{option}",
            fix="Choose another share, or 0",
        )
    return chosen


_Part = tuple[tuple[int, int], Mask, Mask]


def _own_validation(
    rows: _Rows, recipe: SplitRecipe, seed: int, *, allowed: Mask
) -> Iterator[_Part]:
    for member in range(recipe.members):
        validation = np.zeros(rows.n_rows, dtype=bool)
        if recipe.validation_share > 0:
            seeds = (seed, 3, member)
            validation = _share(rows, recipe, allowed, option="validation_share", seeds=seeds)
        yield (member, 0), validation, allowed & ~validation


def _cross_fit(
    rows: _Rows, recipe: SplitRecipe, seed: int, *, allowed: Mask, ledger: Ledger
) -> Iterator[_Part]:
    row_idx = np.flatnonzero(allowed)
    n_folds = _n_folds(rows, recipe, row_idx, ledger=ledger)
    if rows.moment is None:
        _tell_rare_classes(rows, row_idx, n_folds, ledger=ledger)
        _tell_large_unit(rows, row_idx, n_folds, ledger=ledger)
    for repeat in range(recipe.n_repeats(len(row_idx))):
        part = np.full(rows.n_rows, -1)
        if rows.moment is not None:
            part[row_idx] = cut_time(rows.moment[row_idx], np.full(n_folds + 1, 1.0))
        else:
            quota, seeds = np.full(n_folds, 1.0), (seed, 2, repeat)
            part[row_idx] = _dealt(rows, recipe, row_idx, quota=quota, seeds=seeds)
        for fold in range(n_folds):
            if rows.moment is None:
                validation, train = part == fold, allowed & (part != fold)
            else:
                validation, train = part == fold + 1, allowed & (part <= fold)
            yield (repeat, fold), validation, train


def _n_folds(rows: _Rows, recipe: SplitRecipe, row_idx: Ints, *, ledger: Ledger) -> int:
    if rows.moment is not None:
        n_units, words = n_distinct(rows.moment[row_idx]), ("moment", "moments of time")
    elif rows.unit is not None:
        words = ("group", "groups") if rows.has_groups else ("distinct row", "distinct rows")
        n_units = n_distinct(rows.unit[row_idx])
    else:
        n_units, words = len(row_idx), ("row", "rows")
    if n_units < 2:
        column = "time" if rows.moment is not None else "group" if rows.has_groups else ""
        other = f"choose another {column} column, " if column else ""
        raise UserError(
            f"{n_units} {words[n_units != 1]} cannot be split into folds",
            where="option split.folds",
            fix=f"Bring more rows, {other}or set split.folds = 0",
        )
    n_folds = min(recipe.folds, n_units - (rows.moment is not None))
    if n_folds < recipe.folds:
        ledger.add(
            f"{recipe.folds} folds reduced to {n_folds}",
            where="split",
            why=f"there are only {n_units} {words[1]}",
            undo="split.folds",
        )
    return n_folds


def _tell_rare_classes(rows: _Rows, row_idx: Ints, n_folds: int, *, ledger: Ledger) -> None:
    y = rows.y[row_idx]
    unit = row_idx if rows.unit is None else rows.unit[row_idx]
    n_rows = np.bincount(y, minlength=rows.n_classes)
    why: dict[str, str] = {}
    for class_idx in np.flatnonzero((n_rows > 0) & (n_rows < 10 * n_folds)):
        n_units = len(np.unique(unit[y == class_idx]))
        if n_units >= n_folds:
            continue
        which = f"{n_rows[class_idx]} row(s)"
        if n_units < n_rows[class_idx]:
            which += (
                f" in {n_units} group(s)" if rows.has_groups else f", {n_units} of them distinct"
            )
        lost = "its fold trains without it" if n_units == 1 else "some folds validate without it"
        why[rows.names[class_idx]] = f"it has {which} for {n_folds} folds, so {lost}"
    _tell_classes(
        "rare class spread over fewer folds than there are", why, ledger, undo="split.folds"
    )


def _tell_large_unit(rows: _Rows, row_idx: Ints, n_folds: int, *, ledger: Ledger) -> None:
    largest = 1 if rows.unit is None else int(np.bincount(rows.unit[row_idx]).max())
    if largest > 1 and largest * n_folds > len(row_idx):
        which = "one group or copies of one row" if rows.has_groups else "copies of one row"
        ledger.add(
            "folds made of uneven size",
            where="split",
            why=f"{largest} of {len(row_idx)} rows are {which},"
            f" more than one of {n_folds} folds holds",
            undo="split.folds",
        )


def _tell_untrained_classes(rows: _Rows, allowed: Mask, ledger: Ledger) -> None:
    n_left = np.bincount(rows.y[allowed], minlength=rows.n_classes)
    n_all = np.bincount(rows.y, minlength=rows.n_classes)
    why = {
        rows.names[class_idx]: f"all of its {n_all[class_idx]} row(s) are test rows"
        for class_idx in np.flatnonzero((n_left == 0) & (n_all > 0))
    }
    _tell_classes("class left untrained", why, ledger, undo="split.holdout")


def _tell_classes(what: str, why: dict[str, str], ledger: Ledger, *, undo: str) -> None:
    """Tell the same of several classes: one entry each, or one for all where they are many."""
    told = {f"class {name!r}": reason for name, reason in why.items()}
    if len(why) > _MOST_CLASSES:
        first, reason = next(iter(why.items()))
        told = {f"{len(why)} classes": f"of {first!r}: {reason}; of the others alike"}
    for where, reason in told.items():
        ledger.add(what, where=where, why=reason, undo=undo)


def _check_training(rows: _Rows, split: Split) -> None:
    for (repeat, fold), train in zip(split.member_fold, split.train, strict=True):
        n_present = int((np.bincount(rows.y[train], minlength=rows.n_classes) > 0).sum())
        if n_present < 2:
            column = "time" if rows.moment is not None else "group" if rows.has_groups else ""
            raise UserError(
                f"member {fold} of repeat {repeat} would train on {int(train.sum())} rows"
                f" of {n_present} class(es)",
                where="split",
                fix="Bring more rows, use fewer folds, leave out a smaller share"
                + (f", or drop split.{column}" if column else ""),
            )


def _dealt(
    rows: _Rows,
    recipe: SplitRecipe,
    row_idx: Ints,
    *,
    quota: Floats,
    seeds: tuple[int, int, int],
) -> Ints:
    y = rows.y[row_idx] if recipe.stratify else np.zeros(len(row_idx), dtype=np.int64)
    unit = None if rows.unit is None else ranks(rows.unit[row_idx])
    return deal(y, unit, quota, rng=np.random.default_rng(seeds))
