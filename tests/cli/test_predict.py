"""A model file and rows in, labels and probabilities out."""

import csv
import io
import json

import numpy as np
import polars as pl
import pytest

from assay import load
from assay.cli import main
from assay.cli.guarded import drift_line
from assay.cli.predict import split_names
from assay.datasets import make_people

APPLE = '{"weight": 85.5, "colour": "red"}'


def _cells(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_every_row_gets_a_label_and_probabilities_in_order(run, model, fruit):
    result = run("predict", model, fruit)
    rows = _cells(result.out)
    assert result.status == 0
    assert list(rows[0]) == ["label", "proba_apple", "proba_pear"]
    proba = np.array([[float(row["proba_apple"]), float(row["proba_pear"])] for row in rows])
    expected = load(model).predict_proba(fruit)
    assert proba.shape == (60, 2)
    np.testing.assert_allclose(proba, expected, atol=1e-7)
    assert [row["label"] for row in rows] == list(load(model).predict(fruit))


def test_columns_not_used_are_told(run, model, fruit):
    assert "not used: fruit" in run("predict", model, fruit).err


def test_columns_are_chosen_and_copied_verbatim(run, model, tmp_path):
    table = tmp_path / "new.csv"
    table.write_text('id,weight,colour,"a, b"\n007,085.50,red," x"\n008,,green,\n')
    result = run("predict", model, table, "--columns", 'id,weight,"a, b",label,confidence')
    assert result.out.splitlines()[0] == 'id,weight,"a, b",label,confidence'
    first, second = _cells(result.out)
    assert (first["id"], first["weight"], first["a, b"]) == ("007", "085.50", " x")
    assert (second["weight"], second["a, b"]) == ("", "")
    assert 0.5 <= float(first["confidence"]) <= 1.0
    assert result.out.splitlines()[2].startswith("008,,,")


def test_proba_stands_for_all_probabilities(run, model, fruit):
    result = run("predict", model, fruit, "--columns", "proba")
    assert result.out.splitlines()[0] == "proba_apple,proba_pear"


def test_names_with_commas_are_quoted():
    assert split_names('a,"b, c", label') == ["a", "b, c", "label"]


@pytest.mark.parametrize(
    ("names", "said"),
    [("colur", "Did you mean 'colour'?"), ("label,label", "two columns"), ("", "no column ''")],
)
def test_wrong_columns_are_refused(run, model, fruit, names, said):
    result = run("predict", model, fruit, "--columns", names)
    assert (result.status, result.out) == (2, "")
    assert said in result.err


@pytest.mark.parametrize(
    ("ending", "read"),
    [
        (".csv", pl.read_csv),
        (".parquet", pl.read_parquet),
        (".jsonl", pl.read_ndjson),
        (".ndjson", pl.read_ndjson),
    ],
)
def test_extension_tells_the_format(run, model, fruit, tmp_path, ending, read):
    out = tmp_path / f"out{ending}"
    result = run("predict", model, fruit, "-o", out)
    assert (result.status, result.out) == (0, "")
    frame = read(out)
    assert frame.columns == ["label", "proba_apple", "proba_pear"]
    assert frame.height == 60
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_format_wins_over_the_extension(run, model, fruit, tmp_path):
    out = tmp_path / "out.txt"
    assert run("predict", model, fruit, "-o", out, "--format", "jsonl").status == 0
    assert pl.read_ndjson(out).height == 60


def test_json_is_one_object_a_line(run, model, fruit):
    lines = run("predict", model, fruit, "--json").out.splitlines()
    assert len(lines) == 60
    assert set(json.loads(lines[0])) == {"label", "proba_apple", "proba_pear"}


def test_parquet_goes_to_a_pipe(start, model, fruit):
    import subprocess

    args = ["predict", model, fruit, "--format", "parquet"]
    process = start(*args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    out, _ = process.communicate(timeout=30)
    assert pl.read_parquet(io.BytesIO(out)).height == 60


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["-o", "out.xyz"], "'.xyz' tells no format"),
        (["-o", "out"], "the name tells no format"),
        (["--format", "xml"], "unknown format 'xml'"),
        (["--json", "--format", "csv"], "contradict"),
        (["-o", "no/such/out.csv"], "there is no such folder"),
    ],
)
def test_unclear_output_is_refused(run, model, fruit, args, said):
    result = run("predict", model, fruit, *args)
    assert (result.status, result.out) == (2, "")
    assert said in result.err


