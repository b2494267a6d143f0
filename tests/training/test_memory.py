"""Memory is estimated before it is taken, and its lack is told in one line."""

import dataclasses
import weakref

import numpy as np
import pytest
import torch

from assay.amounts import size_text
from assay.errors import UserError
from assay.nn.parts import inner_parts
from assay.recipe import Recipe
from assay.training import memory
from assay.training.memory import (
    Needs,
    check_gpu,
    check_source,
    fit_into,
    telling_when_out_of_memory,
    too_large,
)
from assay.training.rows import CACHE_BYTES
from assay.training.text_memory import TextNeeds

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
    text=TextNeeds(),
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


TEXTS = TextNeeds(n_buckets=(20_001,) * 3, n_ngrams=(100,) * 3, n_scores=16, n_folds=5)


@pytest.mark.parametrize(
    ("field", "value"),
    [("n_buckets", (60_001,) * 3), ("n_scores", 160), ("n_ngrams", (5_000,) * 3), ("n_folds", 0)],
)
def test_more_text_needs_more(field, value):
    more = dataclasses.replace(TEXTS, **{field: value})
    assert more.fitting_bytes(20, 20_000) > TEXTS.fitting_bytes(20, 20_000)


def test_learnt_weights_and_scores_of_texts_are_counted():
    small = dataclasses.replace(NEEDS, n_rows=1_000, n_train=800, n_validated=200)
    texts = dataclasses.replace(small, text=TEXTS).peak_bytes(20, most_cached=0)
    graph = 22 * 20 * 16 * 3 * 20_001  # K * S numbers of every bucket, as they are shipped
    assert texts > graph
    assert TEXTS.kept_bytes(20, 1_000) == 4 * 20 * 1_000 * 3 * 16
    assert TextNeeds().fitting_bytes(20, 1_000) == TextNeeds().shipping_bytes(20, 1_000) == 0


def test_fits_on_the_same_rows_are_counted_as_often_as_they_are_made():
    for n_folds, n_fits in ((3, 6), (5, 15), (10, 50)):
        fold = np.arange(60) % n_folds
        validation = np.stack([fold == idx for idx in range(n_folds)])
        parts = inner_parts(~validation, validation, (0,) * n_folds)
        masks = {
            (own & (part != idx)).tobytes()
            for own, part in zip(~validation, parts, strict=True)
            for idx in (-2, *np.unique(part[own]))  # no part is -2: all of them
        }
        assert len(masks) <= n_fits
        assert n_folds > 5 or len(masks) == n_fits
        needs = dataclasses.replace(TEXTS, n_folds=n_folds)
        assert needs._fits_of_member() * n_folds == n_fits


def test_ample_memory_leaves_nothing_out():
    found = fitted(8 * 10**9)
    assert (found.n_repeats, found.cache_bytes) == (4, CACHE_BYTES)


def test_repeats_are_left_out_when_memory_is_scarce():
    ample = fitted(8 * 10**9).peak_bytes
    found = fitted(ample - 10_000_000)
    assert found.peak_bytes <= ample - 10_000_000
    assert 0 < found.n_repeats < 4
    assert fitted(310_000_000) is None


def test_inputs_are_not_kept_before_repeats_are_left_out():
    small = dataclasses.replace(NEEDS, n_rows=30_000, n_train=24_000, n_validated=6_000)
    wanted = 300_000_000 + small.peak_bytes(20, most_cached=0)
    found = fit_into(small, n_members=20, n_repeats=4, held_bytes=300_000_000, limit_bytes=wanted)
    assert (found.n_repeats, found.cache_bytes) == (4, 0)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 3.00 TiB for an array"),
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


OUT_OF_GPU_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
]


