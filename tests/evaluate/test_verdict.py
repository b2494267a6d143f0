"""The verdict: what ships, what is said, and nothing that the figures do not carry."""

import json

import numpy as np
import pytest
from scipy import stats

from assay.errors import UserError
from assay.evaluate.signal import LEAST_P
from assay.evaluate.verdict import class_shares, reach_verdict
from assay.recipe import Recipe

NAMES = ("majority", "logistic", "boosting", "network", "blend")
FOLD = np.arange(500)[None] % 5


def make_proba(qualities: dict[str, float], *, n_rows: int = 500, seed: int = 0):
    """Candidates whose log odds are quality x truth + noise of their own, (1, N, 2) each."""
    rng = np.random.default_rng(seed)
    truth = 1.5 * rng.normal(size=n_rows)
    y = (rng.random(n_rows) < 1 / (1 + np.exp(-truth))).astype(int)
    proba = {}
    for name, quality in qualities.items():
        noise = 0.3 * np.random.default_rng([seed, NAMES.index(name)]).normal(size=n_rows)
        odds = 1 / (1 + np.exp(-(quality * truth + noise)))
        proba[name] = np.stack([1 - odds, odds], axis=1)[None]
    return proba, y


def reached(qualities: dict[str, float], options=None):
    proba, y = make_proba(qualities)
    recipe = Recipe().with_options(options or {})
    return reach_verdict(proba, y, FOLD, recipe, test_per_train=1 / 4)


GOOD = {"majority": 0.0, "logistic": 0.2, "boosting": 0.75, "network": 0.65, "blend": 1.0}


def test_the_text_can_be_quoted():
    verdict = reached(GOOD)
    assert verdict.shipped == "blend"
    assert verdict.has_signal
    pairs = {(one["first"], one["second"]): one for one in verdict.comparisons}
    assert list(pairs) == [
        ("blend", "majority"),
        ("blend", "logistic"),
        ("blend", "boosting"),
        ("blend", "network"),
        ("network", "boosting"),
        ("network", "logistic"),
    ]
    weak = pairs["blend", "logistic"]
    assert weak["conclusion"] == "better"
    assert weak["difference"]["high"] < 0
    assert weak["text"].startswith("The blend is better than logistic regression (log loss 0.")
    alike = pairs["blend", "boosting"]
    assert alike["conclusion"] == "not distinguishable"
    assert "not distinguishable from boosting" in alike["text"]
    assert verdict.text.startswith("The blend is better than logistic regression (log loss 0.")
    assert "not distinguishable from boosting (p = " in verdict.text
    assert "Always giving the class shares reaches 0." in verdict.text
    assert verdict.text.count(". ") == 1
    assert verdict.text.endswith(".")


def test_the_document_is_plain_and_complete():
    document = reached(GOOD, {"evaluate.metric": "auroc"}).to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert set(document) == {
        *("text", "has_signal", "signal_p_value", "shipped", "prefer", "metric", "comparisons")
    }
    keys = {"first", "second", "metric", "difference", "p_value", "conclusion", "text"}
    assert all(set(one) == keys for one in document["comparisons"])
    assert [one["metric"] for one in document["comparisons"][:2]] == ["log_loss", "auroc"]
    assert "AUROC" in document["text"]


@pytest.mark.parametrize(
    ("prefer", "shipped"),
    [
        ("accuracy", "blend"),
        ("network", "network"),
        ("boosting", "boosting"),
        ("logistic", "logistic"),
    ],
)
def test_what_ships_is_what_is_preferred(prefer, shipped):
    verdict = reached(GOOD, {"model.prefer": prefer})
    assert (verdict.shipped, verdict.prefer) == (shipped, prefer)


def test_what_ships_is_told_to_be_worse_than_the_best_where_it_is():
    verdict = reached(GOOD, {"model.prefer": "logistic"})
    assert verdict.text.startswith("Logistic regression is worse than boosting (log loss 0.")
    assert ", the network (against 0." in verdict.text
    assert " and the blend (against 0." in verdict.text


@pytest.mark.parametrize(
    ("shipped", "qualities", "others"),
    [
        ("logistic", {**GOOD, "logistic": 1.0}, ("boosting", "network", "blend")),
        ("boosting", {**GOOD, "boosting": 1.0}, ("logistic", "network", "blend")),
        ("network", {**GOOD, "network": 1.0}, ("logistic", "boosting", "blend")),
    ],
)
def test_a_part_that_ships_is_compared_with_all_others(shipped, qualities, others):
    told = {"logistic": "logistic regression", "boosting": "boosting", "network": "the network",
            "blend": "the blend"}  # fmt: skip
    verdict = reached({**qualities, "blend": 0.98}, {"model.prefer": shipped})
    assert verdict.shipped == shipped
    pairs = [frozenset((one["first"], one["second"])) for one in verdict.comparisons]
    assert len(set(pairs)) == len(pairs)
    for name in others:
        assert frozenset((shipped, name)) in pairs
        assert f"{told[name]} (" in verdict.text


