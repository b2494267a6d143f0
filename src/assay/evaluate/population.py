"""Judge a trained population: by rows left out, rows held out, and rows learnt from."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from assay.core import CoreGraph
from assay.encode import Arrays
from assay.errors import InternalError
from assay.evaluate.calibration import apply_temperature, fit_temperature, mix_weight
from assay.evaluate.intervals import member_spread
from assay.evaluate.scores import evaluate_predictions
from assay.nn.core_graph import Calibration
from assay.nn.network import Network
from assay.recipe import Recipe
from assay.training.predictions import (
    MemberScores,
    member_probabilities,
    out_of_fold,
    score_members,
)
from assay.training.rows import EncodedRows, Lesson, RowSet

PARITY_TOLERANCE = 1e-5  # between PyTorch and the core graph, in probability
_PARITY_ROWS = 500


class Judge:
    """Scores of a trained population, as plain data.

    Args:
        network: Trained.
        lesson: What it learnt from.
        y: Class indices of the lesson's rows, shape (N,).
        classes: Names of the C classes.
        recipe: The section [evaluate], and the seed.
        groups: Group of each row, shape (N,), or None.
    """

    def __init__(
        self,
        network: Network,
        lesson: Lesson,
        y: np.ndarray,
        classes: Sequence[str],
        recipe: Recipe,
        *,
        groups: np.ndarray | None,
    ) -> None:
        self._network = network
        self._lesson = lesson
        self._y = y
        self._classes = classes
        self._recipe = recipe
        self._groups = groups
        self._oof = out_of_fold(network, lesson.rows, lesson.validation)
        self._is_judged = np.isfinite(self._oof[:, 0])

    @cached_property
    def calibration(self) -> Calibration:
        """The calibration fitted on out-of-fold predictions; neutral without any."""
        if self._recipe.evaluate.calibration == "none" or not self._is_judged.any():
            return Calibration()
        proba, y = self._oof[self._is_judged], self._y[self._is_judged]
        return Calibration(fit_temperature(proba, y), mix_weight(len(proba)))

    def left_out_rows(self) -> dict[str, Any]:
        """Judge each row by the members that had left it out."""
        chosen = self._is_judged
        proba = calibrated(self._oof[chosen], self.calibration)
        groups = None if self._groups is None else self._groups[chosen]
        judged = self._judged(self._y[chosen], proba, groups=groups)
        scores = score_members(self._network, self._lesson.rows, self._y, self._lesson.validation)
        return {**judged, "members": _spreads(scores)}

    def learnt_rows(self) -> dict[str, Any]:
        """Score each member on the rows that it learnt from: no measure of quality."""
        scores = score_members(self._network, self._lesson.rows, self._y, self._lesson.train)
        return {"members": _spreads(scores)}

    def test_rows(self, core: CoreGraph, arrays: Arrays, y: np.ndarray) -> dict[str, Any]:
        """Judge rows that no member saw, by the core graph.

        Args:
            core: The graph that will be shipped.
            arrays: M encoded rows.
            y: Their class indices, shape (M,).
        """
        judged = self._judged(y, core.run(arrays), groups=None)
        rows = EncodedRows(self._network, arrays, self._lesson.rows.device)
        everyone = RowSet.of(np.ones((self._network.n_members, len(y)), dtype=bool))
        return {**judged, "members": _spreads(score_members(self._network, rows, y, everyone))}

    def _judged(
        self, y: np.ndarray, proba: np.ndarray, *, groups: np.ndarray | None
    ) -> dict[str, Any]:
        recipe = self._recipe
        return evaluate_predictions(
            y, proba, self._classes, recipe.evaluate, seed=recipe.seed, groups=groups
        )


def calibrated(proba: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Return calibrated probabilities, shape (N, C), as the core graph computes them."""
    return apply_temperature(proba, calibration.temperature, mix=calibration.mix)


def check_parity(
    core: CoreGraph, network: Network, rows: EncodedRows, calibration: Calibration
) -> None:
    """Compare the core graph with the network on the first rows.

    Raises:
        InternalError: A probability differs by more than `PARITY_TOLERANCE`.
    """
    arrays = rows.arrays.take(slice(0, _PARITY_ROWS))
    first = EncodedRows(network, arrays, rows.device)
    average = member_probabilities(network, first).astype(np.float64).mean(axis=0)
    worst = float(np.abs(core.run(arrays) - calibrated(average, calibration)).max())
    if not worst <= PARITY_TOLERANCE:
        raise InternalError(
            f"the core graph differs from the trained network by {worst:.2g} in probability"
        )


def _spreads(scores: MemberScores) -> dict[str, Any]:
    return {
        "accuracy": member_spread(scores.accuracy).to_dict(),
        "log_loss": member_spread(scores.log_loss).to_dict(),
    }
