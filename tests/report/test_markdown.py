"""The model card: what is known is told, what only a person knows is left open."""

import re

from assay.report.context import make_context
from assay.report.html import render_html
from assay.report.markdown import escaped, is_untouched, render_markdown

PRIORS = {
    "text": "For other shares.",
    "training": {"a|b": 0.5, "yes": 0.5},
    "deployment": {"a|b": 0.95, "yes": 0.05},
}


def test_card_has_the_sections_of_a_model_card(make_subject, full_evaluation):
    card = render_markdown(make_context(make_subject(full_evaluation())))
    assert re.findall(r"^## (.*)$", card, flags=re.MULTILINE) == [
        "Intended use", "Training data", "Scores", "Decisions", "What it depends on",
        "Limits and findings", "Ethical considerations", "How to reproduce",
    ]  # fmt: skip
    assert card.count("*To be filled in by a person.*") == 4
    assert "| **blend** (ships) | 0.490 | 0.470 to 0.510 |" in card
    assert "- **high**, boat: boat tells the target almost perfectly." in card
    assert re.search(r"^\*\*\d+ grave findings? about the table: read ", card, flags=re.MULTILINE)
    assert "assay train TABLE --recipe titanic.toml -o titanic.assay" in card


def test_scores_have_intervals(make_subject, full_evaluation):
    card = render_markdown(make_context(make_subject(full_evaluation())))
    assert re.search(r"\| accuracy \| 0\.\d{3} \| 0\.\d{3} to [01]\.\d{3} \| 0\.500 \|", card)


def test_names_are_no_markup(make_subject, full_evaluation):
    classes = ("<script>x</script>", "# a | b\n[c](d)")
    card = render_markdown(make_context(make_subject(full_evaluation(classes))))
    assert "<script" not in card
    assert "&lt;script&gt;x&lt;/script&gt;" in card
    assert r"\# a \| b\\n\[c\](d)" in card


def test_the_ledger_is_counted(make_subject, full_evaluation):
    card = render_markdown(make_context(make_subject(full_evaluation())))
    assert "Its ledger holds 1 decision about the data." in card


def test_a_changed_card_is_told_from_one_as_written(make_subject, full_evaluation):
    card = render_markdown(make_context(make_subject(full_evaluation()))).encode()
    assert is_untouched(card)
    assert not is_untouched(card + b"\n")
    assert not is_untouched(card.replace(b"blend", b"Blend", 1))
    assert not is_untouched(b"# Notes\n")
    assert not is_untouched(b"")


def test_ampersands_start_no_entity():
    assert escaped("&lt;") == "&amp;lt;"


def test_card_has_classes_and_confusion_with_intervals(make_subject, full_evaluation):
    card = render_markdown(make_context(make_subject(full_evaluation())))
    assert "| class | rows | precision | recall (accuracy of the class) | F1 |" in card
    assert re.search(r"^\| no \| \d+: [\d.]+\s% \([\d.]+ to [\d.]+\s%\) \| ", card, re.MULTILINE)
    assert re.search(r"Before calibration: calibration error \(ECE\) 0\.\d{3}", card)


def test_card_says_what_rows_of_one_class_leave_unsaid(make_subject, full_evaluation):
    evaluation = full_evaluation()
    evaluation["test"]["note"] = "All 9 rows are of class 'no'."
    assert "All 9 rows are of class 'no'." in render_markdown(
        make_context(make_subject(evaluation))
    )


def test_card_tells_decisions_and_first_the_shares_they_are_for(make_subject, full_evaluation):
    evaluation = full_evaluation(("a|b", "yes"))
    evaluation["decisions"]["priors"] = PRIORS
    card = render_markdown(make_context(make_subject(evaluation)))
    told = card.partition("## Decisions\n")[2].partition("## ")[0]
    lines = [line for line in told.splitlines() if line]
    assert lines[0].startswith(r"**For other shares.** a\|b: 95.0")
    assert [line.split(":")[0].split(" (")[0] for line in lines[1:-1]] == [
        "- Threshold", "- Costs", "- Sets of classes", "- No label"
    ]  # fmt: skip
    assert lines[2] == "- Costs: Deciding by cost saves 0.4 a row."
    assert lines[-1] == "All figures are of rows left out."


def test_candidates_of_a_part_of_the_rows_say_so(make_subject, full_evaluation):
    evaluation = full_evaluation()
    n_rows = evaluation["validation"]["n_rows"]
    told = f"compared on {n_rows - 1:,} of the {n_rows:,} rows left out"
    evaluation["candidates"][0]["n_rows"] = n_rows
    document = make_context(make_subject(evaluation))
    assert told not in render_markdown(document) + render_html(document)
    evaluation["candidates"][0]["n_rows"] = n_rows - 1
    document = make_context(make_subject(evaluation))
    assert told in render_markdown(document)
    assert told in render_html(document)


def test_candidates_have_their_accuracy(make_subject, full_evaluation):
    card = render_markdown(make_context(make_subject(full_evaluation())))
    assert "| candidate | log loss | interval | accuracy | interval |" in card
    assert "| 0.470 to 0.510 | 0.760 | 0.740 to 0.780 |" in card
