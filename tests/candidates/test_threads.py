"""Fits side by side: each alone on its thread, in order."""

import subprocess
import sys
import threading
from importlib import import_module
from importlib.util import find_spec

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


def test_learners_are_loaded_without_pandas_which_can_be_imported_afterwards():
    code = """
import sys
from assay.candidates.threads import load_learners
load_learners()
print("pandas" in sys.modules)
import pandas
from sklearn.preprocessing import StandardScaler
scaler = StandardScaler().set_output(transform="pandas")
print(type(scaler.fit_transform(pandas.DataFrame({"a": [1.0, 3.0]}))).__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "DataFrame"]


def test_a_module_is_hidden_from_one_thread_alone(monkeypatch):
    monkeypatch.delitem(sys.modules, "this", raising=False)
    found: list[object] = []
    with threads._hidden("this"):
        with pytest.raises(ModuleNotFoundError, match="No module named 'this'"):
            import_module("this")
        other = threading.Thread(target=lambda: found.append(find_spec("this")))
        other.start()
        other.join()
    assert found[0] is not None
    assert find_spec("this") is not None


def test_an_import_on_its_way_through_the_finders_misses_none(monkeypatch):
    before = sys.meta_path
    with threads._hidden("this"):
        during = iter(sys.meta_path)
        next(during)
    assert [*during] == [*before]
    assert sys.meta_path == before


def test_results_come_in_order(n_threads):
    assert over_fits(lambda idx: idx * idx, 7) == [0, 1, 4, 9, 16, 25, 36]


def test_short_fits_are_made_one_after_the_other(n_threads):
    own = threading.get_ident()
    assert over_fits(lambda idx: threading.get_ident(), 4, is_long=False) == [own] * 4


def test_no_fit_is_shared_by_threads(n_threads):
    load_learners()
    assert "sklearn.ensemble" in sys.modules
    before = threadpool_info()

    def used(fit_idx: int) -> list[int]:
        return [one["num_threads"] for one in threadpool_info()]

    for found in over_fits(used, 3):
        assert set(found) == {1}
    assert threadpool_info() == before
