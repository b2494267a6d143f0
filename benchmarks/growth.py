"""Peak memory and time of a training as the table grows from 10,000 to 1 million rows.

    python benchmarks/growth.py [--rows 10000 30000 100000 300000 1000000] [--epochs 2]
        [--plot docs/growth.svg]

The promises: both grow linearly, and the peak above that of a tiny table stays under 6
times the encoded data. Each training is a process of its own, `assay train` on a Parquet
file that this script makes: 20 numbers, 8 columns of few levels, 2 of 5,000 levels, a
target of two classes. The epochs are fixed, since by default they shrink as rows grow;
time is that of processors, which other processes disturb less.
Exit status 1 when a promise is broken.
"""

import argparse
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from commands import Run, train
from line_plot import Panel, render_panels

N_NUMERIC, N_FEW, N_MANY, N_LEVELS = 20, 8, 2, 5_000
ENCODED_BYTES = 4 * N_NUMERIC + 2 * (N_FEW + N_MANY)  # of a row: float32, and uint16 codes
TINY_ROWS = 200
MOST_TIMES, MOST_EXPONENT = 6.0, 1.1


def write_table(path: Path, n_rows: int) -> None:
    rng = np.random.default_rng(0)
    columns: dict[str, object] = {}
    signal = 2.0 * rng.normal(size=n_rows)
    for idx in range(N_NUMERIC):
        numbers = rng.normal(size=n_rows).astype(np.float32)
        signal += numbers if idx < 4 else 0.0
        columns[f"n{idx}"] = numbers
    for idx in range(N_FEW + N_MANY):
        n_levels = 3 + 3 * idx if idx < N_FEW else min(N_LEVELS, n_rows // 4)
        levels = pl.Series([f"level {level}" for level in range(n_levels)])
        columns[f"c{idx}"] = levels.gather(pl.Series(rng.integers(0, n_levels, n_rows)))
    columns["y"] = np.where(signal > 0, "yes", "no")
    pl.DataFrame(columns).write_parquet(path)


def measure(folder: Path, n_rows: int, n_epochs: int) -> Run:
    table = folder / "table.parquet"
    write_table(table, n_rows)
    return train(table, "--set", f"train.epochs={n_epochs}")


def described(run: Run) -> str:
    return (
        f"peak {run.peak / 1e6:.0f} MB, {run.seconds:.1f} s, {run.cpu_seconds:.1f} s of processors"
    )


def exponent(rows: list[int], amounts: list[float], tiny: float) -> float:
    """Return the slope over logarithms of what the two largest tables add: 1 is linear."""
    added = [max(amount - tiny, 1e-9) for amount in amounts]
    return math.log(added[-1] / added[-2]) / math.log(rows[-1] / rows[-2])


def panel(title: str, rows: list[int], amounts: list[float], tiny: float) -> Panel:
    straight = [tiny + (amounts[-1] - tiny) * n / rows[-1] for n in rows]
    return Panel(title, rows, {"measured": amounts, "a tiny table + rows": straight})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[10_000, 30_000, 100_000, 300_000, 1_000_000]
    )
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--plot", type=Path, help="where to save the plot, as SVG")
    options = parser.parse_args()
    memory, seconds = [], []
    with tempfile.TemporaryDirectory() as scratch:
        tiny = measure(Path(scratch), TINY_ROWS, options.epochs)
        print(f"{TINY_ROWS:9,} rows: {described(tiny)}")
        for n_rows in options.rows:
            found = measure(Path(scratch), n_rows, options.epochs)
            memory.append(found.peak / 1e6)
            seconds.append(found.cpu_seconds)
            times = (found.peak - tiny.peak) / (n_rows * ENCODED_BYTES)
            each = (found.cpu_seconds - tiny.cpu_seconds) / (n_rows * options.epochs)
            print(
                f"{n_rows:9,} rows: {described(found)}; above the tiny table {times:.1f} times the "
                f"encoded data, {1e6 * each:.0f} us a row and epoch",
                flush=True,
            )
    slopes = [
        exponent(options.rows, memory, tiny.peak / 1e6),
        exponent(options.rows, seconds, tiny.cpu_seconds),
    ]
    print(f"growth at the end: memory as rows^{slopes[0]:.2f}, time as rows^{slopes[1]:.2f}")
    if options.plot:
        panels = [
            panel("peak memory, MB", options.rows, memory, tiny.peak / 1e6),
            panel("seconds of processors", options.rows, seconds, tiny.cpu_seconds),
        ]
        options.plot.write_text(render_panels(panels, x_name="rows"))
    return 0 if times < MOST_TIMES and max(slopes) < MOST_EXPONENT else 1


if __name__ == "__main__":
    sys.exit(main())
