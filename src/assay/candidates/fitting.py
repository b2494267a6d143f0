"""The simpler models of a training: which, on how many rows, and how long they take.

Comes in: a population that is ready to be trained, and the recipe. Goes out: the
majority class, logistic regression and boosted trees, each fitted on every fold.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.candidates.boosting import Alone, Boosting, Hands
from assay.candidates.folds import Folds
from assay.candidates.growth import growth_of, n_iterations
from assay.candidates.kept import state_of_fits
from assay.candidates.rivals import Fits, Majority, Rival
from assay.candidates.shared import helping, taking_over
from assay.candidates.threads import load_learners
from assay.candidates.work import Work
from assay.candidates.worker import request
from assay.encode.arrays import Arrays
from assay.ledger import Ledger
from assay.machine import give_back
from assay.options import CandidateName
from assay.recipe import Recipe
from assay.side_process import SideProcess
from assay.state_file import UnfitStateError

if TYPE_CHECKING:  # PyTorch
    from assay.training.checkpoint import Keeper
    from assay.training.plan import Clock
    from assay.training.setup import Setup

NAMES: tuple[CandidateName, ...] = ("logistic", "boosting")  # the simplest first

_MEASURED_ROWS = 10_000
_MEASURED_ITERATIONS = (8, 40)  # more where fewer take too little time to tell
_TELLING_S = 0.2
_ENOUGH = "as more would take long and gain little"
_WORTHWHILE_ITERATIONS = 60  # fewer say clearly less, many more a little


def fit_rivals(
    setup: "Setup",
    recipe: Recipe,
    ledger: Ledger,
    *,
    names: tuple[str, ...] = NAMES,
    on_stage: Callable[[str], None] | None = None,
    max_iterations: int | None = None,
    keeper: "Keeper | None" = None,
) -> tuple[Rival, ...]:
    """Fit simpler models on the folds of a population.

    Args:
        setup: Ready to be trained; whether it has been does not matter.
        recipe: Its seed.
        ledger: Told of rows left out.
        names: Which, besides the majority.
        on_stage: Told the name of each before its fits.
        max_iterations: Of boosting, at the most; None for as many as serve.
        keeper: Keeps each one's fits, and has those of an earlier attempt.

    Returns:
        The majority, then those named, the simplest first.
    """
    begun = begin_rivals(
        setup, recipe, ledger, names=names, max_iterations=max_iterations, keeper=keeper
    )
    return begun.finish(on_stage)


def begin_rivals(
    setup: "Setup",
    recipe: Recipe,
    ledger: Ledger,
    *,
    names: tuple[str, ...] = NAMES,
    max_iterations: int | None = None,
    most_rows: int | None = None,
    keeper: "Keeper | None" = None,
    side: SideProcess | None = None,
    n_processors: int = 1,
) -> "Begun":
    """Get ready to fit simpler models, in another process where that is given.

    Args:
        setup: As for `fit_rivals`, and the others.
        recipe: Its seed.
        ledger: Told of rows left out.
        names: Which, besides the majority.
        max_iterations: Of boosting, at the most.
        most_rows: That a fit of boosting learns from, to keep to a budget of time.
        keeper: Keeps each one's fits, and has those of an earlier attempt.
        side: Runs `candidates.worker`; None to fit all when it is finished.
        n_processors: With more than one, fits of boosting are shared with other processes
            when it is finished, of which `side` is the first.
    """
    folds, arrays = Folds.of(setup), setup.samples.arrays
    chosen = [name for name in NAMES if name in names]
    if not chosen:
        return Begun(None, folds, arrays, {}, max_iterations)
    work = Work.of(setup, folds, recipe.seed)
    rows_of: dict[str, int] = {name: work.most_rows(name) for name in chosen}
    if most_rows is not None and "boosting" in rows_of:
        rows_of["boosting"] = min(most_rows, rows_of["boosting"])
    for name, most in rows_of.items():
        if folds.largest > most:
            is_pressed = most < work.most_rows(name)
            reason = f"to stay within {recipe.train.time}" if is_pressed else _ENOUGH
            ledger.add(
                f"{name} fitted on {most:,} of up to {folds.largest:,} rows of each fold",
                where="candidates",
                why=f"a random part of them, with rows of every class, {reason}",
                undo="train.time" if is_pressed else "model.candidates, to do without",
            )
    helper = None
    if n_processors > 1:
        helper, side = side, None
    elif side is not None and not side.give(*request(work, rows_of, max_iterations)):
        side = None
    return Begun(work, folds, arrays, rows_of, max_iterations, keeper, side, helper, n_processors)


@dataclass(frozen=True)
class Begun:
    """Simpler models on their way.

    Attributes:
        work: What the fits have in common; None without any.
        folds: Who is fitted on what.
        arrays: All N rows.
        most_rows: That a fit of each model learns from.
        max_iterations: Of boosting, at the most.
        keeper: Keeps each one's fits, and has those of an earlier attempt.
        side: The process that fits them; None for this one.
        helper: A process that was begun and may help this one; or None.
        n_processors: That fits of boosting are shared by.
    """

    work: Work | None
    folds: Folds
    arrays: Arrays
    most_rows: dict[str, int]
    max_iterations: int | None
    keeper: "Keeper | None" = None
    side: SideProcess | None = None
    helper: SideProcess | None = None
    n_processors: int = 1

    def is_at_hand(self) -> bool:
        """Whether the other process has made all fits, so that `finish` takes no time."""
        side = self.side
        return side is not None and all(side.has(name) for name in self.most_rows)

    def finish(self, on_stage: Callable[[str], None] | None = None) -> tuple[Rival, ...]:
        """Return the majority, then the others, the simplest first.

        Args:
            on_stage: Told the name of each before its fits.
        """
        work, folds, arrays = self.work, self.folds, self.arrays
        rivals = [Rival.of("majority", Majority.fit(folds), folds, arrays)]
        if work is None:
            return tuple(rivals)
        give_back()
        with self._hands(work) as hands:
            for name in self.most_rows:
                if on_stage is not None:
                    on_stage(name)
                rivals.append(Rival.of(name, self._fits(work, name, hands), folds, arrays))
                give_back()  # what the fits' threads used stays with them otherwise
        return tuple(rivals)

    def _hands(self, work: Work) -> AbstractContextManager[Hands]:
        """Return who makes the fits of boosting, for as long as they are made."""
        if self.side is not None:
            return taking_over(self.side, work)
        is_kept = self.keeper is not None and self.keeper.read("boosting") is not None
        if "boosting" not in self.most_rows or is_kept or self.n_processors == 1:
            if self.helper is not None:
                self.helper.close()
            return nullcontext(Alone())
        return helping(
            work,
            most_rows=self.most_rows["boosting"],
            max_iterations=self.max_iterations,
            n_processors=self.n_processors,
            side=self.helper,
        )

    def _fits(self, work: Work, name: str, hands: Hands) -> Fits:
        """Return the fits of an earlier attempt, of the other process, or of this one."""
        keeper = self.keeper
        state = None if keeper is None else keeper.read(name)
        if state is not None:
            return work.fits_of(name, state)
        fits = None if name == "boosting" else self._from_side(work, name)  # it comes by `hands`
        if fits is None:
            most, max_iterations = self.most_rows[name], self.max_iterations
            fits = work.fit(name, most_rows=most, max_iterations=max_iterations, hands=hands)
        if keeper is not None:
            keeper.write(name, *state_of_fits(name, fits))
        return fits

    def _from_side(self, work: Work, name: str) -> Fits | None:
        state = None if self.side is None else self.side.read(name)
        try:
            return None if state is None else work.fits_of(name, state)
        except UnfitStateError:
            return None


@dataclass(frozen=True)
class Effort:
    """What fitting a model on every fold takes.

    Attributes:
        seconds: For all fits.
        n_iterations: Of boosting that are counted, 1 for other models; how soon it ends,
            nobody knows beforehand.
        n_rows: That each fit learns from.
    """

    seconds: float
    n_iterations: int = 1
    n_rows: int = 0


def measure_efforts(
    setup: "Setup", recipe: Recipe, clock: "Clock", *, names: tuple[str, ...] = NAMES
) -> dict[str, Effort]:
    """Return about how long `fit_rivals` takes for each name, by tiny fits on one fold.

    A part of the rows and a few iterations are fitted and extrapolated. Of boosting as many
    iterations are counted as are worth its while; it may go on for many more.
    """
    load_learners()  # not to be measured
    folds = Folds.of(setup)
    work = Work.of(setup, folds.of_fits(np.array([0])), recipe.seed)
    efforts: dict[str, Effort] = {}
    for name in (name for name in NAMES if name in names):
        most = min(folds.largest, work.most_rows(name))
        few, n_fits = min(_MEASURED_ROWS, most), folds.n_fits
        fit_s, n_counted = _seconds(work, name, few, 1, clock), 1
        if name == "boosting":
            growth = growth_of(most, folds.n_classes)
            allowed = n_iterations(growth, work.training, folds, most)
            n_counted = min(allowed, _WORTHWHILE_ITERATIONS)
            patience = growth_of(few, folds.n_classes).patience
            fit_s += n_counted * _iteration_seconds(work, few, fit_s, patience, clock)
        efforts[name] = Effort(fit_s * n_fits * most / few, n_counted, most)
    return efforts


def _iteration_seconds(
    work: Work, most_rows: int, first_s: float, patience: int, clock: "Clock"
) -> float:
    """Return how long an iteration of boosting takes after the first."""
    iteration_s = 0.0
    for n_more in _MEASURED_ITERATIONS:
        began_s = clock()
        fits = work.fit("boosting", most_rows=most_rows, max_iterations=1 + n_more)
        more_s = clock() - began_s
        n_kept = fits.n_iterations[0] if isinstance(fits, Boosting) else 0
        n_run = min(n_more, n_kept + patience)  # it may have ended by itself
        iteration_s = max(more_s - first_s, 0.0) / n_run
        if more_s >= _TELLING_S:
            break
    return iteration_s


def _seconds(work: Work, name: str, most_rows: int, max_iterations: int, clock: "Clock") -> float:
    """Return how long the fits of a model take."""
    began_s = clock()
    work.fit(name, most_rows=most_rows, max_iterations=max_iterations)
    return clock() - began_s
