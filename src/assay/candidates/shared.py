"""Fits of boosting shared with other processes.

Between the short loops of small fits scikit-learn spends its time in Python, where threads
wait for each other; processes do not. Comes in: fits to make. Goes out: the same fits,
whoever made them; what a helper does not bring is made here.
"""

import contextlib
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np

from assay.candidates.boosted import BoostedFit, First, Plan, plans_of
from assay.candidates.boosting import Alone, Boosting, Hands
from assay.candidates.kept import fits_of_state
from assay.candidates.threads import load_learners, one_fit, over_fits
from assay.candidates.work import Work
from assay.candidates.worker import name_of, request
from assay.side_process import SideProcess
from assay.state_file import State, UnfitStateError

T = TypeVar("T")

WORKER = "assay.candidates.worker"
_MOST_HELPERS = 3  # each takes about 0.2 GB of memory
_LEAST_S = 4.0  # that all fits take, likely; a helper needs 1 to 3 s to begin
_JOIN_S = 0.2
_LEAST_LEFT_S = 1.5  # of fits, likely, for this process to take part in what one is ahead with


@dataclass(frozen=True)
class Elsewhere:
    """A booster that a helper has."""

    helper: "Helper"


class Helper:
    """A process that makes single fits.

    Args:
        side: Runs `candidates.worker`; it has been given the work.
        work: What the fits have in common.
        is_ahead: Whether it has begun by itself.
    """

    def __init__(self, side: SideProcess, work: Work, *, is_ahead: bool = False) -> None:
        self._side, self._work, self._is_ahead = side, work, is_ahead

    def n_own(self, plan: Plan, fit_idx: Sequence[int]) -> int:
        """Return how many of the next fits nobody else should make.

        They are those that it has made before it was asked and the one that it is at, or
        all where the others are not worth loading a library for.
        """
        if not self._is_ahead:
            return 0
        n_begun = 1 + sum(self._side.has(name_of(plan, idx)) for idx in fit_idx)
        left_s = (len(fit_idx) - n_begun) * self._side.seconds_a_piece()
        if left_s < _LEAST_LEFT_S or self._side.is_over():
            return len(fit_idx)
        self._request(plan, fit_idx[n_begun - 1], None)  # before it begins with another
        return n_begun

    def grow(self, plan: Plan, fit_idx: int) -> First | None:
        """Return that it has the booster, with its validation losses; None if it failed."""
        state = self._ask(plan, fit_idx, None)
        losses = None if state is None else state[0].get("losses")
        if losses is None or losses.ndim != 1 or losses.dtype != np.float64:
            return None
        return Elsewhere(self), losses

    def bring(self, plan: Plan, n_kept: Sequence[int], fit_idx: int) -> BoostedFit | None:
        """Return a fit whose booster it has, of its own of `n_kept`; None if it failed."""
        state = self._ask(plan, fit_idx, n_kept[fit_idx])
        if state is None:
            return None
        features, n_levels = plan.training.features, self._work.training.n_levels
        try:
            fits = fits_of_state(state, "boosting", features, n_fits=1, n_levels=n_levels)
        except UnfitStateError:
            return None
        return fits.fits[0] if isinstance(fits, Boosting) else None

    def _ask(self, plan: Plan, fit_idx: int, n_kept: int | None) -> State | None:
        name = name_of(plan, fit_idx, n_kept)
        if not self._side.has(name):  # what it has ended with may still be on its way
            self._request(plan, fit_idx, n_kept)
        return self._side.read(name)

    def _request(self, plan: Plan, fit_idx: int, n_kept: int | None) -> None:
        self._side.ask({"plan": plan.number, "fit": fit_idx, "n_kept": n_kept})


@dataclass(frozen=True)
class _Hand(Generic[T]):
    """Somebody who makes fits.

    Attributes:
        todo: Numbers of fits; the same queue may be shared with others.
        make: Returns a fit, or None if that failed.
        own: Numbers that only it takes, and first.
    """

    todo: deque[int]
    make: Callable[[int], T | None]
    own: Sequence[int] = ()

    def work(self, found: dict[int, T]) -> None:
        """Make its own fits and then others, until there are none, or one fails."""
        for idx in itertools.chain(self.own, iter(lambda: _next(self.todo), None)):
            made = self.make(idx)
            if made is None:
                return
            found[idx] = made


