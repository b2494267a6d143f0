"""Ctrl-C during a training costs no step, and the training goes on to the same bytes."""

import os
import signal
import sys
import threading
from dataclasses import dataclass, field

import pytest

from assay.training import loop
from assay.training.interruption import Interruption
from training.test_checkpoint import Case, Disk, make_frame, make_samples, outcome

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such signals")


class TerminatedError(BaseException):
    pass


@dataclass
class Pressed(Disk):
    """A keeper while whose questions, counted from 1, Ctrl-C is pressed."""

    pressed: dict[int, int] = field(default_factory=dict)
    n_written: int = 0
    stopping: list[bool] = field(default_factory=list)

    def is_due(self) -> bool:
        answer = super().is_due()
        for _ in range(self.pressed.get(self.n_asked, 0)):
            press()
        return answer

    def write(self, name, arrays, document, **options):
        self.n_written += 1
        self.stopping.append(options["is_stopping"])
        super().write(name, arrays, document, **options)


def press(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


@pytest.fixture(scope="module")
def case():
    return Case(*make_samples(make_frame(60), **{"train.epochs": 2}))


@pytest.fixture(scope="module")
def whole(case):
    """What an uninterrupted training leaves, and how often its keeper is asked."""
    disk = Disk()
    return outcome(*case.train(disk)), disk.n_asked


def check_no_step_is_lost(case, disk, whole):
    """Compare with the whole training, which must not be gone on with from further back."""
    expected, n_questions = whole
    n_asked = disk.n_asked
    assert disk.n_written == 1
    disk.next_attempt()
    disk.pressed = {}
    assert outcome(*case.train(disk)) == expected
    assert disk.n_asked + n_asked == n_questions


def test_after_any_step_and_any_epoch_nothing_is_lost(case, whole):
    for n_asked in range(1, whole[1] + 1):
        disk = Pressed(pressed={n_asked: 1})
        with pytest.raises(KeyboardInterrupt):
            case.train(disk)
        assert disk.n_asked == n_asked
        assert disk.stopping == [True]
        check_no_step_is_lost(case, disk, whole)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_validation_is_cut_short_between_two_spans(case, monkeypatch):
    monkeypatch.setattr("assay.training.rows._SPAN_NUMBERS", 3 * 16 * 5)
    measure, calls = loop.sample_losses, []

    def measured(*args):
        calls.append(args)
        if len(calls) == n_calls:
            press()
        return measure(*args)

    n_calls, per_span = 0, len(loop.TEMPERATURES)
    monkeypatch.setattr(loop, "sample_losses", measured)
    disk = Disk()
    whole = outcome(*case.train(disk)), disk.n_asked
    n_spans = len(calls) // per_span
    assert n_spans > 4  # in two epochs
    for span in range(n_spans):
        calls.clear()
        n_calls = span * per_span + 1
        disk = Pressed()
        with pytest.raises(KeyboardInterrupt):
            case.train(disk)
        assert len(calls) == (span + 1) * per_span  # the one it came in is the last
        check_no_step_is_lost(case, disk, whole)


def test_while_a_checkpoint_is_written_no_second_one_is(case, whole):
    class Writing(Pressed):
        def write(self, name, arrays, document, **options):
            if self.due:
                press()
            super().write(name, arrays, document, **options)

    disk = Writing(due=frozenset({4}))
    with pytest.raises(KeyboardInterrupt):
        case.train(disk)
    check_no_step_is_lost(case, disk, whole)


def test_at_the_very_end_what_was_trained_is_kept(case, whole, monkeypatch):
    def finish(run):
        press()
        whole_finish(run)

    whole_finish = loop.Run.finish
    disk = Pressed()
    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "finish", finish)
        with pytest.raises(KeyboardInterrupt):
            case.train(disk)
    check_no_step_is_lost(case, disk, whole)
    assert disk.n_asked == 0  # all was done


def test_a_second_ctrl_c_ends_at_once(case):
    disk = Pressed(pressed={3: 2})
    with pytest.raises(KeyboardInterrupt):
        case.train(disk)
    assert disk.states == {}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_a_keeper_the_first_one_does(case, monkeypatch):
    seen = []

    def step(*args):
        seen.append(signal.getsignal(signal.SIGINT))
        press()

    monkeypatch.setattr(loop.Run, "last_loss", step)
    with pytest.raises(KeyboardInterrupt):
        case.train(None)
    assert seen == [signal.default_int_handler]


def test_a_termination_is_held_back_where_somebody_handles_it():
    def terminated(number, frame):
        raise TerminatedError

    with Interruption(is_awaited=True):
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    before = signal.signal(signal.SIGTERM, terminated)
    try:
        with pytest.raises(TerminatedError), Interruption(is_awaited=True) as interruption:  # noqa: PT012
            press(signal.SIGTERM)
            assert interruption.is_told
            interruption.pass_on()
        with pytest.raises(TerminatedError), Interruption(is_awaited=True):
            press(signal.SIGTERM)  # and nobody asks: it is told at the end
        with pytest.raises(ZeroDivisionError), Interruption(is_awaited=True):  # noqa: PT012
            press(signal.SIGTERM)
            raise ZeroDivisionError  # which ends the work as well
        assert signal.getsignal(signal.SIGTERM) is terminated
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("n_restored", [0, 1])
def test_all_handlers_come_back_though_one_raises_meanwhile(monkeypatch, n_restored):
    def terminated(number, frame):
        raise TerminatedError

    restore, left = signal.signal, iter([False] * n_restored + [True])

    def restoring(number, handler):
        if next(left, False):
            press()
            press()  # the second goes to its handler at once
        return restore(number, handler)

    before = signal.signal(signal.SIGTERM, terminated)
    try:
        interruption = Interruption(is_awaited=True)
        interruption.__enter__()
        with monkeypatch.context() as patch:
            patch.setattr(signal, "signal", restoring)
            with pytest.raises(KeyboardInterrupt):
                interruption.__exit__(None, None, None)
        assert signal.getsignal(signal.SIGTERM) is terminated
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_handler_that_lets_the_work_go_on_is_asked_each_time():
    heard = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        with Interruption(is_awaited=True) as interruption:
            for _ in range(2):
                press()
                assert interruption.is_told
                interruption.pass_on()
                assert not interruption.is_told
        assert heard == [signal.SIGINT] * 2
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_handles_no_signals(case, whole):
    found = []

    def work():
        with Interruption(is_awaited=True):
            found.append(signal.getsignal(signal.SIGINT))
        found.append(outcome(*case.train(Disk())))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler, whole[0]]
