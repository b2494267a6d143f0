"""The files in a run's folder: which of them are the run's own, and how they come and go.

Comes in: a folder that somebody named. Goes out: what it holds of a run, or a refusal. A
file is never taken for one of assay's by its name alone where no record stands beside it.
"""

import contextlib
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import UserError
from assay.state_file import ANEW, is_state, peek_document

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK, RECIPE, RUN, STATE = "lock", "recipe.toml", "run", ".state"
SETTINGS = "settings"
POLARS_THREADS = "number of Polars' threads"  # in the settings; settled when Polars is loaded
MOST_THREADS = 1 << 12
_OVER = "over"  # the record of a run that is being removed
_RECORDS = (RUN, _OVER, SETTINGS, "table", "test")
_DECISIONS = "budget-"
_WORK = ("logistic", "boosting", "training")
_PARTIAL = re.compile(r"\.(.+)\.\d+\.[0-9a-f]{8}\.part")  # what `atomic_write` is writing


def is_work(name: str) -> bool:
    """Whether a state of that name holds work, rather than what the run was begun with.

    Example:
        >>> is_work("training"), is_work("settings"), is_work("budget-plan")
        (True, False, False)
    """
    return name not in _RECORDS and not name.startswith(_DECISIONS)


def work_in(folder: Path) -> list[str]:
    """Return the names of the states that hold work, sorted."""
    return [name for name in states_in(folder) if is_work(name)]


def states_in(folder: Path) -> list[str]:
    """Return the names of all states of a run, sorted."""
    names = (entry.name for entry in _own(folder) if entry.name.endswith(STATE))
    return sorted(name.removesuffix(STATE) for name in names)


def record_of(folder: Path) -> dict[str, Any] | None:
    """Return what is recorded of a run, also of one that is half removed; None for no run."""
    for name in (RUN, _OVER):
        place = folder / f"{name}{STATE}"
        if place.is_file() and is_state(place):
            document = peek_document(place).get("document")
            return document if isinstance(document, dict) else {}
    return None


def progress_of(folder: Path) -> list[str]:
    """Return the names of the states that somebody could go on with, sorted."""
    is_begun = (folder / f"{RUN}{STATE}").exists()  # otherwise it was being removed
    return work_in(folder) if is_begun else []


def earlier_s(folder: Path) -> float:
    """Return the seconds that earlier attempts took, up to the last state they wrote."""
    return _last_told(folder)[0]


def checkpoint_s(folder: Path) -> float:
    """Return the seconds that a checkpoint took, by the last state of earlier attempts."""
    return _last_told(folder)[1]


def _last_told(folder: Path) -> tuple[float, float]:
    documents = [peek_document(entry) for entry in folder.glob(f"*{STATE}")]
    told = [(_seconds(one, "elapsed_s"), _seconds(one, "took_s")) for one in documents]
    return max(told, default=(0.0, 0.0))


def _seconds(document: Mapping[str, Any], name: str) -> float:
    seconds = document.get(name)
    return seconds if isinstance(seconds, float) and 0.0 < seconds < math.inf else 0.0


def polars_threads(folder: Path) -> int | None:
    """Return with how many threads of Polars a run was begun; None where it does not tell."""
    found: Any = peek_document(folder / f"{SETTINGS}{STATE}")
    for key in ("document", "given", "device", POLARS_THREADS):
        found = found.get(key) if isinstance(found, dict) else None
    is_number = isinstance(found, int) and not isinstance(found, bool)
    return found if is_number and 0 < found <= MOST_THREADS else None


def check_own(folder: Path) -> None:
    """Refuse a folder that holds anything but a run, before it is touched.

    Raises:
        UserError: It holds a file of someone else.
    """
    if record_of(folder) is not None:
        return  # what others have put there since stays there
    own = {entry.name for entry in _own(folder)}
    others = sorted(entry.name for entry in folder.iterdir() if entry.name not in own)
    if others:
        raise UserError(
            f"is not the folder of a run: it holds {others[0]!r}",
            where=str(folder),
            fix="Give a new or empty folder with --run",
        )


