"""The recipe: everything a user may choose, with ranges, units and defaults.

A recipe comes from a TOML file, from `--set` on the command line or from
Python; every floor above reads its own section and changes nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    Field,
    ModelWrapValidatorHandler,
    Strict,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import ErrorDetails

from assay.errors import UserError, did_you_mean
from assay.options import (
    ColumnEncoding,
    DecideRecipe,
    EncodeRecipe,
    EvaluateRecipe,
    ModelRecipe,
    PredictRecipe,
    ReadRecipe,
    Section,
    SplitRecipe,
    TrainRecipe,
    is_stored,
)
from assay.schema import Kind
from assay.toml_text import (
    MAX_LETTERS,
    describe_fault,
    join_key,
    read_toml,
    read_value,
    render_toml,
    split_key,
)


class Recipe(Section):
    """All choices of one training.

    Raises:
        UserError: For an unknown key, a wrong type, a value out of range, or
            values that exclude each other.

    Example:
        >>> Recipe.from_dict({"train": {"epochs": 5}}).train.epochs
        5
    """

    target: str = Field("", description="column to predict; --target goes first")
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(0, description="of every random choice")
    drop: tuple[str, ...] = Field((), description="columns to leave out, by name")
    kinds: dict[str, Annotated[Kind, Strict(False)]] = Field(
        {}, description="kinds of columns that you know better"
    )
    derive: dict[str, str] = Field({}, description="new columns: name = SQL expression")
    read: ReadRecipe = ReadRecipe()
    split: SplitRecipe = SplitRecipe()
    encode: EncodeRecipe = EncodeRecipe()
    model: ModelRecipe = ModelRecipe()
    train: TrainRecipe = TrainRecipe()
    evaluate: EvaluateRecipe = EvaluateRecipe()
    decide: DecideRecipe = DecideRecipe()
    predict: PredictRecipe = PredictRecipe()

    @model_validator(mode="after")
    def _check(self, info: ValidationInfo) -> "Recipe":
        is_moved = self.train.class_weight != "none" and self.evaluate.calibration != "vector"
        if is_moved and self.decide.priors and not is_stored(info):
            raise ValueError(
                "decide.priors start from the table's shares of the classes, which"
                " train.class_weight moves: set evaluate.calibration = 'vector', or one alone"
            )
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _told(
        cls, data: Any, handler: ModelWrapValidatorHandler["Recipe"], info: ValidationInfo
    ) -> "Recipe":
        try:
            return handler(data)
        except ValidationError as error:
            raise _user_error(error.errors(), (info.context or {}).get("where", "recipe")) from None

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], *, where: str = "recipe", is_stored: bool = False
    ) -> "Recipe":
        """Check plain data and make a recipe of it.

        Args:
            data: Sections and options.
            where: Named in errors.
            is_stored: Whether it is out of a model file, whose training is over: options
                that had no effect are let be.
        """
        context = {"where": where, "is_stored": is_stored}
        return cls.model_validate(dict(data), context=context)

    @classmethod
    def from_toml(cls, text: str, *, where: str = "recipe") -> "Recipe":
        """Read a recipe from TOML text."""
        return cls.from_dict(read_toml(text, where=where), where=where)

    @classmethod
    def from_file(cls, path: str | Path) -> "Recipe":
        """Read a recipe from a TOML file."""
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read(MAX_LETTERS + 1)
        except OSError as error:
            raise UserError(f"cannot read the recipe: {error.strerror}", where=str(path)) from None
        except UnicodeDecodeError:
            raise UserError("the recipe is not UTF-8 text", where=str(path)) from None
        return cls.from_toml(text, where=str(path))

    def with_options(self, options: Mapping[str, Any], *, is_stored: bool = False) -> "Recipe":
        """Return a recipe with dotted options changed.

        Args:
            options: {"train.epochs": 100}; a text value is read as TOML where
                it can be, so "100" is a number. A name that holds dots is quoted
                as in TOML: 'kinds."sepal.length"'.
            is_stored: As for `from_dict`.

        Example:
            >>> Recipe().with_options({"train.epochs": "100"}).train.epochs
            100
        """
        data = self.model_dump(exclude_unset=True)
        for dotted, value in options.items():
            path = split_key(dotted)
            section = data
            for name in path[:-1]:
                section = section.setdefault(name, {})
                if not isinstance(section, dict):
                    raise UserError(f"{name!r} holds no options", where=f"option {dotted!r}")
            section[path[-1]] = _option_value(path, value) if isinstance(value, str) else value
        return Recipe.from_dict(data, where="option", is_stored=is_stored)

    def to_dict(self) -> dict[str, Any]:
        """Return all options as plain data for JSON."""
        return self.model_dump(mode="json")

    def to_toml(self) -> str:
        """Return the complete recipe as TOML, each option with its meaning."""
        return render_toml(self)


def recipe_changes(recipe: Recipe) -> dict[str, Any]:
    """Return the options that differ from the default recipe, by dotted name.

    Example:
        >>> recipe_changes(Recipe().with_options({"train.epochs": 5}))
        {'train.epochs': 5}
    """
    default = _flat(Recipe.from_dict({}).to_dict())
    return {
        key: value for key, value in _flat(recipe.to_dict()).items() if default.get(key) != value
    }


def _flat(options: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in options.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        elif value is not None:
            flat[f"{prefix}{key}"] = value
    return flat


def _option_value(path: list[str], text: str) -> Any:
    """Read text as TOML, but keep it where the option itself is text: target=2024."""
    value = read_value(text)
    return text if _is_text_option(path) and not isinstance(value, str) else value


def _is_text_option(path: list[str]) -> bool:
    if path[0] in ("kinds", "derive"):
        return len(path) > 1
    section = _sections().get(path[0]) if len(path) == 2 else Recipe
    fields = section.model_fields if section else {}
    return path[-1] in fields and fields[path[-1]].annotation is str


def _user_error(details: list[ErrorDetails], where: str) -> UserError:
    path = [str(part) for part in details[0]["loc"]]
    if details[0]["type"] == "extra_forbidden":
        return UserError(
            f"unknown option {join_key(path)!r}",
            where=where,
            fix=did_you_mean(path[-1], _known_options(path[:-1])),
        )
    named = _option_path(path)
    branches = [one for one in details if _option_path([str(part) for part in one["loc"]]) == named]
    return UserError(
        describe_fault(join_key(named), branches),
        where=where,
        fix="'assay recipe' prints every option with its meaning",
    )


def _option_path(path: list[str]) -> list[str]:
    """Cut a path of pydantic's behind the option that it leads to."""
    if path[:2] in (["encode", "columns"], ["decide", "cost"], ["decide", "priors"]):
        return path[:4]
    return path[: 2 if path and path[0] in (*_sections(), "kinds", "derive") else 1]


def _sections() -> dict[str, type[BaseModel]]:
    fields = {name: field.annotation for name, field in Recipe.model_fields.items()}
    return {
        name: kind
        for name, kind in fields.items()
        if isinstance(kind, type) and issubclass(kind, BaseModel)
    }


def _known_options(path: list[str]) -> list[str]:
    if not path:
        return list(Recipe.model_fields)
    if path[:2] == ["encode", "columns"]:
        return list(ColumnEncoding.model_fields)
    section = _sections().get(path[0])
    return list(section.model_fields) if section else []
