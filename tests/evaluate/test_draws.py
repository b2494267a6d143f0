"""A draw, given as weights, scores what the drawn rows themselves score."""

import numpy as np
import pytest

from assay.evaluate.draws import Ranking, RowScores
from assay.metrics import SCORES, score_table


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_a_draw_scores_what_the_drawn_rows_score(n_classes):
    rng = np.random.default_rng(0)
    y_true = rng.integers(n_classes, size=80)
    proba = np.round(rng.dirichlet(np.ones(n_classes), size=80), 1) + 0.01
    proba /= proba.sum(axis=1, keepdims=True)
    weight = rng.integers(0, 4, size=(3, 80)).astype(float)
    found = RowScores.of(y_true, proba).scores(weight) | Ranking(y_true, proba).scores(weight)
    for draw, times in enumerate(weight.astype(int)):
        expected = score_table(np.repeat(y_true, times), np.repeat(proba, times, axis=0))
        assert {name: found[name][draw] for name in SCORES} == pytest.approx(expected, rel=1e-10)


def test_scores_of_some_rows_are_those_of_their_weights():
    rng = np.random.default_rng(1)
    y_true, proba = rng.integers(3, size=50), rng.dirichlet(np.ones(3), size=50)
    chosen = np.arange(0, 50, 3)
    rows, some = (RowScores.of(y_true[part], proba[part]) for part in (slice(None), chosen))
    weight = np.isin(np.arange(50), chosen).astype(float)[None]
    taken, weighted = some.scores(np.ones((1, len(chosen)))), rows.scores(weight)
    for name, value in taken.items():
        assert value == pytest.approx(weighted[name], rel=1e-12)
