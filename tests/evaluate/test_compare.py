"""Comparisons: hand-worked numbers, scipy and scikit-learn beside them, and few false alarms."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from assay.errors import UserError
from assay.evaluate.compare import compare, compare_metric, per_fold, row_figures, score

FOLD = np.array([[0, 0, 1, 1, 2, 2, 3, 3]])


def constant(values: list[float]) -> np.ndarray:
    """Both rows of a fold have its value."""
    return np.repeat(values, 2)


def test_nadeau_and_bengio_by_hand():
    # d = -0.1, -0.3, -0.2, -0.2: mean -0.2, var = 0.02 / 3, and 1/J + n_test/n_train = 7/12,
    # so that the standard error is sqrt(7/12 * 0.02/3) = 0.062361 and t = -3.2071.
    found = compare(constant([0.4, 0.2, 0.3, 0.3]), np.full(8, 0.5), FOLD, test_per_train=1 / 3)
    assert found.estimate == pytest.approx(-0.2)
    assert found.standard_error == pytest.approx(0.062361, abs=1e-6)
    assert found.p_value == pytest.approx(2 * stats.t.sf(3.20713, 3), abs=1e-5)
    half = stats.t.ppf(0.975, 3) * 0.0623610
    assert found.low == pytest.approx(-0.2 - half, abs=1e-6)
    assert found.high == pytest.approx(-0.2 + half, abs=1e-6)
    assert (found.n_folds, found.method) == (4, "folds")
    assert found.difference.to_dict()["estimate"] == found.estimate


def test_repeats_count_as_further_folds(rng):
    fold = np.stack([rng.permutation(40) % 4, rng.permutation(40) % 4])
    loss_a, loss_b = rng.random((2, 40)), rng.random((2, 40))
    found = compare(loss_a, loss_b, fold, test_per_train=1 / 3)
    gap = loss_a - loss_b
    means = [gap[r][fold[r] == f].mean() for r in range(2) for f in range(4)]
    error = np.sqrt((1 / 8 + 1 / 3) * np.var(means, ddof=1))
    assert found.n_folds == 8
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(np.mean(means) / error), 7))


def test_one_loss_for_all_repeats_is_told_by_each_ones_folds(rng):
    fold = np.stack([rng.permutation(40) % 4, rng.permutation(40) % 4])
    loss = rng.random((2, 40))
    once = compare(loss[0], loss[1], fold, test_per_train=1 / 3)
    twice = compare(np.stack([loss[0]] * 2), np.stack([loss[1]] * 2), fold, test_per_train=1 / 3)
    assert once == twice
    assert once.estimate == pytest.approx((loss[0] - loss[1]).mean())


def test_folds_of_unequal_size_count_by_their_rows():
    fold = np.array([[0] * 6 + [1] * 2])
    loss = np.array([0.0] * 6 + [0.4] * 2)
    found = compare(loss, np.zeros(8), fold, test_per_train=1.0)
    # mean 0.1; variance (6 * 0.01 + 2 * 0.09) / 8 * 2/1 = 0.06; factor 1/2 + 1.
    assert found.estimate == pytest.approx(0.1)
    assert found.standard_error == pytest.approx(np.sqrt(1.5 * 0.06))


def test_a_single_fold_falls_back_to_the_paired_t_of_rows(rng):
    loss_a, loss_b = rng.random(30), rng.random(30)
    found = compare(loss_a, loss_b, np.zeros((1, 30), dtype=int), test_per_train=0.5)
    assert found.method == "rows"
    assert found.n_folds == 0
    assert found.p_value == pytest.approx(stats.ttest_rel(loss_a, loss_b).pvalue)
    interval = stats.ttest_rel(loss_a, loss_b).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(interval))


def test_rows_of_a_group_are_one_observation(rng):
    once = rng.random((2, 12))
    groups = np.repeat(np.arange(12), 5)
    fold = np.zeros((1, 60), dtype=int)
    many = np.repeat(once, 5, axis=1)
    found = compare(*many, fold, test_per_train=0.5, groups=groups)
    assert found.p_value == pytest.approx(stats.ttest_rel(*once).pvalue)
    assert compare(*many, fold, test_per_train=0.5).p_value < found.p_value


def test_equal_predictions_do_not_differ():
    loss = np.linspace(0, 1, 8)
    found = compare(loss, loss, FOLD, test_per_train=1 / 3)
    assert (found.estimate, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_a_difference_without_any_spread_has_no_p_value():
    found = compare(np.zeros(8), np.ones(8), FOLD, test_per_train=1 / 3)
    assert found.estimate == -1.0
    assert (found.low, found.high, found.p_value) == (None, None, None)


@pytest.mark.parametrize("n_rows", [1, 2])
def test_a_row_or_two_claim_nothing(n_rows):
    found = compare(np.zeros(n_rows), np.ones(n_rows), np.arange(n_rows)[None], test_per_train=1.0)
    assert found.p_value is None
    nothing = compare(np.zeros(2), np.ones(2), np.array([[-1, -1]]), test_per_train=1.0)
    assert nothing.estimate is None


def test_rows_that_are_not_judged_do_not_count():
    loss = constant([0.4, 0.2, 0.3, 0.3])
    whole = compare(loss, np.full(8, 0.5), FOLD, test_per_train=1 / 3)
    longer = np.append(FOLD, [[-1, 3]], axis=1)
    gaps = compare(np.append(loss, [9.0, np.nan]), np.full(10, 0.5), longer, test_per_train=1 / 3)
    assert gaps == whole


def test_shapes_that_do_not_fit_are_told():
    with pytest.raises(UserError, match=r"losses must be \(N,\) or \(R, N\)"):
        compare(np.zeros(5), np.zeros(5), FOLD, test_per_train=1.0)


def make_proba(rng: np.random.Generator, n_rows: int, n_classes: int):
    y = np.arange(n_rows) % n_classes
    logits = rng.normal(size=(2, n_rows, n_classes)) + 1.2 * (y[:, None] == np.arange(n_classes))
    proba = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    return y, proba[0], proba[1]


def test_every_metric_equals_scikit_learn_in_each_fold(rng):
    y, proba, _ = make_proba(rng, 90, 3)
    fold = rng.permutation(90) % 3
    expected = {
        "log_loss": lambda y, p: reference.log_loss(y, p),
        "brier": lambda y, p: ((p - np.eye(3)[y]) ** 2).sum(axis=1).mean(),
        "accuracy": lambda y, p: reference.accuracy_score(y, p.argmax(axis=1)),
        "balanced_accuracy": lambda y, p: reference.balanced_accuracy_score(y, p.argmax(axis=1)),
        "f1_macro": lambda y, p: reference.f1_score(y, p.argmax(axis=1), average="macro"),
        "matthews": lambda y, p: reference.matthews_corrcoef(y, p.argmax(axis=1)),
        "auroc": lambda y, p: reference.roc_auc_score(y, p, multi_class="ovr"),
        "average_precision": lambda y, p: reference.average_precision_score(y, p),
    }
    for metric, formula in expected.items():
        found = per_fold(metric, y, proba, fold[None])
        wanted = [formula(y[fold == number], proba[fold == number]) for number in range(3)]
        np.testing.assert_allclose(found, wanted, err_msg=metric)
        assert score(metric, y, proba) == pytest.approx(formula(y, proba))


@pytest.mark.parametrize("metric", ["accuracy", "brier", "auroc", "f1_macro"])
def test_a_metric_is_compared_by_its_folds(rng, metric):
    y, first, second = make_proba(rng, 120, 2)
    fold = (rng.permutation(120) % 4)[None]
    found = compare_metric(metric, y, first, second, fold, test_per_train=1 / 3)
    gaps = per_fold(metric, y, first, fold) - per_fold(metric, y, second, fold)
    error = np.sqrt((1 / 4 + 1 / 3) * gaps.var(ddof=1))
    assert found.estimate == pytest.approx(score(metric, y, first) - score(metric, y, second))
    assert found.standard_error == pytest.approx(error)
    assert found.low < found.estimate < found.high


def test_log_loss_as_a_metric_is_the_loss_of_rows(rng):
    y, first, second = make_proba(rng, 60, 3)
    fold = (rng.permutation(60) % 3)[None]
    losses = row_figures("log_loss", y, first), row_figures("log_loss", y, second)
    by_metric = compare_metric("log_loss", y, first, second, fold, test_per_train=0.5)
    assert by_metric == compare(*losses, fold, test_per_train=0.5)


def test_one_fold_draws_rows_for_a_metric_that_is_no_mean(rng):
    y, first, second = make_proba(rng, 400, 2)
    fold = np.zeros((1, 400), dtype=int)
    found = compare_metric("auroc", y, first, second, fold, test_per_train=0.5, seed=1)
    draws = []
    for _ in range(150):
        rows = rng.integers(400, size=400)
        pair = (reference.roc_auc_score(y[rows], one[rows, 1]) for one in (first, second))
        draws.append(next(pair) - next(pair))
    assert found.method == "rows"
    assert found.standard_error == pytest.approx(np.std(draws), rel=0.2)
    again = compare_metric("auroc", y, first, second, fold, test_per_train=0.5, seed=1)
    assert again == found
    apart = np.arange(400)
    alike = compare_metric(
        "auroc", y, first, second, fold, test_per_train=0.5, seed=1, groups=apart
    )
    assert alike == found


def test_a_fold_without_a_class_is_left_out_and_no_class_at_all_is_undefined(rng):
    y, first, second = make_proba(rng, 80, 2)
    fold = np.arange(80)[None] % 4
    y = np.where(fold[0] == 3, 0, (np.arange(80) // 4) % 2)
    found = compare_metric("auroc", y, first, second, fold, test_per_train=1 / 3)
    assert found.n_folds == 3
    ones = np.zeros(80, dtype=int)
    undefined = compare_metric("auroc", ones, first, second, fold, test_per_train=1 / 3)
    assert undefined.estimate is None


def test_nan_rows_are_left_out_of_every_metric(rng):
    y, first, second = make_proba(rng, 60, 2)
    fold = np.arange(60)[None] // 20
    whole = compare_metric("auroc", y[:55], first[:55], second[:55], fold[:, :55], test_per_train=1)
    first[55:] = np.nan
    assert compare_metric("auroc", y, first, second, fold, test_per_train=1) == whole


def test_equal_candidates_are_seldom_told_apart():
    """Two candidates of equal merit that learn from noisy folds, 400 tables of 200 rows.

    Each fold's model has an error of its own that all rows of the fold share in part, as
    two networks of different seeds do. A test of rows takes it for a difference.
    """
    rng = np.random.default_rng(3)
    fold = np.arange(200)[None] // 40
    n_tables, by_folds, by_rows = 400, 0, 0
    for _ in range(n_tables):
        of_fold = 0.15 * rng.normal(size=(2, 5))  # each candidate's luck in training
        loss = of_fold[:, fold[0]] + rng.normal(size=(2, 200))
        by_folds += compare(*loss, fold, test_per_train=1 / 4).p_value < 0.05
        by_rows += compare(*loss, np.zeros_like(fold), test_per_train=1 / 4).p_value < 0.05
    assert by_folds / n_tables <= 0.05
    assert by_rows / n_tables > 0.05
