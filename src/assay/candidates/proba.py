"""From raw scores of the classes that a fit has met to log probabilities of all classes.

A class without a training row gets the probability that one row more would have given
it; the others share the rest. The same in NumPy and in the core graph.
"""

import numpy as np

from assay.nn.graph import GraphBuilder
from assay.softmax import log_softmax

_NOT_MET = -1e4  # raw score of a class that takes no part; its exponential is 0


def log_unseen(n_rows: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the log probability of a class that `n_rows` training rows do not hold.

    It is Laplace's rule: 1 / (rows + classes).
    """
    result: np.ndarray = -np.log(np.asarray(n_rows, dtype=np.float64) + n_classes)
    return result


def log_proba_of(raw: np.ndarray, is_met: np.ndarray, n_rows: int) -> np.ndarray:
    """Return log probabilities of all classes.

    Args:
        raw: Scores, shape (N, C); those of classes that are not met do not matter.
        is_met: Shape (C,): the classes among the training rows, one at the least.
        n_rows: Training rows.

    Example:
        >>> log_proba = log_proba_of(np.zeros((1, 3)), np.array([True, True, False]), 7)
        >>> np.exp(log_proba).round(3).tolist()
        [[0.45, 0.45, 0.1]]
    """
    n_classes, unseen = len(is_met), log_unseen(np.array(n_rows), len(is_met))
    result = log_softmax(np.where(is_met, raw, _NOT_MET).astype(np.float64))
    if is_met.all():
        return result
    rest = np.log1p(-np.exp(unseen) * (n_classes - int(is_met.sum())))
    return np.where(is_met, result + rest, unseen)


def add_log_proba(
    build: GraphBuilder, raw: str, is_met: np.ndarray, n_rows: np.ndarray, *, fit_axis: int
) -> str:
    """Mirror `log_proba_of` for M fits, and average them.

    Args:
        build: Gets nodes.
        raw: Name of the scores of three axes: fits, rows and, last, classes.
        is_met: Shape (M, C).
        n_rows: Shape (M,).
        fit_axis: 0 or 1.

    Returns:
        Name of the mean log probabilities, (N, C).
    """
    other_axis = 1 - fit_axis
    if is_met.all():
        log_proba = build.add("LogSoftmax", raw, axis=2)
    else:
        n_classes = is_met.shape[1]
        unseen = log_unseen(n_rows, n_classes)[:, None]
        n_unseen = n_classes - is_met.sum(axis=1, keepdims=True)
        rest = np.where(is_met, np.log1p(-np.exp(unseen) * n_unseen), 0.0)
        floor = np.where(is_met, -np.inf, unseen)
        shift, added, least = (
            build.constant(np.expand_dims(values, other_axis).astype(np.float32))
            for values in (np.where(is_met, 0.0, _NOT_MET), rest, floor)
        )
        log_proba = build.add("LogSoftmax", build.add("Add", raw, shift), axis=2)
        log_proba = build.add("Max", build.add("Add", log_proba, added), least)
    return build.add("ReduceMean", log_proba, build.integers([fit_axis]), keepdims=0)
