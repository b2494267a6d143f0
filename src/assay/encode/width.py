"""How wide a network's inputs may grow: more bins for few numbers, fewer for very many.

Sixteen bins turn 10,000 columns into 170,000 inputs, and five networks into 4 GB of
weights and optimizer state that 1,000 rows can say little about.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from assay.encode.features import NumericFeature, TextFeature
from assay.ledger import Ledger

USUAL_BINS = 16  # of a number
_FINEST_BINS, _FINE_TOTAL, _FINE_ROWS = 64, 320, 2_500
_LEAST_BINS = 2  # one bin alone would only repeat the column


def finest_bins(n_rows: int) -> int:
    """Return the most bins that a number gets if nobody chose, with `n_rows` to learn from.

    Fine bins find thresholds, as trees do; docs/engine.md tells what they gave. Few rows
    would follow them too closely.
    """
    return _FINEST_BINS if n_rows > _FINE_ROWS else USUAL_BINS


def share_bins(
    numeric: Sequence[NumericFeature], *, fixed: Collection[str] = ()
) -> list[NumericFeature]:
    """Give each feature as many bins as it has, or fewer where all have more than 320.

    Fewer than 16 it does not get for that. A number of few values needs few bins and leaves
    more to the others.

    Args:
        numeric: With the most bins that they would have.
        fixed: Columns whose bins the caller chose: they keep them.

    Example:
        >>> from assay.encode.features import numeric_feature
        >>> from assay.options import EncodeRecipe
        >>> def feature(values):
        ...     recipe = EncodeRecipe()
        ...     return numeric_feature("x", recipe, values=values, has_missing=False, n_bins=64)
        >>> fine, coarse = feature(np.arange(1000.0)), feature(np.arange(11.0))
        >>> [feature.n_bins for feature in share_bins([fine] * 5 + [coarse] * 5)]
        [54, 54, 54, 54, 54, 10, 10, 10, 10, 10]
    """
    bins = np.array([f.n_bins for f in numeric if f.column not in fixed], dtype=np.int64)
    most = max(_most_each(bins, np.ones_like(bins), _FINE_TOTAL), USUAL_BINS)
    return [
        feature if feature.column in fixed else replace(feature, n_bins=min(feature.n_bins, most))
        for feature in numeric
    ]


def narrow_bins(
    numeric: Sequence[NumericFeature],
    text: Sequence[TextFeature] = (),
    *,
    n_scores: int = 1,
    max_total: int,
    fixed: Collection[str],
    ledger: Ledger,
) -> tuple[list[NumericFeature], list[TextFeature]]:
    """Give each feature fewer bins where all of them together have more than `max_total`.

    Args:
        numeric: With the bins that they would have.
        text: As well; each has `n_scores` numbers in bins.
        n_scores: Scores of one text.
        max_total: Most bins of all features together.
        fixed: Columns whose bins the caller chose: they keep them.
        ledger: Told if there are fewer, and of how many columns this is not true.

    Returns:
        The features; as many bins for each as fit, or none.

    Example:
        >>> from assay.encode.features import numeric_feature
        >>> from assay.options import EncodeRecipe
        >>> values = np.arange(50.0)
        >>> one = numeric_feature("x", EncodeRecipe(), values=values, has_missing=False, n_bins=16)
        >>> kept, _ = narrow_bins([one] * 4, max_total=20, fixed=(), ledger=Ledger())
        >>> [feature.n_bins for feature in kept]
        [5, 5, 5, 5]
    """
    features: list[NumericFeature | TextFeature] = [*numeric, *text]
    times = np.array([1] * len(numeric) + [n_scores] * len(text), dtype=np.int64)
    bins = np.array([feature.n_bins for feature in features], dtype=np.int64)
    total = int((times * bins).sum())
    is_free = np.array([feature.column not in fixed for feature in features], dtype=np.bool_)
    left = max_total - int((times * bins)[~is_free].sum())
    most = _most_each(bins[is_free], times[is_free], left)
    kept = np.where(is_free, np.minimum(bins, most), bins)
    if total <= max_total or (kept == bins).all():
        return list(numeric), list(text)
    n_fixed = int(np.count_nonzero(bins[~is_free]))
    but = f", but {n_fixed} with the bins chosen for them" if n_fixed else ""
    what = f"with {most} bins each" if most else "without bins"
    ledger.add(
        f"numbers{' and scores of texts' if text else ''} encoded {what}{but}",
        where="encode.bins",
        why=f"{int(times[bins > 0].sum())} of them would make {total} bins, more than {max_total}",
        undo="encode.max_total_bins",
    )
    return (
        [replace(f, n_bins=int(n)) for f, n in zip(numeric, kept[: len(numeric)], strict=True)],
        [replace(f, n_bins=int(n)) for f, n in zip(text, kept[len(numeric) :], strict=True)],
    )


def _most_each(bins: np.ndarray, times: np.ndarray, total: int) -> int:
    """Return the largest limit of each of `bins` (F,) whose sum is at most `total`, or 0.

    Each counts as often as `times` (F,) says.
    """
    for most in range(int(bins.max(initial=0)), _LEAST_BINS - 1, -1):
        if (times * np.minimum(bins, most)).sum() <= total:
            return most
    return 0
