"""Recipes: complete as text, exact about what is wrong with one."""

from datetime import date

import numpy as np
import pytest

from assay.errors import UserError
from assay.options import TrainRecipe
from assay.recipe import Recipe
from assay.recipes import load_recipe, recipe_names


@pytest.mark.parametrize("name", [None, *recipe_names()])
def test_a_recipe_written_as_toml_reads_back_as_itself(name):
    recipe = Recipe() if name is None else load_recipe(name)
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_a_number_of_thousands_of_digits_is_refused():
    with pytest.raises(UserError, match=r"train\.time: '9{40}…' is not a time .*: too long"):
        Recipe().with_options({"train.time": "9" * 5_000})
    with pytest.raises(UserError, match="not valid TOML"):
        Recipe.from_toml(f"seed = {'9' * 5_000}")


def test_texts_with_quotes_and_line_ends_survive():
    recipe = Recipe.from_dict(
        {
            "derive": {'the "new" one': "CASE WHEN a = 'x\\y'\n\tTHEN 1 END"},
            "drop": ["ü,\r\0\x1f\x7f"],
        }
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
        ({"train": {"epochs": 0}}, "train.epochs = 0 should be 'auto', or greater than"),
        ({"train": {"learning_rate": "fast"}}, "train.learning_rate = 'fast' should be a number"),
        ({"split": {"group": "a", "time": "b"}}, "choose group or time"),
        ({"kinds": {"a": "num"}}, "kinds.a = 'num' should be 'numeric'"),
        ({"encode": {"columns": {"a": {"scal": "none"}}}}, r"Did you mean 'scale'\?"),
        ({"train": {"learning_rate": float("nan")}}, "finite number"),
        ({"split": {"folds": 1}}, "^recipe: split: folds must be 0 or at least 2"),
        ({"train": 5}, "train = 5 should be a section of options"),
        ({"train": {"time": 10**400}}, r"train\.time: '10{39}…' is not a time .*: too long"),
        ({"train": {"memory": 10**400}}, r"train\.memory: '10{39}…' is not a size .*: too large"),
        ({"encode": {"columns": {"a b": 5}}}, r'columns\."a b" = 5 should be a section of options'),
        ({"drop": "a"}, "drop = 'a' should be a list"),
        ({"drop": ["a", 5]}, r"drop\[1\] = 5 should be text"),
        ({"read": {"quote": "ab"}}, "read.quote = 'ab' should be 'auto', or one character"),
        ({1: 2}, "should have a name that is text"),
        ({"target": "long\n" * 100, "seed": -1}, "seed = -1 should be greater"),
        ({"drop": "long\n" * 100}, "^recipe: drop = .{60,90}… should be a list"),
    ],
)
def test_a_bad_recipe_says_what_is_wrong(data, message):
    with pytest.raises(UserError, match=message) as caught:
        Recipe.from_dict(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"train": {"epochs": "3"}}, "epochs = '3' should be 'auto', or a whole number"),
        ({"train": {"epochs": True}}, "epochs = True should be 'auto', or a whole number"),
        ({"train": {"epochs": 3.5}}, "epochs = 3.5 should be 'auto', or a whole number"),
        ({"split": {"stratify": "no"}}, "stratify = 'no' should be true or false"),
        ({"split": {"stratify": 1}}, "stratify = 1 should be true or false"),
        ({"seed": True}, "seed = True should be a whole number"),
        ({"train": {"momentum": "0"}}, "momentum = '0' should be a number"),
        ({"target": 5}, "target = 5 should be text"),
        ({"target": date(2024, 1, 31)}, "target = 2024-01-31 should be text"),
        ({"encode": {"columns": {"a": {"levels": [1]}}}}, r"levels\[0\] = 1 should be text"),
    ],
)
def test_a_value_of_another_type_is_refused(data, message):
    with pytest.raises(UserError, match=message):
        Recipe.from_dict(data)
    with pytest.raises(UserError, match=message):
        Recipe(**data)


