"""Single columns that tell the target almost perfectly: more often a leak than luck.

Each column is judged alone, out of fold (`fit`), and beside the best of the others: in
a table whose columns are all telling, none of them is suspicious. A missing cell counts
as a value, the last digit of whole numbers and the words of texts are tried as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from assay.profile.finding import Finding, drop_option
from assay.profile.fit import Fit, fit, folds_of
from assay.profile.rows import MIN_CLASS_ROWS, Column, Ints, Rows
from assay.profile.words import Words, telling_words
from assay.schema import Kind

_CERTAIN = 0.98  # of the majority's errors are gone: the column is the target, renamed
_STRONG = 0.9
_AUROC = 0.995
_AHEAD = 5.0  # times fewer errors than the best other column
_MIN_ERRORS = 15  # of the majority class, below which nothing is certain
_CLASS_F1 = 0.99
_FEW = 3  # columns that tell the target, beyond which the share of them counts
_EASY_SHARE = 1 / 3
_SHOWN_LEVELS = 3
_MANY_LEVELS = 30  # levels that are pure are then a sign of groups
_DIGITS_FROM = 100
_MOST_TEXTS = 100  # whose words are counted


@dataclass(frozen=True)
class Told:
    """What one column tells.

    Attributes:
        column: The column.
        fit: Its figures.
        codes: Its bins, (N,), or the last digits of its numbers.
        n_codes: How many.
        is_digit: Whether the bins are last digits.
        words: Where the words of the column tell more than its cells.
    """

    column: Column
    fit: Fit
    codes: Ints
    n_codes: int
    is_digit: bool = False
    words: Words | None = None


def tell_columns(rows: Rows) -> list[Told]:
    """Judge every column alone; those that cannot be judged are left out."""
    fold = folds_of(rows.n_looked_at)
    told = []
    for column in rows.columns:
        found = [_told(rows, column, fold, *rows.codes(column))]
        if _has_digits(column):
            digits = np.nan_to_num(np.mod(column.numbers, 10.0), nan=10.0).astype(np.int64)
            found.append(_told(rows, column, fold, digits, 11, is_digit=True))
        judged = [one for one in found if one is not None]
        if judged:
            told.append(max(judged, key=lambda one: one.fit.skill))
    return [*told, *_told_by_words(rows, told)]


def _told(
    rows: Rows, column: Column, fold: Ints, codes: Ints, n_codes: int, *, is_digit: bool = False
) -> Told | None:
    found = fit(codes, n_codes, rows.y, rows.class_counts, fold)
    return None if found is None else Told(column, found, codes, n_codes, is_digit)


def _has_digits(column: Column) -> bool:
    if column.spec.kind != Kind.NUMERIC or column.spec.n_unique < _DIGITS_FROM:
        return False
    values = column.numbers
    head = values[:1000]
    head = head[~np.isnan(head)]
    if not len(head) or np.any(head != np.floor(head)):
        return False
    present = values[~np.isnan(values)]
    return bool(np.all(present == np.floor(present)))


def _told_by_words(rows: Rows, told: list[Told]) -> Iterator[Told]:
    known = {one.column.name: one.fit.skill for one in told}
    texts = [one for one in rows.columns if not one.is_number and one.spec.n_unique >= _MANY_LEVELS]
    texts.sort(key=lambda one: one.spec.kind != Kind.TEXT)
    for column in texts[:_MOST_TEXTS]:
        words = telling_words(column.series, rows.y, rows.class_counts)
        if words is not None and words.fit.skill > max(known.get(column.name, 0.0), _STRONG):
            yield Told(column, words.fit, np.zeros(0, np.int64), 0, words=words)


def find_leaks(rows: Rows, told: list[Told]) -> list[Finding]:
    """Name the columns that tell the target, or one class of it, almost perfectly.

    Args:
        rows: The table with its classes.
        told: From `tell_columns` of the same rows.
    """
    n_errors = rows.n_looked_at - int(rows.class_counts.max())
    if n_errors < _MIN_ERRORS:
        return []
    field = _Field.of(told)
    findings = []
    by_class: dict[int, list[Told]] = {}
    for one in told:
        if _is_group_like(one, rows):
            continue
        if field.is_certain(one.fit):
            findings.append(_leak(rows, one, field))
        elif field.is_ahead(one):
            findings.append(_strong(rows, one, field))
        elif (class_idx := _class_told(one.fit)) is not None:
            by_class.setdefault(class_idx, []).append(one)
    return [*findings, *(_told_class(rows, alike, idx) for idx, alike in by_class.items())]


@dataclass(frozen=True)
class _Field:
    """What the other columns achieve, to compare each with.

    Attributes:
        best: The best column and the best of the others.
        auroc: The largest area that is no leak in itself.
        is_easy: Whether many columns tell the target, so that none of them is odd.
    """

    best: tuple[Told, ...]
    auroc: float
    is_easy: bool

    @classmethod
    def of(cls, told: list[Told]) -> "_Field":
        best: dict[str, Told] = {}
        for one in sorted(told, key=lambda one: -one.fit.skill):
            best.setdefault(one.column.name, one)
        auroc = max((one.fit.auroc for one in told if one.fit.auroc < _AUROC), default=0.5)
        n_certain = sum(one.fit.skill >= _CERTAIN for one in best.values())
        is_easy = n_certain > max(_FEW, _EASY_SHARE * len(best))
        return cls(tuple(best.values())[:2], auroc, is_easy)

    def rival(self, one: Told) -> Told | None:
        """Return the best of the other columns."""
        others = [other for other in self.best if other.column.name != one.column.name]
        return others[0] if others else None

    def is_certain(self, found: Fit) -> bool:
        if found.skill >= _CERTAIN:
            return True
        is_ranked = found.auroc >= _AUROC and (1 - self.auroc) >= _AHEAD * (1 - found.auroc)
        return is_ranked and found.skill > _STRONG / 2

    def is_ahead(self, one: Told) -> bool:
        rival = self.rival(one)
        skill = 0.0 if rival is None else max(rival.fit.skill, 0.0)
        return one.fit.skill >= _STRONG and (1 - skill) >= _AHEAD * (1 - one.fit.skill)


def _is_group_like(one: Told, rows: Rows) -> bool:
    """Whether it has so many levels that they stand for who, not for what."""
    if one.column.is_number or one.words is not None:
        return False
    return one.n_codes > max(_MANY_LEVELS, 3 * rows.n_classes)


def _class_told(found: Fit) -> int | None:
    told = np.flatnonzero(np.nan_to_num(found.class_f1) >= _CLASS_F1)
    is_rare = found.skill < _STRONG and len(found.class_f1) > 2
    return int(told[0]) if len(told) and is_rare else None


def _leak(rows: Rows, one: Told, field: _Field) -> Finding:
    name = one.column.name
    return Finding(
        "leak",
        "medium" if field.is_easy else "high",
        name,
        f"{name!r} alone tells the target almost perfectly: {_how(rows, one)}. Ask whether it "
        "is known before the outcome is",
        _figures(rows, one, field),
        drop_option(name),
    )


def _strong(rows: Rows, one: Told, field: _Field) -> Finding:
    name = one.column.name
    return Finding(
        "leak",
        "medium",
        name,
        f"{name!r} tells the target far better than any other column: {_how(rows, one)}. Make "
        "sure that it is known before the outcome is",
        _figures(rows, one, field),
        drop_option(name),
    )


def _told_class(rows: Rows, alike: list[Told], class_idx: int) -> Finding:
    name = alike[0].column.name
    others = f" (and so do {len(alike) - 1} more columns)" if len(alike) > 1 else ""
    return Finding(
        "class_told",
        "low",
        name,
        f"{name!r} alone tells class {rows.classes[class_idx]!r} from all others{others}",
        f"F1 {alike[0].fit.class_f1[class_idx]:.3f} out of fold, "
        f"in {rows.class_counts[class_idx]} rows of that class",
        drop_option(*(one.column.name for one in alike)),
    )


def _figures(rows: Rows, one: Told, field: _Field) -> str:
    majority = float(rows.class_counts.max()) / rows.n_looked_at
    area = "" if np.isnan(one.fit.auroc) else f"AUROC {one.fit.auroc:.3f}, "
    best = field.rival(one)
    beside = "" if best is None else f"; the next best column reaches {best.fit.accuracy:.3f}"
    return (
        f"alone and out of fold {area}accuracy {one.fit.accuracy:.3f}, "
        f"the majority class {majority:.3f}{beside}"
    )


def _how(rows: Rows, one: Told) -> str:
    """Say in words how the column gives the target away."""
    if one.words is not None:
        return one.words.how(rows.classes)
    codes, y = one.codes, rows.y
    table = np.bincount(codes * rows.n_classes + y, minlength=one.n_codes * rows.n_classes)
    table = table.reshape(one.n_codes, rows.n_classes)  # (B*C,) -> (B, C)
    is_missing = 0 if not one.is_digit else 10
    gap = table[is_missing] if is_missing < len(table) else np.zeros(rows.n_classes)
    if gap.sum() and _is_flag(table, is_missing):
        return f"it is missing where the class is {rows.classes[int(gap.argmax())]!r}"
    if one.is_digit:
        return "the last digit of its numbers gives the class away"
    used = np.flatnonzero(table.sum(axis=1) >= min(MIN_CLASS_ROWS, 2))
    used = used[used > 0]
    if len(used) <= _MANY_LEVELS and _is_coded(one, len(used)):
        return _levels_in_words(rows, one, table, used)
    if one.column.is_number:
        return "its classes lie in separate ranges of it"
    return "each of its levels belongs to one class"


def _is_flag(table: Ints, missing: int) -> bool:
    """Whether missing or not is all that it takes."""
    present = table.sum(axis=0) - table[missing]
    right = int(present.max()) + int(table[missing].max())
    best = int(table.max(axis=1).sum())
    return right >= 0.98 * best


def _is_coded(one: Told, n_used: int) -> bool:
    return not one.column.is_number or one.column.spec.n_unique == n_used


def _levels_in_words(rows: Rows, one: Told, table: Ints, used: Ints) -> str:
    shown = []
    for code in used[:_SHOWN_LEVELS].tolist():
        cell = one.column.series[int(np.argmax(one.codes == code))]
        level = f"{cell:g}" if isinstance(cell, float) else str(cell)[:30]
        shown.append(f"{level!r} means {rows.classes[int(table[code].argmax())]!r}")
    more = f" and so on for {len(used)} values" if len(used) > _SHOWN_LEVELS else ""
    return ", ".join(shown) + more
