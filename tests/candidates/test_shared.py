"""Fits that processes share are the fits, whoever makes them and whatever becomes of a helper."""

import os
import signal
import time
from collections import deque

import numpy as np
import polars as pl
import pytest

from assay import side_process
from assay.candidates import begin_rivals, boosted, fit_rivals, shared
from assay.candidates.boosting import Alone
from assay.candidates.features import TrainingFeatures
from assay.candidates.folds import Folds
from assay.candidates.kept import state_of_fits
from assay.candidates.shared import WORKER, Helper, WithHelp, _Hand, helping
from assay.candidates.work import Work
from assay.ledger import Ledger
from assay.side_process import SideProcess
from assay.state_file import packed

FEW = 8  # iterations
GIVEN_UP_S = 60.0  # no test takes as long


def table(n_classes):
    rng = np.random.default_rng(0)
    y = np.arange(120) % n_classes
    return pl.DataFrame(
        {
            "x": rng.normal(size=120) + y,
            "few": rng.choice(["a", "b", "c"], 120),
            "many": [f"level {value}" for value in rng.integers(0, 15, 120)],
            "y": [f"class {c}" for c in y],
        }
    )


def bytes_of(rivals):
    """Return the fits of boosting, behind the majority, as bytes."""
    return b"".join(packed(*state_of_fits("boosting", rivals[1].fits)))


@pytest.fixture
def sides(monkeypatch):
    """Let processes begin; return those that did."""
    monkeypatch.setattr(side_process, "_can_begin", lambda: True)
    begun = []

    def begin(cls, module, own=SideProcess.begin):
        begun.append(own(module))
        return begun[-1]

    monkeypatch.setattr(SideProcess, "begin", classmethod(begin))
    yield begun
    assert all(one.process.poll() is not None for one in begun)


@pytest.fixture
def fit_shared(make, sides, monkeypatch):
    """Fit boosting with a helper, which has one fit before this process makes any.

    Returns:
        A function that returns the bytes of the fits, and those of fits made here alone.
    """

    def fit(n_classes=2):
        setup, recipe = make(table(n_classes))
        options = {"names": ("boosting",), "max_iterations": FEW}
        expected = fit_rivals(setup, recipe, Ledger(), **options)
        side = SideProcess.begin(WORKER)
        made_here, grown, own_fit, own_grow = [], [], shared.one_fit, Helper.grow

        def late(*args):
            until_s = time.monotonic() + GIVEN_UP_S
            while made_here and not grown and time.monotonic() < until_s:  # the first is alone
                time.sleep(0.01)
            made_here.append(args)
            return own_fit(*args)

        def grow(self, *args):
            grown.append(own_grow(self, *args))
            return grown[-1]

        monkeypatch.setattr(shared, "one_fit", late)
        monkeypatch.setattr(Helper, "grow", grow)
        begun = begin_rivals(setup, recipe, Ledger(), side=side, n_processors=2, **options)
        found = begun.finish()
        assert grown
        return bytes_of(found), bytes_of(expected)

    return fit


@pytest.mark.parametrize("n_classes", [2, 3])
def test_fits_shared_with_a_helper_are_the_fits(fit_shared, monkeypatch, n_classes):
    brought, bring = [], Helper.bring
    monkeypatch.setattr(Helper, "bring", lambda *args: brought.append(bring(*args)) or brought[-1])
    found, expected = fit_shared(n_classes)
    assert brought
    assert None not in brought
    assert found == expected


@pytest.mark.parametrize("least_left_s", [0.0, 1e9])
def test_fits_of_a_process_that_is_ahead_are_taken_over(make, sides, monkeypatch, least_left_s):
    monkeypatch.setattr(shared, "_LEAST_LEFT_S", least_left_s)
    setup, recipe = make(table(2))
    options = {"names": ("boosting",), "max_iterations": FEW}
    expected = fit_rivals(setup, recipe, Ledger(), **options)
    there, here = [], []
    ask, fit = Helper._ask, shared.one_fit
    monkeypatch.setattr(Helper, "_ask", lambda *args: there.append(ask(*args)) or there[-1])
    monkeypatch.setattr(shared, "one_fit", lambda *args: here.append(args) or fit(*args))
    begun = begin_rivals(setup, recipe, Ledger(), side=SideProcess.begin(WORKER), **options)
    found = begun.finish()
    assert there
    assert None not in there
    assert bool(here) == (least_left_s == 0.0)  # one fit is its own, the others are shared
    assert bytes_of(found) == bytes_of(expected)


