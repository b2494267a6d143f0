"""Rows drawn anew with replacement: how often each of them is in each draw.

Rows, or groups of them, come in; how often they are drawn goes out, a few draws at a time.
"""

from collections.abc import Iterator
from copy import deepcopy
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from assay.deal import ranks
from assay.errors import InternalError, UserError
from assay.metrics import Floats, Indices

MAX_BLOCKS = 2_000
"""Blocks drawn at the most; a standard error of so many is known to 1.6 %.

Of more rows or groups so many blocks are made at random, and blocks are drawn: their sums
vary as those of what they are made of. The ends of a percentile interval of 1,000 draws are
known to 4 % of its half width, so that more blocks could not be seen in it.
"""

_CHUNK = 100_000  # weights held at once: they and their sums stay in the cache
_CHANCE, _BLOCKS_CHANCE = 4, 31  # keep these sources of chance apart from others of the seed
_KEPT_BYTES = 4 << 20  # 2,000 draws of all blocks


class Draws:
    """Draws of the same N rows, for all that is judged by them.

    The first are kept, so that candidates judged by the same draws find them made.

    Args:
        n_rows: N.
        groups: Group of each row, (N,), which are then drawn whole; None for rows.
        seed: Of blocks and draws.

    Attributes:
        n_rows: N.
        n_units: U, rows or groups.
        n_blocks: B, U or `MAX_BLOCKS`.

    Raises:
        UserError: Groups of another number of rows.

    Example:
        >>> draws = Draws(4, np.array([7, 7, 9, 9]), seed=0)
        >>> next(draws.times(3)).shape
        (3, 2)
    """

    def __init__(self, n_rows: int, groups: Indices | None = None, *, seed: int) -> None:
        if groups is not None and np.shape(groups) != (n_rows,):
            raise UserError(f"groups must have shape ({n_rows},) (got {np.shape(groups)})")
        self.n_rows = n_rows
        self._group = None if groups is None else ranks(groups)
        self.n_units = n_rows if self._group is None else int(self._group.max(initial=-1)) + 1
        self.n_blocks = min(self.n_units, MAX_BLOCKS)
        self._seed = seed
        self._rng = np.random.default_rng([seed, _CHANCE])
        self._kept: list[NDArray[np.uint8]] = []

    def check_rows(self, n_rows: int) -> None:
        """Raise `InternalError` where rows are judged that these draws are not of."""
        if n_rows != self.n_rows:
            raise InternalError(f"draws of {self.n_rows} rows cannot judge {n_rows} rows")

    @property
    def unit(self) -> Indices:
        """Number of each row's unit, (N,), 0 to U - 1."""
        return np.arange(self.n_rows) if self._group is None else self._group

    @cached_property
    def block(self) -> Indices:
        """Number of each row's block, (N,), 0 to B - 1: what is drawn."""
        if self.n_units == self.n_blocks:
            return self.unit
        rng = np.random.default_rng([self._seed, _BLOCKS_CHANCE])
        dealt = rng.permutation(self.n_units) % self.n_blocks
        return dealt if self._group is None else dealt[self._group]

    def times(self, n_draws: int) -> Iterator[Floats]:
        """Yield how often each block is in each of the first draws, a few at a time: (R', B)."""
        n_made, rng = 0, self._rng
        for kept in self._kept:
            if n_made < n_draws:
                yield kept[: n_draws - n_made].astype(np.float64)
            n_made += len(kept)
        is_kept = True
        for n_here in _chunks(n_draws - n_made, self.n_rows):
            n_made += n_here
            if is_kept and n_made * self.n_blocks > _KEPT_BYTES:
                is_kept, rng = False, deepcopy(rng)  # which makes the same the next time
            times = _drawn_times(self.n_blocks, n_here, rng)
            if is_kept:  # of 256 blocks and more, none is drawn 256 times
                self._kept.append(times.astype(np.uint8))
            yield times.astype(np.float64)


def drawn_weights(unit: Indices, n_draws: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield how often each row is in each draw, a few draws at a time: (R', N).

    Args:
        unit: Number of each row's unit, (N,), 0 to U - 1: whole units are drawn.
        n_draws: R.
        rng: Source of chance.
    """
    n_units = int(unit.max()) + 1
    for n_here in _chunks(n_draws, len(unit)):
        times = _drawn_times(n_units, n_here, rng)
        yield (times if n_units == len(unit) else times[:, unit]).astype(np.float64)


def _chunks(n_draws: int, n_rows: int) -> Iterator[int]:
    """Yield numbers of draws that sum to `n_draws`, each as many as are held at once."""
    size = max(1, _CHUNK // n_rows)
    for start in range(0, n_draws, size):
        yield min(size, n_draws - start)


def _drawn_times(n_units: int, n_draws: int, rng: np.random.Generator) -> Indices:
    """Return how often each unit is drawn, (R', U)."""
    drawn = rng.integers(n_units, size=(n_draws, n_units))
    drawn += np.arange(n_draws)[:, None] * n_units  # a place of its own for each draw
    return np.bincount(drawn.reshape(-1), minlength=drawn.size).reshape(drawn.shape)
