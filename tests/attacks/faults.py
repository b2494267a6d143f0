"""Calls of the system that fail: the Nth open, write, fsync, rename, ... of one folder.

Only calls about files under that folder are counted, so that the rest of the process,
the tests among it, goes on as usual.
"""

import builtins
import contextlib
import errno
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.cli import main
from assay.errors import UserError

OLD = b"an older file"
ERRORS = {
    "ENOSPC": OSError(errno.ENOSPC, "No space left on device"),
    "EIO": OSError(errno.EIO, "Input/output error"),
    "EACCES": PermissionError(errno.EACCES, "Permission denied"),
    "EINTR": InterruptedError(errno.EINTR, "Interrupted system call"),
    "MEMORY": MemoryError(),
}
CALLS = (
    "open", "write", "flush", "close", "read", "os.open", "os.close", "fsync", "replace",
    "mkdir", "unlink", "scandir", "stat", "fstat", "fchmod",
)  # fmt: skip


@dataclass
class Fault:
    """Which call fails, and what was seen.

    Attributes:
        call: One of `CALLS`; "" for none, to see what is called.
        nth: Which of them, from 1.
        error: What it raises; a write does half of its work first.
        folder: Calls about files under it are counted.
        seen: The calls so far, each with the file's name.
        is_fired: Whether the call was made.
    """

    call: str
    nth: int
    error: BaseException
    folder: Path
    seen: list[tuple[str, str]] = field(default_factory=list)
    is_fired: bool = False
    descriptors: dict[int, str] = field(default_factory=dict)

    def hits(self, call: str, name: object) -> bool:
        """Note a call; whether it is the one that fails."""
        path = self.descriptors.get(name, "") if isinstance(name, int) else _text(name)
        if not path or not os.path.abspath(path).startswith(str(self.folder)):
            return False
        self.seen.append((call, os.path.basename(path)))
        if call != self.call or sum(one == call for one, _ in self.seen) != self.nth:
            return False
        self.is_fired = True
        return True

    def fail(self, call: str, name: object) -> None:
        """Note a call, and raise where it is the one."""
        if self.hits(call, name):
            raise self.error


class _File:
    """An open file some of whose calls fail."""

    def __init__(self, file: Any, fault: Fault, name: str) -> None:
        self._file, self._fault, self._name = file, fault, name
        fault.descriptors[file.fileno()] = name

    def write(self, data: Any) -> int:
        if self._fault.hits("write", self._name):
            self._file.write(data[: len(data) // 2])
            raise self._fault.error
        return self._file.write(data)

    def flush(self) -> None:
        self._fault.fail("flush", self._name)
        self._file.flush()

    def read(self, *size: int) -> Any:
        self._fault.fail("read", self._name)
        return self._file.read(*size)

    def close(self) -> None:
        was_open = not self._file.closed
        self._file.close()
        if was_open:
            self._fault.fail("close", self._name)

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._file)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextlib.contextmanager
def failing(
    folder: Path, call: str = "", nth: int = 1, error: BaseException = ERRORS["EIO"]
) -> Iterator[Fault]:
    """Let the `nth` call of one kind fail, for files under `folder`.

    Yields:
        What was called; it grows while the block runs.
    """
    fault = Fault(call, nth, error, folder.resolve())
    patched = {
        (builtins, "open"): _opening(builtins.open, fault),
        (io, "open"): _opening(io.open, fault),
        (os, "open"): _os_open(os.open, fault),
        (os, "close"): _on_first("os.close", os.close, fault),
        **{(os, name): _on_first(name, getattr(os, name), fault) for name in _OS_CALLS},
        (os, "rename"): _on_first("replace", os.rename, fault),
        (os, "remove"): _on_first("unlink", os.remove, fault),
    }
    kept = {key: getattr(*key) for key in patched}
    for (module, name), own in patched.items():
        setattr(module, name, own)
    try:
        yield fault
    finally:
        for (module, name), original in kept.items():
            setattr(module, name, original)


def fail_each(path: Path, write: Callable[[], object], call: str, error: BaseException) -> int:
    """Let each call of one kind fail in turn while a file is written over an older one.

    Args:
        path: The file, alone in its folder.
        write: Writes it; raises a UserError where it cannot.
        call: One of `CALLS`.
        error: What the call raises.

    Returns:
        How many such calls there are.

    Raises:
        AssertionError: The file is neither the old nor the new one, it is the new one and
            nobody was told, something was left beside it, or more than one line was told.
    """
    for nth in range(1, 100):
        path.write_bytes(OLD)
        path.chmod(0o640)
        told = ""
        with failing(path.parent, call, nth, error) as fault:
            try:
                write()
            except UserError as refused:
                told = str(refused)
        left = sorted(one.name for one in path.parent.iterdir())
        is_old, is_kept = path.read_bytes() == OLD, bool(told) and "is written, but" not in told
        where = f"{call} {nth} of {path.name} with {error!r}: {told!r}"
        assert left == [path.name], f"{where} left {left}"
        assert is_old == is_kept, f"{where}, the old file: {is_old}"
        assert "\n" not in told, where
        assert path.stat().st_mode & 0o777 == 0o640, where
        if not fault.is_fired:
            assert not told, f"{where} without a fault"
            return nth - 1
    raise AssertionError(f"{call}: calls without end")


def run_command(arguments: list[str], *, is_refused: bool | None = True) -> str:
    """Run a command in this process.

    Args:
        arguments: What stands behind `assay`.
        is_refused: Whether to raise the one line of a refusal; None to return what it wrote.

    Returns:
        Its standard output.

    Raises:
        UserError: It was refused as the caller's mistake.
        AssertionError: Another end than done or refused, or more than one line.
    """
    out, err = io.TextIOWrapper(io.BytesIO()), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(arguments)
    out.flush()
    told, written = err.getvalue(), out.buffer.getvalue().decode()
    assert status in (0, 2), told
    if status == 2:
        assert told.count("\n") == 1, told
        assert not written, written
        if is_refused is not None:
            raise UserError(told.strip())
    return written


_OS_CALLS = ("fsync", "replace", "mkdir", "unlink", "scandir", "stat", "fstat", "fchmod")


def _opening(original: Callable[..., Any], fault: Fault) -> Callable[..., Any]:
    def opened(file: Any, *args: Any, **kwargs: Any) -> Any:
        fault.fail("open", file)
        stream = original(file, *args, **kwargs)
        is_ours = os.path.abspath(_text(file)).startswith(str(fault.folder))
        return _File(stream, fault, _text(file)) if is_ours else stream

    return opened


def _os_open(original: Callable[..., int], fault: Fault) -> Callable[..., int]:
    def opened(path: Any, *args: Any, **kwargs: Any) -> int:
        fault.fail("os.open", path)
        descriptor = original(path, *args, **kwargs)
        fault.descriptors[descriptor] = _text(path)
        return descriptor

    return opened


def _on_first(name: str, original: Callable[..., Any], fault: Fault) -> Callable[..., Any]:
    def called(first: Any = ".", *args: Any, **kwargs: Any) -> Any:
        if name == "os.close":  # closed all the same, as Linux does
            is_hit = fault.hits(name, first)
            fault.descriptors.pop(first, None)
            original(first)
            if is_hit:
                raise fault.error
            return None
        fault.fail(name, first)
        return original(first, *args, **kwargs)

    return called


def _text(name: object) -> str:
    if isinstance(name, int):
        return ""
    return os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else ""
