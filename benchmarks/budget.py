"""Budgets of time and memory beside what the command really takes.

    python benchmarks/budget.py [--megabytes 20] [--time 15s 30s] [--memory 500M 700M]
        [--text-rows 1000] [--text-memory 900M 1500M]

The promise: a training ends at most 5 % or 2 s, whichever is more, after `--time`, and
its peak memory is at most 10 % above `--memory`; or it is refused before training, with
exit status 2 and one line. The table is that of `memory.py`, of 12 numbers, 5 columns
of levels, a date and a target; a table of texts follows. Exit status 1 when a promise is broken.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from commands import run_assay
from memory import write_csv

from assay.amounts import parse_duration, parse_size


def write_texts(path: Path, n_rows: int) -> None:
    """Write rows of three texts, a number and one of 16 classes."""
    rng = np.random.default_rng(0)
    words = np.array([f"word{idx:04d}" for idx in range(3_000)])
    texts = {f"t{idx}": [" ".join(row) for row in rng.choice(words, (n_rows, 12))] for idx in "abc"}
    y = [f"class {idx}" for idx in rng.integers(0, 16, n_rows)]
    pl.DataFrame({**texts, "x": rng.normal(size=n_rows), "y": y}).write_csv(path)


def measure(table: Path, option: str, budget: str) -> bool:
    """Train within a budget, print a line, and return whether the promise was kept."""
    run = run_assay("train", table, "--target", "y", option, budget, "--quiet",
                    "-o", table.with_suffix(".assay"))  # fmt: skip
    if option == "--time":
        total = parse_duration(budget)
        is_kept = run.seconds <= total + max(0.05 * total, 2.0)
    else:
        is_kept = run.peak <= 1.1 * parse_size(budget)
    # What is refused may have read the table, but it has not trained.
    is_kept = (is_kept and run.status == 0) or run.status == 2
    outcome = {0: "trained", 2: f"refused: {run.error}"}.get(run.status, f"failed: {run.error}")
    print(
        f"{option} {budget:>5}: {run.seconds:6.1f} s, peak {run.peak / 1e6:5.0f} MB, "
        f"{'kept' if is_kept else 'BROKEN'}, {outcome}",
        flush=True,
    )
    return is_kept


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=20.0)
    parser.add_argument("--time", nargs="*", default=["2s", "15s", "30s"])
    parser.add_argument("--memory", nargs="*", default=["300M", "600M", "750M", "1G"])
    parser.add_argument("--text-rows", type=int, default=1_000)
    parser.add_argument("--text-memory", nargs="*", default=["900M", "1500M"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "table.csv"
        n_rows = write_csv(table, options.megabytes)
        print(f"{table.stat().st_size / 1e6:.0f} MB, {n_rows} rows", flush=True)
        kept = [measure(table, "--time", budget) for budget in options.time]
        table_small = Path(scratch) / "small.csv"  # so that memory, not time, is what counts
        n_rows = write_csv(table_small, options.megabytes / 10)
        print(f"{table_small.stat().st_size / 1e6:.0f} MB, {n_rows} rows", flush=True)
        kept += [measure(table_small, "--memory", budget) for budget in options.memory]
        texts = Path(scratch) / "texts.csv"
        write_texts(texts, options.text_rows)
        print(f"{options.text_rows} rows of three texts, 16 classes", flush=True)
        kept += [measure(texts, "--memory", budget) for budget in options.text_memory]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
