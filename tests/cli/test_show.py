"""The card of a model, from its file alone."""

import json

from assay.recipe import Recipe, recipe_changes
from assay.version import __version__


def test_card_tells_target_columns_recipe_scores_and_ledger(run, model):
    result = run("show", model)
    assert result.status == 0
    for said in (
        "target 'fruit', 2 classes: apple (40), pear (20)",
        "trained on 60 rows: 4 networks",
        f"format 1, written by assay {__version__}",
        "model.hidden = [8]",
        "one hot, 3 levels",
        "Scores of 60 rows, each by models that had left it out",
        "decisions about the data",
        "id: column set aside",
    ):
        assert said in result.out


def test_json_holds_the_same(run, model):
    card = json.loads(run("show", model, "--json").out)
    assert card["target"] == {"name": "fruit", "classes": ["apple", "pear"]}
    assert card["recipe_changes"] == {
        "target": "fruit",
        "split.folds": 2,
        "model.hidden": [8],
        "train.epochs": 5,
    }
    assert card["file"]["size_bytes"] == model.stat().st_size
    assert [column["name"] for column in card["columns"]] == ["id", "weight", "colour"]


def test_quiet_shows_the_card_all_the_same(run, model):
    assert run("show", model, "--quiet") == run("show", model)


def test_changes_of_the_default_recipe_are_none():
    assert recipe_changes(Recipe.from_dict({})) == {}


def test_derived_columns_show_their_expression(run, fruit, tmp_path, quick):
    path = tmp_path / "m.assay"
    args = ["--target", "fruit", "-q", "-o", path, "--set", "derive.heavy=weight > 100"]
    assert run("train", fruit, *args, *quick).status == 0
    assert "derived: weight > 100" in run("show", path).out


def test_damaged_model_is_refused(run, model, tmp_path):
    broken = tmp_path / "broken.assay"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    broken.write_bytes(bytes(data))
    result = run("show", broken)
    assert (result.status, result.out) == (2, "")
    assert "damaged" in result.err
