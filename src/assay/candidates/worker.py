"""Fits simpler models in a process of its own, while another one trains the networks.

Comes in: the work as arrays. Goes out: the fits of one model after the other, as they are
kept for a training that goes on. PyTorch is never loaded here.
"""

import warnings

from assay.candidates.kept import state_of_fits
from assay.candidates.threads import load_learners
from assay.candidates.work import Work
from assay.errors import InternalError
from assay.side_process import Send, serve
from assay.state_file import State


def main() -> None:
    """Be the process that `SideProcess.begin` begins."""
    serve(load_learners, answer)


def answer(given: State, send: Send) -> None:
    """Fit what is asked for.

    Args:
        given: Of `request`.
        send: Is handed each model's fits.

    Raises:
        InternalError: There was a warning, which only the other process can show.
    """
    arrays, document = given
    work = Work.from_state(arrays, document["work"])
    for name, most_rows in document["most_rows"].items():
        with warnings.catch_warnings(record=True) as told:
            fits = work.fit(name, most_rows=most_rows, max_iterations=document["max_iterations"])
        if told:
            raise InternalError(str(told[0].message))
        send(name, state_of_fits(name, fits))


def request(work: Work, most_rows: dict[str, int], max_iterations: int | None) -> State:
    """Return what `answer` is given.

    Args:
        work: Without texts.
        most_rows: That a fit of each model learns from; in the order in which to fit.
        max_iterations: Of boosting; None for as many as serve.
    """
    arrays, document = work.to_state()
    return arrays, {"work": document, "most_rows": most_rows, "max_iterations": max_iterations}
