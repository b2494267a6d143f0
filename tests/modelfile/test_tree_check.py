"""The node of the trees: hand-made trees pass, every wrong index is refused."""

import numpy as np
import pytest

from assay.modelfile.core_message import Tensor
from assay.modelfile.layout import MalformedError
from assay.modelfile.tree_check import MAX_DEPTH, MAX_TARGETS, check_trees


def tensor(*numbers: float, element: type = np.float32) -> Tensor:
    array = np.array(numbers, dtype=element)
    return Tensor(array.shape, array)


def trees() -> dict[str, object]:
    """Return two trees: one of two splits and three leaves, one of a split and two leaves."""
    return {
        "aggregate_function": 1,
        "n_targets": 2,
        "tree_roots": np.array([0, 2]),
        "nodes_featureids": np.array([0, 3, 1]),
        "nodes_splits": tensor(0.5, 1.5, 2.5),
        "nodes_modes": tensor(0, 0, 0, element=np.uint8),
        "nodes_missing_value_tracks_true": np.array([0, 1, 0]),
        "nodes_truenodeids": np.array([1, 1, 3]),
        "nodes_trueleafs": np.array([0, 1, 1]),
        "nodes_falsenodeids": np.array([0, 2, 4]),
        "nodes_falseleafs": np.array([1, 1, 1]),
        "leaf_targetids": np.array([0, 0, 0, 1, 1]),
        "leaf_weights": tensor(1.0, 2.0, 3.0, 4.0, 5.0),
    }


def test_trees_pass_and_tell_their_targets():
    assert check_trees(trees(), n_features=4) == 2
    assert check_trees(trees() | {"n_targets": MAX_TARGETS}, n_features=4) == MAX_TARGETS


@pytest.mark.attack
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"aggregate_function": 0}, "sums up no targets"),
        ({"n_targets": 0}, "sums up no targets"),
        ({"n_targets": MAX_TARGETS + 1}, "sums up no targets"),
        ({"n_targets": 2.0}, "sums up no targets"),
        ({"n_targets": 1}, "leaves without a target"),
        ({"leaf_targetids": np.array([0, 0, 0, 1, -1])}, "leaves without a target"),
        ({"leaf_targetids": np.array([0, 0, 0, 1])}, "leaves without a target"),
        ({"nodes_modes": tensor(0, 0, 1, element=np.uint8)}, "leaves without a target"),
        ({"nodes_modes": tensor(0, 0, element=np.uint8)}, "lists of different lengths"),
        ({"nodes_modes": tensor(0, 0, 0)}, "lacks nodes_modes"),
        ({"nodes_splits": np.zeros(3)}, "lacks nodes_splits"),
        ({"nodes_splits": tensor(1, 2, 3, element=np.float64)}, "lacks nodes_splits"),
        (
            {"nodes_splits": Tensor((3, 1), np.zeros((3, 1), np.float32))},
            "lacks nodes_splits",
        ),
        ({"nodes_splits": tensor(1, 2)}, "lists of different lengths"),
        ({"leaf_weights": tensor(1, 2, 3, 4)}, "leaves without a target"),
        ({"leaf_weights": 1}, "lacks leaf_weights"),
        ({"tree_roots": 0}, "lacks tree_roots"),
        ({"nodes_featureids": np.array([0, 4, 1])}, "a column that is not there"),
        ({"nodes_featureids": np.array([0, -1, 1])}, "a column that is not there"),
        ({"nodes_featureids": np.array([0, 1])}, "lists of different lengths"),
        (
            {"nodes_missing_value_tracks_true": np.array([0, 2, 0])},
            "where missing numbers go",
        ),
        ({"nodes_trueleafs": np.array([0, 2, 1])}, "what is a leaf"),
        ({"nodes_falseleafs": np.array([1, -1, 1])}, "what is a leaf"),
        ({"tree_roots": np.array([0, 3])}, "make no tree"),
        ({"tree_roots": np.array([0, -1])}, "make no tree"),
        ({"tree_roots": np.array([0])}, "make no tree"),
        ({"tree_roots": np.array([0, 2, 1])}, "make no tree"),
        ({"tree_roots": np.array([2, 2])}, "make no tree"),
        ({"nodes_truenodeids": np.array([0, 1, 3])}, "make no tree"),
        ({"nodes_truenodeids": np.array([2, 1, 3])}, "make no tree"),
        ({"nodes_truenodeids": np.array([1, 1, 5])}, "make no tree"),
        ({"nodes_falsenodeids": np.array([0, 0, 4])}, "make no tree"),
        (
            {"leaf_targetids": np.zeros(6, int), "leaf_weights": tensor(*[1] * 6)},
            "make no tree",
        ),
        (
            {"tree_roots": np.array([1, 2]), "nodes_truenodeids": np.array([1, 0, 3]),
             "nodes_trueleafs": np.array([1, 0, 1])},
            "make no tree",
        ),
    ],
)  # fmt: skip
def test_wrong_trees_are_refused(change, reason):
    with pytest.raises(MalformedError, match=reason):
        check_trees(trees() | change, n_features=4)


def chain(depth: int) -> dict[str, object]:
    """Return one tree whose nodes each have a leaf and the next node."""
    last = np.arange(depth) == depth - 1
    return {
        "aggregate_function": 1,
        "n_targets": 1,
        "tree_roots": np.array([0]),
        "nodes_featureids": np.zeros(depth, dtype=np.int64),
        "nodes_splits": tensor(*np.zeros(depth)),
        "nodes_modes": tensor(*np.zeros(depth), element=np.uint8),
        "nodes_missing_value_tracks_true": np.zeros(depth, dtype=np.int64),
        "nodes_truenodeids": np.where(last, depth, np.arange(depth) + 1),
        "nodes_trueleafs": last.astype(np.int64),
        "nodes_falsenodeids": np.arange(depth),
        "nodes_falseleafs": np.ones(depth, dtype=np.int64),
        "leaf_targetids": np.zeros(depth + 1, dtype=np.int64),
        "leaf_weights": tensor(*np.zeros(depth + 1)),
    }


@pytest.mark.attack
def test_trees_may_be_as_deep_as_the_limit():
    assert check_trees(chain(MAX_DEPTH), n_features=1) == 1
    with pytest.raises(MalformedError, match=f"deeper than {MAX_DEPTH}"):
        check_trees(chain(MAX_DEPTH + 1), n_features=1)