def test_a_date_in_a_toml_file_is_told():
    with pytest.raises(UserError, match=r"a.toml: target = 2024-01-31 should be text"):
        Recipe.from_toml("target = 2024-01-31", where="a.toml")


def test_numpy_values_and_tuples_are_plain_values():
    recipe = Recipe.from_dict(
        {
            "seed": np.int64(3),
            "drop": ("a",),
            "model": {"hidden": np.array([8, 4])},
            "split": {"stratify": np.bool_(False)},
            "train": {"learning_rate": np.float32(0.5), "momentum": 0, "epochs": np.int8(2)},
        }
    )
    assert (recipe.seed, recipe.drop, recipe.model.hidden) == (3, ("a",), (8, 4))
    assert recipe.split.stratify is False
    assert (recipe.train.learning_rate, recipe.train.momentum, recipe.train.epochs) == (0.5, 0.0, 2)
    assert Recipe.from_toml(recipe.to_toml()) == recipe


def test_the_constructor_tells_as_from_dict_does():
    for options in ({"train": {"epoch": 1}}, {"seed": -1}, {"sed": 1}):
        with pytest.raises(UserError) as direct:
            Recipe(**options)
        with pytest.raises(UserError) as plain:
            Recipe.from_dict(options)
        assert str(direct.value) == str(plain.value)
    assert Recipe(train=TrainRecipe(epochs=3)).train.epochs == 3
    with pytest.raises(UserError, match=r"^recipe: 5 should be a section of options"):
        Recipe.model_validate(5)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"split": {"members": 4}}, "members = 4 needs split.folds = 0"),
        ({"split": {"validation_share": 0.1}}, "validation_share = 0.1 needs split.folds = 0"),
        ({"train": {"nesterov": True, "momentum": 0.9}}, "nesterov needs optimizer = 'sgd'"),
        ({"train": {"nesterov": True, "optimizer": "sgd"}}, "and momentum above 0"),
        ({"train": {"momentum": 0.9}}, "momentum = 0.9 needs optimizer = 'sgd' or 'rmsprop'"),
        ({"train": {"momentum": 0.9, "optimizer": "adam"}}, "needs optimizer = 'sgd' or"),
        ({"train": {"keep": "last", "patience": 3}}, "patience = 3 needs keep = 'best'"),
        ({"model": {"candidates": ["logistic", "logistic"]}}, "names one twice"),
        ({"train": {"device": ""}}, "device = '' names none"),
        ({"train": {"memory": 1.5}}, r"train\.memory: '1\.5' is less than 1 MB"),
    ],
)
def test_options_that_would_do_nothing_are_refused(data, message):
    with pytest.raises(UserError, match=message):
        Recipe.from_dict(data)


def test_a_stored_recipe_may_hold_options_that_did_nothing():
    data = {"train": {"momentum": 0.9}, "model": {"candidates": ["logistic", "logistic"]}}
    stored = Recipe.from_dict(data, is_stored=True)
    changed = stored.with_options({"predict.invalid": "missing"}, is_stored=True)
    assert (changed.train.momentum, changed.predict.invalid) == (0.9, "missing")
    with pytest.raises(UserError, match=r"twice|needs optimizer"):
        stored.with_options({"predict.invalid": "missing"})


