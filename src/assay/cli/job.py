"""One training of the command line: carried out now, or gone on with later.

Comes in: what to train on, where to write, and the folder of the run. Goes out: a model
file and its report; or, where the work was cut short, a line that tells how to go on.
"""

import contextlib
import hashlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from assay.errors import UserError

if TYPE_CHECKING:
    from assay.read import NamedBytes
    from assay.recipe import Recipe
    from assay.run_folder import RunFolder, Start

STANDARD = "-"  # input or output
_LONG_BYTES, _LONG_LETTERS = 250, 40  # of the name of a file, which may have 255
_INTERRUPTED, _TERMINATED = 130, 143  # 128 and the signal's number


class StoppedError(Exception):
    """A training that was told to stop.

    Attributes:
        exit_status: Of the process.
    """

    def __init__(self, what: str, exit_status: int) -> None:
        self.exit_status = exit_status
        super().__init__(what)


class _Terminated(BaseException):
    """SIGTERM came; what is under way ends as it does at Ctrl-C."""


@dataclass(frozen=True)
class Job:
    """What a training reads and writes.

    Attributes:
        table: A path, a database URL, or "-".
        output: Of the model file, or "-".
        test: Rows to test on, or None.
        report: Value of `--report`.
        has_report: Whether a report is wanted.
        run: Folder of the run; None to keep nothing.
        every_s: Seconds between checkpoints.
        is_secret: Whether table or test had a password, which is not kept.
    """

    table: str
    output: str
    test: str | None = None
    report: str | None = None
    has_report: bool = True
    run: str | None = None
    every_s: float = 60.0
    is_secret: bool = False

    @property
    def is_piped(self) -> bool:
        """Whether the model goes to standard output."""
        return self.output == STANDARD

    def to_keep(self) -> dict[str, Any]:
        """Return plain data for the run's folder: absolute paths, and no password."""
        read = [place for place in (self.table, self.test) if place is not None]
        kept = replace(
            self,
            table=_absolute(_masked(self.table)),
            output=_absolute(self.output),
            test=None if self.test is None else _absolute(_masked(self.test)),
            report=None if self.report is None else _absolute(self.report),
            run=None,
            is_secret=any(_masked(place) != place for place in read),
        )
        return asdict(kept)

    @classmethod
    def kept(cls, document: dict[str, Any], run: str) -> "Job":
        """Rebuild from `to_keep`, for the run in a folder.

        Raises:
            UserError: Another release wrote it.
        """
        try:
            return replace(cls(**document), run=run)
        except TypeError:
            raise UserError(
                "another release of assay began this training",
                where=run,
                fix="Go on with that release, or begin anew with 'assay train --fresh'",
            ) from None


def default_run(table: str, output: str) -> str | None:
    """Return the folder of the run beside the model; None where one end is a pipe.

    Example:
        >>> default_run("people.csv", "out/people.assay"), default_run("-", "model.assay")
        ('out/people.assay.run', None)
    """
    if STANDARD in (table, output):
        return None
    from assay.run_folder import ENDING

    place = Path(output)
    name, in_bytes = place.name, os.fsencode(place.name)
    if len(in_bytes) > _LONG_BYTES:
        name = f"{name[:_LONG_LETTERS]}-{hashlib.sha256(in_bytes).hexdigest()[:12]}"
    return str(place.with_name(f"{name}{ENDING}"))


def check_run(run: str | None, *, others: tuple[str | None, ...], model: str) -> None:
    """Refuse a folder whose name is that of a file, before the work is done.

    Args:
        run: The folder, or None.
        others: What is read or written otherwise.
        model: The model file, which has reports beside it.

    Raises:
        UserError: It is one of them.
    """
    from assay.report.write import FORMATS, default_name, is_same

    beside = [] if model == STANDARD else [model, *(default_name(model, form) for form in FORMATS)]
    if run is not None and any(one is not None and is_same(run, one) for one in (*beside, *others)):
        raise UserError(
            "is the name of a file that is read or written",
            where=run,
            fix="Choose another folder with --run",
        )


def carry_out(
    job: Job,
    source: "str | NamedBytes",
    recipe: "Recipe",
    *,
    start: "Start",
    start_s: float,
    as_json: bool,
    is_quiet: bool,
) -> None:
    """Train, write the model file and the report, and tell of them.

    Args:
        job: What to read and write.
        source: The table: as in the job, or what standard input held.
        recipe: All choices.
        start: As for `run_folder.open_run`.
        start_s: When the command began, by `time.monotonic`.
        as_json: Whether to tell it as JSON.
        is_quiet: Whether to tell the path only.

    Raises:
        UserError: Anything about the table, the recipe or the place to write to.
        StoppedError: It was interrupted, or terminated.
    """
    from assay.cli.output import say, say_json, tell
    from assay.cli.report import report_after_training
    from assay.cli.summary import summary_lines
    from assay.cli.train import as_document, train_and_save
    from assay.machine import keep_few_arenas

    keep_few_arenas()
    with _kept(job, recipe, start=start, start_s=start_s) as run:
        if run is not None and not is_quiet:
            text = f"goes on with what was kept in {run.path}: {', '.join(run.progress)}"
            run.on_going_on = lambda: tell(text)
        path = job.output
        model = train_and_save(
            source, recipe, path, test=job.test, is_quiet=is_quiet, start_s=start_s, run=run
        )
        written = report_after_training(model, path, job.report) if job.has_report else []
    if as_json:
        say_json(as_document(model, path, written), is_aside=job.is_piped)
    elif not is_quiet:
        elapsed_s = time.monotonic() - start_s
        for line in summary_lines(model, job.table, path, report=written, elapsed_s=elapsed_s):
            say(line, is_aside=job.is_piped)
    elif not job.is_piped:
        say(path)


