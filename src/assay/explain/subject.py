"""What is explained: a way to predict, and the raw columns that it looks at.

Comes in: any function from raw rows to probabilities, with the preparation that says
what the columns are. Goes out: rows cast once, in which a column can be exchanged.
Derived columns follow their raw column by themselves, since the function makes them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.derive import referenced_columns
from assay.encode.arrays import Arrays
from assay.encode.table_encoder import TableEncoder
from assay.errors import InternalError, UserError, did_you_mean
from assay.metrics import Floats, Indices
from assay.predict import Predictor, Preparation
from assay.read.cast import silently
from assay.recipe import Recipe
from assay.table import Table

Predict = Callable[[Table], np.ndarray]
"""From N rows to probabilities, shape (N, C), in the order of the rows.

The rows were cast by `Preparation.cast`: `Preparation.finish` makes features of them.
As casting twice changes nothing, a function of raw rows does as well, if more slowly.
"""

PredictArrays = Callable[[Arrays], np.ndarray]
"""From N encoded rows to probabilities, shape (N, C), in the order of the rows."""


@dataclass(frozen=True)
class Subject:
    """A candidate under explanation.

    Attributes:
        predict: Cast rows to probabilities.
        preparation: What the raw columns are.
        recipe: How they are read.
        classes: Names of the C classes.
        encoder: Makes arrays of the features that `predict` predicts from; None if unknown.
        of_arrays: The same as `predict` from such arrays; None if unknown.
        is_cast: Whether raw rows are cast already, as `typed` returns them.
    """

    predict: Predict
    preparation: Preparation
    recipe: Recipe
    classes: tuple[str, ...]
    encoder: TableEncoder | None = None
    of_arrays: PredictArrays | None = None
    is_cast: bool = False

    @classmethod
    def of(cls, predictor: Predictor) -> "Subject":
        """Return the subject that a finished predictor is."""
        preparation, recipe = predictor.preparation, predictor.recipe

        def predict(cast: Table) -> np.ndarray:
            features = preparation.finish(cast, recipe, is_training=False)
            return predictor.core.run(predictor.encoder.transform(features))

        classes, encoder = predictor.target.classes, predictor.encoder
        return cls(predict, preparation, recipe, classes, encoder, predictor.core.run)

    @property
    def columns(self) -> tuple[str, ...]:
        """Raw columns that the predictions look at, in the order of the schema."""
        return used_columns(self.preparation)

    def typed(self, raw: Table) -> Table:
        """Return the rows cast by the raw schema, without columns that nobody reads.

        Casting is the dearest step of a prediction, and needs to be done once only: where
        the rows are cast they are returned as they are.

        Raises:
            UserError: A missing column, or a cell that does not fit its column's kind.
        """
        if self.is_cast:
            return raw
        schema = self.preparation.raw_schema
        read = referenced_columns(self.preparation.expressions)
        typed = self.preparation.cast(raw, self.recipe, is_training=False)
        kept = [spec.name for spec in schema.columns if spec.kind.is_feature or spec.name in read]
        return typed.with_frame(columns_of(typed.frame, kept))

    def proba(self, rows: Table) -> Floats:
        """Return the probabilities of cast rows, (N, C), float64.

        Raises:
            InternalError: The function gives another shape.
        """
        with silently():  # whatever is odd about the cells was told when they were cast
            return self._checked(self.predict(rows), rows.n_rows)

    def proba_of(self, arrays: Arrays) -> Floats:
        """Return the probabilities of encoded rows, (N, C), float64.

        Raises:
            InternalError: The function gives another shape, or there is none.
        """
        if self.of_arrays is None:
            raise InternalError("the subject cannot predict from arrays")
        return self._checked(self.of_arrays(arrays), arrays.n_rows)

    def _checked(self, proba: np.ndarray, n_rows: int) -> Floats:
        found: Floats = np.asarray(proba, dtype=np.float64)
        if found.shape != (n_rows, len(self.classes)):
            expected = (n_rows, len(self.classes))
            raise InternalError(f"predictions have shape {found.shape}, not {expected}")
        return found

    def check_columns(self, names: Iterable[str]) -> list[str]:
        """Return the names as a list without repeats.

        Raises:
            UserError: None at all, or one that no prediction looks at.
        """
        chosen = list(dict.fromkeys(names))
        known = set(self.columns)
        for name in chosen:
            if name not in known:
                what = f"the model does not look at a column {name!r}"
                raise UserError(what, fix=did_you_mean(name, self.columns))
        if not chosen:
            raise UserError("no column to explain", fix="Name at least one that the model uses")
        return chosen


def used_columns(preparation: Preparation) -> tuple[str, ...]:
    """Return the raw columns that predictions depend on, directly or by expressions.

    Args:
        preparation: How raw columns become features.

    Returns:
        Names in the order of the raw schema.
    """
    used = {spec.name for spec in preparation.schema.features}
    for name in reversed(list(preparation.expressions)):  # a later one may read an earlier one
        if name in used:
            used |= referenced_columns({name: preparation.expressions[name]})
    return tuple(spec.name for spec in preparation.raw_schema.columns if spec.name in used)


def columns_of(frame: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """Return some columns by their very names; `select` takes "^x$" for a pattern.

    A list of columns would not do: Polars calls one without a name "column_0" there.
    """
    return pl.DataFrame({name: frame.get_column(name) for name in names})


def with_cells(rows: Table, columns: Iterable[pl.Series]) -> Table:
    """Return the rows with some columns exchanged, each a series of N cells."""
    return rows.with_frame(rows.frame.with_columns(columns))


def stacked(parts: Sequence[pl.DataFrame], source: str) -> Table:
    """Return blocks of rows as one table, the columns not copied where they need not be."""
    frame = parts[0] if len(parts) == 1 else pl.concat(parts, rechunk=False)
    return Table(frame, source=source)


def log_odds(proba: Floats, class_idx: Indices) -> Floats:
    """Return the log odds of one class of each row, log(p / (1 - p)), within +-16.

    1 - p is the sum of the other classes, which keeps its digits where p is near 1.

    Args:
        proba: Probabilities, (N, C).
        class_idx: The class, (N,).

    Example:
        >>> log_odds(np.array([[0.2, 0.8], [0.0, 1.0]]), np.array([1, 1])).round(2).tolist()
        [1.39, 16.12]
    """
    chosen = np.take_along_axis(proba, class_idx[:, None], axis=1)  # (N, 1)
    others = proba.copy()
    np.put_along_axis(others, class_idx[:, None], 0.0, axis=1)
    odds: Floats = np.log(np.maximum(chosen[:, 0], _LEAST))
    odds -= np.log(np.maximum(others.sum(axis=1), _LEAST))
    return odds


_LEAST = 1e-7  # about the resolution of single precision


def wording(cell: object, most: int = 40) -> str:
    """Return a typed cell as people read it.

    Example:
        >>> wording(4.0), wording(0.1234567), wording(None), wording("x" * 50, 5)
        ('4', '0.123457', 'missing', 'xxxx…')
    """
    if cell is None:
        return "missing"
    if isinstance(cell, float):
        return f"{cell:.0f}" if cell == round(cell) and abs(cell) < 1e15 else f"{cell:.6g}"
    text = " ".join(str(cell).split())
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
