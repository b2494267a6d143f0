"""A few real steps with a copy of the network, to learn how long a training takes.

Comes in: what a training gets. Goes out: the seconds of its parts. Network, rows and
generators are as they were, so that a training that was measured is the same as one
that was not.
"""

import copy
from dataclasses import dataclass, replace

import torch

from assay.nn.network import Network
from assay.options import TrainRecipe
from assay.training.device import STEPS_AHEAD, computing, wait_for
from assay.training.loop import Run
from assay.training.plan import Clock, Pacer, Plan
from assay.training.predictions import judged_spans
from assay.training.rows import Lesson, RowSet

_MAX_STEPS = 100
_MAX_SPANS = 8


@dataclass(frozen=True)
class Pace:
    """Seconds that the parts of a training take.

    Attributes:
        start_s: To shuffle all rows and gather the first ones, once an epoch.
        step_s: A step of all members.
        row_s: To predict a row by one member.
        validated_s: To validate a member on a row.
    """

    start_s: float
    step_s: float
    row_s: float
    validated_s: float

    def epoch_s(self, plan: Plan, *, n_validated: int) -> float:
        """Return the seconds of an epoch with `n_validated` rows, summed over members."""
        return self.start_s + plan.n_steps * self.step_s + n_validated * self.validated_s

    def of_share(self, share: float) -> "Pace":
        """Return the pace of a share of the members."""
        return Pace(self.start_s * share, self.step_s * share, self.row_s, self.validated_s)


def measure_pace(
    network: Network,
    lesson: Lesson,
    recipe: TrainRecipe,
    plan: Plan,
    *,
    clock: Clock,
    most_s: float,
) -> Pace:
    """Measure the pace of a training.

    Args:
        network: With fitted input layers; left as it is.
        lesson: What it will learn from.
        recipe: The section [train].
        plan: Of the training.
        clock: Asked for the time.
        most_s: About how long to measure; a few steps are always taken.
    """
    run = Run(copy.deepcopy(network), lesson, recipe, Pacer(plan), seed=0)
    step_size = network.n_members * plan.batch_size * network.widest
    with computing(recipe, lesson.rows.device, step_size=step_size, seed=0):
        run.network.eval()
        row_s, validated_s = _row_seconds(run, clock, most_s=most_s / 2)
        start_s, step_s = _step_seconds(run, clock, most_s=most_s / 2)
    return Pace(start_s, step_s, row_s, validated_s)


def _step_seconds(run: Run, clock: Clock, *, most_s: float) -> tuple[float, float]:
    """Return the seconds before the first step, and those of each."""
    device = run.lesson.rows.device
    run.network.train()
    began_s = _now(clock, device)
    batches = run.batches()
    batch = next(batches)
    start_s = _now(clock, device) - began_s
    for _ in range(run.step.n_warm):
        run.step(*batch)
    began_s, n_steps, is_late = _now(clock, device), 0, False
    # The batch above once more, then those that follow: so few rows may give only one.
    while not is_late or n_steps % run.step.period:
        run.step(*batch)
        batch = next(batches, batch)
        n_steps += 1
        if n_steps % STEPS_AHEAD == 0:
            wait_for(device)
        is_late = n_steps >= _MAX_STEPS or clock() - began_s >= most_s
    return start_s, (_now(clock, device) - began_s) / n_steps


def _row_seconds(run: Run, clock: Clock, *, most_s: float) -> tuple[float, float]:
    """Return the seconds to predict a row by one member, and to validate one."""
    lesson = run.lesson
    row_set = lesson.validation if lesson.validation.row_idx.shape[1] else lesson.train
    predicted_s, validated_s, n_rows = 0.0, 0.0, 0
    spans = judged_spans(lesson.rows, row_set.row_idx.to(lesson.rows.device))
    device = lesson.rows.device
    began_s = _now(clock, device)
    for n_spans, (span, inputs) in enumerate(spans):
        part = RowSet(
            row_set.row_idx[:, span],
            tuple(min(max(n - span.start, 1), span.stop - span.start) for n in row_set.counts),
        )
        run.lesson = replace(lesson, validation=part)
        with torch.no_grad():
            run.network(inputs)
        middle_s = _now(clock, device)
        run.validation_losses()
        if n_spans == 1:  # the first one warms up, and counts only where it is alone
            predicted_s, validated_s, n_rows = 0.0, 0.0, 0
        predicted_s += middle_s - began_s
        validated_s += _now(clock, device) - middle_s
        n_rows += run.network.n_members * (span.stop - span.start)
        began_s = _now(clock, device)
        if n_spans == _MAX_SPANS or predicted_s + validated_s > most_s:
            break
    run.lesson = lesson
    return predicted_s / max(n_rows, 1), validated_s / max(n_rows, 1)


def _now(clock: Clock, device: torch.device) -> float:
    wait_for(device)
    return clock()
