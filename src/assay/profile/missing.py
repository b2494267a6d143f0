"""Whether a missing cell alone tells the target.

A form filled in after the outcome, or asked of some patients only, shows as gaps that
depend on the class. That may be honest knowledge, or known only afterwards.
"""

from dataclasses import replace

import numpy as np

from assay.profile.finding import Finding, drop_option
from assay.profile.rows import MIN_CLASS_ROWS, Column, Rows

_CERTAIN_Z = 4.0  # standard errors, since thousands of columns may be asked
_SHOWN_Z = 1.96
_STRONG = 0.7
_WEAK = 0.6
_LEAST = 0.55  # that the area certainly exceeds
_PURE = 0.99
_MIN_PURE_ROWS = 20
_PURE_LIFT = 2.0  # times the class's share of all rows
_MOST_OF_CLASS = 0.5
_FEW_OTHERS = 0.1  # of the share that the other classes have of all rows
_CHANCE = -12  # log10 of the chance that is certainly too small


def find_missing(rows: Rows, *, already: frozenset[str] = frozenset()) -> list[Finding]:
    """Name the columns whose gaps depend on the class.

    The area under the ROC curve of a yes-or-no flag is (1 + TPR - FPR) / 2; its variance
    is that of two independent shares, (TPR (1 - TPR) / n1 + FPR (1 - FPR) / n0) / 4, each
    with one hit and one miss added (Agresti and Caffo 2000, Am. Stat. 54:280).
    Columns that are missing in the very same rows are told together.

    Args:
        rows: The table with its classes.
        already: Columns that are named as leaks.

    Returns:
        One finding for each pattern of gaps whose area certainly exceeds 0.55 in one
        class, or whose gaps (or whose values) occur in one class only.
    """
    patterns: dict[bytes, list[Column]] = {}
    for column in rows.columns:
        n_least = min(column.n_missing, rows.n_looked_at - column.n_missing)
        if n_least >= MIN_CLASS_ROWS and column.name not in already:
            key = np.packbits(column.is_missing).tobytes()
            patterns.setdefault(key, []).append(column)
    found = [_found(rows, alike) for alike in patterns.values()]
    return [one for one in found if one is not None]


def _found(rows: Rows, alike: list[Column]) -> Finding | None:
    gaps = np.bincount(rows.y[alike[0].is_missing], minlength=rows.n_classes)
    pure = _only_in(rows, alike, gaps)
    best = _best_class(rows, gaps)
    if best is None:
        return pure
    class_idx, area, error = best
    low, high = max(area - _SHOWN_Z * error, 0.0), min(area + _SHOWN_Z * error, 1.0)
    figures = f"missing or not: AUROC {area:.3f} [{low:.3f}, {high:.3f}]"
    if pure is not None:
        return replace(pure, evidence=f"{pure.evidence}; {figures}")
    own = gaps[class_idx] / rows.class_counts[class_idx]
    rest = (gaps.sum() - gaps[class_idx]) / (rows.n_looked_at - rows.class_counts[class_idx])
    more = "more" if own > rest else "less"
    return Finding(
        "missingness",
        "medium" if area >= _STRONG else "low",
        alike[0].name,
        f"{_named(alike)} missing {more} often in class {rows.classes[class_idx]!r}: "
        "check that the gaps will be the same where the model is used",
        f"missing in {own:.1%} of that class, {rest:.1%} of the others; {figures}",
        drop_option(*(column.name for column in alike)),
    )


def _named(alike: list[Column]) -> str:
    first = repr(alike[0].name)
    if len(alike) == 1:
        return f"{first} is"
    if len(alike) == 2:
        return f"{first} and {alike[1].name!r} are"
    return f"{first} and {len(alike) - 1} more columns (together) are"


def _best_class(rows: Rows, gaps: np.ndarray) -> tuple[int, float, float] | None:
    """Return the class that gaps tell best, the area in [0.5, 1] and its standard error."""
    counts = rows.class_counts
    is_told = (counts >= MIN_CLASS_ROWS) & (rows.n_looked_at - counts >= MIN_CLASS_ROWS)
    if not is_told.any():
        return None
    others = np.maximum(rows.n_looked_at - counts, 1)
    tpr, fpr = gaps / np.maximum(counts, 1), (gaps.sum() - gaps) / others
    area = np.where(is_told, 0.5 + np.abs(tpr - fpr) / 2, 0.0)
    error = np.sqrt(_variance(gaps, counts) + _variance(gaps.sum() - gaps, others)) / 2
    class_idx = int(area.argmax())
    is_found = area[class_idx] >= _WEAK
    is_found &= area[class_idx] - _CERTAIN_Z * error[class_idx] > _LEAST
    return (class_idx, float(area[class_idx]), float(error[class_idx])) if is_found else None


def _variance(hits: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the variance of shares, one hit and one miss added, so that none is certain."""
    share = (hits + 1) / (counts + 2)
    return np.asarray(share * (1 - share) / (counts + 2))


def _only_in(rows: Rows, alike: list[Column], gaps: np.ndarray) -> Finding | None:
    """Return a finding where gaps, or values, occur in a class far too rare for that."""
    values = rows.class_counts - gaps
    for counted, noun in ((gaps, "missing"), (values, "present")):
        class_idx, n = int(counted.argmax()), int(counted.sum())
        share, prior = counted[class_idx] / n, rows.class_counts[class_idx] / rows.n_looked_at
        told = counted[class_idx] / rows.class_counts[class_idx]
        is_pure = n >= _MIN_PURE_ROWS and share >= _PURE
        # No share is twice that of a class of most rows: there the others must be gone.
        is_gone = told >= _MOST_OF_CLASS and 1 - share <= _FEW_OTHERS * (1 - prior)
        is_far = prior * _PURE_LIFT <= share or is_gone
        if is_pure and is_far and _log10_chance(n, share, prior) < _CHANCE:
            return Finding(
                "missingness",
                "high" if told >= _MOST_OF_CLASS else "medium",
                alike[0].name,
                f"{_named(alike)} {noun} in rows of class {rows.classes[class_idx]!r} only: "
                "perhaps filled in after the outcome",
                f"{noun} in {n} rows, {share:.1%} of them of that class, which holds {prior:.1%} "
                f"of all rows; that tells {told:.1%} of the class",
                drop_option(*(column.name for column in alike)),
            )
    return None


def _log10_chance(n: int, share: float, prior: float) -> float:
    """Return an upper bound of the chance of such a share of n rows, as log10 (Chernoff).

    prior ** n where all rows are of the class.
    """
    others = 1 - share
    nats = share * np.log(share / max(prior, 1e-9))
    if others > 0:
        nats += others * np.log(others / max(1 - prior, 1e-9))
    return float(-n * nats / np.log(10))
