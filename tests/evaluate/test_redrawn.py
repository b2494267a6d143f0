"""Draws are the same for everybody who asks, however many are kept, and vary as rows do."""

import numpy as np
import pytest

from assay.errors import UserError
from assay.evaluate import redrawn
from assay.evaluate.draws import Ranking, RowScores, counts_by_block
from assay.evaluate.intervals import bootstrap_intervals
from assay.evaluate.redrawn import MAX_BLOCKS, Draws, drawn_weights


def _all(draws: Draws, n_draws: int) -> np.ndarray:
    return np.concatenate(list(draws.times(n_draws)))


def test_each_draw_takes_as_many_rows_as_there_are():
    times = _all(Draws(50, seed=0), 30)
    assert times.shape == (30, 50)
    assert (times.sum(axis=1) == 50).all()


@pytest.mark.parametrize("kept_bytes", [0, 130, 10_000])
def test_whoever_asks_gets_the_same_draws(monkeypatch, kept_bytes):
    monkeypatch.setattr(redrawn, "_CHUNK", 60)  # of 20 rows, 3 draws at a time
    expected = _all(Draws(20, seed=3), 40)
    monkeypatch.setattr(redrawn, "_KEPT_BYTES", kept_bytes)
    draws = Draws(20, seed=3)
    for n_draws in (7, 2, 40, 13, 40):
        np.testing.assert_array_equal(_all(draws, n_draws), expected[:n_draws])
    assert sum(times.size for times in draws._kept) <= kept_bytes


def test_the_same_seed_makes_the_same_draws_and_another_others():
    one, same, other = (_all(Draws(30, seed=seed), 5) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_whole_groups_are_drawn():
    draws = Draws(6, np.array([9, 9, 4, 4, 4, 7]), seed=0)
    assert draws.n_units == draws.n_blocks == 3
    assert draws.block.tolist() == [2, 2, 0, 0, 0, 1]
    assert (_all(draws, 8).sum(axis=1) == 3).all()


def test_of_many_rows_blocks_are_drawn():
    draws = Draws(5 * MAX_BLOCKS + 1, seed=0)
    assert draws.n_units == 5 * MAX_BLOCKS + 1
    sizes = np.bincount(draws.block)
    assert len(sizes) == MAX_BLOCKS
    assert set(sizes) == {5, 6}


def test_scores_vary_from_blocks_to_blocks_as_from_rows_to_rows(monkeypatch):
    rng = np.random.default_rng(0)
    y_true = (rng.random(1_500) < 0.3).astype(int)
    score = 1 / (1 + np.exp(1 - 1.5 * y_true - rng.normal(size=1_500)))
    proba = np.stack([1 - score, score], axis=1)
    by_row = bootstrap_intervals(y_true, proba, n_resamples=1_000)
    monkeypatch.setattr(redrawn, "MAX_BLOCKS", 300)
    by_block = bootstrap_intervals(y_true, proba, n_resamples=1_000)
    for name in ("log_loss", "brier", "f1_macro", "auroc", "average_precision"):
        width, expected = (one[name].high - one[name].low for one in (by_block, by_row))
        assert width == pytest.approx(expected, rel=0.15)  # 300 blocks: 4 %, 1,000 draws: 4 %


def test_of_many_rows_many_classes_are_counted_by_block_too():
    rng = np.random.default_rng(4)
    y_true, block = rng.integers(20, size=400), rng.permutation(400) % 10
    proba = rng.dirichlet(np.ones(20), size=400)
    assert counts_by_block(400, 10, 20)
    assert not counts_by_block(400, 400, 20)
    times = rng.integers(4, size=(5, 10)).astype(float)
    by_block = RowScores.of(y_true, proba, block).scores(times)
    for name, values in RowScores.of(y_true, proba).scores(times[:, block]).items():
        np.testing.assert_allclose(by_block[name], values, rtol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 4, 20])
def test_weights_of_blocks_score_as_the_weights_of_their_rows(n_classes):
    rng = np.random.default_rng(1)
    y_true, block = rng.integers(n_classes, size=90), rng.permutation(90) % 12
    proba = rng.dirichlet(np.ones(n_classes), size=90)
    times = rng.integers(1, 4, size=(5, 12)).astype(float)
    for made in (RowScores.of, Ranking):
        by_block = made(y_true, proba, block).scores(times)
        by_row = made(y_true, proba).scores(times[:, block])
        for name, values in by_row.items():
            np.testing.assert_allclose(by_block[name], values, rtol=1e-12)


def test_draws_made_before_give_the_same_intervals():
    rng = np.random.default_rng(2)
    y_true, proba = rng.integers(3, size=200), rng.dirichlet(np.ones(3), size=200)
    groups = np.arange(200) // 3
    draws = Draws(200, groups, seed=5)
    bootstrap_intervals(y_true, proba[::-1], n_resamples=150, draws=draws)
    found = bootstrap_intervals(y_true, proba, n_resamples=300, draws=draws)
    assert found == bootstrap_intervals(y_true, proba, n_resamples=300, groups=groups, seed=5)


def test_weights_of_rows_follow_their_units():
    unit = np.repeat(np.arange(10), 3)
    weights = np.concatenate(list(drawn_weights(unit, 25, np.random.default_rng(0))))
    assert weights.shape == (25, 30)
    by_unit = weights.reshape(25, 10, 3)
    assert (by_unit == by_unit[:, :, :1]).all()
    assert (by_unit[:, :, 0].sum(axis=1) == 10).all()


def test_groups_of_other_rows_are_refused():
    with pytest.raises(UserError, match="groups must have shape"):
        Draws(4, np.arange(3), seed=0)
