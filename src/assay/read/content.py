"""The bytes of one file: found and opened.

In comes a path, standard input or bytes; out goes `Content`, which the readers
of text, columns and JSON share.
"""

import io
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from assay.amounts import size_text
from assay.errors import UserError, did_you_mean
from assay.read.caps import Caps

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Content:
    """Bytes of a table, on disk or in memory.

    Attributes:
        name: How messages call it ("titanic.csv").
        path: The file, or None when `data` holds the bytes.
        data: The bytes, or None when they are still on disk.
    """

    name: str
    path: Path | None = None
    data: bytes | None = None

    @property
    def extension(self) -> str:
        """Last extension in lower case, with its dot, or an empty string."""
        return Path(self.name).suffix.lower()

    @property
    def size_bytes(self) -> int:
        """Number of bytes."""
        if self.data is not None:
            return len(self.data)
        return self.path.stat().st_size if self.path is not None else 0

    def open(self) -> BinaryIO:
        """Return a stream of the bytes.

        Raises:
            UserError: The file cannot be opened.
        """
        if self.path is None:
            return io.BytesIO(self.data or b"")
        try:
            return self.path.open("rb")
        except OSError as error:
            raise _cannot_read(self.name, error) from None

    def head(self, n_bytes: int) -> bytes:
        """Return the first `n_bytes` bytes, fewer where the file is shorter."""
        with self.open() as stream:
            return stream.read(n_bytes)

    def read(self) -> bytes:
        """Return all bytes."""
        if self.data is not None:
            return self.data
        with self.open() as stream:
            return stream.read()

    def chunks(self, n_bytes: int = _CHUNK_BYTES) -> Iterator[bytes]:
        """Yield all bytes in pieces of `n_bytes`."""
        with self.open() as stream:
            while piece := stream.read(n_bytes):
                yield piece

    @contextmanager
    def mapped(self) -> Iterator[bytes | mmap.mmap]:
        """Give all bytes to look at here and there; a file on disk is not read whole."""
        if self.path is None:
            yield self.data or b""
            return
        with self.open() as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data

    def for_polars(self) -> Path | bytes:
        """Return what Polars readers take: the path, or the bytes."""
        return self.path if self.path is not None else self.data or b""


class Pipe:
    """Bytes that flow once: read as far as a recipe allows, and kept to be read again.

    Args:
        stream: Where they come from.
        name: How messages call it.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self._kept, self._is_whole = io.BytesIO(), False

    def read(self, caps: Caps) -> bytes:
        """Return all bytes.

        Args:
            caps: How many there may be; one piece more is read at the most.

        Raises:
            UserError: There are more.
        """
        while not self._is_whole and self._kept.tell() <= caps.max_bytes:
            piece = self._stream.read(_CHUNK_BYTES)
            self._kept.write(piece)
            self._is_whole = not piece
        if self._kept.tell() > caps.max_bytes:
            raise UserError(
                f"it holds more than {size_text(caps.max_bytes)}",
                where=self._name,
                fix=caps.fix(2 * caps.max_bytes),
            )
        return self._kept.getvalue()


def open_path(path: Path, caps: Caps) -> Content:
    """Find a file and make sure that it can be read.

    Args:
        path: A file; a pipe or a device is read into memory.
        caps: How much of a pipe is read at the most.

    Returns:
        Its content, not yet read.

    Raises:
        UserError: There is no such file (the nearest name is offered), it is a
            folder, it is empty, reading is not allowed, or a pipe gives too much.
    """
    try:
        if path.is_dir():
            raise UserError("this is a folder, not a table", where=str(path), fix=_inside(path))
        if not path.exists():
            raise UserError("there is no such file", where=str(path), fix=_nearest(path))
        with path.open("rb") as stream:
            data = None if path.is_file() else Pipe(stream, path.name).read(caps)
            is_empty = not data if data is not None else not stream.read(1)
    except OSError as error:
        raise _cannot_read(str(path), error) from None
    if is_empty:
        raise UserError("the file is empty", where=str(path), fix="Choose a file with a table")
    return Content(name=path.name, path=None if data is not None else path, data=data)


def from_bytes(data: bytes, name: str) -> Content:
    """Wrap bytes in memory.

    Raises:
        UserError: There are no bytes.
    """
    if not data:
        raise UserError("there is nothing to read: 0 bytes", where=name)
    return Content(name=name, data=data)


def on_disk(content: Content, what: str) -> Path:
    """Return the file of a database, which is opened by its path.

    Raises:
        UserError: The bytes are in memory.
    """
    if content.path is None:
        raise UserError(
            f"a {what} database must be a file on disk, not compressed or piped",
            where=content.name,
            fix="Save it to a file first",
        )
    return content.path


def _nearest(path: Path) -> str | None:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"There is no folder {str(path.parent)!r} either"
    return did_you_mean(path.name, sorted(names))


def _inside(path: Path) -> str | None:
    try:
        names = sorted(entry.name for entry in path.iterdir() if entry.is_file())
        names = [name for name in names if not name.startswith(".")]
    except OSError:
        return None
    return f"Choose a file in it: {', '.join(names[:8])}" if names else "It holds no file"


def _cannot_read(name: str, error: OSError) -> UserError:
    reason = (error.strerror or str(error)).lower()
    return UserError(f"cannot read the file: {reason}", where=name, fix="Check its permissions")
