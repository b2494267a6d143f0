"""A training step of the default network beside its bare matrix products.

    python benchmarks/step_speed.py [--rounds 12] [--threads 0] [--precision auto]

The promise: within 2 times. 8 members of 64 inputs, 3 x 256 units and 2 classes, batches
of 256. A step is what training does: batches gathered, forward, loss, backward, rates,
optimizer. The bare products are the 4 forward and 8 backward ones of the chain rule, of
which a step spares one, in the same precision, on ready tensors. Both run in turn; the
ratio is that of the medians. Exit status 1 when the promise is broken.
"""

import argparse
import statistics
import sys
import time

import numpy as np
import polars as pl
import torch

from assay.ledger import Ledger
from assay.recipe import Recipe
from assay.samples import read_samples
from assay.training.device import computing
from assay.training.loop import Run
from assay.training.plan import Pacer, Plan
from assay.training.setup import set_up

N_MEMBERS, N_INPUTS, BATCH, N_BATCHES = 8, 64, 256, 32


def make_run(recipe: Recipe) -> Run:
    """Return a training of `N_BATCHES` steps an epoch."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(BATCH * N_BATCHES, N_INPUTS)).astype(np.float32)
    y = np.where(x[:, 0] + x[:, 1] * x[:, 2] > 0, "yes", "no")
    frame = pl.DataFrame({f"n{idx}": x[:, idx] for idx in range(N_INPUTS)} | {"y": y})
    samples = read_samples(frame, recipe, Ledger(), on_stage=lambda _: None)
    setup = set_up(samples, recipe, torch.device("cpu"))
    pacer = Pacer(Plan.of(recipe.train, max(setup.lesson.train.counts)))
    return Run(setup.network, setup.lesson, recipe.train, pacer, recipe.seed)


class BareProducts:
    """The matrix products of a step, and nothing else."""

    def __init__(self, run: Run) -> None:
        self.weights = [layer.weight.detach().clone() for layer in run.network.body.linears()]
        self.inputs = [torch.randn(N_MEMBERS, BATCH, w.shape[1]) for w in self.weights]
        self.gradients = [torch.randn(N_MEMBERS, BATCH, w.shape[2]) for w in self.weights]

    def __call__(self) -> None:
        layers = list(zip(self.inputs, self.weights, self.gradients, strict=True))
        for x, weight, _ in layers:
            torch.bmm(x, weight)
        for x, weight, gradient in reversed(layers):
            torch.bmm(x.transpose(1, 2), gradient)
            torch.bmm(gradient, weight.transpose(1, 2))


def seconds_per_step(work, n_steps: int) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) / n_steps


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=0, help="0: as PyTorch chooses")
    parser.add_argument("--precision", default="auto", help="auto, float32 or bfloat16")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = Recipe().with_options(
        {
            "target": "y",
            "encode.bins": 0,
            "model.hidden": [256, 256, 256],
            "split.folds": 0,
            "split.members": N_MEMBERS,
            "train.batch_size": BATCH,
            "train.epochs": options.rounds + 1,
            "train.precision": options.precision,
        }
    )
    run = make_run(recipe)
    bare = BareProducts(run)
    step_size = N_MEMBERS * BATCH * run.network.widest
    steps, products = [], []
    with computing(recipe.train, torch.device("cpu"), step_size=step_size, seed=0):
        run.train_epoch(1), run.end_epoch(), bare()  # warm up
        for epoch in range(2, options.rounds + 2):
            steps.append(seconds_per_step(lambda: run.train_epoch(epoch), N_BATCHES))  # noqa: B023
            run.end_epoch()
            products.append(seconds_per_step(lambda: [bare() for _ in range(N_BATCHES)], N_BATCHES))
    step, product = (statistics.median(times) * 1e3 for times in (steps, products))
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} thread(s), {options.precision}: "
        f"step {step:.2f} ms, {step / N_MEMBERS:.2f} a member; bare products {product:.2f} ms; "
        f"ratio {step / product:.2f}, promised 2"
    )
    return 0 if step < 2 * product else 1


if __name__ == "__main__":
    sys.exit(main())
