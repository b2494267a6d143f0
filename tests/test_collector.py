"""When the collector rests, and what it then leaves aside."""

import gc
import subprocess
import sys
import weakref

import pytest

from assay.collector import uncollected


def test_the_collector_rests_and_goes_on():
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ValueError, match="in between"), uncollected():
        raise ValueError("in between")
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


class Ring:
    """Garbage that nobody but the collector finds."""

    def __init__(self):
        self.itself = self


def test_what_a_caller_has_frozen_is_no_wish_to_freeze_more():
    gc.freeze()
    try:
        gc.disable()
        ring = weakref.ref(Ring())
        gc.enable()
        with uncollected():
            pass
        gc.collect()
        assert ring() is None
    finally:
        gc.enable()
        gc.unfreeze()


@pytest.mark.parametrize(("args", "is_frozen"), [("", True), ("['--version']", False)])
def test_only_the_command_sets_its_imports_aside(args, is_frozen):
    program = f"""
import gc, sys
from assay.cli import main
main({args})
before = gc.get_freeze_count()
from assay.collector import uncollected
with uncollected():
    more = [[] for _ in range(999)]
print(gc.get_freeze_count() - before >= 999)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == str(is_frozen)
