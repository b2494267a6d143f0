"""What is told after a training: ten to twenty lines, whatever the table."""

import copy
from types import SimpleNamespace

import pytest

from assay.cli.compared import clipped, one_of, wrapped
from assay.cli.summary import MOST_LINES, ledger_line, summary_lines
from assay.ledger import Ledger
from assay.recipe import Recipe

ENTRY = {"what": "column dropped", "where": "x", "why": "named in the recipe", "undo": "drop"}


def interval(estimate=0.8):
    return {"estimate": estimate, "low": estimate - 0.1, "high": estimate + 0.1}


def scores():
    return {name: interval() for name in ("accuracy", "balanced_accuracy", "log_loss", "auroc")}


def judged(n_classes):
    names = [f"class {idx}" for idx in range(n_classes)]
    return {
        "n_rows": 900,
        "confidence": 0.95,
        "scores": scores(),
        "majority": {"class": names[0], "accuracy": 0.5, "log_loss": 0.6},
        "per_class": [{"class": name, "n": 9} for name in names],
        "members": {"accuracy": {"mean": 0.8, "low": 0.7, "high": 0.9},
                    "log_loss": {"mean": 0.5, "low": 0.4, "high": 0.6}},
        "note": None,
    }  # fmt: skip


BUDGETS = {
    "train.memory": "2 of 10 networks trained",
    "train.time": "boosting not compared",
    "model.prefer": "logistic not compared",
}


def test_what_budgets_left_out_is_told_below_the_verdict():
    model = make_model()
    for undo, what in BUDGETS.items():
        where = "training" if undo == "train.memory" else "candidates"
        model.ledger.add(what, where=where, why="to stay within it", undo=undo)
    model.recipe = Recipe().with_options({"train.time": "30s"})
    only_time = "to keep to 30s: boosting not compared"
    assert told(model)[told(model).index("Verdict") :][-3:-1] == [only_time, ""]
    model.recipe = Recipe().with_options({"train.time": "30s", "train.memory": "1G"})
    both = "to keep to 30s and 1G: boosting not compared; 2 of 10 networks trained"
    assert both in told(model)


def make_model(
    *, n_findings=0, n_entries=0, has_test=False, text="Short.", n_classes=2, has_budget=False
):
    """Return as much of a model as the summary asks for, every candidate in it."""
    names = ["majority", "logistic", "boosting", "network", "blend"]
    candidates = [
        {"name": name, "n_rows": 900, "scores": scores(), "is_shipped": name == "blend"}
        for name in names
    ]
    found = {"severity": "high", "where": "column", "what": "it tells the target " * 9}
    evaluation = {
        "classes": [f"class {idx}" for idx in range(n_classes)],
        "n_rows": 900,
        "shipped": {"weights": {"boosting": 0.4, "network": 0.6}, "prefer": "simple"},
        "training": {"n_members": 10, "n_inputs": 20, "n_epochs_run": 30},
        "train": {"members": judged(2)["members"]},
        "validation": judged(n_classes),
        "candidates": candidates,
        "findings": [found] * n_findings,
        "verdict": {"text": text},
    }
    if has_test:
        evaluation["test"] = judged(n_classes)
    ledger = Ledger.from_list([ENTRY] * n_entries)
    if has_budget:
        for undo, what in BUDGETS.items():
            ledger.add(what, where="candidates", why="to stay within it", undo=undo)
    return SimpleNamespace(
        evaluation=evaluation,
        target="target",
        ledger=ledger,
        schema=SimpleNamespace(features=["a"] * 30),
        recipe=Recipe().with_options({"train.time": "30s"} if has_budget else {}),
    )


def told(model, path="m.assay"):
    return summary_lines(
        model, "table.csv", path, elapsed_s=5.0, report=["m.html", "m.json", "m.md"]
    )


# Longer than a verdict that tells of three others, by a metric and by log loss.
LONG = "The blend is better than boosting (log loss 0.4 against 0.5, p < 0.001). " * 7