def test_pieces_of_a_process_that_is_ahead_count(make, sides, monkeypatch):
    monkeypatch.setattr(shared, "_LEAST_LEFT_S", 0.0)
    setup, recipe = make(table(2), **{"split.repeats": 2})
    options = {"names": ("boosting",), "max_iterations": FEW}
    expected = fit_rivals(setup, recipe, Ledger(), **options)
    begun = begin_rivals(setup, recipe, Ledger(), side=SideProcess.begin(WORKER), **options)
    until_s = time.monotonic() + GIVEN_UP_S
    while not begun.side.has("0.1.None") and time.monotonic() < until_s:
        time.sleep(0.001)
    n_own, own = [], Helper.n_own
    monkeypatch.setattr(Helper, "n_own", lambda *args: n_own.append(own(*args)) or n_own[-1])
    found = begun.finish()
    assert max(n_own) >= 2
    assert begun.side.process.poll() is not None
    assert bytes_of(found) == bytes_of(expected)


@pytest.mark.attack
def test_all_is_made_by_threads_where_the_process_ahead_is_dead(make, sides, monkeypatch):
    monkeypatch.setattr(boosted, "_LONG_CELLS", 1)
    setup, recipe = make(table(2))
    options = {"names": ("boosting",), "max_iterations": FEW}
    expected = fit_rivals(setup, recipe, Ledger(), **options)
    begun = begin_rivals(setup, recipe, Ledger(), side=SideProcess.begin(WORKER), **options)
    begun.side.process.kill()
    begun.side.process.wait()
    made, own = [], shared.over_fits
    monkeypatch.setattr(
        shared, "over_fits", lambda *args, **how: made.append((args[1], how)) or own(*args, **how)
    )
    found = begun.finish()
    assert sum(n_fits for n_fits, _ in made) >= 3
    assert all(how == {"is_long": True} for _, how in made)
    assert bytes_of(found) == bytes_of(expected)


def kill(helper, *_):
    helper._side.process.kill()
    return helper._side.read("nothing")


@pytest.mark.attack
@pytest.mark.parametrize("when", ["grow", "bring"])
def test_what_a_dead_helper_had_is_made_here(fit_shared, monkeypatch, when):
    monkeypatch.setattr(Helper, when, kill)
    found, expected = fit_shared()
    assert found == expected


@pytest.mark.attack
def test_what_a_helper_spoils_is_made_here(fit_shared, monkeypatch):
    own = Helper._ask

    def spoilt(self, plan, fit_idx, n_kept):
        state = own(self, plan, fit_idx, n_kept)
        return state if n_kept is None or state is None else ({}, {"n_fits": 1})

    monkeypatch.setattr(Helper, "_ask", spoilt)
    found, expected = fit_shared()
    assert found == expected


@pytest.mark.attack
@pytest.mark.parametrize("losses", [None, np.zeros((2, 2)), np.zeros(2, dtype=np.int8)])
def test_losses_that_are_none_are_not_taken(fit_shared, monkeypatch, losses):
    own = Helper._ask

    def spoilt(self, plan, fit_idx, n_kept):
        state = own(self, plan, fit_idx, n_kept)
        return state if n_kept is not None else ({} if losses is None else {"losses": losses}, {})

    monkeypatch.setattr(Helper, "_ask", spoilt)
    found, expected = fit_shared()
    assert found == expected


