"""Whatever a typed cell holds, the arrays are finite or missing, and rows stand alone."""

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from assay.encode import TableEncoder
from assay.encode.target import TargetEncoder
from assay.ledger import Ledger
from assay.predict import Predictor, Preparation
from assay.recipe import Recipe
from assay.table import Table
from attacks.values import NAMES, batch_breakers, check_encoded, frames_of, mixed_table

pytestmark = pytest.mark.attack


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """What encodes the columns of `mixed_table`; without a graph it predicts nothing."""
    recipe = Recipe(target="y").with_options({"predict.invalid": "missing"})
    raw = Table(mixed_table().drop("y"))
    preparation = Preparation.fit(raw, recipe, Ledger())
    typed = preparation.apply(raw, recipe, is_training=True)
    encoder = TableEncoder.fit(typed, preparation.schema, recipe.encode, Ledger())
    target = TargetEncoder(name="y", classes=("a", "b"), label_type="string")
    return Predictor(preparation, encoder, target, b"", recipe)


def test_arrays_are_in_range_whatever_the_cells(predictor):
    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(frames_of(NAMES))
    def check(frame):
        check_encoded(predictor, frame)

    check()


def test_bytes_that_are_no_text_change_no_other_row(predictor):
    check_encoded(predictor, batch_breakers())


@pytest.mark.parametrize(
    ("cell", "dtype", "code"),
    [
        ("never seen", pl.String, "unseen"),
        ("", pl.String, "missing"),
        (None, pl.String, "missing"),
        (float("nan"), pl.Float64, "missing"),
        ("a\0b", pl.String, "unseen"),
        ("\U0001f600", pl.String, "unseen"),
        (2**53 + 1, pl.Int64, "unseen"),
        (2**64, pl.Int128, "unseen"),
        ("red", pl.Categorical, "known"),
        (b"red", pl.Binary, "known"),
        (" red ", pl.String, "known"),
        (["red"], pl.List(pl.String), "unseen"),
        (True, pl.Boolean, "unseen"),
    ],
)
def test_levels_are_known_unseen_or_missing(predictor, cell, dtype, code):
    frame = mixed_table(1).drop("y").with_columns(pl.Series("level", [cell], dtype=dtype))
    at = [feature.column for feature in predictor.encoder.categorical].index("level")
    found = predictor.encode(Table(frame)).codes[0, at]
    assert {0: "missing", 1: "unseen"}.get(int(found), "known") == code


@pytest.mark.parametrize(
    ("cell", "dtype", "number"),
    [
        (float("inf"), pl.Float64, np.nan),
        (-float("inf"), pl.Float64, np.nan),
        (float("nan"), pl.Float64, np.nan),
        (1e308, pl.Float64, 1e30),
        (-1e308, pl.Float64, -1e30),
        (5e-324, pl.Float64, 0.0),
        (2**53 + 1, pl.Int64, 2.0**53),
        (2**63 - 1, pl.Int64, 2.0**63),
        (2**64 - 1, pl.UInt64, 2.0**64),
        (2**100, pl.Int128, 1e30),
        ("1e400", pl.String, np.nan),
        ("abc", pl.String, np.nan),
        ("", pl.String, np.nan),
        (True, pl.Boolean, 1.0),
        ([1], pl.List(pl.Int8), np.nan),
        (None, pl.Null, np.nan),
    ],
)
def test_numbers_are_finite_or_missing(predictor, cell, dtype, number):
    frame = mixed_table(1).drop("y").with_columns(pl.Series("number", [cell], dtype=dtype))
    at = [feature.column for feature in predictor.encoder.numeric].index("number")
    expected = np.float32(number - predictor.encoder.numeric[at].offset)
    np.testing.assert_equal(predictor.encode(Table(frame)).numeric[0, at], expected)


def test_a_cell_of_megabytes_is_read(predictor):
    frame = mixed_table(1).drop("y")
    for name in ("words", "level", "number", "day"):
        long = frame.with_columns(pl.Series(name, ["é" * 3_000_000]))
        assert predictor.encode(Table(long)).n_rows == 1
