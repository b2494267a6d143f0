"""Inputs of the logistic regression: scaled numbers with flags, and places of levels.

Comes in: plain numbers and codes. Goes out: what a coefficient is multiplied with.
"""

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from assay.encode.arrays import FIRST_LEVEL_CODE
from assay.nn.graph import GraphBuilder
from assay.nn.numeric import LARGEST_SCALED

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
        columns = [_center_and_factor(column[~np.isnan(column)]) for column in numbers.T]
        center, factor = np.array(columns, dtype=np.float32).reshape(-1, 2).T
        return cls(center, factor)

    def apply(self, numbers: np.ndarray) -> np.ndarray:
        """Return numbers, then flags of missing ones: (N, F) -> (N, 2 * F), float32."""
        missing = np.isnan(numbers)
        with np.errstate(over="ignore"):
            scaled = (np.where(missing, self.center, numbers) - self.center) * self.factor
        scaled = np.clip(scaled, -LARGEST_SCALED, LARGEST_SCALED)
        squashed = scaled / np.sqrt(1.0 + np.square(scaled / np.float32(_SQUASH)))
        result: np.ndarray = np.concatenate([squashed, missing], axis=1, dtype=np.float32)
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


def _center_and_factor(values: np.ndarray) -> tuple[float, float]:
    if not len(values):
        return 0.0, 0.0
    lower, median, upper = np.quantile(values.astype(np.float64), (0.25, 0.5, 0.75))
    spread = upper - lower or values.std(dtype=np.float64)
    return float(median), 1.0 / spread if spread > 1e-30 else 0.0


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
