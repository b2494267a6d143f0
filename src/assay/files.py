"""Files that appear whole or not at all."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from assay.errors import UserError


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when it is complete.

    The bytes go to a hidden neighbour, are flushed to the disk, renamed, and the
    folder is flushed too. On any error the neighbour is removed and an older file
    of that name stays as it was.

    Args:
        path: Where the file shall be.

    Raises:
        UserError: The folder is absent or not writable, the disk is full, or the place
            is a folder or a device.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with atomic_write(folder / "a.txt") as file:
        ...     _ = file.write(b"whole")
        >>> [entry.name for entry in folder.iterdir()]
        ['a.txt']
    """
    target = Path(path).resolve()  # a link stays a link; the file behind it is replaced
    if target.is_dir():
        raise UserError("is a folder", where=str(path), fix="Give the name of a file")
    if target.exists() and not target.is_file():
        raise UserError("is no ordinary file", where=str(path), fix="Give the name of a file")
    neighbour = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with open(neighbour, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(neighbour, target)
        _flush_folder(target.parent)
    except OSError as error:
        raise UserError(
            f"cannot write: {error.strerror or error}",
            where=str(path),
            fix="Nothing was left behind; choose another place or make room",
        ) from None
    finally:
        with contextlib.suppress(OSError):
            neighbour.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
