"""What a training tells: to an observer while it runs, and as a history afterwards."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np


class Observer(Protocol):
    """Is told how a training goes on."""

    def on_epoch(self, epoch: int, n_epochs: int, *, log_loss: float, is_validation: bool) -> None:
        """Epoch `epoch` (1-based) of `n_epochs` ended with this mean log loss."""

    def on_stage(self, name: str) -> None:
        """A new stage of the work begins."""

    def on_plan(self, text: str) -> None:
        """What will be done within a budget was estimated; told only where there is one."""


class Silent:
    """An observer that does nothing."""

    def on_epoch(self, epoch: int, n_epochs: int, *, log_loss: float, is_validation: bool) -> None:
        """Do nothing."""

    def on_stage(self, name: str) -> None:
        """Do nothing."""

    def on_plan(self, text: str) -> None:
        """Do nothing."""


@dataclass
class History:
    """Losses by epoch, and how each member ended.

    Attributes:
        train_loss: One array (K,) per epoch: mean training loss.
        validation_log_loss: The same on validation rows; empty without any.
        best_epoch: Shape (K,), 1-based: the epoch each member keeps; 0 for none.
        is_sound: Shape (K,): whether a member's weights are numbers.
        n_passes: Passes over the training rows; not whole where time cut the last.
        is_cut: Whether a deadline ended the training.
    """

    train_loss: list[np.ndarray] = field(default_factory=list)
    validation_log_loss: list[np.ndarray] = field(default_factory=list)
    best_epoch: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    is_sound: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    n_passes: float = 0.0
    is_cut: bool = False

    def diverged_in(self, member_idx: int) -> int:
        """Return the first epoch whose losses of a member are no numbers, or the last one."""
        for epoch, losses in enumerate(self.train_loss, start=1):
            validation = self.validation_log_loss[epoch - 1 : epoch]
            if not all(np.isfinite(one[member_idx]) for one in (losses, *validation)):
                return epoch
        return len(self.train_loss)

    def spoilt_in(self, member_idx: int) -> int | None:
        """Return the first epoch after the one kept whose losses are no numbers, or None.

        A loss that was none in the kept epoch either, as that of a member which validates
        on no row, tells nothing.

        Args:
            member_idx: Of a member that is sound.
        """
        kept, found = int(self.best_epoch[member_idx]), list[int]()
        for losses in (self.train_loss, self.validation_log_loss):
            is_known = np.isfinite([one[member_idx] for one in losses[kept - 1 :]])
            if is_known.any() and is_known[0] and not is_known.all():
                found.append(kept + int(is_known.argmin()))
        return min(found, default=None)

    def of_members(self, member_idx: np.ndarray) -> "History":
        """Return the history of some members."""
        return History(
            [losses[member_idx] for losses in self.train_loss],
            [losses[member_idx] for losses in self.validation_log_loss],
            self.best_epoch[member_idx],
            self.is_sound[member_idx],
            self.n_passes,
            self.is_cut,
        )

    def to_dict(self) -> dict[str, list[object]]:
        """Return plain data for JSON, losses to six digits; None where not finite."""
        return {
            "train_loss": [_plain(losses) for losses in self.train_loss],
            "validation_log_loss": [_plain(losses) for losses in self.validation_log_loss],
            "best_epoch": self.best_epoch.tolist(),
        }


def _plain(losses: np.ndarray) -> list[float | None]:
    return [float(f"{loss:.6g}") if np.isfinite(loss) else None for loss in losses]
