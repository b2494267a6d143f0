"""Feature specifications: how each column is encoded, decided before training.

A specification is static and travels in the model file. Whatever depends on
rows (centres, bins, which levels were seen) is not here but in the members.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
import polars as pl

from assay.encode.arrays import FIRST_LEVEL_CODE
from assay.errors import UserError
from assay.options import (
    CategoricalEncoding,
    CategoricalFill,
    ColumnEncoding,
    EncodeRecipe,
    NumericFill,
    NumericScale,
)
from assay.schema import Kind
from assay.toml_text import join_key

_FOREIGN = {  # choices for one column that have no meaning for a kind
    "numeric": ("encoding", "levels", "min_count"),
    "categorical": ("scale", "divisor", "bins", "clip"),
}
_ENCODED_AS = {
    Kind.NUMERIC: "numeric",
    Kind.DATETIME: "numeric",
    Kind.CATEGORICAL: "categorical",
    Kind.BOOLEAN: "categorical",
}
_MIN_EMBEDDED = 4  # rows of a level: 0.3-1.2 % lower log loss than 1 on three tables
_OFFSET_RATIO = 1e4  # float32 keeps 7 digits: beyond this ratio fewer than 3 are signal

T = TypeVar("T")
NumericPart = Literal["value", "elapsed", "year", "month", "day", "weekday", "hour", "minute"]


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
        fill_value: The number when `fill` is "constant", less `offset`.
        has_flag: Whether a 0/1 feature marks missing cells.
        offset: Subtracted in float64 before all else: float32 cannot tell apart
            numbers that are far from 0 and close to each other.
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
    offset: float = 0.0


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

    @cached_property
    def codes(self) -> dict[str, int]:
        """The code of each known level; kept from the first use on."""
        return level_codes(self.levels)


@dataclass(frozen=True)
class TextFeature:
    """The n-grams of a text column.

    Attributes:
        column: The column it comes from.
        n_buckets: Buckets that the n-grams are hashed into.
        n_ngrams: Most n-grams of a cell that are kept.
        n_bins: Bins of the piecewise-linear encoding of a text's scores; 0 for none.
    """

    column: str
    n_buckets: int
    n_ngrams: int
    n_bins: int


def numeric_feature(
    column: str,
    recipe: EncodeRecipe,
    *,
    part: NumericPart = "value",
    values: np.ndarray,
    has_missing: bool,
    n_bins: int,
) -> NumericFeature:
    """Decide how a numeric column is encoded.

    Args:
        column: Its name; `recipe.columns` may hold choices for it.
        recipe: The section [encode].
        part: Part of a date, or "value".
        values: Its finite values, float64: their range decides the offset, and as
            many bins as gaps between distinct ones are enough.
        has_missing: Whether cells are missing, which a flag would mark.
        n_bins: At the most, where the column has no choice of its own.

    Raises:
        UserError: A choice that does not fit numbers.
    """
    own = recipe.columns.get(column, ColumnEncoding())
    where = column_option(column)
    scale = _chosen(own.scale, recipe.scale)
    fill = _chosen(own.fill, recipe.fill)
    if fill == "none":
        raise UserError("fill = 'none' is for categorical columns", where=where)
    value = _chosen(own.fill_value, recipe.fill_value)
    if not isinstance(value, int | float):
        raise UserError(f"fill_value = {value!r} is not a number", where=where)
    if own.divisor == 0.0:
        raise UserError("divisor = 0 divides by zero", where=where)
    _check_used("divisor", own.divisor, where, needs=("scale", "divide"), found=scale)
    _check_used("fill_value", own.fill_value, where, needs=("fill", "constant"), found=fill)
    n_unique = pl.Series(values).n_unique()  # hashes, where NumPy would sort
    offset = _offset(values) if scale in ("robust", "standard", "minmax") else 0.0
    return NumericFeature(
        column=column,
        part=part,
        scale=scale,
        divisor=_chosen(own.divisor, 1.0),
        clip=_chosen(own.clip, recipe.clip),
        n_bins=min(_chosen(own.bins, n_bins), n_unique - 1) if n_unique > 2 else 0,
        fill=fill,
        fill_value=float(value) - offset,
        has_flag=has_missing and _chosen(own.missing_flag, recipe.missing_flag),
        offset=offset,
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
        UserError: A choice that does not fit levels, such as -1/+1 for three, or a
            list of levels of which the column has none.
    """
    own = recipe.columns.get(column, ColumnEncoding())
    where = column_option(column)
    fill = _chosen(own.fill, recipe.categorical_fill)
    if fill == "median" or fill == "mean":
        raise UserError(f"fill = {fill!r} is for numeric columns", where=where)
    _check_used("fill_value", own.fill_value, where, needs=("fill", "constant"), found=fill)
    ordered = levels if own.levels is None else _checked_levels(own.levels, levels, where)
    filler = _level_name(own.fill_value) if fill == "constant" else ""
    if fill == "constant" and not filler:
        option = column_option(column, "fill_value")
        raise UserError(
            "fill = 'constant' needs a fill_value, which names the level",
            where=where if own.fill else "encode.categorical_fill",
            fix=f'Set {option}, or fill = "none" or "mode"',
        )
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
        min_count=_min_count(own.min_count or recipe.min_count, encoding),
        fill=fill,
        fill_value=filler,
        has_flag=has_missing and fill == "none" and _chosen(own.missing_flag, recipe.missing_flag),
    )


