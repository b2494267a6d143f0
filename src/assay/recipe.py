"""The recipe: everything a user may choose, with ranges, units and defaults.

A recipe comes from a TOML file, from `--set` on the command line or from
Python; every floor above reads its own section and changes nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    Strict,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import ErrorDetails

from assay.errors import UserError, did_you_mean
from assay.schema import Kind
from assay.toml_text import (
    describe_fault,
    join_key,
    plain_value,
    read_toml,
    read_value,
    render_toml,
    split_key,
)

Auto = Literal["auto"]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]
PositiveInt = Annotated[int, Field(ge=1)]
NonNegative = Annotated[float, Field(ge=0.0)]
OneCharacter = Annotated[str, Field(min_length=1, max_length=1)]

Activation = Literal["relu", "tanh", "sigmoid", "gelu", "silu", "selu", "leaky_relu", "identity"]
Init = Literal[
    "default",
    "xavier_uniform",
    "xavier_normal",
    "kaiming_uniform",
    "kaiming_normal",
    "uniform",
    "normal",
    "orthogonal",
    "zeros",
    "ntk",
]
OptimizerName = Literal["sgd", "adam", "adamw", "rmsprop", "adagrad", "adadelta"]
ScheduleName = Literal[
    "constant", "linear", "cosine", "step", "exponential", "one_cycle", "flat_cosine", "coslog4"
]
NumericScale = Literal["robust", "standard", "minmax", "divide", "none"]
CategoricalEncoding = Literal[
    "auto", "one_hot", "one_hot_drop_first", "label", "plus_minus", "embedding"
]
NumericFill = Literal["median", "mean", "mode", "constant"]
CategoricalFill = Literal["none", "mode", "constant"]


class _Section(BaseModel):
    """Base of every section: immutable, and an unknown key or a wrong type is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, data: Any) -> Any:
        return plain_value(data)


class ReadRecipe(_Section):
    """How a table is read. Everything "auto" is detected from a sample."""

    separator: Auto | OneCharacter = Field("auto", description="cell separator of text files")
    quote: Auto | OneCharacter = Field("auto", description="quote character of text files")
    encoding: Auto | str = Field("auto", description="text encoding, such as utf-8 or latin-1")
    header: Auto | bool = Field("auto", description="whether the first row names the columns")
    names: tuple[str, ...] = Field((), description="column names, for a file without a header")
    decimal: Auto | Literal[".", ","] = Field("auto", description="decimal mark of numbers as text")
    comment: Auto | Literal["none"] | OneCharacter = Field(
        "auto", description="lines that start with this character are skipped, or none"
    )
    missing: tuple[str, ...] = Field(
        ("", "NA", "N/A", "n/a", "na", "#N/A", "?", "-", "null", "NULL", "None", "NaN", "nan"),
        description="cells that mean a missing value (add -999 and the like yourself)",
    )
    infinite: Literal["error", "missing"] = Field(
        "error", description="what an infinite number in a feature is: an error or a missing value"
    )
    max_bad_rows: Share = Field(
        0.01, description="share of rows that may be set aside as unreadable, in [0, 1)"
    )
    sql: str = Field("", description="query to run when the table is a database")
    sheet: str = Field("", description="sheet of an Excel file; the first one when empty")


class SplitRecipe(_Section):
    """Who trains on which rows, and which rows test."""

    folds: Annotated[int, Field(ge=0)] = Field(
        5, description="parts of the cross-fit; 0: no folds, see members and validation_share"
    )
    repeats: PositiveInt = Field(1, description="times the folds are drawn anew; members = both")
    members: PositiveInt = Field(1, description="networks to train when folds = 0")
    validation_share: Share = Field(
        0.0, description="share of rows each member leaves out when folds = 0, in [0, 1)"
    )
    holdout: Share = Field(0.0, description="share of rows kept as a test that no member sees")
    group: str = Field("", description="column whose rows with equal values stay together")
    time: str = Field("", description="column that orders rows; validation is later than training")
    stratify: bool = Field(True, description="keep the classes' shares in every part")

    @model_validator(mode="after")
    def _check(self) -> "SplitRecipe":
        if self.folds == 1:
            raise ValueError("folds must be 0 or at least 2")
        if self.group and self.time:
            raise ValueError("choose group or time, not both")
        if self.folds and self.members > 1:
            raise ValueError(f"members = {self.members} needs split.folds = 0")
        if self.folds and self.validation_share:
            raise ValueError(f"validation_share = {self.validation_share} needs split.folds = 0")
        return self


class ColumnEncoding(_Section):
    """Choices for one column; what is left out follows the section [encode]."""

    scale: NumericScale | None = None
    divisor: float | None = None
    bins: Annotated[int, Field(ge=0, le=256)] | None = None
    clip: bool | None = None
    fill: NumericFill | CategoricalFill | None = None
    fill_value: str | float | None = None
    missing_flag: bool | None = None
    encoding: CategoricalEncoding | None = None
    levels: tuple[str, ...] | None = None
    min_count: PositiveInt | None = None


