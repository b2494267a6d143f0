"""A second process of Python beside this one: a state in, states out, through pipes.

Comes in: the name of a module, and later the work as arrays and plain data. Goes out: what
the module's function makes of it, piece by piece, while this process does something else.
Whatever goes wrong there, from the start to the last byte, is no error here: the piece is
missing, and is made here instead.

The process ends with the one that began it, however that ends: its standard input is read
to the end all the while. It says nothing to anybody else, and lets Ctrl-C pass.
"""

import contextlib
import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, NoReturn, cast

import numpy as np
import psutil

from assay.machine import free_bytes, n_processors
from assay.state_file import State, packed, unpacked

Send = Callable[[str, State], None]
Inbox = queue.SimpleQueue[State]

_LENGTH_BYTES = 8
_MOST_BYTES = 1 << 28  # of a piece
_LEAST_BYTES = 1 << 30  # of memory; the process takes about 0.2 GB
_LEAST_PATIENCE_S, _MOST_PATIENCE_S = 3.0, 10.0
_WORKING = 0.1  # share of a processor that tells of work
_JOIN_S = 5.0
_WATCH_S = 1.0
# Deaf to Ctrl-C before anything else. Then the same places to import from as here, and
# none that depends on the working directory, where anybody's files lie; this very package,
# of which another release may be installed.
_BOOT = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "import json, sys; sys.path[:] = json.loads(sys.argv[1])\n"
    "import assay.side_process as own; own.__file__ == sys.argv[2] or sys.exit(1)\n"
    "import importlib; importlib.import_module(sys.argv[3]).main()\n"
)
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


class SideProcess:
    """A process that was begun; `close` ends it, whatever it is at.

    Args:
        process: Just begun.
        sink: Its standard input.
        source: Its standard output.
    """

    def __init__(
        self, process: "subprocess.Popen[bytes]", sink: BinaryIO, source: BinaryIO
    ) -> None:
        self.process, self._sink, self._source = process, sink, source
        self._pieces: queue.SimpleQueue[State | None] = queue.SimpleQueue()
        self._found: dict[str, State] = {}
        self._talk: threading.Thread | None = None
        self._writing = threading.Lock()
        self._is_over, self._given_s, self._n_taken = False, 0.0, 0

    @classmethod
    def begin(cls, module: str) -> "SideProcess | None":
        """Begin a process that runs `main` of a module; None where there can be none."""
        if not _can_begin():
            return None
        places = [place for place in sys.path if isinstance(place, str) and os.path.isabs(place)]
        command = [*_interpreter(), "-c", _BOOT, json.dumps(places), __file__, module]
        try:
            process = subprocess.Popen(
                command,
                bufsize=0,  # or `close` would write what is left
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **dict.fromkeys(_ONE_THREAD, "1")},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except (OSError, ValueError, MemoryError, subprocess.SubprocessError):
            return None
        source = io.BufferedReader(cast(io.RawIOBase, process.stdout))
        return cls(process, cast(BinaryIO, process.stdin), cast(BinaryIO, source))

    def give(self, arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]) -> bool:
        """Hand over the work, once; return whether that could be begun.

        Args:
            arrays: As for a state.
            document: Plain JSON data.
        """
        work = b"".join(packed(arrays, document))
        talk = threading.Thread(target=self._converse, args=(work,), daemon=True)
        self._given_s = time.monotonic()
        self._writing.acquire()  # nothing may be asked before the work is sent
        try:
            talk.start()
        except (RuntimeError, MemoryError):
            self._writing.release()
            return False
        self._talk = talk
        return True

    def ask(self, document: Mapping[str, Any]) -> bool:
        """Ask for something more of the work that was given; return whether that could be sent.

        To be called in a thread of its own.

        Args:
            document: Plain JSON data.
        """
        _outlive_broken_pipes()
        if not self._patiently(lambda most_s: self._writing.acquire(timeout=most_s)):
            return False
        try:
            _send(self._sink, b"".join(packed({}, document)))
        except (OSError, ValueError):  # it has ended, or was closed
            return False
        finally:
            self._writing.release()
        return True

    def read(self, name: str) -> State | None:
        """Return a piece of the outcome, or None where it does not come.

        It is waited for as long again as there was time for it since the work was given,
        but not long, and on where the process has been working meanwhile. One that is given
        up is ended, or it would take a processor from whoever makes the piece instead.
        """
        self._patiently(lambda most_s: self._comes(name, most_s))
        return self._found.pop(name, None)

    def _patiently(self, succeeds: Callable[[float], bool]) -> bool:
        """Try again for as long as the process works; return whether it succeeded.

        Args:
            succeeds: Tries for so many seconds.
        """
        waited_s = max(time.monotonic() - self._given_s, _LEAST_PATIENCE_S)
        patience_s, worked_s = min(waited_s, _MOST_PATIENCE_S), self._worked_s()
        while not self._is_over:
            if succeeds(patience_s):
                return True
            before_s, worked_s = worked_s, self._worked_s()
            if worked_s - before_s < _WORKING * patience_s:
                self._end()
        return False

    def _comes(self, name: str, most_s: float) -> bool:
        """Take pieces until one of that name is there; return whether it is."""
        until_s = time.monotonic() + most_s
        while name not in self._found:
            if not self._take(max(until_s - time.monotonic(), 0.0)):
                return False
        return True

    def _worked_s(self) -> float:
        """Return the seconds of a processor that the process has had; 0 once it has ended."""
        try:
            used = psutil.Process(self.process.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return float(used.user + used.system)

    def has(self, name: str) -> bool:
        """Whether a piece is there already."""
        self.is_over()
        return name in self._found

    def is_over(self) -> bool:
        """Whether nothing comes but what is there already."""
        while not self._is_over and self._take(0.0):
            pass
        return self._is_over

    def seconds_a_piece(self) -> float:
        """Return about how long the process has taken for each piece since the work was given."""
        return (time.monotonic() - self._given_s) / (self._n_taken + 1)

    def _take(self, timeout_s: float | None) -> bool:
        """Take the next piece; return whether one came."""
        try:
            state = self._pieces.get(timeout=timeout_s)
        except queue.Empty:
            return False
        if state is None:
            self._end()
            return False
        self._n_taken += 1
        arrays, document = state
        self._found[str(document.get("name"))] = arrays, document.get("document", {})
        return True

    def _end(self) -> None:
        self._is_over = True
        self.process.kill()

    def close(self) -> None:
        """End the process; nothing of it is left. Once more does no harm."""
        self.process.kill()
        self.process.wait()
        if self._talk is not None:
            self._talk.join(_JOIN_S)
            if self._talk.is_alive():
                return  # it holds the pipes
        for pipe in (self._sink, self._source):
            with contextlib.suppress(OSError):  # what was not sent cannot be
                pipe.close()

    def _converse(self, work: bytes) -> None:
        """Write the work and read all pieces; runs in a thread, for both may take a while."""
        _outlive_broken_pipes()
        try:
            try:
                _send(self._sink, work)
            finally:
                self._writing.release()
            while (piece := _receive(self._source)) is not None:
                self._pieces.put(piece)
        except (OSError, ValueError, MemoryError):
            pass  # it has ended, or is being closed
        finally:
            self._pieces.put(None)
        self.process.wait()  # or what has ended would be listed until `close`


def serve(prepare: Callable[[], None], answer: Callable[[State, Send, Inbox], None]) -> NoReturn:
    """Be such a process: prepare, take the work, answer it, and end.

    Args:
        prepare: Called while the work is on its way.
        answer: Is given the work, what to send each piece with, name and state, and where
            anything more that is asked for arrives.
    """
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what libraries print is no piece
    inbox: Inbox = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(source, inbox), daemon=True).start()
    if os.name == "posix":
        threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()
    status = 1
    try:
        prepare()
        answer(inbox.get(), lambda name, state: _send_piece(sink, name, state), inbox)
        status = 0
    finally:
        os._exit(status)  # at once, without a word


