"""Doubtful labels are found, and overlapping classes are not blamed."""

import numpy as np
import pytest

from assay.profile import label_noise
from assay.profile.noise import doubtful_rows

CLASSES = ["ant", "bee", "cow"]


def softmax(score):
    power = np.exp(score - score.max(axis=1, keepdims=True))
    return power / power.sum(axis=1, keepdims=True)


def test_hand_worked_case():
    # Mean probability of class 0 over its rows: (0.9 + 0.8 + 0.4) / 3 = 0.7; of class 1: 0.6.
    proba = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.75, 0.25], [0.05, 0.95]])
    y = np.array([0, 0, 0, 1, 1])
    assert doubtful_rows(y, proba).tolist() == [3, 2]  # 0.25 - 0.75 before 0.4 - 0.6
    proba[2] = [0.45, 0.55]  # below the threshold of class 1
    assert doubtful_rows(y, proba).tolist() == [3]


def test_planted_flips_are_found_and_shown_first(rng):
    y = rng.integers(0, 3, 900)
    proba = softmax(6 * np.eye(3)[y] + rng.normal(size=(900, 3)))
    wrong = np.sort(rng.choice(900, 30, replace=False))
    labels = y.copy()
    labels[wrong] = (labels[wrong] + 1) % 3
    found_rows = doubtful_rows(labels, proba)
    assert len(set(wrong) & set(found_rows.tolist())) >= 27
    assert set(found_rows[:20]) <= set(wrong)
    (found,) = label_noise(labels, proba, CLASSES)
    assert found.severity == "medium"
    first = doubtful_rows(labels, proba)[0]
    assert f"Row {first + 1} is labelled {CLASSES[labels[first]]!r}" in found.what
    assert len(found.evidence.split("rows ")[-1].split(" (")[0].split(", ")) == 20


def test_honest_labels_of_overlapping_classes_are_no_finding(rng):
    proba = softmax(rng.normal(size=(4000, 3)))
    y = np.array([rng.choice(3, p=row) for row in proba])
    assert len(doubtful_rows(y, proba)) > 500
    assert label_noise(y, proba, CLASSES) == []


def test_rows_that_nobody_judged_are_left_out():
    proba = np.array([[0.99, 0.01]] * 20 + [[0.01, 0.99]] * 20)
    y = np.array([0] * 20 + [1] * 20)
    y[[3, 5, 6, 7, 8, 9]] = 1
    proba[3] = np.nan
    assert doubtful_rows(y, proba).tolist() == [5, 6, 7, 8, 9]
    assert "of 39 rows" in label_noise(y, proba, CLASSES[:2])[0].evidence
    assert label_noise(y, np.full((40, 2), np.nan), CLASSES[:2]) == []


@pytest.mark.parametrize("n_classes", [2, 5])
def test_perfect_predictions_leave_no_doubt(n_classes):
    y = np.arange(50) % n_classes
    assert label_noise(y, np.eye(n_classes)[y], [str(idx) for idx in range(n_classes)]) == []
