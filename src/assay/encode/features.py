"""Feature specifications: how each column is encoded, decided before training.

A specification is static and travels in the model file. Whatever depends on
rows (centres, bins, which levels were seen) is not here but in the members.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar

from assay.errors import UserError
from assay.recipe import (
    CategoricalEncoding,
    CategoricalFill,
    ColumnEncoding,
    EncodeRecipe,
    NumericFill,
    NumericScale,
)

T = TypeVar("T")
NumericPart = Literal["value", "elapsed", "year", "month", "day", "weekday", "hour"]


@dataclass(frozen=True)
class NumericFeature:
    """One number per row, from a numeric column or a part of a date.

    Attributes:
        column: The column it comes from.
        part: "value", or the part of a date.
        scale: How it is centred and scaled; see `nn.numeric`.
        divisor: The divisor when `scale` is "divide".
        clip: Whether the scaled number is squashed into (-3, 3).
        n_bins: Bins of the piecewise-linear encoding; 0 for none.
        fill: What replaces a missing number, fitted on each member's rows.
        fill_value: The number when `fill` is "constant".
        has_flag: Whether a 0/1 feature marks missing cells.
    """

    column: str
    part: NumericPart
    scale: NumericScale
    divisor: float
    clip: bool
    n_bins: int
    fill: NumericFill
    fill_value: float
    has_flag: bool


@dataclass(frozen=True)
class CategoricalFeature:
    """One level per row.

    Attributes:
        column: The column it comes from.
        levels: Known levels; their order gives the codes.
        encoding: One of the encodings but "auto".
        width: Numbers per level of an embedding.
        min_count: Levels with fewer training rows are pooled as rare.
        fill: What a missing level becomes, fitted on each member's rows.
        fill_value: The level when `fill` is "constant".
        has_flag: Whether missing is a state of its own rather than "no level".
    """

    column: str
    levels: tuple[str, ...]
    encoding: CategoricalEncoding
    width: int
    min_count: int
    fill: CategoricalFill
    fill_value: str
    has_flag: bool

    @property
    def has_rare(self) -> bool:
        """Whether rare and unseen levels share a state."""
        return self.min_count > 1


@dataclass(frozen=True)
class TextFeature:
    """Hashed character n-grams of a text column: `n_buckets` numbers per row."""

    column: str
    n_buckets: int


def numeric_feature(
    column: str,
    recipe: EncodeRecipe,
    *,
    part: NumericPart = "value",
    n_unique: int,
    has_missing: bool,
) -> NumericFeature:
    """Decide how a numeric column is encoded.

    Args:
        column: Its name; `recipe.columns` may hold choices for it.
        recipe: The section [encode].
        part: Part of a date, or "value".
        n_unique: Distinct values; as many bins as gaps between them are enough.
        has_missing: Whether cells are missing, which a flag would mark.

    Raises:
        UserError: A choice that does not fit numbers.
    """
    own = recipe.columns.get(column, ColumnEncoding())
    where = f"encode.columns.{column}"
    if own.encoding is not None or own.levels is not None:
        raise UserError(
            "encoding and levels are for categorical columns",
            where=where,
            fix=f'Declare kinds.{column} = "categorical", or use scale',
        )
    fill = _chosen(own.fill, recipe.fill)
    if fill == "none":
        raise UserError("fill = 'none' is for categorical columns", where=where)
    value = _chosen(own.fill_value, recipe.fill_value)
    if not isinstance(value, int | float):
        raise UserError(f"fill_value = {value!r} is not a number", where=where)
    divisor = _chosen(own.divisor, 1.0)
    if divisor == 0.0:
        raise UserError("divisor = 0 divides by zero", where=where)
    bins = _chosen(own.bins, recipe.bins)
    return NumericFeature(
        column=column,
        part=part,
        scale=_chosen(own.scale, recipe.scale),
        divisor=float(divisor),
        clip=_chosen(own.clip, recipe.clip),
        n_bins=min(bins, max(n_unique - 1, 0)) if n_unique > 2 else 0,
        fill=fill,
        fill_value=float(value),
        has_flag=has_missing and _chosen(own.missing_flag, recipe.missing_flag),
    )


def categorical_feature(
    column: str, recipe: EncodeRecipe, *, levels: tuple[str, ...], has_missing: bool
) -> CategoricalFeature:
    """Decide how a categorical column is encoded.

    Args:
        column: Its name; `recipe.columns` may hold choices for it.
        recipe: The section [encode].
        levels: Distinct levels, sorted; the recipe may fix another order.
        has_missing: Whether cells are missing.

    Raises:
        UserError: A choice that does not fit levels, such as -1/+1 for three.
    """
    own = recipe.columns.get(column, ColumnEncoding())
    where = f"encode.columns.{column}"
    if own.scale is not None or own.divisor is not None:
        raise UserError(
            "scale and divisor are for numeric columns",
            where=where,
            fix=f'Declare kinds.{column} = "numeric", or use encoding',
        )
    fill = _chosen(own.fill, recipe.categorical_fill)
    if fill == "median" or fill == "mean":
        raise UserError(f"fill = {fill!r} is for numeric columns", where=where)
    ordered = own.levels if own.levels is not None else levels
    filler = str(_chosen(own.fill_value, "")) if fill == "constant" else ""
    if filler and filler not in ordered:
        ordered = (*ordered, filler)
    encoding = _chosen(own.encoding, recipe.categorical)
    if encoding == "auto":
        encoding = _automatic_encoding(len(ordered), recipe.max_one_hot)
    if encoding == "plus_minus" and len(ordered) > 2:
        raise UserError(
            f"-1/+1 needs two levels, column {column!r} has {len(ordered)}",
            where=where,
            fix="Use one_hot, label or embedding",
        )
    return CategoricalFeature(
        column=column,
        levels=ordered,
        encoding=encoding,
        width=recipe.embedding_width,
        min_count=_chosen(own.min_count, recipe.min_count),
        fill=fill,
        fill_value=filler,
        has_flag=has_missing and fill == "none" and _chosen(own.missing_flag, recipe.missing_flag),
    )


def feature_to_dict(
    feature: NumericFeature | CategoricalFeature | TextFeature,
) -> dict[str, Any]:
    """Return plain data for JSON."""
    return asdict(feature)


def _chosen(own: T | None, default: T) -> T:
    return default if own is None else own


def _automatic_encoding(n_levels: int, max_one_hot: int) -> CategoricalEncoding:
    if n_levels <= 2:
        return "plus_minus"
    return "one_hot" if n_levels <= max_one_hot else "embedding"
