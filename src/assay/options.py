"""The sections of a recipe: each option with its range, unit and default.

`recipe` puts them together; every floor above reads its own section.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from assay.amounts import MemoryText, SizeText, TimeText, parse_duration, parse_size
from assay.rules import parse_abstention, parse_threshold
from assay.toml_text import plain_value

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
OptimizerName = Literal["sgd", "adam", "adamw", "muon", "rmsprop", "adagrad", "adadelta"]
ScheduleName = Literal[
    "constant", "linear", "cosine", "step", "exponential", "one_cycle", "flat_cosine", "coslog4"
]
CandidateName = Literal["logistic", "boosting"]
Prefer = Literal["accuracy", "simple", "network", "boosting", "logistic"]
Metric = Literal[
    "log_loss",
    "brier",
    "accuracy",
    "balanced_accuracy",
    "f1_macro",
    "matthews",
    "auroc",
    "average_precision",
]
NumericScale = Literal["robust", "standard", "minmax", "divide", "none"]
CategoricalEncoding = Literal[
    "auto", "one_hot", "one_hot_drop_first", "label", "plus_minus", "embedding"
]
NumericFill = Literal["median", "mean", "mode", "constant"]
CategoricalFill = Literal["none", "mode", "constant"]


_FEW_ROWS = 3_000  # up to here the folds are drawn twice: more networks to average
_MANY_ROWS = 20_000  # above, wider networks


class Section(BaseModel):
    """Base of every section: immutable, and an unknown key or a wrong type is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, data: Any) -> Any:
        return plain_value(data)


def is_stored(info: ValidationInfo) -> bool:
    """Whether a recipe comes out of a model file: what has no use there does no harm."""
    return bool(info.context and info.context.get("is_stored"))


class ReadRecipe(Section):
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
    max_bytes: SizeText = Field("", description="largest table, unpacked; empty: half the memory")
    max_columns: PositiveInt = Field(200_000, description="most columns that a table may have")
    max_time: TimeText = Field("10m", description="longest that a query of a database may take")


class SplitRecipe(Section):
    """Who trains on which rows, and which rows test."""

    folds: Annotated[int, Field(ge=0)] = Field(
        5, description="parts of the cross-fit; 0: no folds, see members and validation_share"
    )
    repeats: Auto | PositiveInt = Field(
        "auto",
        description="times the folds are drawn anew; members = both; "
        "auto: 2 up to 3,000 rows, else 1",
    )
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

    def n_repeats(self, n_rows: int) -> int:
        """Return how often the folds are drawn for a table of `n_rows` rows.

        Few rows make members differ, and many small networks cost little there; see
        docs/engine.md for what each choice gave. Folds by time are the same each time.
        """
        if self.repeats != "auto":
            return self.repeats
        if self.time:
            return 1
        return 2 if n_rows <= _FEW_ROWS else 1


class ColumnEncoding(Section):
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


