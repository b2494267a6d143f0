"""Predicting rows, altered or not, by the models that had left them out.

Comes in: some of the rows that a training judged. Goes out: a way from such rows to
probabilities, which an explanation may ask again and again. No answer comes from a model
that had learnt from the row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assay.candidates import Rival
from assay.candidates.blend import average_repeats
from assay.encode.arrays import Arrays
from assay.evaluate.mixture import Mixture
from assay.evaluate.population import NETWORK
from assay.recipe import Recipe
from assay.table import Table
from assay.training.predictions import out_of_fold
from assay.training.rows import EncodedRows, RowSet
from assay.training.setup import Setup


@dataclass(frozen=True)
class LeftOut:
    """Predicts rows that stand for rows that were judged.

    Called with M cast rows, or several times M in the same order, it returns their
    probabilities, (·, C).

    Attributes:
        setup: With a trained network.
        rivals: Candidates that the mixture may name.
        mixture: What ships.
        recipe: How columns are read.
        row_idx: Rows that were judged, (M,).
        hear: Is told what each part of the mixture said, before they are mixed.
    """

    setup: Setup
    rivals: Sequence[Rival]
    mixture: Mixture
    recipe: Recipe
    row_idx: np.ndarray
    hear: Callable[[Mapping[str, np.ndarray]], None] | None = None

    def __call__(self, cast: Table) -> np.ndarray:
        """Return the probabilities of cast rows."""
        samples = self.setup.samples
        typed = samples.preparation.finish(cast, self.recipe, is_training=False)
        return self.of_arrays(samples.encoder.transform(typed))

    def of_arrays(self, arrays: Arrays) -> np.ndarray:
        """Return the probabilities of encoded rows."""
        idx = np.tile(self.row_idx, arrays.n_rows // len(self.row_idx))
        logs = {name: self._logs_of(name, arrays, idx) for name in self.mixture.weights}
        if self.hear is not None:
            self.hear(logs)
        return self.mixture.apply(logs)

    def _logs_of(self, name: str, arrays: Arrays, idx: np.ndarray) -> np.ndarray:
        if name != NETWORK:
            [rival] = [one for one in self.rivals if one.name == name]
            return rival.predict_left_out(arrays, idx)
        split, network = self.setup.samples.split, self.setup.network
        rows = EncodedRows(network, arrays, self.setup.lesson.rows.device, cache_bytes=0)
        left_out = RowSet.of(split.validation[:, idx])
        return average_repeats(out_of_fold(network, rows, left_out, split.repeat))
