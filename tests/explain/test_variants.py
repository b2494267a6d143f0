"""Exchanged columns: encoded alone, they predict what whole rows do."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

import assay
from assay.explain import Subject, explain_rows, permutation_importance
from assay.explain.variants import Variants
from assay.model import Model
from assay.table import Table

QUICK = {
    "train.epochs": 8,
    "model.prefer": "network",
    "model.hidden": [4],
    "split.folds": 2,
    "split.repeats": 1,
    "evaluate.bootstrap": 100,
    "evaluate.importance": False,
}


def table(rng: np.random.Generator) -> pl.DataFrame:
    dates = [datetime(2020, 1, 1) + timedelta(hours=int(h)) for h in rng.integers(0, 9_999, 60)]
    return pl.DataFrame(
        {
            "x": rng.normal(size=60),
            "gap": pl.Series(np.where(rng.random(60) < 0.3, np.nan, 1.5), nan_to_null=True),
            "when": dates,
            "city": rng.choice(list("abc"), 60),
            "many": rng.choice([f"v{idx}" for idx in range(12)], 60),
            "told": ["".join(rng.choice(list("abcde "), 40)) for _ in range(60)],
            "other": ["".join(rng.choice(list("vwxyz "), 40)) for _ in range(60)],
            "y": ["no", "yes"] * 30,
        }
    )


def subject_of(model: Model) -> Subject:
    return Subject.of(model._contents.predictor)


@pytest.fixture(scope="module")
def trained() -> tuple[Subject, Table]:
    frame = table(np.random.default_rng(5))
    subject = subject_of(assay.train(frame, "y", options=QUICK))
    return subject, subject.typed(Table(frame.drop("y")))


def test_every_kind_of_column_is_exchanged_as_in_whole_rows(trained: tuple[Subject, Table]):
    subject, rows = trained
    turned = {name: rows.column(name).reverse() for name in subject.columns}
    assert len(turned) == 7
    variants = [[], *([one] for one in turned.values()), list(turned.values())]
    slow = Variants(replace(subject, of_arrays=None), rows).proba(variants)
    np.testing.assert_array_equal(Variants(subject, rows).proba(variants), slow)
    assert len(np.unique(slow.reshape(len(variants), -1), axis=0)) > 6


def test_levels_never_seen_fit_into_the_codes(trained: tuple[Subject, Table]):
    subject, rows = trained
    unseen = pl.Series("city", ["zz", None] * 30)
    found = Variants(subject, rows).proba([[unseen]])
    whole = subject.proba(rows.with_frame(rows.frame.with_columns(unseen)))
    np.testing.assert_array_equal(found, whole)


def test_derived_columns_follow_what_they_are_made_from():
    frame = table(np.random.default_rng(6))
    derived = {"derive.z": "x * x + 1", "derive.w": "z + gap", "derive.c": "city || 'x'"}
    subject = subject_of(assay.train(frame, "y", options={**QUICK, **derived, "drop": ["x"]}))
    rows = subject.typed(Table(frame.drop("y")))
    moved, turned = rows.column("x") * 5.0, rows.column("city").reverse()
    told = rows.column("told").reverse()
    variants = [[], [moved], [turned, told], [told], [rows.column("gap").reverse(), moved]]
    found = Variants(subject, rows).proba(variants)
    whole = [subject.proba(rows.with_frame(rows.frame.with_columns(one))) for one in variants]
    np.testing.assert_array_equal(found, np.concatenate(whole))
    assert len(np.unique(np.stack(whole), axis=0)) == len(variants)


def test_only_some_rows_are_asked_for(trained: tuple[Subject, Table], rng: np.random.Generator):
    subject, rows = trained
    variants = [[rows.column("x").reverse()], [rows.column("city").reverse()]]
    is_asked = rng.random((2, 60)) < 0.4
    every = Variants(subject, rows).proba(variants)
    for one in (subject, replace(subject, of_arrays=None)):
        found = Variants(one, rows).proba(variants, is_asked)
        np.testing.assert_array_equal(found, every[is_asked.ravel()])


def test_cast_rows_are_not_cast_again(trained: tuple[Subject, Table], monkeypatch):
    subject, rows = trained
    y = np.arange(60) % 2
    expected = permutation_importance(subject, rows, y, n_resamples=100)
    explained = explain_rows(subject, rows).change
    is_cast = replace(subject, is_cast=True)
    monkeypatch.setattr("assay.predict.apply_schema", None)
    assert permutation_importance(is_cast, rows, y, n_resamples=100) == expected
    np.testing.assert_array_equal(explain_rows(is_cast, rows).change, explained)
