"""Predicting rows, altered or not, by the models that had left them out.

Comes in: some of the rows that a training judged. Goes out: a function from such rows to
probabilities, which an explanation may ask again and again. No answer comes from a model
that had learnt from the row.
"""

from collections.abc import Callable, Sequence

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


def predict_left_out(
    setup: Setup,
    rivals: Sequence[Rival],
    mixture: Mixture,
    recipe: Recipe,
    row_idx: np.ndarray,
) -> Callable[[Table], np.ndarray]:
    """Return a function that predicts cast rows that stand for `row_idx`.

    Args:
        setup: With a trained network.
        rivals: Candidates that the mixture may name.
        mixture: What ships.
        recipe: How columns are read.
        row_idx: Rows that were judged, (M,).

    Returns:
        From M rows, or several times M in the same order, to probabilities, (·, C).
    """
    samples, network = setup.samples, setup.network
    known = {rival.name: rival for rival in rivals}

    def logs_of(name: str, arrays: Arrays, idx: np.ndarray) -> np.ndarray:
        if name != NETWORK:
            return known[name].predict_left_out(arrays, idx)
        rows = EncodedRows(network, arrays, setup.lesson.rows.device, cache_bytes=0)
        left_out = RowSet.of(samples.split.validation[:, idx])
        return average_repeats(out_of_fold(network, rows, left_out, samples.split.repeat))

    def predict(cast: Table) -> np.ndarray:
        typed = samples.preparation.finish(cast, recipe, is_training=False)
        arrays = samples.encoder.transform(typed)
        idx = np.tile(row_idx, arrays.n_rows // len(row_idx))
        return mixture.apply({name: logs_of(name, arrays, idx) for name in mixture.weights})

    return predict
