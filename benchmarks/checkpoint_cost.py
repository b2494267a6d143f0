"""What checkpoints cost a training: below 2 % of its time.

    python benchmarks/checkpoint_cost.py [--every 60] [--repeats 5] [--out FILE]

For networks of growing size: the bytes of a state, the seconds to take and to write it as
`assay train` does (sealed, flushed to the disk, renamed), the seconds of training between two
of them, as the run's folder decides when the next is due, and the share that checkpoints have
in the time from the first one on. The training between them is not done: a clock is set
forward by the time of each step, as measured. Then the question after each step whether one
is due, as a share of the step. Exit status 1 where a size breaks the promise.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import torch

from assay.ledger import Ledger
from assay.recipe import Recipe
from assay.run_folder import RunFolder, open_run
from assay.samples import read_samples
from assay.training.checkpoint import NAME, capture
from assay.training.device import computing
from assay.training.loop import Run
from assay.training.plan import Pacer, Plan
from assay.training.setup import set_up

PROMISE = 0.02
SIZES = {
    "default, 20 columns": (20, {}),
    "5 of 3 x 256, 60 columns": (60, {"model.hidden": [256] * 3, "split.repeats": 1}),
    "5 of 3 x 1024, 60 columns": (60, {"model.hidden": [1024] * 3, "split.repeats": 1}),
    "5 of 3 x 2048, 60 columns": (60, {"model.hidden": [2048] * 3, "split.repeats": 1}),
}


def make_run(n_columns: int, options: dict[str, object], folder: RunFolder) -> Run:
    """Return a training of a few steps an epoch that has a keeper."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2_000, n_columns)).astype(np.float32)
    y = np.where(x[:, 0] + x[:, 1] * x[:, 2] > 0, "yes", "no")
    frame = pl.DataFrame({f"n{idx}": x[:, idx] for idx in range(n_columns)} | {"y": y})
    recipe = Recipe().with_options({"target": "y", **options})
    samples = read_samples(frame, recipe, Ledger(), on_stage=lambda _: None)
    setup = set_up(samples, recipe, torch.device("cpu"))
    pacer = Pacer(Plan.of(recipe.train, max(setup.lesson.train.counts)))
    return Run(setup.network, setup.lesson, recipe.train, pacer, recipe.seed, keeper=folder)


class Clock:
    """Time as it passes, and that of training which is not done."""

    def __init__(self) -> None:
        self.skipped_s = 0.0

    def __call__(self) -> float:
        return time.perf_counter() + self.skipped_s


def write_when_due(
    run: Run, folder: RunFolder, clock: Clock, n: int, step_s: float
) -> tuple[float, float]:
    """Keep `n` checkpoints when they are due, until the next one is.

    Returns:
        Seconds that they took, and seconds of training between them.
    """
    first_s, spent_s, n_kept = None, 0.0, 0
    while True:
        clock.skipped_s += step_s
        if not folder.is_due():
            continue
        began_s = clock()
        if first_s is None:
            first_s = began_s
        if n_kept == n:
            return spent_s, began_s - first_s - spent_s
        folder.write(NAME, *capture(run))
        spent_s += clock() - began_s
        n_kept += 1


def median_s(work, n_repeats: int) -> float:
    """Return the median of the seconds that some work takes."""
    seconds = []
    for _ in range(n_repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def measure(name: str, place: Path, n_repeats: int, every_s: float) -> dict[str, object]:
    """Measure one size."""
    clock = Clock()
    folder = open_run(place, recipe="", every_s=every_s, clock=clock)
    run = make_run(*SIZES[name], folder)

    def train() -> None:
        run.train_epoch(1)
        run.end_epoch()

    step_size = run.network.n_members * run.batch_size * run.network.widest
    device = run.lesson.rows.device
    with computing(run.recipe, device, step_size=step_size, seed=0):
        train()
        step_s = median_s(train, 3) / run.pacer.plan.n_steps
    state = capture(run)
    n_bytes = sum(array.nbytes for array in state[0].values())
    capture_s = median_s(lambda: capture(run), n_repeats)
    began_s = time.process_time()
    write_s = median_s(lambda: folder.keep(NAME, *state), n_repeats)
    processor_s = (time.process_time() - began_s) / n_repeats
    question_s = median_s(lambda: [folder.is_due() for _ in range(1000)], n_repeats) / 1000
    spent_s, rest_s = write_when_due(run, folder, clock, n_repeats, step_s)
    folder.remove()
    return {
        "network": name,
        "members": run.network.n_members,
        "bytes": n_bytes,
        "capture_s": capture_s,
        "write_s": write_s,
        "processor_s": processor_s,
        "rest_s": rest_s / n_repeats,
        "share": spent_s / (spent_s + rest_s),
        "step_s": step_s,
        "question_share": question_s / step_s,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=float, default=60.0, help="seconds between checkpoints")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, help="file that one line of JSON is added to")
    options = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as place:
        for name in SIZES:
            one = measure(name, Path(place) / "run", options.repeats, options.every)
            found.append(one)
            print(
                f"{one['network']}: {one['members']} networks, {one['bytes'] / 1e6:.1f} MB; "
                f"taken in {one['capture_s'] * 1e3:.1f} ms, written in "
                f"{one['write_s'] * 1e3:.0f} ms ({one['processor_s'] * 1e3:.0f} ms of a "
                f"processor), every {one['rest_s']:.0f} s: {one['share']:.2%} of the time; "
                f"the question takes {one['question_share']:.3%} of a step of "
                f"{one['step_s'] * 1e3:.1f} ms"
            )
    if options.out:
        line = {"suite": "checkpoint_cost", "sizes": found}
        with options.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    is_kept = all(one["share"] + one["question_share"] < PROMISE for one in found)
    print(f"checkpoints cost under {PROMISE:.0%}: {'kept' if is_kept else 'BROKEN'}")
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
