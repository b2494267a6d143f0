"""Scores of texts: fitted by each member on its own rows, and honest on those too."""

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import assay
from assay.deal import sample_rows
from assay.encode.features import TextFeature
from assay.encode.target import class_codes
from assay.encode.text import hash_ngrams
from assay.nn import text as nn_text
from assay.nn.parts import MAX_PARTS, inner_parts
from assay.nn.statistics import INVERSE_PENALTIES, learn_scores
from assay.nn.text import TextInput

N_BUCKETS = 300


def folds(n_rows: int, n_folds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return train, validation and parts of a cross-fit."""
    validation = np.arange(n_rows) % n_folds == np.arange(n_folds)[:, None]
    return ~validation, validation, inner_parts(~validation, validation, (0,) * n_folds)


def words(rng, n_rows: int) -> np.ndarray:
    texts = pl.Series([" ".join(f"w{i}" for i in rng.integers(0, 60, 4)) for _ in range(n_rows)])
    return hash_ngrams(texts, N_BUCKETS, 64)


def test_weights_agree_with_scikit_learn(rng, monkeypatch):
    monkeypatch.setattr("assay.nn.statistics.INVERSE_PENALTIES", (1.0,))
    monkeypatch.setattr("assay.nn.statistics._STEPS", 60)
    ngrams = words(rng, 200)
    y = (ngrams % 7 == 1).any(axis=1) ^ (rng.random(200) < 0.2)
    train = np.ones((1, 200), dtype=bool)
    weights, _ = learn_scores(
        ngrams, N_BUCKETS, y[:, None].astype("f4"), train=train, parts=inner_parts(train)
    )
    x = np.zeros((200, N_BUCKETS + 1))
    x[np.nonzero(ngrams)[0], ngrams[ngrams > 0]] = 1.0
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    prior = np.log(y.mean() / (1 - y.mean()))
    expected = descend(x, y.astype(float), prior)
    np.testing.assert_allclose(weights[0, :, 0].numpy(), expected, atol=2e-4)
    # scikit-learn fits the intercept too, where here it stays at the prior.
    free = LogisticRegression(C=1.0, tol=1e-8).fit(x, y).coef_[0]
    assert np.corrcoef(weights[0, :, 0].numpy(), free)[0, 1] > 0.98


def descend(x: np.ndarray, y: np.ndarray, prior: float) -> np.ndarray:
    """Minimise the penalised log loss by Newton's method."""
    weight = np.zeros(x.shape[1])
    for _ in range(30):
        proba = 1 / (1 + np.exp(-(prior + x @ weight)))
        gradient = x.T @ (proba - y) + weight
        hessian = x.T @ (x * (proba * (1 - proba))[:, None]) + np.eye(len(weight))
        weight -= np.linalg.solve(hessian, gradient)
    return weight


def test_scores_of_training_rows_come_from_fits_that_left_them_out(rng, monkeypatch):
    # The choice of the penalty, one of five for all rows, may depend on every row.
    monkeypatch.setattr("assay.nn.statistics.INVERSE_PENALTIES", (1.0,))
    ngrams = words(rng, 60)
    y = rng.integers(0, 2, 60)
    train, _, parts = folds(60, 5)
    layer = TextInput((TextFeature("t", N_BUCKETS, 64, 0),), 5, 2)
    before = layer.fit(ngrams, y, train, parts)
    for row in (0, 7):
        changed = y.copy()
        changed[row] = 1 - y[row]
        after = TextInput(layer.features, 5, 2).fit(ngrams, changed, train, parts)
        assert torch.equal(before[:, row], after[:, row])


def test_no_member_learns_from_its_validation_rows(rng):
    ngrams = words(rng, 60)
    y = rng.integers(0, 2, 60)
    train, validation, parts = folds(60, 5)
    first, second = (TextInput((TextFeature("t", N_BUCKETS, 64, 4),), 5, 2) for _ in range(2))
    scores = first.fit(ngrams, y, train, parts)
    other_y, other = y.copy(), ngrams.copy()
    other_y[validation[2]] = 1 - y[validation[2]]
    other[validation[2]] = words(rng, int(validation[2].sum()))
    others = second.fit(other, other_y, train, parts)
    assert torch.equal(scores[2][train[2]], others[2][train[2]])
    assert torch.equal(first.weights[2], second.weights[2])
    assert torch.equal(first.scaled.left[2], second.scaled.left[2])
    assert not torch.equal(first.weights[1], second.weights[1])


def test_unique_words_say_nothing_about_random_classes(rng, monkeypatch):
    monkeypatch.setattr("assay.nn.statistics.INVERSE_PENALTIES", (30.0,))
    texts = pl.Series([f"unique{idx} common word{idx % 9}" for idx in range(400)])
    ngrams = hash_ngrams(texts, 16_384, 64)
    y = rng.integers(0, 2, 400)
    train, _, parts = folds(400, 5)
    layer = TextInput((TextFeature("t", 16_384, 64, 0),), 5, 2)
    learnt, naive = layer.fit(ngrams, y, train, parts), layer.scores(ngrams)
    for member_idx in range(5):
        own = train[member_idx]
        found, leaking = (
            np.corrcoef(part[member_idx, own, 0].numpy(), y[own])[0, 1] for part in (learnt, naive)
        )
        assert abs(found) < 0.2
        assert leaking > 0.6


def test_many_rows_are_fitted_by_a_sample(rng, monkeypatch):
    ngrams = words(rng, 90)
    y = rng.integers(0, 2, 90)
    train, _, parts = folds(90, 3)
    feature = TextFeature("t", N_BUCKETS, 64, 0)
    before = nn_text.MAX_FIT_NGRAMS
    monkeypatch.setattr(nn_text, "MAX_FIT_NGRAMS", np.count_nonzero(ngrams) // 2 + 1)
    sampled = TextInput((feature,), 3, 2)
    scores = sampled.fit(ngrams, y, train, parts)
    monkeypatch.setattr(nn_text, "MAX_FIT_NGRAMS", before)
    part = TextInput((feature,), 3, 2)
    most = int(90 * (np.count_nonzero(ngrams) // 2 + 1) / np.count_nonzero(ngrams))
    own = sample_rows(90, most)
    part.fit(ngrams[own], y[own], train[:, own], parts[:, own])
    assert torch.equal(sampled.weights, part.weights)
    others = np.setdiff1d(np.arange(90), own)
    assert torch.equal(scores[:, others], sampled.scores(ngrams)[:, others])


def test_rows_that_recur_are_all_met_by_a_sample(monkeypatch):
    monkeypatch.setattr(nn_text, "MAX_FIT_ROWS", 200)
    texts = pl.Series(["common miss", "common mister"] * 200)
    ngrams = hash_ngrams(texts, N_BUCKETS, 64)
    y = np.arange(400) % 2
    train, _, parts = folds(400, 5)
    layer = TextInput((TextFeature("t", N_BUCKETS, 64, 0),), 5, 2)
    layer.fit(ngrams, y, train, parts)
    scores = layer.scores(ngrams)[:, :, 0]
    assert (scores[:, 1::2] > 0.5).all()
    assert (scores[:, ::2] < -0.5).all()


def test_a_row_of_weight_0_is_like_no_row_and_only_ratios_matter(rng):
    ngrams = words(rng, 120)
    y = rng.integers(0, 2, (120, 1)).astype("f4")
    train, _, parts = folds(120, 4)
    weight = np.tile(np.float32([0.0, 1.0, 2.0]), 40)
    found, _ = learn_scores(ngrams, N_BUCKETS, y, train=train, parts=parts, row_weight=7.0 * weight)
    has = weight > 0
    same, _ = learn_scores(
        ngrams[has],
        N_BUCKETS,
        y[has],
        train=train[:, has],
        parts=parts[:, has],
        row_weight=weight[has],
    )
    torch.testing.assert_close(found, same, rtol=1e-3, atol=1e-4)
    even, _ = learn_scores(ngrams, N_BUCKETS, y, train=train, parts=parts)
    ones = np.full(120, 3.0, dtype=np.float32)
    equal, _ = learn_scores(ngrams, N_BUCKETS, y, train=train, parts=parts, row_weight=ones)
    assert torch.equal(even, equal)
    assert not torch.allclose(found, even, atol=1e-2)


def test_a_score_by_hand():
    layer = TextInput((TextFeature("a", 3, 2, 0), TextFeature("b", 2, 1, 0)), 1, 2)
    layer.weights[0, :, 0] = torch.tensor([0.0, 1.0, 2.0, 4.0, 0.0, 8.0, 16.0])
    ngrams = np.array([[1, 3, 2], [2, 0, 0], [0, 0, 1]], dtype=np.uint16)
    found = layer.scores(ngrams)[0].numpy()
    np.testing.assert_allclose(found, [[5.0 / 2**0.5, 16.0], [2.0, 0.0], [0.0, 8.0]], rtol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3, 16, 17, 1000])
def test_every_class_is_told_apart(n_classes):
    codes = class_codes(n_classes)
    assert len(codes) == n_classes
    assert codes.shape[1] <= 16
    if n_classes <= 17:
        assert len(np.unique(codes, axis=0)) == n_classes


def test_parts_are_the_rows_that_other_members_leave_out():
    train, validation, parts = folds(50, 5)
    for member_idx in range(5):
        assert (parts[member_idx] >= 0).tolist() == train[member_idx].tolist()
        assert len(np.unique(parts[member_idx][train[member_idx]])) == MAX_PARTS
        for other in set(range(5)) - {member_idx}:
            assert len(np.unique(parts[member_idx][validation[other]])) == 1


@pytest.mark.parametrize("n_members", [1, 2])
def test_parts_are_random_without_enough_others(n_members):
    validation = np.arange(40) % 2 == np.arange(n_members)[:, None]
    parts = inner_parts(~validation, validation, tuple(range(n_members)))
    for own, train in zip(parts, ~validation, strict=True):
        assert np.unique(own[train]).tolist() == [0, 1, 2, 3]


def test_random_parts_keep_units_whole(rng):
    unit = rng.integers(0, 12, 60)
    train = rng.random((2, 60)) < 0.8
    for part, own in zip(inner_parts(train, unit=unit), train, strict=True):
        assert ((part >= 0) == own).all()
        assert np.unique(part[own]).tolist() == [0, 1, 2, 3]
        for number in range(12):
            assert len(np.unique(part[own & (unit == number)])) <= 1


def test_a_lone_unit_has_no_honest_score(rng):
    train = np.ones((1, 20), dtype=bool)
    parts = inner_parts(train, unit=np.zeros(20, dtype=int))
    y = rng.integers(0, 2, (20, 1)).astype("f4")
    _, scores = learn_scores(words(rng, 20), N_BUCKETS, y, train=train, parts=parts)
    assert not scores.any()


def test_the_penalty_is_weak_where_text_says_much_and_strong_where_it_says_nothing(rng):
    ngrams = words(rng, 300)
    train, _, parts = folds(300, 5)
    says_much = (ngrams == np.bincount(ngrams[ngrams > 0]).argmax()).any(axis=1)
    sizes = []
    for y in (says_much, rng.random(300) < 0.5):
        weights, _ = learn_scores(
            ngrams, N_BUCKETS, y[:, None].astype("f4"), train=train, parts=parts
        )
        sizes.append(float(weights.abs().mean()))
    assert sizes[0] > sizes[1]
    assert list(INVERSE_PENALTIES) == sorted(INVERSE_PENALTIES)


def train_on_text(texts: list[str], y: list[str], **options):
    table = pl.DataFrame({"note": texts, "y": y})
    chosen = {
        "kinds.note": "text",
        "model.hidden": [16],
        "train.epochs": 12,
        "evaluate.bootstrap": 100,
        **options,
    }
    return assay.train(table, "y", options=chosen)


def test_shuffled_classes_are_not_predicted_from_text(rng):
    n_rows = 300
    texts = [f"name{idx} of{idx} place{idx % 11}" for idx in range(n_rows)]
    y = [["no", "yes"][idx] for idx in rng.integers(0, 2, n_rows)]
    model = train_on_text(texts, y)
    found = model.evaluation["validation"]["scores"]["log_loss"]["estimate"]
    assert found > np.log(2) - 0.02


def test_shuffled_classes_are_not_predicted_from_many_levels(rng):
    n_rows = 300
    levels = [f"level{idx}" for idx in rng.integers(0, 60, n_rows)]
    y = [["no", "yes"][idx] for idx in rng.integers(0, 2, n_rows)]
    model = train_on_text(levels, y, **{"kinds.note": "categorical"})
    assert model.evaluation["validation"]["scores"]["log_loss"]["estimate"] > np.log(2) - 0.02


def test_a_telling_word_is_found_and_survives_the_file(rng, tmp_path):
    n_rows = 200
    is_miss = rng.random(n_rows) < 0.5
    texts = [f"Surname{idx}, {'Miss' if m else 'Mr'}. Given{idx}" for idx, m in enumerate(is_miss)]
    model = train_on_text(texts, ["yes" if m else "no" for m in is_miss])
    assert model.evaluation["validation"]["scores"]["accuracy"]["estimate"] > 0.97
    path = tmp_path / "titles.assay"
    model.save(path)
    new = pl.DataFrame({"note": ["Newcomer, Miss. Any", "Newcomer, Mr. Any", None]})
    found = assay.load(path).predict_proba(new)
    np.testing.assert_array_equal(found, model.predict_proba(new))
    assert found[0, 1] > 0.9
    assert found[1, 1] < 0.1
