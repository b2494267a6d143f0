"""The scores agree with scikit-learn and with sums done by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from assay import metrics
from assay.errors import UserError

CASES = list(itertools.product((2, 3, 10), (False, True), (False, True)))


def _case(n_classes, has_ties, has_weights, *, n_rows=300, seed=0):
    rng = np.random.default_rng([seed, n_classes, has_ties, has_weights])
    y_true = rng.integers(n_classes, size=n_rows)
    logits = rng.normal(size=(n_rows, n_classes)) + 1.2 * np.eye(n_classes)[y_true]
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if has_ties:
        proba = np.round(proba, 1) + 1e-3
        proba /= proba.sum(axis=1, keepdims=True)
    weight = rng.integers(1, 5, size=n_rows) / 2 if has_weights else None
    return y_true, proba, weight


@pytest.mark.parametrize(("n_classes", "has_ties", "has_weights"), CASES)
def test_label_scores_agree_with_scikit_learn(n_classes, has_ties, has_weights):
    y_true, proba, weight = _case(n_classes, has_ties, has_weights)
    y_pred = proba.argmax(axis=1)
    matrix = metrics.confusion_matrix(y_true, y_pred, n_classes=n_classes, sample_weight=weight)
    np.testing.assert_allclose(matrix, sk.confusion_matrix(y_true, y_pred, sample_weight=weight))
    options = {"average": None, "sample_weight": weight, "zero_division": 0}
    for ours, theirs in (
        (metrics.precision, sk.precision_score),
        (metrics.recall, sk.recall_score),
        (metrics.f1, sk.f1_score),
    ):
        expected = theirs(y_true, y_pred, **options)
        np.testing.assert_allclose(ours(matrix), expected, rtol=1e-12)
        in_mean = theirs(y_true, y_pred, **{**options, "average": "weighted"})
        assert metrics.weighted(ours(matrix), matrix) == pytest.approx(in_mean, rel=1e-12)
    got = metrics.score_table(y_true, proba, sample_weight=weight)
    matthews = sk.matthews_corrcoef(y_true, y_pred, sample_weight=weight)
    assert got["matthews"] == pytest.approx(matthews, rel=1e-12)
    kappa = sk.cohen_kappa_score(y_true, y_pred, sample_weight=weight)
    assert got["cohen_kappa"] == pytest.approx(kappa, rel=1e-12)
    accuracy = sk.accuracy_score(y_true, y_pred, sample_weight=weight)
    assert got["accuracy"] == pytest.approx(accuracy, rel=1e-12)
    assert metrics.accuracy(y_true, y_pred, sample_weight=weight) == pytest.approx(accuracy)
    balanced = sk.balanced_accuracy_score(y_true, y_pred, sample_weight=weight)
    assert got["balanced_accuracy"] == pytest.approx(balanced, rel=1e-12)
    for name, score in (
        ("f1_macro", sk.f1_score),
        ("precision_macro", sk.precision_score),
        ("recall_macro", sk.recall_score),
    ):
        expected = score(y_true, y_pred, average="macro", sample_weight=weight, zero_division=0)
        assert got[name] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n_classes", "has_ties", "has_weights"), CASES)
def test_probability_scores_agree_with_scikit_learn(n_classes, has_ties, has_weights):
    y_true, proba, weight = _case(n_classes, has_ties, has_weights)
    got = metrics.score_table(y_true, proba, sample_weight=weight)
    loss = sk.log_loss(y_true, proba, sample_weight=weight)
    assert got["log_loss"] == pytest.approx(loss, rel=1e-12)
    one_hot = np.eye(n_classes)[y_true]
    brier = np.average(((proba - one_hot) ** 2).sum(axis=1), weights=weight)
    assert got["brier"] == pytest.approx(brier, rel=1e-12)
    if n_classes == 2:
        area = sk.roc_auc_score(y_true, proba[:, 1], sample_weight=weight)
        rarer = metrics.rarer(y_true)
        precision = sk.average_precision_score(
            y_true, proba[:, rarer], pos_label=rarer, sample_weight=weight
        )
        half = sk.brier_score_loss(y_true, proba[:, 1], sample_weight=weight)
        assert got["brier"] == pytest.approx(2 * half, rel=1e-12)
    else:
        options = {"average": "macro", "sample_weight": weight}
        area = sk.roc_auc_score(y_true, proba, multi_class="ovr", **options)
        precision = sk.average_precision_score(one_hot, proba, **options)
    assert got["auroc"] == pytest.approx(area, rel=1e-12)
    assert got["average_precision"] == pytest.approx(precision, rel=1e-12)


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(1, 3)), min_size=2, max_size=30
    )
)
def test_ranking_scores_agree_with_scikit_learn_on_any_ties_and_weights(rows):
    y_true, score, weight = (np.array(column) for column in zip(*rows, strict=True))
    proba = np.column_stack([1 - score / 4, score / 4])
    got = metrics.score_table(y_true, proba, sample_weight=weight)
    if len(set(y_true.tolist())) < 2:
        assert got["auroc"] is None
        assert got["average_precision"] is None
        return
    area = sk.roc_auc_score(y_true, score, sample_weight=weight)
    rarer = metrics.rarer(y_true)
    precision = sk.average_precision_score(
        y_true, proba[:, rarer], pos_label=rarer, sample_weight=weight
    )
    assert got["auroc"] == pytest.approx(area, abs=1e-12)
    assert got["average_precision"] == pytest.approx(precision, abs=1e-12)


@pytest.mark.parametrize(("n_rows", "rarer"), [((3, 1), 1), ((1, 3), 0), ((2, 2), 1), ((0, 2), 0)])
def test_average_precision_of_two_classes_is_that_of_the_rarer(n_rows, rarer):
    y_true = np.repeat([0, 1], n_rows)
    assert metrics.rarer(y_true) == rarer
    if min(n_rows):  # all rows look alike: the precision is the share of the class
        found = metrics.average_precision(y_true, np.full((len(y_true), 2), 0.5))
        assert found == n_rows[rarer] / len(y_true)


def test_auroc_counts_pairs_and_half_of_ties():
    # Class 1 scores .4 and .9, class 0 scores .4 and .2: three pairs won and one tied.
    proba = np.array([[0.6, 0.4], [0.8, 0.2], [0.6, 0.4], [0.1, 0.9]])
    assert metrics.auroc(np.array([0, 0, 1, 1]), proba) == 3.5 / 4


def test_hand_worked_precision_recall_and_f1():
    # True A: 3 found, 1 lost to B. True B: 2 found, 2 lost to A. C never occurs.
    matrix = np.array([[3.0, 1.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(metrics.precision(matrix), [3 / 5, 2 / 3, np.nan])
    np.testing.assert_allclose(metrics.recall(matrix), [3 / 4, 2 / 4, np.nan])
    np.testing.assert_allclose(metrics.f1(matrix), [6 / 9, 4 / 7, np.nan])
    assert metrics.macro(metrics.recall(matrix)) == pytest.approx(5 / 8)
    assert metrics.weighted(metrics.recall(matrix), matrix) == pytest.approx(5 / 8)


def test_macro_leaves_out_a_class_without_true_rows():
    y_true = np.array([0, 0, 1, 1])
    y_pred = np.array([0, 2, 1, 1])
    matrix = metrics.confusion_matrix(y_true, y_pred, n_classes=3)
    got = metrics.scores_from_confusion(matrix)
    options = {"labels": [0, 1], "average": "macro"}
    assert got["f1_macro"] == pytest.approx(sk.f1_score(y_true, y_pred, **options))
    assert got["precision_macro"] == pytest.approx(sk.precision_score(y_true, y_pred, **options))
    assert got["balanced_accuracy"] == got["recall_macro"] == pytest.approx(0.75)


def test_a_class_never_predicted_has_precision_zero():
    matrix = metrics.confusion_matrix(np.array([0, 1]), np.array([0, 0]), n_classes=2)
    np.testing.assert_array_equal(metrics.precision(matrix), [0.5, 0.0])


def test_absent_class_is_left_out_of_the_ranking_macro():
    y_true, proba, _ = _case(3, True, False)
    proba4 = np.column_stack([proba * 0.9, np.full(len(proba), 0.1)])
    per_class = metrics.auroc_per_class(y_true, proba4)
    assert np.isnan(per_class[3])
    expected = [sk.roc_auc_score(y_true == c, proba4[:, c]) for c in range(3)]
    np.testing.assert_allclose(per_class[:3], expected, rtol=1e-12)
    assert metrics.auroc(y_true, proba4) == pytest.approx(np.mean(expected))
    assert metrics.log_loss(y_true, proba4) == pytest.approx(
        sk.log_loss(y_true, proba4, labels=[0, 1, 2, 3])
    )


def test_one_class_gives_none_and_never_nan():
    got = metrics.score_table(np.zeros(3, dtype=int), np.array([[0.8, 0.2]] * 3))
    undefined = {name for name, value in got.items() if value is None}
    assert undefined == {"auroc", "average_precision", "matthews", "cohen_kappa"}
    assert list(got) == list(metrics.SCORES)
    assert all(value is None or np.isfinite(value) for value in got.values())


def test_certain_miss_costs_the_clip():
    loss = metrics.log_loss(np.array([0]), np.array([[0.0, 1.0]]))
    assert loss == pytest.approx(-np.log(1e-15))


def test_brier_of_an_even_guess_over_three_classes():
    # (1/3)^2 + (1/3)^2 + (2/3)^2 = 6/9
    assert metrics.brier(np.array([2]), np.full((1, 3), 1 / 3)) == pytest.approx(6 / 9)


def test_calibration_error_agrees_with_a_plain_loop():
    y_true, proba, _ = _case(3, False, False, n_rows=2000)
    confidence, is_right = proba.max(axis=1), proba.argmax(axis=1) == y_true
    expected = 0.0
    for low in np.arange(15) / 15:
        chosen = (confidence > low) & (confidence <= low + 1 / 15)
        if chosen.any():
            gap = abs(is_right[chosen].mean() - confidence[chosen].mean())
            expected += chosen.mean() * gap
    assert metrics.expected_calibration_error(y_true, proba) == pytest.approx(expected, abs=1e-12)


def test_whole_weights_act_like_repeated_rows():
    y_true, proba, _ = _case(3, True, False, n_rows=60)
    times = np.random.default_rng(1).integers(1, 4, size=60)
    weighted = metrics.score_table(y_true, proba, sample_weight=times.astype(float))
    repeated = metrics.score_table(np.repeat(y_true, times), np.repeat(proba, times, axis=0))
    assert weighted == pytest.approx(repeated, rel=1e-10)


def test_a_stack_of_matrices_gives_the_scores_of_each():
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 9, size=(5, 3, 3)).astype(float)
    together = metrics.scores_from_confusion(stack)
    for position, matrix in enumerate(stack):
        for name, value in metrics.scores_from_confusion(matrix).items():
            assert together[name][position] == pytest.approx(float(value), nan_ok=True)


@pytest.mark.parametrize(
    ("y_true", "proba", "said"),
    [
        ([0, 3], [[0.5, 0.5]] * 2, r"\[0, 2\) \(got 0 to 3\)"),
        ([0, 1], [[0.5, np.nan]] * 2, "not finite"),
        ([0, 1, 0], [[0.5, 0.5]] * 2, r"\(3, C\) \(got shape \(2, 2\)\)"),
        ([0.0, 1.0], [[0.5, 0.5]] * 2, "got shape .* of float64"),
        ([], np.zeros((0, 2)), "N > 0"),
    ],
)
def test_wrong_input_is_told_with_what_was_got(y_true, proba, said):
    with pytest.raises(UserError, match=said):
        metrics.score_table(np.array(y_true), np.array(proba))


def test_wrong_weights_are_refused():
    for weight in ([1.0], [1.0, -1.0], [0.0, 0.0], [1.0, np.inf]):
        with pytest.raises(UserError, match="sample_weight"):
            metrics.log_loss(np.array([0, 1]), np.eye(2), sample_weight=np.array(weight))
