"""Fits side by side: each alone on its thread, in order."""

import sys

import pytest
import torch
from threadpoolctl import threadpool_info

from assay.candidates import threads
from assay.candidates.threads import load_learners, over_fits


@pytest.fixture(params=[1, 2])
def n_threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_what_is_loaded_is_not_loaded_again(monkeypatch):
    load_learners()
    monkeypatch.setattr(threads, "uncollected", None)  # it is not called
    load_learners()


def test_results_come_in_order(n_threads):
    assert over_fits(lambda idx: idx * idx, 7) == [0, 1, 4, 9, 16, 25, 36]


def test_no_fit_is_shared_by_threads(n_threads):
    load_learners()
    assert "sklearn.ensemble" in sys.modules
    before = threadpool_info()

    def used(fit_idx: int) -> list[int]:
        return [one["num_threads"] for one in threadpool_info()]

    for found in over_fits(used, 3):
        assert set(found) == {1}
    assert threadpool_info() == before