@pytest.mark.parametrize("columns", ["40", "80", "200"])
@pytest.mark.parametrize("n_findings", [0, 1, 40])
@pytest.mark.parametrize("has_test", [False, True])
@pytest.mark.parametrize("text", ["Short.", LONG])
@pytest.mark.parametrize("n_classes", [2, 900])
@pytest.mark.parametrize("has_budget", [False, True])
def test_ten_to_twenty_lines(
    monkeypatch, columns, n_findings, has_test, text, n_classes, has_budget
):
    monkeypatch.setenv("COLUMNS", columns)
    model = make_model(
        n_findings=n_findings,
        n_entries=50,
        has_test=has_test,
        text=text,
        n_classes=n_classes,
        has_budget=has_budget,
    )
    lines = told(model)
    assert sum(line.startswith("to keep to 30s: boosting") for line in lines) == has_budget
    whole = " ".join(line.strip() for line in lines[lines.index("Verdict") + 1 : -1])
    assert whole.startswith(text.strip())
    assert ("grave finding" in whole) == (n_findings > 0)
    assert len(lines) >= 10
    if columns != "40":  # where a long verdict alone takes more
        assert len(lines) <= MOST_LINES
    assert lines[-1] == "Written m.assay and m.html, m.json, m.md"
    assert "Verdict" in lines
    assert sum("→ blend" in line for line in lines) == 1
    assert lines[0] == "table.csv: 900 rows to learn from, 30 columns read"
    assert any("test rows" in line for line in lines) == has_test


def test_other_lines_make_room_for_a_long_verdict():
    lines = told(make_model(text=LONG, n_findings=2, n_entries=9, has_test=True))
    assert len(lines) == MOST_LINES
    text = "\n".join(lines)
    assert "decisions about the data" not in text
    assert "networks of" not in text
    assert "2 grave findings about the table" in text
    assert "900 test rows that no model saw" in text
    short = "\n".join(told(make_model(n_findings=2, n_entries=9)))
    assert "decisions about the data" in short
    assert "networks of" in short
    assert "class shares" in short


def test_a_part_of_the_rows_is_told_beside_all():
    model = make_model()
    assert any(line.startswith("Compared on 900 rows, each") for line in told(model))
    for one in model.evaluation["candidates"]:
        one["n_rows"] = 300
    assert any(line.startswith("Compared on 300 of 900 rows, each") for line in told(model))


def test_without_rows_left_out_the_scores_are_of_rows_learnt_from():
    model = make_model()
    for name in ("validation", "candidates", "verdict"):
        del model.evaluation[name]
    text = "\n".join(told(model))
    assert "On the rows they learnt from (no measure of quality)" in text
    assert "was not tested on rows it had not seen" in text


def test_test_rows_of_one_class_show_no_undefined_score():
    model = make_model(has_test=True)
    test = copy.deepcopy(model.evaluation["test"])
    test["scores"]["auroc"] = {"estimate": None, "low": None, "high": None}
    test["note"] = "All 9 rows are of class 'x'."
    model.evaluation["test"] = test
    text = " ".join(line.strip() for line in told(model))
    assert "AUROC" not in text.split("900 test rows")[1]
    assert "All 9 rows are of class 'x'." in text


def test_the_first_decision_is_told_and_where_the_rest_is():
    line = ledger_line([ENTRY] * 9)
    assert line.startswith("9 decisions about the data (all: assay show): x: column dropped")
    assert ledger_line([ENTRY]).startswith("1 decision about the data: x: column dropped")
    assert ledger_line([]).startswith("no decision was taken about the data")


def test_lines_are_cut_at_words():
    lines = wrapped("word " * 60)
    assert clipped(lines, 99) == lines
    cut = clipped(lines, 2)
    assert len(cut) == 2
    assert cut[-1].endswith(" word…")
    assert max(len(line) for line in cut) <= 80
    assert one_of("short", indent="") == "short"
