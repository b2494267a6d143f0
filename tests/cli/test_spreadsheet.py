"""No text of a table runs when its CSV is opened in a spreadsheet."""

import csv
import io

import polars as pl
import pytest

from assay.cli.output import write_frame
from assay.cli.spreadsheet import check_is_csv, spreadsheet_safe
from assay.errors import UserError

BITING = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1", "＝1+1"]
HARMLESS = ["a=1", "", "-5", "+1.5e3", "-.5", "5-3", "'=1", None, "🙂", "1,5"]


@pytest.mark.attack
@pytest.mark.parametrize("text", BITING)
def test_a_formula_gets_an_apostrophe_in_cells_and_names(text):
    safe = spreadsheet_safe(pl.DataFrame({text: ["x"], "cell": [text]}))
    assert safe.columns == [f"'{text}", "cell"]
    assert safe["cell"].to_list() == [f"'{text}"]


@pytest.mark.parametrize("text", HARMLESS)
def test_numbers_and_other_texts_stay(text):
    frame = pl.DataFrame({"a": pl.Series([text], dtype=pl.String), "n": [-5], "x": [-0.5]})
    assert spreadsheet_safe(frame).equals(frame)


@pytest.mark.attack
def test_no_cell_of_the_written_file_begins_with_a_sign_that_bites(tmp_path):
    frame = pl.DataFrame({f"{text}{at}": BITING for at, text in enumerate(BITING)})
    out = tmp_path / "out.csv"
    write_frame(spreadsheet_safe(frame), str(out), "csv")
    rows = list(csv.reader(io.StringIO(out.read_text(encoding="utf-8"), newline="")))
    assert [len(row) for row in rows] == [len(BITING)] * (len(BITING) + 1)
    assert all(cell.startswith("'") for row in rows for cell in row)


def test_two_names_that_become_one_are_refused():
    with pytest.raises(UserError, match="two columns would be called"):
        spreadsheet_safe(pl.DataFrame({"=a": [1], "'=a": [2]}))


def test_the_option_is_for_csv():
    check_is_csv("csv")
    with pytest.raises(UserError, match="--excel-safe: parquet holds no formulas"):
        check_is_csv("parquet")


def test_predict_and_explain_write_safe_cells(run, model, tmp_path):
    table = tmp_path / "rows.csv"
    table.write_text("weight,colour,=id\n120,red,=1+1\n90,yellow,-5\n", encoding="utf-8")
    shown = run("predict", model, table, "--columns", "=id,label", "--excel-safe", "-q")
    assert shown.status == 0, shown.err
    lines = shown.out.splitlines()
    assert lines[0].split(",")[0] == "'=id"
    assert [line.split(",")[0] for line in lines[1:]] == ["'=1+1", "-5"]
    told = run("explain", model, table, "--excel-safe", "-o", tmp_path / "why.csv")
    assert told.status == 0, told.err
    refused = run("predict", model, table, "--excel-safe", "-o", tmp_path / "x.parquet")
    assert (refused.status, "--excel-safe" in refused.err) == (2, True)
