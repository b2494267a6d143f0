"""A budget of time, divided before a training begins.

Comes in: what is left of the budget, and the measured pace. Goes out: how long to
train, on how many rows to validate, and what is kept for evaluation and saving.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from assay.amounts import duration_text, parse_duration
from assay.errors import UserError
from assay.training.plan import Clock, Deadline, Plan
from assay.training.rehearsal import Pace

MEASURING_SHARE = 0.05  # of the time left, spent on measuring
LEAST_S = 2.0  # to load what trains and evaluates, for the smallest table
LEAST_EPOCHS = 4  # with fewer, repeats are left out before epochs
_JUDGING_SHARE = 0.4  # most of the time left that evaluation may take
_LEAST_VALIDATED = 500  # rows of each member
_LEAST_STEPS = 10


class TimeBudget:
    """What is left of the time for the whole work.

    Args:
        text: As in `train.time`.
        start_s: When the work began, by `clock`.
        clock: Asked for the time.
    """

    def __init__(self, text: str, start_s: float, clock: Clock) -> None:
        self.text = text
        self.clock = clock
        self.total_s = parse_duration(text)
        self._start_s = start_s

    @property
    def gone_s(self) -> float:
        """Seconds gone by."""
        return self.clock() - self._start_s

    @property
    def left_s(self) -> float:
        """Seconds left; below 0 when it is overspent."""
        return self.total_s - self.gone_s

    def deadline(self, reserve_s: float) -> Deadline:
        """Return the deadline of a training that begins now and leaves a reserve."""
        now_s = self.clock()
        return Deadline(now_s, now_s + self.left_s - reserve_s, self.clock)

    def too_small(self, needed_s: float, what: str) -> UserError:
        """Return the error of a budget that does not suffice.

        Args:
            needed_s: Seconds that are needed from now on.
            what: What was done so far, such as "reading the table".
        """
        smallest = math.ceil(1.2 * (self.gone_s + needed_s))
        return UserError(
            f"the time is too short to train one network: {what} took {self.gone_s:.1f} s, "
            f"and at least {needed_s:.1f} s more are needed",
            where=f"train.time = {self.text!r}",
            fix=f"Allow {duration_text(smallest)} or more, or give fewer rows",
        )


@dataclass(frozen=True)
class Allotment:
    """How the time left is divided.

    Attributes:
        n_validated: Rows that each member is validated and judged on, at the most.
        training_s: For training; at most 0 where the time does not suffice.
        reserve_s: For the last validation, the evaluation and the saving.
        n_epochs: How many epochs fit, not rounded.
        needed_s: The least that would do.
    """

    n_validated: int
    training_s: float
    reserve_s: float
    n_epochs: float
    needed_s: float

    @property
    def suffices(self) -> bool:
        """Whether a few steps at least can be taken."""
        return self.training_s > 0.0


def allot(
    left_s: float,
    pace: Pace,
    plan: Plan,
    *,
    n_members: int,
    n_validated: int,
    judging_s: Callable[[int], float],
) -> Allotment:
    """Divide the time left among training, validation and evaluation.

    Args:
        left_s: Seconds left.
        pace: As measured.
        plan: What would be done without a budget.
        n_members: K.
        n_validated: Rows of the member with most validation rows.
        judging_s: Seconds of evaluating and saving, when each member is judged on so
            many rows.
    """
    n_kept = n_validated

    def reserve_s(n_rows: int) -> float:
        return judging_s(n_rows) + n_members * n_rows * pace.validated_s

    while reserve_s(n_kept) > _JUDGING_SHARE * left_s and n_kept > _LEAST_VALIDATED:
        n_kept = max(n_kept // 2, _LEAST_VALIDATED)
    least_s = pace.start_s + min(plan.n_steps, _LEAST_STEPS) * pace.step_s
    needed_s = least_s + reserve_s(min(n_validated, _LEAST_VALIDATED))
    training_s = left_s - reserve_s(n_kept)
    if training_s < least_s:
        training_s = 0.0
    epoch_s = pace.epoch_s(plan, n_validated=n_members * n_kept)
    return Allotment(n_kept, training_s, reserve_s(n_kept), training_s / epoch_s, needed_s)
