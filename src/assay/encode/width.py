"""How wide a network's inputs may grow: fewer bins for tables of many columns.

Sixteen bins turn 10,000 columns into 170,000 inputs, and five networks into 4 GB of
weights and optimizer state that 1,000 rows can say little about.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from assay.encode.features import NumericFeature
from assay.ledger import Ledger

_LEAST_BINS = 2  # one bin alone would only repeat the column


def narrow_bins(
    features: Sequence[NumericFeature], *, max_total: int, fixed: Collection[str], ledger: Ledger
) -> list[NumericFeature]:
    """Give each feature fewer bins where all of them together have more than `max_total`.

    Args:
        features: With the bins that they would have.
        max_total: Most bins of all features together.
        fixed: Columns whose bins the caller chose: they keep them.
        ledger: Told if there are fewer.

    Returns:
        The features; as many bins for each as fit, or none.

    Example:
        >>> from assay.encode.features import numeric_feature
        >>> from assay.options import EncodeRecipe
        >>> one = numeric_feature("x", EncodeRecipe(), values=np.arange(50.0), has_missing=False)
        >>> [f.n_bins for f in narrow_bins([one] * 4, max_total=20, fixed=(), ledger=Ledger())]
        [5, 5, 5, 5]
    """
    bins = np.array([feature.n_bins for feature in features], dtype=np.int64)
    if bins.sum() <= max_total:
        return list(features)
    is_free = np.array([feature.column not in fixed for feature in features])
    left = max_total - int(bins[~is_free].sum())
    most = _most_each(bins[is_free], left)
    kept = np.where(is_free, np.minimum(bins, most), bins)
    ledger.add(
        f"numbers encoded with {most} bins each" if most else "numbers encoded without bins",
        where="encode.bins",
        why=f"{int(np.count_nonzero(bins))} of them would make {bins.sum()} bins, "
        f"more than {max_total}",
        undo="encode.max_total_bins",
    )
    return [replace(f, n_bins=int(n)) for f, n in zip(features, kept, strict=True)]


def _most_each(bins: np.ndarray, total: int) -> int:
    """Return the largest limit of each of `bins` (F,) whose sum is at most `total`, or 0."""
    for most in range(int(bins.max(initial=0)), _LEAST_BINS - 1, -1):
        if np.minimum(bins, most).sum() <= total:
            return most
    return 0
