"""What assay sees in a table, before anything is trained."""

import json


def test_every_column_has_kind_and_reason(run, fruit):
    found = json.loads(run("inspect", fruit, "--target", "fruit", "--json").out)
    assert {column["name"]: column["kind"] for column in found["columns"]} == {
        "id": "identifier",
        "weight": "numeric",
        "colour": "categorical",
    }
    weight = found["columns"][1]
    assert (weight["n_missing"], weight["example"]) == (5, "140.5")
    assert weight["missing_share"] == 5 / 60
    assert all(column["reason"] for column in found["columns"])
    assert found["target"]["classes"] == [{"class": "apple", "n": 40}, {"class": "pear", "n": 20}]
    assert [entry["where"] for entry in found["ledger"]] == ["id"]


def test_text_tells_the_same(run, fruit):
    result = run("inspect", fruit, "--target", "fruit")
    assert result.status == 0
    assert "fruit.csv: 60 rows, 3 columns, 2 to predict from" in result.out
    assert "target 'fruit', 2 classes: apple (40), pear (20)" in result.out
    assert "(identifier)" in result.out
    assert "id: column set aside" in result.out
    assert result.err == ""


def test_target_is_optional(run, fruit):
    result = run("inspect", fruit)
    assert result.status == 0
    assert "fruit.csv: 60 rows, 4 columns" in result.out
    assert "target" not in result.out


def test_recipe_drops_and_derives(run, fruit, tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('drop = ["id"]\n[derive]\nheavy = "weight > 100"\n', encoding="utf-8")
    args = ["--recipe", recipe, "--set", "target=fruit", "--json"]
    columns = json.loads(run("inspect", fruit, *args).out)["columns"]
    assert [(column["name"], column["is_feature"]) for column in columns] == [
        ("id", False),
        ("weight", True),
        ("colour", True),
        ("heavy", True),
    ]
    assert columns[0]["kind"] == "dropped"


def test_kind_set_by_hand_is_obeyed(run, fruit):
    out = run("inspect", fruit, "--set", "kinds.weight=categorical", "--json").out
    assert json.loads(out)["columns"][1]["kind"] == "categorical"


def test_standard_input_is_read(run, fruit):
    result = run("inspect", "-", stdin=fruit.read_bytes())
    assert result.out.startswith("standard input: 60 rows")


def test_missing_file_is_one_line(run, tmp_path):
    result = run("inspect", tmp_path / "nothing.csv")
    assert (result.status, result.out) == (2, "")
    assert result.err.count("\n") == 1
