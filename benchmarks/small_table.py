"""How long a 500-row CSV takes through `assay train`, as a whole command.

    python benchmarks/small_table.py [--rows 500] [--runs 5]

The promise: under 5 s with the defaults, from the start of the process to the model file.
The table is made by this script: 8 numbers, some cells missing, 3 columns of levels, and
a target of two classes. Exit status 1 when the median breaks the promise.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from commands import train

PROMISE_S = 5.0


def write_csv(path: Path, n_rows: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n_rows, 8)).round(3)
    is_yes = x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=n_rows) > 0
    columns = {f"n{idx}": x[:, idx] for idx in range(8)}
    columns["n7"] = np.where(rng.random(n_rows) < 0.1, np.nan, x[:, 7])
    for idx in range(3):
        columns[f"c{idx}"] = [f"level {level}" for level in rng.integers(0, 3 + 6 * idx, n_rows)]
    columns["y"] = np.where(is_yes, "yes", "no")
    pl.DataFrame(columns, nan_to_null=True).write_csv(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "table.csv"
        write_csv(table, options.rows)
        # The first run warms the disk's cache.
        measured = [train(table).seconds for _ in range(options.runs + 1)]
    measured = measured[1:]
    median = statistics.median(measured)
    print(
        f"{options.rows} rows, whole command: median {median:.2f} s "
        f"[{min(measured):.2f}, {max(measured):.2f}], promised {PROMISE_S:g} s"
    )
    return 0 if median < PROMISE_S else 1


if __name__ == "__main__":
    sys.exit(main())
