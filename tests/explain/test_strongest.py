"""Very many columns: those that go with the predictions are found without predicting."""

import numpy as np
import polars as pl

from assay.explain import importance, permutation_importance
from assay.explain.strongest import strongest_columns
from assay.table import Table


def softmax(odds: np.ndarray) -> np.ndarray:
    return np.stack([1 / (1 + np.exp(odds)), 1 / (1 + np.exp(-odds))], axis=1)


def test_numbers_levels_gaps_and_dates_are_found_among_noise(rng: np.random.Generator):
    n_rows = 200
    frame = pl.DataFrame({f"n{idx}": rng.normal(size=n_rows) for idx in range(2_100)})
    drawn = rng.normal(size=n_rows)
    city = rng.choice(list("abcd"), n_rows)
    gap = np.where(rng.random(n_rows) < 0.5, np.nan, 1.0)
    days = rng.integers(0, 10_000, n_rows)
    odds = drawn + 2.0 * np.isin(city, ["a", "c"]) + 2.0 * np.isnan(gap) + days / 2_500
    planted = pl.DataFrame(
        {
            "x": np.exp(drawn),
            "city": city,
            "gap": pl.Series(gap, nan_to_null=True),
            "when": pl.Series(days * 86_400_000_000).cast(pl.Datetime("us")),
        }
    )
    rows = Table(frame.hstack(planted))
    found = strongest_columns(rows, rows.names, softmax(odds), 20)
    assert set(planted.columns) <= set(found)
    assert len(found) == 20
    assert found == strongest_columns(rows, rows.names, softmax(odds), 2_000)[:20]


def test_constants_and_names_tell_nothing(rng: np.random.Generator):
    odds = rng.normal(size=50)
    frame = pl.DataFrame(
        {
            "same": [3.0] * 50,
            "none": pl.Series([None] * 50, dtype=pl.Float64),
            "name": [f"{idx:04}" for idx in range(50)],
            "x": odds,
        }
    )
    assert strongest_columns(Table(frame), frame.columns, softmax(odds), 1) == ["x"]
    order = strongest_columns(Table(frame), frame.columns, softmax(odds), 9)
    assert order == ["x", "same", "none", "name"]


def test_levels_that_explain_by_chance_come_after_those_that_explain(rng: np.random.Generator):
    odds = rng.normal(size=100)
    half = np.where(odds > 0, "high", "low")
    frame = pl.DataFrame(
        {"many": rng.permutation([f"v{i % 60}" for i in range(100)]), "half": half}
    )
    assert strongest_columns(Table(frame), frame.columns, softmax(odds), 1) == ["half"]


def test_importance_of_very_many_columns_tests_the_strongest(plant, rng, monkeypatch):
    monkeypatch.setattr(importance, "MOST_GROUPED", 300)
    monkeypatch.setattr(importance, "MOST_TESTED", 20)
    frame = pl.DataFrame({f"n{idx}": rng.normal(size=150) for idx in range(400)})
    frame = frame.with_columns(copy=pl.col("n7") * 2.0)
    subject = plant(frame, lambda typed: 2.0 * typed["n7"].to_numpy() - typed["n50"].to_numpy())
    y = (frame["n7"].to_numpy() > 0).astype(np.intp)
    found = permutation_importance(subject, Table(frame), y, n_shuffles=1, n_resamples=100)
    listed = [one["column"] for one in found["columns"]]
    assert listed[0] == "n7"
    assert found["columns"][0]["with"] == ["copy"]
    assert "n50" in listed
    assert len(listed) == 20
    assert (found["n_columns"], found["n_set_aside"], found["n_untested"]) == (401, 380, 380)
