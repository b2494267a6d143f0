"""Which simpler models budgets allow: before the networks are trained, and again after.

Comes in: a population and what is left of the budgets. Goes out: names of models to fit,
and entries in the ledger for those that are left out in the end. A training often ends
before its deadline; what had been left out to make room for it may then be fitted yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assay.candidates import NAMES, Effort, Rival, measure_efforts
from assay.candidates.boosting import Boosting
from assay.candidates.growth import MOST_CLASSES
from assay.candidates.needs import CandidateNeeds
from assay.ledger import Ledger
from assay.machine import resident_bytes
from assay.options import CandidateName
from assay.recipe import Recipe
from assay.reserve import SLACK
from assay.training.budget import TimeBudget
from assay.training.decisions import Decisions, LeftOut
from assay.training.setup import Setup

_SHARE = 0.4  # of the time left, that simpler models may take beside the networks
_LEAST_LEFT_S = 12.0  # below, to load what fits them and to measure takes too much
_LEAST_AFTER_S = 5.0  # the same once the networks are trained
_LEAST_ROWS = 10_000  # that a fit of boosting learns from, rather than being left out
_LEAST_PART = 0.5  # of the iterations counted, that boosting gets if it is preferred
_LEAST_S = 1e-3  # that a model takes, whatever was measured


@dataclass(frozen=True)
class Chosen:
    """Simpler models to fit.

    Attributes:
        names: The simplest first.
        max_iterations: Of boosting; None for as many as serve.
        most_rows: That a fit of boosting learns from; None for as many as serve.
    """

    names: tuple[CandidateName, ...] = ()
    max_iterations: int | None = None
    most_rows: int | None = None


class Affordable:
    """Simpler models within the budgets of one training.

    Args:
        recipe: All choices.
        time: What is left of `train.time`, or None without.
        decisions: Those of earlier attempts hold.
        ledger: Told what is left out.
    """

    def __init__(
        self, recipe: Recipe, time: TimeBudget | None, decisions: Decisions, ledger: Ledger
    ) -> None:
        self._recipe = recipe
        self._time = time
        self._decisions = decisions
        self._ledger = ledger
        self._efforts: dict[str, Effort] = {}
        self._left_out = LeftOut()

    def before_training(self, setup: Setup) -> Chosen:
        """Return the models to fit beside the networks.

        What `model.prefer` names is fitted all the same.

        Args:
            setup: As it would be trained.
        """
        model = self._recipe.model
        kept = [name for name in NAMES if name == model.prefer]
        others = [name for name in NAMES if name in model.candidates and name not in kept]
        if not setup.samples.split.validation.any():  # nothing to compare by
            return Chosen(tuple(kept))
        if "boosting" in others and setup.network.n_classes > MOST_CLASSES:
            why = f"{setup.network.n_classes} classes need too many trees"
            self._ledger.add("boosting not compared", where="candidates", why=why,
                             undo="model.prefer")  # fmt: skip
            others.remove("boosting")
        left_out = self._decisions.recall("candidates", LeftOut)
        if left_out is None:
            left_out = self._decisions.keep("candidates", self._within_budgets(setup, others, kept))
        kept += [name for name in others if name not in left_out.names]
        return self._chosen(left_out, kept)

    def after_training(self, setup: Setup, left_s: float) -> Chosen:
        """Return which of the models left out fit into what the training left over.

        Args:
            setup: As it was trained.
            left_s: Seconds until all else has to begin.
        """
        before = self._left_out
        if before.option != "train.time" or self._time is None:
            return Chosen()
        left_out = self._decisions.recall("candidates-after", LeftOut)
        if left_out is None:
            left_out = self._decisions.keep(
                "candidates-after", self._within_rest(setup, self._time, before, left_s)
            )
        return self._chosen(left_out, [name for name in before.names if name not in left_out.names])

    def tell(self, rivals: Sequence[Rival]) -> None:
        """Tell the ledger of models left out, and of boosting that had to end.

        Args:
            rivals: The models that were fitted.
        """
        train, option = self._recipe.train, self._left_out.option
        budget = train.time if option == "train.time" else train.memory
        for name in self._left_out.names:
            self._ledger.add(
                f"{name} not compared",
                where="candidates",
                why=f"to stay within {budget}",
                undo=option,
            )
        for fits in (rival.fits for rival in rivals):
            if isinstance(fits, Boosting) and fits.ended_after is not None:
                self._ledger.add(
                    f"boosting ended after {fits.ended_after} iterations",
                    where="candidates",
                    why=f"to stay within {train.time}",
                    undo="train.time",
                )

    def _chosen(self, left_out: LeftOut, kept: Sequence[str]) -> Chosen:
        self._left_out = left_out
        names = tuple(name for name in NAMES if name in kept)
        return Chosen(names, left_out.max_iterations, left_out.most_rows)

    def _within_budgets(
        self, setup: Setup, names: Sequence[CandidateName], preferred: Sequence[CandidateName]
    ) -> LeftOut:
        """Return which of the models do not fit into the budgets.

        Args:
            setup: As it would be trained.
            names: That may be left out.
            preferred: That are fitted in any case, and take time and memory from the others.
        """
        time, left_out = self._time, LeftOut()
        if not self._fits_into_memory(setup):
            left_out = LeftOut(tuple(names), "train.memory")
        elif time is not None and time.left_s < _LEAST_LEFT_S:
            left_out = LeftOut(tuple(names), "train.time")
        measured = [*preferred, *(name for name in names if name not in left_out.names)]
        if time is None or not measured:
            return left_out
        whole_s = time.left_s
        found = _within(_SHARE * whole_s, self._measured(setup, time, measured), preferred)
        if not left_out.names:
            return found
        return replace(found, names=left_out.names, option=left_out.option)

    def _within_rest(
        self, setup: Setup, time: TimeBudget, before: LeftOut, left_s: float
    ) -> LeftOut:
        """Return which of the models left out still do not fit."""
        if left_s < _LEAST_AFTER_S:
            return before
        if not self._fits_into_memory(setup):
            return replace(before, option="train.memory")
        end_s = time.clock() + left_s
        efforts = self._measured(setup, time, before.names)
        return _within(end_s - time.clock(), efforts)

    def _measured(self, setup: Setup, time: TimeBudget, names: Sequence[str]) -> dict[str, Effort]:
        missing = tuple(name for name in names if name not in self._efforts)
        if missing:
            self._efforts |= measure_efforts(setup, self._recipe, time.clock, names=missing)
        return {name: self._efforts[name] for name in names}

    def _fits_into_memory(self, setup: Setup) -> bool:
        budget = self._recipe.train.memory_bytes
        if budget is None:
            return True
        return resident_bytes() + CandidateNeeds.of(setup.samples).fitting_bytes() <= budget


def _within(left_s: float, efforts: dict[str, Effort], preferred: Sequence[str] = ()) -> LeftOut:
    """Return what does not fit into some time, the cheapest being fitted first.

    Boosting, which may go on for longer than was counted, may take all that is left then; it
    learns from fewer rows where all do not fit.

    Args:
        left_s: Seconds for all of them.
        efforts: What each takes.
        preferred: What is fitted before the others, however little time there is.
    """
    needed_s = {name: SLACK * max(own.seconds, _LEAST_S) for name, own in efforts.items()}
    left_out, most_rows = list[str](), None
    for name in sorted(needed_s, key=lambda name: (name not in preferred, needed_s[name])):
        n_rows = efforts[name].n_rows
        if name == "boosting" and needed_s[name] > left_s and n_rows > _LEAST_ROWS:
            n_fitting = int(left_s / needed_s[name] * n_rows)
            if n_fitting >= _LEAST_ROWS or name in preferred:
                most_rows = max(n_fitting, _LEAST_ROWS)
                needed_s[name] *= most_rows / n_rows
        if needed_s[name] <= left_s or name in preferred:
            left_s -= needed_s[name]
        else:
            left_out.append(name)
    option = "train.time" if left_out else ""
    if "boosting" not in efforts or "boosting" in left_out:
        return LeftOut(tuple(left_out), option)
    share = max(1.0 + left_s / needed_s["boosting"], _LEAST_PART)
    n_iterations = int(share * efforts["boosting"].n_iterations)
    return LeftOut(tuple(left_out), option, max(n_iterations, 1), most_rows)
