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


def test_copies_of_rows_are_a_finding(run, tmp_path):
    rows = [f"{idx * 1.5},{'abc'[idx % 3]},{'yn'[idx % 2]}" for idx in range(40)]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["age,town,y", *rows, *rows[:3], rows[0]]) + "\n")
    found = json.loads(run("inspect", table, "--target", "y", "--json").out)
    (finding,) = [one for one in found["findings"] if one["kind"] == "duplicates"]
    assert (finding["where"], finding["severity"]) == ("rows", "low")
    assert finding["what"].startswith("4 rows are copies of others")
    assert "low: rows: 4 rows are copies of others" in run("inspect", table, "--target", "y").out


def test_rows_that_are_bound_to_repeat_are_no_finding(run, tmp_path):
    table = tmp_path / "t.csv"
    rows = [f"{'ab'[idx % 2]},{'cd'[idx // 2 % 2]}" for idx in range(30)]
    table.write_text("\n".join(["x,y", *rows]) + "\n")
    assert json.loads(run("inspect", table, "--json").out)["findings"] == []


def test_no_usable_column_is_a_finding(run, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["k,id,y", *(f"same,{i},{'ab'[i % 2]}" for i in range(30))]) + "\n")
    result = run("inspect", table, "--target", "y")
    assert result.status == 0
    assert "k: column set aside" in result.out
    assert "high: t.csv: no usable column, training stops" in result.out
    alone = tmp_path / "y.csv"
    alone.write_text("y\na\nb\na\n")
    found = json.loads(run("inspect", alone, "--target", "y", "--json").out)
    assert (found["n_rows"], found["columns"]) == (3, [])
    assert [finding["what"] for finding in found["findings"]] == [
        "no usable column, training stops"
    ]


def test_infinite_numbers_are_a_finding_unless_they_count_as_missing(run, tmp_path):
    table = tmp_path / "t.csv"
    cells = ["inf" if idx == 3 else str(idx * 1.5) for idx in range(30)]
    table.write_text("\n".join(["x,y", *(f"{cell},{'ab'[i % 2]}" for i, cell in enumerate(cells))]))
    result = run("inspect", table, "--target", "y")
    assert result.status == 0
    assert "high: x: 1 infinite number, training stops there" in result.out
    assert '[read.infinite = "missing"]' in result.out
    args = ["--target", "y", "--set", "read.infinite=missing", "--json"]
    tolerant = json.loads(run("inspect", table, *args).out)
    assert tolerant["findings"] == []
    assert tolerant["ledger"][0]["what"] == "1 infinite number read as missing"


def test_the_target_as_a_group_is_told_to_be_the_target(run, fruit):
    result = run("inspect", fruit, "--target", "fruit", "--set", "split.group=fruit")
    assert (result.status, result.out) == (2, "")
    assert "'fruit' is the target, it cannot be the group too" in result.err


def test_a_leak_is_named_with_the_option_against_it(run, tmp_path):
    table = tmp_path / "t.csv"
    rows = [f"{idx * 7 % 11}.5,{'ab'[idx % 3 % 2]},{'np'[idx % 3 % 2]}" for idx in range(120)]
    table.write_text("\n".join(["x,code,y", *rows]) + "\n")
    found = json.loads(run("inspect", table, "--target", "y", "--json").out)
    leak = found["findings"][0]
    assert (leak["kind"], leak["severity"], leak["where"]) == ("leak", "high", "code")
    assert leak["option"] == 'drop = ["code"]'
    assert "'a' means 'n', 'b' means 'p'" in leak["what"]
    assert "high: code:" in run("inspect", table, "--target", "y").out
    off = ["--target", "y", "--set", "evaluate.findings=false", "--json"]
    assert json.loads(run("inspect", table, *off).out)["findings"] == []


def test_a_target_that_cannot_be_trained_on_is_a_finding(run, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["x,y", *(f"{idx % 5}.5,only" for idx in range(30))]) + "\n")
    found = json.loads(run("inspect", table, "--target", "y", "--json").out)
    assert (found["findings"][0]["kind"], found["findings"][0]["where"]) == ("target", "y")
    assert "one class only" in found["findings"][0]["what"]


def test_quiet_tells_the_same(run, fruit):
    assert run("inspect", fruit, "-q") == run("inspect", fruit)


def test_missing_file_is_one_line(run, tmp_path):
    result = run("inspect", tmp_path / "nothing.csv")
    assert (result.status, result.out) == (2, "")
    assert result.err.count("\n") == 1
