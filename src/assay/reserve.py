"""How long evaluating and saving will take: what a budget of time keeps in reserve.

Comes in: a population and its measured pace. Goes out: seconds, and a section
[evaluate] with as many resamples as time allows.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from assay.candidates.blend import fitted_rows
from assay.evaluate.contest import DRAWS
from assay.evaluate.cost import affordable, comparison_seconds, evaluation_seconds
from assay.evaluate.intervals import rarest
from assay.evaluate.population import LEARNT_ROWS
from assay.options import EvaluateRecipe
from assay.training.rehearsal import Pace
from assay.training.setup import Setup

SLACK = 1.25  # of estimated seconds, for what a busy machine adds
ENDING_S = 1.6  # the graph, golden rows, the file, its summary and the report
_ENDING_BYTES_S = 30e6  # bytes of weights a second that become a graph and a file


@dataclass(frozen=True)
class Judging:
    """How long evaluating and saving take, by the rows that each member is judged on.

    Attributes:
        setup: Before its training.
        pace: As measured.
        wanted: The section [evaluate] of the recipe.
        n_test: Rows that are tested on.
        n_rivals: Simpler models.
        most_s: Seconds that resamples may take.
        explaining_s: Seconds that explanations may take.
    """

    setup: Setup
    pace: Pace
    wanted: EvaluateRecipe
    n_test: int
    n_rivals: int
    most_s: float
    explaining_s: float

    def recipe(self, n_validated: int) -> EvaluateRecipe:
        """Return the section [evaluate] with as many resamples as time allows."""
        n_rows = max(self._n_judged(n_validated), self.n_test)
        return affordable(
            self.wanted,
            n_rows,
            self.setup.network.n_classes,
            most_s=self.most_s,
            n_rarest=self._n_rarest(n_rows),
        )

    def seconds(self, n_validated: int) -> float:
        """Return about how long it takes."""
        network, n_judged = self.setup.network, self._n_judged(n_validated)
        recipe, n_classes = self.recipe(n_validated), network.n_classes
        n_fitted = fitted_rows(n_judged, n_classes) if n_judged else 0
        n_learnt = min(max(self.setup.lesson.train.counts), self.n_learnt(n_validated))
        n_predicted = network.n_members * (n_validated + n_learnt + 2 * self.n_test)
        n_bytes = sum(4 * part.numel() for part in network.parameters())
        total = n_predicted * self.pace.row_s + n_bytes / _ENDING_BYTES_S
        for n_rows, n_learnt_from in ((n_judged, n_fitted), (self.n_test, 0)):
            total += evaluation_seconds(
                n_rows,
                n_classes,
                recipe,
                n_rarest=self._n_rarest(n_rows),
                n_fitted=n_learnt_from,
            )
        n_candidates = 2 + self.n_rivals
        total += comparison_seconds(
            n_judged, n_classes, n_candidates=n_candidates, n_resamples=min(recipe.bootstrap, DRAWS)
        )
        return SLACK * total + self.explaining_s + ENDING_S

    def n_learnt(self, n_validated: int) -> int:
        """Return on how many rows learnt from a member is scored."""
        is_whole = n_validated == self.setup.lesson.validation.row_idx.shape[1]
        return LEARNT_ROWS if is_whole else min(LEARNT_ROWS, n_validated)

    def _n_rarest(self, n_rows: int) -> int:
        """Return about how many of `n_rows` judged rows are of the rarest class."""
        return round(self._rarest_share * n_rows)

    @cached_property
    def _rarest_share(self) -> float:
        y = self.setup.samples.y
        return rarest(np.bincount(y)) / len(y)

    def _n_judged(self, n_validated: int) -> int:
        n_left_out = int(self.setup.samples.split.validation.any(axis=0).sum())
        return min(n_left_out, self.setup.network.n_members * n_validated)
