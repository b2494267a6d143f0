"""Evaluation documents as a training writes them, made without one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from assay.evaluate.curves import curves, reliability
from assay.evaluate.intervals import bootstrap_intervals
from assay.evaluate.scores import evaluate_predictions
from assay.options import EvaluateRecipe
from assay.recipe import Recipe
from assay.report.context import Subject

Evaluation = dict[str, Any]

QUICK = EvaluateRecipe(bootstrap=100)
NAMES = ("majority", "logistic", "boosting", "network", "blend")


def interval(estimate: float, half: float = 0.02) -> dict[str, float]:
    """Return a score with an interval around it."""
    return {"estimate": estimate, "low": estimate - half, "high": estimate + half}


def predictions(n_classes: int, n_rows: int = 240) -> tuple[np.ndarray, np.ndarray]:
    """Return true classes and probabilities that know something of them."""
    rng = np.random.default_rng(n_classes)
    y = np.arange(n_rows) % n_classes
    proba = rng.dirichlet(np.ones(n_classes), size=n_rows)
    proba[np.arange(n_rows), y] += 0.7
    return y, proba / proba.sum(axis=1, keepdims=True)


def judged(y: np.ndarray, proba: np.ndarray, classes: Sequence[str]) -> Evaluation:
    """Return a part of an evaluation as it is today."""
    found = evaluate_predictions(y, proba, classes, QUICK, seed=0)
    spread = {"mean": 0.8, "low": 0.75, "high": 0.84, "sd": 0.02}
    return {**found, "members": {"accuracy": spread, "log_loss": {**spread, "mean": 0.5}}}


def minimal(classes: Sequence[str] = ("no", "yes")) -> Evaluation:
    """Return what a training without rows left out writes."""
    return {
        "classes": list(classes),
        "n_rows": 240,
        "calibration": {"temperature": 1.0, "mix": 0.0},
        "train": {"members": judged(*predictions(len(classes)), classes)["members"]},
        "training": {
            "n_members": 3,
            "n_inputs": 7,
            "n_parameters_per_member": 99,
            "n_epochs_run": 4,
            "seed": 0,
            "torch_version": "2.13.0",
            "history": {
                "train_loss": [[0.9 / epoch, 0.8 / epoch, None] for epoch in (1, 2, 3, 4)],
                "validation_log_loss": [],
                "best_epoch": [4, 4, 0],
            },
        },
    }


def full(classes: Sequence[str] = ("no", "yes")) -> Evaluation:
    """Return an evaluation that has every part there can be."""
    y, proba = predictions(len(classes))
    blurred = np.sqrt(proba) / np.sqrt(proba).sum(axis=1, keepdims=True)
    found = minimal(classes)
    found["training"]["history"]["validation_log_loss"] = [
        [1.0 / epoch, 0.9 / epoch + 0.05 * epoch, None] for epoch in (1, 2, 3, 4)
    ]
    scores = bootstrap_intervals(y, proba, n_resamples=100)
    found["validation"] = {
        **judged(y, proba, classes),
        "curves": curves(y, proba, classes),
        "reliability": {
            "before": reliability(y, blurred, confidence=0.95),
            "after": reliability(y, proba, confidence=0.95, intervals=scores),
        },
    }
    found["test"] = judged(*predictions(len(classes), 60), classes)
    found["candidates"] = [
        {
            "name": name,
            "scores": {
                "log_loss": interval(0.69 - 0.05 * idx),
                "accuracy": interval(0.6 + 0.04 * idx),
                "auroc": interval(0.5 + 0.08 * idx),
            },
            "weight": (0.0, 0.0, 0.4, 0.6, 1.0)[idx],
            "is_shipped": name == "blend",
        }
        for idx, name in enumerate(NAMES)
    ]
    found["verdict"] = verdict()
    found["decisions"] = decisions(classes)
    found["findings"] = [
        {
            "kind": "leak",
            "severity": severity,
            "where": where,
            "what": f"{where} tells the target almost perfectly.",
            "evidence": "AUROC 0.999 on its own",
            "option": f'drop = ["{where}"]',
        }
        for severity, where in (("high", "boat"), ("medium", "rows"), ("low", "Ticket"))
    ]
    found["importance"] = {
        "metric": "log_loss",
        "n_rows": 240,
        "columns": [
            {"column": "age", "increase": interval(0.12), "n_shuffles": 5},
            {"column": "sex", "increase": interval(0.31), "n_shuffles": 5, "with": ["title"]},
            {"column": "fare", "increase": {"estimate": None, "low": None, "high": None}},
        ],
    }
    found["dependence"] = dependence(classes)
    return found


def verdict() -> Evaluation:
    """Return a verdict."""
    return {
        "text": "The blend beats logistic regression: log loss 0.49 against 0.64.",
        "has_signal": True,
        "shipped": "blend",
        "prefer": "accuracy",
        "metric": "log_loss",
        "comparisons": [
            {
                "first": "blend",
                "second": name,
                "metric": "log_loss",
                "difference": interval(0.1),
                "p_value": p_value,
                "conclusion": conclusion,
                "text": f"The blend and {name}.",
            }
            for name, p_value, conclusion in (
                ("logistic", 0.0004, "better"),
                ("network", 0.31, "not distinguishable"),
                ("majority", None, "better"),
            )
        ],
    }


def decisions(classes: Sequence[str]) -> Evaluation:
    """Return decisions of every sort; a threshold for two classes only."""
    scores = {name: interval(0.8) for name in ("precision", "recall", "f1", "accuracy", "share")}
    shares = {name: 1 / len(classes) for name in classes}
    found: Evaluation = {
        "n_rows": 240,
        "confidence": 0.95,
        "note": "All figures are of rows left out.",
        "cost": {
            "matrix": [
                [float(a != b) * (1 + a) for b in range(len(classes))] for a in range(len(classes))
            ],
            "per_row": interval(0.2),
            "expected": 0.21,
            "likeliest": interval(0.25),
            "constant": {"decision": classes[0], "per_row": interval(0.6)},
            "saved": {"constant": interval(0.4), "likeliest": interval(0.05)},
            "decided": shares,
            "text": "Deciding by cost saves 0.4 a row.",
        },
        "conformal": {
            "coverage": 0.9,
            "method": "one quantile",
            "achieved": interval(0.905),
            "mean_size": 1.21,
            "share_single": 0.79,
            "share_empty": 0.0,
            "sizes": {"1": 0.79, "2": 0.21},
            "accuracy_single": interval(0.93),
            "per_class": [{"class": name, "n": 80, "coverage": interval(0.9)} for name in classes],
            "curve": [
                {
                    "coverage": asked,
                    "achieved": asked + 0.004,
                    "mean_size": 0.5 + asked**4,
                    "share_single": 0.8,
                    "share_empty": 0.0,
                }
                for asked in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
            ],
            "text": "Sets at 90 % hold the true class in 90.5 % of rows.",
        },
        "abstention": {
            "rule": "set",
            "floor": None,
            "is_met": True,
            "answered": interval(0.79),
            "accuracy": interval(0.93),
            "curve": [
                {"answered": idx / 20, "floor": 1 - idx / 40, "accuracy": interval(1 - idx / 100)}
                for idx in range(1, 21)
            ],
            "text": "79 % of rows get an answer, right in 93 %.",
        },
        "priors": {"training": shares, "deployment": shares, "text": "The shares are the same."},
    }
    if len(classes) == 2:
        found["threshold"] = {
            "rule": "f1",
            "is_default": True,
            "positive": classes[1],
            "value": 0.417,
            "is_met": True,
            "scores": scores,
            "likeliest": scores,
            "text": f"{classes[1]} is decided at 0.42.",
        }
    return found


def dependence(classes: Sequence[str]) -> list[Evaluation]:
    """Return partial dependence of a number, a date and levels."""
    shown = classes[1:] if len(classes) == 2 else classes
    numbers = [float(x) for x in range(1, 31)]
    levels, dates = (
        ["a", "b", "c"],
        ["2020-01-01T00:00:00", "2021-06-01T00:00:00", "2022-01-01T00:00:00"],
    )
    return [
        {
            "column": "age",
            "kind": "numeric",
            "x": numbers,
            "proba": {
                name: [0.2 + 0.02 * x / (1 + idx) for x in numbers]
                for idx, name in enumerate(shown)
            },
            "missing_proba": dict.fromkeys(shown, 0.3),
            "rug": {
                "counts": [int(31 - x) for x in numbers[:-1]],
                "below": 1,
                "above": 2,
                "missing": 7,
            },
        },
        {
            "column": "sex",
            "kind": "categorical",
            "x": levels,
            "proba": {name: [0.2, 0.5, 0.7] for name in shown},
            "rug": {"counts": [100, 90, 10], "other": 3, "missing": 0},
        },
        {
            "column": "since",
            "kind": "datetime",
            "x": dates,
            "proba": {name: [0.2, 0.5, 0.7] for name in shown},
            "rug": {"counts": [100, 90], "below": 0, "above": 0, "missing": 0},
        },
    ]


def column(name: str, kind: str = "numeric", **more: Any) -> Evaluation:
    """Return a column as `column_list` gives it."""
    base = {
        "name": name,
        "kind": kind,
        "reason": "most cells are numbers",
        "n_missing": 7,
        "n_unique": 30,
        "encoding": "robust scale, missing flag",
        "expression": None,
    }
    return {**base, **more}


def subject(evaluation: Evaluation, **more: Any) -> Subject:
    """Return what a report tells of, with two columns and one decision unless told otherwise."""
    known: dict[str, Any] = {
        "name": "titanic.assay",
        "target": "Survived",
        "evaluation": evaluation,
        "ledger": [
            {"what": "column set aside", "where": "id", "why": "all differ", "undo": "kinds.id"}
        ],
        "columns": [column("age"), column("sex", "categorical"), column("x", expression="age > 3")],
        "recipe": Recipe().with_options({"target": "Survived", "train.epochs": 4}),
        "assay_version": "0.1.0",
    }
    return Subject(**{**known, **more})


@pytest.fixture
def full_evaluation() -> Callable[..., Evaluation]:
    """Make an evaluation that has every part."""
    return full


@pytest.fixture
def minimal_evaluation() -> Callable[..., Evaluation]:
    """Make an evaluation without rows left out."""
    return minimal


@pytest.fixture
def make_subject() -> Callable[..., Subject]:
    """Make what a report tells of."""
    return subject
