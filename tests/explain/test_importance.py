"""Importance of planted models: known by hand, exactly 0 where nothing is used."""

import numpy as np
import polars as pl
import pytest

from assay.errors import UserError
from assay.explain import Subject, permutation_importance, sample_size, top_columns
from assay.metrics import row_log_loss
from assay.table import Table


def _drawn(subject: Subject, frame: pl.DataFrame, rng: np.random.Generator) -> np.ndarray:
    proba = subject.proba(subject.typed(Table(frame)))
    return (rng.random(frame.height)[:, None] > proba.cumsum(axis=1)).sum(axis=1)


def _by_column(found: dict) -> dict[str, float]:
    return {one["column"]: one["increase"]["estimate"] for one in found["columns"]}


def test_order_and_an_exact_zero(plant, people, rng):
    subject = plant(people, lambda typed: 2 * typed["pay"].to_numpy() + typed["luck"].to_numpy())
    found = permutation_importance(subject, Table(people), _drawn(subject, people, rng))
    assert [one["column"] for one in found["columns"]][:2] == ["pay", "luck"]
    for one in found["columns"][2:]:
        assert one["increase"] == {"estimate": 0.0, "low": 0.0, "high": 0.0}
    first = found["columns"][0]["increase"]
    assert 0 < first["low"] < first["estimate"] < first["high"]
    assert (found["metric"], found["n_rows"], found["n_columns"]) == ("log_loss", 400, 4)
    assert top_columns(found) == ["pay", "luck"]


def test_two_rows_swap_their_cells(plant):
    frame = pl.DataFrame({"x": [0.0, 3.0] * 30, "z": np.arange(60) % 7.0})
    subject = plant(frame, lambda typed: typed["x"].to_numpy())
    two, y = Table(frame.head(2)), np.array([0, 1])
    found = permutation_importance(subject, two, y, columns=["x"], n_shuffles=2)
    # As they are: log 2 and log(1 + e^-3); swapped: log(1 + e^3) and log 2.
    gain = (np.log1p(np.exp(3.0)) - np.log1p(np.exp(-3.0))) / 2
    assert found["columns"][0]["increase"]["estimate"] == pytest.approx(gain)


def test_estimate_is_that_of_scikit_learn_on_many_shuffles(plant, people, rng):
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.inspection import permutation_importance as reference

    names = ["age", "pay", "luck"]
    frame = people.select(names)
    subject = plant(frame, lambda typed: (1.5 * typed["pay"] + typed["age"] / 50).to_numpy())
    y = _drawn(subject, frame, rng)

    class Planted(ClassifierMixin, BaseEstimator):
        classes_ = np.array([0, 1])

        def fit(self, X, y):
            return self

        def predict_proba(self, X):
            return subject.proba(Table(pl.DataFrame(X, schema=names)))

    theirs = reference(
        Planted(), frame.to_numpy(), y, scoring="neg_log_loss", n_repeats=60, random_state=0
    )
    ours = _by_column(permutation_importance(subject, Table(frame), y, n_shuffles=60))
    for idx, name in enumerate(names):
        assert ours[name] == pytest.approx(theirs.importances_mean[idx], abs=0.015)


def test_derived_columns_follow_their_raw_column(plant, rng):
    titles = rng.choice(["Mr", "Mrs"], 300)
    frame = pl.DataFrame(
        {
            "name": [f"Doe {idx}, {title}. Jo" for idx, title in enumerate(titles)],
            "fare": rng.normal(size=300).round(2),
        }
    )
    title = "TRIM(SPLIT_PART(SPLIT_PART(name, ',', 2), '.', 1))"
    subject = plant(
        frame,
        lambda typed: np.where((typed["title"] == "Mrs").to_numpy(), 2.0, -2.0),
        options={"derive": {"title": title}, "drop": ["name"]},
    )
    found = permutation_importance(subject, Table(frame), (titles == "Mrs").astype(int))
    shares = _by_column(found)
    assert list(shares) == ["name", "fare"]
    assert shares["fare"] == 0.0
    # Half of the shuffled titles are wrong, and a wrong one costs 2 nats.
    wrong = 2 * (titles == "Mrs").mean() * (titles == "Mr").mean()
    assert shares["name"] == pytest.approx(2.0 * wrong, abs=0.15)


def test_alike_columns_are_shuffled_together_and_told(plant, people, rng):
    frame = people.with_columns((pl.col("pay") * 1000).exp().rank().alias("wage"))

    def odds(typed):
        return typed["pay"].to_numpy() + (typed["wage"].rank() / 200 - 1).to_numpy()

    subject = plant(frame, odds)
    y = _drawn(subject, frame, rng)
    found = permutation_importance(subject, Table(frame), y)
    assert found["columns"][0]["column"] == "pay"
    assert found["columns"][0]["with"] == ["wage"]
    assert found["grouped"] == [
        {"columns": ["pay", "wage"], "text": "pay and wage carry the same: shuffled together"}
    ]
    assert found["n_untested"] == 0
    apart = permutation_importance(subject, Table(frame), y, joins_alike=False)
    assert len(apart["columns"]) == 5
    assert apart["grouped"] == []


def test_same_seed_same_figures(plant, people, rng):
    subject = plant(people, lambda typed: typed["pay"].to_numpy())
    y = _drawn(subject, people, rng)
    one, again, other = (
        permutation_importance(subject, Table(people), y, seed=seed) for seed in (3, 3, 4)
    )
    assert one == again
    assert one != other


