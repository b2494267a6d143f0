"""Columns that carry the same are found; those that merely go together are not."""

import numpy as np
import polars as pl
import pytest

from assay.explain.alike import alike_columns, cramers_v
from assay.table import Table


def _groups(columns: dict[str, object]) -> list[tuple[str, ...]]:
    return alike_columns(Table(pl.DataFrame(columns)), list(columns))


def test_rising_and_falling_copies_are_alike(rng):
    x = rng.normal(size=200)
    groups = _groups({"x": x, "other": rng.normal(size=200), "exp": np.exp(x), "minus": -(x**3)})
    assert groups == [("x", "exp", "minus"), ("other",)]


def test_spearman_decides_as_in_scipy(rng):
    from scipy.stats import spearmanr

    x = rng.normal(size=300)
    near, far = x + 0.2 * rng.normal(size=300), x + 0.5 * rng.normal(size=300)
    assert spearmanr(x, near).statistic > 0.95 > spearmanr(x, far).statistic
    assert _groups({"x": x, "near": near, "far": far}) == [("x", "near"), ("far",)]


def test_a_chain_does_not_grow(rng):
    x = rng.normal(size=500)
    step = [x]
    for _ in range(4):
        step.append(step[-1] + 0.25 * rng.normal(size=500))
    groups = _groups({f"x{idx}": values for idx, values in enumerate(step)})
    assert len(groups) > 1


def test_levels_under_other_names_are_alike(rng):
    sex = rng.choice(["male", "female"], 200)
    code = np.where(sex == "male", 1.0, 2.0)
    groups = _groups({"sex": sex, "code": code, "title": np.where(sex == "male", "Mr", "Ms")})
    assert groups == [("sex", "code", "title")]


def test_a_city_is_more_than_its_country(rng):
    city = rng.integers(6, size=300)
    names = {"city": [f"c{idx}" for idx in city], "country": [f"l{idx // 3}" for idx in city]}
    assert _groups(names) == [("city",), ("country",)]


def test_missing_and_constant_columns_stand_alone(rng):
    x = rng.normal(size=100)
    empty = pl.Series([None] * 100, dtype=pl.Float64)
    groups = _groups({"x": x, "one": np.ones(100), "empty": empty, "none": empty})
    assert groups == [("x",), ("one",), ("empty",), ("none",)]


def test_columns_that_agree_by_a_few_rows_stand_alone():
    rare = np.zeros(300)
    rare[:3] = 1.0
    words = np.where(rare == 1, "x", "y")
    assert _groups({"a": rare, "b": rare * 2, "c": words}) == [("a",), ("b",), ("c",)]


def test_unrelated_levels_have_no_v(rng):
    one, other = rng.integers(20, size=300), rng.integers(20, size=300)
    counts = np.zeros((20, 20))
    np.add.at(counts, (one, other), 1)
    assert cramers_v(counts) < 0.1


def test_v_by_hand():
    # chi2 / n = 0.36, of 100 rows; less 1/99; over a size of 2 - 1/99 - 1.
    counts = np.array([[40, 10], [10, 40]])
    assert cramers_v(counts) == pytest.approx(((0.36 - 1 / 99) / (1 - 1 / 99)) ** 0.5)
    assert cramers_v(np.array([[3, 4]])) == 0.0
