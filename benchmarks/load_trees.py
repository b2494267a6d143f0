"""How long ONNX Runtime takes to load boosted trees, in one node and as assay parts them.

    python benchmarks/load_trees.py [--trees 20000] [--targets 40]

Trees of 16 leaves as `assay.candidates.trees` writes them: the fits of a table of 4 classes
with 10 fits of 500 iterations have 20,000. Both graphs must say the same of 500 rows. The
promise: as assay writes them they load in under 1 s.
"""

import argparse
import sys
import time

import numpy as np
import onnxruntime

from assay.candidates import trees
from assay.candidates.trees import _RECORD, Tree, add_trees
from assay.nn.graph import GraphBuilder

N_LEAVES, N_COLUMNS, N_ROWS = 16, 20, 500
PROMISE_S = 1.0


def random_tree(rng: np.random.Generator, target: int) -> Tree:
    nodes = np.zeros(2 * N_LEAVES - 1, dtype=_RECORD)
    nodes["is_leaf"] = 1
    nodes["value"] = rng.normal(size=len(nodes))
    leaves = [0]
    for left in range(1, len(nodes), 2):
        split = leaves.pop(int(rng.integers(len(leaves))))
        leaves += [left, left + 1]
        nodes["is_leaf"][split], nodes["left"][split], nodes["right"][split] = 0, left, left + 1
        nodes["feature_idx"][split] = rng.integers(N_COLUMNS)
        nodes["num_threshold"][split] = rng.normal()
    return Tree(nodes, target, np.arange(N_COLUMNS))


def load(grown: list[Tree], n_targets: int) -> tuple[float, onnxruntime.InferenceSession]:
    """Return the seconds of loading, and what was loaded."""
    build = GraphBuilder()
    sums = add_trees(build, build.input("numeric", N_COLUMNS), grown, np.zeros(n_targets))
    serialised = build.finish(sums, n_targets)
    began_s = time.perf_counter()
    session = onnxruntime.InferenceSession(serialised, providers=["CPUExecutionProvider"])
    return time.perf_counter() - began_s, session


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trees", type=int, default=20_000)
    parser.add_argument("--targets", type=int, default=40)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    grown = [random_tree(rng, idx % options.targets) for idx in range(options.trees)]
    x = {"numeric": rng.normal(size=(N_ROWS, N_COLUMNS)).astype(np.float32)}
    usual, said = trees._ENOUGH_TREES, []
    for name, enough in (("in one node", options.trees + 1), ("as assay parts them", usual)):
        trees._ENOUGH_TREES = enough
        seconds, session = load(grown, options.targets)
        began_s = time.perf_counter()
        said.append(session.run(None, x)[0])
        run_s = time.perf_counter() - began_s
        print(f"{options.trees:,} trees {name}: loaded in {seconds:.2f} s, {N_ROWS} rows in "
              f"{run_s:.2f} s")  # fmt: skip
    if not np.allclose(*said, atol=1e-4):
        raise RuntimeError("the graphs say different things")
    return 0 if seconds < PROMISE_S else 1


if __name__ == "__main__":
    sys.exit(main())
