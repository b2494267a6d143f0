"""All findings of a table, in one call."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.profile.columns import find_identifiers, find_quasi_constants
from assay.profile.copies import find_copies, find_hidden_copies
from assay.profile.finding import Finding, ordered, shortened
from assay.profile.groups import find_groups
from assay.profile.leaks import find_leaks, tell_columns
from assay.profile.missing import find_missing
from assay.profile.near import find_near_conflicts
from assay.profile.order import find_order
from assay.profile.pairs import find_pairs
from assay.profile.rare import find_rare_classes
from assay.profile.rows import Rows
from assay.profile.times import find_times
from assay.schema import Schema


@np.errstate(all="ignore")  # sums and widths of cells near 1e308 are infinite
def examine(
    frame: pl.DataFrame,
    schema: Schema,
    y: NDArray[np.integer] | None = None,
    classes: Sequence[str] = (),
    *,
    n_folds: int = 0,
    has_groups: bool = False,
    has_time: bool = False,
    row_hashes: NDArray[np.uint64] | None = None,
) -> tuple[Finding, ...]:
    """Look for what a person should know before believing a score.

    Nothing is dropped and nothing is changed. Of more than 100,000 rows a sample of so
    many is looked at, the same one in every run, except for copies and the order of the
    rows.

    Args:
        frame: Typed columns as `read.cast` makes them, N rows.
        schema: What they are.
        y: Class index of each row, (N,), in [0, C); None where there is no target: then
            only identifiers, constants and copies are looked for.
        classes: C class names.
        n_folds: Folds of the split, or 0.
        has_groups: Whether the split keeps groups together.
        has_time: Whether the split goes by time.
        row_hashes: Of the features of each row, (N,), where they are known already.

    Returns:
        The findings, the gravest first.

    Example:
        >>> from assay.schema import ColumnSpec, Kind
        >>> y = np.arange(200) % 2
        >>> frame = pl.DataFrame({"code": [f"{5 + idx}" for idx in y], "x": np.arange(200.0) % 7})
        >>> specs = (ColumnSpec("code", Kind.CATEGORICAL, "", n_unique=2),
        ...          ColumnSpec("x", Kind.NUMERIC, "", n_unique=7))
        >>> [one.kind for one in examine(frame, Schema(specs), y, ["no", "yes"])][:1]
        ['leak']
    """
    rows = Rows.of(frame, schema, y, classes, has_groups=has_groups, has_time=has_time)
    labels = None if y is None else np.asarray(y, dtype=np.int64)
    found = find_copies(frame, schema, labels, row_hashes=row_hashes, has_time=has_time)
    found += find_hidden_copies(rows)
    found += shortened(find_identifiers(rows)) + shortened(find_quasi_constants(rows))
    if labels is not None and len(rows.classes) > 1:
        found += find_near_conflicts(rows)
        found += _about_target(rows)
        counts = np.bincount(labels, minlength=rows.n_classes).tolist()
        found += find_rare_classes(rows.classes, counts, n_folds)
        is_split = has_groups or has_time
        found += find_order(frame, schema, labels, rows.classes, is_split=is_split)
    return ordered(found)


def _about_target(rows: Rows) -> list[Finding]:
    """Return what single columns say about the classes."""
    groups = find_groups(rows)
    named = frozenset(one.where for one in groups)
    told = [one for one in tell_columns(rows) if one.column.name not in named]
    leaks = find_leaks(rows, told)
    leaking = frozenset(one.where for one in leaks if one.kind == "leak")
    leaks += find_pairs(rows, already=leaking | named)
    missing = find_missing(rows, already=leaking)
    return [
        *shortened(leaks),
        *shortened(groups),
        *shortened(missing),
        *find_times(rows),
    ]
