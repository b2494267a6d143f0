"""Reasons of planted models: weight times distance from the usual."""

import numpy as np
import polars as pl
import pytest

import assay
from assay.encode.table_encoder import TableEncoder
from assay.errors import UserError
from assay.explain import (
    explain_rows,
    partial_dependence,
    permutation_importance,
    top_columns,
)
from assay.explain.background import background
from assay.explain.reasons import MOST_COLUMNS, _most_changing
from assay.explain.subject import log_odds
from assay.reference import Reference
from assay.schema import ColumnSpec, Kind, Schema
from assay.table import Table


def _usual(cells: pl.Series, kind: Kind, most: int = 8):
    schema = Schema((ColumnSpec(cells.name, kind, ""),))
    reference = Reference.fit(Table(cells.to_frame()), schema)
    return background({one.name: one for one in reference.columns}, cells.name, most=most)


def _few_values(rng: np.random.Generator) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "a": rng.choice([0.0, 1.0, 5.0], 300),
            "b": rng.choice([-1.0, 2.0], 300),
            "colour": rng.choice(["red", "green", "blue"], 300),
        }
    )


def test_background_holds_values_with_their_shares():
    usual = _usual(pl.Series("x", [1.0] * 6 + [2.0] * 12 + [None] * 6), Kind.NUMERIC)
    assert usual.cells.to_list() == [1.0, 2.0, None]
    np.testing.assert_allclose(usual.shares, [0.25, 0.5, 0.25])


def test_background_of_many_numbers_keeps_their_mean(rng):
    x = pl.Series("x", rng.normal(size=4000))
    usual = _usual(x, Kind.NUMERIC)
    assert len(usual.cells) == 8
    assert usual.shares.sum() == pytest.approx(1.0)
    assert usual.shares @ usual.cells.to_numpy() == pytest.approx(x.mean(), abs=0.05)


def test_background_of_levels_is_the_commonest():
    usual = _usual(pl.Series("x", ["a"] * 30 + ["b"] * 20 + ["c"] * 10), Kind.CATEGORICAL, most=1)
    assert usual.cells.to_list() == ["a", "b"]
    np.testing.assert_allclose(usual.shares, [0.6, 0.4])


@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.IDENTIFIER])
def test_background_of_texts_is_missing(kind):
    usual = _usual(pl.Series("x", ["some", "words"]), kind)
    assert (usual.cells.to_list(), usual.shares.tolist()) == ([None], [1.0])


def test_change_is_weight_times_distance_from_the_mean(plant, rng):
    frame = _few_values(rng)
    subject = plant(frame, lambda typed: 0.5 * typed["a"].to_numpy() - typed["b"].to_numpy())
    found = explain_rows(subject, Table(frame), class_name="yes")
    a, b = frame["a"].to_numpy(), frame["b"].to_numpy()
    expected = np.stack([0.5 * (a - a.mean()), b.mean() - b, 0 * a], axis=1)
    np.testing.assert_allclose(found.change, expected, atol=1e-12)
    assert found.columns == ("a", "b", "colour")


def test_changes_of_an_additive_model_add_up(plant, rng):
    frame = _few_values(rng)

    def odds(typed):
        return np.sin(typed["a"].to_numpy()) + np.where((typed["colour"] == "red").to_numpy(), 2, 0)

    subject = plant(frame, odds)
    found = explain_rows(subject, Table(frame), class_name="yes")
    logits = log_odds(found.proba, found.class_idx)
    np.testing.assert_allclose(found.change.sum(axis=1), logits - logits.mean(), atol=1e-12)


def test_the_most_probable_class_is_explained(plant, rng):
    frame = _few_values(rng)
    subject = plant(frame, lambda typed: typed["a"].to_numpy() - 2)
    own = explain_rows(subject, Table(frame))
    yes = explain_rows(subject, Table(frame), class_name="yes")
    assert set(own.class_idx.tolist()) == {0, 1}
    sign = np.where(own.class_idx == 1, 1, -1)[:, None]
    np.testing.assert_allclose(own.change, sign * yes.change, atol=1e-12)


