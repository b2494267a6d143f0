"""Every row on one side only, classes shared out, and the same again from the same seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import SplitRecipe
from assay.split import make_split


def _split(y, ledger=None, *, seed=0, n_classes=None, recipe=None, **columns):
    recipe = recipe or SplitRecipe()
    if recipe.repeats == "auto":
        recipe = recipe.model_copy(update={"repeats": 1})
    return make_split(
        np.asarray(y),
        recipe,
        seed=seed,
        n_classes=n_classes or int(np.max(y)) + 1,
        ledger=Ledger() if ledger is None else ledger,
        **columns,
    )


def _classes(n_rows, shares, seed=0):
    return np.random.default_rng(seed).choice(len(shares), size=n_rows, p=shares)


def _check_sides(split, unit):
    """No unit on both sides of any member, and no test row with a member."""
    for train, validation in zip(split.train, split.validation, strict=True):
        assert not (train & validation).any()
        assert not (train & split.test).any()
        assert not (validation & split.test).any()
        assert not set(unit[train]) & set(unit[validation])
        assert not set(unit[train | validation]) & set(unit[split.test])


@settings(deadline=None, max_examples=60)
@given(
    n_rows=st.integers(20, 120),
    n_classes=st.integers(2, 4),
    folds=st.integers(2, 6),
    repeats=st.integers(1, 3),
    holdout=st.sampled_from([0.0, 0.2]),
    seed=st.integers(0, 99),
)
def test_each_row_is_validated_once_in_each_repeat(
    n_rows, n_classes, folds, repeats, holdout, seed
):
    y = np.arange(n_rows) % n_classes
    recipe = SplitRecipe(folds=folds, repeats=repeats, holdout=holdout)
    split = _split(y, recipe=recipe, seed=seed)
    assert split.train.shape == split.validation.shape == (folds * repeats, n_rows)
    assert split.member_fold == tuple((r, f) for r in range(repeats) for f in range(folds))
    for repeat in range(repeats):
        own = split.validation[repeat * folds : (repeat + 1) * folds]
        np.testing.assert_array_equal(own.sum(axis=0), ~split.test)
    np.testing.assert_array_equal(
        split.train ^ split.validation, np.tile(~split.test, (len(split.train), 1))
    )


@settings(deadline=None, max_examples=60)
@given(
    units=st.lists(st.integers(0, 14), min_size=40, max_size=120),
    holdout=st.sampled_from([0.0, 0.25]),
    stratify=st.booleans(),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_no_group_and_no_copy_is_on_both_sides(units, holdout, stratify, seed, data):
    groups = np.array([*units, *range(15)])  # every unit occurs
    y = np.arange(len(groups)) % 2
    copies = np.array(data.draw(st.permutations(range(len(groups)))))
    copies[: len(copies) // 6] = copies[-1]  # some rows of other groups are copies of one
    recipe = SplitRecipe(folds=3, holdout=holdout, stratify=stratify)
    for columns in (
        {"groups": groups},
        {"duplicate_of": copies},
        {"groups": groups % 12, "duplicate_of": np.arange(len(groups)) // 2 * 2},
        {"groups": groups, "duplicate_of": copies},
    ):
        try:
            split = _split(y, recipe=recipe, seed=seed, **columns)
        except UserError:  # all rows hang together, or no whole unit fits the share
            continue
        for unit in columns.values():
            _check_sides(split, unit)


def test_copies_join_groups_and_groups_join_copies():
    # Groups 0 and 1 are joined by a copy, 1 and 2 by another; 3 stands alone.
    groups = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    copies = np.array([0, 1, 1, 2, 2, 3, 4, 5])
    split = _split([0, 1] * 4, recipe=SplitRecipe(folds=2), groups=groups, duplicate_of=copies)
    parts = {tuple(row) for row in split.validation.astype(int).tolist()}
    assert parts == {(1, 1, 1, 1, 1, 1, 0, 0), (0, 0, 0, 0, 0, 0, 1, 1)}


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.9, 0.08, 0.02], [0.1] * 10])
@pytest.mark.parametrize("folds", [2, 5, 10])
def test_single_rows_share_each_class_within_one_row(shares, folds):
    y = _classes(997, shares)
    split = _split(y, recipe=SplitRecipe(folds=folds))
    counts = np.array([np.bincount(y[own], minlength=len(shares)) for own in split.validation])
    assert (np.ptp(counts, axis=0) <= 1).all()
    assert np.ptp(counts.sum(axis=1)) <= 1


@pytest.mark.parametrize("seed", range(5))
def test_classes_are_shared_as_well_as_scikit_learn_does(seed):
    y = _classes(1003, [0.6, 0.3, 0.08, 0.02], seed)
    ours = np.array([np.bincount(y[own]) for own in _split(y, seed=seed).validation])
    folds = StratifiedKFold(5, shuffle=True, random_state=seed).split(y, y)
    theirs = np.array([np.bincount(y[own]) for _, own in folds])
    assert (np.ptp(ours, axis=0) <= np.ptp(theirs, axis=0)).all()
    assert np.ptp(ours.sum(axis=1)) <= np.ptp(theirs.sum(axis=1))


def test_pairs_share_each_class_within_one_pair():
    y = np.repeat(_classes(500, [0.7, 0.3]), 2)
    split = _split(y, groups=np.repeat(np.arange(500), 2))
    counts = np.array([np.bincount(y[own]) for own in split.validation])
    assert (np.ptp(counts, axis=0) <= 2).all()


def test_single_rows_level_what_large_groups_left_uneven():
    # Three groups of 20 rows for five folds; 100 single rows fill the two empty folds first.
    groups = np.concatenate([np.repeat([0, 1, 2], 20), np.arange(3, 103)])
    y = np.arange(160) % 2
    split = _split(y, groups=groups)
    assert split.validation.sum(axis=1).tolist() == [32] * 5
    assert split.validation[:, y == 0].sum(axis=1).tolist() == [16] * 5


def test_large_groups_of_unlike_mixture_are_balanced():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), rng.integers(5, 40, size=60))
    lean = rng.uniform(0.1, 0.9, size=60)
    y = (rng.uniform(size=len(groups)) < lean[groups]).astype(int)
    split = _split(y, groups=groups)
    shares = np.array([y[own].mean() for own in split.validation])
    sizes = split.validation.sum(axis=1) / len(y)
    assert np.abs(shares - y.mean()).max() < 0.03
    assert np.abs(sizes - 0.2).max() < 0.02


def test_without_stratify_only_sizes_are_level():
    y = _classes(1000, [0.5, 0.5])
    split = _split(y, recipe=SplitRecipe(stratify=False))
    counts = np.array([np.bincount(y[own]) for own in split.validation])
    assert counts.sum(axis=1).tolist() == [200] * 5
    assert np.ptp(counts[:, 0]) > 1


def test_the_seed_decides_the_split():
    y = _classes(200, [0.6, 0.4])
    groups = np.arange(200) // 3
    recipe = SplitRecipe(holdout=0.2, repeats=2)
    first, again, other = (_split(y, recipe=recipe, seed=seed, groups=groups) for seed in (1, 1, 2))
    for name in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
        assert (getattr(first, name) != getattr(other, name)).any()
    assert (first.validation[:5] != first.validation[5:]).any()  # repeats are drawn anew


def test_the_holdout_does_not_depend_on_folds():
    y = _classes(200, [0.6, 0.4])
    tests = [_split(y, recipe=SplitRecipe(holdout=0.2, folds=folds)).test for folds in (0, 3, 5)]
    np.testing.assert_array_equal(tests[0], tests[1])
    np.testing.assert_array_equal(tests[0], tests[2])


def test_the_holdout_has_its_share_of_each_class():
    y = np.repeat([0, 1, 2], [600, 300, 100])
    split = _split(y, recipe=SplitRecipe(holdout=0.1))
    assert np.bincount(y[split.test]).tolist() == [60, 30, 10]


def test_holdout_of_groups_is_near_its_share():
    groups = np.random.default_rng(0).integers(100, size=1000)
    split = _split(np.arange(1000) % 2, recipe=SplitRecipe(holdout=0.3), groups=groups)
    assert abs(split.test.mean() - 0.3) < 0.02


def test_members_without_folds_leave_out_rows_of_their_own():
    y = np.repeat([0, 1], [80, 20])
    split = _split(y, recipe=SplitRecipe(folds=0, members=4, validation_share=0.1))
    assert split.member_fold == ((0, 0), (1, 0), (2, 0), (3, 0))
    for own in split.validation:
        assert np.bincount(y[own]).tolist() == [8, 2]
    assert len({own.tobytes() for own in split.validation}) == 4
    np.testing.assert_array_equal(split.train, ~split.validation)


def test_members_without_a_share_train_on_everything():
    split = _split([0, 1] * 5, recipe=SplitRecipe(folds=0, members=3))
    assert split.train.all()
    assert not split.validation.any()


def test_time_validates_on_the_block_after_training():
    time = np.random.default_rng(0).permutation(60)
    split = _split(np.arange(60) % 2, recipe=SplitRecipe(folds=4, holdout=0.2), time=time)
    assert sorted(time[split.test]) == list(range(48, 60))
    assert split.validation.sum() + (time < 10).sum() == 48  # the first block is never validated
    for fold, (train, validation) in enumerate(zip(split.train, split.validation, strict=True)):
        assert time[train].max() < time[validation].min()
        assert time[validation].max() < 48
        assert abs(train.sum() - 48 / 5 * (fold + 1)) <= 1


@given(times=st.lists(st.integers(0, 9), min_size=30, max_size=60), folds=st.integers(2, 4))
def test_rows_of_one_moment_stay_together(times, folds):
    time = np.array([*times, *range(10), *range(10)]) * 3600
    both = np.repeat([0, 1], 10)  # classes at each moment: no training has rows of one alone
    y = np.concatenate([np.arange(len(times)) % 2, both])
    split = _split(y, recipe=_lenient(folds), time=time)
    for train, validation in zip(split.train, split.validation, strict=True):
        assert validation.any()
        assert not set(time[train]) & set(time[validation])
        assert time[train].max() < time[validation].min()


def _lenient(folds):
    return SplitRecipe(folds=folds) if folds > 2 else SplitRecipe(folds=folds, holdout=0.1)


def test_dates_are_times():
    days = np.datetime64("2024-01-01") + np.arange(40)[::-1]
    split = _split(np.arange(40) % 2, recipe=SplitRecipe(folds=0, holdout=0.25), time=days)
    assert split.test.tolist() == [True] * 10 + [False] * 30


def test_validation_share_with_time_is_the_latest_rows():
    recipe = SplitRecipe(folds=0, members=2, validation_share=0.2)
    split = _split(np.arange(50) % 2, recipe=recipe, time=np.arange(50.0))
    assert split.validation.tolist() == [[False] * 40 + [True] * 10] * 2


def test_a_missing_time_is_told():
    time = np.arange(20.0)
    time[3] = np.nan
    with pytest.raises(UserError, match="1 of 20 rows have no time"):
        _split(np.arange(20) % 2, time=time)
    days = np.full(20, np.datetime64("2024-01-01"))
    days[:2] = np.datetime64("NaT")
    with pytest.raises(UserError, match="2 of 20 rows have no time"):
        _split(np.arange(20) % 2, time=days)


def test_one_moment_cannot_be_split():
    with pytest.raises(
        UserError,
        match=r"1 moment cannot be split into folds. Bring more rows, choose another time column",
    ):
        _split(np.arange(20) % 2, time=np.zeros(20))


def test_a_training_block_of_one_class_is_told():
    with pytest.raises(UserError, match=r"member 0 of repeat 0 .* 1 class\(es\).*split.time"):
        _split(np.repeat([0, 1], 20), time=np.arange(40))


def test_rare_classes_are_split_all_the_same_and_told():
    ledger = Ledger()
    y = np.repeat([0, 1, 2], [40, 2, 1])
    split = _split(y, ledger, class_names=["a", "b", "c"])
    np.testing.assert_array_equal(split.validation.sum(axis=0), 1)
    assert sorted(split.validation[:, y == 1].sum(axis=1)) == [0, 0, 0, 1, 1]
    said = {entry.where: entry.why for entry in ledger}
    assert list(said) == ["class 'b'", "class 'c'"]
    assert "2 row(s) for 5 folds, so some folds validate without it" in said["class 'b'"]
    assert "1 row(s) for 5 folds, so its fold trains without it" in said["class 'c'"]


def test_a_class_in_few_groups_is_rare_too():
    ledger = Ledger()
    y = np.repeat([0, 1], [90, 10])
    groups = np.concatenate([np.arange(90), np.repeat([90, 91], 5)])
    _split(y, ledger, groups=groups)
    assert ["10 row(s) in 2 group(s)" in entry.why for entry in ledger] == [True]


def test_common_classes_leave_no_entry():
    ledger = Ledger()
    _split([0, 1] * 20, ledger, recipe=SplitRecipe(holdout=0.2))
    assert len(ledger) == 0


def test_a_class_only_in_the_test_is_told():
    ledger = Ledger()
    y = np.array([0, 1] * 10 + [2])
    _split(y, ledger, recipe=SplitRecipe(folds=0, holdout=0.05), time=np.arange(21))
    assert [entry.where for entry in ledger] == ["class '2'"]
    assert "all of its 1 row(s) are test rows" in next(iter(ledger)).why


def test_fewer_rows_than_folds_make_fewer_folds():
    ledger = Ledger()
    split = _split([0, 1] * 3, ledger, recipe=SplitRecipe(folds=10))
    assert len(split.train) == 6
    assert any("10 folds reduced to 6" in entry.what for entry in ledger)


def test_fewer_groups_than_folds_make_fewer_folds():
    ledger = Ledger()
    split = _split([0, 1] * 6, ledger, groups=np.arange(12) // 4)
    assert len(split.train) == 3
    assert any("only 3 groups" in entry.why for entry in ledger)


def test_a_group_larger_than_a_fold_is_told():
    ledger = Ledger()
    groups = np.concatenate([np.zeros(40, dtype=int), np.arange(1, 61)])
    split = _split(np.arange(100) % 2, ledger, groups=groups)
    assert sorted(split.validation.sum(axis=1)) == [15, 15, 15, 15, 40]
    assert ["40 of 100 rows are one group" in entry.why for entry in ledger] == [True]


def test_one_group_cannot_be_split():
    with pytest.raises(
        UserError,
        match=r"1 group cannot be split into folds. Bring more rows, choose another group",
    ):
        _split([0, 1] * 6, groups=np.zeros(12, dtype=int))


def test_without_groups_no_message_speaks_of_groups():
    with pytest.raises(UserError, match="1 distinct row cannot be split") as caught:
        _split([0, 1] * 6, duplicate_of=np.zeros(12, dtype=int))
    said = [str(caught.value)]
    with pytest.raises(
        UserError, match=r"0.2 of 12 rows is .* while copies of a row stay"
    ) as caught:
        _split([0, 1] * 6, recipe=SplitRecipe(holdout=0.2), duplicate_of=np.zeros(12, dtype=int))
    said.append(str(caught.value))
    with pytest.raises(UserError, match="Bring more rows, use fewer folds") as caught:
        _split([0] * 5 + [1], recipe=SplitRecipe(folds=2))
    said.append(str(caught.value))
    ledger = Ledger()
    y, copies = [0, 1, 0, 1, 2, 2, 0, 1, 0, 1, 0, 1], np.repeat([0, 6, 8, 10], [6, 2, 2, 2])
    _split(y, ledger, duplicate_of=copies)
    said += [entry.why for entry in ledger]
    assert said[3] == "there are only 4 distinct rows"
    assert said[4].startswith("it has 2 row(s), 1 of them distinct for 4 folds")
    assert said[5].startswith("6 of 12 rows are copies of one row")
    assert not any("group" in text for text in said)


def test_one_class_cannot_be_split():
    with pytest.raises(UserError, match=r"the target has 1 class\(es\) in 8 rows"):
        _split([0] * 8, n_classes=2)
    with pytest.raises(UserError, match=r"0 class\(es\) in 0 rows"):
        _split(np.zeros(0, dtype=int), n_classes=2)


def test_training_rows_of_one_class_are_told():
    with pytest.raises(UserError, match=r"would train on .* of 1 class"):
        _split([0, 0, 0, 0, 1], recipe=SplitRecipe(folds=2))


@pytest.mark.parametrize("option", ["holdout", "validation_share"])
def test_a_share_that_holds_no_row_is_told(option):
    with pytest.raises(UserError, match=rf"split.{option}: 0.01 of 20 rows is no row"):
        _split([0, 1] * 10, recipe=SplitRecipe(folds=0, **{option: 0.01}))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"groups": np.arange(3)}, r"groups must have shape \(8,\) \(got \(3,\)\)"),
        ({"time": np.array(["a"] * 8)}, "time must be numbers or datetimes"),
        ({"n_classes": 1}, r"y must lie in \[0, 1\)"),
    ],
)
def test_columns_that_do_not_fit_are_told(columns, said):
    with pytest.raises(UserError, match=said):
        _split([0, 1] * 4, **columns)


def test_units_join_groups_and_copies_and_are_kept_where_time_splits():
    y = np.arange(12) % 2
    groups, copies = np.arange(12) // 2, np.where(np.arange(12) < 4, 0, np.arange(12))
    expected = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    recipe = SplitRecipe(folds=2, repeats=1)
    for time in (None, np.arange(12)):
        split = _split(y, recipe=recipe, groups=groups, duplicate_of=copies, time=time)
        assert split.unit.tolist() == expected
    assert _split(y, recipe=recipe).unit is None
