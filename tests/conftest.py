"""What all tests share: few threads, ears for Ctrl-C, and one source of chance."""

import os
import signal

# Set before NumPy, Polars or torch start their pools: tests run on small tables,
# where more threads only wait for each other.
for _name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, str(min(2, os.cpu_count() or 1)))
# Threads that wait sleep: tests of other processes need the processor.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np  # noqa: E402 - the settings above come first
import pytest  # noqa: E402

SEED = 0

# A shell that starts them in the background lets them, and what they start, ignore it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def seed() -> int:
    """The seed of a test that needs only one."""
    return SEED


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(SEED)
