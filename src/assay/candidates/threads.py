"""Fits side by side, each on one thread, so that no figure depends on how many there are."""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.abc import MetaPathFinder
from typing import Any, TypeVar

import numpy as np

from assay.collector import uncollected

T = TypeVar("T")

_LEARNERS = {"sklearn.ensemble", "sklearn.linear_model"}


def load_learners() -> None:
    """Import what fits are made with, before `over_fits` looks for its libraries."""
    if sys.modules.keys() >= _LEARNERS:
        return
    with uncollected(), _hidden("pandas"):
        import sklearn.ensemble
        import sklearn.linear_model  # noqa: F401


class _Hiding(MetaPathFinder):
    """Refuses one thread a module, and leaves all else to the other finders.

    Args:
        name: Of a module.
    """

    def __init__(self, name: str) -> None:
        self._name, self._thread = name, threading.get_ident()

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        """Refuse the name to the thread that hides it.

        Raises:
            ModuleNotFoundError: As an import would if it were not installed.
        """
        if fullname == self._name and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


@contextlib.contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Let a library that can do without a module do without, unless it is loaded already.

    scikit-learn 1.9 imports pandas where that is installed, 0.4 s and 64 MB, and keeps it as
    `sklearn.utils.fixes.pd`, which nobody uses; frames of pandas it knows by other means.
    """
    finder = _Hiding(name)
    # Lists of their own: an import in another thread may be on its way through the old one.
    sys.meta_path = [finder, *sys.meta_path]
    try:
        yield
    finally:
        sys.meta_path = [one for one in sys.meta_path if one is not finder]


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let NumPy's products run on one thread.

    Some processors, as AMD's, round them otherwise when two threads share one.
    """
    with _libraries(len(sys.modules)).limit(limits=1, user_api="blas"):
        yield


def over_fits(work: Callable[[int], T], n_fits: int, *, is_long: bool = True) -> list[T]:
    """Return what `work` returns for each fit.

    scikit-learn's loops run on one thread each: shared by several, sums of gradients are
    rounded in another way for each number of threads. The fits share the processor
    instead, on as many threads as PyTorch has. Where it is not loaded, this is the process
    beside a training, which takes one thread.

    Args:
        work: Is given the number of a fit.
        n_fits: M.
        is_long: Whether loops are long enough for threads. Between short ones each thread
            waits for Python, and two take up to twice the time of one.
    """
    libraries = _libraries(len(sys.modules))  # `work` may load no further ones

    def alone(fit_idx: int) -> T:
        # OpenBLAS may flag "invalid" for lanes of a product that nobody reads.
        with libraries.limit(limits=1, user_api="openmp"), np.errstate(invalid="ignore"):
            return work(fit_idx)

    torch = sys.modules.get("torch")
    n_workers = min(torch.get_num_threads(), n_fits) if torch is not None and is_long else 1
    with one_blas_thread():  # in the whole process
        if n_workers <= 1:
            return [alone(idx) for idx in range(n_fits)]
        with ThreadPoolExecutor(n_workers) as workers:
            return list(workers.map(alone, range(n_fits)))


def one_fit(work: Callable[..., T], *args: Any) -> T:
    """Return what `work` returns for some arguments, as a fit of `over_fits`."""
    (made,) = over_fits(lambda _: work(*args), 1)
    return made


@lru_cache(maxsize=1)
def _libraries(n_modules: int) -> Any:
    """Return the libraries that have threads: found in 5 ms, and anew after an import.

    Args:
        n_modules: Modules that are loaded: libraries come with one.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
