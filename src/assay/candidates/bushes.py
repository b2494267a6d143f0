"""Trees of up to 8 leaves, followed by NumPy: all at once, faster than one by one.

Comes in: the nodes of all trees of a fit. Goes out: scores of rows, to the last bit those
of scikit-learn. A row asks every split of a tree, on its way or not; a split that sends it
left rules out the leaves on its right, and the last leaf that is left over is the one that
the row ends in (QuickScorer, from the other side: Lucchese et al. 2015, SIGIR).
"""

from dataclasses import dataclass

import numpy as np

from assay.candidates.trees import round_down

MOST_LEAVES = 8
_MOST_SPLITS, _MOST_NODES = MOST_LEAVES - 1, 2 * MOST_LEAVES - 1
_CHUNK = 1 << 16  # rows x trees at a time: what is in between stays in the cache
_LAST_LEFT = np.array([max((255 & ~out).bit_length() - 1, 0) for out in range(256)])


@dataclass(frozen=True)
class Bushes:
    """T trees side by side; splits that a tree has not rule out nothing.

    Attributes:
        column: That a split asks for, shape (7, T).
        keeps_missing: Whether missing numbers go left, shape (7, T).
        threshold: At or below it a row goes left, shape (7, T, 1), float32.
        right: Bits of the leaves on the right of a split, shape (7, T, 1), uint8.
        absent: Bits of the leaves that a tree has not, shape (T, 1), uint8.
        value: Of the leaves from left to right, those of all trees on end, shape (T * 8,).
    """

    column: np.ndarray
    keeps_missing: np.ndarray
    threshold: np.ndarray
    right: np.ndarray
    absent: np.ndarray
    value: np.ndarray

    @classmethod
    def of(cls, trees: list[np.ndarray]) -> "Bushes | None":
        """Lay trees out side by side; None where there are none, or one is too large.

        Args:
            trees: Nodes of each as scikit-learn records them, the root first and every
                other one after its parent.
        """
        if not trees or max(len(own) for own in trees) > _MOST_NODES:
            return None
        nodes, sizes = np.concatenate(trees), np.array([len(own) for own in trees])
        start = np.cumsum(sizes) - sizes
        tree, rank = np.repeat(np.arange(len(trees)), sizes), _ranks(sizes)
        is_split = nodes["is_leaf"] == 0
        left, right = (nodes[side] + start[tree] for side in ("left", "right"))
        first, n_leaves = _leaves(is_split, left, right, rank)

        own = np.flatnonzero(is_split)
        place = _ranks(np.bincount(tree[own], minlength=len(trees))), tree[own]
        shape = (_MOST_SPLITS, len(trees))
        column, keeps_missing = np.zeros(shape, np.intp), np.zeros(shape, dtype=bool)
        column[place] = nodes["feature_idx"][own]
        keeps_missing[place] = nodes["missing_go_to_left"][own]
        threshold = np.zeros(shape, np.float32)
        threshold[place] = round_down(nodes["num_threshold"][own])
        ruled_out, other = np.zeros(shape, np.uint8), right[own]
        ruled_out[place] = ((1 << n_leaves[other]) - 1) << first[other]
        value = np.zeros((len(trees), MOST_LEAVES))
        value[tree[~is_split], first[~is_split]] = nodes["value"][~is_split]
        absent = (255 & ~((1 << n_leaves[start]) - 1)).astype(np.uint8)
        return cls(
            column,
            keeps_missing,
            threshold[..., None],
            ruled_out[..., None],
            absent[:, None],
            value.reshape(-1),
        )

    def scores(self, x: np.ndarray, base: np.ndarray) -> np.ndarray:
        """Return `base` with the leaves of each row added up in turn.

        Args:
            x: Shape (N, F), float32, NaN where missing.
            base: Shape (S,); the trees belong to its scores in turn.

        Returns:
            Shape (N, S), float64.
        """
        sums: np.ndarray = np.zeros((len(x), len(base)), order="F")
        sums += base
        step = max(_CHUNK // len(self.absent), 1)
        for start in range(0, len(x), step):
            rows = slice(start, start + step)
            for idx, values in enumerate(self._values(x[rows])):
                sums[rows, idx % len(base)] += values
        return sums

    def _values(self, x: np.ndarray) -> np.ndarray:
        """Return the values of the leaves that rows end in, (N, F) -> (T, N)."""
        # To the left goes what is at or below a threshold: NaN never, -inf always.
        asked = np.concatenate([x.T, np.where(np.isnan(x.T), np.float32(-np.inf), x.T)])
        out = np.repeat(self.absent, len(x), axis=1)
        columns = self.column + x.shape[1] * self.keeps_missing
        for column, threshold, right in zip(columns, self.threshold, self.right, strict=True):
            out |= (asked.take(column, axis=0) <= threshold).view(np.uint8) * right
        first = MOST_LEAVES * np.arange(len(out))[:, None]
        leaves: np.ndarray = self.value.take(_LAST_LEFT.take(out) + first)
        return leaves


def _ranks(sizes: np.ndarray) -> np.ndarray:
    """Return 0, 1, ... for the members of each of some groups that lie on end."""
    ranks: np.ndarray = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return ranks


def _leaves(
    is_split: np.ndarray, left: np.ndarray, right: np.ndarray, rank: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Number the leaves of each tree from left to right.

    Args:
        is_split: Which nodes have children, all trees on end.
        left: Child of each node.
        right: The other one.
        rank: Of a node in its tree, below those of its children.

    Returns:
        For each node the first of the leaves below it, and how many there are.
    """
    first, n_leaves = np.zeros(len(rank), np.int64), np.ones(len(rank), np.int64)
    levels = [np.flatnonzero(is_split & (rank == own)) for own in range(_MOST_NODES)]
    for own in reversed(levels):
        n_leaves[own] = n_leaves[left[own]] + n_leaves[right[own]]
    for own in levels:
        first[left[own]] = first[own]
        first[right[own]] = first[own] + n_leaves[left[own]]
    return first, n_leaves
