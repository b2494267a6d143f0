"""Units stay whole, parts get what they are owed."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from assay.deal import (
    cut_time,
    deal,
    duplicate_groups,
    join_units,
    must_repeat,
    sample_of_classes,
    sample_rows,
)
from assay.errors import UserError
from assay.schema import ColumnSpec, Kind, Schema


@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=5).filter(any),
    quota=st.lists(st.integers(1, 9), min_size=2, max_size=6),
    seed=st.integers(0, 9),
)
def test_single_rows_get_their_quota_within_one_row(counts, quota, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    part = deal(y, None, np.array(quota, dtype=float), rng=np.random.default_rng(seed))
    got = np.zeros((len(quota), len(counts)))
    np.add.at(got, (part, y), 1)
    owed = np.outer(np.array(quota) / sum(quota), counts)
    assert np.abs(got - owed).max() < 1 + 1e-9


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=1, max_size=80))
def test_units_stay_whole(rows):
    unit, y = np.array(rows).T
    unit = np.unique(unit, return_inverse=True)[1]
    part = deal(y, unit, np.ones(3), rng=np.random.default_rng(0))
    assert part.min() >= 0
    assert part.max() < 3
    for one in np.unique(unit):
        assert len(set(part[unit == one])) == 1


def test_units_alike_are_dealt_in_equal_numbers():
    y = np.tile([0, 0, 1], 12)  # twelve units of two rows of class 0 and one of class 1
    part = deal(y, np.repeat(np.arange(12), 3), np.ones(4), rng=np.random.default_rng(0))
    assert np.bincount(part).tolist() == [9, 9, 9, 9]


def test_the_first_unit_goes_where_its_class_is_owed_most():
    # Quota 3 to 1: the large unit does not fit the small part.
    part = deal(
        np.zeros(3, dtype=int),
        np.zeros(3, dtype=int),
        np.array([3.0, 1.0]),
        rng=np.random.default_rng(0),
    )
    assert part.tolist() == [0, 0, 0]


def test_time_is_cut_nearest_to_the_quota():
    assert cut_time(np.arange(8), np.ones(4)).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    # Moment 0 has six of eight rows and cannot be parted.
    assert cut_time(np.array([0] * 6 + [1, 2]), np.ones(2)).tolist() == [0] * 6 + [1, 1]
    assert cut_time(np.array([0, 1] + [2] * 6), np.ones(3)).tolist() == [0, 1] + [2] * 6


def test_more_blocks_than_moments_are_refused():
    with pytest.raises(UserError, match=r"2 moment\(s\) of time cannot be cut into 3 parts"):
        cut_time(np.array([0, 1, 1]), np.ones(3))


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=40))
def test_joined_units_agree_with_scipy(rows):
    groups, copies = np.array(rows).T
    graph = coo_matrix((np.ones(len(rows)), (groups, copies + 13)), shape=(26, 26))
    _, component = connected_components(graph, directed=False)
    unit = join_units(groups, copies)
    theirs = component[groups]
    np.testing.assert_array_equal(unit[:, None] == unit, theirs[:, None] == theirs)
    assert sorted(set(unit.tolist())) == list(range(unit.max() + 1))


def test_a_long_chain_is_one_unit():
    n_rows = 10_000  # row n shares its group with n + 1 or its copy number with n - 1
    idx = np.random.default_rng(0).permutation(n_rows)
    assert join_units(idx // 2, (idx + 1) // 2).max() == 0


def test_without_groups_and_copies_there_are_no_units():
    assert join_units(None, None) is None
    assert join_units(np.array([3, 3, 9]), None).tolist() == [0, 0, 1]
    assert join_units(None, np.array([3, 3, 9])).tolist() == [0, 0, 1]


def test_duplicate_groups_join_equal_rows_only():
    frame = pl.DataFrame(
        {
            "a": [1.0, 1.0, None, None, float("nan"), float("nan"), 1.0],
            "b": ["x", "x", "x", "x", "x", "x", "y"],
        }
    )
    assert duplicate_groups(frame).tolist() == [0, 0, 2, 2, 4, 4, 6]
    assert duplicate_groups(frame[:0]).tolist() == []
    assert duplicate_groups(pl.DataFrame({"0": [1, 1], "1": [2, 3]})).tolist() == [0, 1]
    assert duplicate_groups(pl.DataFrame({"0": [1, 1]})).tolist() == [0, 0]


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["u", "v", None])), max_size=40))
def test_duplicate_groups_agree_with_a_dictionary(rows):
    frame = pl.DataFrame(rows, schema={"n": pl.Int64, "s": pl.String}, orient="row")
    first = {row: idx for idx, row in reversed(list(enumerate(rows)))}
    assert duplicate_groups(frame).tolist() == [first[row] for row in rows]


def of_kinds(**columns: tuple[Kind, list]) -> tuple[pl.DataFrame, Schema]:
    frame = pl.DataFrame({name: values for name, (_, values) in columns.items()})
    return frame, Schema(tuple(ColumnSpec(name, kind, "") for name, (kind, _) in columns.items()))


def test_fewer_combinations_than_rows_must_repeat():
    town, size = list("abc") * 10, [1.0, 2.0] * 15
    assert must_repeat(*of_kinds(town=(Kind.CATEGORICAL, town), size=(Kind.NUMERIC, size)))
    many = [float(idx) for idx in range(30)]
    assert not must_repeat(*of_kinds(town=(Kind.CATEGORICAL, town), size=(Kind.NUMERIC, many)))


def test_texts_repeat_only_in_copies():
    level = [str(idx) for idx in range(30)] * 10
    assert must_repeat(*of_kinds(t=(Kind.CATEGORICAL, level)))
    assert not must_repeat(*of_kinds(t=(Kind.TEXT, level)))


def test_a_sample_does_not_follow_rows_that_recur():
    for period in (2, 3, 5):
        chosen = sample_rows(10_000, 10_000 // period)
        assert len(chosen) == len(np.unique(chosen)) == 10_000 // period
        assert (np.diff(chosen) > 0).all()
        assert np.bincount(chosen % period).min() > 0.8 * len(chosen) / period
    assert sample_rows(5, 5) == sample_rows(0, 5) == slice(None)


def test_a_sample_of_classes_holds_some_rows_of_each():
    y = np.random.default_rng(3).permutation(np.repeat([0, 1, 2, 3], [19_000, 900, 97, 3]))
    chosen = sample_of_classes(y, 4, 1_000)
    drawn = sample_rows(len(y), 1_000)
    assert (np.diff(chosen) > 0).all()
    assert set(drawn) <= set(chosen)
    counts = np.bincount(y[chosen], minlength=4)
    np.testing.assert_array_equal(counts[:2], np.bincount(y[drawn], minlength=4)[:2])
    assert counts[2:].tolist() == [20, 3]


def test_a_sample_of_many_classes_grows_by_a_tenth_at_most():
    y = np.repeat(np.arange(300), np.r_[50_000, np.full(299, 5)])
    chosen = sample_of_classes(y, 300, 6_000)
    assert 6_000 < len(chosen) <= 6_600
    assert np.bincount(y[chosen]).min() == 2
    assert sample_of_classes(y, 300, len(y)) == slice(None)
    assert np.bincount(y[sample_of_classes(y, 300, 100)]).min() == 1