class EncodeRecipe(Section):
    """How columns become numbers. All fitted values are each member's own."""

    scale: NumericScale = Field("robust", description="scaling of numeric columns")
    clip: bool = Field(True, description="squash scaled numbers smoothly into (-3, 3)")
    bins: Annotated[int, Field(ge=0, le=256)] | Auto = Field(
        "auto",
        description="quantile bins of a number; auto: 16, up to 64 for few in many rows, none in "
        "every second repeat of 201 to 1,000 rows where no column has its own; 0: none",
    )
    max_total_bins: Annotated[int, Field(ge=0)] = Field(
        8192, description="bins of all numbers and scores of texts together: many get fewer each"
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
    min_count: Auto | PositiveInt = Field(
        "auto",
        description="levels with fewer training rows than this are pooled as rare; "
        "auto: 4 for an embedding, else 1",
    )
    text_buckets: Annotated[int, Field(ge=8, le=65535)] = Field(
        16_384, description="hash buckets of the words and letter n-grams of a text column"
    )
    text_ngrams: Annotated[int, Field(ge=8, le=65535)] = Field(
        1024, description="most n-grams of a text that are kept, an even sample of more"
    )
    columns: dict[str, ColumnEncoding] = Field({}, description="choices for single columns")


class ModelRecipe(Section):
    """What is shipped, and the network each member is."""

    candidates: tuple[CandidateName, ...] = Field(
        ("logistic", "boosting"),
        description="simpler models to fit on the same folds, to compare and to blend with",
    )
    prefer: Prefer = Field(
        "accuracy",
        description="what ships: accuracy: the blend or its best part, by log loss; simple: the "
        "simplest within one standard error of the best; or network, boosting, logistic",
    )
    hidden: Auto | tuple[PositiveInt, ...] = Field(
        "auto",
        description="widths of hidden layers; auto: 3 of 128 up to 20,000 rows, else 3 of 256",
    )
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

    @model_validator(mode="after")
    def _check(self, info: ValidationInfo) -> "ModelRecipe":
        if len(set(self.candidates)) < len(self.candidates) and not is_stored(info):
            raise ValueError(f"candidates = {list(self.candidates)} names one twice")
        return self

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the hidden layers; "auto" as for few rows."""
        return (128,) * 3 if self.hidden == "auto" else self.hidden

    def settled(self, n_rows: int) -> "ModelRecipe":
        """Return the same choices with the widths for a table of `n_rows` rows."""
        if self.hidden == "auto" and n_rows > _MANY_ROWS:
            return self.model_copy(update={"hidden": (256,) * 3})
        return self


class TrainRecipe(Section):
    """How the population learns."""

    epochs: Auto | PositiveInt = Field("auto", description="passes over the training rows")
    batch_size: Auto | PositiveInt = Field("auto", description="rows per step")
    optimizer: Auto | OptimizerName = Field("auto", description="auto: muon, adamw to 500 rows")
    learning_rate: Annotated[float, Field(gt=0.0)] = Field(0.04, description="peak step size")
    momentum: Share = Field(0.0, description="for sgd and rmsprop only")
    nesterov: bool = Field(False, description="for sgd with momentum")
    beta1: Share = Field(0.9, description="for adam, adamw and muon")
    beta2: Share = Field(0.95, description="for adam, adamw and muon")
    weight_decay: NonNegative = Field(
        0.02, description="shrinks weights, not biases; adamw: apart from the gradient"
    )
    schedule: ScheduleName = Field("coslog4", description="course of the learning rate")
    bias_rate: NonNegative = Field(0.1, description="factor of the learning rate for biases")
    scale_rate: Auto | NonNegative = Field(
        "auto", description="the same for the input scale; auto: 6 up to 3,000 rows, else 40"
    )
    hold_then_fade: bool = Field(True, description="fade dropout and decay to 0 from half-time on")
    label_smoothing: Share = Field(0.0, description="probability spread over the other classes")
    class_weight: Literal["none", "balanced"] = Field("none", description="weight of classes")
    sample_weight: str = Field("", description="column with a weight for each row")
    keep: Literal["best", "last"] = Field(
        "best",
        description="each member's epoch to keep, by calibrated validation log loss; where the "
        "schedule has cycles and patience is auto or 0, one that ends a cycle",
    )
    patience: Auto | Annotated[int, Field(ge=0)] = Field(
        "auto",
        description="stop when no member improved for this many epochs; 0: never; auto: after a "
        "cycle of the schedule that brought nothing, or 20 epochs; with keep = best only",
    )
    drop_last: bool = Field(False, description="leave out the last batch when it is not full")
    time: TimeText = Field(
        "",
        description="budget for the whole work, such as 90s, 10m or 1h30m; the result then "
        "depends on the machine's speed",
    )
    memory: MemoryText = Field(
        "",
        description="budget for the machine's memory (not a GPU's) at its peak, such as 500M, "
        "4G or 2GiB; what is left out to keep it, and so the result, may depend on the machine",
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:1")
    record_steps: bool = Field(True, description="on a GPU: record a step, then replay it whole")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of products; all but float32 may round to bfloat16, on a GPU to TF32"
    )

    @model_validator(mode="after")
    def _check(self, info: ValidationInfo) -> "TrainRecipe":
        if self.nesterov and (self.optimizer != "sgd" or self.momentum == 0.0):
            raise ValueError("nesterov needs optimizer = 'sgd' and momentum above 0")
        if not self.device:
            raise ValueError("device = '' names none: auto, cpu, cuda or cuda:1")
        if is_stored(info):
            return self
        if self.momentum and self.optimizer not in ("sgd", "rmsprop"):
            raise ValueError(f"momentum = {self.momentum} needs optimizer = 'sgd' or 'rmsprop'")
        if self.keep == "last" and self.patience not in ("auto", 0):
            raise ValueError(f"patience = {self.patience} needs keep = 'best'")
        return self

    @property
    def time_s(self) -> float | None:
        """The budget of time in seconds, or None."""
        return parse_duration(self.time) if self.time else None

    @property
    def memory_bytes(self) -> int | None:
        """The budget of memory in bytes, or None."""
        return parse_size(self.memory) if self.memory else None


class EvaluateRecipe(Section):
    """How results are judged."""

    calibration: Literal["temperature", "vector", "none"] = Field(
        "temperature", description="on out-of-fold predictions; vector: by class, of many rows"
    )
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = Field(
        0.95, description="coverage of intervals"
    )
    bootstrap: Annotated[int, Field(ge=100, le=100_000)] = Field(
        1000, description="resamples behind an interval"
    )
    findings: bool = Field(
        True, description="look for leaks, copies, groups and the like in the table, and warn"
    )
    importance: bool = Field(True, description="measure which columns matter, and how")
    metric: Metric = Field(
        "log_loss", description="what candidates are compared by; what ships is chosen by log loss"
    )


def _checked_threshold(text: str) -> str:
    return str(parse_threshold(text))


def _checked_abstention(text: str) -> str:
    return str(parse_abstention(text))


class DecideRecipe(Section):
    """What is decided from probabilities, and how sure it must be."""

    threshold: Annotated[str, AfterValidator(_checked_threshold)] = Field(
        "auto",
        description="one class against the rest, by f1, youden, balanced_accuracy, "
        "precision>=0.9, recall>=0.8 or top 5%; none; auto: f1 where there are two classes",
    )
    positive: str = Field(
        "", description="the class that the threshold is for; the rarer of two when empty"
    )
    cost: dict[str, dict[str, float]] = Field(
        {}, description="cost.TRUE.DECIDED: what it costs; being right costs 0 where not given"
    )
    coverage: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.9, description="share of rows whose set of classes shall hold the true one, in (0, 1)"
    )
    each_class: Auto | bool = Field(
        "auto", description="keep the coverage in each class; auto: where one of two is rare"
    )
    abstain: Annotated[str, AfterValidator(_checked_abstention)] = Field(
        "accuracy>=0.95",
        description="who gets a label: as many of the surest rows as keep accuracy>=0.95 or "
        "fill answered>=0.8; or those with probability>=0.8, cost<=2, or a set of one class: set",
    )
    priors: dict[str, Annotated[float, Field(gt=0.0, lt=1.0)]] = Field(
        {}, description="shares of the classes where the model will be used, if they differ"
    )


class PredictRecipe(Section):
    """What the finished model tolerates."""

    missing_columns: Literal["error", "fill"] = Field(
        "error", description="a column absent from a new table: an error, or all missing"
    )
    invalid: Literal["error", "missing"] = Field(
        "error", description="a cell of a new table that does not fit its column's kind"
    )
