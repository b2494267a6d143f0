"""What single columns hold, whatever the target: identifiers, and almost one value only."""

from typing import Literal

import numpy as np
import polars as pl

from assay.profile.finding import Finding, drop_option
from assay.profile.rows import Column, Floats, Rows
from assay.read.kinds import option_of
from assay.schema import Kind

_QUASI = 0.999
_MIN_ROWS = 50
_NEAR_DISTINCT = 0.9
_WHOLE_DISTINCT = 0.98
_MOST_TRIED = 5_000
_KEY_SHARE = 0.95  # of the cells look like a key
_KOLMOGOROV = 1.36  # times 1 / sqrt(n): 95 % quantile of the statistic

# Letters or marks with digits, long hexadecimals, addresses of people or of things.
_KEY = (
    r"^(?:[\p{L}_.:/#-]*\d[\p{L}\d_.:/#-]*|[0-9a-fA-F-]{16,}"
    r"|[^@\s]+@[^@\s]+\.[^@\s]+|https?://\S+)$"
)


def find_identifiers(rows: Rows) -> list[Finding]:
    """Name the features that number or name the rows rather than describe them.

    Identifiers that were set aside are not repeated. Whole numbers count as such where
    nearly all differ and they either rise along the rows or are spread evenly, as drawn
    numbers are; texts where nearly all differ and look like keys.
    """
    findings = []
    for column in rows.columns:
        n_present = rows.n_rows - column.spec.n_missing
        if n_present < _MIN_ROWS or column.spec.n_unique < _NEAR_DISTINCT * n_present:
            continue
        if column.spec.kind == Kind.NUMERIC:
            found = _numbered(column, n_present)
        elif column.spec.kind in (Kind.TEXT, Kind.CATEGORICAL):
            found = _named(column, n_present)
        else:
            found = None
        if found is not None:
            findings.append(found)
    return findings


def find_quasi_constants(rows: Rows) -> list[Finding]:
    """Name the features that hold one value in at least 99.9 % of the rows."""
    findings = []
    most = rows.n_looked_at - int(np.ceil(_QUASI * rows.n_looked_at))
    for column in rows.columns:
        if column.spec.n_unique > most + 1:
            continue  # more other values than cells are left for them
        value, count = _commonest(column.series)
        if count < _QUASI * rows.n_looked_at or count == rows.n_looked_at:
            continue
        findings.append(
            Finding(
                "quasi_constant",
                "low",
                column.name,
                f"{column.name!r} is {value} in nearly every row and can hardly be learnt from",
                f"{count} of {rows.n_looked_at} rows",
                drop_option(column.name),
            )
        )
    return findings


def _commonest(series: pl.Series) -> tuple[str, int]:
    """Return the commonest cell as text, and in how many rows it stands."""
    counts = series.value_counts(sort=True).row(0)
    cell, count = counts[0], int(counts[1])
    if cell is None:
        return "missing", count
    return (f"{cell:g}" if isinstance(cell, float) else repr(str(cell)[:40])), count


def _numbered(column: Column, n_present: int) -> Finding | None:
    values = column.numbers
    present = values[~np.isnan(values)]
    is_distinct = column.spec.n_unique >= _WHOLE_DISTINCT * n_present
    if not is_distinct or not np.all(np.isfinite(present)):
        return None
    if np.any(present != np.floor(present)):
        return None
    step = np.diff(present)
    share = f"{column.spec.n_unique} different whole numbers in {n_present} cells"
    if np.all(step > 0) or np.all(step < 0):
        way = "rise" if step[0] > 0 else "fall"
        return _identifier(column, "medium", f"{share}, which {way} from row to row")
    if _is_even(present):
        return _identifier(column, "low", f"{share}, spread as evenly as drawn numbers are")
    return None


def _is_even(values: Floats) -> bool:
    """Whether values are spread evenly between least and largest (Kolmogorov's test)."""
    ordered = np.sort(values)
    width = ordered[-1] - ordered[0]
    if not width:
        return False
    wanted = np.linspace(0.0, 1.0, len(ordered))
    distance = np.abs((ordered - ordered[0]) / width - wanted).max()
    return bool(distance < _KOLMOGOROV / np.sqrt(len(ordered)))


def _named(column: Column, n_present: int) -> Finding | None:
    cells = column.series.drop_nulls().head(_MOST_TRIED)
    n_keys = int(cells.str.contains(_KEY).sum())
    if not len(cells) or n_keys < _KEY_SHARE * len(cells):
        return None
    return _identifier(
        column,
        "medium",
        f"{column.spec.n_unique} different values in {n_present} cells that look like keys, "
        f"such as {str(cells[0])[:40]!r}",
    )


def _identifier(column: Column, severity: Literal["medium", "low"], evidence: str) -> Finding:
    return Finding(
        "identifier",
        severity,
        column.name,
        f"{column.name!r} seems to number or name the rows: what is learnt from it does not "
        "hold for new ones",
        evidence,
        option_of(column.name, Kind.IDENTIFIER),
    )
