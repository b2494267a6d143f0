"""Which device computes, in which precision, and that callers find theirs as it was."""

import logging

import pytest
import torch

from assay.errors import UserError
from assay.options import TrainRecipe
from assay.training.device import choose_device, computing, gpu_memory, multiplying

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
BACKENDS = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)


@pytest.fixture(autouse=True)
def precision_as_it_was():
    with multiplying("highest"):
        yield


@pytest.fixture
def broken_gpu(monkeypatch):
    """A GPU that PyTorch sees and has no code for, as an old one in today's builds."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    ones = torch.ones

    def refuse(*shape, device=None):
        if device is not None and torch.device(device).type == "cuda":
            raise RuntimeError("CUDA error: no kernel image is available\nCompile with")
        return ones(*shape)

    monkeypatch.setattr(torch, "ones", refuse)


def test_a_gpu_that_cannot_compute_is_not_chosen_by_itself(broken_gpu, caplog):
    with caplog.at_level(logging.WARNING, logger="assay"):
        assert choose_device("auto") == CPU
    assert caplog.messages == [
        "the GPU is not used, since it cannot compute: CUDA error: no kernel image is available"
    ]


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_a_gpu_that_is_asked_for_and_cannot_compute_is_an_error(broken_gpu, name):
    with pytest.raises(UserError, match=rf"'{name}' cannot compute: CUDA error: no kernel image"):
        choose_device(name)


def test_a_gpu_that_computes_is_chosen(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    ones = torch.ones
    monkeypatch.setattr(torch, "ones", lambda *shape, device: ones(*shape))
    assert choose_device("auto") == CUDA


def allow_by_one_call():
    torch.set_float32_matmul_precision("high")


def allow_by_backend():
    torch.backends.cuda.matmul.fp32_precision = "tf32"


def forbid_by_backend():
    for backend in BACKENDS:
        backend.fp32_precision = "ieee"


@pytest.mark.parametrize("allow", [allow_by_one_call, allow_by_backend, forbid_by_backend])
@pytest.mark.parametrize(("precision", "inside"), [("float32", "highest"), ("auto", "medium")])
def test_products_are_as_precise_as_told_whatever_the_caller_allows(allow, precision, inside):
    allow()
    before = [backend.fp32_precision for backend in BACKENDS]
    with computing(TrainRecipe(precision=precision), CPU, step_size=1, seed=0):
        assert torch.get_float32_matmul_precision() == inside
    assert [backend.fp32_precision for backend in BACKENDS] == before


def test_the_one_call_is_set_back_to_what_it_told():
    torch.set_float32_matmul_precision("high")
    with multiplying("highest"):
        assert torch.get_float32_matmul_precision() == "highest"
    assert torch.get_float32_matmul_precision() == "high"


@pytest.mark.parametrize(("precision", "inside"), [("float32", "ieee"), ("auto", "tf32")])
def test_a_gpu_multiplies_in_tensor_float_unless_told_otherwise(precision, inside):
    with computing(TrainRecipe(precision=precision), CPU, step_size=1, seed=0):
        assert torch.backends.cuda.matmul.fp32_precision == inside


def test_memory_that_pytorch_keeps_of_a_gpu_is_free(monkeypatch):
    for name, told in {
        "mem_get_info": (3_000, 9_000),
        "memory_reserved": 500,
        "memory_allocated": 200,
    }.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, told=told: told)
    assert gpu_memory(CUDA) == (3_300, 9_000)
    assert gpu_memory(CPU) is None


def test_what_backends_inherit_they_go_on_to_inherit():
    every = torch.backends
    before = every.fp32_precision
    try:
        for backend in BACKENDS:
            backend.fp32_precision = "none"
        every.fp32_precision = "tf32"
        with multiplying("highest"):
            assert [backend.fp32_precision for backend in BACKENDS] == ["ieee", "ieee"]
        assert [backend.fp32_precision for backend in BACKENDS] == ["tf32", "tf32"]
        every.fp32_precision = "ieee"
        assert [backend.fp32_precision for backend in BACKENDS] == ["ieee", "ieee"]
    finally:
        every.fp32_precision = before
