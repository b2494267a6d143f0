"""Partial dependence of planted models: the curve that was planted comes out."""

import numpy as np
import polars as pl
import pytest

from assay.errors import UserError
from assay.explain import partial_dependence
from assay.table import Table


def _logistic(odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-odds))


def test_a_single_column_gives_its_own_curve(plant, people):
    subject = plant(people, lambda typed: typed["age"].to_numpy() / 10 - 4)
    (found,) = partial_dependence(subject, Table(people), ["age"])
    x = np.array(found["x"])
    assert (found["column"], found["kind"]) == ("age", "numeric")
    assert 10 < len(x) <= 20
    assert (np.diff(x) > 0).all()
    assert list(found["proba"]) == ["yes"]
    np.testing.assert_allclose(found["proba"]["yes"], _logistic(x / 10 - 4))


def test_the_others_are_averaged_over(plant, people):
    subject = plant(people, lambda typed: (typed["pay"] + typed["luck"]).to_numpy())
    (found,) = partial_dependence(subject, Table(people), ["pay"], n_rows=400)
    expected = [_logistic(x + people["luck"].to_numpy()).mean() for x in found["x"]]
    np.testing.assert_allclose(found["proba"]["yes"], expected)


def test_rug_counts_every_row_once(plant, people):
    subject = plant(people, lambda typed: typed["pay"].to_numpy())
    (found,) = partial_dependence(subject, Table(people), ["pay"])
    x, rug, pay = np.array(found["x"]), found["rug"], people["pay"].to_numpy()
    assert len(rug["counts"]) == len(x) - 1
    assert rug["counts"][0] == ((pay >= x[0]) & (pay < x[1])).sum()
    assert rug["counts"][-1] == ((pay >= x[-2]) & (pay <= x[-1])).sum()
    assert rug["below"] + sum(rug["counts"]) + rug["above"] + rug["missing"] == 400


def test_few_values_are_all_tried(plant, people):
    frame = people.with_columns((pl.col("age") % 3).alias("age"))
    subject = plant(frame, lambda typed: typed["age"].to_numpy())
    (found,) = partial_dependence(subject, Table(frame), ["age"])
    assert found["x"] == [0.0, 1.0, 2.0]
    assert found["rug"]["below"] == found["rug"]["above"] == 0


def test_levels_stand_from_the_commonest_on(plant, people):
    subject = plant(people, lambda typed: np.where((typed["colour"] == "red").to_numpy(), 1.0, 0.0))
    (found,) = partial_dependence(subject, Table(people), ["colour"], n_levels=2)
    counts = people["colour"].value_counts(sort=True)
    assert found["kind"] == "categorical"
    assert found["x"] == counts["colour"].to_list()[:2]
    assert found["rug"]["counts"] == counts["count"].to_list()[:2]
    assert found["rug"]["other"] == counts["count"].to_list()[2]
    expected = [_logistic(np.array(float(level == "red"))) for level in found["x"]]
    np.testing.assert_allclose(found["proba"]["yes"], expected)


def test_missing_cells_have_a_point_of_their_own(plant, people):
    frame = people.with_columns(pl.when(pl.col("age") < 60).then(pl.col("luck")).alias("luck"))
    subject = plant(frame, lambda typed: typed["luck"].fill_null(3.0).to_numpy())
    (found,) = partial_dependence(subject, Table(frame), ["luck"])
    assert found["missing_proba"]["yes"] == pytest.approx(_logistic(np.array(3.0)))
    assert found["rug"]["missing"] == frame["luck"].null_count()
    assert len(found["x"]) == len(found["proba"]["yes"])


def test_dates_are_iso_text(plant, people):
    days = pl.Series("day", [f"2024-01-{1 + idx % 28:02}" for idx in range(400)])
    frame = people.with_columns(days)
    subject = plant(frame, lambda typed: typed["day"].dt.day().to_numpy() / 10)
    (found,) = partial_dependence(subject, Table(frame), ["day"])
    assert found["kind"] == "datetime"
    assert found["x"][0] == "2024-01-01T00:00:00"
    assert found["proba"]["yes"][0] == pytest.approx(_logistic(np.array(0.1)))


def test_the_commonest_classes_of_many(plant, people):
    heights = np.array([0.0, 3.0, 1.0, 2.0])
    subject = plant(
        people, lambda typed: np.tile(heights, (typed.height, 1)), classes=("a", "b", "c", "d")
    )
    (found,) = partial_dependence(subject, Table(people), ["pay"])
    assert list(found["proba"]) == ["b", "c", "d"]


def test_texts_and_empty_tables_give_nothing(plant, people):
    words = pl.Series(
        "words", [f"a longer text of several words, number {idx}" for idx in range(400)]
    )
    frame = people.with_columns(words)
    subject = plant(frame, lambda typed: typed["pay"].to_numpy(), options={"kinds.words": "text"})
    assert partial_dependence(subject, Table(frame), ["words"]) == []
    assert partial_dependence(subject, Table(frame.head(0)), ["pay"]) == []
    assert partial_dependence(subject, Table(frame), []) == []
    with pytest.raises(UserError, match="'paid'"):
        partial_dependence(subject, Table(frame), ["paid"])


def test_few_rows_tell_nearly_what_all_would(plant, people):
    subject = plant(people, lambda typed: (typed["pay"] + 3 * typed["luck"]).to_numpy())
    luck, off, plain_off = 3 * people["luck"].to_numpy(), [], []
    for seed in range(8):
        (found,) = partial_dependence(subject, Table(people), ["pay"], n_rows=30, seed=seed)
        x = np.array(found["x"])[:, None]
        few = np.sort(np.random.default_rng([seed, 12]).choice(400, size=30, replace=False))
        expected, plain = _logistic(x + luck).mean(axis=1), _logistic(x + luck[few]).mean(axis=1)
        off.append(np.abs(found["proba"]["yes"] - expected).mean())
        plain_off.append(np.abs(plain - expected).mean())
    assert np.mean(off) < 0.5 * np.mean(plain_off)


def test_the_classes_sum_to_one_though_few_rows_are_corrected(plant, people):
    def logits(typed):
        pay, luck, age = (typed[name].to_numpy() for name in ("pay", "luck", "age"))
        return np.stack([4 * luck, 3 * pay - 2 * luck, (age - 45) / 5], axis=1)

    subject = plant(people, logits, classes=("a", "b", "c"))
    for name in ("pay", "luck", "age", "colour"):
        (found,) = partial_dependence(subject, Table(people), [name], n_rows=30)
        proba = np.array(list(found["proba"].values()))  # (C, M)
        assert ((proba >= 0) & (proba <= 1)).all()
        np.testing.assert_allclose(proba.sum(axis=0), 1.0, atol=1e-12)
        if name == "colour":  # which nothing goes with: the mean of all rows
            expected = subject.proba(subject.typed(Table(people))).mean(axis=0)
            np.testing.assert_allclose(proba[:, 0], expected, atol=1e-12)
