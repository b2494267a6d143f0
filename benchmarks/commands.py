"""The command `assay` as a process of its own, timed and weighed; for the other scripts."""

import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ASSAY = str(Path(sys.executable).with_name("assay"))
# A process counts the memory of all its children: each command gets a parent of its own.
_PARENT = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss * 1024, used.ru_utime + used.ru_stime)
sys.exit(code)
"""


class Run(NamedTuple):
    """One command: what it took, its exit status and what it told.

    Attributes:
        peak: Bytes of memory at the peak.
        seconds: Of the clock.
        cpu_seconds: Of processors.
        status: Exit status.
        error: Standard error.
    """

    peak: float
    seconds: float
    cpu_seconds: float
    status: int
    error: str


def run_assay(*arguments: object) -> Run:
    """Run `assay` with some arguments; Linux alone tells memory in the unit assumed."""
    command = [sys.executable, "-c", _PARENT, ASSAY, *map(str, arguments)]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    peak, cpu_seconds = (float(word) for word in done.stdout.split())
    return Run(peak, seconds, cpu_seconds, done.returncode, done.stderr.strip())


def train(table: Path, *arguments: object) -> Run:
    """Train on the column `y` of a table, quietly.

    Raises:
        RuntimeError: The command failed.
    """
    run = run_assay("train", table, "--target", "y", "-o", table.with_suffix(".assay"), "--quiet",
                    *arguments)  # fmt: skip
    if run.status:
        raise RuntimeError(run.error)
    return run
