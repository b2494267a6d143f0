"""Columns of dates and times: whether the classes drift along them."""

import numpy as np

from assay.profile.finding import Finding, text_option
from assay.profile.rows import MIN_CLASS_ROWS, Column, Rows
from assay.schema import Kind

_N_PARTS = 5
_MIN_ROWS = 50
_CERTAIN_Z = 4.0
_DRIFT = 0.1  # between the first and the last fifth


def find_times(rows: Rows) -> list[Finding]:
    """Tell of columns that hold times, and which class becomes rarer or more frequent.

    The share of each class is compared between the first and the last fifth of the
    times; its variance is that of two independent shares.
    """
    if rows.has_time:
        return []
    return [
        found
        for column in rows.columns
        if column.spec.kind == Kind.DATETIME and (found := _found(rows, column)) is not None
    ]


def _found(rows: Rows, column: Column) -> Finding | None:
    is_known = ~column.is_missing
    if np.count_nonzero(is_known) < _MIN_ROWS:
        return None
    moments, y = column.numbers[is_known], rows.y[is_known]
    first, last = np.quantile(moments, (1 / _N_PARTS, 1 - 1 / _N_PARTS))
    early, late = y[moments <= first], y[moments >= last]
    if first >= last or min(len(early), len(late)) < MIN_CLASS_ROWS:
        return None
    before = np.bincount(early, minlength=rows.n_classes) / len(early)
    after = np.bincount(late, minlength=rows.n_classes) / len(late)
    error = np.sqrt(before * (1 - before) / len(early) + after * (1 - after) / len(late))
    change = after - before
    is_drift = (np.abs(change) >= _DRIFT) & (np.abs(change) > _CERTAIN_Z * error)
    class_idx = int(np.abs(change).argmax())
    shares = (
        f"class {rows.classes[class_idx]!r}: {before[class_idx]:.1%} of the first fifth, "
        f"{after[class_idx]:.1%} of the last"
    )
    what = f"{column.name!r} holds times. If the model is to predict later rows, test it on them"
    if is_drift.any():
        what = f"the classes change along {column.name!r}: random folds know the future"
    return Finding(
        "timestamps",
        "medium" if is_drift.any() else "low",
        column.name,
        what,
        shares,
        text_option("split.time", column.name),
    )
