"""An evaluation as text."""

import re

import numpy as np
import pytest

from assay.cli.layout import n_cells
from assay.cli.render import (
    class_lines,
    classes_line,
    confusion_lines,
    judged_lines,
    score_lines,
    spread_lines,
)
from assay.evaluate.scores import evaluate_predictions
from assay.options import EvaluateRecipe


def _judged(classes: list[str], n_rows: int = 400):
    rng = np.random.default_rng(0)
    y = np.arange(n_rows) % len(classes)
    logits = rng.normal(size=(n_rows, len(classes))) + 2.0 * np.eye(len(classes))[y]
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    recipe = EvaluateRecipe.model_validate({"bootstrap": 100})
    return evaluate_predictions(y, proba, classes, recipe, seed=0)


def test_scores_stand_beside_the_majority():
    judged = _judged(["no", "yes"])
    lines = score_lines(judged, names=["accuracy", "auroc", "unheard_of"])
    score = judged["scores"]["accuracy"]
    shown = f"{score['estimate']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"
    assert re.split("  +", lines[1].strip()) == ["accuracy", shown, "0.500"]
    assert len(lines) == 3


def test_confusion_matrix_names_its_classes():
    judged = _judged(["no", "yes"])
    first, second = judged["confusion"]
    assert [line.split() for line in confusion_lines(judged)] == [
        ["no", "yes"],
        ["no", *map(str, first)],
        ["yes", *map(str, second)],
    ]


@pytest.mark.parametrize("n_classes", [2, 3, 12, 13, 80])
def test_any_number_of_classes_stays_in_80_columns(n_classes, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    judged = _judged([f"class number {idx} of a name that is long" for idx in range(n_classes)])
    lines = [*class_lines(judged), *confusion_lines(judged)]
    assert max(n_cells(line) for line in lines) <= 80
    if n_classes > 12:
        assert class_lines(judged)[-1].startswith(f"  and {n_classes - 12} more class")


def test_names_of_any_script_keep_the_columns():
    judged = _judged(["東京都", "Zu\u0308rich", "\x1b[31mred\n"])
    lines = class_lines(judged)
    assert not any("\x1b" in line or "\n" in line for line in lines)
    ends = {n_cells(line) for line in lines[1:]}
    assert len(ends) == 1


def test_undefined_scores_are_not_shown():
    recipe = EvaluateRecipe.model_validate({"bootstrap": 100})
    one_class = evaluate_predictions(
        np.zeros(5, dtype=int), np.tile([0.9, 0.1], (5, 1)), ["a", "b"], recipe, seed=0
    )
    lines = judged_lines(one_class)
    assert any(line.startswith("  accuracy") for line in lines)
    assert not any("AUROC" in line for line in lines)


def test_classes_are_counted_only_where_all_rows_were_judged():
    judged = _judged(["no", "yes"], n_rows=10)
    whole = {"classes": ["no", "yes"], "n_rows": 10, "validation": judged}
    assert classes_line(whole) == "2 classes: no (5), yes (5)"
    assert classes_line({**whole, "n_rows": 12}) == "2 classes: no, yes"
    many = [str(idx) for idx in range(20)]
    assert classes_line({"classes": many, "n_rows": 3}).endswith("11 and 8 more")


def test_no_members_no_spread():
    assert spread_lines(None) == []
    assert spread_lines({"accuracy": None, "log_loss": None}) == []
