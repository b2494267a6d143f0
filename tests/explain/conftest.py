"""Planted models: log odds in closed form, so that every explanation is known by hand."""

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
import pytest

from assay.explain import Subject
from assay.ledger import Ledger
from assay.predict import Preparation
from assay.recipe import Recipe
from assay.table import Table

Plant = Callable[..., Subject]


def _probabilities(odds: np.ndarray) -> np.ndarray:
    """Return (N, 2) of log odds (N,), or (N, C) of logits (N, C)."""
    logits = np.stack([np.zeros(len(odds)), odds], axis=1) if odds.ndim == 1 else odds
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.fixture
def plant() -> Plant:
    """Return a subject whose log odds are a function of the prepared table."""

    def _plant(
        frame: pl.DataFrame,
        odds: Callable[[pl.DataFrame], np.ndarray],
        *,
        classes: tuple[str, ...] = ("no", "yes"),
        options: Mapping[str, object] | None = None,
    ) -> Subject:
        recipe = Recipe().with_options(dict(options or {}))
        preparation = Preparation.fit(Table(frame), recipe, Ledger())

        def predict(cast: Table) -> np.ndarray:
            typed = preparation.finish(cast, recipe, is_training=False)
            return _probabilities(odds(typed.frame))

        return Subject(predict, preparation, recipe, classes)

    return _plant


@pytest.fixture
def people(rng: np.random.Generator) -> pl.DataFrame:
    """400 rows: three unrelated numbers and a colour."""
    return pl.DataFrame(
        {
            "age": rng.integers(20, 70, 400).astype(float),
            "pay": rng.normal(size=400).round(3),
            "luck": rng.normal(size=400).round(3),
            "colour": rng.choice(["red", "green", "blue"], 400),
        }
    )