def check_fill_value(recipe: EncodeRecipe) -> None:
    """Refuse a number for filling gaps that no column would be filled with.

    Raises:
        UserError: `fill_value` was chosen, and everything is filled otherwise.
    """
    takes_it = (own.fill for own in recipe.columns.values() if own.fill_value is None)
    if "constant" not in (recipe.fill, *takes_it):
        chosen = None if recipe.fill_value == EncodeRecipe().fill_value else recipe.fill_value
        needs = ("fill", "constant")
        _check_used("fill_value", chosen, "encode", needs=needs, found=recipe.fill)


def check_choices(column: str, recipe: EncodeRecipe, *, kind: Kind) -> None:
    """Refuse choices that a column of this kind has no use for.

    Raises:
        UserError: `recipe.columns` has one for this column; it would be ignored.
    """
    chosen = recipe.columns.get(column, ColumnEncoding()).model_dump(exclude_none=True)
    for name in chosen:
        owners = [owner for owner, others in _FOREIGN.items() if name not in others]
        if _ENCODED_AS.get(kind) in owners:
            continue
        wanted = " or ".join(f'"{owner}"' for owner in owners)
        raise UserError(
            f"{name} is for {' and '.join(owners)} columns, this one is {kind.value}",
            where=column_option(column),
            fix=f"Declare {join_key(['kinds', column])} = {wanted}, or leave {name} out",
        )


def column_option(column: str, *option: str) -> str:
    """Return the name of a column's choices, or of one of them.

    Example:
        >>> column_option("my col", "fill")
        'encode.columns."my col".fill'
    """
    return join_key(["encode", "columns", column, *option])


def list_names(names: Sequence[str]) -> str:
    """Return up to five names in quotes, and how many more there are.

    Example:
        >>> list_names(["a", "b", "c", "d", "e", "f"])
        "'a', 'b', 'c', 'd', 'e' and 1 more"
    """
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(repr(name) for name in names[:5]) + more


def level_codes(levels: Sequence[str]) -> dict[str, int]:
    """Return the code of each known level."""
    return {level: idx + FIRST_LEVEL_CODE for idx, level in enumerate(levels)}


def feature_to_dict(
    feature: NumericFeature | CategoricalFeature | TextFeature,
) -> dict[str, Any]:
    """Return plain data for JSON."""
    # Flat: `asdict` takes ten times as long.
    return {field.name: getattr(feature, field.name) for field in fields(feature)}


def _check_used(
    name: str, value: object, where: str, *, needs: tuple[str, str], found: str
) -> None:
    """Refuse a choice that another one makes idle."""
    option, wanted = needs
    if value is not None and found != wanted:
        raise UserError(
            f"{name} = {value!r} has no use with {option} = {found!r}",
            where=where,
            fix=f'Set {option} = "{wanted}", or leave {name} out',
        )


def _checked_levels(given: tuple[str, ...], levels: tuple[str, ...], where: str) -> tuple[str, ...]:
    twice = [level for idx, level in enumerate(given) if level in given[:idx]]
    if twice:
        raise UserError(f"levels names {twice[0]!r} twice", where=where)
    if levels and set(given).isdisjoint(levels):
        raise UserError(
            f"levels = {list(given[:5])} has none of the column's levels",
            where=where,
            fix=f"The column holds {list_names(levels)}",
        )
    return given


def _level_name(value: str | float | None) -> str:
    """Write a level given as a number as levels are written: 3, not 3.0."""
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _offset(values: np.ndarray) -> float:
    """Return the middle of numbers that are close to each other and far from 0, else 0."""
    if not len(values):
        return 0.0
    low, high = float(values.min()), float(values.max())
    width = high - low
    is_far = 0.0 < width < max(abs(low), abs(high)) / _OFFSET_RATIO
    return low + width / 2 if is_far else 0.0


def _chosen(own: T | None, default: T) -> T:
    return default if own is None else own


def _min_count(chosen: Literal["auto"] | int, encoding: CategoricalEncoding) -> int:
    if chosen != "auto":
        return chosen
    return _MIN_EMBEDDED if encoding == "embedding" else 1


def _automatic_encoding(n_levels: int, max_one_hot: int) -> CategoricalEncoding:
    if n_levels <= 2:
        return "plus_minus"
    return "one_hot" if n_levels <= max_one_hot else "embedding"
