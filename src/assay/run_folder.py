"""A run: a training in progress as a folder, from which it goes on after any end.

Comes in: states of the work, as they are reached. Goes out: the same after a crash. The
folder belongs to one process at a time, and is taken away when the work is done.

    lock            held by the system for as long as the process lives
    recipe.toml     all choices, for people to read
    run.state       the command, and which process is at work
    NAME.state      settings, table, test, budget-...: what it was begun with, and decided
    NAME.state      any other name: work that is done, see `progress`
    over.state      instead of run.state: the run is over and being removed
"""

import contextlib
import logging
import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from assay.errors import UserError
from assay.files import atomic_write
from assay.run_files import (
    RECIPE,
    RUN,
    STATE,
    check_own,
    check_recorded,
    checkpoint_s,
    clear,
    earlier_s,
    is_work,
    let_go,
    make_folder,
    progress_of,
    record_of,
    states_in,
    sweep,
    take,
)
from assay.state_file import ANEW, State, UnfitStateError, check_seal, read_state, write_state

if TYPE_CHECKING:
    from filelock import BaseFileLock

Start = Literal["new", "resume", "fresh"]

DEFAULT_EVERY_S = 60.0
ENDING = ".run"  # of the folder beside a model

_REST = 50  # times what a checkpoint took until the next: below 2 % of the time
_AGAIN = f"Remove this file to do its part of the work again, or {ANEW}"
_LOG = logging.getLogger("assay")


@dataclass(frozen=True)
class RunRecord:
    """What a folder tells of its run.

    Attributes:
        recipe: TOML text.
        command: What began it, as plain data; None for a training of the library.
        pid: Number of the process that was at work last.
    """

    recipe: str
    command: dict[str, Any] | None
    pid: int


