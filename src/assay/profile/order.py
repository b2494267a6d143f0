"""Whether the order of the rows says more than chance: sorted, in time, or in groups.

Rows that were written one after the other may belong together: one patient's, one
day's, one machine's. Then a random fold puts near relatives on both sides, and the
score is better than it will be. The columns need not show it; the order may.
"""

import re
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.profile.finding import ROWS, Finding, Severity, text_option
from assay.profile.rows import Column, Floats, Ints, Mask, Rows
from assay.schema import ColumnSpec, Kind, Schema

_MIN_ROWS = 60
_ALIKE = 0.1  # agreement of neighbours beyond chance
_SORTED = 0.9
_CERTAIN_Z = 5.0
_NEAR = 50  # rows before and after that count as neighbours
_NEAR_SHARE = 0.1  # of the rows, at most
_MOST_ROWS = 2_000
_BLOCK = 100
_MOST_INPUTS = 64
_MOST_LEVELS = 12
_SCALE = 100.0
_DROP = 0.03  # of accuracy that the neighbours are worth
_DROP_Z = 3.5
_HIGH_DROP = 0.1
_GRID = 10.0  # combinations of values to a row
_MIN_STEPS = 20
_SORTED_SHARE = 0.97  # of the steps within a class go one way
_SEED = 71_404
_TIME_NAME = re.compile(r"(?i)date|time|(?:^|_|\b)(?:year|month|week|day|hour|ts)(?:$|_|\b)")
_OPTION = 'split.group or split.time = "COLUMN"'


@dataclass(frozen=True)
class Runs:
    """How alike the classes of neighbouring rows are.

    Attributes:
        agreement: Share of neighbours of one class beyond chance, at most 1.
        z: The same in standard errors.
        n_runs: Stretches of rows of one class.
    """

    agreement: float
    z: float
    n_runs: int


def runs_of(y: Ints, counts: Ints) -> Runs:
    """Count the stretches of one class along the rows.

    The runs test of Wald and Wolfowitz (1940), for any number of classes (Barton and
    David 1957, Biometrika 44:168): in random order the expected number of runs is
    (N (N + 1) - S2) / N with variance (S2 (S2 + N (N + 1)) - 2 N S3 - N^3) / (N^2 (N - 1)),
    where Sk is the sum of the k-th powers of the class counts.

    Args:
        y: Class index of each row in the order of the table, (N,), N > 1.
        counts: Rows of each class, (C,).

    Example:
        >>> runs_of(np.array([0, 0, 0, 1, 1, 1]), np.array([3, 3])).n_runs
        2
    """
    n = float(len(y))
    n_runs = 1 + int(np.count_nonzero(y[1:] != y[:-1]))
    sizes = counts.astype(np.float64)
    s2, s3 = float((sizes**2).sum()), float((sizes**3).sum())
    expected = (n * (n + 1) - s2) / n
    variance = (s2 * (s2 + n * (n + 1)) - 2 * n * s3 - n**3) / (n**2 * (n - 1))
    z = (expected - n_runs) / np.sqrt(variance) if variance > 0 else 0.0
    agreement = (expected - n_runs) / (expected - 1) if expected > 1 else 0.0
    return Runs(float(agreement), float(z), n_runs)


def find_order(
    frame: pl.DataFrame, schema: Schema, y: Ints, classes: tuple[str, ...], *, is_split: bool
) -> list[Finding]:
    """Say whether neighbouring rows share more than chance would have it.

    Args:
        frame: Typed columns of the whole table, N rows in their order.
        schema: What they are.
        y: Class index of each row, (N,).
        classes: C class names.
        is_split: Whether groups or times already rule the split.
    """
    counts = np.bincount(y, minlength=len(classes))
    if len(y) < _MIN_ROWS or np.count_nonzero(counts) < 2:
        return []
    runs = runs_of(y, counts)
    is_sorted = runs.agreement >= _SORTED and runs.z > _CERTAIN_Z
    is_alike = runs.agreement >= _ALIKE and runs.z > _CERTAIN_Z
    findings = []
    drop = None if is_split or _is_grid(schema, len(y)) else near_drop(frame, schema, y, classes)
    if drop is not None and drop[0] >= _DROP and drop[0] >= _DROP_Z * drop[1]:
        findings.append(_related(*drop, len(y), sorting_column(frame, schema, y)))
    if is_sorted:
        findings.append(_sorted(runs, len(y)))
    elif is_alike and not is_split and not findings:
        findings.append(_alike(runs, len(y)))
    return findings