@pytest.mark.attack
def test_a_thread_that_cannot_start_is_done_without(monkeypatch):
    def fail(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(shared.threading.Thread, "start", fail)
    found = WithHelp([])._together(deque(range(3)), lambda idx: -idx, [_Hand(deque([3]), int)])
    assert found == {0: 0, 1: -1, 2: -2, 3: -3}


def test_an_error_of_a_fit_is_not_taken_for_the_end():
    def fail(idx):
        raise IndexError(f"fit {idx}")

    with pytest.raises(IndexError, match="fit 0"):
        WithHelp([])._together(deque(range(3)), fail, [])


def test_a_process_of_no_use_is_ended_at_once(make, sides):
    setup, recipe = make(table(2))
    side = SideProcess.begin(WORKER)
    begun = begin_rivals(setup, recipe, Ledger(), names=("logistic",), side=side, n_processors=2)
    begun.finish()
    assert side.process.poll() is not None


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_helpers_end_where_fitting_is_ended(make, sides, monkeypatch, error):
    def fail(*args):
        raise error

    monkeypatch.setattr(boosted.Plan, "fit", fail)
    setup, recipe = make(table(2))
    begun = begin_rivals(setup, recipe, Ledger(), side=SideProcess.begin(WORKER), n_processors=2)
    with pytest.raises(error):
        begun.finish()
    assert len(sides) == 1


@pytest.mark.skipif(os.name != "posix", reason="SIGSTOP")
@pytest.mark.attack
def test_a_helper_that_hangs_is_not_waited_for_long(fit_shared, monkeypatch):
    for name in ("_LEAST_PATIENCE_S", "_MOST_PATIENCE_S"):
        monkeypatch.setattr(side_process, name, 1.0)
    own = Helper.bring

    def hang(self, *args):
        self._side.process.send_signal(signal.SIGSTOP)
        return own(self, *args)

    monkeypatch.setattr(Helper, "bring", hang)
    found, expected = fit_shared()
    assert found == expected


def test_whoever_is_free_takes_the_next():
    todo, taken = deque(range(6)), []

    def slow(idx):
        time.sleep(0.05)
        return f"here {idx}"

    def fast(idx):
        taken.append(idx)
        return f"there {idx}"

    found = WithHelp([])._together(todo, slow, [_Hand(todo, fast)])
    assert found[0] == "here 0"  # this process is never left without any
    assert {idx: found[idx] for idx in taken} == {idx: f"there {idx}" for idx in taken}
    assert sorted(found) == list(range(6))
    assert len(taken) > 1


def test_fits_of_long_loops_are_left_to_threads(make, sides, monkeypatch):
    monkeypatch.setattr(boosted, "_LONG_CELLS", 1)
    with helping_for(make, n_processors=4, side=SideProcess.begin(WORKER)) as hands:
        assert type(hands) is Alone
        assert sides[0].process.poll() is not None
    assert len(sides) == 1


@pytest.mark.parametrize(
    ("likely_s", "n_processors", "n_helpers"), [(3.9, 4, 0), (4.0, 1, 0), (4.0, 2, 1), (4.0, 9, 2)]
)
def test_helpers_are_begun_where_they_pay(
    make, sides, monkeypatch, likely_s, n_processors, n_helpers
):
    monkeypatch.setattr(boosted.Plan, "likely_seconds", likely_s)
    with helping_for(make, n_processors=n_processors) as hands:  # of three fits
        assert isinstance(hands, WithHelp) == (n_helpers > 0)
    assert len(sides) == n_helpers


def test_where_none_can_begin_all_is_made_here(make, monkeypatch):
    monkeypatch.setattr(boosted.Plan, "likely_seconds", 99.0)
    monkeypatch.setattr(side_process, "_can_begin", lambda: False)
    with helping_for(make, n_processors=2) as hands:
        assert type(hands) is Alone


def helping_for(make, **options):
    setup, recipe = make(table(2))
    work = Work.of(setup, Folds.of(setup), recipe.seed)
    return helping(work, most_rows=100, max_iterations=FEW, **options)


def test_likely_seconds_grow_with_trees(make):
    setup, _ = make(table(3))
    folds = Folds.of(setup)
    training = TrainingFeatures.of_setup(setup, folds)
    few, more = (boosted.plans_of(training, folds, 0, 100, most)[0] for most in (10, 50))
    assert more.likely_seconds == pytest.approx(5 * few.likely_seconds)
