"""Which epoch each member keeps, and when a better one is no longer to be expected.

Comes in: validation losses by epoch. Goes out: which members improved, and whether to
go on. Epochs are compared by the log loss after calibration, at the best of some
temperatures: what over-confidence costs is mended at the end, so that it must not end
a training that still learns to tell classes apart (arXiv 2501.19195).

In a schedule of several cycles only the epochs that end one are kept. There the rate is
lowest and the weights are settled; that an epoch between them looks better on validation
rows is mostly chance. What this gave is in docs/engine.md.
"""

from collections.abc import Mapping

import numpy as np

from assay.options import TrainRecipe
from assay.training.schedule import cycle_at

TEMPERATURES = (1.0, *np.geomspace(0.5, 6.0, 8).tolist())
"""Validation losses are measured at each; the first is the plain log loss."""

_AUTO_PATIENCE = 20
_FEW_ROWS, _LEAST_GAIN = 800, 0.02  # of the loss, in a cycle; the next takes twice the time
_SETTLED_EPOCHS = 20  # before, little gain may be a slow start


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
        n_train: Training rows of the largest member: with few, a cycle has to bring more.
    """

    def __init__(self, recipe: TrainRecipe, repeat: tuple[int, ...], *, n_train: int) -> None:
        self.best_epoch = np.zeros(len(repeat), dtype=np.int64)
        self._best_loss = np.full(len(repeat), np.inf)
        self._judged = self._best_loss.copy()  # of the newest epoch
        self._recipe, self._repeat = recipe, repeat
        self._least_gain = _LEAST_GAIN if n_train <= _FEW_ROWS else 0.0
        has_cycles = cycle_at(recipe.schedule, 1.0 - 1e-9) > 0
        self._is_by_cycle = has_cycles and recipe.patience in ("auto", 0)
        self._cycle, self._is_cycle_over = 0, False
        self._ends: list[float] = []  # means of the judged losses where a cycle ended

    def judge(self, losses: np.ndarray, *, progress: float) -> np.ndarray:
        """Take in an epoch's validation losses; return which members are to keep it.

        Until the first cycle is over each epoch may be the best so far, so that a
        training that is cut has one; then the end of that cycle takes its place.

        Args:
            losses: Shape (temperatures, K).
            progress: Share of the training that is done when the next epoch is half over,
                or now by the clock: a cycle that ends within an epoch ends with the
                nearest one.

        Returns:
            Shape (K,), bool.
        """
        judged = losses_of_others(losses, self._repeat).min(axis=0)
        is_finite = np.isfinite(losses[0])
        self._judged = np.where(is_finite, judged, np.inf)
        if not self._is_by_cycle:
            return self.improved()
        # Planned anew by the clock, a training may be less far than it seemed.
        cycle = max(cycle_at(self._recipe.schedule, progress), self._cycle)
        self._cycle, self._is_cycle_over = cycle, cycle > self._cycle
        if self._is_cycle_over:
            if not self._ends:
                self._best_loss[is_finite] = np.inf
            known = judged[np.isfinite(judged)]
            self._ends.append(float(known.mean()) if len(known) else np.inf)
        elif self._ends:
            return np.zeros(len(judged), dtype=bool)
        return self.improved()

    def improved(self) -> np.ndarray:
        """Return which members the newest epoch would improve, whether it ends a cycle or not.

        The last epoch of a training may be kept in any case: its plan or the clock has
        brought the rate down.

        Returns:
            Shape (K,), bool.
        """
        result: np.ndarray = self._judged < self._best_loss
        return result

    def keep(self, members: np.ndarray, epoch: int) -> None:
        """Let the members that are True in `members` keep the newest epoch, 1-based."""
        self._best_loss[members] = self._judged[members]
        self.best_epoch[members] = epoch

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what `restore` needs: of members, shape (K,), and of cycles."""
        return {
            "best_epoch": self.best_epoch,
            "best_loss": self._best_loss,
            "judged": self._judged,
            "ends": np.array(self._ends, dtype=np.float64),
            "cycle": np.array([self._cycle, self._is_cycle_over], dtype=np.int64),
        }

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from what `arrays` returned."""
        self.best_epoch[:] = arrays["best_epoch"]
        self._best_loss[:], self._judged[:] = arrays["best_loss"], arrays["judged"]
        self._ends = arrays["ends"].tolist()
        self._cycle, is_cycle_over = arrays["cycle"].tolist()
        self._is_cycle_over = bool(is_cycle_over)

    def is_over(self, epoch: int) -> bool:
        """Whether no better epoch is to be expected after so many.

        With "auto" patience a schedule of several cycles ends after the first cycle that
        brought the members nothing, or with few rows next to nothing.
        """
        patience = self._recipe.patience
        if patience == 0:
            return False
        if self._is_by_cycle:
            *before, newest = self._ends or [np.inf]
            least_gain = self._least_gain if epoch >= _SETTLED_EPOCHS else 0.0
            is_judged = self._is_cycle_over and bool(before)
            return is_judged and newest >= min(before) * (1.0 - least_gain)
        n_epochs = _AUTO_PATIENCE if patience == "auto" else patience
        return bool(epoch - self.best_epoch.max() >= n_epochs)
