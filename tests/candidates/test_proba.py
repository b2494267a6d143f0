"""Log probabilities cover all classes, also those that a fit has not met."""

import numpy as np

from assay.candidates.proba import log_proba_of
from assay.softmax import log_softmax


def test_log_softmax_of_large_scores_is_finite():
    found = np.exp(log_softmax(np.array([[1000.0, 1000.0], [-1000.0, 0.0]])))
    np.testing.assert_allclose(found, [[0.5, 0.5], [0.0, 1.0]])


def test_classes_not_met_get_what_laplace_gives_them():
    raw = np.log([[0.75, 0.25, 0.1, 0.1]])
    is_met = np.array([True, True, False, False])
    found = np.exp(log_proba_of(raw, is_met, 16))
    np.testing.assert_allclose(found, [[0.75 * 0.9, 0.25 * 0.9, 0.05, 0.05]])


def test_scores_of_classes_not_met_do_not_matter():
    is_met = np.array([True, False, True])
    first, second = (log_proba_of(np.array([[1.0, x, 2.0]]), is_met, 5) for x in (0.0, 99.0))
    np.testing.assert_array_equal(first, second)


def test_a_single_class_met_is_almost_sure():
    found = np.exp(log_proba_of(np.zeros((1, 2)), np.array([True, False]), 8))
    np.testing.assert_allclose(found, [[0.9, 0.1]])
