"""The trees of a boosted fit, without the estimator that grew them.

Comes in: a fitted `HistGradientBoostingClassifier`, or the arrays of an earlier one. Goes
out: scores of rows, the same to the last bit, and the trees' nodes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from assay.candidates.bushes import Bushes

NODE = np.dtype(
    [
        ("value", np.float64),
        ("count", np.uint32),
        ("feature_idx", np.intp),
        ("num_threshold", np.float64),
        ("missing_go_to_left", np.uint8),
        ("left", np.uint32),
        ("right", np.uint32),
        ("gain", np.float64),
        ("depth", np.uint32),
        ("is_leaf", np.uint8),
        ("bin_threshold", np.uint8),
        ("is_categorical", np.uint8),
        ("bitset_idx", np.uint32),
    ]
)
"""A node of a tree as scikit-learn records it."""


@dataclass(frozen=True)
class Grown:
    """What boosting adds up.

    Attributes:
        base: What every row's scores begin with, shape (S,): one for two classes, else C.
        rounds: For each iteration the nodes of S trees, as scikit-learn's records.
    """

    base: np.ndarray
    rounds: tuple[tuple[np.ndarray, ...], ...]

    @classmethod
    def of(cls, booster: Any) -> "Grown":
        """Take the trees of a fitted booster; scikit-learn has only private names for them."""
        rounds = tuple(tuple(tree.nodes for tree in trees) for trees in booster._predictors)
        return cls(booster._baseline_prediction[0], rounds)

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Return the sums over trees, as `decision_function` does: (N, F) -> (N, S).

        Small trees need no scikit-learn, which takes 0.7 s to load.
        """
        if self._bushes is not None and x.dtype == np.float32:
            return self._bushes.scores(x, self.base)
        from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
        from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

        x = x.astype(np.float64)
        known, place = np.zeros((0, 8), np.uint32), np.zeros(x.shape[1], np.uint32)
        no_levels = np.zeros((0, 8), np.uint32)  # codes are numbers to the trees
        sums = np.zeros((len(x), len(self.base)), order="F")
        sums += self.base
        for trees in self.rounds:
            for idx, nodes in enumerate(trees):
                own = _recorded(nodes, PREDICTOR_RECORD_DTYPE)
                tree = TreePredictor(own, no_levels, no_levels)
                sums[:, idx] += tree.predict(x, known, place, 1)
        return sums

    @cached_property
    def _bushes(self) -> Bushes | None:
        return Bushes.of([nodes for trees in self.rounds for nodes in trees])

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return plain arrays: the base, each tree's nodes, and all nodes by field."""
        trees = [nodes for trees in self.rounds for nodes in trees]
        arrays = {"base": self.base, "n_nodes": np.array([len(one) for one in trees], np.int64)}
        if trees:
            nodes = np.concatenate(trees)
            arrays |= {f"nodes.{name}": nodes[name] for name in nodes.dtype.names or ()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], *, n_columns: int) -> "Grown":
        """Rebuild from `to_arrays`.

        Args:
            arrays: As returned there.
            n_columns: Of the rows that the trees are asked about.

        Raises:
            ValueError: The trees lead out of themselves or of the rows, or fields are missing.
        """
        base, sizes = arrays["base"], arrays["n_nodes"]
        if base.ndim != 1 or not len(base):
            raise ValueError(f"a base of shape {base.shape}")
        nodes = np.zeros(int(sizes.sum()), NODE)
        for name in NODE.names or () if len(nodes) else ():
            nodes[name] = arrays[f"nodes.{name}"]
        trees = np.split(nodes, np.cumsum(sizes)[:-1]) if len(sizes) else []
        for tree in trees:
            _check_tree(tree, n_columns)
        if len(trees) % len(base):
            raise ValueError(f"{len(trees)} trees for {len(base)} scores")
        step = len(base)
        starts = range(0, len(trees), step)
        return cls(base, tuple(tuple(trees[start : start + step]) for start in starts))


def _recorded(nodes: np.ndarray, record: np.dtype[Any]) -> np.ndarray:
    """Return nodes as records of scikit-learn, whose release decides on their fields."""
    if nodes.dtype == record:
        return nodes
    result = np.zeros(len(nodes), record)
    for name in set(record.names or ()) & set(nodes.dtype.names or ()):
        result[name] = nodes[name]
    return result


def _check_tree(nodes: np.ndarray, n_columns: int) -> None:
    """Refuse a tree that would be followed out of its nodes, for nothing checks it then."""
    inner = nodes[nodes["is_leaf"] == 0]
    own = np.flatnonzero(nodes["is_leaf"] == 0)
    children = np.sort(np.concatenate([inner["left"], inner["right"]]))
    for side in ("left", "right"):
        if ((inner[side] <= own) | (inner[side] >= len(nodes))).any():
            raise ValueError("a tree leads out of itself")
    if not np.array_equal(children, np.arange(1, len(nodes))):
        raise ValueError("a tree whose branches meet")
    if (inner["feature_idx"] < 0).any() or (inner["feature_idx"] >= n_columns).any():
        raise ValueError("a tree asks for a column that there is not")
    if inner["is_categorical"].any() or not len(nodes):
        raise ValueError("a tree of another kind")
