"""An invented population: who a person votes for, from four facts about them.

The law behind it is known, so it can show what a network should find. A lean
from liberal to conservative grows with age for women and falls with it for men,
rises with an income above what is usual at that age, and differs a little by
state; people near the middle tend to be moderate. No column alone tells much,
and a straight line through all of them tells only the part that income carries.
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from assay.errors import UserError

STATES = ("michigan", "nebraska", "oklahoma")
PARTIES = ("conservative", "moderate", "liberal")

_AGE_YEARS = (18, 70)
_INCOME_DOLLARS = (20_000.0, 80_000.0)
_SEED = 20

# The law, in units of log odds. Set so that the recipe's network is right on about
# 0.82 of 200 training rows and 0.73 of 40 test rows, as in the example it follows.
_MIDDLE_AGE_YEARS = 44
_LEAN_PER_DECADE = 2.2
_LEAN_OF_SURPRISE = 5.0
_LEAN_OF_STATE = np.array([-0.4, 0.0, 0.4])
_PULL_OF_MIDDLE = 2.4


class _Facts(NamedTuple):
    """One value per person, each of shape (N,)."""

    is_woman: np.ndarray
    age: np.ndarray
    state_idx: np.ndarray
    income: np.ndarray
    surprise: np.ndarray


def make_people(
    n_train: int = 200, n_test: int = 40, *, seed: int = _SEED
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw a training and a test table of invented people.

    The same arguments give the same tables on every machine: all draws are
    uniform numbers of NumPy's PCG64, whose stream is fixed.

    Args:
        n_train: Rows of the training table, at least 1.
        n_test: Rows of the test table, at least 0.
        seed: Of the draw, at least 0.

    Returns:
        Two tables with the columns sex ("M" or "F"), age (whole years, 18 to
        70), state ("michigan", "nebraska" or "oklahoma"), income (dollars a
        year, 20 000 to 80 000, in hundreds) and politics, the target
        ("conservative", "moderate" or "liberal").

    Raises:
        UserError: A count or the seed is below its least value.

    Example:
        >>> train, test = make_people()
        >>> train.shape, test.shape
        ((200, 5), (40, 5))
        >>> train.columns
        ['sex', 'age', 'state', 'income', 'politics']
    """
    _check_at_least("n_train", n_train, 1)
    _check_at_least("n_test", n_test, 0)
    _check_at_least("seed", seed, 0)
    # Shape (N, 6): one row of draws per person, so the first people stay the
    # same when more are asked for.
    draws = np.random.Generator(np.random.PCG64(seed)).random((n_train + n_test, 6))
    facts = _facts(draws[:, :5])
    politics_idx = _politics(facts, draws[:, 5])
    frame = pl.DataFrame(
        {
            "sex": np.where(facts.is_woman, "F", "M"),
            "age": facts.age,
            "state": np.array(STATES)[facts.state_idx],
            "income": facts.income,
            "politics": np.array(PARTIES)[politics_idx],
        }
    )
    return frame.head(n_train), frame.tail(n_test)


def _facts(draws: np.ndarray) -> _Facts:
    is_woman = draws[:, 0] < 0.5
    low, high = _AGE_YEARS
    age = low + np.floor(draws[:, 1] * (high - low + 1)).astype(np.int64)
    state_idx = np.floor(draws[:, 2] * len(STATES)).astype(np.int64)
    # The sum of two uniform draws is a triangle in (-1, 1): 0 is the usual income.
    surprise = draws[:, 3] + draws[:, 4] - 1.0
    usual = np.where(is_woman, 6_000.0 + 1_000.0 * age, 13_000.0 + 900.0 * age)
    income = np.round((usual + 12_000.0 * surprise) / 100.0) * 100.0
    return _Facts(is_woman, age, state_idx, income.clip(*_INCOME_DOLLARS), surprise)


def _politics(facts: _Facts, draw: np.ndarray) -> np.ndarray:
    """Return indices into PARTIES, shape (N,), by inverting each row's shares at `draw`."""
    decades = (facts.age - _MIDDLE_AGE_YEARS) / 10.0
    lean = _LEAN_PER_DECADE * np.where(facts.is_woman, decades, -decades)
    lean = lean + _LEAN_OF_SURPRISE * facts.surprise + _LEAN_OF_STATE[facts.state_idx]
    # Shape (N, C), in the order of PARTIES.
    weight = np.exp(np.stack([lean, np.full(len(lean), _PULL_OF_MIDDLE), -lean], axis=1))
    share = weight / weight.sum(axis=1, keepdims=True)
    idx: np.ndarray = (draw[:, None] > share.cumsum(axis=1)[:, :2]).sum(axis=1)
    return idx


def _check_at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise UserError(f"{name} = {value!r} is below {least}", fix=f"Give at least {least}")
