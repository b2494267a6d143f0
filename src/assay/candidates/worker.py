"""Fits simpler models in a process of its own, while another one trains the networks.

Comes in: the work as arrays. Goes out: the fits of one model after the other, as they are
kept for a training that goes on. PyTorch is never loaded here.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from assay.candidates.boosted import plans_of
from assay.candidates.boosting import Boosting
from assay.candidates.kept import state_of_fits
from assay.candidates.threads import load_learners, one_fit
from assay.candidates.work import Work
from assay.errors import InternalError
from assay.side_process import Receive, Send, serve
from assay.state_file import State


def main() -> None:
    """Be the process that `SideProcess.begin` begins."""
    serve(load_learners, answer)


def answer(given: State, send: Send, receive: Receive) -> None:
    """Fit what is asked for.

    Args:
        given: Of `request`.
        send: Is handed each model's fits, or what `help_boosting` makes.
        receive: Waits for the next question to a helper.

    Raises:
        InternalError: There was a warning, which only the other process can show.
    """
    arrays, document = given
    work = Work.from_state(arrays, document["work"])
    most_rows, max_iterations = document["most_rows"], document["max_iterations"]
    if document["is_helper"]:
        help_boosting(work, most_rows["boosting"], max_iterations, send, receive)
        return
    for name, most in most_rows.items():
        with _no_warning():
            fits = work.fit(name, most_rows=most, max_iterations=max_iterations)
        send(name, state_of_fits(name, fits))


def help_boosting(
    work: Work, most_rows: int, max_iterations: int | None, send: Send, receive: Receive
) -> None:
    """Make single fits of boosting, first grown and later brought to their length.

    Args:
        work: What the fits have in common.
        most_rows: That a fit learns from.
        max_iterations: As for `fit_boosting`.
        send: Is handed each piece: validation losses, and later the fit.
        receive: Waits for what `Helper` asks.
    """
    training, folds = work.training, work.folds
    plans = plans_of(training, folds, work.seed, most_rows, max_iterations)
    boosters = {}
    while True:
        question = receive()[1]
        name, number, fit_idx = question["name"], question["plan"], question["fit"]
        plan, key = plans[number], (number, fit_idx)
        with _no_warning():
            if question["n_kept"] is None:
                boosters[key], losses = one_fit(plan.fit, fit_idx)
                state: State = {"losses": losses}, {}
            else:
                fit = one_fit(plan.bring_to, boosters.pop(key), fit_idx, question["n_kept"])
                state = state_of_fits("boosting", Boosting(training.features, (fit,)))
        send(name, state)


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
        is_helper: Whether single fits of boosting will be asked for, instead of all at once.
    """
    arrays, document = work.to_state()
    return arrays, {
        "work": document,
        "most_rows": most_rows,
        "max_iterations": max_iterations,
        "is_helper": is_helper,
    }
