"""Two samples of counts: by how much they differ, and whether chance does that.

The formulas behind `drift`, without SciPy: what serves a model need not load it.
"""

import math
from collections.abc import Sequence

import numpy as np

from assay.metrics import Floats, Indices

Counts = Indices | Floats

_SMOOTHING = 0.5  # rows added to each bin, so that an empty one stays finite
_LEAST_EXPECTED = 5.0  # rows of a cell for the chi-squared test (Cochran 1954)


def stability_index(expected: Counts, found: Counts) -> float:
    """Return the population stability index of two samples in the same bins.

    sum (q - p) ln(q / p) over the shares p, q of the bins (Siddiqi 2006, Credit Risk
    Scorecards), after half a row was added to each bin. Bins that both leave empty do
    not count.

    Args:
        expected: Rows of one sample in each bin, (B,).
        found: Rows of the other, (B,).

    Example:
        >>> round(stability_index(np.array([50, 50]), np.array([75, 25])), 3)
        0.269
    """
    is_used = (expected + found) > 0
    p, q = expected[is_used] + _SMOOTHING, found[is_used] + _SMOOTHING
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


def stability_by_chance(expected: Counts, found: Counts) -> float:
    """Return the stability index to expect of two samples of one distribution.

    (B - 1) (1 / n + 1 / m) for B bins that are not empty (Yurdakul and Naranjo 2020, J.
    Risk Model Validation 14:4); neither sample may be without rows.
    """
    n_bins = int(np.count_nonzero(expected + found))
    return max(n_bins - 1, 0) * (1.0 / int(expected.sum()) + 1.0 / int(found.sum()))


def kolmogorov_distance(expected: Counts, found: Counts) -> float:
    """Return the largest difference of the two distribution functions, in [0, 1].

    Args:
        expected: Rows of one sample in each of B cells from the lowest on, (B,).
        found: Rows of the other, (B,); neither may be without rows.
    """
    difference = np.cumsum(expected) / expected.sum() - np.cumsum(found) / found.sum()
    return float(np.max(np.abs(difference)))


def kolmogorov_p_value(distance: float, n: int, m: int) -> float:
    """Return the chance of at least this distance of two samples of one distribution.

    Kolmogorov's limit with the factor of Stephens (1970, JRSS B 32:115). Where values
    repeat, or the distance is known in some points only, it is too large, never too
    small.

    Args:
        distance: As `kolmogorov_distance` gives it.
        n: Rows of one sample, at least 1.
        m: Rows of the other, at least 1.
    """
    root = math.sqrt(n * m / (n + m))
    x = (root + 0.12 + 0.11 / root) * distance
    if x < 0.2:  # the series converges slowly, and the chance is 1 to ten digits
        return 1.0
    series = sum((1 if k % 2 else -1) * math.exp(-2.0 * (k * x) ** 2) for k in range(1, 101))
    return min(max(2.0 * series, 0.0), 1.0)


def pooled(expected: Counts, found: Counts) -> tuple[Counts, Counts]:
    """Put cells with too few rows for the chi-squared test into one.

    Args:
        expected: Rows of one sample in each cell, (B,).
        found: Rows of the other, (B,); neither may be without rows.

    Returns:
        Both in at most B cells; where the pooled cell is too small itself, the smallest
        of the others goes into it.
    """
    total = expected + found
    share = min(int(expected.sum()), int(found.sum())) / int(total.sum())
    order = np.argsort(total, kind="stable")
    below = np.cumsum(total[order])
    n_pooled = int(np.count_nonzero(total * share < _LEAST_EXPECTED))
    if n_pooled:
        is_enough = below * share >= _LEAST_EXPECTED
        n_pooled = max(n_pooled, int(is_enough.argmax()) + 1 if is_enough.any() else len(total))
    few, rest = order[:n_pooled], np.sort(order[n_pooled:])
    parts = [np.append(one[rest], one[few].sum()) if n_pooled else one for one in (expected, found)]
    return parts[0], parts[1]


def chi_squared(expected: Counts, found: Counts) -> tuple[float, float]:
    """Return chi-squared of two samples in the same cells, and its p-value.

    Pearson's test of homogeneity (1911, Biometrika 8:250), without a correction for
    continuity, B - 1 degrees of freedom.

    Args:
        expected: Rows of one sample in each cell, (B,).
        found: Rows of the other, (B,); no cell may be empty in both.

    Example:
        >>> statistic, p_value = chi_squared(np.array([30, 70]), np.array([50, 50]))
        >>> round(statistic, 3), round(p_value, 4)
        (8.333, 0.0039)
    """
    if len(expected) < 2:
        return 0.0, 1.0
    table = np.stack([expected, found]).astype(np.float64)
    fitted = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    statistic = float(((table - fitted) ** 2 / fitted).sum())
    return statistic, chi_squared_p_value(statistic, len(expected) - 1)


def chi_squared_p_value(statistic: float, n_degrees: int) -> float:
    """Return the chance of at least this chi-squared.

    A finite sum for whole degrees of freedom (Abramowitz and Stegun 26.4.4, 26.4.5).

    Args:
        statistic: At least 0.
        n_degrees: Degrees of freedom, at least 1.
    """
    if statistic <= 0.0:
        return 1.0
    half = statistic / 2.0
    is_even = n_degrees % 2 == 0
    total, a = (math.exp(-half), 1.0) if is_even else (math.erfc(math.sqrt(half)), 0.5)
    while a < n_degrees / 2.0:
        total += math.exp(a * math.log(half) - half - math.lgamma(a + 1.0))
        a += 1.0
    return min(total, 1.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Holm 1979, Scand. J. Statist. 6:65).

    The chance that any of them falls below 0.05 without cause is then at most 0.05.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, idx in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[idx]))
        adjusted[idx] = highest
    return adjusted
