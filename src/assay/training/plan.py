"""How much to train: batch size and epochs, and what of them fits into a time.

Without a budget the plan depends on the number of rows alone, never on a clock, and
its cost grows no faster than the rows: see `auto_epochs`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from assay.options import TrainRecipe

Clock = Callable[[], float]  # seconds since some moment, as `time.monotonic`

_AUTO_EPOCHS = 64
_AUTO_EPOCHS_ROWS = 10_000  # above this, epochs shrink so that cost grows slower than rows
_MIN_AUTO_EPOCHS = 12
SCALE_RATE = 6.0
"""Of the input scale, where the recipe leaves it to a table of few rows."""

_FEW_ROWS, _FAST_SCALE_RATE = 3_000, 40.0
_MOST_ADAM_ROWS, _MOST_ADAM_STEPS = 500, 40  # above, Muon is the better one


def auto_batch_size(n_train: int) -> int:
    """Return rows per step for `n_train` training rows of a member.

    RealMLP's rule, arXiv 2407.04491.
    """
    for limit, size in ((1_024, 64), (8_192, 128), (30_000, 256), (100_000, 512)):
        if n_train <= limit:
            return size
    return 1024


def auto_epochs(n_train: int) -> int:
    """Return epochs for `n_train` training rows of a member.

    They never grow with the rows, so that their product, the cost, grows no faster.
    """
    shrunk = _AUTO_EPOCHS * math.sqrt(_AUTO_EPOCHS_ROWS / max(n_train, _AUTO_EPOCHS_ROWS))
    return max(round(shrunk), _MIN_AUTO_EPOCHS)


def settled(recipe: TrainRecipe, n_rows: int, n_steps: float = math.inf) -> TrainRecipe:
    """Return the same choices, with those left to the rows made where `n_rows` are many.

    Muon, which moves at every fourth step only, needs more than a few steps.

    A scale of the inputs that learns fast soon tells those that matter from those that do
    not, which few rows would show by chance; see docs/engine.md for what each choice gave.
    """
    chosen: dict[str, Any] = {}
    if recipe.scale_rate == "auto" and n_rows > _FEW_ROWS:
        chosen["scale_rate"] = _FAST_SCALE_RATE
    if recipe.optimizer == "auto" and n_rows > _MOST_ADAM_ROWS and n_steps > _MOST_ADAM_STEPS:
        chosen["optimizer"] = "muon"
    return recipe.model_copy(update=chosen) if chosen else recipe


@dataclass(frozen=True)
class Plan:
    """What a training does unless it is ended early.

    Attributes:
        n_epochs: Passes over every member's training rows.
        n_steps: Steps of an epoch.
        batch_size: Rows of each member in a step.
    """

    n_epochs: int
    n_steps: int
    batch_size: int

    @classmethod
    def of(cls, recipe: TrainRecipe, n_train: int) -> "Plan":
        """Return the plan for `n_train` training rows of the largest member.

        Example:
            >>> Plan.of(TrainRecipe(), 1_000)
            Plan(n_epochs=64, n_steps=16, batch_size=64)
        """
        n_epochs = auto_epochs(n_train) if recipe.epochs == "auto" else recipe.epochs
        chosen = auto_batch_size(n_train) if recipe.batch_size == "auto" else recipe.batch_size
        batch_size = min(chosen, n_train)
        n_steps = -(-n_train // batch_size)
        if recipe.drop_last and n_train % batch_size:
            n_steps -= 1
        return cls(n_epochs, n_steps, batch_size)


@dataclass(frozen=True)
class Deadline:
    """When a training has to end.

    Attributes:
        start_s: When it began, by `clock`.
        end_s: When the last step has to be done; one validation follows.
        clock: Asked for the time, before each step.
    """

    start_s: float
    end_s: float
    clock: Clock

    @property
    def left_s(self) -> float:
        """Seconds left."""
        return self.end_s - self.clock()

    @property
    def gone_s(self) -> float:
        """Seconds gone by."""
        return self.clock() - self.start_s

    @property
    def share(self) -> float:
        """Share of the time that has gone by, in [0, 1]."""
        return min(max(self.gone_s / max(self.end_s - self.start_s, 1e-9), 0.0), 1.0)

    def after(self, gone_s: float, whole_s: float) -> "Deadline":
        """Return the deadline of a training of which some was done by an earlier attempt.

        It ends when its own time is used up, and not after this deadline.

        Args:
            gone_s: Seconds that the earlier attempts took.
            whole_s: Seconds that the first one was given.
        """
        start_s = self.clock() - gone_s
        return Deadline(start_s, min(self.end_s, start_s + whole_s), self.clock)


class Pacer:
    """Keeps a training within its plan and its deadline.

    Where the time does not suffice for the plan, the course of the learning rate is
    laid over the time instead of the steps, so that it comes to its end all the same.

    Args:
        plan: What to do if time suffices.
        deadline: None for a training that never looks at a clock.
        is_pressed: Whether time is known not to suffice for the plan.
    """

    def __init__(
        self, plan: Plan, deadline: Deadline | None = None, *, is_pressed: bool = False
    ) -> None:
        self.plan = plan
        self.n_epochs = plan.n_epochs
        self.n_steps_done = 0
        self._deadline = deadline
        self._is_pressed = is_pressed and deadline is not None

    @property
    def has_deadline(self) -> bool:
        """Whether it looks at a clock."""
        return self._deadline is not None

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; without end where there is none."""
        return math.inf if self._deadline is None else self._deadline.left_s

    def is_late(self) -> bool:
        """Whether no further step fits; the first one always does."""
        return self._deadline is not None and self.n_steps_done > 0 and self._deadline.left_s <= 0.0

    def progress(self, epoch: int, step: int) -> float:
        """Return how much of the training is done before a step, in [0, 1)."""
        done = ((epoch - 1) * self.plan.n_steps + step) / (self.n_epochs * self.plan.n_steps)
        if self._deadline is not None and self._is_pressed:
            done = max(done, self._deadline.share)
        return min(done, 1.0 - 1e-9)

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as plain data."""
        deadline = self._deadline
        return {
            "n_epochs": self.n_epochs,
            "n_steps_done": self.n_steps_done,
            "is_pressed": self._is_pressed,
            "gone_s": 0.0 if deadline is None else deadline.gone_s,
            "whole_s": 0.0 if deadline is None else deadline.end_s - deadline.start_s,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state; the seconds that were used until then count."""
        self.n_epochs = int(state["n_epochs"])
        self.n_steps_done = int(state["n_steps_done"])
        if self._deadline is not None:
            self._is_pressed = bool(state["is_pressed"])
            self._deadline = self._deadline.after(state["gone_s"], state["whole_s"])

    def replan(self, epoch: int) -> None:
        """Lay out anew how many epochs there will be, once `epoch` is over."""
        if self._deadline is None:
            return
        epoch_s = self._deadline.gone_s / epoch
        n_more = math.ceil(self._deadline.left_s / max(epoch_s, 1e-9) - 0.05)
        fitting = epoch + max(n_more, 0)
        self._is_pressed |= fitting < self.plan.n_epochs
        self.n_epochs = min(self.plan.n_epochs, fitting)
