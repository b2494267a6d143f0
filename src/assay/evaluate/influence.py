"""How much each row moves AUROC and average precision: standard errors without draws.

A draw must go through the ordering of all rows for each class, which 1,000 classes
make too dear. The infinitesimal jackknife (Jaeckel 1972; Efron 1982, The Jackknife,
chapter 6) needs one pass: the derivative of a score by the weight of each row is that
row's influence, and the influences' squares sum to the variance that a bootstrap would
show. For AUROC these are the components of DeLong et al. 1988, Biometrics 44:837.
"""

import numpy as np

from assay.evaluate.draws import ranked_classes
from assay.metrics import Floats, Indices, threshold_ends


def ranked_deviation(y_true: Indices, proba: Floats, unit: Indices) -> dict[str, float]:
    """Return the standard error of the macro AUROC and the macro average precision.

    Args:
        y_true: True class indices, (N,).
        proba: Probabilities, (N, C).
        unit: Number of each row's unit, (N,), 0 to U - 1: units, not rows, are independent.

    Returns:
        "auroc" and "average_precision", NaN where no class can be ranked.

    Example:
        >>> y, proba = np.array([0, 1] * 50), np.tile([[0.8, 0.2], [0.6, 0.4]], (50, 1))
        >>> ranked_deviation(y, proba, np.arange(100))
        {'auroc': 0.0, 'average_precision': 0.0}
    """
    total = np.zeros((2, len(y_true)))
    n_ranked = 0
    for class_idx in ranked_classes(y_true, proba.shape[1]):
        is_class = y_true == class_idx
        if 0 < np.count_nonzero(is_class) < len(y_true):
            total += _influence(is_class, proba[:, class_idx])
            n_ranked += 1
    if not n_ranked:
        return {"auroc": float("nan"), "average_precision": float("nan")}
    area, average = (np.bincount(unit, own / n_ranked) for own in total)
    return {
        "auroc": float(np.sqrt(area @ area)),
        "average_precision": float(np.sqrt(average @ average)),
    }


def _influence(is_class: Indices, score: Floats) -> Floats:
    """Return each row's influence on one class's AUROC and average precision, (2, N)."""
    order = np.argsort(-score)
    ends = threshold_ends(score[order])  # (T,): rows of one score go together
    run = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=-1))  # (N,) in falling order
    own = is_class[order].astype(np.float64)
    above = ends + 1.0  # rows at or above each score
    true = np.cumsum(own)[ends]
    n_true, n_false = true[-1], len(own) - true[-1]
    gained, lost = np.diff(true, prepend=0.0), np.diff(above - true, prepend=0.0)
    beaten = (n_false - (above - true) + lost / 2) / n_false  # share of other rows below
    beating = (true - gained / 2) / n_true  # share of the class's rows above
    area = float(gained @ beaten) / n_true
    share = true / above
    average = float(gained @ share) / n_true
    # A row stands in the precision of its own score and of every lower one.
    lower = np.cumsum((gained / above)[::-1])[::-1]
    lower_share = np.cumsum((gained * share / above)[::-1])[::-1]
    result = np.empty((2, len(own)))
    result[0, order] = np.where(
        own > 0, (beaten[run] - area) / n_true, (beating[run] - area) / n_false
    )
    result[1, order] = (own * (share - average + lower)[run] - lower_share[run]) / n_true
    return result
