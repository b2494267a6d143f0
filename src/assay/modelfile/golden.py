"""Golden rows: made-up raw rows whose probabilities a model must give for ever.

They are built from the columns' levels and quantiles, never copied from the
table, so that a model file carries no person's record.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from assay.derive import check_growth
from assay.errors import InternalError
from assay.modelfile.layout import MalformedError
from assay.modelfile.plain import check_type
from assay.predict import Predictor
from assay.read.cast import silently
from assay.schema import ColumnSpec, Kind
from assay.table import Table

N_ROWS = 8
MAX_GOLDEN_LETTERS = 1 << 26
"""Most letters that expressions may make of the golden rows."""

GOLDEN_TOLERANCE = 1e-4  # processors round sums of products differently
_DATES = [f"{year}-0{1 + idx}-1{idx} 0{idx}:30:00" for idx, year in enumerate(range(1985, 2025, 6))]


@dataclass(frozen=True)
class GoldenColumn:
    """The cells of one raw column, one for each row."""

    kind: Kind
    cells: tuple[float | str | None, ...]


@dataclass(frozen=True)
class Golden:
    """Golden rows as a model file holds them, typed.

    Attributes:
        columns: By name, in the order of the raw schema.
        probabilities: For each row those of the classes.
    """

    columns: dict[str, GoldenColumn]
    probabilities: tuple[tuple[float, ...], ...]

    @classmethod
    def from_dict(cls, data: object) -> "Golden":
        """Rebuild from what `make_golden` returns.

        Raises:
            MalformedError: It is not that, or has another number of rows.
        """
        golden: Golden = check_type(cls, data, "the golden rows")
        n_rows = len(golden.probabilities)
        if n_rows != N_ROWS or golden.to_dict() != data:
            raise MalformedError("the golden rows are not as assay makes them")
        for column in golden.columns.values():
            if len(column.cells) != n_rows or not _fits(column):
                raise MalformedError("the golden rows have cells that do not fit their columns")
        return golden

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "columns": {
                name: {"kind": str(column.kind), "cells": list(column.cells)}
                for name, column in self.columns.items()
            },
            "probabilities": [list(row) for row in self.probabilities],
        }

    @property
    def longest(self) -> int:
        """Bytes of the longest text cell."""
        cells = (cell for column in self.columns.values() for cell in column.cells)
        return max((len(cell.encode()) for cell in cells if isinstance(cell, str)), default=0)


def _fits(column: GoldenColumn) -> bool:
    wanted = float if column.kind == Kind.NUMERIC else str
    return all(cell is None or isinstance(cell, wanted) for cell in column.cells)


def most_cell_bytes(predictor: Predictor) -> int:
    """Return how long a golden cell may be for what the expressions make of it.

    The bounds of expressions leave room for every number and for the words used here.
    """
    growth = check_growth(predictor.preparation.expressions)
    return int((MAX_GOLDEN_LETTERS / N_ROWS - growth.letters) / max(growth.factor, 1.0))


def make_golden(predictor: Predictor, centers: dict[str, list[float]]) -> dict[str, Any]:
    """Return golden rows and their probabilities as plain data.

    Args:
        predictor: The finished predictor.
        centers: For numeric raw columns a few typical values, such as quantiles.
    """
    columns, most_bytes = {}, most_cell_bytes(predictor)
    levels = {feature.column: feature.levels for feature in predictor.encoder.categorical}
    for position, spec in enumerate(predictor.preparation.raw_schema.columns):
        center = centers.get(spec.name, [0.0])
        cells = _cells(spec, levels.get(spec.name), center, most_bytes)
        turned = [cells[(idx + position) % len(cells)] for idx in range(N_ROWS - 1)]
        columns[spec.name] = {"kind": str(spec.kind), "cells": [*turned, None]}
    golden = {"columns": columns}
    proba = _predict(predictor, golden)
    return {**golden, "probabilities": np.round(proba.astype(np.float64), 7).tolist()}


def golden_table(golden: dict[str, Any]) -> Table:
    """Return the raw rows that `make_golden` described."""
    series = []
    for name, column in golden["columns"].items():
        if column["kind"] == Kind.NUMERIC:
            series.append(pl.Series(name, column["cells"], dtype=pl.Float64))
        elif column["kind"] == Kind.DATETIME:
            cells = [cell and datetime.fromisoformat(cell) for cell in column["cells"]]
            series.append(pl.Series(name, cells, dtype=pl.Datetime("us")))
        else:
            series.append(pl.Series(name, column["cells"], dtype=pl.String))
    return Table(pl.DataFrame({one.name: one for one in series}), source="golden rows")


def differs_by(predictor: Predictor, golden: dict[str, Any]) -> float:
    """Return by how much a probability of the golden rows differs at most."""
    expected = np.array(golden["probabilities"], dtype=np.float64)
    found = _predict(predictor, golden)
    if found.shape != expected.shape or not np.isfinite(expected).all():
        raise ValueError(f"golden probabilities of shape {expected.shape}")
    return float(np.abs(found - expected).max())


def _predict(predictor: Predictor, golden: dict[str, Any]) -> np.ndarray:
    with silently():  # made-up rows may be odd; nobody needs to hear of it
        return predictor.predict_proba(golden_table(golden))


def check_difference(worst: float) -> None:
    """Judge what `differs_by` returned.

    Raises:
        InternalError: It is more than `GOLDEN_TOLERANCE`.
    """
    if not worst <= GOLDEN_TOLERANCE:
        raise InternalError(
            f"the model's golden rows differ by {worst:.2g} from when it was saved "
            f"(allowed {GOLDEN_TOLERANCE:.2g}); do not trust its predictions on this machine"
        )


def _cells(
    spec: ColumnSpec, levels: tuple[str, ...] | None, center: list[float], most_bytes: int
) -> list[Any]:
    if spec.kind == Kind.NUMERIC:
        return [float(value) for value in center] or [0.0]
    if spec.kind == Kind.DATETIME:
        return list(_DATES)
    if levels is not None:
        short = [level for level in levels[: N_ROWS - 2] if len(level.encode()) <= most_bytes]
        return [*short, "a level never seen"]
    return ["some words", "Other, Mr. Some Words", "1"]
