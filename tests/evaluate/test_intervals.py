"""Intervals cover what they should, and are as wide as theory says."""

import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap

from assay.errors import InternalError, UserError
from assay.evaluate import intervals, redrawn
from assay.evaluate.intervals import (
    Interval,
    bootstrap_intervals,
    member_spread,
    n_ranked_draws,
    wilson,
)
from assay.evaluate.redrawn import Draws
from assay.metrics import SCORES, score_table


def _case(n_rows, n_classes=2, seed=0, skill=1.0):
    rng = np.random.default_rng(seed)
    y_true = rng.integers(n_classes, size=n_rows)
    logits = rng.normal(size=(n_rows, n_classes)) + skill * np.eye(n_classes)[y_true]
    proba = np.exp(logits)
    return y_true, proba / proba.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_estimates_are_the_scores_of_all_rows(n_classes):
    y_true, proba = _case(200, n_classes)
    found = bootstrap_intervals(y_true, proba, n_resamples=100)
    assert {name: one.estimate for name, one in found.items()} == score_table(y_true, proba)
    assert tuple(found) == SCORES
    for name, one in found.items():
        assert one.low < one.high
        if name != "ece":  # biased upwards, and more so on draws with repeated rows
            assert one.low < one.estimate < one.high


def test_accuracy_interval_agrees_with_scipy():
    y_true, proba = _case(300)
    is_right = (proba.argmax(axis=1) == y_true).astype(float)
    theirs = bootstrap(
        (is_right,), np.mean, n_resamples=4000, method="percentile", rng=0, vectorized=True
    ).confidence_interval
    ours = bootstrap_intervals(y_true, proba, n_resamples=4000)["accuracy"]
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.007)


def test_auroc_interval_agrees_with_scipy():
    y_true, proba = _case(300)

    def area(rows):
        return score_table(y_true[rows], proba[rows])["auroc"]

    theirs = bootstrap(
        (np.arange(300),), area, n_resamples=1500, method="percentile", rng=0, vectorized=False
    ).confidence_interval
    ours = bootstrap_intervals(y_true, proba, n_resamples=1500)["auroc"]
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


@pytest.mark.parametrize("name", ["accuracy", "log_loss", "auroc"])
def test_intervals_cover_the_truth_about_as_often_as_they_say(name):
    truth = score_table(*_case(200_000, seed=999))[name]
    n_covered = 0
    for seed in range(100):
        y_true, proba = _case(150, seed=seed)
        found = bootstrap_intervals(y_true, proba, n_resamples=300, confidence=0.9, seed=seed)[name]
        n_covered += found.low <= truth <= found.high
    # 90 expected; binomial sd 3, and the percentile interval is a little narrow.
    assert 80 <= n_covered <= 98


def test_more_confidence_is_wider_and_more_rows_are_narrower():
    widths = {}
    for n_rows in (100, 1600):
        for confidence in (0.8, 0.95):
            found = bootstrap_intervals(*_case(n_rows), confidence=confidence)["accuracy"]
            widths[n_rows, confidence] = found.high - found.low
    assert widths[100, 0.8] < widths[100, 0.95]
    # A sixteenth of the variance: a quarter of the width.
    assert widths[1600, 0.95] == pytest.approx(widths[100, 0.95] / 4, rel=0.25)


def test_many_rows_give_the_width_of_the_normal_approximation():
    y_true, proba = _case(60_000, 3)
    found = bootstrap_intervals(y_true, proba)
    share = found["accuracy"].estimate
    half = 1.96 * np.sqrt(share * (1 - share) / 60_000)
    assert found["accuracy"].high - share == pytest.approx(half, rel=0.25)
    assert found["auroc"].low < found["auroc"].estimate < found["auroc"].high


def test_of_a_rare_class_the_auroc_is_drawn(monkeypatch):
    score = np.linspace(0.0, 1.0, 20_000)
    y_true = np.zeros(20_000, dtype=int)
    y_true[[7_000, *range(19_000, 19_900, 100)]] = 1  # 9 of 10 are found, which draws may all be
    proba = np.stack([1 - score, score], axis=1)
    drawn = bootstrap_intervals(y_true, proba)["auroc"]
    assert drawn.estimate - drawn.low > 1.5 * (drawn.high - drawn.estimate)
    assert drawn.high < 0.99
    monkeypatch.setattr(intervals, "RARE_ROWS", 0)
    assert bootstrap_intervals(y_true, proba)["auroc"].high == 1.0  # by influence


def test_ranked_draws_are_few_where_they_would_take_long():
    assert n_ranked_draws(20_000, 2, n_rarest=10) == 200
    assert n_ranked_draws(20_000, 2, n_rarest=100) == 0
    assert n_ranked_draws(2_000, 2, n_rarest=10) == 1500
    assert n_ranked_draws(20_000, 1000, n_rarest=10) == 0


def test_draws_of_other_rows_are_a_mistake_of_ours():
    with pytest.raises(InternalError, match="draws of 9 rows cannot judge 10 rows"):
        bootstrap_intervals(*_case(10), draws=Draws(9, seed=0))


def test_groups_widen_the_interval_as_if_they_were_rows():
    y_true, proba = _case(200)
    by_row = bootstrap_intervals(y_true, proba)
    y_five, proba_five = np.repeat(y_true, 5), np.repeat(proba, 5, axis=0)
    groups = np.repeat(np.arange(200) + 7, 5)
    by_group = bootstrap_intervals(y_five, proba_five, groups=groups)
    naive = bootstrap_intervals(y_five, proba_five)["accuracy"]
    for name, one in by_row.items():
        assert by_group[name].low == pytest.approx(one.low, abs=0.02)
        assert by_group[name].high == pytest.approx(one.high, abs=0.02)
    grouped = by_group["accuracy"]
    assert grouped.high - grouped.low > 1.7 * (naive.high - naive.low)


