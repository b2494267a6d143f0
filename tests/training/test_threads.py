"""The same seed gives the same numbers, however many threads compute them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import polars as pl
import pytest
import torch

import assay


@contextmanager
def threads(n_threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_one_and_two_threads_give_the_same_bytes(rng, precision, optimizer):
    x = rng.normal(size=(320, 6))
    columns = {f"n{idx}": x[:, idx] for idx in range(6)}
    frame = pl.DataFrame({**columns, "c": list("abcdefghij") * 32, "y": x[:, 0] > x[:, 1]})
    # A step is large enough for a second thread: 5 networks x 128 rows x 256 units.
    options = {
        "train.epochs": 2,
        "train.batch_size": 128,
        "train.precision": precision,
        "train.optimizer": optimizer,
    }
    models = []
    for n_threads in (1, 2):
        with threads(n_threads):
            models.append(assay.train(frame, "y", options={**options, "evaluate.bootstrap": 100}))
    one, two = models
    for name, values in one.members.items():
        np.testing.assert_array_equal(values, two.members[name], err_msg=name)
    assert one.to_bytes() == two.to_bytes()


def test_trainings_in_several_threads_of_a_process_do_not_disturb_each_other(rng):
    x = rng.normal(size=(600, 3))
    frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": x[:, 0] > x[:, 1]})
    quick = {"train.epochs": 3, "evaluate.bootstrap": 100, "model.candidates": []}
    options = [{**quick, "train.precision": precision} for precision in ("bfloat16", "float32")]

    def train(own: dict) -> bytes:
        return assay.train(frame, "y", options=own).to_bytes()

    alone = [train(own) for own in options]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(train, options)) == alone
    assert torch.get_float32_matmul_precision() == "highest"


def test_denormals_are_treated_alike_whatever_was_computed_before():
    """Threads that start within a training would flush them for ever, others never."""
    code = """
import numpy, torch
from assay.options import TrainRecipe
from assay.training.device import computing
tiny = torch.from_numpy(numpy.full(1 << 20, 1e-39, dtype=numpy.float32))
halves = torch.from_numpy(numpy.zeros(1 << 20, dtype=numpy.float32))
with computing(TrainRecipe(), torch.device("cpu"), step_size=1 << 20, seed=0):
    torch.mul(tiny, 0.5, out=halves)
print(numpy.count_nonzero(halves.numpy().view(numpy.int32)))
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == 1 << 19  # those of the second thread
