"""Predicting rows, altered or not, by the models that had left them out.

Comes in: some of the rows that a training judged. Goes out: a way from such rows to
probabilities, which an explanation may ask again and again. No answer comes from a model
that had learnt from the row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from assay.candidates import Rival
from assay.candidates.blend import average_repeats
from assay.encode.arrays import Arrays
from assay.evaluate.mixture import NETWORK, Mixture
from assay.recipe import Recipe
from assay.table import Table
from assay.training.predictions import out_of_fold
from assay.training.rows import EncodedRows, RowSet
from assay.training.setup import Setup


@dataclass(frozen=True)
class LeftOut:
    """Predicts rows that stand for rows that were judged.

    Called with M cast rows, or several times M in the same order, it returns their
    probabilities, (·, C). Of the first M it remembers what was said: a later row that is the
    same, as when a shuffle deals it a cell like its own, is not predicted again.

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
    _first: list[tuple[Arrays, dict[str, np.ndarray]]] = field(
        init=False, repr=False, compare=False, default_factory=list
    )

    def __call__(self, cast: Table) -> np.ndarray:
        """Return the probabilities of cast rows."""
        samples = self.setup.samples
        typed = samples.preparation.finish(cast, self.recipe, is_training=False)
        return self.of_arrays(samples.encoder.transform(typed))

    def of_arrays(self, arrays: Arrays) -> np.ndarray:
        """Return the probabilities of encoded rows."""
        if not self._first:
            logs = self._logs(arrays, np.arange(arrays.n_rows))
            if arrays.n_rows == len(self.row_idx):
                self._first.append((arrays, logs))
        else:
            first, known = self._first[0]
            changed = np.flatnonzero(_differs(arrays, first))
            logs = {
                name: np.tile(part, (arrays.n_rows // first.n_rows, 1))
                for name, part in known.items()
            }
            for name, part in self._logs(arrays.take(changed), changed).items():
                logs[name][changed] = part
        if self.hear is not None:
            self.hear(logs)
        return self.mixture.apply(logs)

    def _logs(self, arrays: Arrays, places: np.ndarray) -> dict[str, np.ndarray]:
        """Return what each part says, (N', C), of rows at places among M, M more, ..."""
        if not arrays.n_rows:
            return {}
        idx = self.row_idx[places % len(self.row_idx)]
        return {name: self._logs_of(name, arrays, idx) for name in self.mixture.weights}

    def _logs_of(self, name: str, arrays: Arrays, idx: np.ndarray) -> np.ndarray:
        if name != NETWORK:
            [rival] = [one for one in self.rivals if one.name == name]
            return rival.predict_left_out(arrays, idx)
        split, network = self.setup.samples.split, self.setup.network
        rows = EncodedRows(network, arrays, self.setup.lesson.rows.device, cache_bytes=0)
        left_out = RowSet.of(split.validation[:, idx])
        return average_repeats(out_of_fold(network, rows, left_out, split.repeat))


def _differs(arrays: Arrays, first: Arrays) -> np.ndarray:
    """Return which rows of V * M are not to the bit what the M `first` ones are, (V * M,)."""
    differs = np.zeros((arrays.n_rows // first.n_rows, first.n_rows), dtype=bool)
    for part, own in (
        (arrays.numeric.view(np.uint32), first.numeric.view(np.uint32)),  # NaN is NaN
        (arrays.codes, first.codes),
        (arrays.text, first.text),
    ):
        blocks = part.reshape(*differs.shape, own.shape[1])  # (V * M, F) -> (V, M, F)
        differs |= (blocks != own).any(axis=2)
    return differs.reshape(-1)
