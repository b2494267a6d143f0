"""A table in, a model file and its scores out."""

import json
import re
import subprocess

import pytest

from assay import load
from assay.cli import output
from assay.cli.train import model_name

SCORE = r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]"


def test_summary_tells_data_decisions_scores_and_file(run, fruit, tmp_path, quick):
    path = tmp_path / "m.assay"
    result = run("train", fruit, "--target", "fruit", "-o", path, *quick)
    assert result.status == 0
    assert "60 rows to learn from" in result.out
    assert "target 'fruit', 2 classes: apple (40), pear (20)" in result.out
    assert "id: column set aside, identifier" in result.out
    assert (
        len(re.findall(rf"^→ [a-z ]+ +{SCORE} +{SCORE} +{SCORE}$", result.out, re.MULTILINE)) == 1
    )
    assert "Verdict\n" in result.out
    twins = ", ".join(str(tmp_path / f"m.{ending}") for ending in ("html", "json", "md"))
    assert result.out.endswith(f"Written {path} and {twins}\n")
    assert 10 <= len(result.out.splitlines()) <= 20
    assert load(path).target == "fruit"


def test_no_score_stands_without_its_range(run, fruit, tmp_path, quick):
    out = run("train", fruit, "--target", "fruit", "-o", tmp_path / "m.assay", *quick).out
    assert re.search(r"candidate +log loss +accuracy +AUROC", out)
    for name in ("class shares", "logistic", "boosting", "network"):
        assert re.search(rf"^[→ ] {name} +{SCORE} +{SCORE} +{SCORE}$", out, flags=re.MULTILINE)


def test_progress_goes_to_standard_error(run, fruit, tmp_path, quick):
    result = run("train", fruit, "--target", "fruit", "-o", tmp_path / "m.assay", *quick)
    assert "epoch 1/5  validation log loss" in result.err
    assert "epoch 5/5  validation log loss" in result.err
    assert "epoch" not in result.out.replace("5 epochs", "")


def test_json_is_one_document_and_nothing_else(run, fruit, tmp_path, quick):
    path = tmp_path / "m.assay"
    result = run("train", fruit, "--target", "fruit", "-o", path, "--json", *quick)
    document = json.loads(result.out)
    assert document["model"] == str(path)
    assert document["evaluation"]["validation"]["n_rows"] == 60
    assert document["ledger"][0]["where"] == "id"
    assert "epoch" in result.err


def test_threads_of_a_training_share_freed_memory(run, fruit, tmp_path, quick, monkeypatch):
    asked = []
    monkeypatch.setattr("assay.machine.keep_few_arenas", lambda: asked.append(True))
    assert run("train", fruit, "--target", "fruit", "-o", tmp_path / "m.assay", *quick).status == 0
    assert asked == [True]


def test_quiet_prints_only_the_path(run, fruit, tmp_path, quick):
    path = tmp_path / "m.assay"
    result = run("train", fruit, "--target", "fruit", "-o", path, "--quiet", *quick)
    assert (result.status, result.out, result.err) == (0, f"{path}\n", "")


def test_quiet_json_is_the_document_alone(run, fruit, tmp_path, quick):
    result = run(
        "train", fruit, "--target", "fruit", "-o", tmp_path / "m.assay", "-q", "--json", *quick
    )
    assert set(json.loads(result.out)) == {"model", "evaluation", "ledger", "report", "reports"}
    assert result.err == ""


