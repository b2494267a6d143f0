"""The memory and the processors there are, and what this process takes of the memory."""

import contextlib
import ctypes
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class _Container:
    """Where the control groups of a container tell of memory.

    Attributes:
        limit: Of bytes; "max" or a huge number for none.
        held: Bytes that all its processes hold, with the files they have read.
        details: What that consists of.
        idle: Name in there of the bytes of files that would be given up first.
    """

    limit: Path
    held: Path
    details: Path
    idle: str


_GROUPS = Path("/sys/fs/cgroup")
_CONTAINERS = (  # version 2 and 1
    _Container(
        _GROUPS / "memory.max",
        _GROUPS / "memory.current",
        _GROUPS / "memory.stat",
        "inactive_file",
    ),
    _Container(
        _GROUPS / "memory/memory.limit_in_bytes",
        _GROUPS / "memory/memory.usage_in_bytes",
        _GROUPS / "memory/memory.stat",
        "total_inactive_file",
    ),
)
_ARENA_MAX = -8  # the number of the option in glibc's <malloc.h>
_ARENAS = 2  # the main thread's, and one
_PROCESSOR_TIME = _GROUPS / "cpu.max"  # version 2: "max" or microseconds, and of how many


def physical_bytes() -> int:
    """Return the memory of the machine, or of the container where that has less."""
    machine = psutil.virtual_memory().total
    return min([machine, *(_number(own.limit) or machine for own in _CONTAINERS)])


def free_bytes() -> int:
    """Return the memory that nobody needs, of the machine or the container: the lesser."""
    rooms = [psutil.virtual_memory().available]
    for own in _CONTAINERS:
        limit, held = _number(own.limit), _number(own.held)
        if limit and held is not None:
            rooms.append(max(limit - held + _detail(own.details, own.idle), 0))
    return min(rooms)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such control group, or "max"
        return None


def _detail(path: Path, name: str) -> int:
    """Return a number of a file of lines "name number", 0 where it is not told."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        return int(dict(line.split() for line in lines).get(name, 0))
    except (OSError, ValueError):
        return 0


def n_processors() -> int:
    """Return how many processors this process may use, whole ones and at least one."""
    has_mask = hasattr(os, "sched_getaffinity")
    n_here = len(os.sched_getaffinity(0)) if has_mask else os.cpu_count() or 1
    try:
        share, of = _PROCESSOR_TIME.read_text(encoding="ascii").split()
        return max(min(n_here, int(share) // int(of)), 1)
    except (OSError, ValueError, ZeroDivisionError):  # no such control group, or "max"
        return n_here


def resident_bytes() -> int:
    """Return the memory that the process holds now."""
    return psutil.Process().memory_info().rss


def give_back() -> None:
    """Return memory that was freed to the system, where the C library can (glibc)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def keep_few_arenas() -> None:
    """Let threads share the memory they free, where the C library can (glibc).

    Otherwise threads have up to 8 arenas a processor, and of each up to 64 MB of freed memory
    stay where `give_back` does not reach. For a process that is ours alone: it holds until
    its end, and many threads that allocate at once would wait for each other.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").mallopt(_ARENA_MAX, _ARENAS)


def peak_bytes() -> int:
    """Return the most memory that the process has ever held."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource  # POSIX alone has it

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