def test_another_metric_is_told_with_what_log_loss_concludes():
    alike = reached(GOOD, {"evaluate.metric": "brier"})
    assert alike.text.endswith(" Log loss concludes the same.")
    assert "Log loss" not in reached(GOOD).text
    differs = reached({**GOOD, "network": 0.7}, {"evaluate.metric": "accuracy"})
    by = {
        (one["second"], one["metric"]): one["conclusion"]
        for one in differs.comparisons
        if one["first"] == "blend"
    }
    assert by["boosting", "accuracy"] == by["boosting", "log_loss"]
    told = differs.text.split(" By log loss (0.")[1]
    for name, text in (("logistic", "logistic regression"), ("network", "the network")):
        is_told = f"{text} (against" in told
        assert is_told == (by[name, "accuracy"] != by[name, "log_loss"])


def test_few_rows_without_a_signal_could_show_only_a_strong_one():
    proba, y = make_proba(GOOD, n_rows=40)
    y = np.random.default_rng(1).permutation(y)
    verdict = reach_verdict(proba, y, FOLD[:, :40], Recipe(), test_per_train=1 / 4)
    few = "do not predict this target; 40 rows could show only a strong one. The log loss"
    assert few in verdict.text


def test_no_p_value_is_0():
    rng = np.random.default_rng(0)
    y = np.arange(2000) % 2
    odds = np.where(y == 1, 0.99, 0.01) + 1e-4 * rng.normal(size=2000)
    proba = {"logistic": np.stack([1 - odds, odds], axis=1)[None]}
    fold = np.arange(2000)[None] % 5
    verdict = reach_verdict(proba, y, fold, Recipe(), test_per_train=1 / 4)
    assert verdict.signal_p_value == verdict.comparisons[0]["p_value"] == LEAST_P
    assert verdict.text.endswith("p < 0.001).")


def test_the_simplest_within_a_standard_error_ships_if_asked():
    close = {"logistic": 0.2, "boosting": 1.0, "network": 0.99, "blend": 1.0}
    simple = reached(close, {"model.prefer": "simple"})
    assert simple.shipped == "boosting"
    equal = make_proba({"blend": 1.0})[0]["blend"]
    proba, y = dict.fromkeys(("logistic", "boosting", "blend"), equal), make_proba(GOOD)[1]
    for prefer, shipped in (("simple", "logistic"), ("accuracy", "blend")):
        recipe = Recipe().with_options({"model.prefer": prefer})
        tied = reach_verdict(proba, y, FOLD, recipe, test_per_train=1 / 4)
        assert tied.shipped == shipped
    del proba["blend"]
    without = reach_verdict(proba, y, FOLD, Recipe(), test_per_train=1 / 4)
    assert without.shipped == "logistic"  # of equals the simplest


def test_a_part_ships_where_it_is_clearly_better_than_the_blend():
    assert reached({"logistic": 0.2, "network": 1.0, "blend": 0.95}).shipped == "blend"
    assert reached({"logistic": 0.2, "network": 1.0, "blend": 0.4}).shipped == "network"


def test_a_metric_that_shows_nothing_does_not_hide_the_signal():
    odds = np.tile([0.4, 0.01], 250)  # both below 0.5: nobody is ever named
    y = (np.random.default_rng(2).random(500) < odds).astype(int)
    proba = {"logistic": np.stack([1 - odds, odds], axis=1)[None]}
    recipe = Recipe().with_options({"evaluate.metric": "accuracy"})
    verdict = reach_verdict(proba, y, FOLD, recipe, test_per_train=1 / 4)
    assert verdict.text.startswith("Logistic regression is better than always giving the class")
    assert "not distinguishable from always giving the class shares (accuracy" in verdict.text


@pytest.mark.parametrize(
    ("logistic", "alone", "shipped"),
    [
        (0.78, None, "boosting"),
        (0.78, "network", "network"),  # not distinguishable from boosting, and preferred
        (0.78, "logistic", "logistic"),
        (0.2, "logistic", "boosting"),  # clearly worse
    ],
)
def test_what_is_alone_in_the_blend_is_preferred_as_the_blend_is(logistic, alone, shipped):
    proba, y = make_proba({"logistic": logistic, "boosting": 0.78, "network": 0.78})
    found = reach_verdict(proba, y, FOLD, Recipe(), test_per_train=1 / 4, alone=alone)
    assert found.shipped == shipped


