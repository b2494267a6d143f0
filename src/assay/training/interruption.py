"""Ctrl-C during a training: heard at once, obeyed when the work so far is kept.

Comes in: a signal, at any moment of a step. Goes out: the same signal, between two steps.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

_Handler = Callable[[int, FrameType | None], object]


class Interruption:
    """Holds back the first signal to stop; the second one ends the work at once.

    Signals that no Python function handles, as SIGTERM mostly, are left alone, and so are
    all of them outside the main thread, which alone may handle them.

    Args:
        is_awaited: Whether somebody asks `is_told`, and may pass the signal on.

    Example:
        >>> with Interruption(is_awaited=True) as interruption:
        ...     try:
        ...         signal.raise_signal(signal.SIGINT)
        ...         interruption.is_told
        ...         interruption.pass_on()
        ...     except KeyboardInterrupt:
        ...         print("ends")
        True
        ends
    """

    def __init__(self, *, is_awaited: bool) -> None:
        self._is_awaited = is_awaited
        self._meant_for: dict[int, _Handler] = {}
        self._held: tuple[int, FrameType | None] | None = None

    @property
    def is_told(self) -> bool:
        """Whether a signal is held back."""
        return self._held is not None

    def pass_on(self) -> None:
        """Give the signal held back, if any, to its handler, which may raise anything."""
        if self._held is not None:
            (number, frame), self._held = self._held, None
            self._meant_for[number](number, frame)

    def __enter__(self) -> Self:
        """Begin to hold back."""
        if self._is_awaited and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(number)
                if callable(handler):
                    self._meant_for[number] = handler
                    signal.signal(number, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """Let signals go their way again, the one held back included."""
        try:
            self._restore()
        finally:  # one more may come meanwhile, and its handler may raise anything
            self._restore()
        if kind is None:
            self.pass_on()

    def _restore(self) -> None:
        """Give the signals back, Ctrl-C, which comes most, last."""
        for number, handler in reversed(self._meant_for.items()):
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._held is None:
            self._held = number, frame
        else:
            self._meant_for[number](number, frame)