def _is_grid(schema: Schema, n_rows: int) -> bool:
    """Whether rows fill most combinations: then those alike are written side by side."""
    room = 1.0
    for spec in schema.features:
        room *= max(spec.n_unique, 1)
        if room > _GRID * n_rows:
            return False
    return True


def sorting_column(frame: pl.DataFrame, schema: Schema, y: Ints) -> ColumnSpec | None:
    """Return the column that the rows of each class are sorted by, or None.

    Args:
        frame: Typed columns, N rows in their order.
        schema: What they are.
        y: Class index of each row, (N,).

    Example:
        >>> frame = pl.DataFrame({"x": [float(i) for i in range(50)]})
        >>> schema = Schema((ColumnSpec("x", Kind.NUMERIC, "", n_unique=50),))
        >>> sorting_column(frame, schema, np.zeros(50, dtype=int)).name
        'x'
    """
    is_stretch = y[1:] == y[:-1]
    for spec in schema.features:
        if spec.kind not in (Kind.NUMERIC, Kind.DATETIME) or spec.n_unique < _MIN_STEPS:
            continue
        step = np.diff(Column(spec, frame.get_column(spec.name)).numbers)
        step = step[is_stretch & ~np.isnan(step) & (step != 0)]
        share = float((step > 0).mean()) if len(step) >= _MIN_STEPS else 0.5
        if max(share, 1 - share) >= _SORTED_SHARE:
            return spec
    return None


def near_drop(
    frame: pl.DataFrame, schema: Schema, y: Ints, classes: tuple[str, ...]
) -> tuple[float, float] | None:
    """Measure what the rows nearby in the table are worth to a nearest-neighbour guess.

    Each row is given the class of the row most like it, once with the 50 rows before and
    after it barred, and once with as many others barred, of the same classes in the same
    places. Copies are left out, for the split keeps them together anyway.

    Returns:
        Accuracy lost, and its standard error; None where there is nothing to compare.
    """
    chosen = _stretches(frame.height)
    names = [spec.name for spec in schema.features[: 2 * _MOST_INPUTS]]
    part = Rows.of(frame.select(names)[chosen], schema, y[chosen], classes)
    inputs = _inputs(part.columns)
    if inputs.shape[1] == 0:
        return None
    _, first = np.unique(inputs, axis=0, return_index=True)
    first = np.sort(first)
    if len(first) < _MIN_ROWS:
        return None
    inputs, labels, place = inputs[first], y[chosen][first], chosen[first]
    distance = _distances(inputs)
    near = np.abs(place[:, None] - place[None, :]) <= _nearby(frame.height)
    shuffled = _within_classes(labels)
    control = near[np.ix_(shuffled, shuffled)]
    lost = _is_right(distance, control, labels) - _is_right(distance, near, labels)
    return float(lost.mean()), float(lost.std() / np.sqrt(len(lost)))


def _nearby(n_rows: int) -> int:
    return min(_NEAR, int(_NEAR_SHARE * n_rows))


def _stretches(n_rows: int) -> Ints:
    """Return rows in stretches of 100 that are spread over the table."""
    if n_rows <= _MOST_ROWS:
        return np.arange(n_rows, dtype=np.int64)
    n_blocks = _MOST_ROWS // _BLOCK
    starts = np.arange(n_blocks, dtype=np.int64) * (n_rows - _BLOCK) // (n_blocks - 1)
    rows = starts[:, None] + np.arange(_BLOCK)[None, :]  # (20, 100)
    return np.unique(rows.reshape(-1))


def _inputs(columns: tuple[Column, ...]) -> Floats:
    """Return numbers on one scale, and levels as numbers 0 or 1, (N, at most 64)."""
    parts: list[Floats] = []
    width = 0
    for column in columns:
        if width >= _MOST_INPUTS:
            break
        if column.spec.kind == Kind.NUMERIC:
            part = _scaled(column.numbers)[:, None]
        elif column.spec.kind in (Kind.CATEGORICAL, Kind.BOOLEAN):
            part = _one_hot(column)
        else:
            continue
        parts.append(part)
        width += part.shape[1]
    n_rows = len(columns[0].series) if columns else 0
    return np.concatenate(parts, axis=1) if parts else np.zeros((n_rows, 0))