def test_the_reference_stands_for_the_training_rows(plant, rng):
    frame = _few_values(rng)
    subject = plant(frame, lambda typed: typed["a"].to_numpy())
    reference = Reference.fit(subject.typed(Table(frame)), subject.preparation.raw_schema)
    one = explain_rows(subject, Table(frame.head(1)), reference)
    every = explain_rows(subject, Table(frame))
    np.testing.assert_allclose(one.change[0], every.change[0], atol=1e-12)


def test_one_row_by_itself_has_no_reasons(plant, rng):
    frame = _few_values(rng)
    subject = plant(frame, lambda typed: typed["a"].to_numpy())
    found = explain_rows(subject, Table(frame.head(1)), columns=["a", "b"])
    assert np.abs(found.change).max() == 0.0
    assert found.of_row(0) == []


def test_derived_columns_follow(plant, rng):
    frame = pl.DataFrame({"kin": rng.integers(0, 5, 300), "spare": rng.normal(size=300)})
    subject = plant(
        frame,
        lambda typed: typed["more"].to_numpy(),
        options={"derive": {"more": "kin * 2"}, "drop": ["kin"]},
    )
    found = explain_rows(subject, Table(frame), class_name="yes")
    kin = frame["kin"].to_numpy()
    np.testing.assert_allclose(found.change[:, 0], 2 * (kin - kin.mean()), atol=1e-12)


def test_equal_rows_are_predicted_once(plant, rng):
    frame = _few_values(rng)
    n_asked = 0

    def odds(typed):
        nonlocal n_asked
        n_asked += typed.height
        return typed["a"].to_numpy()

    subject = plant(frame, odds)
    n_asked = 0
    explain_rows(subject, Table(frame))
    # 18 different rows, 18 once more as a base, and each with the cells that it does not hold.
    assert n_asked == 18 + 18 + 18 * (2 + 1 + 2)


def test_missing_cells_and_texts_are_cells(plant, rng):
    frame = pl.DataFrame(
        {
            "x": [None, 1.0, 2.0, 3.0] * 25,
            "words": [
                f"note {idx} of a long story that few people ever read" for idx in range(100)
            ],
        }
    )
    subject = plant(
        frame,
        lambda typed: (
            typed["x"].fill_null(4.0).to_numpy()
            + np.where(typed["words"].is_null().to_numpy(), 0.0, 1.0)
        ),
        options={"kinds.words": "text"},
    )
    found = explain_rows(subject, Table(frame), class_name="yes")
    np.testing.assert_allclose(found.change[0], [1.5, 1.0], atol=1e-12)
    first = found.of_row(0)
    assert first[0] == {"column": "x", "cell": "missing", "change": pytest.approx(1.5)}
    assert first[1]["cell"] == "note 0 of a long story that few people…"


def test_strongest_reasons_come_first_and_small_ones_never(plant, rng):
    frame = _few_values(rng)
    subject = plant(frame, lambda typed: 0.001 * typed["a"].to_numpy() + typed["b"].to_numpy())
    found = explain_rows(subject, Table(frame))
    (listed,) = {tuple(one["column"] for one in row["reasons"]) for row in found.to_list()}
    assert listed == ("b",)
    assert all(len(found.of_row(idx, top=0)) == 0 for idx in range(3))


def test_many_rows_give_what_few_give(plant, rng, monkeypatch):
    frame = _few_values(rng)
    subject = plant(frame, lambda typed: typed["a"].to_numpy() * typed["b"].to_numpy())
    whole = explain_rows(subject, Table(frame))
    monkeypatch.setattr("assay.explain.reasons._MOST_ROWS", 12)
    parts = explain_rows(subject, Table(frame))
    np.testing.assert_allclose(parts.change, whole.change, atol=1e-12)


