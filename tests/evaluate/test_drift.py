"""Drift: quiet on rows of the same kind, loud where a column has moved."""

import json
import re
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from scipy import stats

from assay.evaluate.drift import ALPHA, Drift, drift, is_same
from assay.read.cast import apply_schema
from assay.recipe import Recipe
from assay.reference import Reference
from assay.schema import ColumnSpec, Kind, Schema
from assay.table import Table

SPECS = {
    "age": Kind.NUMERIC,
    "rooms": Kind.NUMERIC,
    "town": Kind.CATEGORICAL,
    "member": Kind.BOOLEAN,
    "since": Kind.DATETIME,
    "note": Kind.TEXT,
}
SCHEMA = Schema(tuple(ColumnSpec(name, kind, "") for name, kind in SPECS.items()))


def with_gaps(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the values, a tenth of them missing."""
    return np.where(rng.random(len(values)) < 0.1, np.nan, values)


def draw(n: int, rng: np.random.Generator, **changed: object) -> Table:
    """Return n cast rows of one distribution; columns in `changed` are given."""
    towns = np.array(["Rome", "Oslo", "Kyiv", "Bonn", *(f"village {idx}" for idx in range(30))])
    shares = np.r_[0.4, 0.3, 0.15, 0.05, np.full(30, 0.1 / 30)]
    frame = pl.DataFrame(
        {
            "age": with_gaps(rng.normal(40, 10, n), rng),
            "rooms": rng.poisson(1.5, n).astype(float),
            "town": rng.choice(towns, n, p=shares),
            "member": rng.random(n) < 0.3,
            "since": [
                datetime(2020, 1, 1) + timedelta(days=float(day)) for day in 900 * rng.random(n)
            ],
            "note": ["x" * int(length) or None for length in rng.poisson(20, n)],
        }
        | changed
    )
    return apply_schema(Table(frame), SCHEMA, Recipe(), is_training=True)


def fit(table: Table) -> Reference:
    return Reference.fit(table, SCHEMA)


def alarms(found: list[Drift]) -> list[str]:
    return [one.column for one in found if one.is_drifted]


def test_rows_of_the_same_kind_seldom_raise_any_alarm():
    n_alarms, n_significant = 0, 0
    for run in range(100):
        rng = np.random.default_rng(run)
        found = drift(fit(draw(400, rng)), draw(150, rng))
        n_alarms += bool(alarms(found))
        n_significant += any((one.p_adjusted or 1.0) < ALPHA for one in found)
    assert n_alarms <= n_significant <= 100 * ALPHA + 2 * (100 * ALPHA * (1 - ALPHA)) ** 0.5


@pytest.mark.parametrize(
    ("name", "moved", "what"),
    [
        ("age", lambda n, rng: with_gaps(rng.normal(47, 10, n), rng), "median 39.24"),
        ("age", lambda n, rng: np.where(rng.random(n) < 0.4, np.nan, rng.normal(40, 10, n)), "now"),
        ("age", lambda n, rng: rng.normal(40, 30, n), "median"),
        ("rooms", lambda n, rng: np.where(rng.random(n) < 0.3, -1, rng.poisson(1.5, n)), "median"),
        ("rooms", lambda n, rng: rng.poisson(3, n).astype(float), "median 1 in training, 3 now"),
        ("town", lambda n, rng: rng.choice(["Rome", "Bonn"], n), "Bonn: "),
        ("town", lambda n, rng: rng.choice(["Rome", "Oslo", "Lodz"], n), "rarer and new levels: "),
        ("member", lambda n, rng: rng.random(n) < 0.6, "in training"),
        ("since", lambda n, rng: [datetime(2024, 5, 5)] * n, "2024-05-05 now"),
        ("note", lambda n, rng: ["long" * 30] * n, "median length 20 in training, 120 now"),
        ("note", lambda n, rng: [None] * n, "missing: 0.0% of rows in training, 100.0% now"),
    ],
)
@pytest.mark.parametrize("n_rows", [300, 3000])
def test_a_column_that_has_moved_is_found_and_no_other(name, moved, what, n_rows, rng):
    reference = fit(draw(1000, rng))
    found = drift(reference, draw(n_rows, rng, **{name: moved(n_rows, rng)}))
    assert alarms(found) == [name]
    (one,) = [one for one in found if one.is_drifted]
    assert what in one.what
    assert (one.psi or 0) > 0.1


def test_a_difference_too_small_to_matter_is_no_alarm_in_a_huge_table(rng):
    reference = fit(draw(100_000, rng))
    n = 100_000
    found = drift(reference, draw(n, rng, age=with_gaps(rng.normal(41, 10, n), rng)))
    assert found[0].p_adjusted < 1e-6
    assert alarms(found) == []


def test_the_kolmogorov_distance_is_scipys(rng):
    before, now = draw(800, rng), draw(300, rng)
    found = {one.column: one for one in drift(fit(before), now)}
    rooms = [table.column("rooms").to_numpy() for table in (before, now)]
    expected = stats.ks_2samp(*rooms, method="asymp")
    assert found["rooms"].statistic == pytest.approx(expected.statistic)
    ages = [table.column("age").drop_nulls().to_numpy() for table in (before, now)]
    exact = stats.ks_2samp(*ages).statistic
    assert exact - 0.02 < found["age"].statistic <= exact  # it is known at 101 points


def test_chi_squared_is_scipys(rng):
    before, now = draw(800, rng), draw(300, rng)
    (member,) = [one for one in drift(fit(before), now) if one.column == "member"]
    counts = [
        [(table.column("member") == level).sum() for level in ("false", "true")]
        for table in (before, now)
    ]
    expected = stats.chi2_contingency(counts, correction=False)
    assert member.statistic == pytest.approx(expected.statistic)
    assert member.p_value == pytest.approx(expected.pvalue)


def test_stability_index_by_hand():
    spec = (ColumnSpec("x", Kind.NUMERIC, ""),)
    before = Table(pl.DataFrame({"x": [0.0] * 50 + [1.0] * 50}))
    now = Table(pl.DataFrame({"x": [0.0] * 80 + [1.0] * 20}))
    (one,) = drift(Reference.fit(before, Schema(spec)), now)
    p, q = 0.5, 80.5 / 101
    by_hand = (q - p) * np.log(q / p) + (p - q) * np.log((1 - q) / p)
    assert one.psi == pytest.approx(by_hand)
    assert one.statistic == pytest.approx(0.3)
    assert one.psi_by_chance == pytest.approx(0.02)


def test_predicted_classes_are_compared(rng):
    before = rng.dirichlet([3, 1], 500)
    reference = fit(draw(500, rng)).with_predictions(before)
    same = drift(reference, draw(300, rng), rng.dirichlet([3, 1], 300), ["no", "yes"])
    assert (same[-1].column, same[-1].kind) == ("predicted class", "prediction")
    assert alarms(same) == []
    moved = drift(reference, draw(300, rng), rng.dirichlet([1, 3], 300), ["no", "yes"])
    assert alarms(moved) == ["predicted class"]
    assert re.fullmatch(r"(no|yes): \d\d\.\d% on average in training, .*now", moved[-1].what)
    assert len(drift(fit(draw(500, rng)), draw(300, rng), rng.dirichlet([1, 3], 300))) == 6


@pytest.mark.parametrize(
    ("n_before", "n_now", "what"),
    [
        (500, 49, "49 rows are too few to tell, 50 are needed"),
        (20, 500, "20 rows of the training table are too few to tell, 50 are needed"),
        (500, 0, "0 rows are too few"),
        (500, 1, "1 row is too few to tell, 50 are needed"),
        (1, 500, "1 row of the training table is too few to tell, 50 are needed"),
    ],
)
def test_few_rows_are_not_judged(n_before, n_now, what, rng):
    reference = fit(draw(n_before, rng)).with_predictions(rng.dirichlet([1, 1], n_before))
    found = drift(reference, draw(n_now, rng), rng.dirichlet([1, 1], n_now), ["a", "b"])
    assert len(found) == 7
    for one in found:
        assert what in one.what
        assert (one.psi, one.p_value, one.is_drifted) == (None, None, False)


def test_the_training_table_is_known_again_in_any_order(rng):
    table = draw(500, rng)
    reference = fit(table)
    assert is_same(reference, table.take(rng.permutation(500)))
    assert is_same(fit(draw(30, np.random.default_rng(1))), draw(30, np.random.default_rng(1)))
    assert not is_same(reference, table.take(np.arange(499)))
    assert not is_same(reference, draw(500, rng))
    assert not is_same(Reference.fit(table, Schema(())), table)


@pytest.mark.parametrize("name", [*SPECS])
def test_one_cell_of_the_training_table_makes_a_difference(name, rng):
    table = draw(500, rng)
    cells = table.column(name)
    most = int(cells.arg_max() or 0)
    for other in (None, cells.drop_nulls().min()):
        changed = pl.Series(name, [*cells[:most], other, *cells[most + 1 :]], cells.dtype)
        assert not is_same(fit(table), Table(table.frame.with_columns(changed)))


def test_columns_without_any_value_are_no_obstacle(rng):
    nothing = {"age": [None] * 200, "town": [None] * 200, "since": [None] * 200}
    empty, full = draw(200, rng, **nothing), draw(200, rng)
    assert alarms(drift(fit(empty), empty)) == []
    assert set(alarms(drift(fit(empty), full))) == set(nothing)
    assert set(alarms(drift(fit(full), empty))) == set(nothing)


def test_a_column_called_like_our_own_words(rng):
    for name in ("n", "level", "predicted class"):
        schema = Schema((ColumnSpec(name, Kind.CATEGORICAL, ""),))
        table = Table(pl.DataFrame({name: ["a", "b"] * 50}))
        (one,) = drift(Reference.fit(table, schema), table)
        assert (one.column, one.psi, one.is_drifted) == (name, 0.0, False)


def test_huge_numbers_and_far_dates_are_told(rng):
    schema = Schema((ColumnSpec("x", Kind.NUMERIC, ""), ColumnSpec("t", Kind.DATETIME, "")))
    far = pl.Series([2**62] * 100).cast(pl.Datetime("us"))
    before = Table(pl.DataFrame({"x": [1e308, -1e308] * 50, "t": far}))
    now = Table(pl.DataFrame({"x": [1e300] * 100, "t": far}))
    found = drift(Reference.fit(before, schema), now)
    assert alarms(found) == ["x"]
    json.dumps([one.to_dict() for one in found], allow_nan=False)


def test_many_rare_levels_raise_no_alarm():
    """Levels that were listed because they happened to be common are not common again."""
    schema = Schema((ColumnSpec("town", Kind.CATEGORICAL, ""),))
    n_alarms = 0
    for run in range(100):
        rng = np.random.default_rng(run)
        towns = np.array([f"town {idx}" for idx in range(rng.choice([20, 60, 200]))])
        before, now = (
            Table(pl.DataFrame({"town": rng.choice(towns, n)}))
            for n in (300, rng.choice([60, 600]))
        )
        n_alarms += bool(alarms(drift(Reference.fit(before, schema), now)))
    assert n_alarms <= 5


def test_predicted_shares_tell_more_than_labels(rng):
    """Where every row is called "no", probabilities may still have moved."""

    def proba(n, mean):
        p = rng.beta(2, 2 / mean - 2, n)
        return np.stack([1 - p, p], axis=1)

    reference = fit(draw(500, rng)).with_predictions(proba(500, 0.05))
    assert alarms(drift(reference, draw(300, rng), proba(300, 0.05), ["no", "yes"])) == []
    moved = proba(300, 0.25)
    assert alarms(drift(reference, draw(300, rng), moved, ["no", "yes"])) == ["predicted class"]
