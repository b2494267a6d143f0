"""How long one record takes that is predicted by a model in memory, beside scikit-learn.

    python benchmarks/single_record.py [--texts 20] [--numbers 10] [--records 300]

The table is made by this script: columns of texts and of numbers, two classes. The peer is
scikit-learn's one-hot encoding and histogram boosting, given the same record as a table of
one row, as its users do. Both are measured in turns, on one thread.
"""

import argparse
import os
import statistics
import time

import numpy as np
import polars as pl

os.environ.setdefault("OMP_NUM_THREADS", "1")


def made_up(n_texts: int, n_numbers: int, n_rows: int = 2000) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    columns: dict[str, object] = {
        f"t{idx}": [f"level {level}" for level in rng.integers(0, 3 + idx, n_rows)]
        for idx in range(n_texts)
    }
    numbers = rng.normal(size=(n_rows, n_numbers)).round(3)
    columns |= {f"n{idx}": numbers[:, idx] for idx in range(n_numbers)}
    is_yes = numbers.sum(axis=1) + rng.normal(size=n_rows) > 0
    return pl.DataFrame({**columns, "y": np.where(is_yes, "yes", "no")})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=20)
    parser.add_argument("--numbers", type=int, default=10)
    parser.add_argument("--records", type=int, default=300)
    options = parser.parse_args()

    import pandas as pd
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    import assay

    table = made_up(options.texts, options.numbers)
    x = table.drop("y")
    texts = make_column_selector(pattern="^t")
    peer = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
            remainder="passthrough",
        ),
        HistGradientBoostingClassifier(),
    ).fit(x.to_pandas(), table["y"].to_numpy())
    model = assay.train(table, "y")
    records = x.head(options.records).to_dicts()

    asked = {
        "assay": lambda record: model.predict_proba([record]),
        "scikit-learn": lambda record: peer.predict_proba(pd.DataFrame([record])),
    }
    taken: dict[str, list[float]] = {name: [] for name in asked}
    for record in records:
        for name, ask in asked.items():
            started = time.perf_counter()
            ask(record)
            taken[name].append(1000 * (time.perf_counter() - started))
    print(f"{options.texts} columns of texts, {options.numbers} of numbers; one record takes")
    for name, milliseconds in taken.items():
        print(f"  {name:12} {statistics.median(milliseconds):5.1f} ms (median of {len(records)})")


if __name__ == "__main__":
    main()
