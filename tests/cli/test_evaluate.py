"""A model file and labelled rows in, scores with intervals out."""

import json
import re

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


def test_the_promise_and_drift_are_told(run, model, fruit):
    out = run("evaluate", model, fruit).out
    assert re.search(r"\nPromise\n  (within|above) what was promised by rows left out", out)
    assert re.search(r"\nDrift\n  none in \d columns, compared with the training table", out)
    document = json.loads(run("evaluate", model, fruit, "--json").out)
    assert document["promise"]["part"] == "validation"
    assert [one["column"] for one in document["drift"]] == ["weight", "colour", "predicted class"]
    assert load(model).drift(fruit) == document["drift"]


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
    assert "AUROC" not in result.out
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
