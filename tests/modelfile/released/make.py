"""Make the stored model of the current release; run once for each release.

    python tests/modelfile/released/make.py

It holds a blend of all candidates over numbers, levels, texts, dates and derived columns,
so that its core graph has every operator that usual models have.
"""

import json
from pathlib import Path

import numpy as np
import polars as pl

import assay
from assay import datasets
from assay.version import __version__

HERE = Path(__file__).parent
N_ROWS = 160
OPTIONS = {
    "train.epochs": 4,
    "model.hidden": [4],
    "split.folds": 2,
    "split.repeats": 1,
    "encode.bins": 4,
    "encode.text_buckets": 64,
    "encode.max_one_hot": 3,
    "evaluate.bootstrap": 100,
    "kinds": {"Name": "text", "Boarded": "datetime", "Cabin": "categorical"},
    "drop": ["PassengerId", "Ticket"],
    "derive": {
        "Title": "TRIM(SPLIT_PART(SPLIT_PART(Name, ',', 2), '.', 1))",
        "FamilySize": "SibSp + Parch + 1",
    },
}


def table() -> pl.DataFrame:
    passengers = pl.read_csv(datasets.path("titanic")).head(N_ROWS)
    day = pl.Series("Boarded", np.arange(N_ROWS) % 40)
    return passengers.with_columns(pl.date(1912, 3, 1).alias("Boarded") + pl.duration(days=day))


def main() -> None:
    rows = table()
    model = assay.train(rows, "Survived", options=OPTIONS)
    model.save(HERE / f"{__version__}.assay")
    asked = rows.drop("Survived").tail(12).with_columns(pl.col("Boarded").cast(pl.String))
    told = assay.load(HERE / f"{__version__}.assay").predict_proba(asked.to_dicts())
    stored = {"rows": asked.to_dicts(), "probabilities": told.astype(float).round(7).tolist()}
    text = json.dumps(stored, ensure_ascii=False, indent=1)
    (HERE / f"{__version__}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
