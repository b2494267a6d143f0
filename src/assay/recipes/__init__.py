"""Recipes that ship with assay: published experiments that stay runnable.

Each is a commented TOML file in this folder; an option it leaves out keeps its
default. A shipped recipe is a promise: what it reproduces is written at its top.
"""

from pathlib import Path

from assay.errors import UserError, did_you_mean
from assay.recipe import Recipe

__all__ = ["load_recipe", "recipe_names", "recipe_path"]

_FOLDER = Path(__file__).parent


def recipe_names() -> list[str]:
    """Return the names of the shipped recipes, sorted.

    Example:
        >>> recipe_names()
        ['people', 'people_encoded', 'titanic']
    """
    return sorted(file.stem for file in _FOLDER.glob("*.toml"))


def recipe_path(name: str) -> Path:
    """Return where a shipped recipe lies on disk.

    Args:
        name: One of `recipe_names()`, without ".toml".

    Raises:
        UserError: No recipe of that name ships with assay; the nearest is offered.

    Example:
        >>> recipe_path("titanic").name
        'titanic.toml'
    """
    names = recipe_names()
    if name not in names:
        raise UserError(f"no recipe {name!r} ships with assay", fix=did_you_mean(name, names))
    return _FOLDER / f"{name}.toml"


def load_recipe(name: str) -> Recipe:
    """Read a shipped recipe.

    Args:
        name: One of `recipe_names()`.

    Raises:
        UserError: No recipe of that name ships with assay; the nearest is offered.

    Example:
        >>> load_recipe("titanic").model.hidden
        (270,)
    """
    return Recipe.from_file(recipe_path(name))
