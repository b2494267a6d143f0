"""A model file and labelled rows in, scores with intervals out."""

import json
import re

import pytest

from assay import load


def test_scores_classes_and_confusion_are_shown(run, model, fruit):
    result = run("evaluate", model, fruit)
    assert result.status == 0
    assert "Scores of 60 rows" in result.out
    assert re.search(r"  accuracy +\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\] +0\.667", result.out)
    assert re.search(r"  apple +40  ", result.out)
    assert result.err == ""


def test_json_is_what_the_library_says(run, model, fruit):
    document = json.loads(run("evaluate", model, fruit, "--json").out)
    expected = load(model).evaluate(fruit)
    assert document["confusion"] == expected["confusion"]
    assert document["scores"] == expected["scores"]


def test_rows_left_out_are_told(run, model, fruit, tmp_path):
    table = tmp_path / "gap.csv"
    table.write_text(fruit.read_text(encoding="utf-8") + "61,90.5,red,\n")
    result = run("evaluate", model, table)
    assert "Scores of 60 rows" in result.out
    assert "1 row left out" in result.err


def test_quiet_tells_no_rows_left_out(run, model, fruit, tmp_path):
    table = tmp_path / "gap.csv"
    table.write_text(fruit.read_text(encoding="utf-8") + "61,90.5,red,\n")
    result = run("evaluate", model, table, "-q")
    assert "Scores of 60 rows" in result.out
    assert result.err == ""


def test_sql_chooses_the_rows(run, model, fruit_database):
    args = ["--sql", "SELECT * FROM fruit WHERE id <= 45", "--json"]
    result = run("evaluate", model, fruit_database, *args)
    assert (result.status, result.err) == (0, "")
    assert json.loads(result.out)["n_rows"] == 45
    assert "holds 2 tables" in run("evaluate", model, fruit_database).err


def test_standard_input_is_read_and_named(run, model, fruit):
    piped = run("evaluate", model, "-", stdin=fruit.read_bytes())
    assert piped.out == run("evaluate", model, fruit).out
    assert "standard input" in run("evaluate", model, "-", stdin=b"%PDF-1.7").err


def test_table_without_the_target_is_refused(run, model, tmp_path):
    table = tmp_path / "new.csv"
    table.write_text("weight,colour\n85.5,red\n90.5,green\n")
    result = run("evaluate", model, table)
    assert (result.status, result.out) == (2, "")
    assert "there is no column 'fruit'" in result.err


@pytest.fixture
def similar(fruit, tmp_path):
    """The fruits, the first once more."""
    path = tmp_path / "similar.csv"
    lines = fruit.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines, lines[1]]) + "\n", encoding="utf-8")
    return path


def test_the_promise_and_drift_are_told(run, model, similar):
    out = run("evaluate", model, similar).out
    assert re.search(r"\nPromise\n  (within|above) what was promised by rows left out", out)
    assert "\nDrift\n  none in 2 columns and the predicted classes, compared with the " in out
    document = json.loads(run("evaluate", model, similar, "--json").out)
    assert document["promise"]["part"] == "validation"
    assert [one["column"] for one in document["drift"]] == ["weight", "colour", "predicted class"]
    assert load(model).drift(similar) == document["drift"]


def test_rows_learnt_from_are_no_test_of_the_promise(run, model, fruit, tmp_path):
    told = (
        "not compared: these look like the rows that the model learnt from, "
        "so that the scores are too good"
    )
    assert f"\nPromise\n  {told}\n" in run("evaluate", model, fruit).out
    promise = json.loads(run("evaluate", model, fruit, "--json").out)["promise"]
    assert (promise["conclusion"], promise["text"], promise["scores"]) == (None, told, {})
    mixed = tmp_path / "mixed.csv"
    header, *rows = fruit.read_text(encoding="utf-8").splitlines()
    mixed.write_text("\n".join([header, *reversed(rows)]) + "\n", encoding="utf-8")
    assert told in run("evaluate", model, mixed).out
    other = tmp_path / "other.csv"
    other.write_text(fruit.read_text(encoding="utf-8").replace("\n1,", "\n1,9"), encoding="utf-8")
    assert told not in run("evaluate", model, other).out


def test_rows_learnt_from_with_other_classes_break_the_promise(run, model, fruit, tmp_path):
    table = tmp_path / "swapped.csv"
    text = fruit.read_text(encoding="utf-8").replace("pear", "plum").replace("apple", "pear")
    table.write_text(text.replace("plum", "apple"), encoding="utf-8")
    assert "\nPromise\n  below what was promised by " in run("evaluate", model, table).out