def _outlive_broken_pipes() -> None:
    """Let this thread get an error where nobody reads; else a signal may end the process."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})


def _listen(source: BinaryIO, inbox: Inbox) -> None:
    """Read to the end, at which whoever gave the work is gone."""
    try:
        while (message := _receive(source)) is not None:
            inbox.put(message)
    finally:
        os._exit(1)


def _watch(parent: int) -> None:
    """End after the parent has, whose end a fork of it may hide from whoever listens."""
    while os.getppid() == parent:
        time.sleep(_WATCH_S)
    os._exit(1)


def _send_piece(sink: BinaryIO, name: str, state: State) -> None:
    arrays, document = state
    _send(sink, b"".join(packed(arrays, {"name": name, "document": document})))


def _send(sink: BinaryIO, data: bytes) -> None:
    rest = memoryview(len(data).to_bytes(_LENGTH_BYTES, "little") + data)
    while rest:  # a pipe takes a part
        rest = rest[sink.write(rest) :]
    sink.flush()


def _receive(source: BinaryIO) -> State | None:
    """Return the next state, or None at the end or where its bytes are not its own."""
    n_bytes = int.from_bytes(source.read(_LENGTH_BYTES), "little")
    if not 0 < n_bytes <= _MOST_BYTES:
        return None
    data = bytearray(source.read(n_bytes))
    return unpacked(data) if len(data) == n_bytes else None


def _can_begin() -> bool:
    """Whether this is a plain Python, with a processor and memory for another one."""
    program = os.path.basename(sys.executable or "").lower()
    if not program.startswith("python") or getattr(sys, "frozen", False):
        return False  # a program with Python inside, which would begin anew as a whole
    if n_processors() < 2 or os.environ.get("OMP_NUM_THREADS") == "1":
        return False
    return free_bytes() >= _LEAST_BYTES


def _interpreter() -> list[str]:
    """Return the command of a Python that runs no file at its start that this one did not.

    It is deaf to the environment and to the person's own packages (-I): what came of these
    is in `sys.path`.
    """
    command = [sys.executable, "-I", *(f"-W{option}" for option in sys.warnoptions)]
    if sys.flags.no_site:
        command.append("-S")
    if sys.dont_write_bytecode:
        command.append("-B")
    if sys.pycache_prefix:
        command += ["-X", f"pycache_prefix={sys.pycache_prefix}"]
    return command
