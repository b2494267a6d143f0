"""Recipes: complete as text, exact about what is wrong with one."""

import pytest

from assay.errors import UserError
from assay.recipe import Recipe
from assay.recipes import load_recipe, recipe_names


@pytest.mark.parametrize("name", [None, *recipe_names()])
def test_a_recipe_written_as_toml_reads_back_as_itself(name):
    recipe = Recipe() if name is None else load_recipe(name)
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_texts_with_quotes_and_line_ends_survive():
    recipe = Recipe.from_dict(
        {"derive": {'the "new" one': "CASE WHEN a = 'x\\y'\n\tTHEN 1 END"}, "drop": ["ü,\r"]}
    )
    assert Recipe.from_toml(recipe.to_toml()) == recipe


def test_every_option_is_explained():
    lines = Recipe().to_toml().splitlines()
    options = [line for line in lines if " = " in line and not line.startswith("#")]
    assert len(options) > 60
    assert all("  # " in line and not line.endswith("None") for line in options)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"train": {"epoch": 3}}, r"unknown option 'train.epoch'. Did you mean 'epochs'\?"),
        ({"trian": {}}, r"unknown option 'trian'. Did you mean 'train'\?"),
        ({"train": {"epochs": 0}}, "train.epochs = 0 should be 'auto', or should be greater"),
        ({"train": {"learning_rate": "fast"}}, "train.learning_rate = 'fast' should be a valid"),
        ({"split": {"group": "a", "time": "b"}}, "choose group or time"),
        ({"kinds": {"a": "num"}}, "kinds.a = 'num' should be 'numeric'"),
        ({"encode": {"columns": {"a": {"scal": "none"}}}}, r"Did you mean 'scale'\?"),
        ({"train": {"learning_rate": float("nan")}}, "finite number"),
    ],
)
def test_a_bad_recipe_says_what_is_wrong(data, message):
    with pytest.raises(UserError, match=message):
        Recipe.from_dict(data)


def test_options_given_as_text_are_read_as_toml():
    recipe = Recipe().with_options(
        {"train.epochs": "7", "model.hidden": "[8, 4]", "kinds.a": "text", "read.header": "false"}
    )
    assert recipe.train.epochs == 7
    assert recipe.model.hidden == (8, 4)
    assert recipe.kinds == {"a": "text"}
    assert recipe.read.header is False


def test_an_option_that_is_text_stays_text():
    assert Recipe().with_options({"target": "2024"}).target == "2024"
    assert Recipe().with_options({"target": '"2024"'}).target == "2024"
    assert Recipe().with_options({"split.group": "true"}).split.group == "true"


def test_changing_one_option_keeps_the_others():
    recipe = load_recipe("titanic").with_options({"train.epochs": 2})
    assert recipe.train.epochs == 2
    assert recipe.train.batch_size == 50
