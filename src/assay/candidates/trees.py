"""Boosted trees as nodes of the core graph.

Comes in: the trees of scikit-learn's histogram gradient boosting. Goes out: nodes
`TreeEnsemble` of ai.onnx.ml, which sum their leaves as scikit-learn does.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from onnx import numpy_helper

from assay.core import TREE_DOMAIN
from assay.nn.graph import GraphBuilder

_ENOUGH_TREES = 1_000  # of a node; ONNX Runtime takes the square of their number to load them
_MOST_PARTS = 100  # nodes; `file_room` has room for more
_LEAST_TARGETS = 2  # of one alone it sums the trees of a single row in another order


@dataclass(frozen=True)
class Tree:
    """One tree.

    Attributes:
        nodes: scikit-learn's records: feature, threshold, children, value.
        target: Output that its leaves are added to.
        column: Of the features, for each of the tree's features.
    """

    nodes: np.ndarray
    target: int
    column: np.ndarray

    @property
    def is_leaf(self) -> bool:
        """Whether it has no split, and says the same of every row."""
        return len(self.nodes) == 1


def add_trees(build: GraphBuilder, x: str, trees: list[Tree], base: np.ndarray) -> str:
    """Add trees to a graph.

    Args:
        build: Gets the nodes.
        x: Name of the features (N, F), float32.
        trees: Any number.
        base: What their sum begins with, shape (targets,).

    Returns:
        Name of the sums, (N, targets).
    """
    base = base.astype(np.float64).copy()
    for tree in trees:
        if tree.is_leaf:
            base[tree.target] += tree.nodes["value"][0]
    grown = [tree for tree in trees if not tree.is_leaf]
    if not grown:  # a tree that says nothing, for the number of rows to be known
        build_nodes = np.zeros(3, dtype=_RECORD)
        build_nodes["is_leaf"], build_nodes["left"], build_nodes["right"] = (0, 1, 1), 1, 2
        grown = [Tree(build_nodes, 0, np.zeros(1, dtype=np.int64))]
    spans = _spans(np.bincount([tree.target for tree in grown], minlength=len(base)))
    of_target = np.repeat(np.arange(len(spans)), [end - first for first, end in spans])
    owned: list[list[Tree]] = [[] for _ in spans]
    for tree in grown:
        number = of_target[tree.target]
        owned[number].append(replace(tree, target=tree.target - spans[number][0]))
    parts = [
        build.add("TreeEnsemble", x, domain=TREE_DOMAIN, **_attributes(own, end - first))
        for own, (first, end) in zip(owned, spans, strict=True)
    ]
    sums = parts[0] if len(parts) == 1 else build.concat(parts, axis=1)
    return build.add("Add", sums, build.constant(base.astype(np.float32)))


def _spans(n_trees: np.ndarray) -> list[tuple[int, int]]:
    """Return the targets of each node, from the first to before the last.

    Args:
        n_trees: Of each target.

    Example:
        >>> _spans(np.array([600, 600, 0, 900, 900, 10]))
        [(0, 2), (2, 6)]
    """
    ends, n_targets = [0], len(n_trees)
    enough = max(_ENOUGH_TREES, n_trees.sum() / _MOST_PARTS)
    for end in range(1, n_targets):
        is_enough = n_trees[ends[-1] : end].sum() >= enough
        if is_enough and min(end - ends[-1], n_targets - end) >= _LEAST_TARGETS:
            ends.append(end)
    while len(ends) > 1 and not n_trees[ends[-1] :].any():  # no node is without a tree
        ends.pop()
    return list(pairwise([*ends, n_targets]))


_RECORD = [
    ("value", np.float64),
    ("feature_idx", np.int64),
    ("num_threshold", np.float64),
    ("missing_go_to_left", np.uint8),
    ("left", np.uint32),
    ("right", np.uint32),
    ("is_leaf", np.uint8),
]


def _attributes(trees: list[Tree], n_targets: int) -> dict[str, Any]:
    """Return the node's attributes; inner nodes and leaves are numbered apart."""
    nodes = np.concatenate([tree.nodes[[name for name, _ in _RECORD]] for tree in trees])
    sizes = np.array([len(tree.nodes) for tree in trees])
    start = np.cumsum(sizes) - sizes
    is_leaf = nodes["is_leaf"].astype(bool)
    number = np.where(is_leaf, np.cumsum(is_leaf), np.cumsum(~is_leaf)) - 1
    inner = nodes[~is_leaf]
    of_tree = np.repeat(np.arange(len(trees)), sizes)
    first = start[of_tree[~is_leaf]]
    left, right = (first + inner[side].astype(np.int64) for side in ("left", "right"))
    column = [tree.column[tree.nodes["feature_idx"][tree.nodes["is_leaf"] == 0]] for tree in trees]
    target = np.array([tree.target for tree in trees])[of_tree[is_leaf]]
    return {
        "aggregate_function": 1,  # sum
        "n_targets": n_targets,
        "tree_roots": number[start].tolist(),
        "nodes_featureids": np.concatenate(column).tolist(),
        "nodes_splits": numpy_helper.from_array(round_down(inner["num_threshold"])),
        "nodes_modes": numpy_helper.from_array(np.zeros(len(inner), np.uint8)),  # x <= split
        "nodes_missing_value_tracks_true": inner["missing_go_to_left"].tolist(),
        "nodes_truenodeids": number[left].tolist(),
        "nodes_trueleafs": is_leaf[left].astype(np.int64).tolist(),
        "nodes_falsenodeids": number[right].tolist(),
        "nodes_falseleafs": is_leaf[right].astype(np.int64).tolist(),
        "leaf_targetids": target.tolist(),
        "leaf_weights": numpy_helper.from_array(nodes["value"][is_leaf].astype(np.float32)),
    }


def round_down(threshold: np.ndarray) -> np.ndarray:
    """Return the largest float32 that is not above a threshold.

    A float32 number is at or below the one exactly where it is at or below the other.

    Example:
        >>> float(round_down(np.array([0.1]))[0]) <= 0.1 < float(np.float32(0.1))
        True
    """
    with np.errstate(over="ignore"):  # beyond the largest float32 comes infinity
        rounded = threshold.astype(np.float32)
        below = np.nextafter(rounded, np.float32(-np.inf))
    above = rounded.astype(np.float64) > threshold
    result: np.ndarray = np.where(above, below, rounded)
    return result
