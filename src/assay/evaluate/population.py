"""Judge what was trained: by rows left out, rows held out, and rows learnt from."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from assay.candidates import Rival
from assay.candidates.core_graph import build_core_graph
from assay.core import CoreGraph
from assay.errors import InternalError
from assay.evaluate.contest import Contest
from assay.evaluate.cost import RELIABILITY_DRAWS
from assay.evaluate.curves import curves, reliability
from assay.evaluate.decisions import class_of_threshold
from assay.evaluate.intervals import (
    CROSS_FITTED,
    Interval,
    bootstrap_intervals,
    member_spread,
    widened,
)
from assay.evaluate.mixture import NETWORK, Mixture
from assay.evaluate.redrawn import Draws
from assay.evaluate.scores import evaluate_predictions
from assay.machine import give_back
from assay.nn.network import Network
from assay.recipe import Recipe
from assay.samples import HeldOutRows, Samples
from assay.training.predictions import (
    MemberScores,
    average_members,
    member_log_probabilities,
    out_of_fold,
    score_left_out,
    score_members,
)
from assay.training.rows import EncodedRows, RowSet
from assay.training.setup import Setup, random_part

PARITY_TOLERANCE = 1e-5  # between what was trained and the core graph, in probability
_PARITY_ROWS = 500
_RELIABLE = ("ece", "brier")
LEARNT_ROWS = 50_000  # of each member, to score it on: accuracy is then known to 0.2 %


class Judge:
    """Scores of what was trained, as plain data.

    Args:
        setup: A trained population and its rows.
        rivals: Simpler candidates on the same folds, simplest first.
        recipe: What to prefer, the section [evaluate], and the seed.
    """

    def __init__(self, setup: Setup, rivals: Sequence[Rival], recipe: Recipe) -> None:
        self._network = setup.network
        self._lesson = setup.lesson
        self._samples = setup.samples
        self._rivals = rivals
        self._recipe = recipe

    @cached_property
    def contest(self) -> Contest | None:
        """The candidates compared; None where no row was left out."""
        samples = self._samples
        if not samples.split.validation.any():
            return None
        own = self._said_left_out
        kept = slice(len(own))  # repeats may have been left out since the rivals were fitted
        logs = {rival.name: rival.log_proba[kept] for rival in self._rivals} | {NETWORK: own}
        return Contest(
            logs,
            samples.y,
            samples.split,
            self._recipe,
            groups=samples.units,
            weight=samples.roles.weight,
        )

    @cached_property
    def _said_left_out(self) -> np.ndarray:
        """What the networks say of rows that they left out, (R, N, C)."""
        lesson, repeat = self._lesson, self._samples.split.repeat
        return out_of_fold(self._network, lesson.rows, lesson.validation, repeat)

    @property
    def mixture(self) -> Mixture:
        """What ships; where nothing could be compared, what is preferred or the networks."""
        if self.contest is not None:
            return self.contest.shipped
        wanted = self._recipe.model.prefer
        known = [rival.name for rival in self._rivals]
        return Mixture({wanted if wanted in known else NETWORK: 1.0})

    def core_graph(self) -> CoreGraph:
        """Return the graph of what ships, loaded and compared with what was trained.

        Raises:
            InternalError: A probability differs by more than `PARITY_TOLERANCE`.
        """
        mixture, known = self.mixture, {rival.name: rival for rival in self._rivals}
        parts = [
            (self._network if name == NETWORK else known[name], weight)
            for name, weight in mixture.weights.items()
        ]
        core = CoreGraph(build_core_graph(parts, mixture.calibration))
        check_parity(core, self._network, self._lesson.rows, mixture, self._rivals)
        return core

    def left_out_rows(self) -> dict[str, Any]:
        """Judge each row by the members that had left it out.

        Neither the temperature of a row nor the weights of a blend are fitted on the
        row that they judge.
        """
        contest = self.contest
        if contest is None:
            return {}
        y = self._samples.y[contest.row_idx]
        groups = self._samples.units
        groups = None if groups is None else groups[contest.row_idx]
        proba = contest.proba
        give_back()  # here and below, as in `judging`
        judged = self._judged(y, proba, groups=groups, widening=CROSS_FITTED, draws=contest.draws)
        give_back()
        scores = score_left_out(
            self._said_left_out,
            self._samples.y,
            self._lesson.validation,
            self._samples.split.repeat,
        )
        return {
            **judged,
            "members": _spreads(scores),
            "reliability": {
                "before": self._reliability(y, contest.uncalibrated(), contest.draws),
                "after": reliability(
                    y,
                    proba,
                    confidence=self._recipe.evaluate.confidence,
                    intervals={name: Interval(**judged["scores"][name]) for name in _RELIABLE},
                    widening=CROSS_FITTED,
                ),
            },
        }

    def _reliability(self, y: np.ndarray, proba: np.ndarray, draws: Draws) -> dict[str, Any]:
        recipe = self._recipe
        intervals = bootstrap_intervals(
            y,
            proba,
            n_resamples=min(recipe.evaluate.bootstrap, RELIABILITY_DRAWS),
            confidence=recipe.evaluate.confidence,
            ranks="none",
            draws=draws,
        )
        wide = {name: widened(name, intervals[name], CROSS_FITTED) for name in _RELIABLE}
        return reliability(
            y,
            proba,
            confidence=recipe.evaluate.confidence,
            intervals=wide,
            widening=CROSS_FITTED,
        )

    def learnt_rows(self, most: int = LEARNT_ROWS) -> dict[str, Any]:
        """Score each member on rows that it learnt from: no measure of quality.

        Args:
            most: Rows of each member; a random sample where it learnt from more.
        """
        learnt = random_part(self._lesson.train, most)
        scores = score_members(self._network, self._lesson.rows, self._samples.y, learnt)
        return {"members": _spreads(scores)}

    def test_rows(self, core: CoreGraph, test: HeldOutRows) -> dict[str, Any]:
        """Judge rows that no member saw, by the core graph.

        Args:
            core: The graph that will be shipped.
            test: M rows.
        """
        proba = core.run(test.arrays)
        judged = self._judged(test.y, proba, groups=test.groups)
        rows = EncodedRows(self._network, test.arrays, self._lesson.rows.device)
        everyone = RowSet.of(np.ones((self._network.n_members, len(test.y)), dtype=bool))
        scores = score_members(self._network, rows, test.y, everyone)
        intervals = {name: Interval(**judged["scores"][name]) for name in _RELIABLE}
        confidence = self._recipe.evaluate.confidence
        if any(interval.estimate is None for interval in intervals.values()):
            return {**judged, "members": _spreads(scores)}
        after = reliability(test.y, proba, confidence=confidence, intervals=intervals)
        told = {"before": None, "after": after}
        return {**judged, "members": _spreads(scores), "reliability": told}

    def _judged(
        self,
        y: np.ndarray,
        proba: np.ndarray,
        *,
        groups: np.ndarray | None,
        widening: float = 1.0,
        draws: Draws | None = None,
    ) -> dict[str, Any]:
        recipe, classes = self._recipe, self._samples.target.classes
        judged = evaluate_predictions(
            y,
            proba,
            classes,
            recipe.evaluate,
            seed=recipe.seed,
            groups=groups,
            widening=widening,
            draws=draws,
        )
        counts = np.bincount(y, minlength=len(classes))
        positive = class_of_threshold(recipe.decide, classes, counts)
        return {**judged, "curves": curves(y, proba, classes, positive=positive)}


def check_parity(
    core: CoreGraph,
    network: Network,
    rows: EncodedRows,
    mixture: Mixture,
    rivals: Sequence[Rival] = (),
) -> None:
    """Compare the core graph with what was trained, on the first rows.

    Raises:
        InternalError: A probability differs by more than `PARITY_TOLERANCE`.
    """
    arrays = rows.arrays.take(slice(0, _PARITY_ROWS))
    logs: dict[str, np.ndarray] = {
        rival.name: rival.average(arrays) for rival in rivals if rival.name in mixture.weights
    }
    if NETWORK in mixture.weights:
        first = EncodedRows(network, arrays, rows.device)
        logs[NETWORK] = average_members(member_log_probabilities(network, first))
    worst = float(np.abs(core.run(arrays) - mixture.apply(logs)).max())
    if not worst <= PARITY_TOLERANCE:
        raise InternalError(
            f"the core graph differs from what was trained by {worst:.2g} in probability"
        )


def left_out_logs(
    network: Network, rows: EncodedRows, samples: Samples, row_idx: np.ndarray
) -> np.ndarray:
    """Return what is said of rows by the networks that left them out.

    Args:
        network: Trained.
        rows: M rows that stand for `row_idx`, perhaps altered.
        samples: What the network learnt from.
        row_idx: Which rows these are, (M,).

    Returns:
        Log probabilities, (R, M, C).
    """
    left_out = RowSet.of(samples.split.validation[:, row_idx])
    return out_of_fold(network, rows, left_out, samples.split.repeat)


def _spreads(scores: MemberScores) -> dict[str, Any]:
    return {
        "accuracy": member_spread(scores.accuracy).to_dict(),
        "log_loss": member_spread(scores.log_loss).to_dict(),
    }
