"""Permutation importance: how much worse predictions get without what a column tells.

Comes in: a subject and rows whose class is known. Goes out: the increase of log loss for
each raw column, with intervals, as plain data. For a fair answer the subject predicts
each row by networks that had left it out, or the rows are new.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from assay.errors import UserError
from assay.evaluate.intervals import Interval
from assay.evaluate.redrawn import drawn_weights
from assay.explain.alike import alike_columns
from assay.explain.screen import RowLosses, Unit, screen, shuffled_source
from assay.explain.strongest import strongest_columns
from assay.explain.subject import Subject
from assay.metrics import Floats, Indices
from assay.table import Table

Listen = Callable[[Sequence[Unit]], None]
"""Is told of which units of columns the variants in a prediction were."""

MOST_REFINED = 30  # columns that are shuffled more than once
MOST_TESTED = 150  # with more, groups of columns are tested first
MOST_GROUPED = 10_000  # with more, only those that go with the predictions are tested
_MOST_CLOSE = 1_000  # of them, before those that carry the same are joined
_CHANCE = 11  # keeps this source of chance apart from others of the same seed


def permutation_importance(
    subject: Subject,
    raw: Table,
    y: Indices,
    *,
    columns: Sequence[str] | None = None,
    n_shuffles: int = 5,
    joins_alike: bool = True,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    groups: Indices | None = None,
    seed: int = 0,
    most_s: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    listen: Listen | None = None,
) -> dict[str, Any]:
    """Measure how much the log loss grows when a column's cells are dealt to other rows.

    Breiman 2001, Mach. Learn. 45:5, in the form of Fisher, Rudin & Dominici 2019, J.
    Mach. Learn. Res. 20:177. The model is not trained again: a small figure may mean
    that another column tells the same. The 30 columns that matter most are shuffled
    `n_shuffles` times, others once; of more than 150 the most important are found by
    `screen`, of more than 10,000 by `strongest_columns`. An interval is that of rows and
    shuffles drawn anew together.

    Args:
        subject: Is asked for the same N rows in the same order every time, or for that
            several times over (k x N rows), so that it may answer each row by networks
            that had left it out.
        raw: N raw rows; `sample_size` tells how many are enough.
        y: Their classes, (N,), as indices.
        columns: Raw columns to measure; by default all that are used.
        n_shuffles: How often a column is shuffled, at least 1.
        joins_alike: Whether columns that carry the same are shuffled together.
        confidence: Of the intervals.
        n_resamples: Draws behind an interval.
        groups: Group of each row, (N,); whole groups are then drawn.
        seed: Of shuffles and draws.
        most_s: Seconds that it may take, about; None for no limit. The result of a
            limited run depends on the speed of the machine.
        clock: Tells the time in seconds.
        listen: Is told right after a prediction whose columns were shuffled in it for the
            first time: one unit of columns for each variant of the rows; of the rows as
            they are (), one variant.

    Returns:
        {"columns": [{"column", "increase": {estimate, low, high}, "n_shuffles"}, ...],
        most important first, "metric": "log_loss", "n_rows", "confidence", "grouped":
        [{"columns", "text"}], "n_columns": how many are used, "n_untested": how many of
        them were not tested singly and are not listed}; of more than 10,000 columns also
        "n_set_aside": how many of them were not tested at all, since others go with the
        predictions more closely. The first column of a group
        stands for it, with the others in "with". Increases are in nats and may be
        slightly below 0 by chance; None where there is one row only.

    Raises:
        UserError: No row, shapes that differ, or a column that is not used.
    """
    chosen = subject.check_columns(subject.columns if columns is None else columns)
    y = _checked(raw, y, n_shuffles)
    deadline = None if most_s is None else clock() + most_s
    rng = np.random.default_rng([seed, _CHANCE])
    rows = subject.typed(raw)
    if rows.n_rows == 1:
        increases = [(name, Interval(None, None, None), 0) for name in chosen]
        singly: list[Unit] = [(name,) for name in chosen]
        return described(increases, singly, raw.n_rows, confidence, len(chosen))

    def is_late() -> bool:
        return deadline is not None and clock() >= deadline

    losses = RowLosses(subject, rows, y)
    base = losses.of([()])[0]
    if listen is not None:
        listen([()])
    close, n_all = chosen, len(chosen)
    if n_all > MOST_GROUPED:
        close = strongest_columns(rows, chosen, losses.variants.proba([()]), _MOST_CLOSE)
    units: list[Unit] = alike_columns(rows, close) if joins_alike else [(one,) for one in close]
    if n_all > MOST_GROUPED:
        units = units[:MOST_TESTED]
    tested = units
    if len(units) > MOST_TESTED:
        tested = screen(losses, base, units, most=2 * MOST_REFINED, rng=rng, is_late=is_late)
    changes = _changes(losses, base, tested, n_shuffles, rng, is_late, listen)
    intervals = drawn_intervals(list(changes.values()), groups, confidence, n_resamples, rng)
    increases = [
        (unit[0], interval, len(changes[unit]))
        for unit, interval in zip(changes, intervals, strict=True)
    ]
    return described(increases, units, raw.n_rows, confidence, n_all)


def sample_size(n_columns: int) -> int:
    """Return how many rows importance is measured on: fewer, the wider the table.

    Example:
        >>> sample_size(12), sample_size(1_000), sample_size(10_000)
        (2000, 500, 200)
    """
    return max(200, min(2_000, 500_000 // max(n_columns, 1)))


def top_columns(importance: dict[str, Any], most: int = 8) -> list[str]:
    """Return the columns that matter most, at most `most`; those without an effect are none."""
    return [
        one["column"]
        for one in importance["columns"][:most]
        if one["increase"]["estimate"] is None or one["increase"]["estimate"] > 0
    ]


def _checked(raw: Table, y: Indices, n_shuffles: int) -> Indices:
    if raw.n_rows == 0:
        raise UserError(
            "the table has no rows", where=raw.source, fix="Give rows whose class is known"
        )
    if np.shape(y) != (raw.n_rows,):
        raise UserError(f"y must have shape ({raw.n_rows},) (got {np.shape(y)})")
    if n_shuffles < 1:
        raise UserError(f"n_shuffles must be at least 1 (got {n_shuffles})")
    return np.asarray(y, dtype=np.intp)


def _changes(
    losses: RowLosses,
    base: Floats,
    units: Sequence[Unit],
    n_shuffles: int,
    rng: np.random.Generator,
    is_late: Callable[[], bool],
    listen: Listen | None,
) -> dict[Unit, list[Floats]]:
    """Return for each unit the change of each row's loss in each of its shuffles."""
    changes: dict[Unit, list[Floats]] = {}
    refined, step = list(units), losses.n_together
    for turn in range(n_shuffles):
        for start in range(0, len(refined), step):
            if is_late():  # rounds go over all columns, so that what is cut short is even
                return changes
            here = refined[start : start + step]
            found = losses.of([_shuffled(losses.rows, unit, rng) for unit in here])
            if turn == 0 and listen is not None:
                listen(here)
            for unit, loss in zip(here, found, strict=True):
                changes.setdefault(unit, []).append(loss - base)
        if turn == 0:
            ranked = sorted(changes, key=lambda unit: -float(changes[unit][0].mean()))
            refined = ranked[:MOST_REFINED]
    return changes


