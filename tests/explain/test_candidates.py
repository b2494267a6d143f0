"""Candidates are measured by the shuffles that measure what ships."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from assay.explain.candidates import MOST_ROWS, Overheard
from assay.explain.importance import permutation_importance
from assay.explain.subject import Subject
from assay.table import Table


class _Parts:
    """Two parts that look at one column each, and their equal blend."""

    def __init__(self, planted: Subject, overheard: Overheard) -> None:
        self._overheard = overheard
        self.subject = replace(planted, predict=self)

    def __call__(self, cast: Table) -> np.ndarray:
        said = {}
        for part, name in (("first", "a"), ("second", "b")):
            odds = 3 * cast.column(name).to_numpy()
            said[part] = np.stack([-np.logaddexp(0, odds), -np.logaddexp(0, -odds)], axis=1)
        self._overheard.hear(said)
        return _proba(said["first"] + said["second"])


def _planted(plant, frame):
    return plant(frame, lambda frame: frame["a"].to_numpy())


def _proba(logs: np.ndarray) -> np.ndarray:
    raised = np.exp(logs / 2)
    return raised / raised.sum(axis=-1, keepdims=True)


@pytest.fixture
def numbers():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 800))
    y = (a + 0.5 * b + 0.3 * rng.normal(size=800) > 0).astype(int)
    return pl.DataFrame({"a": a, "b": b}), y


def _measured(plant, numbers, **options):
    frame, y = numbers
    overheard = Overheard(
        {
            "first": lambda logs: np.exp(logs["first"]),
            "second": lambda logs: np.exp(logs["second"]),
        },
        y,
    )
    parts = _Parts(_planted(plant, frame), overheard)
    shipped = permutation_importance(
        parts.subject, Table(frame), y, n_shuffles=2, listen=overheard.listen, **options
    )
    return shipped, overheard.importance(shipped, confidence=0.95)


def test_a_candidate_needs_only_the_column_it_looks_at(plant, numbers):
    shipped, found = _measured(plant, numbers)
    for name, column in (("first", "a"), ("second", "b")):
        own = found[name]
        increase = {one["column"]: one["increase"] for one in own["columns"]}
        [other] = {"a", "b"} - {column}
        assert increase[column]["low"] > 0.1
        assert increase[other] == {"estimate": 0.0, "low": 0.0, "high": 0.0}
        assert own["n_rows"] == MOST_ROWS
        assert own.keys() == shipped.keys()


def test_listening_changes_nothing(plant, numbers):
    frame, y = numbers
    shipped, _ = _measured(plant, numbers)
    silent = _Parts(_planted(plant, frame), Overheard({}, y)).subject
    assert permutation_importance(silent, Table(frame), y, n_shuffles=2) == shipped


def test_without_time_nothing_is_told(plant, numbers):
    _, found = _measured(plant, numbers, most_s=0.0, clock=lambda: 0.0)
    assert found == {}