def test_a_preference_for_what_there_is_not_is_refused():
    with pytest.raises(UserError, match=r"model\.prefer = 'boosting'.*among logistic, network"):
        reached({"logistic": 0.5, "network": 0.9}, {"model.prefer": "boosting"})


def test_labels_dealt_at_random_are_no_signal():
    proba, y = make_proba(GOOD)
    y = np.random.default_rng(1).permutation(y)
    verdict = reach_verdict(proba, y, FOLD, Recipe(), test_per_train=1 / 4)
    assert not verdict.has_signal
    assert verdict.text.startswith("No signal: the columns do not predict this target. The log")
    assert all(one["conclusion"] != "better" for one in verdict.comparisons if
               one["second"] == "majority")  # fmt: skip


def test_a_signal_that_the_log_loss_does_not_show_is_told_so():
    proba, y = make_proba({"logistic": 0.25}, n_rows=50, seed=1)
    verdict = reach_verdict(proba, y, FOLD[:, :50], Recipe(), test_per_train=1 / 4)
    assert verdict.has_signal
    assert verdict.comparisons[0]["conclusion"] == "not distinguishable"
    assert verdict.text.startswith("The predictions follow the target (p = 0.0")
    assert "not distinguishable from always giving the class shares" in verdict.text


def test_the_class_shares_are_compared_by_rows():
    proba, y = make_proba(GOOD)
    verdict = reach_verdict(proba, y, FOLD, Recipe(), test_per_train=1 / 4)
    own = -np.log(proba["blend"][0][np.arange(500), y])
    shares = -np.log(np.bincount(y) / 500)[y]
    found = verdict.comparisons[0]
    interval = stats.ttest_rel(own, shares).confidence_interval(0.95)
    assert (found["difference"]["low"], found["difference"]["high"]) == pytest.approx(
        tuple(interval)
    )


def test_a_single_candidate_is_compared_with_the_shares():
    verdict = reached({"network": 0.9})
    assert verdict.text.startswith("The network is better than always giving the class shares (")
    assert len(verdict.comparisons) == 1


@pytest.mark.parametrize("n_rows", [0, 1, 2, 3])
def test_a_few_rows_claim_nothing(n_rows):
    proba, y = make_proba(GOOD, n_rows=max(n_rows, 1))
    proba = {name: one[:, :n_rows] for name, one in proba.items()}
    y = np.arange(n_rows) % 2
    verdict = reach_verdict(proba, y, FOLD[:, :n_rows], Recipe(), test_per_train=1 / 4)
    assert not verdict.has_signal or n_rows > 2
    json.dumps(verdict.to_dict(), allow_nan=False)


def test_one_class_among_the_judged_rows_is_a_stated_answer():
    proba, y = make_proba(GOOD)
    recipe = Recipe().with_options({"evaluate.metric": "auroc"})
    verdict = reach_verdict(proba, np.zeros_like(y), FOLD, recipe, test_per_train=1 / 4)
    assert verdict.text.startswith("Too few rows to tell whether the columns predict")
    json.dumps(verdict.to_dict(), allow_nan=False)


def test_repeats_are_averaged_and_unjudged_rows_left_out():
    proba, y = make_proba(GOOD)
    once = reach_verdict(proba, y, FOLD, Recipe(), test_per_train=1 / 4)
    flat = {name: one[0] for name, one in proba.items()}
    assert reach_verdict(flat, y, FOLD, Recipe(), test_per_train=1 / 4) == once
    twice = {name: np.repeat(one, 2, axis=0) for name, one in proba.items()}
    fold = np.concatenate([FOLD, FOLD])
    for one in twice.values():
        one[1, :50] = np.nan
        one[0, 50:60] = np.nan
        one[1, 50:60] = np.nan
    fold[1, :60] = -1
    fold[0, 50:60] = -1
    verdict = reach_verdict(twice, y, fold, Recipe(), test_per_train=1 / 4)
    kept = {name: np.delete(one, np.s_[50:60], axis=1) for name, one in proba.items()}
    expected = reach_verdict(
        kept, np.delete(y, np.s_[50:60]), np.delete(fold, np.s_[50:60], axis=1), Recipe(),
        test_per_train=1 / 4,
    )  # fmt: skip
    assert verdict.text == expected.text


def test_class_shares_are_those_of_the_rows():
    assert class_shares(np.array([0, 2, 2, 2]), 3).tolist() == [[0.25, 0.0, 0.75]] * 4