class WithHelp:
    """The hands of this process and of others.

    Args:
        helpers: One at the least.
    """

    def __init__(self, helpers: Sequence[Helper]) -> None:
        self._helpers = tuple(helpers)

    def grow(self, plan: Plan, fit_idx: Sequence[int]) -> list[First]:
        """Return boosters, of which some are `Elsewhere`, and their validation losses."""
        todo = deque(fit_idx)
        hands = []
        for helper in self._helpers:
            own = [todo.popleft() for _ in range(helper.n_own(plan, fit_idx))]
            hands.append(_Hand(todo, partial(helper.grow, plan), own))
        found = self._together(todo, plan.fit, hands, is_long=plan.is_long)
        return [found[idx] for idx in fit_idx]

    def bring(self, plan: Plan, boosters: list[Any], n_kept: list[int]) -> list[BoostedFit]:
        """Return all fits; each booster is brought to its length where it is."""

        def here(idx: int) -> BoostedFit:
            booster = boosters[idx]
            if isinstance(booster, Elsewhere):  # and lost
                booster, _ = plan.fit(idx)
            return plan.bring_to(booster, idx, n_kept[idx])

        def owned(helper: Helper | None) -> deque[int]:
            of = [own.helper if isinstance(own, Elsewhere) else None for own in boosters]
            return deque(idx for idx, other in enumerate(of) if other is helper)

        hands = [_Hand(owned(one), partial(one.bring, plan, n_kept)) for one in self._helpers]
        found = self._together(owned(None), here, hands, is_long=plan.is_long)
        return [found[idx] for idx in range(len(boosters))]

    def _together(
        self,
        todo: deque[int],
        here: Callable[[int], T],
        hands: Sequence[_Hand[T]],
        *,
        is_long: bool = False,
    ) -> dict[int, T]:
        """Return all fits by their numbers; what others do not bring is made here.

        Args:
            todo: What is to be done here, or the queue that all share.
            here: Makes a fit in this process.
            hands: The others.
            is_long: As for `over_fits`.
        """
        wanted = {*todo, *(idx for hand in hands for idx in (*hand.own, *hand.todo))}
        found: dict[int, T] = {}
        idx = _next(todo)  # this process is not left without any of the others
        threads = []
        for hand in hands:
            other = threading.Thread(target=hand.work, args=(found,), daemon=True)
            with contextlib.suppress(RuntimeError, MemoryError):  # it cannot be started
                other.start()
                threads.append(other)
        while idx is not None:
            load_learners()
            found[idx] = one_fit(here, idx)
            idx = _next(todo)
        for other in threads:
            while other.is_alive():
                other.join(_JOIN_S)  # without a limit Windows would not hear Ctrl-C
        left = sorted(wanted - found.keys())
        if left:
            load_learners()
            made = over_fits(lambda number: here(left[number]), len(left), is_long=is_long)
            found |= dict(zip(left, made, strict=True))
        return found


def _next(todo: deque[int]) -> int | None:
    """Take the next number; None where there is none, or another took the last."""
    try:
        return todo.popleft()
    except IndexError:
        return None


@contextlib.contextmanager
def helping(
    work: Work,
    *,
    most_rows: int,
    max_iterations: int | None,
    n_processors: int,
    side: SideProcess | None = None,
) -> Iterator[Hands]:
    """Yield the hands that fits of boosting are best made by; helpers end afterwards.

    Args:
        work: What the fits have in common; without texts.
        most_rows: That a fit learns from.
        max_iterations: As for `fit_boosting`.
        n_processors: That may be used, this process's one included.
        side: Runs `candidates.worker` and was given nothing yet; or None.
    """
    (usual, *_) = plans_of(work.training, work.folds, work.seed, most_rows, max_iterations)
    n_helpers = min(n_processors, work.folds.n_fits, 1 + _MOST_HELPERS) - 1
    sides = [] if side is None else [side]
    try:
        if usual.is_long or n_helpers < 1:
            _end(sides)
            yield Alone()
            return
        is_worthwhile = usual.likely_seconds >= _LEAST_S
        while is_worthwhile and len(sides) < n_helpers:
            other = SideProcess.begin(WORKER)
            if other is None:
                break
            sides.append(other)
        given = request(work, {"boosting": most_rows}, max_iterations, is_helper=True)
        helpers = [Helper(one, work) for one in sides if one.give(*given)]
        yield WithHelp(helpers) if helpers else Alone()
    finally:
        _end(sides)


@contextlib.contextmanager
def taking_over(side: SideProcess, work: Work) -> Iterator[Hands]:
    """Yield the hands of a process that is ahead and of this one; it ends afterwards.

    Args:
        side: Runs `candidates.worker`; it makes all fits of boosting until some are asked for.
        work: That it has been given.
    """
    try:
        yield WithHelp([Helper(side, work, is_ahead=True)])
    finally:
        side.close()


def _end(sides: Sequence[SideProcess]) -> None:
    for one in sides:  # all at once, or who interrupts this would leave some
        one.process.kill()
    for one in sides:
        one.close()
