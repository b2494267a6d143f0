"""The document of a report: whatever an evaluation holds or lacks."""

import copy
import json
from types import SimpleNamespace

import numpy as np
import pytest

from assay.recipe import Recipe
from assay.report import context
from assay.report.context import MOST_BYTES, make_context, plain
from assay.report.html import render_html
from assay.report.markdown import render_markdown
from assay.report.opening import scores_sentence

OPTIONAL = (
    "calibration", "train", "training", "validation", "test", "candidates", "verdict",
    "decisions", "findings", "importance", "dependence",
)  # fmt: skip


def _rendered(subject):
    document = make_context(subject)
    json.dumps(document, allow_nan=False)
    assert "\n# Model card" in render_markdown(document)
    return document, render_html(document)


def test_everything_that_an_evaluation_holds_is_told(make_subject, full_evaluation):
    evaluation = full_evaluation()
    document = make_context(make_subject(evaluation))
    assert document["verdict"] == plain(evaluation["verdict"])
    assert [part["key"] for part in document["parts"]] == ["validation", "test"]
    assert document["parts"][0]["curves"]["classes"][0]["class"] == "yes"
    assert [one["label"] for one in document["candidates"]][1] == "logistic regression"
    assert document["importance"]["columns"]["items"][0]["column"] == "sex"  # the largest first
    assert document["read"]["kinds"] == {"numeric": 1, "categorical": 1}
    assert document["read"]["n_derived"] == 1
    assert document["read"]["classes"]["items"][0] == {"class": "no", "n": 120, "share": 0.5}
    assert document["recipe"]["changes"]["items"] == [["target", "Survived"], ["train.epochs", 4]]
    assert Recipe.from_toml(document["recipe"]["toml"]).train.epochs == 4
    assert document["versions"] == {"assay": "0.1.0", "torch": "2.13.0", "seed": 0}


@pytest.mark.parametrize("key", OPTIONAL)
def test_each_part_may_be_absent(make_subject, full_evaluation, key):
    evaluation = full_evaluation()
    del evaluation[key]
    _rendered(make_subject(evaluation))


@pytest.mark.parametrize("key", OPTIONAL)
def test_each_key_of_each_part_may_be_absent(make_subject, full_evaluation, key):
    evaluation = full_evaluation()
    if not isinstance(evaluation[key], dict):
        evaluation[key] = evaluation[key][:1]
    for inner in list(evaluation[key]) if isinstance(evaluation[key], dict) else ():
        less = copy.deepcopy(evaluation)
        del less[key][inner]
        if (key, inner) not in {("importance", "columns"), ("training", "history")}:
            _rendered(make_subject(less))


def test_a_model_without_rows_left_out_says_that_it_was_not_tested(
    make_subject, minimal_evaluation
):
    document, page = _rendered(make_subject(minimal_evaluation()))
    assert "was not tested" in document["verdict"]["text"]
    assert document["parts"] == []
    assert document["threshold"] is None
    assert document["highlights"] == []
    assert 'id="scores"' not in page
    assert 'id="learning"' in page


def test_without_a_verdict_the_scores_make_a_sentence(make_subject, full_evaluation):
    evaluation = full_evaluation()
    del evaluation["verdict"], evaluation["test"]
    text = make_context(make_subject(evaluation))["verdict"]["text"]
    accuracy = evaluation["validation"]["scores"]["accuracy"]["estimate"]
    assert text.startswith(f"The model is right on {100 * accuracy:.1f} % of 240 rows")
    assert "against 50.0 % for always answering “no”" in text
    assert scores_sentence(evaluation) == text


def test_three_classes_have_curves_but_no_threshold(make_subject, full_evaluation):
    document, page = _rendered(make_subject(full_evaluation(("a", "b", "c"))))
    assert len(document["parts"][0]["curves"]["classes"]) == 3
    assert document["threshold"] is None
    assert "threshold-range" not in page.split("<script")[0]


def test_a_thousand_classes_and_ten_thousand_columns_stay_small(
    make_subject, minimal_evaluation, rng
):
    names = [f"class number {idx}" for idx in range(1_000)]
    evaluation = minimal_evaluation(("no", "yes"))
    matrix = rng.integers(0, 3, size=(1_000, 1_000)).tolist()
    score = {"estimate": 0.5, "low": 0.4, "high": 0.6}
    evaluation |= {
        "classes": names,
        "validation": {
            "n_rows": 10**6,
            "confidence": 0.95,
            "scores": {"accuracy": score},
            "per_class": [
                {"class": name, "n": 1_000, "precision": score, "recall": score, "f1": score}
                for name in names
            ],
            "confusion": matrix,
        },
    }
    column = make_subject(evaluation).columns[0]
    columns = [{**column, "name": f"column {idx}", "reason": "x" * 300} for idx in range(10_000)]
    ledger = [{"what": "w" * 900, "where": "x", "why": "y" * 900, "undo": ""}] * 10_000
    document, page = _rendered(make_subject(evaluation, columns=columns, ledger=ledger))
    assert len(json.dumps(document)) <= MOST_BYTES
    assert len(page) < 2_000_000
    assert document["columns"]["n_more"] + len(document["columns"]["items"]) == 10_000
    assert document["ledger"]["n_more"] + len(document["ledger"]["items"]) == 10_000
    part = document["parts"][0]
    assert len(part["confusion"]["classes"]) == 12
    assert part["confusion"]["n_more"] == 988
    assert part["confusion"]["confused"][0]["n"] == 2
    assert "And 960 more classes" in page


