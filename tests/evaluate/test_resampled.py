"""Intervals of sums: as wide as they should be, for rows, groups and blocks of rows."""

import numpy as np
import pytest

from assay.evaluate.intervals import widened, wilson
from assay.evaluate.redrawn import MAX_BLOCKS
from assay.evaluate.resampled import Resampler, ratio


def half_width(interval) -> float:
    return (interval.high - interval.low) / 2


def test_shares_of_plain_rows_have_the_interval_of_wilson():
    hits, among = np.array([True, False, True, True]), np.array([True, True, True, False])
    assert Resampler(4).share(hits, among) == wilson(2, 3)


@pytest.mark.parametrize("n_rows", [500, 4 * MAX_BLOCKS])
def test_means_are_as_uncertain_as_theory_says(n_rows, rng):
    values = rng.normal(size=n_rows)
    found = Resampler(n_rows, n_resamples=2000).means(x=values)["x"]
    assert found.estimate == pytest.approx(values.mean())
    assert half_width(found) == pytest.approx(1.96 * values.std() / n_rows**0.5, rel=0.1)


def test_rows_that_agree_within_groups_count_once(rng):
    groups = np.repeat(np.arange(300), 10)
    hits = (rng.random(300) < 0.4)[groups]
    grouped = Resampler(3000, groups=groups, n_resamples=2000).share(hits)
    alone = wilson(hits[::10].sum(), 300)
    assert half_width(grouped) == pytest.approx(half_width(alone), rel=0.1)
    assert half_width(grouped) > 2.5 * half_width(Resampler(3000).share(hits))


def test_weights_move_the_estimate():
    hits, weight = np.array([True, False] * 50), np.array([3.0, 1.0] * 50)
    rows = Resampler(100, weight=weight)
    assert rows.share(hits).estimate == 0.75
    assert rows.average(hits) == 0.75


def test_differences_are_paired(rng):
    noise = rng.normal(size=400)
    found = Resampler(400).means(a=noise, b=noise + 1.0, difference=np.ones(400))
    assert (found["difference"].low, found["difference"].high) == (1.0, 1.0)
    assert found["b"].low - found["a"].low == pytest.approx(1.0)


def test_one_group_tells_nothing_of_its_spread():
    found = Resampler(5, groups=np.zeros(5, dtype=int)).means(x=np.arange(5.0))["x"]
    assert (found.estimate, found.low, found.high) == (2.0, None, None)


def test_the_same_seed_gives_the_same_ends(rng):
    values = rng.normal(size=3 * MAX_BLOCKS)
    first, again, other = (
        Resampler(len(values), seed=seed).means(x=values)["x"] for seed in (1, 1, 2)
    )
    assert first == again
    assert first.low != other.low


def test_nothing_to_divide_by_is_nan():
    assert np.isnan(ratio(np.array(1.0), np.array(0.0)))


def test_intervals_are_widened_as_those_of_scores(rng):
    hits, among = rng.random(200) < 0.8, rng.random(200) < 0.5
    weight, values = rng.random(200), rng.normal(size=200)
    plain, wide = Resampler(200), Resampler(200, widening=1.2)
    assert wide.share(hits) == widened("accuracy", plain.share(hits), 1.2)
    part, expected = (
        wide.share(hits, among),
        wilson((hits & among).sum() / 1.44, among.sum() / 1.44),
    )
    assert part.to_dict() == pytest.approx(expected.to_dict())
    found, mean = wide.means(x=values)["x"], plain.means(x=values)["x"]
    assert half_width(found) == pytest.approx(1.2 * half_width(mean))
    heavy = [Resampler(200, weight=weight, widening=by).share(hits) for by in (1.0, 1.2)]
    assert half_width(heavy[1]) == pytest.approx(1.2 * half_width(heavy[0]))


def test_a_mean_is_never_beyond_the_values_it_is_of():
    cost = np.array([0.0] * 50 + [1.0])
    found = Resampler(51, widening=3.0).means(cost=cost)["cost"]
    assert (found.low, found.estimate) == (0.0, pytest.approx(1 / 51))


def test_all_right_is_not_certain_by_weight_and_by_group():
    hits = np.ones(30, dtype=bool)
    weighted = Resampler(30, weight=np.full(30, 2.0)).share(hits)
    assert (weighted.low, weighted.high) == pytest.approx((wilson(30, 30).low, 1.0))
    grouped = Resampler(30, groups=np.repeat(np.arange(5), 6)).share(~hits)
    assert (grouped.low, grouped.high) == pytest.approx((0.0, wilson(0, 5).high))


def test_rows_count_by_weight_and_group():
    everyone = np.ones(4, dtype=bool)
    assert Resampler(4).n_units(everyone) == 4.0
    assert Resampler(4).n_units(~everyone) == 0.0
    assert Resampler(4, weight=np.array([3.0, 1.0, 1.0, 1.0])).n_units(everyone) == 3.0