def _scaled(values: Floats) -> Floats:
    """Return ranks in [-100, 100], 0 for missing: no unit, no outlier.

    They are whole, so that distances are exact in float32, whatever adds them up.
    """
    present = ~np.isnan(values)
    scaled = np.zeros(len(values))
    if present.any():
        levels, rank = np.unique(values[present], return_inverse=True)
        scaled[present] = np.round(_SCALE * (2.0 * rank / max(len(levels) - 1, 1) - 1.0))
    return scaled


def _one_hot(column: Column) -> Floats:
    codes = column.series.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    if codes.max(initial=0) > _MOST_LEVELS:
        return np.zeros((len(codes), 0))
    hot: Floats = _SCALE * np.eye(codes.max(initial=0) + 1)[codes]
    return hot


def _distances(inputs: Floats) -> NDArray[np.float32]:
    x = inputs.astype(np.float32)
    square = np.einsum("nf,nf->n", x, x)
    distance: NDArray[np.float32] = square[:, None] + square[None, :] - 2 * (x @ x.T)
    np.fill_diagonal(distance, np.inf)
    return distance


def _within_classes(labels: Ints) -> Ints:
    """Return row numbers shuffled within each class, (N,)."""
    rng = np.random.default_rng([_SEED, len(labels)])
    shuffled = np.arange(len(labels))
    for class_idx in np.unique(labels):
        own = np.flatnonzero(labels == class_idx)
        shuffled[own] = rng.permutation(own)
    return shuffled


def _is_right(distance: NDArray[np.float32], barred: Mask, labels: Ints) -> Floats:
    nearest = np.where(barred, np.float32(np.inf), distance).argmin(axis=1)
    right: Floats = (labels[nearest] == labels).astype(np.float64)
    return right


def _related(drop: float, error: float, n_rows: int, by: ColumnSpec | None) -> Finding:
    is_time = by is not None and bool(by.kind == Kind.DATETIME or _TIME_NAME.search(by.name))
    severity: Severity = "high" if drop >= _HIGH_DROP else "medium"
    what = (
        "rows near each other in the table seem to be relatives: random folds put them on both "
        "sides, which makes the score too good. If they share a source, a person or a time, name "
        "the column that says so"
    )
    option = _OPTION
    if by is not None and is_time:
        what = (
            f"the rows are in the order of {by.name!r}, and those near each other in time are "
            "alike: random folds put them on both sides, which makes the score too good"
        )
        option = text_option("split.time", by.name)
    elif by is not None:
        severity = "low"
        what = (
            f"the rows are sorted by {by.name!r}, so that those near each other are alike: "
            "harmless, unless they share a source, a person or a time besides"
        )
    return Finding(
        "row_order",
        severity,
        ROWS,
        what,
        f"guessing each row's class from the row most like it loses {drop:.3f} of accuracy "
        f"[{drop - 1.96 * error:.3f}, {drop + 1.96 * error:.3f}] when the rows within "
        f"{_nearby(n_rows)} of it are barred rather than others",
        option,
    )


def _sorted(runs: Runs, n_rows: int) -> Finding:
    return Finding(
        "sorted_target",
        "low",
        ROWS,
        "the rows are sorted by the target: harmless for folds, which are drawn at random, but "
        "a column that counts the rows would give it away, and the end of the file is no test",
        f"{runs.n_runs} stretches of one class in {n_rows} rows",
    )


def _alike(runs: Runs, n_rows: int) -> Finding:
    return Finding(
        "target_order",
        "low",
        ROWS,
        "neighbouring rows share their class more often than chance: the table seems to be in "
        "the order of time or of groups. If so, random folds are too easy",
        f"{runs.n_runs} stretches of one class in {n_rows} rows; agreement of neighbours beyond "
        f"chance {runs.agreement:.2f} (runs test, z = {runs.z:.1f})",
        _OPTION,
    )