@contextlib.contextmanager
def _kept(
    job: Job, recipe: "Recipe", *, start: "Start", start_s: float
) -> "Iterator[RunFolder | None]":
    """Keep what gets done in the folder of the run, if there is one.

    Where the work is cut short, the error tells how to go on with what was kept.
    """
    if job.run is None:
        yield None
        return
    from assay.run_folder import open_run

    run: RunFolder | None = None
    with _told_to_stop():
        try:
            run = open_run(
                job.run,
                recipe=recipe.to_toml(),
                command=job.to_keep(),
                start=start,
                every_s=job.every_s,
                start_s=start_s,
                is_default=job.run == default_run(job.table, job.output),
            )
            yield run
        except (KeyboardInterrupt, _Terminated) as error:
            offer = f": {_offer(job, run)}" if run is not None and run.leave() else ""
            if isinstance(error, _Terminated):
                raise StoppedError(f"terminated{offer}", _TERMINATED) from None
            raise StoppedError(f"interrupted{offer}", _INTERRUPTED) from None
        except BaseException as error:
            if run is not None and run.leave() and not run.is_refused:
                error.add_note(_offer(job, run))
            raise
        try:
            run.remove()
        except (KeyboardInterrupt, _Terminated):  # too late: all is written
            run.remove()


def _offer(job: Job, run: "RunFolder") -> str:
    """Return what was kept, and how to go on."""
    from assay.run_folder import resume_command
    from assay.state_file import ANEW

    kept = "what could be kept is kept" if run.is_behind else "what was done so far is kept"
    if run.is_stuck:
        return f"{kept}, but going on ends here again; {ANEW}"
    text = f"{kept}; go on with: {resume_command(str(job.run))}"
    return f"{text} < TABLE" if job.table == STANDARD else text


@contextlib.contextmanager
def _told_to_stop() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does, so that it is told how to go on."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except _Terminated:  # again, while the first was told
        raise StoppedError("terminated", _TERMINATED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _masked(place: str) -> str:
    from assay.read.database import is_url
    from assay.read.secrets import mask_password

    return mask_password(place) if is_url(place) else place  # in a path, ?key= is a name


def _absolute(place: str) -> str:
    """Return what leads to a place from any folder."""
    from assay.read.database import file_of_url, is_url

    if place == STANDARD:
        return place
    if not is_url(place):
        return str(Path(place).absolute())
    file = file_of_url(place)
    if file is None:
        return place
    scheme, question, query = place.partition("://")[0], *place.partition("?")[1:]
    return f"{scheme}:///{quote(str(file.absolute()))}{question}{query}"


def given_again(kept: str, given: str | None, *, what: str, is_masked: bool) -> str:
    """Return the place to read when a training goes on.

    Args:
        kept: As the run's folder tells it.
        given: As it is given again, or None.
        what: "table" or "test".
        is_masked: Whether a password was left out of what is kept.

    Raises:
        UserError: It has to be given again.
    """
    if given is not None:
        return given
    if is_masked and "***" in kept:
        raise UserError(
            "its password was not kept",
            where=kept,
            fix=f"Give the whole URL with --{what}, or as ASSAY_{what.upper()} in the environment",
        )
    return kept


def piped_table(run: str, recipe: "Recipe") -> "NamedBytes":
    """Return what standard input holds, for a training whose table came from there.

    Args:
        run: Folder of the run.
        recipe: Tells how many bytes are read at the most.

    Raises:
        UserError: Nobody has given it again, or it is too large.
    """
    from assay.read.caps import caps_of
    from assay.read.source import StandardInput
    from assay.run_folder import resume_command

    if sys.stdin is not None and not sys.stdin.isatty():
        source = StandardInput()
        if source.within(caps_of(recipe.read)):
            return source
    raise UserError(
        "the table came from standard input and has to be given again",
        where=run,
        fix=f"{resume_command(run)} < TABLE",
    )


def compute_as_begun(run: str | None) -> None:
    """Give Polars as many threads as a run was begun with; they are settled when it is loaded.

    Args:
        run: Folder of the run, if there is one.
    """
    from assay.run_files import polars_threads, progress_of

    is_chosen = bool(os.environ.get("POLARS_MAX_THREADS"))  # an empty one chooses nothing
    if run is None or is_chosen or "polars" in sys.modules:
        return
    n_threads = polars_threads(Path(run)) if progress_of(Path(run)) else None
    if n_threads is not None:
        os.environ["POLARS_MAX_THREADS"] = str(n_threads)
