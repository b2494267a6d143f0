"""Partial dependence: how the mean prediction goes with one column.

Comes in: a subject and rows. Goes out: for each column its values, the mean probability
with each of them in every row, and how common they are, as plain data.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assay.deal import sample_rows
from assay.explain.subject import Subject
from assay.explain.variants import Variants
from assay.metrics import Floats, Indices
from assay.table import Table

N_POINTS, N_LEVELS, N_CLASSES, N_ROWS = 20, 12, 3, 200
_CHANCE = 12  # keeps this source of chance apart from others of the same seed
_MOST_CELLS, _LEAST_ROWS = 80_000_000, 20  # that are predicted from for one column
_MOST_ROWS = 16_384  # in one prediction
_USUAL_ROWS = 500  # that are predicted as they are
_LEAST_SQUARES = 1e-12
_TAIL = 0.01  # share of the cells beyond either end of the grid


def partial_dependence(
    subject: Subject,
    raw: Table,
    columns: Sequence[str],
    *,
    n_rows: int = N_ROWS,
    n_points: int = N_POINTS,
    n_levels: int = N_LEVELS,
    n_classes: int = N_CLASSES,
    seed: int = 0,
    asking: Callable[[Indices], Subject] | None = None,
) -> list[dict[str, Any]]:
    """Return the mean probability for values of each column (Friedman 2001, Ann. Stat. 29:1189).

    Every row of a sample gets the value in turn, all its other cells as they are. Where
    columns go together, that makes rows that do not occur: read it with care.

    Args:
        subject: Usually the finished model; no class of a row is needed.
        raw: Raw rows: all of them tell how common a value is.
        columns: Raw columns. Texts and identifiers have no values to try and are skipped.
        n_rows: Rows that are averaged over at the most; fewer of tables of very many columns.
        n_points: Values of a number or date at the most: quantiles from 1 % to 99 %.
        n_levels: Commonest levels at the most.
        n_classes: Classes at the most, those with the largest mean probability; of two
            classes only the second.
        seed: Of the sample.
        asking: Returns what predicts rows, given as positions (M,) among `raw`, where
            different models predict different rows; `subject` by default.

    Returns:
        For each column {"column", "kind": "numeric", "datetime" or "categorical", "x":
        values, rising, dates as ISO text, or levels from the commonest on, "proba":
        {class: mean probability for each x}, "rug"}. The rug of numbers and dates is
        {"counts": rows from each x up to the next, one fewer than x; "below", "above":
        rows outside; "missing"}; of levels {"counts": rows of each; "other"; "missing"}.
        Where cells are missing, "missing_proba" {class: probability} stands for x missing.

    Raises:
        UserError: A column that is missing or not used.
    """
    if raw.n_rows == 0 or not columns:
        return []
    chosen = subject.check_columns(columns)
    typed = subject.typed(raw)
    most = max(_MOST_CELLS // (n_points * max(len(typed.names), 1)), _LEAST_ROWS)
    n_few = min(n_rows, typed.n_rows, most)
    rng = np.random.default_rng([seed, _CHANCE])

    def variants_of(row_idx: Indices) -> Variants:
        return Variants(subject if asking is None else asking(row_idx), typed.take(row_idx))

    variants = variants_of(np.sort(rng.choice(typed.n_rows, size=n_few, replace=False)))
    usual = _Usual.of(typed, variants, variants_of)
    classes = _classes(subject, usual, n_classes)
    tried, entries = [], []
    for name in chosen:
        spec = subject.preparation.raw_schema[name]
        described = _values(typed.column(name), str(spec.kind), n_points, n_levels)
        if described is not None:
            tried.append(described[0])
            entries.append({"column": name} | described[1])
    means = _means(variants, usual, tried)
    return [
        entry | _told(subject.classes, cells, mean, classes)
        for entry, cells, mean in zip(entries, tried, means, strict=True)
    ]


@dataclass(frozen=True)
class _Usual:
    """What is predicted of rows as they are.

    Attributes:
        proba: Of the N rows that are averaged over, (N, C).
        shift: By how much the mean of many more rows is above theirs, (C,).
    """

    proba: Floats
    shift: Floats

    @classmethod
    def of(
        cls, typed: Table, variants: Variants, variants_of: Callable[[Indices], Variants]
    ) -> "_Usual":
        proba, n_few = variants.proba([()]), variants.rows.n_rows
        most = min(_USUAL_ROWS, _MOST_CELLS // max(len(typed.names), 1))
        if min(most, typed.n_rows) <= n_few:
            return cls(proba, np.zeros(proba.shape[1]))
        row_idx = np.arange(typed.n_rows)[sample_rows(typed.n_rows, most)]
        many = variants_of(row_idx).proba([()])
        return cls(proba, many.mean(axis=0) - proba.mean(axis=0))

    def corrected(self, proba: Floats) -> Floats:
        """Return the means of altered predictions (M, N, C) over rows, (M, C).

        That the few rows are predicted more or less than many are tells by how much their
        means are off: as much as both go together over rows (a control variate: Lavenberg
        & Welch 1981, Manage. Sci. 27:322). Of 60 rows, means are then as near to those of
        800 as plain means of 150 to 200 rows are. All classes are moved by the same share
        of their shift, so that they still sum to 1.
        """
        mean: Floats = proba.mean(axis=1)
        away = self.proba - self.proba.mean(axis=0)
        together = np.einsum("mnc,nc->m", proba - mean[:, None], away)
        slope = together / max(float((away**2).sum()), _LEAST_SQUARES)
        corrected: Floats = np.clip(mean + slope[:, None] * self.shift, 0.0, 1.0)
        corrected /= corrected.sum(axis=1, keepdims=True)
        return corrected


def _classes(subject: Subject, usual: _Usual, n_classes: int) -> list[int]:
    """Return the classes to show, in their own order."""
    if len(subject.classes) == 2:
        return [1]
    mean = usual.proba.mean(axis=0)
    return sorted(np.argsort(-mean, kind="stable")[:n_classes].tolist())


def _values(
    cells: pl.Series, kind: str, n_points: int, n_levels: int
) -> tuple[pl.Series, dict[str, Any]] | None:
    """Return the cells to try, missing last if there are any, with kind, x and rug."""
    if kind in ("categorical", "boolean"):
        values, rug = _levels(cells, n_levels)
        x, shown = values.to_list(), "categorical"
    elif kind in ("numeric", "datetime"):
        values, rug = _points(cells, n_points)
        x, shown = values.to_list(), kind
        x = [one.isoformat() for one in x] if kind == "datetime" else x
    else:
        return None
    if not x:
        return None
    rug["missing"] = cells.null_count()
    if rug["missing"]:
        values = values.extend(pl.Series(cells.name, [None], dtype=cells.dtype))
    return values, {"kind": shown, "x": x, "rug": rug}


def _levels(cells: pl.Series, n_levels: int) -> tuple[pl.Series, dict[str, Any]]:
    counted = cells.drop_nulls().alias("level").value_counts(name="n")
    counted = counted.sort(["n", "level"], descending=[True, False]).head(n_levels)
    counts = counted.get_column("n").to_list()
    rug = {"counts": counts, "other": len(cells) - cells.null_count() - sum(counts)}
    return counted.get_column("level").alias(cells.name), rug


def _points(cells: pl.Series, n_points: int) -> tuple[pl.Series, dict[str, Any]]:
    present = cells.drop_nulls().sort()
    distinct = present.unique(maintain_order=True)
    if len(distinct) > n_points:
        shares = np.linspace(_TAIL, 1 - _TAIL, n_points)
        places = np.round(shares * (len(present) - 1)).astype(np.intp)
        distinct = present.gather(places).unique(maintain_order=True)
    numbers = present.to_physical().to_numpy()
    points = distinct.to_physical().to_numpy()
    below = np.searchsorted(numbers, points, side="left")
    if not len(points):
        return distinct, {}
    last = int(np.searchsorted(numbers, points[-1], side="right"))
    counts = np.diff(below)
    if len(counts):
        counts[-1] += last - below[-1]  # the last stretch has both its ends
    rug = {"counts": counts.tolist(), "below": int(below[0]), "above": len(numbers) - last}
    return distinct, rug


def _means(variants: Variants, usual: _Usual, tried: Sequence[pl.Series]) -> list[Floats]:
    """Return the mean probabilities with each of the cells in all rows, (M, C) by column.

    Several columns go into one prediction, whose beginning takes as long as some of its rows.
    """
    rows = variants.rows
    n_rows = rows.n_rows
    columns = [
        cells[idx : idx + 1].cast(rows.frame.schema[cells.name]).new_from_index(0, n_rows)
        for cells in tried
        for idx in range(len(cells))
    ]
    step = max(min(_MOST_ROWS, _MOST_CELLS // max(len(rows.names), 1)) // n_rows, 1)
    means = []
    for start in range(0, len(columns), step):
        here = columns[start : start + step]
        proba = variants.proba([[column] for column in here])
        means.append(usual.corrected(proba.reshape(len(here), n_rows, -1)))  # (M*N, C) -> (M, C)
    ends = np.cumsum([len(cells) for cells in tried])
    return np.split(np.concatenate(means), ends[:-1]) if means else []


def _told(
    names: Sequence[str], cells: pl.Series, mean: Floats, classes: list[int]
) -> dict[str, Any]:
    """Return the mean probabilities (M, C) of one column's cells by class."""
    has_missing = cells.null_count() > 0
    shown = mean[:-1] if has_missing else mean
    result: dict[str, Any] = {"proba": {names[idx]: shown[:, idx].tolist() for idx in classes}}
    if has_missing:
        result["missing_proba"] = {names[idx]: float(mean[-1, idx]) for idx in classes}
    return result