def test_input_is_never_overwritten(run, model, fruit, tmp_path):
    table = tmp_path / "table.csv"
    table.write_bytes(fruit.read_bytes())
    link = tmp_path / "link.csv"
    link.symlink_to(table)
    for out in (table, link, tmp_path / "." / "table.csv"):
        result = run("predict", model, table, "-o", out)
        assert result.status == 2
        assert "would overwrite what is read" in result.err
    assert table.read_bytes() == fruit.read_bytes()
    assert run("predict", model, table, "-o", model, "--format", "csv").status == 2


def test_standard_input_is_read(run, model, fruit):
    piped = run("predict", model, "-", stdin=fruit.read_bytes())
    assert piped.status == 0
    assert piped.out == run("predict", model, fruit).out


def test_no_rows_in_no_rows_out(run, model, tmp_path):
    table = tmp_path / "empty.parquet"
    pl.DataFrame(schema={"weight": pl.Float64, "colour": pl.String}).write_parquet(table)
    result = run("predict", model, table)
    assert (result.status, result.out) == (0, "label,proba_apple,proba_pear\n")


@pytest.mark.parametrize("text", ["weight,colour\n", "colour,weight,note"])
def test_only_a_header_gives_only_a_header(run, model, tmp_path, text):
    table = tmp_path / "empty.csv"
    table.write_text(text)
    result = run("predict", model, table, "-q")
    assert (result.status, result.out, result.err) == (0, "label,proba_apple,proba_pear\n", "")
    assert run("predict", model, "-", "-q", stdin=text.encode()).out == result.out


def test_sql_chooses_the_rows(run, model, fruit_database):
    query = "SELECT weight, colour FROM fruit WHERE id <= 7"
    result = run("predict", model, fruit_database, "--sql", query)
    assert (result.status, result.err, len(_cells(result.out))) == (0, "", 7)
    refused = run("predict", model, "--record", APPLE, "--sql", query)
    assert (refused.status, refused.out) == (2, "")
    assert "--sql and --record were both given" in refused.err


def test_the_query_inside_a_model_is_not_run(run, fruit_database, quick, tmp_path):
    query, path = "SELECT weight, colour, fruit FROM fruit", tmp_path / "m.assay"
    trained = run("train", fruit_database, "--target", "fruit", "--sql", query, "-o", path, *quick)
    assert trained.status == 0
    refused = run("predict", path, fruit_database)
    assert (refused.status, refused.out) == (2, "")
    assert "--sql" in refused.err
    assert run("predict", path, fruit_database, "--sql", query).status == 0


def test_columns_that_lack_are_filled_on_demand_and_told(run, model, tmp_path):
    table, full = tmp_path / "narrow.csv", tmp_path / "full.csv"
    table.write_text("weight\n85.5\n140.5\n")
    full.write_text("weight,colour\n85.5,\n140.5,\n")
    refused = run("predict", model, table)
    assert (refused.status, refused.out) == (2, "")
    assert "--fill-missing" in refused.err
    filled = run("predict", model, table, "--fill-missing")
    assert filled.status == 0
    assert filled.err == (
        "assay: narrow.csv, column 'colour': it is absent, all its cells read as missing\n"
    )
    assert filled.out == run("predict", model, full).out
    assert run("predict", model, table, "--fill-missing", "--quiet").err == ""
    record = run("predict", model, "--record", '{"weight": 85.5}', "--fill-missing")
    assert json.loads(record.out)["label"] == "apple"
    assert record.err.startswith("assay: --record, column 'colour': it is absent")


def test_quiet_keeps_errors_but_drops_talk(run, model, fruit, tmp_path):
    assert run("predict", model, fruit, "-q").err == ""
    assert run("predict", model, tmp_path / "none.csv", "-q").err.count("\n") == 1


def test_cells_that_become_missing_are_told_once(run, tmp_path, quick):
    rows = [f"{idx * 1.5},{'yn'[idx % 3 > 0]}" for idx in range(300)]
    rows[7] = "old,y"
    table, new = tmp_path / "t.csv", tmp_path / "new.csv"
    table.write_text("\n".join(["age,y", *rows]) + "\n")
    new.write_text("age\nyoung\n30\ninf\nyoung\n")
    model = tmp_path / "m.assay"
    assert run("train", table, "--target", "y", "-q", "-o", model, *quick).status == 0
    for verb in (["predict", model, new], ["predict", model, new, "--json"]):
        assert run(*verb).err.splitlines() == [
            "assay: new.csv, column 'age': 2 cells read as missing, not a number: 'young'",
            "assay: new.csv, column 'age': 1 cell read as missing, infinite: 'inf'",
        ]
    assert run("predict", model, new, "-q").err == ""


