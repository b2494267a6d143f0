"""Peak memory of training on a CSV of 100 MB, as a multiple of its size.

    python benchmarks/memory.py [--megabytes 100] [--epochs 1]

The promise: under 10 times. The file is made by this script: 12 numbers, 5 columns
of levels, a date and a target. Exit status 1 when the promise is broken.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from commands import train


def write_csv(path: Path, megabytes: float) -> int:
    """Write about `megabytes` of CSV; return its rows."""
    rng = np.random.default_rng(0)
    n_rows = int(megabytes * 7_700)
    x = rng.normal(size=(n_rows, 12)).round(4)
    columns = {f"n{idx}": x[:, idx] for idx in range(12)}
    for idx in range(5):
        columns[f"c{idx}"] = [f"lev{level}" for level in rng.integers(0, 3 + 4 * idx, n_rows)]
    days = pl.Series("day", rng.integers(15_000, 19_000, n_rows)).cast(pl.Date)
    is_yes = x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=n_rows) > 0
    frame = pl.DataFrame(columns).with_columns(
        days.dt.strftime("%Y-%m-%d"), pl.Series("y", np.where(is_yes, "yes", "no"))
    )
    frame.write_csv(path)
    return n_rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=100.0)
    parser.add_argument("--epochs", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "table.csv"
        n_rows = write_csv(table, options.megabytes)
        run = train(table, "--set", f"train.epochs={options.epochs}")
        size, peak = table.stat().st_size, run.peak
    print(
        f"{size / 1e6:.0f} MB, {n_rows} rows, {options.epochs} epochs: {run.seconds:.0f} s, "
        f"peak {peak / 1e6:.0f} MB = {peak / size:.1f} times the file"
    )
    return 0 if peak < 10 * size else 1


if __name__ == "__main__":
    sys.exit(main())