def check_recorded(folder: Path) -> None:
    """Refuse work without a record: somebody's hours, though nobody can go on with them.

    Raises:
        UserError: There is such work.
    """
    work = work_in(folder)
    if work and record_of(folder) is None:
        raise UserError(
            f"holds work ({', '.join(work)}), but its record {RUN}{STATE} is gone",
            where=str(folder),
            fix=f"Put it back, or {ANEW}",
        )


def make_folder(folder: Path) -> bool:
    """Make the folder of a run; return whether it was absent.

    Raises:
        UserError: It is a file, or the place is not writable.
    """
    try:
        folder.mkdir()
    except FileExistsError:
        if folder.is_dir():
            return False
        raise UserError(
            "is a file, not the folder of a run", where=str(folder), fix="Give another --run"
        ) from None
    except OSError as error:
        raise UserError(
            f"cannot make the folder of the run: {error.strerror or error}",
            where=str(folder),
            fix="Choose another place with --run",
        ) from None
    return True


def take(folder: Path) -> "BaseFileLock":
    """Lock the folder of a run for this process.

    Raises:
        UserError: Another process holds it, or the file system knows no locks.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        pid = peek_document(folder / f"{RUN}{STATE}").get("document", {}).get("pid", "unknown")
        raise UserError(
            f"another process is at work on this training (process {pid})",
            where=str(folder),
            fix="Wait for it, end it, or choose another folder with --run",
        ) from None
    except (OSError, NotImplementedError) as error:  # the second: a file system without locks
        raise UserError(
            f"cannot lock the folder of the run: {getattr(error, 'strerror', None) or error}",
            where=str(folder),
            fix="Choose another place with --run",
        ) from None
    return lock


def clear(folder: Path) -> None:
    """Remove all files of a run but the lock.

    The record takes another name first and goes last: whenever this is cut short, the next
    process knows that the run is over, and that what is left belonged to it.
    """
    over = folder / f"{_OVER}{STATE}"
    own = [entry for entry in _own(folder) if entry.name not in (LOCK, f"{RUN}{STATE}", over.name)]
    with contextlib.suppress(FileNotFoundError):
        os.replace(folder / f"{RUN}{STATE}", over)
    for entry in (*own, over):
        with contextlib.suppress(OSError):
            entry.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what a killed process was writing."""
    for entry in _own(folder):
        if _PARTIAL.fullmatch(entry.name):
            with contextlib.suppress(OSError):
                entry.unlink(missing_ok=True)


def let_go(lock: "BaseFileLock", folder: Path, *, is_made: bool) -> None:
    """Take away the lock, and the folder if it was made for the run.

    The file goes while it is held, or another process could lock it in between and work on
    under a name that the next one finds free.
    """
    if sys.platform == "win32":  # an open file stays there
        lock.release()
    with contextlib.suppress(OSError):
        (folder / LOCK).unlink(missing_ok=True)
        if is_made:
            folder.rmdir()  # fails if anyone has put a file there
    lock.release()


def _own(folder: Path) -> Iterator[Path]:
    """Yield the files of a run."""
    is_run = record_of(folder) is not None
    for entry in sorted(folder.iterdir()):
        partial = _PARTIAL.fullmatch(entry.name)
        name = partial[1] if partial else entry.name
        stem = name.removesuffix(STATE)
        is_known = stem != name and (stem in (*_RECORDS, *_WORK) or stem.startswith(_DECISIONS))
        if partial:
            is_own = is_known or (is_run and (name == RECIPE or stem != name))
        elif name == LOCK:
            is_own = is_run or (entry.is_file() and entry.stat().st_size == 0)
        elif stem != name:
            is_own = (is_run and is_known) or (entry.is_file() and is_state(entry))
        else:
            is_own = is_run and name == RECIPE
        if is_own:
            yield entry
