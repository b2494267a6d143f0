"""Drift: whether a table is still like the one that the model learnt from.

Comes in: the reference of the training table, new cast rows, what is predicted for
them. Goes out: for each column, by how much its distribution differs and whether that
is an alarm. An alarm needs two things: a difference that chance does not make (a test,
corrected for the number of columns), and one that is large enough to matter (the
population stability index). Rows are taken as independent.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl

from assay.amounts import too_few
from assay.evaluate.two_samples import (
    Counts,
    chi_squared,
    holm,
    kolmogorov_distance,
    kolmogorov_p_value,
    pooled,
    stability_by_chance,
    stability_index,
)
from assay.metrics import Floats, Indices
from assay.reference import ColumnReference, PredictionReference, Reference, ordered_values
from assay.schema import Kind
from assay.table import Table

LEAST_ROWS = 50
"""Fewer rows than this tell too little of a distribution."""

MODERATE, MAJOR = 0.1, 0.25
"""Of the stability index (Siddiqi 2006): below the first, a column counts as stable."""

ALPHA = 0.05
"""Chance of any alarm about a table that has not drifted, at the most."""

PREDICTED = "predicted class"  # its shares: mean probabilities
_COMMON = 20  # cells of a level that is compared by itself: rarer ones were often lucky
_BIN_SHARE = 0.1  # of the cells: the usual ten bins of the stability index


@dataclass(frozen=True)
class Drift:
    """How one column of new rows differs from the training table's.

    Attributes:
        column: The column, or "predicted class".
        kind: Its kind; "prediction" for the predicted classes.
        psi: Population stability index, 0 where nothing differs; None with too few rows.
        psi_by_chance: What it would be on average if nothing had changed.
        test: "ks" for what has an order, "chi2" for levels; None with too few rows.
        statistic: Kolmogorov's distance of the cells with a value, or chi-squared.
        p_value: Chance of such a difference if nothing had changed.
        p_adjusted: The same, corrected for the number of columns.
        is_drifted: Whether it is an alarm.
        what: In words.
    """

    column: str
    kind: str
    psi: float | None = None
    psi_by_chance: float | None = None
    test: Literal["ks", "chi2"] | None = None
    statistic: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    is_drifted: bool = False
    what: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


def drift(
    reference: Reference, cast: Table, proba: Floats | None = None, classes: Sequence[str] = ()
) -> list[Drift]:
    """Compare new rows with the training table.

    Args:
        reference: The training table, summed up.
        cast: M new rows, cast as the training table was; see `Preparation.cast`.
        proba: Their probabilities, (M, C), to compare with those of rows left out of
            training; None for the columns only.
        classes: Names of the C classes, where `proba` is given.

    Returns:
        One for each column of the reference, then one for the predicted classes where
        both are known. With fewer than `LEAST_ROWS` rows on either side nothing is
        judged, and `what` says so.
    """
    found = [_of_column(column, cast.column(column.name)) for column in reference.columns]
    if proba is not None and reference.predictions is not None:
        found.append(_of_predictions(reference.predictions, proba, classes))
    tested = [idx for idx, one in enumerate(found) if one.p_value is not None]
    corrected = holm([found[idx].p_value or 0.0 for idx in tested])
    for idx, p_adjusted in zip(tested, corrected, strict=True):
        found[idx] = _judged(found[idx], p_adjusted)
    return found


def is_same(reference: Reference, cast: Table) -> bool:
    """Return whether rows look like the training table itself: nothing tells them apart.

    As many rows, as many gaps in each column, and as many cells at and between all cut
    points, or of each listed level: indices of stability and distances that are 0.

    Args:
        reference: The training table, summed up.
        cast: M new rows, as for `drift`.
    """
    columns = reference.columns
    if not columns or cast.n_rows != reference.n_rows:
        return False
    return all(_is_same_column(column, cast.column(column.name)) for column in columns)


def _is_same_column(column: ColumnReference, cells: pl.Series) -> bool:
    if cells.null_count() != column.n_missing:
        return False
    if column.has_levels:
        counted = cells.drop_nulls().alias("level").value_counts(name="n")
        counts: dict[str, int] = dict(counted.iter_rows())
        told = zip(column.levels, column.level_counts, strict=True)
        return all(counts.get(level) == count for level, count in told)
    expected, found = _stretches(column, np.sort(ordered_values(cells, column.kind)))
    return np.array_equal(expected, found)


def _judged(one: Drift, p_adjusted: float) -> Drift:
    """Raise the alarm, or not: unlikely by chance, and larger than chance by a margin."""
    excess = (one.psi or 0.0) - (one.psi_by_chance or 0.0)
    is_drifted = p_adjusted < ALPHA and excess >= MODERATE
    return replace(one, p_adjusted=p_adjusted, is_drifted=is_drifted)


def _of_column(column: ColumnReference, cells: pl.Series) -> Drift:
    one = Drift(column.name, str(column.kind))
    few = _too_few(column.n_rows, len(cells))
    if few:
        return replace(one, what=few)
    return _of_levels(one, column, cells) if column.has_levels else _of_values(one, column, cells)


def _too_few(n_expected: int, n_found: int) -> str:
    if min(n_expected, n_found) >= LEAST_ROWS:
        return ""
    whose = "" if n_found < LEAST_ROWS else " of the training table"
    return f"{too_few(min(n_found, n_expected), whose)} to tell, {LEAST_ROWS} are needed"


def _of_predictions(expected: PredictionReference, proba: Floats, classes: Sequence[str]) -> Drift:
    one = Drift(PREDICTED, "prediction")
    few = _too_few(expected.n_rows, len(proba))
    if few:
        return replace(one, what=few)
    # A sum of probabilities varies less than a count, so that the test is careful.
    rows = np.array(expected.shares) * expected.n_rows
    found = proba.sum(axis=0, dtype=np.float64)
    return _of_counts(one, rows, found, classes, unit="on average")


def of_classes(expected: Sequence[int], found: Sequence[int], classes: Sequence[str]) -> Drift:
    """Compare how common the true classes are, by themselves: one test, not corrected.

    Args:
        expected: Rows of each class that training judged, (C,).
        found: New rows of each class, (C,).
        classes: Names of the C classes.
    """
    one = Drift("true class", "target")
    before, now = np.asarray(expected, np.int64), np.asarray(found, np.int64)
    few = _too_few(int(before.sum()), int(now.sum()))
    if few:
        return replace(one, what=few)
    one = _of_counts(one, before, now, [repr(name) for name in classes])
    return _judged(one, 1.0 if one.p_value is None else one.p_value)


def _of_levels(one: Drift, column: ColumnReference, cells: pl.Series) -> Drift:
    n_common = sum(count >= _COMMON for count in column.level_counts)
    common, common_counts = column.levels[:n_common], column.level_counts[:n_common]
    counted = cells.alias("level").value_counts(name="n")
    counts: dict[str | None, int] = dict(counted.iter_rows())
    own = [counts.get(level, 0) for level in common]
    n_missing = cells.null_count()
    n_rarer = column.n_present - sum(common_counts)
    expected = np.array([*common_counts, n_rarer, column.n_missing])
    found = np.array([*own, len(cells) - sum(own) - n_missing, n_missing])
    return _of_counts(one, expected, found, [*common, "rarer and new levels", "missing"])


def _of_counts(
    one: Drift,
    expected: Counts,
    found: Counts,
    names: Sequence[str],
    *,
    unit: str = "of rows",
) -> Drift:
    """Compare cells without an order, (B,), of these names; shares are told in `unit`."""
    change = found / found.sum() - expected / expected.sum()
    idx = int(np.abs(change).argmax())
    shares = expected[idx] / expected.sum(), found[idx] / found.sum()
    what = _share_text(names[idx], *shares, unit=unit)
    expected, found = pooled(expected, found)
    statistic, p_value = chi_squared(expected, found)
    return replace(
        one,
        psi=stability_index(expected, found),
        psi_by_chance=stability_by_chance(expected, found),
        test="chi2",
        statistic=statistic,
        p_value=p_value,
        what=what,
    )


def _of_values(one: Drift, column: ColumnReference, cells: pl.Series) -> Drift:
    """Compare values by their order, and apart from it how many are missing."""
    values = np.sort(ordered_values(cells, column.kind))
    n_missing = len(cells) - len(values)
    expected, found = _stretches(column, values)
    p_values, statistic = _missing_p_values(column, n_missing, len(values)), None
    if column.n_present and len(values):
        statistic = kolmogorov_distance(expected, found)
        p_values.append(kolmogorov_p_value(statistic, column.n_present, len(values)))
    starts = _bin_starts(expected)
    expected = np.append(np.add.reduceat(expected, starts), column.n_missing)
    found = np.append(np.add.reduceat(found, starts), n_missing)
    return replace(
        one,
        psi=stability_index(expected, found),
        psi_by_chance=stability_by_chance(expected, found),
        test="ks",
        statistic=statistic,
        p_value=min([1.0, *(len(p_values) * p_value for p_value in p_values)]),  # Bonferroni
        what=_middle_text(column, values, len(cells)),
    )


def _missing_p_values(column: ColumnReference, n_missing: int, n_present: int) -> list[float]:
    """Return the p-value of the share of gaps, or nothing where there are next to none."""
    counts = pooled(
        np.array([column.n_missing, column.n_present]), np.array([n_missing, n_present])
    )
    return [chi_squared(*counts)[1]] if len(counts[0]) > 1 else []


def _stretches(column: ColumnReference, values: Floats) -> tuple[Indices, Indices]:
    """Count both samples below, between and above the cut points, (P + 2,)."""
    points = np.asarray(column.points, np.float64)
    n_below = np.searchsorted(values, points[:1], side="left")
    n_until = np.searchsorted(values, points, side="right")
    expected = np.diff([0, *[0] * len(n_below), *column.counts, column.n_present])
    return expected, np.diff([0, *n_below, *n_until, len(values)])


def _bin_starts(counts: Indices) -> list[int]:
    """Return where the bins of the stability index start: stretches joined to a tenth.

    The stretches below the lowest and above the highest value are bins of their own,
    and so is a single value that holds a tenth or more.
    """
    least, held = _BIN_SHARE * counts.sum(), 0
    starts = [0]
    for idx in range(1, len(counts)):
        is_end = idx in (1, len(counts) - 1)
        if is_end or held >= least or counts[idx] >= least:
            starts.append(idx)
            held = 0
        held += int(counts[idx])
    return starts


def _share_text(name: str, expected: float, found: float, *, unit: str = "of rows") -> str:
    return f"{name}: {expected:.1%} {unit} in training, {found:.1%} now"


def _middle_text(column: ColumnReference, values: Floats, n_rows: int) -> str:
    n_missing = n_rows - len(values)
    told = []
    if column.points and len(values):
        noun = "median length" if column.kind == Kind.TEXT else "median"
        before, now = column.quantiles([0.5])[0], values[(len(values) - 1) // 2]
        told.append(
            f"{noun} {_shown(before, column.kind)} in training, {_shown(now, column.kind)} now"
        )
    if n_missing or column.n_missing:
        told.append(_share_text("missing", column.missing_share, n_missing / n_rows))
    return "; ".join(told)


def _shown(value: float, kind: Kind) -> str:
    if kind == Kind.DATETIME:
        return str(np.datetime64(int(value), "us").astype("datetime64[D]"))
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e15 else f"{value:.4g}"
