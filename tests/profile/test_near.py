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