class EncodeRecipe(_Section):
    """How columns become numbers. All fitted values are each member's own."""

    scale: NumericScale = Field("robust", description="scaling of numeric columns")
    clip: bool = Field(True, description="squash scaled numbers smoothly into (-3, 3)")
    bins: Annotated[int, Field(ge=0, le=256)] = Field(
        16, description="quantile bins of the piecewise-linear encoding; 0 turns it off"
    )
    fill: NumericFill = Field("median", description="what fills missing numbers")
    fill_value: float = Field(0.0, description="the number used when fill = constant")
    missing_flag: bool = Field(True, description="add a 0/1 feature for missing cells")
    categorical: CategoricalEncoding = Field(
        "auto", description="auto: -1/+1 for two levels, one-hot for few, else an embedding"
    )
    max_one_hot: PositiveInt = Field(8, description="most levels that auto gives a one-hot")
    embedding_width: PositiveInt = Field(8, description="numbers per level of an embedding")
    categorical_fill: CategoricalFill = Field(
        "none", description="what a missing level becomes; none: a state of its own"
    )
    min_count: PositiveInt = Field(
        1, description="levels with fewer training rows than this are pooled as rare"
    )
    text_buckets: Annotated[int, Field(ge=8, le=65536)] = Field(
        128, description="hash buckets of the character n-grams of a text column"
    )
    columns: dict[str, ColumnEncoding] = Field({}, description="choices for single columns")


class ModelRecipe(_Section):
    """The network each member is."""

    hidden: tuple[PositiveInt, ...] = Field((256, 256, 256), description="widths of hidden layers")
    activation: Activation = Field("silu", description="after each hidden layer")
    dropout: Share = Field(0.15, description="share of hidden units dropped while training")
    init: Init = Field(
        "ntk", description="weights at the start; ntk scales in the forward pass instead"
    )
    bias_init: Literal["default", "zeros", "normal"] = Field(
        "default", description="biases at the start"
    )
    output: Literal["softmax", "sigmoid"] = Field(
        "softmax", description="sigmoid: one output, two classes only"
    )
    input_scale: bool = Field(True, description="learn one factor per input feature")


class TrainRecipe(_Section):
    """How the population learns."""

    epochs: Auto | PositiveInt = Field("auto", description="passes over the training rows")
    batch_size: Auto | PositiveInt = Field("auto", description="rows per step")
    optimizer: OptimizerName = Field("adamw", description="update rule")
    learning_rate: Annotated[float, Field(gt=0.0)] = Field(0.04, description="peak step size")
    momentum: Share = Field(0.0, description="for sgd and rmsprop")
    nesterov: bool = Field(False, description="for sgd with momentum")
    beta1: Share = Field(0.9, description="for adam and adamw")
    beta2: Share = Field(0.95, description="for adam and adamw")
    weight_decay: NonNegative = Field(
        0.02, description="shrinks weights, not biases; adamw: apart from the gradient"
    )
    schedule: ScheduleName = Field("coslog4", description="course of the learning rate")
    bias_rate: NonNegative = Field(0.1, description="factor of the learning rate for biases")
    scale_rate: NonNegative = Field(6.0, description="the same for the learned input scale")
    hold_then_fade: bool = Field(
        True, description="hold dropout and decay to half-time, then fade both to 0"
    )
    label_smoothing: Share = Field(0.0, description="probability spread over the other classes")
    class_weight: Literal["none", "balanced"] = Field("none", description="weight of classes")
    sample_weight: str = Field("", description="column with a weight for each row")
    keep: Literal["best", "last"] = Field(
        "best", description="each member's epoch to keep, by validation log loss"
    )
    patience: Annotated[int, Field(ge=0)] = Field(
        20, description="stop when no member improved for this many epochs; 0: never"
    )
    drop_last: bool = Field(False, description="leave out the last batch when it is not full")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:1")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of matrix products; auto: bfloat16 where the processor has it"
    )

    @model_validator(mode="after")
    def _check(self) -> "TrainRecipe":
        if self.nesterov and (self.optimizer != "sgd" or self.momentum == 0.0):
            raise ValueError("nesterov needs optimizer = 'sgd' and momentum above 0")
        return self


class EvaluateRecipe(_Section):
    """How results are judged."""

    calibration: Literal["temperature", "none"] = Field(
        "temperature", description="fitted on out-of-fold predictions"
    )
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = Field(
        0.95, description="coverage of intervals"
    )
    bootstrap: Annotated[int, Field(ge=100, le=100_000)] = Field(
        1000, description="resamples behind an interval"
    )


class PredictRecipe(_Section):
    """What the finished model tolerates."""

    missing_columns: Literal["error", "fill"] = Field(
        "error", description="a column absent from a new table: an error, or all missing"
    )


class Recipe(_Section):
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
    predict: PredictRecipe = PredictRecipe()

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
    def from_dict(cls, data: Mapping[str, Any], *, where: str = "recipe") -> "Recipe":
        """Check plain data and make a recipe of it."""
        return cls.model_validate(dict(data), context={"where": where})

    @classmethod
    def from_toml(cls, text: str, *, where: str = "recipe") -> "Recipe":
        """Read a recipe from TOML text."""
        return cls.from_dict(read_toml(text, where=where), where=where)

    @classmethod
    def from_file(cls, path: str | Path) -> "Recipe":
        """Read a recipe from a TOML file."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot read the recipe: {error.strerror}", where=str(path)) from None
        except UnicodeDecodeError:
            raise UserError("the recipe is not UTF-8 text", where=str(path)) from None
        return cls.from_toml(text, where=str(path))

    def with_options(self, options: Mapping[str, Any]) -> "Recipe":
        """Return a recipe with dotted options changed.

        Args:
            options: {"train.epochs": 100}; a text value is read as TOML where
                it can be, so "100" is a number. A name that holds dots is quoted
                as in TOML: 'kinds."sepal.length"'.

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
        return Recipe.from_dict(data, where="option")

    def to_dict(self) -> dict[str, Any]:
        """Return all options as plain data for JSON."""
        return self.model_dump(mode="json")

    def to_toml(self) -> str:
        """Return the complete recipe as TOML, each option with its meaning."""
        return render_toml(self)


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
    if path[:2] == ["encode", "columns"]:
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