def test_options_that_need_each_other_may_be_set_in_one_call():
    chosen = Recipe().with_options(
        {
            "split.members": "4",
            "split.validation_share": 0.1,
            "split.folds": 0,
            "train.nesterov": "true",
            "train.momentum": 0.9,
            "train.optimizer": "sgd",
        }
    )
    assert (chosen.split.members, chosen.split.folds) == (4, 0)
    assert chosen.train.nesterov


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ('kinds."sepal.length"', ["kinds", "sepal.length"]),
        ("kinds.'my col'", ["kinds", "my col"]),
        ("kinds.my col", ["kinds", "my col"]),
        ("kinds.größe", ["kinds", "größe"]),
        (' kinds . "a=b" ', ["kinds", "a=b"]),
        ('kinds."say \\"hi\\""', ["kinds", 'say "hi"']),
    ],
)
def test_an_option_key_may_be_quoted_as_in_toml(key, path):
    recipe = Recipe().with_options({key: "text"})
    assert recipe.kinds == {path[1]: "text"}
    assert Recipe.from_toml(recipe.to_toml()) == recipe


def test_a_column_of_encode_may_be_quoted():
    recipe = Recipe().with_options({'encode.columns."a b".bins': "4"})
    assert recipe.encode.columns["a b"].bins == 4


@pytest.mark.parametrize("key", ["", "train.", ".a", "a\nb", "x = 0 #", "a.b.c", '"train.epochs"'])
def test_a_key_that_leads_nowhere_is_told(key):
    with pytest.raises(UserError, match="unknown option"):
        Recipe().with_options({key: 1})


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
    assert Recipe().with_options({"derive.one": "1"}).derive == {"one": "1"}
    with pytest.raises(UserError, match="drop = '1\\\\nb = 2' should be a list"):
        Recipe().with_options({"drop": "1\nb = 2"})


def test_changing_one_option_keeps_the_others():
    recipe = load_recipe("titanic").with_options({"train.epochs": 2})
    assert recipe.train.epochs == 2
    assert recipe.train.batch_size == 50


def test_whole_mappings_can_be_given_as_text():
    assert Recipe.from_dict({"kinds": {"a": "text"}}).with_options({"kinds": "{}"}).kinds == {}


def test_budgets_are_text_or_numbers_and_checked():
    train = Recipe().with_options({"train.time": 90, "train.memory": "2GiB"}).train
    assert (train.time, train.time_s, train.memory_bytes) == ("90", 90.0, 2**31)
    assert (TrainRecipe().time_s, TrainRecipe().memory_bytes) == (None, None)
    assert Recipe.from_toml('[train]\ntime = "1h30m"').train.time_s == 5400.0
    with pytest.raises(UserError, match=r"train\.time: '10x' is not a time such as 90s"):
        Recipe().with_options({"train.time": "10x"})
    with pytest.raises(UserError, match=r"train\.memory: '0' is no size"):
        Recipe().with_options({"train.memory": 0})


def test_few_rows_are_given_more_and_smaller_networks():
    recipe = Recipe()
    assert [recipe.split.n_repeats(n_rows) for n_rows in (100, 3_000, 3_001)] == [2, 2, 1]
    widths = [recipe.model.settled(n_rows).widths for n_rows in (100, 20_000, 20_001)]
    assert widths == [(128, 128, 128), (128, 128, 128), (256, 256, 256)]


def test_what_was_chosen_holds_for_any_number_of_rows():
    recipe = Recipe.from_dict({"split": {"repeats": 3}, "model": {"hidden": [7]}})
    assert [recipe.split.n_repeats(n_rows) for n_rows in (10, 10**6)] == [3, 3]
    assert recipe.model.settled(10**6).widths == (7,)


def test_folds_by_time_are_not_repeated():
    assert Recipe.from_dict({"split": {"time": "day"}}).split.n_repeats(100) == 1


def test_shares_to_expect_need_the_shares_of_the_table():
    options = {"train": {"class_weight": "balanced"}, "decide": {"priors": {"yes": 0.1}}}
    with pytest.raises(UserError, match=r"set evaluate\.calibration = 'vector', or one alone"):
        Recipe.from_dict(options)
    calibrated = Recipe.from_dict({**options, "evaluate": {"calibration": "vector"}})
    assert calibrated.decide.priors == {"yes": 0.1}
    assert Recipe.from_dict(options, is_stored=True).decide.priors == {"yes": 0.1}
