"""Rows whose label is doubtful: confidently predicted otherwise by models that left them out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.profile.finding import ROWS, Finding
from assay.profile.rows import MIN_CLASS_ROWS, Floats, Ints

_MOST_SHOWN = 20
_CERTAIN_Z = 3.0
_MEDIUM_SHARE = 0.01
_ROUNDING = 1e-9  # equal probabilities reach their own mean


def doubtful_rows(y: NDArray[np.integer], oof_proba: ArrayLike) -> Ints:
    """Return rows that are probably of another class, the most doubtful first.

    Confident learning (Northcutt, Jiang and Chuang 2021, J. Artif. Intell. Res. 70:1373):
    the threshold of a class is its mean probability over the rows labelled so. A row is
    in doubt when another class reaches its own threshold there, is the likeliest of
    those that do, and is likelier than the row's label. Rows are ordered by p(label) -
    max p(other), the "normalized margin" of that article.

    Args:
        y: Class index of each row, (N,).
        oof_proba: Probabilities by models that did not learn from the row, (N, C); rows
            that hold NaN are left out.

    Returns:
        Row numbers, (M,), from 0.

    Example:
        >>> proba = np.array([[0.9, 0.1]] * 20 + [[0.1, 0.9]] * 20)
        >>> y = np.array([0] * 20 + [1] * 20)
        >>> y[3] = 1
        >>> doubtful_rows(y, proba).tolist()
        [3]
    """
    labels, proba = np.asarray(y, dtype=np.int64), np.asarray(oof_proba, dtype=np.float64)
    judged = np.flatnonzero(np.isfinite(proba).all(axis=1))
    if not len(judged):
        return judged.astype(np.int64)
    labels, proba = labels[judged], proba[judged]
    suggested, rows = _suggested(proba, _thresholds(labels, proba)), np.arange(len(labels))
    is_doubtful = (suggested >= 0) & (proba[rows, suggested] > proba[rows, labels])
    doubtful = np.flatnonzero(is_doubtful)
    margin = _margin(labels[doubtful], proba[doubtful])
    ordered: Ints = judged[doubtful[np.argsort(margin, kind="stable")]]
    return ordered


def label_noise(
    y: NDArray[np.integer], oof_proba: ArrayLike, classes: Sequence[str]
) -> list[Finding]:
    """Say how many labels are in doubt, and which rows to look at first.

    Args:
        y: Class index of each row, (N,).
        oof_proba: Calibrated probabilities of the rows by models that did not learn
            from them, (N, C); rows of NaN are left out.
        classes: C class names.

    Returns:
        One finding, or none. Rows are counted from 1 among the rows that have a label.
        Where classes overlap, honest labels are in doubt too: there is a finding only where
        clearly more are than would be if the probabilities were right.
    """
    labels, proba = np.asarray(y, dtype=np.int64), np.asarray(oof_proba, dtype=np.float64)
    doubtful = doubtful_rows(labels, proba)
    is_judged = np.isfinite(proba).all(axis=1)
    n_judged = int(is_judged.sum())
    if not len(doubtful) or n_judged < MIN_CLASS_ROWS:
        return []
    expected, deviation = _expected(labels[is_judged], proba[is_judged])
    excess = len(doubtful) - expected
    is_more = excess > _CERTAIN_Z * max(deviation, 1.0) and excess >= _MEDIUM_SHARE * n_judged
    if not is_more:
        return []
    first = doubtful[:_MOST_SHOWN]
    shown = ", ".join(str(row + 1) for row in first.tolist())
    row = int(first[0])
    other = classes[int(np.where(np.arange(len(classes)) == labels[row], -1, proba[row]).argmax())]
    return [
        Finding(
            "label_noise",
            "medium",
            ROWS,
            f"{len(doubtful)} labels are in doubt, where {expected:.0f} would be if all were "
            "right: models that had not seen these rows expect another class. Row "
            f"{row + 1} is labelled {classes[labels[row]]!r} and looks like {other!r}",
            f"{len(doubtful) / n_judged:.2%} of {n_judged} rows; look first at rows {shown} "
            "(counted from 1, those without a label left out)",
        )
    ]


def _thresholds(labels: Ints, proba: Floats) -> Floats:
    """Return each class's mean probability over its own rows, (C,); infinite without rows."""
    n_classes = proba.shape[1]
    counts = np.bincount(labels, minlength=n_classes)
    own = np.bincount(labels, proba[np.arange(len(labels)), labels], n_classes)
    thresholds: Floats = np.where(counts > 0, own / np.maximum(counts, 1), np.inf)
    return thresholds


def _suggested(proba: Floats, thresholds: Floats) -> Ints:
    """Return the likeliest class that reaches its threshold, (N,), or -1."""
    reached = np.where(proba >= thresholds - _ROUNDING, proba, -1.0)
    suggested: Ints = np.where(reached.max(axis=1) >= 0, reached.argmax(axis=1), -1)
    return suggested


def _margin(labels: Ints, proba: Floats) -> Floats:
    """Return p(label) - max p(other), (N,)."""
    rows = np.arange(len(labels))
    others = proba.copy()
    others[rows, labels] = -1.0
    margin: Floats = proba[rows, labels] - others.max(axis=1)
    return margin


def _expected(labels: Ints, proba: Floats) -> tuple[float, float]:
    """Return how many rows would be in doubt if labels were drawn by the probabilities.

    Also the standard deviation. A row is in doubt under every label that is less likely
    than the class suggested.
    """
    suggested = _suggested(proba, _thresholds(labels, proba))
    likelier = np.where(suggested >= 0, proba[np.arange(len(labels)), suggested], 0.0)
    chance = np.where(proba < likelier[:, None], proba, 0.0).sum(axis=1)
    chance = np.minimum(chance, 1.0)
    return float(chance.sum()), float(np.sqrt((chance * (1 - chance)).sum()))
