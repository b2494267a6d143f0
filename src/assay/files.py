"""Files that appear whole or not at all."""

import contextlib
import errno
import hashlib
import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from assay.errors import UserError

_ENDING = ".part"
_LONGEST_NAME_BYTES = 180  # of 255 that most file systems allow; process and token need room
_UNFLUSHABLE = (errno.EINVAL, errno.ENOTSUP)  # some file systems flush folders by themselves
_KEPT = "Nothing was left behind, and an older file is as it was"


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when it is complete.

    The bytes go to a hidden neighbour, are flushed to the disk, renamed, and the
    folder is flushed too. On any error the neighbour is removed and an older file
    of that name stays as it was; a newer one keeps its permissions. What a killed
    process left behind goes with the next file of that name.

    Args:
        path: Where the file shall be.

    Raises:
        UserError: See `check_writable`; or the disk is full or broken, or memory ran out.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with atomic_write(folder / "a.txt") as file:
        ...     _ = file.write(b"whole")
        >>> [entry.name for entry in folder.iterdir()]
        ['a.txt']
    """
    target = check_writable(path)
    _sweep(target)
    neighbour: Path | None = None
    try:
        neighbour, file, lock = _open_neighbour(target)
        with _closing(lock):  # held until the file has its name, or another would sweep it
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            with _closing(_open_folder(target.parent)) as folder:
                os.replace(neighbour, target)
                neighbour = None
                _flush_folder(folder, where=str(path))
    except OSError as error:
        raise UserError(
            f"cannot write: {error.strerror or error}",
            where=str(path),
            fix=f"{_KEPT}; choose another place or make room",
        ) from None
    except MemoryError:
        raise UserError(
            "cannot write: memory ran out", where=str(path), fix=f"{_KEPT}; free some memory"
        ) from None
    finally:
        if neighbour is not None:
            with contextlib.suppress(OSError):
                neighbour.unlink(missing_ok=True)


def check_writable(path: str | Path) -> Path:
    """Refuse a place where no file can be written, before the work is done.

    Args:
        path: Where a file shall be.

    Returns:
        The file that would be replaced: a link stays a link.

    Raises:
        UserError: It is no name, a folder or a device, its folder is absent, or one may
            not write there.
    """
    where = str(path)
    try:
        target = Path(os.path.realpath(path))
        mode = _mode(target)
        is_folder_there = target.parent.is_dir()
    except ValueError:  # NUL, or half a character
        raise UserError(f"{where!r} is no name of a file", fix="Choose another name") from None
    except OSError as error:
        raise UserError(
            f"cannot write: {error.strerror or error}", where=where, fix="Choose another name"
        ) from None
    folder = target.parent
    if not is_folder_there:
        what = "is not a folder" if folder.exists() else "there is no such folder"
        raise UserError(
            what, where=_as_written(path, folder), fix="Make it first, or choose another place"
        )
    if mode is not None and stat.S_ISDIR(mode):
        raise UserError("is a folder", where=where, fix="Give the name of a file")
    if mode is not None and not stat.S_ISREG(mode):
        raise UserError("is no ordinary file", where=where, fix="Give the name of a file")
    if mode is not None and not os.access(target, os.W_OK):
        fix = "Choose another name, or allow writing"
        raise UserError("is protected against writing", where=where, fix=fix)
    if not os.access(folder, os.W_OK | os.X_OK):
        fix = "Choose another place"
        raise UserError("one may not write in this folder", where=str(folder), fix=fix)
    return target


def _mode(target: Path) -> int | None:
    try:
        return os.stat(target).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _as_written(path: str | Path, folder: Path) -> str:
    """Return the folder as the caller wrote it, unless a link led elsewhere."""
    written = Path(path).parent
    return str(written if not Path(path).is_symlink() else folder)


def _open_neighbour(target: Path) -> tuple[Path, BinaryIO, int | None]:
    """Open a new file beside the target, and a second descriptor that keeps it locked."""
    while True:
        token = os.urandom(4).hex()  # two threads may write one file
        neighbour = target.with_name(f"{_stem(target)}{os.getpid()}.{token}{_ENDING}")
        file = open(neighbour, "xb")  # noqa: SIM115 - closed by the caller; follows no link
        try:
            if _is_ours(file.fileno()):
                _take_mode(file.fileno(), target)
                return neighbour, file, _second(file.fileno())
            file.close()
        except BaseException:
            file.close()
            neighbour.unlink(missing_ok=True)
            raise


def _is_ours(descriptor: int) -> bool:
    """Lock a new file; False where another process swept it before."""
    try:
        _lock(descriptor)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0


def _second(descriptor: int) -> int | None:
    # Windows has no lock to keep, and renames no file that is open.
    return None if sys.platform == "win32" else os.dup(descriptor)


def _stem(target: Path) -> str:
    name = target.name
    if len(os.fsencode(name)) > _LONGEST_NAME_BYTES:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return f".{name}."


def _take_mode(descriptor: int, target: Path) -> None:
    """Let a private file stay private."""
    mode = _mode(target)
    if mode is not None and mode != os.fstat(descriptor).st_mode and sys.platform != "win32":
        os.fchmod(descriptor, stat.S_IMODE(mode))


def _lock(descriptor: int) -> bool:
    """Lock a file until its last descriptor is closed, by the system if nobody else.

    Returns:
        False where there are no locks.

    Raises:
        BlockingIOError: Another process has locked it.
    """
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # not on this file system
        return False
    return True


def _sweep(target: Path) -> None:
    """Remove what killed processes left of earlier attempts: files that nobody locks."""
    pattern = re.compile(re.escape(_stem(target)) + r"\d+\.[0-9a-f]{8}" + re.escape(_ENDING))
    with contextlib.suppress(OSError), os.scandir(target.parent) as entries:
        for entry in entries:
            if pattern.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    _remove_unlocked(entry.path)


def _remove_unlocked(path: str) -> None:
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    try:
        if _lock(descriptor):
            os.unlink(path)
    finally:
        os.close(descriptor)


def _open_folder(folder: Path) -> int | None:
    """Open a folder to flush it, while an error still leaves the older file in place."""
    if sys.platform == "win32":  # folders cannot be opened there
        return None
    try:
        return os.open(folder, os.O_RDONLY)
    except PermissionError:  # one may write there, but not list
        return None


@contextlib.contextmanager
def _closing(descriptor: int | None) -> Iterator[int | None]:
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            with contextlib.suppress(OSError):  # nothing is lost by it
                os.close(descriptor)


def _flush_folder(folder: int | None, *, where: str) -> None:
    """Flush the new name to the disk; the file stands there already.

    Raises:
        UserError: The disk did not confirm it.
    """
    if folder is None:
        return
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno in _UNFLUSHABLE:
            return
        raise UserError(
            f"is written, but the disk did not confirm it: {error.strerror or error}",
            where=where,
            fix="Look after the disk, and write it again",
        ) from None
