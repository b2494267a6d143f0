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
