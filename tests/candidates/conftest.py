"""Small populations, ready to be trained, that the tests of candidates share."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from assay.ledger import Ledger
from assay.recipe import Recipe
from assay.samples import Samples, read_samples
from assay.training.setup import Setup, set_up

N_ROWS = 120
CPU = torch.device("cpu")
Make = Callable[..., tuple[Setup, Recipe]]


def mixed_table(rng: np.random.Generator, n_classes: int) -> pl.DataFrame:
    """Numbers with gaps, few levels, two levels, many levels, and texts that tell the class."""
    y = np.arange(N_ROWS) % n_classes
    words = np.array(["bad", "fine", "great", "odd", "plain"])
    return pl.DataFrame(
        {
            "x": rng.normal(size=N_ROWS) + y,
            "gaps": np.where(rng.random(N_ROWS) < 0.3, np.nan, rng.integers(0, 9, N_ROWS) + y),
            "few": rng.choice(["a", "b", "c"], N_ROWS),
            "two": rng.choice(["no", "yes"], N_ROWS),
            "many": [f"level {value}" for value in rng.integers(0, 15, N_ROWS)],
            "text": [f"a {words[c % 5]} thing, number {i} of many" for i, c in enumerate(y)],
            "y": [f"class {c:02d}" for c in y],
        }
    ).with_columns(pl.col("gaps").fill_nan(None))


@pytest.fixture
def make() -> Make:
    """Make a population of a table, 3 folds by default; `change` alters the samples first."""

    def made(
        frame: pl.DataFrame | None = None,
        *,
        n_classes: int = 2,
        change: Callable[[Samples], Samples] | None = None,
        **options: object,
    ) -> tuple[Setup, Recipe]:
        if frame is None:
            frame = mixed_table(np.random.default_rng(0), n_classes)
            options = {"kinds.text": "text", **options}
        chosen = {"target": "y", "model.hidden": [8], "split.folds": 3, "split.repeats": 1}
        recipe = Recipe().with_options({**chosen, **options})
        samples = read_samples(frame, recipe, Ledger(), on_stage=lambda name: None)
        return set_up(change(samples) if change else samples, recipe, CPU), recipe

    return made


@pytest.fixture
def with_y() -> Callable[[np.ndarray], Callable[[Samples], Samples]]:
    """Return a change of the samples' classes."""
    return lambda y: lambda samples: replace(samples, y=y)