def test_one_row_has_no_figure(plant, people):
    subject = plant(people, lambda typed: typed["pay"].to_numpy())
    found = permutation_importance(subject, Table(people.head(1)), np.array([0]))
    assert len(found["columns"]) == 4
    assert all(set(one["increase"].values()) == {None} for one in found["columns"])


def test_missing_and_constant_cells_are_cells(plant, people, rng):
    frame = people.with_columns(
        pl.when(pl.col("age") > 45).then(pl.col("luck")).alias("luck"), pl.lit(1.0).alias("flat")
    )
    subject = plant(
        frame,
        lambda typed: np.where(typed["luck"].is_null(), 2.0, -2.0),
        options={"kinds": {"flat": "numeric"}},
    )
    y = _drawn(subject, frame, rng)
    shares = _by_column(permutation_importance(subject, Table(frame), y))
    assert shares["luck"] > 0.5
    assert shares["flat"] == 0.0


def test_grouped_rows_widen_the_interval(plant, people, rng):
    subject = plant(people, lambda typed: typed["pay"].to_numpy())
    y = _drawn(subject, people, rng)
    copies = pl.concat([people] * 4)
    groups = np.tile(np.arange(400), 4)

    def width(**options):
        found = permutation_importance(
            subject, Table(copies), np.tile(y, 4), columns=["pay"], **options
        )
        increase = found["columns"][0]["increase"]
        return increase["high"] - increase["low"]

    assert width(groups=groups) > 1.3 * width()


def test_interval_covers_the_increase_of_all_rows(plant, rng):
    frame = pl.DataFrame({"x": rng.normal(size=40_000), "z": np.arange(40_000) % 5.0})
    subject = plant(frame, lambda typed: 1.5 * typed["x"].to_numpy())
    y = _drawn(subject, frame, rng)
    everyone = permutation_importance(
        subject, Table(frame), y, columns=["x"], n_shuffles=2, n_resamples=100
    )
    truth = everyone["columns"][0]["increase"]["estimate"]
    n_covered = 0
    for start in range(0, 20_000, 200):
        part = Table(frame.slice(start, 200))
        found = permutation_importance(
            subject, part, y[start : start + 200], columns=["x"], n_resamples=200, seed=start
        )
        increase = found["columns"][0]["increase"]
        n_covered += increase["low"] <= truth <= increase["high"]
    assert n_covered >= 88  # of 100 at 95 %


def test_a_screen_of_many_columns_keeps_the_important_ones(plant, rng):
    X = rng.normal(size=(1000, 600)).round(4)
    frame = pl.DataFrame(X, schema=[f"x{idx}" for idx in range(600)])
    weights = {"x7": 2.0, "x8": 1.0, "x311": 1.5, "x599": -1.0}
    asked = 0

    def odds(typed):
        nonlocal asked
        asked += 1
        return sum(weight * typed[name].to_numpy() for name, weight in weights.items())

    subject = plant(frame, odds)
    y = _drawn(subject, frame, rng)
    asked = 0
    found = permutation_importance(subject, Table(frame), y, n_resamples=100)
    assert {one["column"] for one in found["columns"][:4]} == set(weights)
    assert [one["n_shuffles"] for one in found["columns"]] == [5] * 30 + [1] * 30
    assert (found["n_columns"], found["n_untested"]) == (600, 540)
    assert asked < 150


def test_a_deadline_is_kept_and_told(plant, people, rng, monkeypatch):
    monkeypatch.setattr("assay.explain.screen._MOST_ROWS", 400)  # one column a prediction
    subject = plant(people, lambda typed: typed["pay"].to_numpy())
    y = _drawn(subject, people, rng)
    times = iter(range(1000))
    found = permutation_importance(
        subject, Table(people), y, most_s=3.5, clock=lambda: float(next(times))
    )
    assert len(found["columns"]) == 3
    assert found["n_untested"] == 1
    nothing = permutation_importance(subject, Table(people), y, most_s=0.0, clock=lambda: 0.0)
    assert (nothing["columns"], nothing["n_untested"]) == ([], 4)


def test_many_classes(plant, people, rng):
    subject = plant(
        people,
        lambda typed: np.stack([typed["pay"], typed["luck"], typed["pay"] * 0], axis=1),
        classes=("a", "b", "c"),
    )
    y = _drawn(subject, people, rng)
    found = permutation_importance(subject, Table(people), y)
    base = row_log_loss(y, subject.proba(Table(people))).mean()
    assert base < np.log(3)
    assert set(top_columns(found)) == {"pay", "luck"}


def test_bad_input_is_refused(plant, people):
    subject = plant(people, lambda typed: typed["pay"].to_numpy())
    with pytest.raises(UserError, match="no rows"):
        permutation_importance(subject, Table(people.head(0)), np.zeros(0, int))
    with pytest.raises(UserError, match="shape"):
        permutation_importance(subject, Table(people), np.zeros(3, int))
    with pytest.raises(UserError, match="'salary'"):
        permutation_importance(subject, Table(people), np.zeros(400, int), columns=["salary"])
    with pytest.raises(UserError, match="n_shuffles"):
        permutation_importance(subject, Table(people), np.zeros(400, int), n_shuffles=0)


def test_rows_are_fewer_for_wide_tables():
    assert [sample_size(n) for n in (0, 10, 1_000, 10_000)] == [2_000, 2_000, 500, 200]
