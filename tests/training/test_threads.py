"""The same seed gives the same numbers, however many threads compute them."""

from collections.abc import Iterator
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


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_one_and_two_threads_give_the_same_bytes(rng, precision):
    x = rng.normal(size=(320, 6))
    columns = {f"n{idx}": x[:, idx] for idx in range(6)}
    frame = pl.DataFrame({**columns, "c": list("abcdefghij") * 32, "y": x[:, 0] > x[:, 1]})
    # A step is large enough for a second thread: 5 networks x 128 rows x 256 units.
    options = {"train.epochs": 1, "train.batch_size": 128, "train.precision": precision}
    models = []
    for n_threads in (1, 2):
        with threads(n_threads):
            models.append(assay.train(frame, "y", options={**options, "evaluate.bootstrap": 100}))
    one, two = models
    for name, values in one.members.items():
        np.testing.assert_array_equal(values, two.members[name], err_msg=name)
    assert one.to_bytes() == two.to_bytes()
