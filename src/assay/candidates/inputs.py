"""Inputs of the logistic regression: scaled numbers with flags, and places of levels.

Comes in: plain numbers and codes. Goes out: what a coefficient is multiplied with.
"""

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from assay.encode.arrays import FIRST_LEVEL_CODE
from assay.nn.graph import GraphBuilder
from assay.nn.quartiles import LARGEST_SCALED, quartiles

MAX_HOT_LEVELS = 32  # a column of more levels is known by its scores alone
_SQUASH = 3.0  # scaled numbers lie in (-3, 3)


@dataclass(frozen=True)
class Scaling:
    """How F numbers are filled, centred, scaled and squashed.

    z = (x - median) / IQR, or over the deviation where the IQR is 0; then z / sqrt(1 +
    (z / 3)^2), as the networks' inputs (RealMLP, arXiv 2407.04491).

    Attributes:
        center: The median, which also fills a missing number; shape (F,) or, for M fits,
            (M, F), float32.
        factor: 1 / spread, the same shape; 0 where all are equal.
    """

    center: np.ndarray
    factor: np.ndarray

    @classmethod
    def fit(cls, numbers: np.ndarray) -> "Scaling":
        """Learn it from numbers (N, F), NaN where missing."""
        n_valid = np.count_nonzero(~np.isnan(numbers), axis=0)
        lower, median, upper, _ = quartiles(np.sort(numbers, axis=0), n_valid)
        spread = upper - lower
        for idx in np.flatnonzero(spread == 0.0):
            values = numbers[:, idx]
            spread[idx] = values[~np.isnan(values)].std(dtype=np.float64)
        factor = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-30)
        return cls(np.where(n_valid, median, 0.0).astype(np.float32), factor.astype(np.float32))

    def apply(self, numbers: np.ndarray, dtype: type[np.floating] = np.float32) -> np.ndarray:
        """Return numbers, then flags of missing ones: (N, F) -> (N, 2 * F).

        Computed in float32, in place: importance asks for wide tables hundreds of times.
        """
        missing = np.isnan(numbers)
        scaled = np.where(missing, self.center, numbers)
        with np.errstate(over="ignore"):
            scaled -= self.center
            scaled *= self.factor
        np.clip(scaled, -LARGEST_SCALED, LARGEST_SCALED, out=scaled)
        root = scaled / np.float32(_SQUASH)
        np.square(root, out=root)
        root += 1.0
        scaled /= np.sqrt(root, out=root)
        result = np.empty((len(scaled), 2 * scaled.shape[1]), dtype=dtype)
        result[:, : scaled.shape[1]] = scaled
        result[:, scaled.shape[1] :] = missing
        return result

    def add_to(self, build: GraphBuilder, x: str, columns: slice) -> tuple[str, str]:
        """Mirror `apply` for M fits and some of the columns.

        Args:
            build: Gets nodes.
            x: Name of (1 or M, N, ·).
            columns: Which of the F.

        Returns:
            Names of the numbers and of the flags, (M, N, ·) each.
        """
        center, factor = (
            build.constant(part[:, None, columns]) for part in (self.center, self.factor)
        )
        missing = build.add("IsNaN", x)
        filled = build.add("Where", missing, center, x)
        scaled = build.add("Mul", build.add("Sub", filled, center), factor)
        limits = build.number(-LARGEST_SCALED), build.number(LARGEST_SCALED)
        bounded = build.add("Clip", scaled, *limits)
        third = build.add("Div", bounded, build.number(_SQUASH))
        square = build.add("Mul", third, third)
        root = build.add("Sqrt", build.add("Add", square, build.number(1.0)))
        ones = build.constant(np.ones((len(self.center), 1, 1), dtype=np.float32))
        flags = build.add("Mul", build.add("Cast", missing, to=TensorProto.FLOAT), ones)
        return build.add("Div", bounded, root), flags


@dataclass(frozen=True)
class HotLevels:
    """Columns whose levels have coefficients.

    Attributes:
        columns: Of the codes, shape (T,).
        start: First row of each column in a table of all levels, shape (T,).
        n_rows: Rows of the table.
    """

    columns: np.ndarray
    start: np.ndarray
    n_rows: int

    @classmethod
    def of(cls, n_levels: list[int]) -> "HotLevels":
        """Choose the columns of up to `MAX_HOT_LEVELS` levels."""
        columns = np.array([i for i, n in enumerate(n_levels) if n <= MAX_HOT_LEVELS], dtype=int)
        start = np.cumsum([0, *(n_levels[column] + FIRST_LEVEL_CODE for column in columns)])
        return cls(columns, start[:-1], int(start[-1]))

    def rows(self, codes: np.ndarray) -> np.ndarray:
        """Return the rows of the table of codes (N, F), shape (N, T)."""
        rows: np.ndarray = codes[:, self.columns].astype(np.int64) + self.start
        return rows
