"""How boosted trees grow, how many of them, and how long that takes.

Comes in: rows and columns of a table. Goes out: leaves, rates and numbers of trees.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from assay.candidates.features import TrainingFeatures
from assay.candidates.folds import Folds

MAX_ROWS = 200_000
MAX_CELLS = 20_000_000  # rows x columns; scikit-learn makes float64 of them
_LEAST_ROWS = 10_000  # that a wide table is cut to

# Against scikit-learn's defaults (31 leaves, no penalty, all columns) the log loss of five
# tables of 768 to 6,497 rows is 2 to 10 % lower. Of 45,000 rows, 63 leaves say 11 % more than
# 31 where boosting would go on for 1,000 iterations, and as much where it would not.
LARGEST_RATE = 0.3  # where few iterations are allowed
_FEW_ROWS, _FEW_BINS, _BINS = 3_000, 64, 255  # few: as good, wide tables a third less time
_MOST_ITERATIONS = 1_000
_LEAST_ITERATIONS = 30
MOST_CLASSES = 100  # with more, trees would take longer than all else and fill the file
_MOST_TREES = 20_000  # of all fits; one takes about 1 kB in the model file
_LEAST_S, _ROW_S, _MOST_S = 8.0, 5e-3, 150.0  # that all fits may take by `tree_seconds`


@dataclass(frozen=True)
class Growth:
    """How trees grow for so many training rows.

    Attributes:
        most_rows: Up to which it holds, for a fit.
        n_leaves: Of a tree, at the most.
        columns: Share that each split may choose from.
        rate: Learning rate for two classes.
        multiclass_rate: For more, where every iteration grows a tree for each.
        patience: Iterations after the best one.
        enough: Iterations where no row is left out to choose by.
        bolder: Share of the columns and leaves of bolder trees, one step after the other.
        n_trying: Fits that try a step.
    """

    most_rows: float
    n_leaves: int
    columns: float
    rate: float = 0.1
    multiclass_rate: float = 0.15  # the same loss on three tables as 0.1, in 20 to 35 % less time
    patience: int = 15
    enough: int = 100
    bolder: tuple[tuple[float, int], ...] = ()
    n_trying: int = 1

    @property
    def most_leaves(self) -> int:
        """Leaves of a tree at the most, whatever is tried."""
        return max([self.n_leaves, *(n_leaves for _, n_leaves in self.bolder)])

    def steps(self) -> Iterator["Growth"]:
        """Yield the bolder ones."""
        for columns, n_leaves in self.bolder:
            yield replace(self, columns=columns, n_leaves=n_leaves)


# In the middle, larger trees of fewer columns learn slower: they take twice the time of trees
# of 16 leaves and half of the columns, and the blend's log loss is 0.2 to 0.4 % lower. All
# columns are worse on most tables and 4 to 6 % better on a few, where boosting goes on for long.
_MIDDLE = Growth(20_000, 32, 0.3, rate=0.07, multiclass_rate=0.1, patience=20, enough=150)
_GROWTHS = (
    Growth(2_000, 8, 0.5),
    replace(_MIDDLE, bolder=((1.0, 32), (1.0, 63)), n_trying=2),
    Growth(np.inf, 63, 0.5, bolder=((1.0, 63), (1.0, 127))),
)


def n_iterations(own: Growth, training: TrainingFeatures, folds: Folds, most_rows: int) -> int:
    """Return how many iterations a fit may have: fewer for many columns, classes, rows."""
    n_trees = 1 if folds.n_classes == 2 else folds.n_classes
    tree_s = tree_seconds(own, min(folds.largest, most_rows), training.features.n_columns)
    most_s = min(_LEAST_S + _ROW_S * folds.largest, _MOST_S)
    affordable = min(int(most_s / tree_s), _MOST_TREES) // (folds.n_fits * n_trees)
    return min(max(affordable, _LEAST_ITERATIONS), _MOST_ITERATIONS)


def most_trees(n_fits: int, n_classes: int) -> int:
    """Return how many trees all fits may have together, whatever the table."""
    n_each = n_fits * (1 if n_classes == 2 else n_classes)
    return min(max(_MOST_TREES, _LEAST_ITERATIONS * n_each), _MOST_ITERATIONS * n_each)


def growth_of(n_rows: int, n_classes: int) -> Growth:
    """Return how trees grow for `n_rows` training rows of a fit; bolder ones for two classes."""
    own = next(growth for growth in _GROWTHS if n_rows <= growth.most_rows)
    return own if n_classes == 2 else replace(own, bolder=())


def n_bins(n_rows: int) -> int:
    """Return how many bins a number has for `n_rows` training rows of a fit."""
    return _FEW_BINS if n_rows <= _FEW_ROWS else _BINS


def tree_seconds(own: Growth, n_rows: int, n_columns: int) -> float:
    """Return about how long a tree takes to grow, on one core.

    Measured on seven tables of 600 to 15,000 rows and 8 to 57 columns: right within a
    factor of two.
    """
    cells = own.n_leaves * min(n_rows, n_bins(n_rows))
    return 3e-4 + n_columns * (8e-9 * cells + 3e-9 * n_rows)


def most_rows(n_columns: int) -> int:
    """Return how many rows a fit learns from at the most."""
    return min(MAX_ROWS, max(MAX_CELLS // max(n_columns, 1), _LEAST_ROWS))
