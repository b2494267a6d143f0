"""How a training goes on, told on standard error: a bar for a person, lines for a log."""

import contextlib
import math
import sys
import time
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

from assay.amounts import duration_text
from assay.cli.output import murmur

if TYPE_CHECKING:
    from rich.progress import Progress

_MOST_LINES = 18  # of epochs; the first and the last come on top


class Reporter(Protocol):
    """An observer of a training that has an end; see `training.history.Observer`."""

    def on_epoch(self, epoch: int, n_epochs: int, *, log_loss: float, is_validation: bool) -> None:
        """Epoch `epoch` (1-based) of `n_epochs` ended with this mean log loss."""

    def on_stage(self, name: str) -> None:
        """A new stage of the work begins."""

    def on_plan(self, text: str) -> None:
        """What will be done within a budget was estimated."""

    def close(self) -> None:
        """The training is over, or has failed."""


def make_reporter(*, is_quiet: bool) -> Reporter:
    """Return what tells of a training: nothing, a live bar, or plain lines."""
    if is_quiet or sys.stderr is None:
        return Quiet()
    if sys.stderr.isatty():
        from rich.console import Console

        console = Console(file=cast(IO[str], Unheard(sys.stderr)))
        if not console.is_dumb_terminal:
            return Bar(console_progress(console))
    return Lines()


class Unheard:
    """A stream that may vanish, as a terminal does when its line is cut.

    Args:
        stream: Is written to; what it does not take is dropped, and the training goes on.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, or drop it."""
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is held back, or drop it."""
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def spacing(n_epochs: int, most: int = _MOST_LINES) -> int:
    """Return after how many epochs to tell, a round number, at most `most` times.

    Example:
        >>> spacing(10), spacing(64), spacing(1000)
        (1, 5, 100)
    """
    least = max(n_epochs / most, 1.0)
    power: int = 10 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)


def loss_name(is_validation: bool) -> str:
    """Return what the loss is called: that of rows left out, or of rows learnt from."""
    return "validation log loss" if is_validation else "training loss"


class Quiet:
    """Tells nothing."""

    def on_epoch(self, epoch: int, n_epochs: int, *, log_loss: float, is_validation: bool) -> None:
        """Do nothing."""

    def on_stage(self, name: str) -> None:
        """Do nothing."""

    def on_plan(self, text: str) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


_EARLY_STAGES = ("reading", "preparing")


class Lines:
    """Writes about twenty plain lines, among them the first and the last epoch.

    Nothing is written before the training begins, so that a table that cannot be read
    gets its one line and no other.
    """

    def __init__(self) -> None:
        self._start_s = self._stage_s = time.monotonic()
        self._n_earlier = -1  # epochs that an earlier attempt took; none was told of yet
        self._held_back = ""
        self._early: list[str] = []

    def on_epoch(self, epoch: int, n_epochs: int, *, log_loss: float, is_validation: bool) -> None:
        """Write a line when it is time."""
        now_s = time.monotonic()
        is_first = self._n_earlier < 0
        if is_first:
            self._n_earlier = epoch - 1
        left_s = (now_s - self._stage_s) / (epoch - self._n_earlier) * (n_epochs - epoch)
        line = (
            f"epoch {epoch}/{n_epochs}  {loss_name(is_validation)} {log_loss:.4f}"
            f"  elapsed {duration_text(now_s - self._start_s)}, about {duration_text(left_s)} left"
        )
        if is_first or epoch == n_epochs or epoch % spacing(n_epochs) == 0:
            self._held_back = ""
            murmur(line)
        else:
            self._held_back = line

    def on_stage(self, name: str) -> None:
        """Write the stage, and before it the last epoch of a training cut short."""
        self.close()
        self._stage_s, self._n_earlier = time.monotonic(), -1
        if name in _EARLY_STAGES:
            self._early.append(name)
            return
        if self._early:
            elapsed = duration_text(self._stage_s - self._start_s)
            murmur(f"{' and '.join(self._early)}: {elapsed}")
            self._early.clear()
        murmur(name)

    def on_plan(self, text: str) -> None:
        """Write the plan."""
        murmur(text)

    def close(self) -> None:
        """Write the epoch held back, if any."""
        if self._held_back:
            murmur(self._held_back)
        self._held_back = ""


def console_progress(console: object) -> "Progress":
    """Return a bar that shows stage, epoch, loss, elapsed and remaining time."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Remaining

    # Narrow enough for 80 columns: a longer line would be cut or jump.
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=8),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
        Remaining(),
        TextColumn("left"),
        console=console if isinstance(console, Console) else None,
        transient=True,
        refresh_per_second=5,
    )


class Bar:
    """Draws one live line.

    Args:
        progress: Of rich; started here and ended by `close`.
    """

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=None, state="")
        progress.start()

    def on_epoch(self, epoch: int, n_epochs: int, *, log_loss: float, is_validation: bool) -> None:
        """Move the bar."""
        state = f"{epoch}/{n_epochs}  {loss_name(is_validation)} {log_loss:.4f}"
        self._progress.update(self._task, completed=epoch, total=n_epochs, state=state)

    def on_stage(self, name: str) -> None:
        """Name the stage."""
        self._progress.update(self._task, description=name)

    def on_plan(self, text: str) -> None:
        """Write the plan above the bar, where it stays."""
        self._progress.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        """Take the line away."""
        self._progress.stop()
