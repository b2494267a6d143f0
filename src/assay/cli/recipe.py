"""The verb `recipe`: every option with its meaning and value, ready to be edited."""

from typing import Annotated

import typer

from assay.cli.choices import JsonOption


def recipe(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="A shipped recipe or a TOML file; default: defaults."
        ),
    ] = None,
    is_list: Annotated[bool, typer.Option("--list", help="Name the shipped recipes.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a complete recipe as TOML, to be edited."""
    from assay.cli.output import say, say_json
    from assay.recipe import Recipe
    from assay.recipes import recipe_names

    if is_list:
        if as_json:
            return say_json(recipe_names())
        return say("\n".join(recipe_names()))
    if name is None:
        chosen = Recipe()
    else:
        from assay.estimator import find_recipe

        chosen = find_recipe(name)
    return say_json(chosen.to_dict()) if as_json else say(chosen.to_toml().rstrip("\n"))
