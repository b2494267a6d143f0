"""Fits on a part of many rows: rare classes stay, and count for no more than they are."""

from dataclasses import replace

import numpy as np

from assay.candidates.folds import Folds


def many_rows(setup) -> Folds:
    y = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [18_000, 1_990, 10]))
    no_fold = np.zeros((1, len(y)), dtype=bool)
    folds = Folds.of(setup)
    return replace(folds, y=y, n_classes=3, train=(np.arange(len(y)),), is_left_out=no_fold)


def test_where_rows_of_rare_classes_are_added_every_class_weighs_its_share(make):
    folds = many_rows(make()[0])
    rows = folds.rows(0, 2_000)
    assert np.bincount(folds.y[rows])[2] == 10
    weight = folds.weights(0, rows)
    by_class = np.bincount(folds.y[rows], weight)
    np.testing.assert_allclose(by_class / by_class.sum(), np.bincount(folds.y) / 20_000)
    np.testing.assert_allclose(weight.mean(), 1.0)


def test_many_rare_classes_weigh_their_share(make):
    y = np.repeat(np.arange(300), np.r_[50_000, np.full(299, 5)])
    folds = replace(many_rows(make()[0]), y=y, n_classes=300, train=(np.arange(len(y)),))
    rows = folds.rows(0, 6_000)
    by_class = np.bincount(y[rows], folds.weights(0, rows))
    np.testing.assert_allclose(by_class / by_class.sum(), np.bincount(y) / len(y))
    balanced = replace(folds, class_weight=(1.0 / np.bincount(y))[None])
    by_class = np.bincount(y[rows], balanced.weights(0, rows))
    np.testing.assert_allclose(by_class / by_class.sum(), 1 / 300)


def test_without_added_rows_all_count_alike(make):
    folds = many_rows(make()[0])
    assert folds.weights(0, folds.rows(0, 20_000)) is None
    common = replace(folds, y=np.minimum(folds.y, 1))
    assert common.weights(0, common.rows(0, 2_000)) is None
    weighted = replace(folds, weight=np.full(20_000, 2.0))
    rows = weighted.rows(0, 2_000)
    np.testing.assert_allclose(weighted.weights(0, rows), folds.weights(0, rows))