def _shuffled(rows: Table, unit: Unit, rng: np.random.Generator) -> list[pl.Series]:
    source = shuffled_source(rows.n_rows, rng)
    return [rows.frame.get_column(name).gather(source) for name in unit]


def drawn_intervals(
    changes: Sequence[Sequence[Floats]],
    groups: Indices | None,
    confidence: float,
    n_resamples: int,
    rng: np.random.Generator,
) -> list[Interval]:
    """Draw rows and shuffles anew, the same rows for all columns.

    Args:
        changes: For each unit of columns the change of each row's loss, (N,), in each of its
            shuffles.
        groups: Group of each row, (N,); whole groups are then drawn.
        confidence: Of the intervals.
        n_resamples: Draws.
        rng: Source of chance.
    """
    if not changes:
        return []
    n_rows = len(changes[0][0])
    unit = np.arange(n_rows) if groups is None else np.unique(groups, return_inverse=True)[1]
    flat = np.concatenate([np.stack(own) for own in changes])  # (sum of shuffles, N)
    n_shuffles = np.array([len(own) for own in changes])
    ends = np.cumsum(n_shuffles)
    estimates = [float(np.mean(own)) + 0.0 for own in changes]
    if unit.max() == 0:
        return [Interval(estimate, None, None) for estimate in estimates]
    draws: list[list[Floats]] = [[] for _ in changes]
    for weight in drawn_weights(unit, n_resamples, rng):
        means = weight @ flat.T / weight.sum(axis=1, keepdims=True)  # (R', sum of shuffles)
        for own, first, end in zip(draws, ends - n_shuffles, ends, strict=True):
            if end - first == 1:
                own.append(means[:, first])
                continue
            shuffles = rng.integers(first, end, size=(len(means), end - first))
            own.append(np.take_along_axis(means, shuffles, axis=1).mean(axis=1))
    tail = (1 - confidence) / 2
    drawn = np.stack([np.concatenate(own) for own in draws])  # (units, R)
    lows, highs = np.quantile(drawn, [tail, 1 - tail], axis=1).tolist()
    return [
        Interval(estimate, low + 0.0, high + 0.0)
        for estimate, low, high in zip(estimates, lows, highs, strict=True)
    ]


def described(
    increases: Sequence[tuple[str, Interval, int]],
    units: Sequence[Unit],
    n_rows: int,
    confidence: float,
    n_columns: int,
) -> dict[str, Any]:
    """Return what `permutation_importance` returns.

    Args:
        increases: The first column of each unit that was tested, its increase, and how often
            it was shuffled.
        units: All units that may be among them.
        n_rows: Rows behind the figures.
        confidence: Of the intervals.
        n_columns: How many columns are used.
    """
    joined = {unit[0]: list(unit[1:]) for unit in units if len(unit) > 1}
    ranked = sorted(increases, key=lambda one: -(one[1].estimate or 0.0))
    listed: list[dict[str, Any]] = []
    for name, interval, n_shuffles in ranked:
        entry = {"column": name, "increase": interval.to_dict(), "n_shuffles": n_shuffles}
        listed.append(entry | ({"with": joined[name]} if name in joined else {}))
    shown = [name for name in joined if any(one["column"] == name for one in listed)]
    n_listed = sum(1 + len(one.get("with", [])) for one in listed)
    n_close = sum(len(unit) for unit in units)
    set_aside = {"n_set_aside": n_columns - n_close} if n_close < n_columns else {}
    return set_aside | {
        "columns": listed,
        "metric": "log_loss",
        "n_rows": n_rows,
        "confidence": confidence,
        "grouped": [_group([name, *joined[name]]) for name in shown],
        "n_columns": n_columns,
        "n_untested": n_columns - n_listed,
    }


def _group(names: list[str]) -> dict[str, Any]:
    head = ", ".join(names[:-1]) if len(names) <= 6 else ", ".join(names[:5])
    last = names[-1] if len(names) <= 6 else f"{len(names) - 5} more"
    return {"columns": names, "text": f"{head} and {last} carry the same: shuffled together"}
