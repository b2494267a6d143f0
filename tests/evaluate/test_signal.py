"""The signal test: exact on small cases, rarely wrong on noise, quick to see what is there."""

from itertools import combinations
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from assay.evaluate.signal import signal_p_value


def make_proba(rng: np.random.Generator, n_rows: int, n_classes: int) -> np.ndarray:
    return rng.dirichlet(np.ones(n_classes), size=n_rows)


def test_mean_and_variance_are_those_of_all_ways_to_deal_the_labels(rng):
    proba, y = make_proba(rng, 10, 2), np.array([0, 1, 1, 0, 1, 0, 0, 0, 1, 0])
    logs, sums = np.log(proba), []
    for ones in combinations(range(10), 4):
        dealt = np.zeros(10, dtype=int)
        dealt[list(ones)] = 1
        sums.append(logs[np.arange(10), dealt].sum())
    own = logs[np.arange(10), y].sum()
    expected = 1 - NormalDist().cdf((own - np.mean(sums)) / np.std(sums))
    assert signal_p_value(y, proba, np.zeros(10, dtype=int)) == pytest.approx(expected)


def test_labels_are_dealt_within_folds_and_the_variance_doubled(rng):
    proba, y = make_proba(rng, 40, 2), rng.integers(0, 2, 40)
    fold = np.arange(40) % 2
    logs = np.log(proba)
    total, variance = 0.0, 0.0
    for number in range(2):
        rows = np.flatnonzero(fold == number)
        draws = [logs[rows, rng.permutation(y[rows])].sum() for _ in range(20_000)]
        total += logs[rows, y[rows]].sum() - np.mean(draws)
        variance += np.var(draws)
    expected = NormalDist().cdf(-total / np.sqrt(2 * variance))
    assert signal_p_value(y, proba, fold) == pytest.approx(expected, abs=0.01)


def test_groups_are_one_observation_each(rng):
    y, fold = rng.integers(0, 2, 200), np.zeros(200, dtype=int)
    proba = np.where((y == 1)[:, None], [0.45, 0.55], [0.55, 0.45])
    proba = np.where((rng.random(200) < 0.4)[:, None], proba[:, ::-1], proba)
    groups = np.arange(200) // 10
    many = signal_p_value(y, proba, fold, groups=groups)
    alone = signal_p_value(y, proba, fold, groups=np.arange(200))
    rows = signal_p_value(y, proba, fold)
    assert alone == pytest.approx(rows, abs=0.01)
    logs = np.log(proba) - np.log(proba).mean(axis=0)
    gain = logs[np.arange(200), y] - logs @ (np.bincount(y) / 200)
    sums = np.bincount(groups, gain)
    assert many == pytest.approx(stats.ttest_1samp(sums, 0, alternative="greater").pvalue)


def test_shares_alone_are_no_signal_even_where_they_differ_by_fold():
    y = np.array([0, 0, 1] * 20)
    assert signal_p_value(y, np.tile([0.6, 0.4], (60, 1)), np.arange(60) % 3) == 1.0
    fold = np.arange(60) // 20
    by_fold = np.array([[0.6, 0.4], [0.7, 0.3], [0.65, 0.35]])[fold]
    assert signal_p_value(y, by_fold, fold) == 1.0


def test_one_class_or_a_handful_of_rows_give_no_p_value(rng):
    proba, y, fold = make_proba(rng, 40, 2), np.arange(40) % 2, np.arange(40) % 5
    assert signal_p_value(np.zeros(40, dtype=int), proba, fold) is None
    assert signal_p_value(y[:9], proba[:9], fold[:9]) is None
    assert signal_p_value(y, proba, fold, groups=np.arange(40) // 5) is None
    assert signal_p_value(y, proba, fold) is not None


def test_each_row_its_own_fold_is_dealt_among_all():
    y = np.array([0, 1] * 20)
    proba = np.where(y[:, None] == [0, 1], 0.7, 0.3)
    assert signal_p_value(y, proba, np.arange(40)) < 0.001


def test_a_certain_miss_is_finite():
    y = np.array([0, 1] * 20)
    proba = np.eye(2)[1 - y]
    assert signal_p_value(y, proba, np.arange(40) % 2) == pytest.approx(1.0)


def nearest_centre(x: np.ndarray, y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """A quick classifier, cross-fitted: log odds from the distance of two class means."""
    proba = np.empty((len(y), 2))
    for number in np.unique(fold):
        own, train = fold == number, fold != number
        gap = x[train & (y == 1)].mean(axis=0) - x[train & (y == 0)].mean(axis=0)
        odds = 1 / (1 + np.exp(-(x[own] - x[train].mean(axis=0)) @ gap))
        proba[own] = np.stack([1 - odds, odds], axis=1)
    return proba


@pytest.mark.parametrize(("effect", "least", "most"), [(0.0, 0.0, 0.05), (0.35, 0.75, 1.0)])
def test_noise_is_seldom_taken_for_signal_and_signal_seldom_missed(effect, least, most):
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(400):
        y = rng.permutation(np.arange(150) % 2)
        x = rng.normal(size=(150, 6))
        x[:, 0] += effect * (2 * y - 1)
        fold = np.empty(150, dtype=int)
        fold[np.argsort(y, kind="stable")] = np.arange(150) % 5  # each class in each fold
        found += signal_p_value(y, nearest_centre(x, y, fold), fold) < 0.05
    assert least <= found / 400 <= most
