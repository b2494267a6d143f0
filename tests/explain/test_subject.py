"""A subject knows which raw columns count, and casts rows once."""

import numpy as np
import polars as pl
import pytest

from assay.errors import InternalError, UserError
from assay.explain import Subject
from assay.explain.subject import log_odds, wording
from assay.table import Table


def _zero(frame: pl.DataFrame) -> np.ndarray:
    return np.zeros(frame.height)


def test_columns_are_those_read_directly_or_by_expressions(plant):
    frame = pl.DataFrame(
        {
            "name": [f"Doe, {'Mr' if idx % 2 else 'Mrs'}. {idx}" for idx in range(60)],
            "kin": [float(idx % 5) for idx in range(60)],
            "sold": [float(idx % 7) for idx in range(60)],
            "spare": [float(idx % 3) for idx in range(60)],
            "same": ["x"] * 60,
        }
    )
    title = "TRIM(SPLIT_PART(SPLIT_PART(name, ',', 2), '.', 1))"
    subject = plant(
        frame,
        _zero,
        options={
            "derive": {"title": title, "more": "kin + 1", "unused": "spare * 2"},
            "drop": ["name", "kin", "spare", "unused"],
        },
    )
    assert subject.columns == ("name", "kin", "sold")


def test_an_expression_that_only_feeds_another_counts(plant):
    frame = pl.DataFrame({"a": np.arange(60) % 7.0, "b": np.arange(60) % 5.0})
    options = {"derive": {"twice": "a * 2", "more": "twice + 1"}, "drop": ["a", "twice"]}
    assert plant(frame, _zero, options=options).columns == ("a", "b")


def test_cast_rows_predict_as_raw_ones(plant):
    frame = pl.DataFrame(
        {
            "price": [f"1.{idx:03},50" for idx in range(40)],
            "day": [f"{1 + idx % 28:02}.03.2024" for idx in range(40)],
            "ok": ["True", "false"] * 20,
            "kind": [" a", "b ", "?", "3.0"] * 10,
        }
    )

    def odds(typed):
        return (
            typed["price"].to_numpy() / 1000
            + typed["day"].dt.day().to_numpy()
            + (typed["ok"] == "true").to_numpy()
            + (typed["kind"].fill_null("none") == "3").to_numpy()
        ) / 20

    subject = plant(frame, odds)
    raw = Table(frame)
    typed = subject.typed(raw)

    def predict(rows):
        cast = subject.preparation.cast(rows, subject.recipe, is_training=False)
        return subject.predict(cast)

    assert typed.frame.dtypes == [pl.Float64, pl.Datetime("us"), pl.String, pl.String]
    np.testing.assert_array_equal(predict(typed), predict(raw))
    np.testing.assert_array_equal(subject.proba(typed), predict(raw))
    np.testing.assert_array_equal(subject.typed(typed).frame, typed.frame)


def test_unknown_columns_get_the_nearest_name(plant, people):
    subject = plant(people, _zero)
    with pytest.raises(UserError, match="'aeg'") as error:
        subject.check_columns(["age", "aeg"])
    assert "'age'" in str(error.value)
    with pytest.raises(UserError, match="no column to explain"):
        subject.check_columns([])


def test_predictions_of_another_shape_are_our_bug(plant, people):
    subject = plant(people, _zero)
    broken = Subject(subject.predict, subject.preparation, subject.recipe, ("a", "b", "c"))
    with pytest.raises(InternalError, match="shape"):
        broken.proba(Table(people))


def test_log_odds_keep_their_digits_near_certainty():
    small = 3e-6
    proba = np.array([[small, 1.0 - small]]).astype(np.float32).astype(np.float64)
    expected = np.log1p(-small) - np.log(small)
    np.testing.assert_allclose(log_odds(proba, np.array([1])), expected, atol=1e-6)
    np.testing.assert_allclose(log_odds(proba, np.array([0])), -expected, atol=1e-6)


@pytest.mark.parametrize(
    ("cell", "said"),
    [(4.0, "4"), (-0.5, "-0.5"), (1e20, "1e+20"), (None, "missing"), ("a\nb", "a b")],
)
def test_cells_in_words(cell, said):
    assert wording(cell) == said
