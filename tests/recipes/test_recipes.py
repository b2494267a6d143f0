"""The shipped recipes are valid and say what the published experiments did."""

import tomllib

import polars as pl
import pytest

from assay import datasets
from assay.errors import UserError
from assay.recipe import Recipe
from assay.recipes import load_recipe, recipe_names, recipe_path


@pytest.fixture(scope="module")
def passengers() -> pl.DataFrame:
    """The shipped table after the recipe's expressions and without what it drops."""
    recipe = load_recipe("titanic")
    frame = pl.read_csv(datasets.path("titanic"))
    for name, expression in recipe.derive.items():
        frame = frame.with_columns(pl.sql_expr(expression).alias(name))
    return frame.drop(recipe.drop)


def _derived(name: str, **cells: object) -> object:
    expression = load_recipe("titanic").derive[name]
    kinds = {"Name": pl.String, "SibSp": pl.Float64, "Parch": pl.Float64}
    frame = pl.DataFrame([pl.Series(key, [cell], dtype=kinds[key]) for key, cell in cells.items()])
    return frame.select(pl.sql_expr(expression)).item()


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_is_valid_and_names_its_target(name: str) -> None:
    assert load_recipe(name).target


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_survives_being_written_out_in_full(name: str) -> None:
    recipe = load_recipe(name)
    assert Recipe.from_toml(recipe.to_toml()) == recipe


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_tells_what_it_is_for(name: str) -> None:
    assert recipe_path(name).read_text(encoding="utf-8").startswith("# ")


def test_unknown_recipe_offers_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no recipe 'peple' .* Did you mean 'people'"):
        load_recipe("peple")


def test_a_path_is_not_a_name() -> None:
    with pytest.raises(UserError, match="no recipe"):
        recipe_path("../recipes/titanic")


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Braund, Mr. Owen Harris", "Mr"),
        ("Cumings, Mrs. John Bradley (Florence Briggs Thayer)", "Mrs"),
        ("Heikkinen, Miss. Laina", "Miss"),
        ("Palsson, Master. Gosta Leonard", "Master"),
        ("Sagesser, Mlle. Emma", "Miss"),
        ("Reynaldo, Ms. Encarnacion", "Miss"),
        ("Aubart, Mme. Leontine Pauline", "Mrs"),
        ("Rothes, the Countess. of (Lucy Noel Martha Dyer-Edwards)", "Rare"),
        ("Byles, Rev. Thomas Roussel Davids", "Rare"),
        ("Homer, Mr. Harry ('Mr E Haven')", "Mr"),
        (None, None),
    ],
)
def test_title_is_the_word_before_the_dot(name: str | None, title: str | None) -> None:
    assert _derived("Title", Name=name) == title


@pytest.mark.parametrize(
    ("siblings", "parents", "band"),
    [
        (0, 0, "Single"),
        (1, 0, "Couple"),
        (0, 1, "Couple"),
        (1, 1, "InterM"),
        (1, 2, "InterM"),
        (2, 2, "Large"),
        (8, 2, "Large"),
        (None, 2, None),
    ],
)
def test_family_size_counts_the_passenger_too(
    siblings: int | None, parents: int, band: str | None
) -> None:
    assert _derived("FamilySize", SibSp=siblings, Parch=parents) == band


def test_titanic_titles_are_those_of_the_list(passengers: pl.DataFrame) -> None:
    counts = dict(passengers["Title"].value_counts().iter_rows())
    assert counts == {"Mr": 517, "Miss": 185, "Mrs": 126, "Master": 40, "Rare": 23}


def test_titanic_gives_fourteen_inputs(passengers: pl.DataFrame) -> None:
    categorical = ["Sex", "Pclass", "Embarked", "Title", "FamilySize"]
    dummies = sum(passengers[name].drop_nulls().n_unique() - 1 for name in categorical)
    numbers = [name for name in passengers.columns if name not in [*categorical, "Survived"]]
    assert numbers == ["Age", "Fare"]
    assert dummies + len(numbers) == 14


def test_titanic_network_is_the_published_one() -> None:
    recipe = load_recipe("titanic")
    assert (recipe.model.hidden, recipe.model.activation) == ((270,), "relu")
    assert recipe.model.dropout == 0.1
    train = recipe.train
    assert (train.optimizer, train.learning_rate, train.schedule) == ("adam", 0.01, "constant")
    assert (train.beta1, train.beta2, train.weight_decay) == (0.9, 0.999, 0.0)
    assert (train.batch_size, train.epochs, train.keep) == (50, 50, "last")
    assert (recipe.split.folds, recipe.split.validation_share) == (0, 0.1)


def test_both_people_recipes_train_the_same_network() -> None:
    raw, encoded = load_recipe("people"), load_recipe("people_encoded")
    assert (raw.model, raw.train, raw.split) == (encoded.model, encoded.train, encoded.split)
    assert (raw.model.hidden, raw.model.activation) == ((10, 10), "tanh")
    assert (raw.train.optimizer, raw.train.learning_rate) == ("sgd", 0.01)
    assert (raw.train.batch_size, raw.train.epochs) == (10, 1000)


def test_people_recipe_reads_the_columns_that_the_generator_makes() -> None:
    recipe = load_recipe("people")
    train, _ = datasets.make_people()
    assert list(recipe.read.names) == train.columns
    assert {*recipe.kinds, recipe.target} == set(train.columns)


def test_encoded_people_are_all_numbers() -> None:
    recipe = load_recipe("people_encoded")
    assert set(recipe.kinds.values()) == {"numeric"}
    assert {*recipe.kinds, recipe.target} == set(recipe.read.names)


@pytest.mark.parametrize("name", recipe_names())
def test_published_recipes_turn_off_what_their_tutorials_did_not_do(name: str) -> None:
    recipe = load_recipe(name)
    assert (recipe.encode.bins, recipe.encode.clip, recipe.encode.missing_flag) == (0, False, False)
    assert not recipe.model.input_scale
    assert not recipe.train.hold_then_fade
    assert (recipe.train.weight_decay, recipe.train.bias_rate, recipe.train.patience) == (0, 1, 0)
    assert recipe.evaluate.calibration == "none"


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_are_plain_toml(name: str) -> None:
    assert tomllib.loads(recipe_path(name).read_text(encoding="utf-8"))["split"]["folds"] == 0