def test_hostile_names_cannot_swell_the_page(make_subject, full_evaluation):
    evaluation = full_evaluation()
    names = [f"{'<' * 190}{idx}" for idx in range(3_000)]
    increase = {"estimate": 0.1, "low": 0.0, "high": 0.2}
    evaluation["importance"]["columns"] = [
        {"column": name, "increase": increase, "with": names} for name in names[:300]
    ]
    evaluation["importance"]["grouped"] = [{"columns": names, "text": "alike"}]
    column = make_subject(evaluation).columns[0]
    columns = [{**column, "name": name} for name in names]
    document, page = _rendered(make_subject(evaluation, columns=columns))
    assert len(page.encode()) < 2_000_000
    assert document["importance"]["columns"]["items"][0]["column"] == names[0]


def test_learning_curves_keep_every_member_and_thin_out_epochs(make_subject, minimal_evaluation):
    evaluation = minimal_evaluation()
    losses = np.linspace(1, 0.5, 1_000)[:, None] * np.ones((1, 40))
    evaluation["training"]["history"] = {
        "train_loss": losses.tolist(),
        "validation_log_loss": losses.tolist(),
        "best_epoch": [7] * 40,
    }
    learning = make_context(make_subject(evaluation))["learning"]
    assert len(learning["train_loss"][0]) == 40
    assert learning["epoch"][0] == 1
    assert learning["epoch"][-1] == 1_000
    assert len(learning["epoch"]) == 100
    assert learning["n_epochs"] == 1_000


def test_a_single_epoch_is_drawn(make_subject, minimal_evaluation):
    evaluation = minimal_evaluation()
    evaluation["training"]["history"] = {
        "train_loss": [[0.5, 0.6, 0.7]],
        "validation_log_loss": [],
        "best_epoch": [1, 1, 1],
    }
    document, page = _rendered(make_subject(evaluation))
    assert document["learning"]["epoch"] == [1]
    assert 'id="learning-train-loss-title"' in page


def test_numbers_that_are_none_and_lines_that_break_are_made_plain():
    data = {"a\nb": [float("inf"), 1.23456789012], "toml": "a = 1\n", "flag": True, "none": None}
    assert plain(data) == {
        "a\\nb": [None, 1.2345679],
        "toml": "a = 1\n",
        "flag": True,
        "none": None,
    }


def test_folders_before_the_model_are_not_told(monkeypatch, minimal_evaluation):
    monkeypatch.setattr(context, "column_list", lambda contents: [])
    predictor = SimpleNamespace(target=SimpleNamespace(name="y"), recipe=Recipe())
    contents = SimpleNamespace(predictor=predictor, evaluation=minimal_evaluation(), ledger=[])
    for name in ("/home/someone/secret/m.assay", "C:\\secret\\m.assay", "m.assay"):
        assert context.Subject.of(contents, name=name).name == "m.assay"


def test_rates_of_the_confusion_matrix_have_intervals(make_subject, full_evaluation):
    document = make_context(make_subject(full_evaluation(("a", "b", "c"))))
    confusion = document["parts"][0]["confusion"]
    judged = full_evaluation(("a", "b", "c"))["validation"]
    assert confusion["rates"] == plain(judged["rates"])


def test_rates_of_an_earlier_release_have_none(make_subject, full_evaluation):
    evaluation = full_evaluation()
    for part in ("validation", "test"):
        del evaluation[part]["rates"], evaluation[part]["row_worth"], evaluation[part]["note"]
    found = make_context(make_subject(evaluation))["parts"][0]
    rate = found["confusion"]["rates"][0][0]
    assert 0 < rate["estimate"] < 1
    assert (rate["low"], rate["high"]) == (None, None)
    assert found["note"] is None


def test_confused_classes_of_many_have_rates(make_subject, full_evaluation):
    names = tuple(f"class {idx:02d}" for idx in range(40))
    confused = make_context(make_subject(full_evaluation(names)))["parts"][0]["confusion"]
    for one in confused["confused"]:
        assert one["rate"]["estimate"] == pytest.approx(one["share"])
        assert one["rate"]["low"] < one["share"] < one["rate"]["high"]


def interval(estimate):
    return {"estimate": estimate, "low": estimate - 0.1, "high": estimate + 0.1}


def test_importance_of_candidates_is_a_table(make_subject, full_evaluation):
    evaluation = full_evaluation()
    measured = {
        name: {"n_rows": 90, "columns": [{"column": "sex", "increase": interval(0.2)}]}
        for name in ("network", "boosting")
    }
    evaluation["importance"]["candidates"] = measured
    found = make_context(make_subject(evaluation))["importance"]["candidates"]
    assert (found["n_rows"], found["names"]) == (90, ["boosting", "network"])
    assert found["rows"] == [{"column": "sex", "increases": [plain(interval(0.2))] * 2}]
    del evaluation["importance"]["candidates"]
    assert make_context(make_subject(evaluation))["importance"]["candidates"] is None
