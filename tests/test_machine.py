"""How much memory there is and is held, and how many processors."""

import os
import platform
import subprocess
import sys

import psutil
import pytest

import assay.machine
from assay.machine import free_bytes, n_processors, peak_bytes, physical_bytes, resident_bytes

MACHINE = psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("limits", "least"),
    [
        (("max\n", None), MACHINE),
        (("1000000\n", None), 1_000_000),
        ((None, "2000000\n"), 2_000_000),
        ((None, "9223372036854771712\n"), MACHINE),
        (("3000000", "2000000"), 2_000_000),
        ((None, None), MACHINE),
    ],
)
def test_a_container_may_have_less_than_the_machine(monkeypatch, tmp_path, limits, least):
    contain(monkeypatch, tmp_path, [(limit, None, None) for limit in limits])
    assert physical_bytes() == least


@pytest.mark.parametrize(
    ("told", "free"),
    [
        (("1000000", "400000", "anon 5\ninactive_file 100000\n"), 700_000),
        (("1000000", "400000", None), 600_000),
        (("1000000", "1000001", "inactive_file none\n"), 0),
        (("max", "400000", None), 8 << 30),
        ((None, None, None), 8 << 30),
        (("99999999999999", "4", None), 8 << 30),
        (("1000000", "?", "?"), 8 << 30),
    ],
)
def test_a_container_may_have_less_left_than_the_machine(monkeypatch, tmp_path, told, free):
    class Memory:
        available = 8 << 30

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    contain(monkeypatch, tmp_path, [told])
    assert free_bytes() == free


def contain(monkeypatch, tmp_path, groups):
    """Let control groups tell a limit, what is held and its details, each text or None."""
    containers = []
    for idx, group in enumerate(groups):
        paths = [tmp_path / f"{idx}.{name}" for name in ("limit", "held", "details")]
        for path, text in zip(paths, group, strict=True):
            if text is not None:
                path.write_text(text)
        containers.append(assay.machine._Container(*paths, idle="inactive_file"))
    monkeypatch.setattr(assay.machine, "_CONTAINERS", tuple(containers))


@pytest.mark.parametrize(
    ("quota", "n_used"),
    [
        *(("max 100000\n", 4), ("200000 100000\n", 2), ("150000 100000", 1)),
        *(("5000 100000", 1), ("900000 100000", 4), ("1 0", 4), ("", 4), (None, 4)),
    ],
)
def test_a_container_may_have_less_time_of_processors(monkeypatch, tmp_path, quota, n_used):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(4)), raising=False)
    path = tmp_path / "cpu.max"
    if quota is not None:
        path.write_text(quota)
    monkeypatch.setattr(assay.machine, "_PROCESSOR_TIME", path)
    assert n_processors() == n_used


def test_what_the_process_holds_is_known():
    assert 10**7 < resident_bytes() <= 1.05 * peak_bytes() < 10**12


_ALLOCATE = """
import ctypes, sys, threading
from assay.machine import keep_few_arenas
if sys.argv[1] == "few":
    keep_few_arenas()
libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype, libc.fopen.restype = ctypes.c_void_p, ctypes.c_void_p
all_there = threading.Barrier(6)
def allocate():
    all_there.wait()
    libc.free(ctypes.c_void_p(libc.malloc(100_000)))
    all_there.wait()
threads = [threading.Thread(target=allocate) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
out = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, out)
libc.fclose(out)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="arenas are glibc's")
def test_threads_share_memory_that_is_freed(tmp_path):
    own = {"MALLOC_ARENA_MAX", "GLIBC_TUNABLES"}
    env = {name: value for name, value in os.environ.items() if name not in own}
    n_arenas = {}
    for amount in ("few", "many"):
        told = tmp_path / amount
        subprocess.run([sys.executable, "-c", _ALLOCATE, amount, str(told)], check=True, env=env)
        n_arenas[amount] = told.read_text().count("<heap ")
    assert n_arenas["few"] <= 2 < n_arenas["many"]
