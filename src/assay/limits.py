"""Budgets as contracts: what fits into the time and the memory, and what is left out.

Comes in: samples and a recipe. Goes out: a population that is ready to be trained
within `train.time` and `train.memory`, and entries in the ledger for what it lacks.
Without budgets nothing is left out, and no clock is looked at.
"""

from dataclasses import dataclass, replace

import torch

from assay.affordable import Affordable
from assay.amounts import duration_text, size_text
from assay.candidates.needs import CandidateNeeds
from assay.evaluate.population import LEARNT_ROWS
from assay.ledger import Ledger
from assay.machine import peak_bytes, physical_bytes, resident_bytes
from assay.options import EvaluateRecipe
from assay.recipe import Recipe
from assay.reserve import ENDING_S, Judging
from assay.samples import Samples
from assay.training.budget import (
    LEAST_EPOCHS,
    LEAST_S,
    MEASURING_SHARE,
    Allotment,
    TimeBudget,
    allot,
)
from assay.training.checkpoint import Keeper
from assay.training.decisions import Decisions, TimePlan
from assay.training.history import History
from assay.training.memory import Fitted, Needs, check_gpu, fit_into, too_large
from assay.training.plan import Pacer, Plan
from assay.training.rehearsal import Pace, measure_pace
from assay.training.rows import CACHE_BYTES
from assay.training.setup import Setup, first_members, of_members, random_part, set_up

_EXPLAINING_SHARE = 0.05  # of the whole time, that explanations may take
_MOST_EXPLAINING_S = 5.0
_LEAST_EXPLAINING_S = 0.3
_STATISTICS_SHARE = 0.15  # of the time left, that resamples may take


@dataclass(frozen=True)
class Prepared:
    """A population that is ready to be trained, and by which plan.

    Attributes:
        setup: Network and lesson.
        pacer: Epochs and deadline.
        evaluate: The section [evaluate], with fewer resamples where time demands.
        n_learnt: Rows learnt from that each member is scored on, at the most.
        told: What a person wants to know of the plan; empty without a budget.
    """

    setup: Setup
    pacer: Pacer
    evaluate: EvaluateRecipe
    n_learnt: int
    told: tuple[str, ...]


