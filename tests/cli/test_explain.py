"""A model file in, importance or reasons out."""

import csv
import io
import json

import polars as pl
import pytest

from assay import load
from assay.cli.explain import importance_lines, reason_lines

APPLE = '{"weight": 85.5, "colour": "red"}'


@pytest.fixture
def unlabelled(fruit, tmp_path):
    """The fruits without their names."""
    path = tmp_path / "new.csv"
    pl.read_csv(fruit).drop("fruit").write_csv(path)
    return path


def test_a_labelled_table_gives_importance(run, model, fruit):
    result = run("explain", model, fruit)
    lines = result.out.splitlines()
    assert result.status == 0
    assert lines[0] == "How much the log loss grows when a column is shuffled, over 60 rows"
    assert {line.split()[0] for line in lines[2:4]} == {"weight", "colour"}
    assert "reasons of each row: give -o FILE" in result.err


def test_importance_as_data(run, model, fruit):
    found = json.loads(run("explain", model, fruit, "--json").out)
    assert {one["column"] for one in found["columns"]} == {"weight", "colour"}
    assert found["n_rows"] == 60
    assert found == load(model).permutation_importance(fruit)


def test_columns_can_be_chosen(run, model, fruit):
    found = json.loads(run("explain", model, fruit, "--json", "--columns", "weight").out)
    assert [one["column"] for one in found["columns"]] == ["weight"]


def test_reasons_of_all_rows_go_to_a_file(run, model, fruit, tmp_path):
    out = tmp_path / "why.csv"
    result = run("explain", model, fruit, "-o", out, "--top", "2")
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert result.status == 0
    assert "log loss" in result.out
    assert list(rows[0]) == ["row", "label", "class", "proba", "reason_1", "reason_2"]
    assert [row["row"] for row in rows] == [str(idx) for idx in range(1, 61)]
    assert [row["label"] for row in rows] == list(load(model).predict(fruit))
    assert any(row["reason_1"].startswith(("weight = ", "colour = ")) for row in rows)


@pytest.mark.parametrize(("args", "n"), [([], 2), (["--columns", "weight"], 1)])
def test_no_more_reasons_are_written_than_columns_are_explained(
    run, model, unlabelled, tmp_path, args, n
):
    out = tmp_path / "why.csv"
    assert run("explain", model, unlabelled, "-o", out, "--top", "3000", *args).status == 0
    assert pl.read_csv(out).columns[4:] == [f"reason_{idx + 1}" for idx in range(n)]


def test_a_table_without_the_target_gives_reasons(run, model, unlabelled):
    rows = list(csv.DictReader(io.StringIO(run("explain", model, unlabelled).out)))
    assert len(rows) == 60
    assert list(rows[0])[:4] == ["row", "label", "class", "proba"]
    lines = run("explain", model, unlabelled, "--json").out.splitlines()
    assert [json.loads(line)["row"] for line in lines] == list(range(1, 61))


def test_output_dash_keeps_data_apart(run, model, fruit):
    result = run("explain", model, fruit, "-o", "-")
    assert len(list(csv.DictReader(io.StringIO(result.out)))) == 60
    assert "log loss" in result.err


def test_one_row_is_a_small_table(run, model, fruit):
    result = run("explain", model, fruit, "--row", "3")
    lines = result.out.splitlines()
    assert lines[0].startswith("Row 3: '")
    assert "doubles the odds" in result.out
    again = json.loads(run("explain", model, fruit, "--row", "3", "--json").out)
    assert (again["row"], again["class"]) == (3, load(model).predict(fruit)[2])


def test_one_record_as_table_and_as_data(run, model):
    assert run("explain", model, "--record", APPLE).out.startswith("Row 1: 'apple'")
    one = json.loads(run("explain", model, "--record", APPLE, "--json").out)
    assert set(one) == {"row", "label", "class", "probability", "reasons"}
    assert {reason["column"] for reason in one["reasons"]} <= {"weight", "colour"}
    many = json.loads(run("explain", model, "--record", f"[{APPLE}, {APPLE}]", "--json").out)
    assert many[1] == one | {"row": 2}


def test_the_class_can_be_chosen(run, model):
    apple, pear = (
        json.loads(run("explain", model, "--record", APPLE, "--class", name, "--json").out)
        for name in ("apple", "pear")
    )
    assert (apple["label"], pear["label"], pear["class"]) == ("apple", "apple", "pear")
    assert apple["probability"] + pear["probability"] == pytest.approx(1.0, abs=1e-6)
    for one, other in zip(apple["reasons"], pear["reasons"], strict=True):
        assert one["change"] == pytest.approx(-other["change"], abs=1e-4)
    text = run("explain", model, "--record", APPLE, "--class", "pear").out
    assert "likeliest 'apple'" in text


