"""Encoding 1 million rows of 20 columns, beside scikit-learn's transformers.

Both turn 14 numeric columns (some cells missing) into filled, robustly scaled
features and 6 categorical ones into codes. assay fits five members' statistics,
each on its own training rows, where scikit-learn fits one.

    python benchmarks/encode_speed.py [--rows 1000000]
"""

import argparse
import statistics
import time

import numpy as np
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, RobustScaler

from assay.encode import TableEncoder
from assay.ledger import Ledger
from assay.nn.network import Network
from assay.predict import Preparation
from assay.recipe import Recipe
from assay.table import Table

N_NUMERIC, N_CATEGORICAL, N_MEMBERS = 14, 6, 5


def make_frame(n_rows: int) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    columns = {}
    for idx in range(N_NUMERIC):
        numbers = rng.normal(size=n_rows)
        numbers[rng.random(n_rows) < 0.02 * (idx % 3)] = np.nan
        columns[f"n{idx}"] = numbers
    for idx in range(N_CATEGORICAL):
        levels = np.array([f"level {level}" for level in range(4 + 10 * idx)])
        columns[f"c{idx}"] = levels[rng.integers(0, len(levels), n_rows)]
    return pl.DataFrame(columns, nan_to_null=True)


def ours(frame: pl.DataFrame) -> tuple[float, float]:
    """Return seconds to prepare and encode, and to fit five members' statistics."""
    recipe = Recipe()
    started = time.perf_counter()
    raw = Table(frame)
    preparation = Preparation.fit(raw, recipe, Ledger())
    typed = preparation.apply(raw, recipe, is_training=True)
    encoder = TableEncoder.fit(typed, preparation.schema, recipe.encode, Ledger())
    arrays = encoder.transform(typed)
    encoded = time.perf_counter()
    network = Network(encoder, recipe.model, n_members=N_MEMBERS, n_classes=2, seed=0)
    fold = np.arange(len(frame)) % N_MEMBERS
    network.fit(arrays, np.stack([fold != idx for idx in range(N_MEMBERS)]))
    return encoded - started, time.perf_counter() - encoded


def scikit_learn(frame: pl.DataFrame) -> float:
    table = frame.to_pandas()
    numeric = [name for name in table if name.startswith("n")]
    categorical = [name for name in table if name.startswith("c")]
    transformer = ColumnTransformer(
        [
            ("numeric", make_pipeline(SimpleImputer(strategy="median"), RobustScaler()), numeric),
            ("categorical", OrdinalEncoder(), categorical),
        ]
    )
    started = time.perf_counter()
    transformer.fit_transform(table)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    frame = make_frame(options.rows)
    runs = [(*ours(frame), scikit_learn(frame)) for _ in range(options.runs)]
    prepared, fitted, theirs = (statistics.median(column) for column in zip(*runs, strict=True))
    print(f"{options.rows} rows x {frame.width} columns")
    print(
        f"assay: kinds, casts and arrays {prepared:.2f} s, statistics of 5 members {fitted:.2f} s"
    )
    print(f"scikit-learn: impute, scale and code once {theirs:.2f} s")
    print(f"ratio {(prepared + fitted) / theirs:.2f}")


if __name__ == "__main__":
    main()
