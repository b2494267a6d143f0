"""Which epoch each member keeps, and when a better one is no longer to be expected.

Comes in: validation losses by epoch. Goes out: which members improved, and whether to
go on. Epochs are compared by the log loss after calibration, at the best of some
temperatures: what over-confidence costs is mended at the end, so that it must not end
a training that still learns to tell classes apart (arXiv 2501.19195).
"""

from collections.abc import Mapping

import numpy as np

from assay.options import TrainRecipe
from assay.training.schedule import cycle_at

TEMPERATURES = (1.0, *np.geomspace(0.5, 6.0, 8).tolist())
"""Validation losses are measured at each; the first is the plain log loss."""

_AUTO_PATIENCE = 20


def losses_of_others(losses: np.ndarray, repeat: tuple[int, ...]) -> np.ndarray:
    """Return for each member the mean validation loss of the others of its repeat.

    A member chooses its epoch by these, so that the rows it is judged by have no
    part in the choice: chosen by its own, shuffled labels gave an AUROC of 0.61 on
    80 rows. A member that is alone in its repeat goes by those of all other repeats; the
    only member of all by its own loss.

    Args:
        losses: Validation loss of each member, shape (..., K); one that is not finite
            is left out.
        repeat: Number of each member's repeat.

    Example:
        >>> losses_of_others(np.array([1.0, 2.0, 6.0, 5.0]), (0, 0, 0, 1)).tolist()
        [4.0, 3.5, 1.5, 3.0]
    """
    is_finite = np.isfinite(losses)
    known = np.where(is_finite, losses, 0.0)
    number = np.asarray(repeat)
    is_other = ~np.eye(len(number), dtype=bool)
    others = (number[:, None] == number) & is_other
    others = np.where(others.any(axis=0), others, is_other)  # a column for each member
    n_known = is_finite.astype(np.float64) @ others  # (..., K) @ (K, K)
    mean = np.divide(known @ others, n_known, out=np.full(losses.shape, np.inf), where=n_known > 0)
    alone = np.where(is_finite, losses, np.inf)
    result: np.ndarray = np.where(others.any(axis=0), mean, alone)
    return result


class Selection:
    """The best epoch of each member so far.

    Args:
        recipe: Its `patience` and `schedule`.
        repeat: Number of each member's repeat.
    """

    def __init__(self, recipe: TrainRecipe, repeat: tuple[int, ...]) -> None:
        self.best_epoch = np.zeros(len(repeat), dtype=np.int64)
        self._best_loss = np.full(len(repeat), np.inf)
        self._judged = self._best_loss  # of the newest epoch
        self._recipe, self._repeat = recipe, repeat
        self._means: list[float] = []  # of the judged losses, by epoch
        self._cycles: list[int] = []

    def judge(self, losses: np.ndarray, *, progress: float) -> np.ndarray:
        """Take in an epoch's validation losses; return which members would improve.

        Args:
            losses: Shape (temperatures, K).
            progress: Share of the training that was done before the epoch, in [0, 1).

        Returns:
            Shape (K,), bool.
        """
        judged = losses_of_others(losses, self._repeat).min(axis=0)
        finite = judged[np.isfinite(judged)]
        self._means.append(float(finite.mean()) if len(finite) else np.inf)
        self._cycles.append(cycle_at(self._recipe.schedule, progress))
        self._judged = judged
        improved: np.ndarray = (judged < self._best_loss) & np.isfinite(losses[0])
        return improved

    def keep(self, members: np.ndarray) -> None:
        """Let the members that are True in `members` keep the newest epoch."""
        self._best_loss[members] = self._judged[members]
        self.best_epoch[members] = len(self._means)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what `restore` needs: of members, shape (K,), and of epochs."""
        return {
            "best_epoch": self.best_epoch,
            "best_loss": self._best_loss,
            "means": np.array(self._means, dtype=np.float64),
            "cycles": np.array(self._cycles, dtype=np.int64),
        }

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from what `arrays` returned."""
        self.best_epoch[:] = arrays["best_epoch"]
        self._best_loss[:] = arrays["best_loss"]
        self._means = arrays["means"].tolist()
        self._cycles = arrays["cycles"].tolist()

    def is_over(self, next_progress: float) -> bool:
        """Whether no better epoch is to be expected.

        With "auto" patience a schedule of several cycles ends after the first cycle that
        brought the members nothing, as a cycle's best epochs are its last.

        Args:
            next_progress: Share of the training that is done before the next epoch.
        """
        patience = self._recipe.patience
        if patience == 0 or not self._means:
            return False
        cycle = self._cycles[-1]
        if patience == "auto" and cycle_at(self._recipe.schedule, 1.0 - 1e-9) > 0:
            is_cycle_over = cycle_at(self._recipe.schedule, next_progress) > cycle
            first = self._cycles.index(cycle)
            return (
                is_cycle_over and first > 0 and min(self._means[first:]) >= min(self._means[:first])
            )
        n_epochs = _AUTO_PATIENCE if patience == "auto" else patience
        return bool(len(self._means) - self.best_epoch.max() >= n_epochs)
