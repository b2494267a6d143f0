"""Fits on a part of many rows: rare classes stay, and count for no more than they are."""

from dataclasses import replace

import numpy as np

from assay.candidates.folds import Folds


def many_rows(setup) -> Folds:
    y = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [18_000, 1_990, 10]))
    no_fold = np.zeros((1, len(y)), dtype=bool)
    folds = Folds.of(setup)
    return replace(folds, y=y, n_classes=3, train=(np.arange(len(y)),), is_left_out=no_fold)


def test_added_rows_of_a_rare_class_count_as_much_as_their_share(make):
    folds = many_rows(make()[0])
    rows = folds.rows(0, 2_000)
    weight = folds.weights(0, rows)
    by_class = np.bincount(folds.y[rows], weight)
    assert np.bincount(folds.y[rows])[2] == 10
    np.testing.assert_allclose(by_class[2] / by_class.sum(), 10 / 20_000, rtol=0.02)
    assert np.ptp(weight[folds.y[rows] < 2]) == 0.0
    np.testing.assert_allclose(weight.mean(), 1.0)


def test_without_added_rows_all_count_alike(make):
    folds = many_rows(make()[0])
    assert folds.weights(0, folds.rows(0, 20_000)) is None
    common = replace(folds, y=np.minimum(folds.y, 1))
    assert common.weights(0, common.rows(0, 2_000)) is None
    weighted = replace(folds, weight=np.full(20_000, 2.0))
    rows = weighted.rows(0, 2_000)
    np.testing.assert_allclose(weighted.weights(0, rows), folds.weights(0, rows))
