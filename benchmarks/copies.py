"""What learning by heart is worth: test rows that copy training rows, and those that do not.

    python benchmarks/copies.py FOLDER [--tables wine_quality] [--seeds 3]

The splits of `accuracy.py`; assay and scikit-learn's histogram boosting at their defaults, the
latter on the columns that hold numbers. A copy has the same cells in all features.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import polars as pl
from accuracy import split


def judge(y: np.ndarray, proba: np.ndarray, rows: np.ndarray) -> str:
    true = np.clip(proba[np.arange(len(y)), y], 1e-6, 1.0)[rows]
    is_right = (proba.argmax(axis=1) == y)[rows]
    return f"accuracy {is_right.mean():.3f}, log loss {-np.log(true).mean():.3f}"


def compare(frame: pl.DataFrame, target: str, seed: int) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    import assay

    train, test = split(frame, target, seed)
    features = [name for name in frame.columns if name != target]
    numbers = [name for name in features if frame[name].dtype.is_numeric()]
    known = set(train.select(features).rows())
    is_copy = np.array([row in known for row in test.select(features).rows()])
    labels = test[target].cast(pl.String).to_numpy()
    model = assay.train(train, target, options={"seed": seed})
    boosting = HistGradientBoostingClassifier(random_state=seed)
    boosting.fit(train.select(numbers).to_numpy(), train[target].cast(pl.String).to_numpy())
    said = {
        "assay": ([str(name) for name in model.classes], model.predict_proba(test.drop(target))),
        "boosting": (
            boosting.classes_.tolist(),
            boosting.predict_proba(test.select(numbers).to_numpy()),
        ),
    }
    for name, (classes, proba) in said.items():
        y = np.array([classes.index(label) for label in labels])
        for rows, what in ((~is_copy, "new"), (is_copy, "copied")):
            print(f"seed {seed}, {name:8} {rows.sum():5} {what:6} rows: {judge(y, proba, rows)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", nargs="+", default=["wine_quality"])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    index = json.loads((options.folder / "index.json").read_text())
    targets = {table["name"]: table["target"] for table in index}
    for name in options.tables:
        print(name)
        frame = pl.read_parquet(options.folder / name / "data.parquet")
        for seed in range(options.seeds):
            compare(frame, targets[name], seed)


if __name__ == "__main__":
    main()