class Limits:
    """The budgets of one training.

    Args:
        recipe: All choices.
        time: What is left of `train.time`, or None without.
        ledger: Told what is left out.
        keeper: Keeps what budgets decide for later attempts, which decide the same.

    Attributes:
        candidates: Which simpler models fit into the budgets.
        estimated_bytes: Memory at the peak.
        estimated_gpu_bytes: Memory of a GPU, at the least; 0 without one.
    """

    def __init__(
        self, recipe: Recipe, time: TimeBudget | None, ledger: Ledger, keeper: Keeper | None = None
    ) -> None:
        self._recipe = recipe
        self._time = time
        has_budget = time is not None or recipe.train.memory_bytes is not None
        self._decisions = Decisions(keeper if has_budget else None)
        self._ledger = ledger
        self.candidates = Affordable(recipe, time, self._decisions, ledger)
        self._fitted = Fitted(1, CACHE_BYTES, 0)
        self._n_wanted = 0
        self.estimated_bytes, self.estimated_gpu_bytes = 0, 0
        self._peak_before = peak_bytes()  # of earlier work in this process

    def set_up(self, samples: Samples, device: torch.device) -> Setup:
        """Make the population that fits into the memory.

        Args:
            samples: Of all members.
            device: Where the training runs.

        Raises:
            UserError: Not even one repeat fits, or a GPU has too little; the message tells
                what would do.
        """
        is_begun = self._decisions.has_begun()
        fitted = self._decisions.recall("memory", Fitted)
        if self._time is not None and self._time.left_s < LEAST_S and not is_begun:
            earlier = "" if fitted is None else "earlier attempts and "
            raise self._time.too_small(LEAST_S, f"{earlier}reading the table")
        if fitted is None:
            fitted = self._decisions.keep("memory", self._within_memory(samples))
        self._fitted, self.estimated_bytes = fitted, fitted.peak_bytes
        self._tell_cache(samples, fitted)
        self._n_wanted = len(samples.split.train)
        if fitted.n_repeats < samples.split.n_repeats:
            samples = self._fewer_repeats(samples, fitted.n_repeats, "train.memory")
        if device.type == "cuda":
            needs, n_members = Needs.of(samples, self._recipe), len(samples.split.train)
            self.estimated_gpu_bytes = check_gpu(needs, n_members, device)
        return set_up(samples, self._recipe, device, cache_bytes=fitted.cache_bytes)

    def plan(self, setup: Setup, *, n_test: int) -> Prepared:
        """Decide how long to train and what to judge, so that all ends in time.

        Args:
            setup: As `set_up` returned it.
            n_test: Rows that will be tested on.

        Raises:
            UserError: The time does not suffice for a few steps.
        """
        plan = Plan.of(self._recipe.train, max(setup.lesson.train.counts))
        if self._time is None:
            prepared = Prepared(setup, Pacer(plan), self._recipe.evaluate, LEARNT_ROWS, ())
        else:
            prepared = self._within_time(setup, plan, self._time, n_test=n_test)
        told, n_kept = list(prepared.told), len(prepared.setup.samples.split.train)
        if n_kept < self._n_wanted:
            told.append(f"{n_kept} of {self._n_wanted} networks")
        if self._recipe.train.memory_bytes is not None:
            told.append(f"{size_text(self._fitted.peak_bytes)} of memory at the most")
        return replace(prepared, told=tuple(told))

    def _within_memory(self, samples: Samples) -> Fitted:
        recipe, budget = self._recipe, self._recipe.train.memory_bytes
        peak = peak_bytes()
        reading = peak if peak > self._peak_before else resident_bytes()
        if budget is not None and reading > budget:
            raise too_large(reading, recipe, what="to read and encode the table")
        needs, split = Needs.of(samples, recipe), samples.split
        held, n_members = resident_bytes(), len(split.train)
        held += CandidateNeeds.of(samples).shipping_bytes(recipe.model.candidates)
        peak = held + needs.peak_bytes(n_members, most_cached=CACHE_BYTES)
        self.estimated_bytes = peak
        if budget is None:
            if peak > physical_bytes():
                raise too_large(peak, recipe)
            return Fitted(split.n_repeats, CACHE_BYTES, peak)
        fitted = fit_into(
            needs,
            n_members=n_members,
            n_repeats=split.n_repeats,
            held_bytes=held,
            limit_bytes=budget,
        )
        if fitted is None:
            least = needs.peak_bytes(n_members // split.n_repeats, most_cached=0)
            raise too_large(held + least, recipe)
        return fitted

    def _tell_cache(self, samples: Samples, fitted: Fitted) -> None:
        if fitted.cache_bytes == CACHE_BYTES:
            return
        n_members = len(samples.split.train)
        if Needs.of(samples, self._recipe).cache_bytes(n_members) <= CACHE_BYTES:
            self._ledger.add(
                "inputs encoded anew for every batch",
                where="training",
                why=f"kept in memory they would exceed {self._recipe.train.memory}",
                undo="train.memory",
            )

    def _fewer_repeats(self, samples: Samples, n_repeats: int, option: str) -> Samples:
        kept = of_members(samples, first_members(samples, n_repeats))
        train = self._recipe.train
        budget = train.time if option == "train.time" else train.memory
        self._ledger.add(
            f"{len(kept.split.train)} of {len(samples.split.train)} networks trained",
            where="training",
            why=f"to stay within {budget}",
            undo=option,
        )
        return kept

    def _within_time(self, setup: Setup, plan: Plan, time: TimeBudget, *, n_test: int) -> Prepared:
        made = self._decisions.recall("plan", TimePlan) if self._decisions.has_begun() else None
        if made is None:
            setup, decided = self._divide(setup, plan, time, n_test=n_test)
            made = self._decisions.keep("plan", decided)
        elif made.n_members < len(setup.samples.split.train):
            setup = self._set_up_fewer(setup, made.n_members)
        setup = self._fewer_validated(setup, made.n_validated)
        evaluate = self._recipe.evaluate.model_copy(update={"bootstrap": made.bootstrap})
        self._tell_draws(evaluate, time)
        pacer = Pacer(plan, time.deadline(made.reserve_s), is_pressed=made.is_pressed)
        return Prepared(setup, pacer, evaluate, made.n_learnt, (made.told,))

    def _divide(
        self, setup: Setup, plan: Plan, time: TimeBudget, *, n_test: int
    ) -> tuple[Setup, TimePlan]:
        """Measure the pace and divide the time left; return the members it suffices for."""
        pace = measure_pace(
            setup.network,
            setup.lesson,
            self._recipe.train,
            plan,
            clock=time.clock,
            most_s=MEASURING_SHARE * max(time.left_s, 0.0),
        )
        judging = self._judging(setup, pace, time, n_test=n_test)
        allotment = self._allot(setup, plan, pace, time, judging)
        n_members, n_repeats = len(setup.samples.split.train), setup.samples.split.n_repeats
        share = allotment.n_epochs / min(plan.n_epochs, LEAST_EPOCHS)
        if share < 1.0 and n_repeats > 1:
            n_fewer = len(first_members(setup.samples, int(share * n_repeats)))
            setup = self._set_up_fewer(setup, n_fewer)
            pace = pace.of_share(n_fewer / n_members)
            judging = self._judging(setup, pace, time, n_test=n_test)
            allotment = self._allot(setup, plan, pace, time, judging)
        if not allotment.suffices:
            raise time.too_small(allotment.needed_s, "all before training")
        n_validated = allotment.n_validated
        return setup, TimePlan(
            n_members=len(setup.samples.split.train),
            n_validated=n_validated,
            n_learnt=judging.n_learnt(n_validated),
            bootstrap=judging.recipe(n_validated).bootstrap,
            reserve_s=allotment.reserve_s,
            is_pressed=allotment.n_epochs < plan.n_epochs,
            told=_told(allotment, plan, time.text),
        )

    def _set_up_fewer(self, setup: Setup, n_members: int) -> Setup:
        """Make the population anew with its first members, whole repeats of the folds."""
        samples, device = setup.samples, setup.lesson.rows.device
        n_repeats = samples.split.n_repeats * n_members // len(samples.split.train)
        samples = self._fewer_repeats(samples, n_repeats, "train.time")
        return set_up(samples, self._recipe, device, cache_bytes=self._fitted.cache_bytes)

    def _judging(self, setup: Setup, pace: Pace, time: TimeBudget, *, n_test: int) -> Judging:
        n_rivals = len(self._recipe.model.candidates)
        most_s = _STATISTICS_SHARE * max(time.left_s, 0.0)
        evaluate, explaining_s = self._recipe.evaluate, _explaining_s(time)
        return Judging(setup, pace, evaluate, n_test, n_rivals, most_s, explaining_s)

    def _tell_draws(self, evaluate: EvaluateRecipe, time: TimeBudget) -> None:
        wanted = self._recipe.evaluate.bootstrap
        if evaluate.bootstrap < wanted:
            self._ledger.add(
                f"intervals from {evaluate.bootstrap} of {wanted} resamples",
                where="evaluation",
                why=f"to end within {time.text}",
                undo="train.time",
            )

    def _fewer_validated(self, setup: Setup, most: int) -> Setup:
        lesson = setup.lesson
        sample = random_part(lesson.validation, most, weight=lesson.weight)
        if sample is lesson.validation:
            return setup
        self._ledger.add(
            f"{sum(sample.counts)} of {sum(lesson.validation.counts)} rows left out judged",
            where="evaluation",
            why=f"a random part of them, to end within {self._recipe.train.time}",
            undo="train.time",
        )
        return replace(setup, lesson=replace(lesson, validation=sample))

    def _allot(
        self, setup: Setup, plan: Plan, pace: Pace, time: TimeBudget, judging: Judging
    ) -> Allotment:
        return allot(
            time.left_s,
            pace,
            plan,
            n_members=setup.network.n_members,
            n_validated=setup.lesson.validation.row_idx.shape[1],
            judging_s=judging.seconds,
        )

    def explaining_s(self) -> float | None:
        """Return the seconds that explanations may take now; None for no limit."""
        if self._time is None:
            return None
        return min(_explaining_s(self._time), self._time.left_s - ENDING_S)

    def tell_explaining(self, most_s: float | None) -> bool:
        """Return whether there is time for explanations, and tell the ledger if not."""
        if most_s is None or most_s >= _LEAST_EXPLAINING_S:
            return True
        self._ledger.add(
            "importance of columns not measured",
            where="evaluation",
            why=f"to end within {self._recipe.train.time}",
            undo="train.time",
        )
        return False

    def tell_training(self, history: History, pacer: Pacer) -> None:
        """Tell the ledger of epochs that time did not allow."""
        if history.is_cut and self._time is not None:
            self._ledger.add(
                f"{_of_epochs(history.n_passes, pacer.plan)} trained",
                where="training",
                why=f"to end within {self._time.text}",
                undo="train.time",
            )


def _explaining_s(time: TimeBudget) -> float:
    return min(_EXPLAINING_SHARE * time.total_s, _MOST_EXPLAINING_S)


def _told(allotment: Allotment, plan: Plan, budget: str) -> str:
    n_epochs = allotment.n_epochs
    if n_epochs >= plan.n_epochs:
        training_s = allotment.training_s * plan.n_epochs / n_epochs
        what = f"all {plan.n_epochs} epochs"
    else:
        training_s = allotment.training_s
        what = _of_epochs(n_epochs, plan)
    return (
        f"{what} in about {duration_text(training_s)}, "
        f"then {duration_text(allotment.reserve_s)} to evaluate (budget {budget})"
    )


def _of_epochs(n_epochs: float, plan: Plan) -> str:
    shown = f"{n_epochs:.0f}" if n_epochs >= 10 else f"{n_epochs:.2g}"
    return f"{shown} of {plan.n_epochs} epochs"
