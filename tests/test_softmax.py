"""Column by column or at once: the same numbers to the last bit."""

import numpy as np
import pytest

from assay.softmax import log_softmax, row_max, row_sum, softmax


@pytest.mark.parametrize("n_classes", range(1, 12))
def test_few_classes_give_what_numpy_gives(n_classes):
    x = np.random.default_rng(n_classes).normal(size=(2, 301, n_classes))
    assert row_max(x).tobytes() == x.max(axis=-1, keepdims=True).tobytes()
    assert row_sum(x).tobytes() == x.sum(axis=-1, keepdims=True).tobytes()


def test_a_missing_score_stays_missing():
    x = np.array([[0.0, np.nan], [1.0, 2.0]])
    assert np.isnan(row_max(x)[:, 0]).tolist() == [True, False]
    assert np.isnan(log_softmax(x)).any(axis=1).tolist() == [True, False]


def test_shares_sum_to_one_whatever_the_scale():
    shares = softmax(np.array([[1000.0, 999.0, -1000.0], [0.0, 0.0, 0.0]]))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    np.testing.assert_allclose(np.log(shares[1]), log_softmax(np.zeros(3)))
