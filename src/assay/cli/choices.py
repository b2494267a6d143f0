"""Options that several verbs share, and the recipe they make."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from assay.errors import UserError

if TYPE_CHECKING:
    from assay.read import NamedBytes
    from assay.recipe import Recipe

TableArgument = Annotated[
    str, typer.Argument(metavar="TABLE", help="A file, - for standard input, or a database URL.")
]
OptionalTable = Annotated[
    str | None,
    typer.Argument(metavar="[TABLE]", help="A file, - for standard input, or a database URL."),
]
RecordOption = Annotated[
    str | None,
    typer.Option("--record", metavar="JSON", help="One record, or a list, instead of TABLE."),
]
ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="A model file, written by 'assay train'.")
]
RecipeOption = Annotated[
    str | None,
    typer.Option(
        "--recipe", metavar="NAME_OR_FILE", help="A shipped recipe or a TOML file: all choices."
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one option of the recipe, such as train.epochs=100; may be repeated.",
    ),
]
SqlOption = Annotated[
    str | None,
    typer.Option("--sql", metavar="QUERY", help="Query that gives the table of a database."),
]
FillMissingOption = Annotated[
    bool, typer.Option("--fill-missing", help="Take columns that TABLE lacks as missing.")
]
ExcelSafeOption = Annotated[
    bool,
    typer.Option(
        "--excel-safe",
        help="Put ' before texts and names that a spreadsheet would run as formulas (CSV).",
    ),
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Write nothing but the result, and errors.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON instead of text for people.")]


def open_source(table: str) -> "str | NamedBytes":
    """Return what to read: standard input so that it can be read twice.

    Args:
        table: The table as on the command line.

    Raises:
        UserError: Standard input is closed.
    """
    from assay.read.source import StandardInput

    return StandardInput() if table == "-" else table


def make_recipe(
    table: "str | NamedBytes",
    name: str | None,
    settings: Sequence[str] | None,
    *,
    shortcuts: Mapping[str, str | int | None],
) -> "Recipe":
    """Return the recipe that the options describe.

    Args:
        table: The table it is for.
        name: Value of `--recipe`.
        settings: Values of `--set`.
        shortcuts: Dotted options that have an option of their own; they win over
            `--set`. None stands for an option not given.

    Raises:
        UserError: No such recipe, or an option that is unknown or out of range.
    """
    from assay.estimator import choose_recipe

    chosen = choose_recipe(name, table).with_options(read_settings(settings or ()))
    given = {key: value for key, value in shortcuts.items() if value is not None}
    return chosen.with_options(
        {key: as_toml(value) if isinstance(value, str) else value for key, value in given.items()}
    )


def read_settings(settings: Sequence[str]) -> dict[str, str]:
    """Return the values of `--set` by option.

    Raises:
        UserError: One of them is not KEY=VALUE.

    Example:
        >>> read_settings(["train.epochs=5", "model.hidden=[8, 8]"])
        {'train.epochs': '5', 'model.hidden': '[8, 8]'}
    """
    found = {}
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not sign or not key.strip():
            raise UserError(
                f"{setting!r} is not KEY=VALUE",
                where="--set",
                fix="Write it like --set train.epochs=100",
            )
        found[key.strip()] = value.strip()
    return found


def as_toml(text: str) -> str:
    """Return text as a TOML string, so that a column called 2024 stays a name.

    Example:
        >>> as_toml("2024")
        '"2024"'
    """
    return json.dumps(text, ensure_ascii=False)
