"""Golden rows: made-up raw rows whose probabilities a model must give for ever.

They are built from the columns' levels and quantiles, never copied from the
table, so that a model file carries no person's record.
"""

from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from assay.encode.table_encoder import TableEncoder
from assay.errors import InternalError
from assay.predict import Predictor
from assay.read.cast import silently
from assay.schema import ColumnSpec, Kind
from assay.table import Table

N_ROWS = 8
GOLDEN_TOLERANCE = 1e-4  # processors round sums of products differently
_DATES = [f"{year}-0{1 + idx}-1{idx} 0{idx}:30:00" for idx, year in enumerate(range(1985, 2025, 6))]


def make_golden(predictor: Predictor, centers: dict[str, list[float]]) -> dict[str, Any]:
    """Return golden rows and their probabilities as plain data.

    Args:
        predictor: The finished predictor.
        centers: For numeric raw columns a few typical values, such as quantiles.
    """
    columns = {}
    for position, spec in enumerate(predictor.preparation.raw_schema.columns):
        cells = _cells(spec, predictor.encoder, centers.get(spec.name, [0.0]))
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
    return Table(pl.DataFrame(series), source="golden rows")


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


def _cells(spec: ColumnSpec, encoder: TableEncoder, center: list[float]) -> list[Any]:
    if spec.kind == Kind.NUMERIC:
        return [float(value) for value in center] or [0.0]
    if spec.kind == Kind.DATETIME:
        return list(_DATES)
    for feature in encoder.categorical:
        if feature.column == spec.name:
            return [*feature.levels[: N_ROWS - 2], "a level never seen"]
    return ["some words", "Other, Mr. Some Words", "1"]
