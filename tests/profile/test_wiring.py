"""Training reads a table and keeps what was found in it."""

import numpy as np
import polars as pl

from assay.ledger import Ledger
from assay.recipe import Recipe
from assay.samples import read_samples


def read(frame: pl.DataFrame, **options: object):
    recipe = Recipe().with_options({"target": "y", **options})
    return read_samples(frame, recipe, Ledger(), on_stage=lambda _: None)


def make_frame(rng: np.random.Generator) -> pl.DataFrame:
    y = rng.integers(0, 2, 200)
    return pl.DataFrame(
        {"x": rng.normal(size=200), "w": rng.random(200) + 1, "paid": y * 3, "y": y}
    )


def test_samples_hold_the_findings(rng):
    samples = read(make_frame(rng))
    assert [(one.kind, one.where) for one in samples.findings] == [("leak", "paid")]


def test_findings_can_be_turned_off(rng):
    assert read(make_frame(rng), **{"evaluate.findings": False}).findings == ()


def test_findings_change_nothing_that_is_learnt(rng):
    frame = make_frame(rng)
    looked, blind = read(frame), read(frame, **{"evaluate.findings": False})
    for name, values in looked.arrays.named().items():
        np.testing.assert_array_equal(values, blind.arrays.named()[name])
    np.testing.assert_array_equal(looked.split.train, blind.split.train)


def test_columns_with_a_role_are_not_looked_at(rng):
    frame = make_frame(rng).with_columns(who=pl.Series(np.arange(200) // 4))
    frame = frame.with_columns(y=pl.Series(np.repeat(rng.integers(0, 2, 50), 4)))
    samples = read(frame, **{"split.group": "who", "train.sample_weight": "w"})
    assert not {"who", "w"} & {one.where for one in samples.findings}


def test_extreme_numbers_are_looked_at_without_a_word(rng):
    """Sums and widths of such columns are infinite; a warning would fail this test."""
    most = 1.7e308
    frame = pl.DataFrame(
        {
            "wide": np.where(rng.random(200) < 0.5, most, -most),
            "spread": rng.uniform(-1, 1, 200) * most,
            "whole": np.floor(rng.uniform(-1, 1, 200) * most),
            "tiny": rng.random(200) * 5e-324,
            "small": rng.normal(size=200),
            "y": rng.integers(0, 2, 200),
        }
    )
    assert not [one for one in read(frame).findings if one.severity == "high"]
    assert not [one for one in read(frame[::-1]).findings if one.severity == "high"]
