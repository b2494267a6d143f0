"""Where and in which precision to compute."""

import contextlib
from collections.abc import Iterator, Mapping

import torch

from assay.errors import UserError
from assay.options import TrainRecipe

_SMALL_STEP = 1 << 17  # below this many activations a second thread costs more than it gives


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; "auto" is a GPU where there is one.

    Raises:
        UserError: No such device; the message lists those there are.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    present = ["cpu", *(f"cuda:{idx}" for idx in range(torch.cuda.device_count()))]
    if name == "cuda" and len(present) > 1:
        return torch.device("cuda")
    if name not in present:
        raise UserError(
            f"there is no device {name!r}",
            where="train.device",
            fix=f"Present: {', '.join(present)}",
        )
    return torch.device(name)


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
            where the processor multiplies them faster; parameters stay float32.
        device: Where the training runs.
        step_size: Activations of one step's widest layer, K * B * D.
        seed: Of what a GPU draws; the global generators are left as they were.
        n_threads: How many threads an earlier attempt had, for the sums of a step depend
            on it; by default those there are, or one for small steps.
    """
    threads = torch.get_num_threads()
    precision = torch.get_float32_matmul_precision()
    is_half = recipe.precision != "float32"
    if n_threads is not None:
        torch.set_num_threads(n_threads)
    elif is_small(step_size):
        torch.set_num_threads(1)
    _wake_threads()
    torch.set_flush_denormal(True)
    if is_half and device.type == "cpu":
        torch.set_float32_matmul_precision("medium")
    is_gpu = device.type == "cuda"
    try:
        with (
            torch.random.fork_rng(devices=[device] if is_gpu else [], enabled=is_gpu),
            # The cache would hold the rounded weights of the first step to the very end.
            torch.autocast("cuda", torch.bfloat16, enabled=is_half and is_gpu, cache_enabled=False),
        ):
            if is_gpu:
                torch.manual_seed(seed)
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def _wake_threads() -> None:
    """Let PyTorch start its threads now.

    A thread flushes denormals for ever if the one that starts it does. Without this, the
    bits of a training would depend on what the process computed before it.
    """
    torch.ones(torch.get_num_threads() << 15).add_(1.0)  # enough that each has its share