def test_of_many_groups_blocks_are_drawn_that_hold_them_whole(monkeypatch):
    monkeypatch.setattr(redrawn, "MAX_BLOCKS", 300)
    y_true, proba = _case(1000)
    by_row = bootstrap_intervals(y_true, proba)["accuracy"]
    by_group = bootstrap_intervals(
        np.repeat(y_true, 4),
        np.repeat(proba, 4, axis=0),
        groups=np.repeat(np.arange(1000), 4),
    )["accuracy"]
    assert by_group.high - by_group.low == pytest.approx(by_row.high - by_row.low, rel=0.3)


def test_the_seed_decides_the_interval():
    y_true, proba = _case(100)
    first, again, other = (
        bootstrap_intervals(y_true, proba, n_resamples=200, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_one_class_has_no_auroc_and_no_interval_of_it():
    found = bootstrap_intervals(np.zeros(30, dtype=int), np.full((30, 2), 0.5))
    assert found["auroc"].to_dict() == {"estimate": None, "low": None, "high": None}
    assert found["accuracy"] == wilson(30, 30)


def test_draws_without_the_rare_class_are_left_out():
    y_true = np.array([1] + [0] * 19)  # absent from 36 % of the draws
    proba = np.column_stack([1 - (p := np.linspace(0.9, 0.1, 20)), p])
    found = bootstrap_intervals(y_true, proba)["auroc"]
    assert found == Interval(1.0, wilson(1, 1).low, 1.0)


def test_one_row_or_one_group_has_no_interval():
    one = bootstrap_intervals(np.array([1]), np.array([[0.2, 0.8]]))["accuracy"]
    assert (one.estimate, one.low, one.high) == (1.0, None, None)
    y_true, proba = _case(20)
    grouped = bootstrap_intervals(y_true, proba, groups=np.full(20, 5))["accuracy"]
    assert grouped.low is None


def test_groups_of_another_length_are_told():
    with pytest.raises(UserError, match=r"groups must have shape \(10,\)"):
        bootstrap_intervals(*_case(10), groups=np.arange(3))


@pytest.mark.parametrize(("n_right", "n_rows"), [(0, 5), (5, 5), (3, 10), (1, 1), (700, 1000)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_wilson_agrees_with_scipy(n_right, n_rows, confidence):
    theirs = binomtest(n_right, n_rows).proportion_ci(confidence, method="wilson")
    ours = wilson(n_right, n_rows, confidence=confidence)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert ours.estimate == n_right / n_rows


def test_wilson_of_no_rows_is_none():
    assert wilson(0, 0).to_dict() == {"estimate": None, "low": None, "high": None}


def test_member_spread_by_hand():
    spread = member_spread([0.7, 0.8, 0.9])
    assert spread.to_dict() == pytest.approx({"mean": 0.8, "low": 0.7, "high": 0.9, "sd": 0.1})
    assert member_spread([0.5]).to_dict() == {"mean": 0.5, "low": 0.5, "high": 0.5, "sd": 0.0}
    with pytest.raises(UserError, match=r"\(K,\)"):
        member_spread([])


def test_scores_of_ranks_are_left_out_where_they_are_not_asked_for(rng):
    y, proba = rng.integers(0, 2, 200), rng.dirichlet(np.ones(2), 200)
    drawn = bootstrap_intervals(y, proba, seed=3, ranks="influence")
    plain = bootstrap_intervals(y, proba, seed=3, ranks="none")
    for name in SCORES:
        if name in ("auroc", "average_precision"):
            assert (plain[name].estimate, plain[name].low, plain[name].high) == (None,) * 3
        else:
            assert plain[name] == drawn[name]


@pytest.mark.parametrize("ranks", ["drawn", "influence"])
def test_a_perfect_score_is_not_certain(ranks):
    y = np.array([0, 0, 0, 1, 1])
    proba = np.where(np.arange(2) == y[:, None], 0.8, 0.2)
    found = bootstrap_intervals(y, proba, ranks=ranks)
    assert found["accuracy"] == wilson(5, 5)
    of_rarest = wilson(2, 2)
    for name in ("balanced_accuracy", "f1_macro", "auroc", "cohen_kappa", "matthews"):
        assert found[name].estimate == pytest.approx(1.0)
        assert (found[name].low, found[name].high) == (of_rarest.low, 1.0)
    wrong = bootstrap_intervals(y, proba[:, ::-1], ranks=ranks)
    assert wrong["balanced_accuracy"].to_dict() == {
        "estimate": 0.0, "low": 0.0, "high": 1.0 - of_rarest.low,
    }  # fmt: skip


def test_a_perfect_score_of_groups_is_as_sure_as_there_are_groups():
    y, groups = np.repeat([0, 1, 0, 1], 10), np.repeat([0, 1, 2, 2], 10)
    found = bootstrap_intervals(y, np.eye(2)[y], groups=groups)
    assert (found["accuracy"].low, found["auroc"].low) == (wilson(3, 3).low, wilson(2, 2).low)


def test_always_the_same_answer_is_chance_for_certain():
    y, proba = np.array([0, 1] * 20), np.tile([0.7, 0.3], (40, 1))
    found = bootstrap_intervals(y, proba)
    assert found["balanced_accuracy"].to_dict() == {"estimate": 0.5, "low": 0.5, "high": 0.5}
    assert found["cohen_kappa"].estimate == found["cohen_kappa"].high == 0.0