def test_a_hyphen_writes_the_model_to_standard_output(start, fruit, tmp_path, quick, run):
    args = ["train", fruit, "--target", "fruit", *quick]
    process = start(*args, "-o", "-", cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert run(*args, "-o", tmp_path / "m.assay", "-q", "--no-report").status == 0
    assert out == (tmp_path / "m.assay").read_bytes()
    assert b"60 rows to learn from" in err
    assert err.endswith(b"Written to standard output\n")
    assert [path.name for path in tmp_path.iterdir()] == ["m.assay"]


@pytest.mark.parametrize(("option", "said"), [("--quiet", b""), ("--json", b'{"model"')])
def test_beside_a_model_on_standard_output_stands_nothing(start, fruit, quick, option, said):
    args = ["train", fruit, "--target", "fruit", *quick, "-o", "-", option]
    process = start(*args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out[:2]) == (0, b"PK")
    assert said in err
    assert bool(err) == bool(said)


def test_a_terminal_is_spared_the_bytes_of_a_model(run, fruit, monkeypatch):
    monkeypatch.setattr(output, "is_terminal", lambda: True)
    result = run("train", fruit, "--target", "fruit", "-o", "-")
    assert (result.status, result.out) == (2, "")
    assert result.err == "assay: A model file is no text for a terminal. Give a file with -o.\n"


def test_test_rows_that_lose_cells_are_told(run, tmp_path, quick):
    rows = [f"{idx * 1.5},{'ab'[idx % 2]},{'yn'[idx % 3 > 0]}" for idx in range(300)]
    rows[7] = "old,a,y"
    table, test = tmp_path / "t.csv", tmp_path / "test.csv"
    table.write_text("\n".join(["age,town,y", *rows]) + "\n")
    test.write_text("\n".join(["age,town,y", "young,b,n", *rows[20:40]]) + "\n")
    args = ["train", table, "--target", "y", "--test", test, "-o", tmp_path / "m.assay", *quick]
    told = "assay: test.csv, column 'age': 1 cell read as missing, not a number: 'young'"
    assert run(*args).err.splitlines().count(told) == 1
    assert run(*args, "-q").err == ""


def test_default_name_is_the_tables_in_the_current_folder(run, fruit, tmp_path, quick, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("train", fruit, "--target", "fruit", "--quiet", *quick)
    assert result.out == "fruit.assay\n"
    assert (tmp_path / "fruit.assay").is_file()


def test_standard_input_is_read(run, fruit, tmp_path, quick, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("train", "-", "--target", "fruit", "-q", *quick, stdin=fruit.read_bytes())
    assert (result.status, result.out) == (0, "model.assay\n")


def test_standard_input_goes_with_a_recipe_of_several_layouts(run, tmp_path):
    from assay.datasets import make_people

    data = make_people(60)[0].write_csv().encode()
    args = ["train", "-", "--recipe", "people", "--set", "train.epochs=2", "-q"]
    result = run(*args, "-o", tmp_path / "m.assay", stdin=data)
    assert (result.status, result.err) == (0, "")


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("-", "model.assay"),
        ("a/b.csv", "b.assay"),
        ("b.tar.csv.zst", "b.tar.assay"),
        ("sqlite:///data/x.db", "x.assay"),
        ("noextension", "noextension.assay"),
    ],
)
def test_model_is_named_after_its_table(table, name):
    assert model_name(table) == name


def test_target_of_the_recipe_may_be_left_out(run, fruit, tmp_path, quick):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('target = "fruit"\nseed = 3\n', encoding="utf-8")
    result = run("train", fruit, "--recipe", recipe, "-q", "-o", tmp_path / "m.assay", *quick)
    assert result.status == 0
    assert load(tmp_path / "m.assay").recipe.seed == 3


def test_shortcuts_set_their_options_and_win(run, fruit, tmp_path, quick):
    path = tmp_path / "m.assay"
    args = ["--seed", 7, "--device", "cpu", "--group", "colour", "--set", "seed=1"]
    result = run("train", fruit, "--target", "fruit", "-q", "-o", path, *quick, *args)
    assert result.status == 0
    recipe = load(path).recipe
    assert (recipe.seed, recipe.train.device, recipe.split.group) == (7, "cpu", "colour")


@pytest.mark.parametrize("option", ["--time-column", "--time"])
def test_a_column_of_time_is_named_by_either_option(run, fruit, tmp_path, quick, option):
    path = tmp_path / "m.assay"
    args = [option, "id", "--time", "10h"] if option == "--time-column" else [option, "id"]
    result = run("train", fruit, "--target", "fruit", "-q", "-o", path, *args, *quick)
    assert result.status == 0
    assert load(path).recipe.split.time == "id"


def test_budgets_are_options_of_the_recipe_and_the_plan_is_told(run, fruit, tmp_path, quick):
    path = tmp_path / "m.assay"
    budgets = ["--time", "10h", "--memory", "64G"]
    result = run("train", fruit, "--target", "fruit", "-o", path, *budgets, *quick)
    assert result.status == 0
    train = load(path).recipe.train
    assert (train.time_s, train.memory_bytes) == (36_000.0, 64 * 10**9)
    assert "to evaluate (budget 10h)" in result.err
    assert "of memory at the most" in result.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--time", "10x"], "'10x' is not a time such as 90s, 10m or 1h30m"),
        (["--time=-1m"], "'-1m' is not a time such as 90s, 10m or 1h30m"),
        (["--time=.5h"], "'.5h' is not a time such as 90s, 10m or 1h30m"),
        (["--time="], "'' is not a time such as 90s, 10m or 1h30m"),
        (["--time", "9" * 400], "is not a time such as 90s, 10m or 1h30m: too long"),
        (["--memory", "9" * 400], "is not a size such as 500M, 4G or 2GiB: too large"),
        (["--time", "_when"], "there is no column '_when'"),
        (["--time-column", "id", "--time", "soon"], "'soon' is not a time such as 90s"),
        (["--memory", "4 apples"], "'4 apples' is not a size such as 500M, 4G or 2GiB"),
        (["--memory", "1M"], "train.memory = '1M': to read the table alone needs about"),
        (["--time", "0.01s"], "train.time = '0.01s': the time is too short"),
    ],
)
def test_a_budget_that_cannot_be_kept_is_one_line(run, fruit, tmp_path, args, said):
    path = tmp_path / "m.assay"
    result = run("train", fruit, "--target", "fruit", "-o", path, *args)
    assert result.status == 2
    assert said in result.err
    assert len(result.err.splitlines()) == 1
    assert not path.exists()


