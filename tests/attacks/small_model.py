"""Small tables of every kind of column, and models of them that train in seconds."""

from typing import Any

import numpy as np
import polars as pl

import assay

QUICK: dict[str, Any] = {
    "train.epochs": 1,
    "model.hidden": [4],
    "model.candidates": [],
    "split.folds": 2,
    "evaluate.bootstrap": 100,
}


def two_columns(n_rows: int, seed: int) -> pl.DataFrame:
    """Return a number `x` and the class `y` that it tells something of."""
    rng = np.random.default_rng([seed, 301])
    x = rng.normal(size=n_rows)
    return pl.DataFrame({"x": x, "y": np.where(x + rng.normal(size=n_rows) > 0, "yes", "no")})


def small_model(seed: int = 0, *, width: int = 4) -> assay.Model:
    """Return a model of 80 rows; the wider, the larger its file."""
    return assay.train(two_columns(80, seed), "y", options={**QUICK, "model.hidden": [width]})