@pytest.mark.parametrize("error", OUT_OF_GPU_MEMORY, ids=str)
def test_of_a_gpu_without_memory_its_own_is_named(monkeypatch, error):
    free = {"cuda:1": (1_500_000_000, 80_000_000_000)}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: free[str(device)])
    device = torch.device("cuda:1")
    telling = telling_when_out_of_memory(lambda: 7_000_000_000, device, lambda: 2_000_000_000)
    with pytest.raises(UserError) as told, telling:
        raise error
    message = str(told.value)
    free_now = f"{size_text(1_500_000_000)} of {size_text(80_000_000_000)} are free"
    known = "the estimate was 2.0 GB at the least"
    assert message.startswith(f"training: the memory of the GPU ran out: {free_now}; {known}.")
    assert 'set train.device = "cpu"' in message
    assert "--memory" not in message
    assert "7.0 GB" not in message


def test_a_gpu_that_tells_nothing_any_more_is_told_of_all_the_same(monkeypatch):
    def fail(device):
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(torch.cuda, "mem_get_info", fail)
    message = r"^training: the memory of the GPU ran out\. Choose"
    with pytest.raises(UserError, match=message), telling_when_out_of_memory(lambda: 0):
        raise OUT_OF_GPU_MEMORY[0]


@pytest.mark.parametrize("n_free", [1_000_000_000, 1_000])
def test_a_gpu_with_too_little_memory_is_refused_before_work_starts(monkeypatch, n_free):
    monkeypatch.setattr(memory, "gpu_memory", lambda device: (n_free, 8_000_000_000))
    gpu, least = torch.device("cuda"), NEEDS.gpu_bytes(10)
    if n_free > least:
        assert check_gpu(NEEDS, 10, gpu) == least
        return
    told = rf"10 networks need at least {size_text(least)}.*1 kB of 8\.0 GB are free.*\"cpu\""
    with pytest.raises(UserError, match=told):
        check_gpu(NEEDS, 10, gpu)


def test_no_gpu_is_asked_for_memory_where_none_is_used():
    assert check_gpu(NEEDS, 10, torch.device("cpu")) == 0


def test_a_gpu_holds_weights_rows_and_scores_but_no_ngrams():
    least = NEEDS.gpu_bytes(2)
    assert least > 2 * NEEDS.n_weights * 12 + NEEDS.n_rows * NEEDS.row_bytes
    texts = dataclasses.replace(NEEDS, text=TEXTS, row_bytes=NEEDS.row_bytes + 600)
    assert texts.gpu_bytes(2) - least == TEXTS.kept_bytes(2, NEEDS.n_rows)


def test_what_the_failed_work_held_is_let_go_of():
    class Rows:
        """Stands for arrays: something that can be watched."""

    def work():
        rows = Rows()
        held.append(weakref.ref(rows))
        raise MemoryError

    held: list[weakref.ref] = []
    with pytest.raises(UserError) as told, telling_when_out_of_memory(lambda: 0):
        work()
    assert held[0]() is None
    assert told.value.__context__ is not None  # which keeps the frames of the work


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


def test_narrower_layers_are_no_advice_for_reading():
    recipe = Recipe().with_options({"train.memory": "100M"})
    assert "model.hidden" in str(too_large(3e8, recipe))
    assert "model.hidden" not in str(too_large(3e8, recipe, what="to read the table alone"))


def test_repeats_that_judge_the_rows_anew_are_counted():
    apart = dataclasses.replace(NEEDS, n_folds=1, n_classes=10)
    folds = dataclasses.replace(apart, n_folds=5)
    one, five = (needs.peak_bytes(40, most_cached=0) for needs in (apart, folds))
    assert one > five + 32 * 10 * 100_000 * 12  # 39 more arrays (N, C) against 7
    rivals = dataclasses.replace(apart, n_rivals=2)
    assert rivals.peak_bytes(40, most_cached=0) > one
    blind = dataclasses.replace(apart, n_validated=0)
    assert blind.peak_bytes(40, most_cached=0) < five


def test_one_repeat_is_counted_as_ever():
    assert NEEDS.peak_bytes(5, most_cached=0) == dataclasses.replace(
        NEEDS, n_folds=5, n_rivals=2
    ).peak_bytes(5, most_cached=0)