@pytest.mark.parametrize("order", [(), ("x90", "x3")])
def test_wide_tables_are_explained_by_the_columns_that_matter(plant, rng, order):
    X = rng.normal(size=(200, 100)).round(3)
    frame = pl.DataFrame(X, schema=[f"x{idx}" for idx in range(100)])
    subject = plant(frame, lambda typed: typed["x3"].to_numpy() + typed["x90"].to_numpy())
    found = explain_rows(subject, Table(frame), order=order)
    assert len(found.columns) == MOST_COLUMNS
    assert {"x3", "x90"} <= set(found.columns)


def test_very_wide_tables_are_searched_in_blocks(plant, rng, monkeypatch):
    monkeypatch.setattr("assay.explain.reasons._TOGETHER", 4)
    n_asked = 0

    def odds(typed):
        nonlocal n_asked
        n_asked += 1
        return typed["x3"].to_numpy() + 2.0 * typed["x490"].to_numpy()

    X = rng.normal(size=(30, 500)).round(3)
    frame = pl.DataFrame(X, schema=[f"x{idx}" for idx in range(500)])
    subject = plant(frame, odds)
    known = {
        one.name: one
        for one in Reference.fit(
            subject.typed(Table(frame)), subject.preparation.raw_schema
        ).columns
    }
    n_asked = 0
    class_idx = np.ones(30, dtype=np.intp)
    found = _most_changing(subject, subject.typed(Table(frame)), class_idx, frame.columns, known)
    assert found[:2] == ["x490", "x3"]
    assert (len(found), n_asked) == (200, 1 + 125 + 200)


def test_rows_of_a_wide_model_are_encoded_once(plant, rng, monkeypatch):
    frame = pl.DataFrame(rng.normal(size=(40, 70)).round(3))
    frame = frame.with_columns(y=pl.Series(["no", "yes"] * 20))
    options = {
        "train.epochs": 1,
        "model.hidden": [4],
        "model.prefer": "network",
        "split.folds": 2,
        "split.repeats": 1,
        "evaluate.bootstrap": 100,
        "evaluate.importance": False,
    }
    model = assay.train(frame, "y", options=options)
    n_cells, transform = [], TableEncoder.transform

    def counted(self, table, **options):
        n_cells.append(table.n_rows * len(table.names))
        return transform(self, table, **options)

    expected = model.explain(frame.head(3))
    monkeypatch.setattr(TableEncoder, "transform", counted)
    assert model.explain(frame.head(3)) == expected
    # Rows as they are: to predict them, to find 50 of 70 columns, and to explain by those.
    assert n_cells.count(3 * 70) == 3
    assert max(one for one in n_cells if one != 3 * 70) == 3


def test_bad_input_is_refused(plant, rng):
    frame = _few_values(rng)
    subject = plant(frame, lambda typed: typed["a"].to_numpy())
    with pytest.raises(UserError, match="no rows"):
        explain_rows(subject, Table(frame.head(0)))
    with pytest.raises(UserError, match="knows no class 'yess'"):
        explain_rows(subject, Table(frame), class_name="yess")
    with pytest.raises(UserError, match="lacks"):
        explain_rows(subject, Table(frame.drop("a")))
    with pytest.raises(UserError, match="'color'"):
        explain_rows(subject, Table(frame), columns=["color"])


def test_odd_names_are_only_names(plant, rng):
    frame = pl.DataFrame({"^.*$": rng.choice([0.0, 4.0], 80), "row": rng.choice([1.0, 2.0], 80)})
    subject = plant(frame, lambda typed: typed["^.*$"].to_numpy())
    found = explain_rows(subject, Table(frame), class_name="yes")
    x = frame["^.*$"].to_numpy()
    np.testing.assert_allclose(found.change[:, 0], x - x.mean(), atol=1e-12)
    assert np.abs(found.change[:, 1]).max() == 0.0
    y = (x > 2).astype(int)
    assert top_columns(permutation_importance(subject, Table(frame), y)) == ["^.*$"]
    assert partial_dependence(subject, Table(frame), ["^.*$"])[0]["x"] == [0.0, 4.0]