def test_sql_chooses_the_rows(run, tmp_path, fruit_database, quick):
    path = tmp_path / "m.assay"
    query = "SELECT weight, colour, fruit FROM fruit WHERE id <= 45"
    result = run(
        "train", fruit_database, "--target", "fruit", "--sql", query, "--json", "-o", path, *quick
    )
    assert result.status == 0
    assert json.loads(result.out)["evaluation"]["n_rows"] == 45


def test_a_column_called_like_a_number_can_be_the_target(run, tmp_path, fruit, quick):
    table = tmp_path / "years.csv"
    table.write_text(fruit.read_text(encoding="utf-8").replace(",fruit\n", ",2024\n", 1))
    result = run("train", table, "--target", "2024", "-q", "-o", tmp_path / "m.assay", *quick)
    assert (result.status, result.err) == (0, "")


def test_test_rows_are_scored_apart(run, fruit, tmp_path, quick):
    result = run(
        "train", fruit, "--target", "fruit", "--test", fruit, "-o", tmp_path / "m.assay", *quick
    )
    assert "60 test rows that no model saw: accuracy " in result.out


@pytest.mark.parametrize("output", ["fruit.csv", "test.csv", "mine.toml"])
def test_what_is_read_is_never_overwritten(run, fruit, tmp_path, quick, output):
    for name in ("fruit.csv", "test.csv"):
        (tmp_path / name).write_bytes(fruit.read_bytes())
    (tmp_path / "mine.toml").write_text('target = "fruit"\n', encoding="utf-8")
    before = (tmp_path / output).read_bytes()
    table, test, recipe = (tmp_path / name for name in ("fruit.csv", "test.csv", "mine.toml"))
    result = run(
        "train", table, "--test", test, "--recipe", recipe, "-o", tmp_path / output, *quick
    )
    assert result.status == 2
    assert "would overwrite what is read" in result.err
    assert (tmp_path / output).read_bytes() == before


def test_bad_place_is_told_before_the_training(run, fruit, tmp_path):
    result = run("train", fruit, "--target", "fruit", "-o", tmp_path / "no" / "m.assay")
    assert result.status == 2
    assert "there is no such folder" in result.err
    assert "reading" not in result.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--target", "friut"], "Did you mean 'fruit'?"),
        ([], "no target was given"),
        (["--target", "fruit", "--set", "epochs"], "'epochs' is not KEY=VALUE"),
        (["--target", "fruit", "--set", "=5"], "'=5' is not KEY=VALUE"),
        (["--target", "fruit", "--set", "train.epoch=5"], "Did you mean 'epochs'?"),
        (["--target", "fruit", "--set", "train.epochs=0"], "train.epochs"),
        (["--target", "fruit", "--seed", "-1"], "seed"),
        (["--target", "fruit", "--device", "tpu"], "'tpu'"),
        (["--target", "fruit", "--recipe", "titanik"], "Did you mean 'titanic'?"),
        (["--target", "fruit", "--recipe", "none.toml"], "none.toml"),
    ],
)
def test_mistakes_are_told_in_one_line(run, fruit, tmp_path, args, said):
    result = run("train", fruit, "-o", tmp_path / "m.assay", *args)
    assert (result.status, result.out) == (2, "")
    assert said in result.err.splitlines()[-1]
    assert "Traceback" not in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("lacks", "there is no column 'fruit', which would hold the true classes"),
        ("plum", "the training table has no class 'plum'"),
        ("narrow", "the table lacks the column 'weight' that the training table has"),
    ],
)
def test_a_test_table_that_does_not_fit_is_told_in_words_of_training(
    run, fruit, tmp_path, quick, cells, said
):
    test = tmp_path / "test.csv"
    rows = [line.split(",") for line in fruit.read_text(encoding="utf-8").splitlines()]
    kept = {"lacks": slice(0, 3), "plum": slice(0, 4), "narrow": slice(2, 4)}[cells]
    text = "\n".join(",".join(row[kept]) for row in rows) + "\n"
    test.write_text(text.replace("pear", "plum") if cells == "plum" else text, encoding="utf-8")
    path = tmp_path / "m.assay"
    result = run("train", fruit, "--target", "fruit", "--test", test, "-o", path, *quick, "-q")
    assert (result.status, result.out) == (2, "")
    assert said in result.err
    assert "--fill-missing" not in result.err
    assert "model" not in result.err
    assert not path.exists()
    if cells == "narrow":
        fill = ["--set", "predict.missing_columns=fill"]
        assert 'set predict.missing_columns = "fill"' in result.err
        args = ["train", fruit, "--target", "fruit", "--test", test, "-o", path, *quick, *fill]
        assert run(*args, "--no-report").status == 0
