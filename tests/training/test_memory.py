"""Memory is estimated before it is taken, and its lack is told in one line."""

import dataclasses

import pytest
import torch

from assay.errors import UserError
from assay.recipe import Recipe
from assay.training.memory import (
    Needs,
    check_source,
    fit_into,
    peak_bytes,
    resident_bytes,
    telling_when_out_of_memory,
    too_large,
)
from assay.training.rows import CACHE_BYTES

NEEDS = Needs(
    n_rows=100_000,
    n_classes=2,
    n_train=80_000,
    n_validated=20_000,
    n_test=0,
    row_bytes=80,
    n_inputs=40,
    widths=(256, 256),
    member_bytes=10_000,
    n_weights=80_000,
    batch_size=512,
    n_ngrams=0,
)


def fitted(limit_bytes: int):
    return fit_into(
        NEEDS, n_members=20, n_repeats=4, held_bytes=300_000_000, limit_bytes=limit_bytes
    )


@pytest.mark.parametrize(
    "field", ["n_rows", "n_classes", "n_train", "n_inputs", "n_weights", "batch_size"]
)
def test_more_of_anything_needs_more(field):
    more = dataclasses.replace(NEEDS, **{field: 20 * getattr(NEEDS, field)})
    assert more.peak_bytes(5, most_cached=0) > NEEDS.peak_bytes(5, most_cached=0)


def test_weights_and_optimizer_are_counted():
    wide = dataclasses.replace(NEEDS, n_weights=10**8)
    assert wide.peak_bytes(1, most_cached=0) > 20 * 10**8


def test_ample_memory_leaves_nothing_out():
    found = fitted(8 * 10**9)
    assert (found.repeat_share, found.cache_bytes) == (1.0, CACHE_BYTES)


def test_repeats_are_left_out_when_memory_is_scarce():
    ample = fitted(8 * 10**9).peak_bytes
    found = fitted(ample - 10_000_000)
    assert found.peak_bytes <= ample - 10_000_000
    assert 0.0 < found.repeat_share < 1.0
    assert fitted(310_000_000) is None


def test_inputs_are_not_kept_before_repeats_are_left_out():
    small = dataclasses.replace(NEEDS, n_rows=30_000, n_train=24_000, n_validated=6_000)
    wanted = 300_000_000 + small.peak_bytes(20, most_cached=0)
    found = fit_into(small, n_members=20, n_repeats=4, held_bytes=300_000_000, limit_bytes=wanted)
    assert (found.repeat_share, found.cache_bytes) == (1.0, 0)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 3.00 TiB for an array"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: not enough memory"
        ),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"),
    ],
)
def test_a_failed_allocation_names_estimate_and_options(error):
    with (
        pytest.raises(UserError, match=r"estimate was 7\.0 GB.*--memory.*train\.batch_size"),
        telling_when_out_of_memory(lambda: 7_000_000_000),
    ):
        raise error


def test_a_real_failed_allocation_is_told():
    with pytest.raises(UserError, match="memory ran out"), telling_when_out_of_memory(lambda: 0):
        torch.zeros(1 << 60)


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shape"), telling_when_out_of_memory(lambda: 0):
        raise RuntimeError("shape mismatch")


def test_a_file_beyond_the_budget_is_refused_unread(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"a,b\n")
    check_source(path, Recipe().with_options({"train.memory": "64G"}))
    with pytest.raises(UserError, match=r"train\.memory = '1M': to read the table alone"):
        check_source(path, Recipe().with_options({"train.memory": "1M"}))


def test_the_error_names_the_budget_or_the_machine():
    budget = Recipe().with_options({"train.memory": "1G"})
    assert "train.memory = '1G': the training needs about 2.0 GB" in str(too_large(2e9, budget))
    assert "the machine has" in str(too_large(2e15, Recipe()))


def test_what_the_process_holds_is_known():
    assert 10**7 < resident_bytes() <= 1.05 * peak_bytes() < 10**12
