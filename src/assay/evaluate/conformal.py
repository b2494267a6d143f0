"""Conformal sets: probabilities of the true class in, the least that enters a set out.

A set of classes shall hold the true one in a wanted share of new rows, whatever the
model and the data, as long as new rows are like those it is fitted on (split conformal,
Vovk et al. 2005). A class enters when its probability reaches a floor (LAC, Sadinle,
Lei & Wasserman 2019, JASA 114:223): of all ways that give the smallest sets on average,
at the price that a set may be empty. No chance is involved, so a row gets the same set
each time. Adaptive sets (APS) need random ties to keep to their coverage and are larger.
"""

import numpy as np

from assay.decide import Sets
from assay.metrics import Floats, Indices

COVERAGES = tuple(number / 100 for number in range(50, 100))
"""Coverages that every model holds, so that any of them can be asked for."""

_RARE = 0.5  # of an equal share: one of two classes below it gets a floor of its own
_MISSES = 2  # expected beyond the floor of a class, at the least: or it joins others
_STEP = 1e-6  # floors are rounded down to it, so that float32 probabilities reach them


def fit_sets(
    y: Indices,
    proba: Floats,
    coverage: float,
    *,
    category: Indices,
    class_weight: Floats | None = None,
) -> Sets:
    """Return the floors for `COVERAGES` and the wanted coverage.

    With n rows the floor is the ceil((n + 1) coverage)-th largest probability of the true
    class, or 0 where that is more than n. Where classes are expected in other shares,
    rows and the new row count by their weights (Tibshirani et al. 2019, arXiv 1904.06019;
    Podkopaev & Ramdas 2021, arXiv 2103.03323).

    Args:
        y: True class indices, (N,).
        proba: Probabilities, (N, C).
        coverage: Share of rows whose set shall hold the true class, in (0, 1).
        category: Category of each class, (C,), from `categories`; the coverage holds in
            each of them.
        class_weight: What a row of each class counts, (C,).

    Example:
        >>> proba = np.stack([np.arange(10, 20) / 20, np.arange(10, 0, -1) / 20], axis=1)
        >>> sets = fit_sets(np.zeros(10, int), proba, 0.9, category=np.zeros(2, int))
        >>> sets.floor().round(3).tolist(), sets.floor(0.5).round(3).tolist()
        ([0.5], [0.7])
    """
    grid = np.array(sorted({*COVERAGES, coverage}))
    n_classes = proba.shape[1]
    weight = np.ones(n_classes) if class_weight is None else class_weight
    of_truth = proba[np.arange(len(y)), y]
    floors = np.zeros((len(grid), n_classes))
    for number in np.unique(category):
        members = np.flatnonzero(category == number)
        is_own = category[y] == number
        own, order = of_truth[is_own], np.argsort(-of_truth[is_own], kind="stable")
        mass = np.cumsum(weight[y[is_own]][order])
        total = mass[-1] if len(mass) else 0.0
        for class_idx in members:
            wanted = grid * (total + weight[class_idx]) * (1 - 1e-12)
            place = np.searchsorted(mass, wanted)
            falling = np.append(own[order], 0.0)
            floors[:, class_idx] = falling[place]
    floors = np.maximum(np.floor(floors / _STEP - 0.5) * _STEP, 0.0).round(6)
    is_shared = bool((floors == floors[:, :1]).all())
    return Sets(coverage, grid, floors[:, :1] if is_shared else floors)


def categories(counts: Indices, coverage: float, *, each_class: bool | str = "auto") -> Indices:
    """Return which classes share a floor, (C,): all of them, or each has its own.

    One floor for all gives the smallest sets, but those of a rare class may miss it as
    often as they like. With floors of their own (Mondrian categories, Vovk et al. 2005)
    each class is held in the wanted share of its rows, by larger sets: 4.3 instead of 2.4
    of seven qualities of wine, after 1,000 rows. The rarest classes are put together until
    they have rows enough for a floor.

    Args:
        counts: Rows of each class, (C,).
        coverage: That is wanted, in (0, 1).
        each_class: Whether each has its own; "auto": of two, where one has less than half
            of an equal share.

    Example:
        >>> categories(np.array([100, 90]), 0.9).tolist()
        [0, 0]
        >>> categories(np.array([1000, 9, 45, 200]), 0.9, each_class=True).tolist()
        [2, 0, 0, 1]
    """
    n_classes = len(counts)
    result = np.zeros(n_classes, dtype=np.intp)
    is_rare = bool(counts.min() < _RARE * counts.sum() / n_classes)
    has_own = (n_classes == 2 and is_rare) if each_class == "auto" else bool(each_class)
    if not has_own:
        return result
    least = _MISSES / (1.0 - coverage)
    number, n_rows, n_left = 0, 0, int(counts.sum())
    for class_idx in np.argsort(counts, kind="stable"):
        if n_rows >= least and n_left >= least:
            number, n_rows = number + 1, 0
        result[class_idx] = number
        n_rows += int(counts[class_idx])
        n_left -= int(counts[class_idx])
    return result
