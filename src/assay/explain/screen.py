"""Many columns: find those worth a closer look without testing each one.

Comes in: units of columns. Goes out: the units whose shuffling costs most. Called by
`importance` where there are hundreds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from assay.explain.subject import Subject
from assay.explain.variants import Variants
from assay.metrics import Floats, Indices, row_log_loss
from assay.table import Table

Unit = tuple[str, ...]
"""Columns that are shuffled together."""

_MOST_ROWS = 16_384  # in one prediction
_MOST_CELLS = 4_000_000
_FIRST_GROUPS = 64
_ROWS_PER_GROUP = 500


@dataclass(frozen=True)
class RowLosses:
    """The loss of the same N rows with some of their columns exchanged.

    Attributes:
        subject: What predicts.
        rows: N cast rows.
        y: Their classes, (N,).
    """

    subject: Subject
    rows: Table
    y: Indices

    @cached_property
    def variants(self) -> Variants:
        """Variants of the rows."""
        return Variants(self.subject, self.rows)

    @property
    def n_together(self) -> int:
        """How many variants of the rows go into one prediction."""
        n_rows = self.rows.n_rows
        return max(1, min(_MOST_ROWS // n_rows, _MOST_CELLS // (n_rows * len(self.rows.names))))

    def of(self, variants: Sequence[Sequence[pl.Series]]) -> Floats:
        """Return the loss of each row in each of V variants, (V, N).

        Args:
            variants: For each the columns that it exchanges.
        """
        proba = self.variants.proba(variants)
        loss = row_log_loss(np.tile(self.y, len(variants)), proba)
        return loss.reshape(len(variants), -1)  # (V*N,) -> (V, N)


def screen(
    losses: RowLosses,
    base: Floats,
    units: Sequence[Unit],
    *,
    most: int,
    rng: np.random.Generator,
    is_late: Callable[[], bool],
) -> list[Unit]:
    """Return the units that seem to matter most, by shuffling ever smaller groups of them.

    Groups of neighbours are shuffled together; the `most` groups that cost most are
    halved and tested again until they are single units (sequential bifurcation,
    Bettonvil & Kleijnen 1997, Eur. J. Oper. Res. 96:180). Groups are tested on rows of
    their own where there are many rows.

    Args:
        losses: Of N rows.
        base: Loss of each row as it is, (N,).
        units: U units.
        most: How many to return at the most.
        rng: Source of chance.
        is_late: Whether to stop now; the groups found so far are then returned.

    Returns:
        At most `most` units, in their own order.
    """
    groups = [list(part) for part in np.array_split(np.arange(len(units)), _FIRST_GROUPS)]
    known: dict[tuple[int, ...], float] = {}
    while True:
        fresh = [group for group in groups if group and tuple(group) not in known]
        if is_late():
            break
        found = _increases(losses, base, [_columns(units, one) for one in fresh], rng)
        known |= {tuple(group): value for group, value in zip(fresh, found, strict=True)}
        groups = sorted((one for one in groups if one), key=lambda one: (-known[tuple(one)], one))
        groups = groups[:most]
        if all(len(group) == 1 for group in groups):
            break
        groups = [half for group in groups for half in _halves(group)]
    chosen = [idx for group in groups[:most] for idx in group][:most]
    return [units[idx] for idx in sorted(chosen)]


def shuffled_source(n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return for each row another row to take its cells from, (N,); no row keeps its own.

    Along a random order of the rows all move by one random step, so that every other row
    is as likely: the average over many shuffles is e_switch of Fisher, Rudin & Dominici
    2019, J. Mach. Learn. Res. 20:177, equation 3.
    """
    order = rng.permutation(n_rows)
    source = np.empty(n_rows, dtype=np.intp)
    source[order] = np.roll(order, int(rng.integers(1, n_rows)))
    return source


def _increases(
    losses: RowLosses, base: Floats, groups: list[list[str]], rng: np.random.Generator
) -> list[float]:
    """Return by how much the loss grows with each group shuffled, in rows of its own."""
    n_rows, frame = losses.rows.n_rows, losses.rows.frame
    n_blocks = max(1, min(n_rows // _ROWS_PER_GROUP, len(groups)))
    block = rng.permutation(n_rows) % n_blocks
    increases: list[float] = []
    step = n_blocks * losses.n_together
    for start in range(0, len(groups), step):
        variants = []
        here = groups[start : start + step]
        for first in range(0, len(here), n_blocks):
            source = shuffled_source(n_rows, rng)
            columns = []
            for idx, group in enumerate(here[first : first + n_blocks]):
                taken = np.where(block == idx, source, np.arange(n_rows))
                columns += [frame.get_column(name).gather(taken) for name in group]
            variants.append(columns)
        change = losses.of(variants) - base  # (V, N)
        means = [change[:, block == idx].mean(axis=1) for idx in range(n_blocks)]
        increases += np.stack(means, axis=1).reshape(-1)[: len(here)].tolist()
    return increases


def _columns(units: Sequence[Unit], group: list[int]) -> list[str]:
    return [name for idx in group for name in units[idx]]


def _halves(group: list[int]) -> list[list[int]]:
    middle = (len(group) + 1) // 2
    return [group[:middle], group[middle:]] if len(group) > 1 else [group]