def test_a_row_that_does_not_fit_fails_the_whole(run, model, tmp_path):
    lines = [f"{80 + idx}.5,red" for idx in range(300)]
    lines[150] = "1,2,3,4,5"
    table = tmp_path / "ragged.csv"
    table.write_text("\n".join(["weight,colour", *lines]) + "\n")
    result = run("predict", model, table)
    assert (result.status, result.out) == (2, "")
    assert "line 152" in result.err
    assert "predict answers every row or none" in result.err


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A model of a file without a header, whose recipe names the columns."""
    folder = tmp_path_factory.mktemp("people")
    table = folder / "people.txt"
    make_people(60)[0].write_csv(table, include_header=False, separator="\t")
    path = folder / "people.assay"
    args = ["train", str(table), "--recipe", "people", "-q", "-o", str(path)]
    assert main([*args, "--set", "train.epochs=3"]) == 0
    return path


@pytest.mark.parametrize(
    "text",
    [
        "M\t30\toklahoma\t50000\nF\t44\tmichigan\t61000\n",
        "M\t30\toklahoma\t50000\tliberal\nF\t44\tmichigan\t61000\tliberal\n",
        "sex,age,state,income\nM,30,oklahoma,50000\nF,44,michigan,61000\n",
        "state,sex,income,age,note\noklahoma,M,50000,30,a\nmichigan,F,61000,44,b\n",
    ],
)
def test_named_columns_are_found_with_and_without_header_and_target(run, people, text):
    records = json.dumps(
        [
            {"sex": "M", "age": 30, "state": "oklahoma", "income": 50000},
            {"sex": "F", "age": 44, "state": "michigan", "income": 61000},
        ]
    )
    result = run("predict", people, "-", stdin=text.encode())
    assert result.status == 0
    answers = json.loads(run("predict", people, "--record", records).out)
    for row, answer in zip(_cells(result.out), answers, strict=True):
        for name, share in answer["proba"].items():
            assert float(row[f"proba_{name}"]) == pytest.approx(share, abs=1e-6)


def test_one_record_gives_label_and_probabilities(run, model):
    result = run("predict", model, "--record", APPLE)
    answer = json.loads(result.out)
    assert (result.status, set(answer)) == (0, {"label", "proba"})
    assert answer["label"] == max(answer["proba"], key=answer["proba"].get)
    assert sum(answer["proba"].values()) == pytest.approx(1.0, abs=1e-6)


def test_a_list_of_records_gives_a_list(run, model):
    one = json.loads(run("predict", model, "--record", APPLE).out)
    many = json.loads(run("predict", model, "--record", f"[{APPLE}, {APPLE}]").out)
    for each in many:  # products of matrices of other shapes are rounded in another way
        assert each["label"] == one["label"]
        assert each["proba"] == pytest.approx(one["proba"], abs=1e-6)
    assert len(many) == 2


def test_one_record_equals_the_batch(run, model, fruit):
    batch = _cells(run("predict", model, fruit).out)
    for idx, row in enumerate(_cells(fruit.read_text(encoding="utf-8"))[:6]):
        weight = float(row["weight"]) if row["weight"] else None
        record = json.dumps({"weight": weight, "colour": row["colour"]})
        proba = json.loads(run("predict", model, "--record", record).out)["proba"]
        assert proba["apple"] == pytest.approx(float(batch[idx]["proba_apple"]), abs=1e-6)


def test_a_record_can_go_to_a_file(run, model, tmp_path):
    out = tmp_path / "out.csv"
    args = ["--columns", "colour,label", "-o", out]
    assert run("predict", model, "--record", APPLE, *args).status == 0
    assert out.read_text().splitlines()[0] == "colour,label"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--record", '{"weight":'], "not valid JSON"),
        (["--record", "[]"], "neither an object nor a list of objects"),
        (["--record", "3"], "neither an object nor a list of objects"),
        (["--record", '{"wait": 85}'], "--record: the table lacks"),
        (["--record", f'{{"weight": {"7" * 5000}}}'], "… is a whole number of 5,000 digits"),
        (["--record", f'{{"weight": -{"7" * 400}}}'], "… is a whole number of 400 digits"),
        (["--record", '{"weight": 85, "kind": 1}'], "It has 'weight', 'kind'. Otherwise add it"),
        ([], "no rows were given"),
    ],
)
def test_wrong_records_are_refused(run, model, args, said):
    result = run("predict", model, *args)
    assert (result.status, result.out) == (2, "")
    assert said in result.err


def test_a_table_and_a_record_together_are_refused(run, model, fruit):
    assert run("predict", model, fruit, "--record", APPLE).status == 2


def test_a_table_is_no_model(run, fruit):
    result = run("predict", fruit, fruit)
    assert result.status == 2
    assert "is not an assay model" in result.err


@pytest.fixture
def odd(fruit, tmp_path):
    """Fruits of which the first three rows are odd."""
    lines = fruit.read_text(encoding="utf-8").splitlines()
    lines[1:4] = ["1,900.5,red,pear", "2,heavy,mauve,apple", "3,85.5,,apple"]
    path = tmp_path / "odd.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_flags_name_what_is_odd(run, model, odd):
    result = run("predict", model, odd, "--flags", "--columns", "label")
    rows = result.out.splitlines()
    assert rows[0] == "label,flags"
    assert [row.split(",", 1)[1] for row in rows[1:5]] == [
        "weight: out of range",
        "weight: not a number; colour: unseen level",
        '"colour: missing, never before"',
        "",
    ]
    assert "3 of 60 rows flagged: " in result.err
    assert "drift" not in result.err


@pytest.mark.parametrize(
    ("moved", "told"),
    [
        ((), "no drift in 2 columns and the predicted classes since the training"),
        (("b",), "1 of 2 columns drifted since the training: b (PSI 0.50)"),
        (("b", "p"), "1 of 2 columns and the predicted classes drifted since the training: "),
        (("p",), "the predicted classes alone drifted since the training: p (PSI 0.50)"),
    ],
)
def test_drift_is_told_of_columns_and_of_predicted_classes(moved, told):
    kinds = {"a": "numeric", "b": "numeric", "p": "prediction"}
    found = [
        {"column": name, "kind": kind, "psi": 0.5, "test": "ks", "is_drifted": name in moved}
        for name, kind in kinds.items()
    ]
    assert drift_line(found).startswith(told)


def test_drift_that_was_not_judged_is_said_so():
    untested = {"column": "a", "kind": "numeric", "test": None, "what": "9 rows are too few"}
    assert drift_line([untested]) == "drift not judged: 9 rows are too few"


def test_flags_leave_predictions_as_they_are(run, model, fruit):
    plain = run("predict", model, fruit).out.splitlines()
    flagged = run("predict", model, fruit, "--flags")
    assert [row.rsplit(",", 1)[0] for row in flagged.out.splitlines()] == plain
    assert "0 of 60 rows flagged\n" in flagged.err
    assert "flagged" not in run("predict", model, fruit, "--flags", "-q").err


def test_without_flags_an_odd_cell_is_an_error(run, model, odd):
    result = run("predict", model, odd)
    assert (result.status, result.out) == (2, "")
    assert "'heavy' is not a number" in result.err


def test_flags_are_lists_where_there_are_lists(run, model, odd, tmp_path):
    out = tmp_path / "out.parquet"
    assert run("predict", model, odd, "--flags", "-o", out).status == 0
    flags = pl.read_parquet(out)["flags"]
    assert flags.dtype == pl.List(pl.String)
    assert flags.to_list()[1] == ["weight: not a number", "colour: unseen level"]
    lines = run("predict", model, odd, "--flags", "--json").out.splitlines()
    assert json.loads(lines[0])["flags"] == ["weight: out of range"]
    assert json.loads(lines[3])["flags"] == []


def test_a_record_is_answered_with_its_flags(run, model):
    record = '{"weight": 95.5, "colour": "mauve"}'
    answered = json.loads(run("predict", model, "--record", record, "--flags").out)
    assert answered["flags"] == ["colour: unseen level"]
    assert list(answered) == ["label", "proba", "flags"]


def test_many_flagged_rows_are_asked_for_drift(run, model, fruit, tmp_path):
    head, *rows = fruit.read_text(encoding="utf-8").splitlines()
    table = tmp_path / "many.csv"
    table.write_text("\n".join([head, *rows * 4]) + "\n", encoding="utf-8")
    assert "no drift in " in run("predict", model, table, "--flags").err
    table.write_text(table.read_text().replace("red", "green"), encoding="utf-8")
    assert "drifted since the training: colour (PSI " in run("predict", model, table, "--flags").err