def test_missing_columns_may_be_filled(run, model):
    assert run("explain", model, "--record", '{"weight": 90}').status == 2
    result = run("explain", model, "--record", '{"weight": 90}', "--fill-missing")
    assert result.status == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["{fruit}", "--row", "0"], "there is no row 0. Rows count from 1 to 60"),
        (["{fruit}", "--row", "61"], "there is no row 61"),
        (["{fruit}", "--columns", "wieght"], "Did you mean 'weight'?"),
        (["{fruit}", "--row", "1", "--class", "aple"], "Did you mean 'apple'?"),
        (["{fruit}", "--record", APPLE], "both given"),
        (["--row", "1"], "--row was given without a TABLE"),
        (["-o", "why.csv"], "without rows to explain"),
        (["--record", "{"], "not valid JSON"),
        (["{fruit}", "-o", "why.xyz"], "tells no format"),
        (["{empty}"], "the table has no rows"),
        (["{bare}"], "lacks"),
    ],
)
def test_mistakes_are_told(run, model, fruit, tmp_path, args, said):
    (tmp_path / "empty.csv").write_text("weight,colour\n")
    (tmp_path / "bare.csv").write_text("weight\n90\n")
    places = {"fruit": fruit, "empty": tmp_path / "empty.csv", "bare": tmp_path / "bare.csv"}
    result = run(
        "explain",
        model,
        *(places.get(arg[1:-1], arg) if arg.startswith("{") else arg for arg in args),
    )
    assert (result.status, result.out) == (2, "")
    assert said in result.err
    assert "Traceback" not in result.err


def test_names_cannot_steer_the_terminal():
    one = {"row": 1, "label": "a\x1b[31m", "class": "a\x1b[31m", "probability": 0.5}
    reasons = [{"column": "x\n", "cell": "\x1b[0m", "change": 1.0}]
    text = "\n".join(reason_lines({**one, "reasons": reasons}))
    assert "\x1b" not in text
    assert "x\\n" in text


def test_no_reason_is_said_so():
    one = {"row": 1, "label": "a", "class": "a", "probability": 0.5, "reasons": []}
    assert "no cell makes a difference" in reason_lines(one)[1]


def test_groups_and_untested_columns_are_told():
    increase = {"estimate": 0.1, "low": 0.05, "high": 0.2}
    lines = importance_lines(
        {
            "columns": [{"column": "a", "increase": increase, "with": ["b"]}],
            "n_rows": 10,
            "n_untested": 7,
            "grouped": [{"columns": ["a", "b"], "text": "a and b carry the same"}],
        }
    )
    assert "a and 1 column alike" in lines[2]
    assert "7 columns not tested singly" in lines[3]
    assert lines[4] == "  a and b carry the same"


def test_columns_set_aside_are_no_columns_that_were_tested_in_groups():
    measured = {"columns": [], "n_rows": 10, "n_untested": 19_900, "n_set_aside": 19_850}
    assert importance_lines(measured)[2:] == [
        "  19,850 columns not tested: others go with the predictions more closely",
        "  50 columns not tested singly",
    ]
    assert len(importance_lines({**measured, "n_set_aside": 19_900})) == 3


def test_importance_for_a_candidate_that_does_not_ship(run, model):
    evaluation = load(model).evaluation
    shipped = evaluation["verdict"]["shipped"]
    for name, found in evaluation["importance"]["candidates"].items():
        told = json.loads(run("explain", model, "--candidate", name, "--json").out)
        assert told == found
        assert name != shipped
    own = run("explain", model, "--candidate", shipped)
    assert own.out == run("explain", model).out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--candidate", "boostin"], "Did you mean 'boosting'?"),
        (["--candidate", "majority"], "'majority' is not known"),
        (["{fruit}", "--candidate", "boosting"], "the model file predicts by what ships alone"),
        (["--record", APPLE, "--candidate", "boosting"], "Leave TABLE and --record out"),
    ],
)
def test_a_candidate_that_cannot_be_explained_is_told(run, model, fruit, args, said):
    result = run("explain", model, *(fruit if arg == "{fruit}" else arg for arg in args))
    assert (result.status, result.out) == (2, "")
    assert said in result.err
    assert len(result.err.splitlines()) == 1
