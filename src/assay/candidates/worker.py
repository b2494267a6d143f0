"""Fits simpler models in a process of its own, while another one trains the networks.

Comes in: the work as arrays. Goes out: the fits of one model after the other, as they are
kept for a training that goes on; of boosting each by itself, so that the other process can
take part. PyTorch is never loaded here.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn, TypeVar

from assay.candidates.boosted import BoostedFit, First, Plan, plans_of
from assay.candidates.boosting import Boosting
from assay.candidates.kept import state_of_fits
from assay.candidates.threads import load_learners, one_fit
from assay.candidates.work import Work
from assay.errors import InternalError
from assay.side_process import Inbox, Send, serve
from assay.state_file import State

T = TypeVar("T")


def main() -> None:
    """Be the process that `SideProcess.begin` begins."""
    serve(load_learners, answer)


def answer(given: State, send: Send, inbox: Inbox) -> None:
    """Fit what is asked for.

    Args:
        given: Of `request`.
        send: Is handed each model's fits, and boosting fit by fit.
        inbox: Where questions of a `shared.Helper` for single fits arrive.

    Raises:
        InternalError: There was a warning, which only the other process can show.
    """
    arrays, document = given
    work = Work.from_state(arrays, document["work"])
    most_rows, max_iterations = document["most_rows"], document["max_iterations"]
    single = SingleFits(send, inbox)
    if not document["is_helper"]:
        with suppress(_AskedError):
            _fit_all(work, most_rows, max_iterations, single, send)
            return
    most = most_rows["boosting"]
    single.serve(plans_of(work.training, work.folds, work.seed, most, max_iterations))


def _fit_all(
    work: Work,
    most_rows: dict[str, int],
    max_iterations: int | None,
    single: "SingleFits",
    send: Send,
) -> None:
    for name, most in most_rows.items():
        if name == "boosting":
            work.fit(name, most_rows=most, max_iterations=max_iterations, hands=single)
            send(name, ({}, {}))  # the fits are on their way; these were all
            continue
        with _no_warning():
            fits = work.fit(name, most_rows=most, max_iterations=max_iterations)
        send(name, state_of_fits(name, fits))


class _AskedError(Exception):
    """Single fits are asked for: the other process has begun to take part."""


class SingleFits:
    """Hands that send every fit of boosting: all of them in turn, until some are asked for.

    Args:
        send: Is handed each piece, validation losses and later the fit, by `name_of`.
        inbox: Where questions of a `shared.Helper` arrive.
    """

    def __init__(self, send: Send, inbox: Inbox) -> None:
        self._send, self._inbox = send, inbox
        self._boosters: dict[tuple[int, int], Any] = {}
        self._sent: set[str] = set()

    def grow(self, plan: Plan, fit_idx: Sequence[int]) -> list[First]:
        """Return grown boosters and their validation losses, having sent the losses.

        Raises:
            _AskedError: Single fits are asked for.
        """
        return [self._unasked(self._grow, plan, idx) for idx in fit_idx]

    def bring(self, plan: Plan, boosters: list[Any], n_kept: list[int]) -> list[BoostedFit]:
        """Return all fits, having sent them.

        Raises:
            _AskedError: Single fits are asked for.
        """
        return [self._unasked(self._bring, plan, idx, own) for idx, own in enumerate(n_kept)]

    def serve(self, plans: Sequence[Plan]) -> NoReturn:
        """Make what is asked for, and has not been sent before anybody asked."""
        while True:
            question = self._inbox.get()[1]
            plan, fit_idx, n_kept = plans[question["plan"]], question["fit"], question["n_kept"]
            if name_of(plan, fit_idx, n_kept) in self._sent:
                continue
            if n_kept is None:
                self._grow(plan, fit_idx)
            else:
                self._bring(plan, fit_idx, n_kept)

    def _unasked(self, make: Callable[..., T], *args: Any) -> T:
        if not self._inbox.empty():
            raise _AskedError
        return make(*args)

    def _grow(self, plan: Plan, fit_idx: int) -> First:
        with _no_warning():
            booster, losses = one_fit(plan.fit, fit_idx)
        self._boosters[plan.number, fit_idx] = booster
        self._send_piece(name_of(plan, fit_idx), ({"losses": losses}, {}))
        return booster, losses

    def _bring(self, plan: Plan, fit_idx: int, n_kept: int) -> BoostedFit:
        booster = self._boosters.pop((plan.number, fit_idx))
        with _no_warning():
            fit = one_fit(plan.bring_to, booster, fit_idx, n_kept)
        state = state_of_fits("boosting", Boosting(plan.training.features, (fit,)))
        self._send_piece(name_of(plan, fit_idx, n_kept), state)
        return fit

    def _send_piece(self, name: str, state: State) -> None:
        self._send(name, state)
        self._sent.add(name)


def name_of(plan: Plan, fit_idx: int, n_kept: int | None = None) -> str:
    """Return the name of a fit's piece: its losses, or what it is with `n_kept` iterations."""
    return f"{plan.number}.{fit_idx}.{n_kept}"


@contextmanager
def _no_warning() -> Iterator[None]:
    with warnings.catch_warnings(record=True) as told:
        yield
    if told:
        raise InternalError(str(told[0].message))


def request(
    work: Work, most_rows: dict[str, int], max_iterations: int | None, *, is_helper: bool = False
) -> State:
    """Return what `answer` is given.

    Args:
        work: Without texts.
        most_rows: That a fit of each model learns from; in the order in which to fit.
        max_iterations: Of boosting; None for as many as serve.
        is_helper: Whether only those fits of boosting are made that will be asked for.
    """
    arrays, document = work.to_state()
    return arrays, {
        "work": document,
        "most_rows": most_rows,
        "max_iterations": max_iterations,
        "is_helper": is_helper,
    }
