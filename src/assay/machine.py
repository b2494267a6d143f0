"""The memory there is, what this process takes of it, and when the collector goes over it."""

import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

_CONTAINER_LIMITS = (  # of control groups, version 2 and 1; "max" or a huge number for none
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def physical_bytes() -> int:
    """Return the memory of the machine, or of the container where that has less."""
    machine = psutil.virtual_memory().total
    return min([machine, *(_limit(path) or machine for path in _CONTAINER_LIMITS)])


def _limit(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such control group, or "max"
        return None


def free_bytes() -> int:
    """Return the memory of the machine that nobody needs."""
    return psutil.virtual_memory().available


def n_processors() -> int:
    """Return how many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resident_bytes() -> int:
    """Return the memory that the process holds now."""
    return psutil.Process().memory_info().rss


def give_back() -> None:
    """Return memory that was freed to the system, where the C library can (glibc)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Let the garbage collector rest while large libraries are imported.

    It would go over all that they make, again and again, and find nothing to free: 0.2 s
    of 1.4 s for PyTorch, 0.3 s of 1.0 s for scikit-learn. In a process whose owner has set
    objects aside for good, as the command does, these follow: the first collections
    afterwards would take 0.2 s.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count():
            gc.freeze()
        if was_enabled:
            gc.enable()


def peak_bytes() -> int:
    """Return the most memory that the process has ever held."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource  # POSIX alone has it

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
