"""Talk beside the result: what a verb notices and what the library logs, in one voice."""

import contextlib
import logging
from collections.abc import Callable, Iterator

from assay.cli.output import tell

Talk = Callable[[str], None]


@contextlib.contextmanager
def talking(*, is_quiet: bool) -> Iterator[Talk]:
    """Let what the library logs go to standard error, and give a way to talk there too.

    Args:
        is_quiet: Whether to drop all of it.

    Yields:
        A function that tells a line.
    """
    talk = _drop if is_quiet else tell
    handler = _Handler(talk)
    log = logging.getLogger("assay")
    log.addHandler(handler)
    try:
        yield talk
    finally:
        log.removeHandler(handler)


class _Handler(logging.Handler):
    def __init__(self, talk: Talk) -> None:
        super().__init__()
        self._talk = talk

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one message."""
        self._talk(record.getMessage())


def _drop(text: str) -> None:
    """Tell nothing."""
