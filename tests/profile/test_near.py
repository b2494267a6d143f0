"""Near copies of another class are told; rows that agree by chance are not."""

import numpy as np
import polars as pl
import pytest
from tests.profile.test_planted import clean, found_in, named


def _noisy_copies(n_copies, *, columns=("height",), is_flipped=True, noise=0.05):
    """Return a clean table and some of its rows again, a little off and of another class."""
    frame = clean(seed=3).drop("since")
    rng = np.random.default_rng(0)
    copies = frame[:n_copies]
    for name in columns:
        copies = copies.with_columns(pl.col(name) + pl.Series(rng.uniform(0.01, noise, n_copies)))
    if is_flipped:
        other = pl.when(pl.col("target") == "low").then(pl.lit("high")).otherwise(pl.lit("low"))
        copies = copies.with_columns(target=other)
    return pl.concat([frame, copies])


@pytest.mark.parametrize("columns", [("height",), ("height", "age")])
def test_near_copies_of_another_class_are_told(columns):
    found = found_in(_noisy_copies(60, columns=columns))
    where = columns[0] if len(columns) == 1 else "rows"
    severity = "medium" if len(columns) == 1 else "low"
    assert named(found, "near_conflicts") == {where: severity}
    told = next(one for one in found if one.kind == "near_conflicts")
    assert told.what.startswith("120 rows equal a row of another class in every column but ")
    assert all(repr(name) in told.what for name in columns)


def test_near_copies_of_one_class_are_no_conflict():
    assert named(found_in(_noisy_copies(60, is_flipped=False)), "near_conflicts") == {}


def test_rows_far_apart_in_the_column_are_no_conflict():
    assert named(found_in(_noisy_copies(60, noise=30.0)), "near_conflicts") == {}


def test_a_few_are_not_told():
    assert named(found_in(_noisy_copies(4)), "near_conflicts") == {}


@pytest.mark.parametrize("seed", [0, 1])
def test_clean_tables_hold_none(seed):
    assert named(found_in(clean(seed=seed)), "near_conflicts") == {}


def test_rows_that_agree_by_chance_are_none():
    rng = np.random.default_rng(5)
    frame = pl.DataFrame(
        {
            "a": rng.integers(0, 3, 3000),
            "b": rng.integers(0, 3, 3000),
            "x": rng.normal(size=3000),
            "y": rng.normal(size=3000),
            "target": rng.choice(["yes", "no"], 3000),
        }
    )
    assert named(found_in(frame), "near_conflicts") == {}


def _sessions(n_sessions=100):
    """Return columns that ten rows in turn share, and each row's number in its session."""
    rng = np.random.default_rng(0)
    session = np.repeat(np.arange(n_sessions), 10)
    shared = {name: rng.integers(0, 50, n_sessions)[session] for name in "abc"}
    levels = {name: [f"{name}{code}" for code in codes] for name, codes in shared.items()}
    return levels, session, np.tile(np.arange(10), n_sessions)


def test_numbers_that_huge_ones_push_together_are_not_near():
    """Of a range of a million all other numbers are a small part, and yet a threshold decides."""
    levels, _, number = _sessions()
    row = np.arange(len(number))
    is_huge = row % 100 < 8
    for target in (number > 4, number % 2 == 0):
        frame = pl.DataFrame(
            {
                **levels,
                "x": np.where(is_huge, 1e6, number) + row * 1e-6,
                "target": np.where(target, "yes", "no"),
            }
        )
        assert named(found_in(frame), "near_conflicts") == {}


@pytest.mark.parametrize("sign", [1, -1])
def test_a_class_that_turns_once_in_each_session_is_no_conflict(sign):
    levels, session, number = _sessions()
    time = session + 0.01 * number
    frame = pl.DataFrame(
        {**levels, "time": sign * time, "target": np.where(number > 4, "yes", "no")}
    )
    assert named(found_in(frame), "near_conflicts") == {}


def test_what_is_told_is_no_more_than_was_seen():
    told = next(one for one in found_in(_noisy_copies(60)) if one.kind == "near_conflicts")
    assert told.what.endswith("differ by at most 1 % of the range: they are hard to tell apart")