def read_record(path: str | Path) -> RunRecord:
    """Read what a folder tells of its run, without taking it.

    Raises:
        UserError: It holds no run, or a damaged one.
    """
    folder = Path(path)
    if folder.is_file():
        raise UserError(
            "is a file", where=str(path), fix="Give the folder of the run, such as people.assay.run"
        )
    found = read_state(folder / f"{RUN}{STATE}")
    if found is None:
        what = "holds no unfinished training" if folder.is_dir() else "there is no such folder"
        raise UserError(
            what, where=str(path), fix="Give the folder of a training that was interrupted"
        )
    document = found[1]["document"]
    try:
        recipe = (folder / RECIPE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise UserError(
            "cannot read its recipe", where=str(folder / RECIPE), fix=f"Put it back, or {ANEW}"
        ) from None
    return RunRecord(recipe, document.get("command"), document.get("pid", 0))


class RunFolder:
    """A run that this process has taken; `open_run` makes one.

    Args:
        path: The folder.
        lock: Held.
        command: What began this attempt, as plain data.
        is_made: Whether the folder was made for the run, and goes with it.
        every_s: Seconds between checkpoints; more where one takes over 2 % of them.
        start_s: When this attempt began, by `clock`.
        clock: Asked for the time, as `time.monotonic`.

    Attributes:
        earlier_s: Seconds that earlier attempts took, up to the last state they wrote.
        is_resumed: Whether there was progress when it was opened.
        is_hopeless: Whether going on would end in the same mistake.
        is_refused: Whether what was given, or is left of its record, is not what the run was
            begun with.
        is_stuck: Whether going on ended in a mistake that the same attempt makes again.
        on_going_on: Called when it is certain that this attempt goes on with the progress.
    """

    on_going_on: Callable[[], None] | None = None

    def __init__(
        self,
        path: Path,
        lock: "BaseFileLock",
        *,
        command: Mapping[str, Any] | None,
        is_made: bool,
        every_s: float,
        start_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.path = path
        self._lock, self._command, self._is_made = lock, command, is_made
        self._every_s, self._start_s, self._clock = every_s, start_s, clock
        self._last_s = clock()
        self._due_s: float | None = None
        self._is_told = False
        self._lost: set[str] = set()  # names of the states whose newest was not kept
        self._took_s = checkpoint_s(path)  # by the last one that was due
        self.earlier_s = earlier_s(path)
        self.is_resumed = bool(self.progress)
        self.is_hopeless = self.is_refused = self.is_stuck = self._is_confirmed = False

    @property
    def progress(self) -> list[str]:
        """Names of the states that hold work, sorted."""
        return progress_of(self.path)

    @property
    def is_behind(self) -> bool:
        """Whether something newer than what is kept could not be kept."""
        return bool(self._lost)

    def sign(self, command: Mapping[str, Any] | None) -> None:
        """Write down which process is at work, and the command to go on with."""
        document = {"pid": os.getpid(), "is_made": self._is_made, "command": command}
        self.keep(RUN, {}, document)

    def confirmed(self) -> None:
        """Take note that this attempt is of the training that the folder holds.

        Raises:
            UserError: What is kept of it is damaged.
        """
        if self.is_resumed:
            for name in states_in(self.path):
                with self._judging(name) as fix:
                    check_seal(self.path / f"{name}{STATE}", fix=fix)
            self.sign(self._command)
            if self.on_going_on is not None:
                self.on_going_on()
        self._is_confirmed = True

    def is_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        now_s = self._clock()
        if now_s - self._last_s < max(self._every_s, _REST * self._took_s):
            return False
        self._due_s = now_s
        return True

    def write(
        self,
        name: str,
        arrays: Mapping[str, np.ndarray],
        document: Mapping[str, Any],
        *,
        is_stopping: bool = False,
    ) -> None:
        """Keep a state; where that fails, the older one stays, and work goes on.

        A full disk costs a checkpoint then, not the training; it is told once, and again
        where the training ends with it.
        """
        self._lost.add(name)  # so it is, too, where a second Ctrl-C ends this at once
        try:
            self.keep(name, arrays, document)
            self._lost.discard(name)
        except UserError as error:
            if is_stopping:
                _LOG.warning("what was done since the last checkpoint is lost: %s", error)
            elif not self._is_told:
                _LOG.warning("a checkpoint was not kept, the training goes on: %s", error)
            self._is_told = True
        self._last_s = self._clock()
        if self._due_s is not None:  # since then it was taken, from a GPU perhaps, and written
            self._took_s, self._due_s = self._last_s - self._due_s, None

    def keep(
        self, name: str, arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]
    ) -> None:
        """Keep a state.

        Raises:
            UserError: The place is not writable or the disk is full.
        """
        elapsed_s = self.earlier_s + self._clock() - self._start_s
        whole = {"elapsed_s": elapsed_s, "took_s": self._took_s, "document": document}
        write_state(self.path / f"{name}{STATE}", arrays, whole)
        self._last_s = self._clock()

    def read(self, name: str) -> State | None:
        """Return a state, or None where there is none.

        Raises:
            UserError: It is damaged.
        """
        with self._judging(name) as fix:
            found = read_state(self.path / f"{name}{STATE}", fix=fix)
        return None if found is None else (found[0], found[1]["document"])

    @contextlib.contextmanager
    def _judging(self, name: str) -> Iterator[str]:
        """Yield what to do about a damaged state; without its record no run goes on."""
        try:
            yield _AGAIN if is_work(name) else ANEW.capitalize()
        except UserError:
            self.is_refused = self.is_refused or not is_work(name)
            raise

    def note_failure(self, error: UserError) -> None:
        """Take note that the work failed.

        A mistake in the recipe is made again by whoever goes on; a machine that refused
        something, which raises an error of its own first, may have more room then. What a
        resumed run has done stays nevertheless.
        """
        is_mistake = error.__context__ is None and not isinstance(error, UnfitStateError)
        self.is_hopeless = is_mistake and not self.is_resumed
        self.is_stuck = is_mistake and self.is_resumed and self._is_confirmed

    def leave(self) -> bool:
        """Let go of the run; return whether it stays, to be resumed."""
        if self.is_hopeless or not self.progress:
            self.remove()
            return False
        self._lock.release()
        return True

    def remove(self) -> None:
        """Take away what was written here, and the folder if it was made for the run."""
        if not self._lock.is_locked:
            return  # it was cut short at the very end; the folder may be another's by now
        with contextlib.suppress(OSError):
            clear(self.path)
        let_go(self._lock, self.path, is_made=self._is_made)


def open_run(
    path: str | Path,
    *,
    recipe: str,
    command: Mapping[str, Any] | None = None,
    start: Start = "new",
    every_s: float = DEFAULT_EVERY_S,
    start_s: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    is_default: bool = False,
) -> RunFolder:
    """Take a folder for a training, or go on with the one it holds.

    Args:
        path: The folder; made if it is absent.
        recipe: As TOML, to be kept beside.
        command: What began the training, as plain data, for `assay resume`.
        start: "new" refuses where there is progress, "resume" goes on with it or begins
            where there is none, "fresh" throws it away.
        every_s: Seconds between checkpoints.
        start_s: When the work began, by `clock`; None for now.
        clock: Asked for the time.
        is_default: Whether assay named the folder: without a record, a killed process has
            made it.

    Raises:
        UserError: Another process is at it, it holds an unfinished training, files of
            someone else, or the place is not writable; or the recipe is no text.
    """
    folder, text = Path(path), _encoded(recipe)
    is_new = make_folder(folder)
    lock: BaseFileLock | None = None
    try:
        check_own(folder)
        lock = take(folder)
        record = record_of(folder)
        is_new = is_new and record is None  # another process may have been faster, and left
        is_made = is_new or (is_default if record is None else bool(record.get("is_made")))
        if start != "fresh":
            check_recorded(folder)
        if start == "new" and progress_of(folder):
            raise _unfinished(folder, is_command=command is not None)
        if start == "fresh" or not progress_of(folder):
            clear(folder)
        sweep(folder)
        run = RunFolder(
            folder,
            lock,
            command=command,
            is_made=is_made,
            every_s=every_s,
            start_s=clock() if start_s is None else start_s,
            clock=clock,
        )
        run.sign(read_record(folder).command if run.is_resumed else command)
        if not run.is_resumed:
            with atomic_write(folder / RECIPE) as file:
                file.write(text)
    except BaseException:
        if lock is None:
            if is_new:
                with contextlib.suppress(OSError):
                    folder.rmdir()  # fails where another process has begun
        elif is_new:
            clear(folder)
            let_go(lock, folder, is_made=True)
        else:
            lock.release()
        raise
    return run


@contextlib.contextmanager
def at_work(run: RunFolder) -> Iterator[None]:
    """Take a run away when the work is done, and leave it where it is cut short."""
    try:
        yield
    except BaseException:
        run.leave()
        raise
    run.remove()


def resume_command(path: str | Path) -> str:
    """Return the command that goes on with a run.

    Example:
        >>> resume_command("my model.assay.run")
        "assay resume 'my model.assay.run'"
    """
    return f"assay resume {shlex.quote(str(path))}"


def _encoded(recipe: str) -> bytes:
    """Return the recipe as UTF-8.

    Raises:
        UserError: The command line held bytes that are no characters.
    """
    try:
        return recipe.encode()
    except UnicodeEncodeError as error:
        line = recipe.split("\n")[recipe[: error.start].count("\n")]
        raise UserError(
            f"{line.strip()!a} is no text",
            where="recipe",
            fix="Give names and options as UTF-8",
        ) from None


def _unfinished(folder: Path, *, is_command: bool) -> UserError:
    fix = f"Go on with: {resume_command(folder)} (or begin anew with --fresh)"
    if not is_command:
        fix = "Go on with resume=True, or remove the folder to begin anew"
    return UserError("holds an unfinished training", where=str(folder), fix=fix)
