"""The simpler models of a training: which, on how many rows, and how long they take.

Comes in: a population that is ready to be trained, and the recipe. Goes out: the
majority class, logistic regression and boosted trees, each fitted on every fold.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from assay.candidates import boosting, logistic
from assay.candidates.features import TrainingFeatures
from assay.candidates.folds import Folds
from assay.candidates.kept import keep_fits, recall_fits
from assay.candidates.rivals import Fits, Majority, Rival
from assay.candidates.threads import load_learners
from assay.ledger import Ledger
from assay.machine import give_back
from assay.options import CandidateName
from assay.recipe import Recipe
from assay.training.checkpoint import Keeper
from assay.training.plan import Clock
from assay.training.setup import Setup

NAMES: tuple[CandidateName, ...] = ("logistic", "boosting")  # the simplest first

_MEASURED_ROWS = 10_000
_MEASURED_ITERATIONS = 8
_FEW_ROWS, _FEW_ITERATIONS, _MANY_ITERATIONS = 20_000, 150, 400  # that boosting will need


def fit_rivals(
    setup: Setup,
    recipe: Recipe,
    ledger: Ledger,
    *,
    names: tuple[str, ...] = NAMES,
    on_stage: Callable[[str], None] | None = None,
    max_iterations: int | None = None,
    keeper: Keeper | None = None,
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
    folds, arrays = Folds.of(setup), setup.samples.arrays
    rivals = [Rival.of("majority", Majority.fit(folds), folds, arrays)]
    chosen = [name for name in NAMES if name in names]
    if not chosen:
        return tuple(rivals)
    work = _Work.of(setup, folds, recipe)
    for name in chosen:
        if on_stage is not None:
            on_stage(name)
        most, largest = work.most_rows(name), folds.largest
        if largest > most:
            ledger.add(
                f"{name} fitted on {most:,} of up to {largest:,} rows of each fold",
                where="candidates",
                why="a random part of them, as more would take long and gain little",
                undo="model.candidates, to do without",
            )
        fits = None if keeper is None else work.recall(name, keeper)
        if fits is None:
            fits = work.fit(name, most, max_iterations)
            if keeper is not None:
                keep_fits(keeper, name, fits)
        rivals.append(Rival.of(name, fits, folds, arrays))
        give_back()  # what the fits' threads used stays with them otherwise
    return tuple(rivals)


def measure_seconds(
    setup: Setup, recipe: Recipe, clock: Clock, *, names: tuple[str, ...] = NAMES
) -> dict[str, float]:
    """Return about how long `fit_rivals` takes for each name, by tiny fits on one fold.

    A part of the rows and a few iterations are fitted and extrapolated. It is right within
    a factor of two or so: how soon boosting ends, nobody knows beforehand.
    """
    load_learners()  # not to be measured
    folds = Folds.of(setup)
    work = _Work.of(setup, folds.of_fits(np.array([0])), recipe)
    seconds: dict[str, float] = {}
    for name in (name for name in NAMES if name in names):
        most = min(folds.largest, work.most_rows(name))
        few = min(_MEASURED_ROWS, most)
        fit_s = work.seconds(name, few, 1, clock)
        if name == "boosting":
            more_s = work.seconds(name, few, 1 + _MEASURED_ITERATIONS, clock)
            n_typical = _FEW_ITERATIONS if most <= _FEW_ROWS else _MANY_ITERATIONS
            n_iterations = min(boosting.n_iterations(work.training, folds, most), n_typical)
            fit_s += max(more_s - fit_s, 0.0) / _MEASURED_ITERATIONS * n_iterations
        seconds[name] = fit_s * folds.n_fits * most / few
    return seconds


@dataclass(frozen=True)
class _Work:
    """What the fits of a training have in common."""

    training: TrainingFeatures
    folds: Folds
    n_levels: list[int]
    seed: int

    @classmethod
    def of(cls, setup: Setup, folds: Folds, recipe: Recipe) -> "_Work":
        n_levels = [len(feature.levels) for feature in setup.samples.encoder.categorical]
        return cls(TrainingFeatures(setup, folds), folds, n_levels, recipe.seed)

    def most_rows(self, name: str) -> int:
        """Return how many rows a fit of this name learns from at the most."""
        features = self.training.features
        if name == "boosting":
            return boosting.most_rows(features.n_columns)
        return logistic.most_rows(logistic.n_inputs(features, self.n_levels))

    def fit(self, name: str, most_rows: int, max_iterations: int | None) -> Fits:
        """Fit a model on every fold."""
        training, folds = self.training, self.folds
        if name == "logistic":
            return logistic.fit_logistic(
                training, folds, n_levels=self.n_levels, most_rows=most_rows
            )
        return boosting.fit_boosting(
            training, folds, seed=self.seed, most_rows=most_rows, max_iterations=max_iterations
        )

    def recall(self, name: str, keeper: Keeper) -> Fits | None:
        """Return the fits of an earlier attempt, if it finished them."""
        features, n_fits = self.training.features, self.folds.n_fits
        return recall_fits(keeper, name, features, n_fits=n_fits, n_levels=self.n_levels)

    def seconds(self, name: str, most_rows: int, max_iterations: int, clock: Clock) -> float:
        """Return how long that takes."""
        began_s = clock()
        self.fit(name, most_rows, max_iterations)
        return clock() - began_s
