"""Parts of training rows, for statistics of the target that must not meet their own rows.

Comes in: who learns from which rows. Goes out: parts of each member's training rows, each
of which is told by fits on the others.
"""

import numpy as np

MAX_PARTS = 4  # of a member's training rows; 5 folds have 4 others, which halves the fits


def inner_parts(
    train: np.ndarray,
    validation: np.ndarray | None = None,
    repeat: tuple[int, ...] = (),
    unit: np.ndarray | None = None,
) -> np.ndarray:
    """Divide each member's training rows into parts.

    They are the rows that other members of its repeat leave out, so that what belongs
    together stays together, and members share fits. Without such rows whole units are
    dealt at random.

    Args:
        train: Shape (K, N), bool: the rows of each member.
        validation: Shape (K, N), bool: the rows each member leaves out; None for none.
        repeat: Number of each member's repeat.
        unit: Shape (N,), equal for rows that are never parted (groups and copies); None
            where each row is a unit.

    Returns:
        Shape (K, N), int8: 0 to `MAX_PARTS` - 1, at least two of them where a member
        has two units; -1 for rows that it does not learn from.

    Example:
        >>> validation = np.eye(3, dtype=bool)[:, [0, 1, 2, 0, 1, 2]]
        >>> inner_parts(~validation, validation, (0, 0, 0)).tolist()[0]
        [-1, 0, 1, -1, 0, 1]
    """
    parts = np.full(train.shape, -1, dtype=np.int8)
    for member_idx, own in enumerate(train):
        label = np.zeros(train.shape[1], dtype=np.int64)
        if validation is not None:
            for other_idx, number in enumerate(repeat):
                if other_idx != member_idx and number == repeat[member_idx]:
                    label[validation[other_idx]] = other_idx + 1
        found, ranks = np.unique(label[own], return_inverse=True)
        if len(found) < 2:
            units = np.flatnonzero(own) if unit is None else unit[own]
            found, ranks = np.unique(units, return_inverse=True)
            ranks = np.random.default_rng(member_idx).permutation(len(found))[ranks]
        parts[member_idx, own] = ranks % MAX_PARTS
    return parts
