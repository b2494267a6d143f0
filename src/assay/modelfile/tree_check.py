"""The node `TreeEnsemble`, checked before ONNX Runtime follows its indices.

Each node and leaf belongs to one tree, children come behind their parent, and no tree is
deeper than a stack allows: no cycle, no branch shared a billion times over, no index
beyond an array.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.modelfile.core_message import Tensor
from assay.modelfile.layout import MalformedError

MAX_TARGETS = 1 << 20
MAX_DEPTH = 512
_NODE_LISTS = (
    "nodes_featureids",
    "nodes_truenodeids",
    "nodes_trueleafs",
    "nodes_falsenodeids",
    "nodes_falseleafs",
    "nodes_missing_value_tracks_true",
)


def check_trees(attributes: Mapping[str, Any], *, n_features: int) -> int:
    """Return how many numbers the trees give for a row.

    Args:
        attributes: Of the node, by name.
        n_features: Columns that they read.

    Raises:
        MalformedError: The attributes describe no trees as `candidates.trees` writes them.
    """
    n_targets = attributes.get("n_targets")
    is_sum = attributes.get("aggregate_function") == 1
    if not is_sum or type(n_targets) is not int or not 1 <= n_targets <= MAX_TARGETS:
        raise MalformedError("TreeEnsemble sums up no targets")
    splits = _numbers(attributes, "nodes_splits", np.float32)
    modes = _numbers(attributes, "nodes_modes", np.uint8)
    weights = _numbers(attributes, "leaf_weights", np.float32)
    n_nodes, n_leaves = len(splits), len(weights)
    lists = {name: _integers(attributes, name) for name in (*_NODE_LISTS, "leaf_targetids")}
    if any(len(lists[name]) != n_nodes for name in _NODE_LISTS) or len(modes) != n_nodes:
        raise MalformedError("TreeEnsemble has lists of different lengths")
    targets, is_zero = lists["leaf_targetids"], not modes.any()
    if len(targets) != n_leaves or not _within(targets, n_targets) or not is_zero:
        raise MalformedError("TreeEnsemble has leaves without a target")
    if not _within(lists["nodes_featureids"], n_features):
        raise MalformedError("TreeEnsemble reads a column that is not there")
    if not _within(lists["nodes_missing_value_tracks_true"], 2):
        raise MalformedError("TreeEnsemble does not say where missing numbers go")
    roots = _integers(attributes, "tree_roots")
    _check_links(lists, roots, n_nodes=n_nodes, n_leaves=n_leaves)
    return n_targets


def _check_links(
    lists: Mapping[str, np.ndarray], roots: np.ndarray, *, n_nodes: int, n_leaves: int
) -> None:
    """Demand that nodes and leaves make trees: one parent each, and before them."""
    children = np.concatenate([lists["nodes_truenodeids"], lists["nodes_falsenodeids"]])
    leafs = np.concatenate([lists["nodes_trueleafs"], lists["nodes_falseleafs"]])
    parents = np.tile(np.arange(n_nodes), 2)
    if not _within(leafs, 2):
        raise MalformedError("TreeEnsemble does not say what is a leaf")
    inner, leaves = leafs == 0, leafs == 1
    reached = np.concatenate([roots, children[inner]])
    is_partition = (
        _within(reached, n_nodes)
        and _within(children[leaves], n_leaves)
        and len(reached) == n_nodes
        and int(leaves.sum()) == n_leaves
        and bool((np.bincount(reached, minlength=n_nodes) == 1).all())
        and bool((np.bincount(children[leaves], minlength=n_leaves) == 1).all())
    )
    if not is_partition or not (children[inner] > parents[inner]).all():
        raise MalformedError("TreeEnsemble has branches that make no tree")
    parent_of = np.full(n_nodes, -1)
    parent_of[children[inner]] = parents[inner]
    level = np.arange(n_nodes)
    for _ in range(MAX_DEPTH + 1):
        level = parent_of[level[level >= 0]]
        if not len(level):
            return
    raise MalformedError(f"TreeEnsemble is deeper than {MAX_DEPTH}")


def _within(numbers: np.ndarray, limit: int) -> bool:
    return bool(((numbers >= 0) & (numbers < limit)).all())


def _integers(attributes: Mapping[str, Any], name: str) -> np.ndarray:
    numbers = attributes.get(name)
    if not isinstance(numbers, np.ndarray):
        raise MalformedError(f"TreeEnsemble lacks {name}")
    return numbers


def _numbers(attributes: Mapping[str, Any], name: str, element: type) -> np.ndarray:
    tensor = attributes.get(name)
    if not isinstance(tensor, Tensor) or len(tensor.shape) != 1 or tensor.values.dtype != element:
        raise MalformedError(f"TreeEnsemble lacks {name}")
    return tensor.values
