"""How much memory there is and is held."""

import gc

import psutil
import pytest

import assay.machine
from assay.machine import peak_bytes, physical_bytes, resident_bytes, uncollected

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
    paths = (tmp_path / "memory.max", tmp_path / "memory.limit_in_bytes")
    for path, limit in zip(paths, limits, strict=True):
        if limit is not None:
            path.write_text(limit)
    monkeypatch.setattr(assay.machine, "_CONTAINER_LIMITS", paths)
    assert physical_bytes() == least


def test_what_the_process_holds_is_known():
    assert 10**7 < resident_bytes() <= 1.05 * peak_bytes() < 10**12


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
