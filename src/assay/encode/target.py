"""The target column to class indices, and back to labels."""

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from assay.errors import UserError, did_you_mean
from assay.ledger import Ledger
from assay.read.cast import canonical_levels
from assay.table import Table
from assay.toml_text import join_key

MISSING_TARGET = -1
UNKNOWN_TARGET = -2
MAX_CLASSES = 1000
MAX_TARGETS = 16  # two-class questions about the target
_CODE_SEED = 20_407
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")

# So many distinct numbers look like a quantity.
_MOST_NUMBERS = 100  # more than this in any table
_MANY_NUMBERS, _MANY_SHARE = 50, 0.02  # more than both, of the rows
_MOST_FRACTIONS = 20  # more than this where they are not whole

LabelType = Literal["string", "integer", "float", "boolean"]


@dataclass(frozen=True)
class TargetEncoder:
    """Names of the classes, in the order of the probabilities.

    Attributes:
        name: The target column.
        classes: C class names: numbers in numeric order, others in text order.
        label_type: What `labels` returns.
    """

    name: str
    classes: tuple[str, ...]
    label_type: LabelType

    @property
    def n_classes(self) -> int:
        """Number of classes C."""
        return len(self.classes)

    @classmethod
    def fit(
        cls,
        target: pl.Series,
        *,
        missing: tuple[str, ...],
        where: str,
        is_categorical: bool = False,
    ) -> "TargetEncoder":
        """Learn the classes of a target column.

        Args:
            target: N cells of any type.
            missing: Cells that mean missing.
            where: Name of the table, for messages.
            is_categorical: Whether the caller says that the numbers name classes.

        Raises:
            UserError: No value, one class only, too many classes, or what looks like
                a regression.
        """
        levels = canonical_levels(target, _markers(target, missing))
        distinct = levels.drop_nulls().unique().to_list()
        place = f"{where}, column {target.name!r}"
        if not distinct:
            raise UserError("the target is empty in every row", where=place)
        if len(distinct) == 1:
            raise UserError(
                f"the target has one class only, {distinct[0]!r}",
                where=place,
                fix="Give a table with rows of at least two classes",
            )
        numbers = _as_numbers(distinct)
        n_rows = len(levels) - levels.null_count()
        if numbers is not None and not is_categorical:
            _check_not_regression(numbers, n_rows, place, name=target.name)
        _check_class_count(len(distinct), n_rows, place)
        if numbers is None:
            return cls(target.name, tuple(sorted(distinct)), _text_type(target.dtype))
        ordered = tuple(distinct[idx] for idx in np.argsort(numbers, kind="stable"))
        is_whole = all("." not in name and "e" not in name.lower() for name in distinct)
        return cls(target.name, ordered, "integer" if is_whole else "float")

    def encode(self, target: pl.Series, *, missing: tuple[str, ...]) -> np.ndarray:
        """Return class indices, shape (N,), int64.

        `MISSING_TARGET` stands for an empty cell, `UNKNOWN_TARGET` for a class
        that the encoder does not know.
        """
        # A class that looks like a missing marker ("-" beside "+") is a class.
        markers = [marker for marker in missing if marker not in self.classes]
        levels = canonical_levels(target, markers)
        index = {name: idx for idx, name in enumerate(self.classes)}
        codes = levels.replace_strict(index, default=UNKNOWN_TARGET, return_dtype=pl.Int64)
        codes = codes.set(levels.is_null(), MISSING_TARGET) if levels.null_count() else codes
        class_idx: np.ndarray = codes.to_numpy().astype(np.int64)
        return class_idx

    def labels(self, class_idx: np.ndarray) -> np.ndarray:
        """Return the classes at `class_idx`, shape (N,), in the target's own type."""
        labels: np.ndarray = self.label_array()[class_idx]
        return labels

    def label_array(self) -> np.ndarray:
        """Return the C classes in the target's own type."""
        if self.label_type == "integer":
            return np.array([int(name) for name in self.classes])
        if self.label_type == "float":
            return np.array([float(name) for name in self.classes])
        if self.label_type == "boolean":
            return np.array([name == "true" for name in self.classes])
        return np.array(self.classes, dtype=object)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "TargetEncoder":
        """Rebuild from `to_dict`."""
        return cls(**{**data, "classes": tuple(data["classes"])})


def _markers(target: pl.Series, missing: tuple[str, ...]) -> tuple[str, ...]:
    """Return the missing markers of a target: "-" beside "+" is a class, not a gap."""
    has_plus = target.dtype == pl.String and bool((target.str.strip_chars() == "+").any())
    return tuple(marker for marker in missing if not (has_plus and marker == "-"))


