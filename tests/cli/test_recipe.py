"""Every option with its meaning and value, ready to be edited."""

import pytest

from assay.recipe import Recipe
from assay.recipes import load_recipe, recipe_names


def test_default_recipe_is_complete_and_reads_back(run):
    result = run("recipe")
    assert result.status == 0
    assert Recipe.from_toml(result.out).to_dict() == Recipe.from_dict({}).to_dict()
    for section in ("read", "split", "encode", "model", "train", "evaluate", "predict"):
        assert f"\n[{section}]" in result.out


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipe_reads_back_as_it_is(run, name):
    result = run("recipe", name)
    assert Recipe.from_toml(result.out).to_dict() == load_recipe(name).to_dict()


def test_a_file_is_filled_in(run, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("seed = 5\n", encoding="utf-8")
    assert Recipe.from_toml(run("recipe", path).out).seed == 5


def test_a_shipped_name_goes_before_a_file_of_that_name(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "titanic").write_text("seed = 5\n", encoding="utf-8")
    assert Recipe.from_toml(run("recipe", "titanic").out) == load_recipe("titanic")
    assert Recipe.from_toml(run("recipe", "./titanic").out).seed == 5


def test_list_names_the_shipped_recipes(run):
    assert run("recipe", "--list").out.splitlines() == recipe_names()


def test_unknown_recipe_is_one_line_with_the_nearest_name(run):
    result = run("recipe", "titanik")
    assert (result.status, result.out) == (2, "")
    assert "Did you mean 'titanic'?" in result.err