def test_columns_that_lack_may_be_filled(run, model, fruit, tmp_path):
    table, full = tmp_path / "narrow.csv", tmp_path / "full.csv"
    rows = [line.split(",") for line in fruit.read_text(encoding="utf-8").splitlines()]
    table.write_text("\n".join(f"{row[1]},{row[3]}" for row in rows) + "\n")
    emptied = [f"{row[1]},{'' if idx else 'colour'},{row[3]}" for idx, row in enumerate(rows)]
    full.write_text("\n".join(emptied) + "\n")
    refused = run("evaluate", model, table)
    assert (refused.status, refused.out) == (2, "")
    assert "--fill-missing" in refused.err
    filled = run("evaluate", model, table, "--fill-missing")
    assert (filled.status, filled.out) == (0, run("evaluate", model, full).out)
    assert "column 'colour': it is absent, all its cells read as missing" in filled.err


def test_columns_that_have_drifted_are_listed(run, model, fruit, tmp_path):
    table = tmp_path / "moved.csv"
    lines = fruit.read_text(encoding="utf-8").replace("red", "blue").replace(",1", ",9")
    table.write_text(lines, encoding="utf-8")
    out = run("evaluate", model, table).out
    assert re.search(r"Drift: [12] of \d columns", out)
    assert re.search(r"weight +\d\.\d\d +median ", out)


def test_few_rows_are_not_compared(run, model, fruit, tmp_path):
    table = tmp_path / "few.csv"
    table.write_text("\n".join(fruit.read_text(encoding="utf-8").split("\n")[:11]) + "\n")
    out = run("evaluate", model, table).out
    assert "not compared with what was promised: 10 rows are too few, 20 are needed" in out
    assert "10 rows are too few to tell, 50 are needed" in out


def test_one_class_only_shows_no_undefined_score(run, model, fruit, tmp_path):
    table = tmp_path / "apples.csv"
    table.write_text(fruit.read_text(encoding="utf-8").replace("pear", "apple"))
    result = run("evaluate", model, table)
    assert result.status == 0
    lines = result.out.splitlines()
    assert lines[0] == (
        "All 60 rows are of class 'apple': only accuracy, log loss and Brier score say something"
    )
    end = lines.index("Classes") - 1
    assert [line.split(" ")[2] for line in lines[4:end]] == ["accuracy", "log", "Brier"]
    assert "nan" not in result.out.lower()
    assert "not compared with what was promised: all rows are of the class 'apple'" in result.out
    scores = json.loads(run("evaluate", model, table, "--json").out)["scores"]
    assert scores["auroc"] == {"estimate": None, "low": None, "high": None}


def test_unknown_classes_are_counted(run, model, fruit, tmp_path):
    table = tmp_path / "plums.csv"
    table.write_text(fruit.read_text(encoding="utf-8").replace("pear", "plum"))
    result = run("evaluate", model, table)
    assert (result.status, result.out) == (2, "")
    assert (
        "knows no class 'plum'; 20 of 60 rows are of this class. Known: apple, pear." in result.err
    )


def test_realised_decisions_and_flags_are_told(run, model, fruit, tmp_path):
    cost = tmp_path / "cost.csv"
    cost.write_text(",apple,pear\napple,,1\npear,7,\n", encoding="utf-8")
    result = run("evaluate", model, fruit, "--cost", cost)
    assert result.status == 0
    text = " ".join(result.out.split())
    assert "Decisions Deciding by cost costs 0." in text
    assert "Always deciding the commonest class 'apple' costs" in text
    assert "Flags no row is unlike what was learnt from" in text
    told = json.loads(run("evaluate", model, fruit, "--cost", cost, "--json").out)["decisions"]
    assert told["cost"]["matrix"] == [[0.0, 1.0], [7.0, 0.0]]
    assert told["cost"]["majority"]["decision"] == "apple"
    assert told["cost"]["saved"]["majority"]["low"] is not None
    assert "cost" not in json.loads(run("evaluate", model, fruit, "--json").out)["decisions"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (",apple,plum\napple,,1\nplum,7,\n", "no class 'plum'"),
        (",apple,pear\napple,,1\n", "pear"),
    ],
)
def test_costs_that_do_not_fit_are_one_line(run, model, fruit, tmp_path, text, said):
    cost = tmp_path / "cost.csv"
    cost.write_text(text, encoding="utf-8")
    result = run("evaluate", model, fruit, "--cost", cost)
    assert (result.status, result.out) == (2, "")
    assert said in result.err
    assert "cost.csv" in result.err
    assert len(result.err.splitlines()) == 1


def test_flagged_rows_are_counted_and_judged(run, model, fruit, tmp_path):
    table = tmp_path / "odd.csv"
    table.write_text(fruit.read_text(encoding="utf-8").replace("red", "blue"), encoding="utf-8")
    text = " ".join(run("evaluate", model, table).out.split())
    assert "of 60 rows unlike what was learnt from: colour: unseen level" in text
    assert "accuracy of these rows 0." in text or "accuracy of these rows 1." in text