def take_labelled(
    table: Table, target: TargetEncoder, ledger: Ledger, *, missing: tuple[str, ...]
) -> tuple[Table, np.ndarray]:
    """Separate a table into features and class indices; rows without a class go.

    Args:
        table: Raw rows with the target column.
        target: The classes.
        ledger: Told of rows left out.
        missing: Cells that mean missing.

    Returns:
        The M labelled rows without the target column, and their classes, shape
        (M,), int64.

    Raises:
        UserError: No target column, a class the encoder does not know, or no
            labelled row.
    """
    if target.name not in table.names:
        raise UserError(
            f"there is no column {target.name!r}, which would hold the true classes",
            where=table.source,
            fix=did_you_mean(target.name, table.names),
        )
    y = target.encode(table.column(target.name), missing=missing)
    unknown = np.flatnonzero(y == UNKNOWN_TARGET)
    if len(unknown):
        raise _unknown_class(table, target, unknown)
    kept = np.flatnonzero(y != MISSING_TARGET)
    if not len(kept):
        raise UserError(
            "no row has a value in the target", where=f"{table.source}, column {target.name!r}"
        )
    n_lost = len(y) - len(kept)
    if n_lost:
        ledger.add(
            "1 row left out" if n_lost == 1 else f"{n_lost} rows left out",
            where=target.name,
            why=f"the target is missing in {n_lost} of {len(y)} rows",
        )
    features = table.drop([target.name])
    return (features if len(kept) == len(y) else features.take(kept)), y[kept]


def _unknown_class(table: Table, target: TargetEncoder, row_idx: np.ndarray) -> UserError:
    """Name the first class that is unknown, and how many rows there are of such."""
    cells = table.column(target.name)[row_idx]
    n_classes = canonical_levels(cells, ()).n_unique()
    more = ""
    if len(row_idx) > 1:
        of = f"{n_classes} such classes" if n_classes > 1 else "this class"
        more = f"; {len(row_idx)} of {table.n_rows} rows are of {of}"
    others = " and more" if target.n_classes > 8 else ""
    return UserError(
        f"the model knows no class {str(cells[0])!r}{more}",
        where=f"{table.source}, row {row_idx[0] + 1}, column {target.name!r}",
        fix=f"Known: {', '.join(target.classes[:8])}{others}. Leave such rows out, or train "
        "with them",
    )


def _check_not_regression(numbers: np.ndarray, n_rows: int, place: str, *, name: str) -> None:
    """Refuse numbers, shape (C,), that look like a quantity rather than names."""
    is_fractional = bool(np.any(numbers != np.round(numbers)))
    is_quantity = (
        len(numbers) > _MOST_NUMBERS
        or (len(numbers) > _MANY_NUMBERS and len(numbers) > _MANY_SHARE * n_rows)
        or (len(numbers) > _MOST_FRACTIONS and is_fractional)
    )
    if is_quantity:
        option = join_key(["kinds", name])
        raise UserError(
            f"the target holds {len(numbers)} different numbers in {n_rows} rows, "
            "which looks like a regression",
            where=place,
            fix="assay predicts classes: cut the numbers into bands first, or set "
            f'{option} = "categorical" if each number is the name of a class',
        )


def _check_class_count(n_classes: int, n_rows: int, place: str) -> None:
    if n_classes > max(n_rows // 2, 2):
        raise UserError(
            f"the target has {n_classes} classes in {n_rows} rows: too few rows of each",
            where=place,
            fix="Choose another target, or merge classes",
        )
    if n_classes > MAX_CLASSES:
        raise UserError(
            f"the target has {n_classes} classes, more than {MAX_CLASSES}",
            where=place,
            fix="Merge classes",
        )


def _as_numbers(names: list[str]) -> np.ndarray | None:
    """Return the numbers that all names are, shape (C,), or None: "01" and "1_0" are text."""
    if not all(_NUMBER.fullmatch(name) for name in names):
        return None
    numbers = np.array([float(name) for name in names])
    # "1.5" and "1.50" are two classes, and so no numbers.
    is_distinct = len(np.unique(numbers)) == len(names)
    return numbers if is_distinct and bool(np.isfinite(numbers).all()) else None


def _text_type(dtype: pl.DataType) -> LabelType:
    return "boolean" if dtype == pl.Boolean else "string"


def class_codes(n_classes: int) -> np.ndarray:
    """Return the two-class questions that are asked about a class.

    Args:
        n_classes: C.

    Returns:
        Shape (C, S), float32, 0 or 1: for two classes the second against the first, up
        to `MAX_TARGETS` classes each against the others, beyond that random halves
        (error-correcting codes, Dietterich and Bakiri 1995).

    Example:
        >>> class_codes(2).tolist(), class_codes(3).tolist()[0], class_codes(1000).shape
        ([[0.0], [1.0]], [1.0, 0.0, 0.0], (1000, 16))
    """
    if n_classes <= 2:
        return np.eye(n_classes, dtype=np.float32)[:, 1:]
    if n_classes <= MAX_TARGETS:
        return np.eye(n_classes, dtype=np.float32)
    rng = np.random.default_rng(_CODE_SEED)
    halves = np.arange(n_classes) % 2
    return np.stack([rng.permutation(halves) for _ in range(MAX_TARGETS)], 1).astype(np.float32)
