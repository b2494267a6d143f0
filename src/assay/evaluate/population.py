"""Judge a trained population: by rows left out, rows held out, and rows learnt from."""

from functools import cached_property
from typing import Any

import numpy as np

from assay.core import CoreGraph
from assay.deal import sample_rows
from assay.errors import InternalError
from assay.evaluate.calibration import apply_temperature, fit_temperature, mix_weight
from assay.evaluate.intervals import member_spread
from assay.evaluate.scores import evaluate_predictions
from assay.nn.core_graph import Calibration
from assay.nn.network import Network
from assay.recipe import Recipe
from assay.samples import HeldOutRows, Samples
from assay.training.predictions import (
    MemberScores,
    average_members,
    member_log_probabilities,
    out_of_fold,
    score_members,
)
from assay.training.rows import EncodedRows, Lesson, RowSet
from assay.training.setup import random_part

PARITY_TOLERANCE = 1e-5  # between PyTorch and the core graph, in probability
_PARITY_ROWS = 500
_CALIBRATION_PARTS = 5
_CALIBRATION_CELLS = 200_000  # rows x classes that a calibration is fitted on
_CALIBRATION_ROWS = 5_000  # rows that it is fitted on at the least, where there are as many
LEARNT_ROWS = 50_000  # of each member, to score it on: accuracy is then known to 0.2 %


class Judge:
    """Scores of a trained population, as plain data.

    Args:
        network: Trained.
        lesson: What it learnt from.
        samples: The lesson's rows.
        recipe: The section [evaluate], and the seed.
    """

    def __init__(
        self,
        network: Network,
        lesson: Lesson,
        samples: Samples,
        recipe: Recipe,
    ) -> None:
        self._network = network
        self._lesson = lesson
        self._y = samples.y
        self._classes = samples.target.classes
        self._groups = samples.roles.groups
        self._recipe = recipe
        self._oof = out_of_fold(network, lesson.rows, lesson.validation)
        self._is_judged = np.isfinite(self._oof[:, 0])

    @cached_property
    def calibration(self) -> Calibration:
        """The calibration fitted on out-of-fold predictions; neutral without any."""
        if self._recipe.evaluate.calibration == "none" or not self._is_judged.any():
            return Calibration()
        return _fitted(self._oof[self._is_judged], self._y[self._is_judged])

    def left_out_rows(self) -> dict[str, Any]:
        """Judge each row by the members that had left it out.

        The temperature of a row is fitted on other rows, not on the one it judges.
        """
        chosen = self._is_judged
        proba = self._cross_calibrated(self._oof[chosen], self._y[chosen])
        groups = None if self._groups is None else self._groups[chosen]
        judged = self._judged(self._y[chosen], proba, groups=groups)
        scores = score_members(self._network, self._lesson.rows, self._y, self._lesson.validation)
        return {**judged, "members": _spreads(scores)}

    def learnt_rows(self, most: int = LEARNT_ROWS) -> dict[str, Any]:
        """Score each member on rows that it learnt from: no measure of quality.

        Args:
            most: Rows of each member; a random sample where it learnt from more.
        """
        learnt = random_part(self._lesson.train, most)
        scores = score_members(self._network, self._lesson.rows, self._y, learnt)
        return {"members": _spreads(scores)}

    def test_rows(self, core: CoreGraph, test: HeldOutRows) -> dict[str, Any]:
        """Judge rows that no member saw, by the core graph.

        Args:
            core: The graph that will be shipped.
            test: M rows.
        """
        judged = self._judged(test.y, core.run(test.arrays), groups=test.groups)
        rows = EncodedRows(self._network, test.arrays, self._lesson.rows.device)
        everyone = RowSet.of(np.ones((self._network.n_members, len(test.y)), dtype=bool))
        scores = score_members(self._network, rows, test.y, everyone)
        return {**judged, "members": _spreads(scores)}

    def _cross_calibrated(self, proba: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Calibrate each fifth of the rows by what the other four fifths give."""
        if self._recipe.evaluate.calibration == "none":
            return proba
        part = np.random.default_rng(self._recipe.seed).permutation(len(y)) % _CALIBRATION_PARTS
        result = proba.copy()
        for idx in range(_CALIBRATION_PARTS):
            own, others = part == idx, part != idx
            if own.any() and others.any():
                result[own] = calibrated(proba[own], _fitted(proba[others], y[others]))
        return result

    def _judged(
        self, y: np.ndarray, proba: np.ndarray, *, groups: np.ndarray | None
    ) -> dict[str, Any]:
        recipe = self._recipe
        return evaluate_predictions(
            y, proba, self._classes, recipe.evaluate, seed=recipe.seed, groups=groups
        )


def _fitted(proba: np.ndarray, y: np.ndarray) -> Calibration:
    """Fit a calibration; a random sample of many rows pins one number down as well."""
    chosen = sample_rows(len(y), calibration_rows(len(y), proba.shape[1]))
    return Calibration(fit_temperature(proba[chosen], y[chosen]), mix_weight(len(y)))


def calibration_rows(n_rows: int, n_classes: int) -> int:
    """Return on how many of `n_rows` rows a calibration is fitted, at the most.

    Example:
        >>> calibration_rows(10**6, 2), calibration_rows(10**6, 1_000), calibration_rows(80, 2)
        (100000, 5000, 80)
    """
    return max(min(n_rows, max(_CALIBRATION_CELLS // n_classes, _CALIBRATION_ROWS)), 1)


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
    average = average_members(member_log_probabilities(network, first))
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
