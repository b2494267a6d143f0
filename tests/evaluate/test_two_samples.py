"""Differences of two samples: by hand, and as SciPy finds them."""

import numpy as np
import pytest
from scipy import special, stats

from assay.evaluate.two_samples import (
    chi_squared,
    chi_squared_p_value,
    holm,
    kolmogorov_distance,
    kolmogorov_p_value,
    pooled,
    stability_by_chance,
    stability_index,
)


def test_stability_index_by_hand():
    # With half a row added: shares 0.5, 0.5 become 0.75, 0.25.
    expected, found = np.array([49, 49]), np.array([74, 24])
    p, q = np.array([49.5, 49.5]) / 99, np.array([74.5, 24.5]) / 99
    by_hand = (q[0] - p[0]) * np.log(q[0] / p[0]) + (q[1] - p[1]) * np.log(q[1] / p[1])
    assert stability_index(expected, found) == pytest.approx(by_hand)
    assert by_hand == pytest.approx(0.2809, abs=1e-4)


def test_stability_index_of_equal_shares_is_nothing_and_empty_bins_do_not_count():
    assert stability_index(np.array([10, 30]), np.array([10, 30])) == 0.0
    with_empty = stability_index(np.array([10, 0, 30]), np.array([30, 0, 10]))
    assert with_empty == stability_index(np.array([10, 30]), np.array([30, 10]))
    assert np.isfinite(stability_index(np.array([100, 0]), np.array([0, 100])))


def test_stability_by_chance_is_its_mean_without_drift(rng):
    shares = np.full(10, 0.1)
    draws = [
        stability_index(rng.multinomial(1000, shares), rng.multinomial(400, shares))
        for _ in range(2000)
    ]
    expected = stability_by_chance(rng.multinomial(1000, shares), rng.multinomial(400, shares))
    assert expected == pytest.approx(9 * (1 / 1000 + 1 / 400))
    assert np.mean(draws) == pytest.approx(expected, rel=0.05)


def test_kolmogorov_is_scipys(rng):
    one, other = rng.integers(0, 30, 500), rng.integers(2, 32, 200)
    counts = [np.bincount(values, minlength=32) for values in (one, other)]
    found = stats.ks_2samp(one, other, method="asymp")
    distance = kolmogorov_distance(*counts)
    assert distance == pytest.approx(found.statistic)
    assert kolmogorov_p_value(distance, 500, 200) == pytest.approx(found.pvalue, rel=0.03)


@pytest.mark.parametrize("distance", [0.001, 0.02, 0.05, 0.1, 0.3])
def test_kolmogorov_chances_follow_the_limit(distance):
    n = m = 20_000
    expected = special.kolmogorov(distance * (n / 2) ** 0.5)
    assert kolmogorov_p_value(distance, n, m) == pytest.approx(expected, rel=0.05, abs=1e-12)


def test_few_rows_have_kolmogorov_chances_near_the_exact_ones():
    for distance in (0.2, 0.25, 0.3):
        exact = stats.ks_2samp(np.arange(60), np.arange(60) + 60 * distance, method="exact").pvalue
        assert kolmogorov_p_value(distance, 60, 60) == pytest.approx(exact, rel=0.25)


@pytest.mark.parametrize("n_degrees", [1, 2, 3, 7, 10, 99, 100])
def test_chi_squared_chances_are_scipys(n_degrees):
    for statistic in (0.0, 0.1, 1.0, n_degrees, 3.0 * n_degrees, 1000.0):
        expected = stats.chi2.sf(statistic, n_degrees)
        assert chi_squared_p_value(statistic, n_degrees) == pytest.approx(expected, rel=1e-9)


def test_chi_squared_is_scipys():
    expected, found = np.array([30, 50, 20]), np.array([50, 30, 70])
    scipys = stats.chi2_contingency(np.stack([expected, found]), correction=False)
    assert chi_squared(expected, found) == pytest.approx((scipys.statistic, scipys.pvalue))


def test_small_cells_are_pooled():
    expected, found = pooled(np.array([100, 3, 80, 4]), np.array([90, 3, 92, 2]))
    # Two cells of 6 rows each, half of them expected on either side: 3, together 6.
    assert (expected.tolist(), found.tolist()) == ([100, 80, 7], [90, 92, 5])


def test_a_pooled_cell_that_is_too_small_takes_another_in():
    expected, found = pooled(np.array([1000, 100, 0]), np.array([50, 5, 1]))
    assert (expected.tolist(), found.tolist()) == ([1000, 100], [50, 6])


def test_nothing_is_left_to_compare_where_all_cells_are_small():
    one = np.arange(1, 4)
    assert [part.tolist() for part in pooled(one, one)] == [[6], [6]]
    assert chi_squared(np.array([6]), np.array([6])) == (0.0, 1.0)
    untouched = pooled(np.array([50, 60]), np.array([50, 60]))
    assert [part.tolist() for part in untouched] == [[50, 60], [50, 60]]


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
