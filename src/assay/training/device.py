"""Where and in which precision to compute."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Literal

import torch

from assay.errors import UserError
from assay.options import TrainRecipe

_LOG = logging.getLogger("assay")
STEPS_AHEAD = 16  # that a GPU may be asked for before the clock is trusted again
_SMALL_STEP = 1 << 17  # below this many activations a second thread costs more than it gives


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; "auto" is a GPU where there is one that computes.

    Raises:
        UserError: No such device, or it cannot compute; the message lists those there are.
    """
    if name == "auto":
        return _gpu_or_cpu()
    present = ["cpu", *(f"cuda:{idx}" for idx in range(torch.cuda.device_count()))]
    reason = f"there is no device {name!r}"
    if name in present or (name == "cuda" and len(present) > 1):
        device = torch.device(name)
        broken = _why_broken(device)
        if not broken:
            return device
        reason = f"the device {name!r} cannot compute: {broken}"
    raise UserError(reason, where="train.device", fix=f"Present: {', '.join(present)}")


def _gpu_or_cpu() -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda")
    broken = _why_broken(device)
    if broken:
        _LOG.warning("the GPU is not used, since it cannot compute: %s", broken)
        return torch.device("cpu")
    return device


def _why_broken(device: torch.device) -> str:
    """Return why the device cannot multiply, or "": PyTorch may have no code for a GPU it sees.

    The libraries that this loads are part of what a budget of memory finds in use.
    """
    if device.type == "cpu":
        return ""
    try:
        ones = torch.ones(2, 2, device=device)
        float((ones @ ones).sum())
    except (RuntimeError, AssertionError) as error:  # the latter: PyTorch built without GPUs
        return str(error).partition("\n")[0]
    return ""


def gpu_memory(device: torch.device) -> tuple[int, int] | None:
    """Return the bytes of a GPU that are free to this process, and all that it has.

    Returns:
        None of another device, and of a GPU that does not tell.
    """
    if device.type != "cuda":
        return None
    try:
        free, total = torch.cuda.mem_get_info(device)
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    except (RuntimeError, AssertionError):  # of a GPU that failed, or a PyTorch without any
        return None
    return free + kept, total


def wait_for(device: torch.device) -> None:
    """Let a GPU do what it was asked for, so that the clock tells what is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def is_small(step_size: int) -> bool:
    """Whether a step of so many activations is trained by one thread, see `computing`."""
    return step_size < _SMALL_STEP


def count_threads() -> dict[str, int]:
    """Return how many threads sums are shared by: those of PyTorch and of NumPy's products.

    Each share is rounded by itself, so that last bits depend on these numbers. Those of
    scikit-learn's loops do not count, for its fits run on one thread each.
    """
    from threadpoolctl import threadpool_info

    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return {"torch": torch.get_num_threads(), "blas": max(blas, default=1)}


@contextlib.contextmanager
def on_threads(counts: Mapping[str, int]) -> Iterator[None]:
    """Compute on so many threads, however many processors there are, and set them back.

    Args:
        counts: As `count_threads` returned them.
    """
    import scipy.linalg  # noqa: F401  (a BLAS of its own, which is limited only once it is there)
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(counts["torch"])
    try:
        with threadpool_limits(limits=counts["blas"], user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def multiplying(precision: Literal["highest", "medium"]) -> Iterator[None]:
    """Multiply matrices of float32 in a precision, whatever is set, and set that back.

    Callers, and the environment variable TORCH_ALLOW_TF32_CUBLAS_OVERRIDE, may have allowed
    products in TensorFloat-32: then a GPU differs from the model file in the fourth digit.

    Args:
        precision: "highest" for float32, "medium" where bfloat16 may do, or TensorFloat-32 on
            a GPU.
    """
    try:
        before = torch.get_float32_matmul_precision()
    except RuntimeError:  # it was set for each backend, which this call cannot tell
        before = "highest"
    backends = (torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None))
    by_backend = [getattr(backend, "fp32_precision", None) for backend in backends]
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        for backend, own in zip(backends, by_backend, strict=True):
            if own is None:  # before PyTorch 2.9
                continue
            backend.fp32_precision = "none"  # type: ignore[union-attr]
            if backend.fp32_precision != own:  # type: ignore[union-attr]  # else it is inherited
                backend.fp32_precision = own  # type: ignore[union-attr]


@contextlib.contextmanager
def computing(
    recipe: TrainRecipe,
    device: torch.device,
    *,
    step_size: int,
    seed: int,
    n_threads: int | None = None,
) -> Iterator[None]:
    """Set threads, denormals, precision and chance for a training, and set them back.

    Args:
        recipe: Its `precision`: "bfloat16" and "auto" round the inputs of matrix products
            where the processor multiplies them faster, as far as it does: to bfloat16, or to
            TensorFloat-32 on a GPU. What comes of them, and parameters, stay float32.
        device: Where the training runs.
        step_size: Activations of one step's widest layer, K * B * D.
        seed: Of what a GPU draws; the global generators are left as they were.
        n_threads: How many threads an earlier attempt had, for the sums of a step depend
            on it; by default those there are, or one for small steps.
    """
    threads = torch.get_num_threads()
    is_gpu = device.type == "cuda"
    if n_threads is not None:
        torch.set_num_threads(n_threads)
    elif is_small(step_size):
        torch.set_num_threads(1)
    _wake_threads()
    torch.set_flush_denormal(True)
    try:
        with (
            multiplying("highest" if recipe.precision == "float32" else "medium"),
            torch.random.fork_rng(devices=[device] if is_gpu else [], enabled=is_gpu),
        ):
            if is_gpu:
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(seed)
            yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def _wake_threads() -> None:
    """Let PyTorch start its threads now.

    A thread flushes denormals for ever if the one that starts it does. Without this, the
    bits of a training would depend on what the process computed before it.
    """
    torch.ones(torch.get_num_threads() << 15).add_(1.0)  # enough that each has its share
