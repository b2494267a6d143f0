"""A typed table to arrays, once for the whole table, with nothing fitted to rows.

Comes in: a table cast by its schema. Goes out: `Arrays`. The encoder knows which
columns there are and which levels exist, no statistics; those are fitted by each
member on its own training rows (`nn.numeric` and `nn.categorical`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl

from assay.encode.arrays import MISSING_CODE, UNSEEN_CODE, Arrays, code_type
from assay.encode.datetime import DATE_PARTS, date_part
from assay.encode.decisions import tell_categorical, tell_numeric, tell_text
from assay.encode.features import (
    CategoricalFeature,
    NumericFeature,
    NumericPart,
    TextFeature,
    categorical_feature,
    check_choices,
    check_fill_value,
    feature_to_dict,
    level_codes,
    numeric_feature,
)
from assay.encode.target import class_codes
from assay.encode.text import count_ngrams, hash_ngrams
from assay.encode.width import USUAL_BINS, finest_bins, narrow_bins, share_bins
from assay.errors import UserError, did_you_mean
from assay.ledger import Ledger
from assay.options import EncodeRecipe
from assay.schema import ColumnSpec, Kind, Schema
from assay.table import Table

_MOST_CELLS = 1 << 20  # that are encoded in one go, 8 MB
_LOOKED_UP_ROWS = 64  # up to here Python finds levels sooner than Polars
_LARGEST_NUMBER = 1e30  # numbers stop here, so that differences of two are finite float32


@dataclass(frozen=True)
class TableEncoder:
    """How a typed table becomes arrays.

    Attributes:
        numeric: One for each column of `Arrays.numeric`.
        categorical: One for each column of `Arrays.codes`.
        text: Blocks of `Arrays.text`, in order.
    """

    numeric: tuple[NumericFeature, ...]
    categorical: tuple[CategoricalFeature, ...]
    text: tuple[TextFeature, ...]

    @classmethod
    def fit(
        cls,
        table: Table,
        schema: Schema,
        recipe: EncodeRecipe,
        ledger: Ledger,
        *,
        n_classes: int = 2,
    ) -> "TableEncoder":
        """Choose an encoding for each feature column.

        Args:
            table: Typed rows that members may learn from (no test rows).
            schema: Kinds of the columns.
            recipe: The section [encode].
            ledger: Told of gaps that are filled, of rare levels, of levels that a
                given list leaves out, and of fewer bins for a wide table.
            n_classes: C of the target: the more, the more scores has a text.

        Raises:
            UserError: A choice that does not fit its column.
        """
        _check_choices(recipe, schema)
        n_bins = finest_bins(table.n_rows) if recipe.bins == "auto" else recipe.bins
        numeric: list[NumericFeature] = []
        categorical: list[CategoricalFeature] = []
        text: list[TextFeature] = []
        for spec in schema.features:
            series = table.column(spec.name)
            if spec.kind == Kind.TEXT:
                text.append(_text(series, recipe, ledger))
            elif spec.kind in (Kind.CATEGORICAL, Kind.BOOLEAN):
                categorical.append(_categorical(series, recipe))
                tell_categorical(series, categorical[-1], ledger)
            else:
                parts = _numeric(series, spec, recipe, n_bins)
                numeric.extend(parts)
                tell_numeric(series, parts, ledger)
        fixed = {name for name, own in recipe.columns.items() if own.bins is not None}
        if recipe.bins == "auto":
            numeric = share_bins(numeric, fixed=fixed)
        numeric, text = narrow_bins(
            numeric,
            text,
            n_scores=class_codes(n_classes).shape[1],
            max_total=recipe.max_total_bins,
            fixed=fixed,
            ledger=ledger,
        )
        return cls(tuple(numeric), tuple(categorical), tuple(text))

    def transform(self, table: Table, *, gives_up: bool = False) -> Arrays:
        """Encode typed rows; see `Arrays` for shapes.

        Args:
            table: N typed rows.
            gives_up: Whether `table` loses its cells as they are encoded, which saves
                memory.
        """
        n_rows = table.n_rows
        take = table.give_up().pop if gives_up else table.column
        numeric = np.empty((n_rows, len(self.numeric)), dtype=np.float32)
        for columns in _together(self.numeric, n_rows):
            own = self.numeric[columns]
            if own[0].part == "value":
                numeric[:, columns] = _numbers([take(one.column) for one in own], own)
                continue
            dates = take(own[0].column)
            for idx, part_feature in enumerate(own, start=columns.start):
                numeric[:, idx : idx + 1] = _numbers([dates], [part_feature])
        n_levels = max((len(feature.levels) for feature in self.categorical), default=0)
        codes = np.empty((n_rows, len(self.categorical)), dtype=code_type(n_levels))
        for idx, feature in enumerate(self.categorical):
            codes[:, idx] = _codes(take(feature.column), feature)
        blocks = [
            hash_ngrams(take(part.column), part.n_buckets, part.n_ngrams) for part in self.text
        ]
        text = np.concatenate(blocks, axis=1) if blocks else np.zeros((n_rows, 0), np.uint16)
        return Arrays(numeric=numeric, codes=codes, text=text)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "numeric": [feature_to_dict(feature) for feature in self.numeric],
            "categorical": [feature_to_dict(feature) for feature in self.categorical],
            "text": [feature_to_dict(feature) for feature in self.text],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "TableEncoder":
        """Rebuild from `to_dict`."""
        return cls(
            numeric=tuple(NumericFeature(**item) for item in data["numeric"]),
            categorical=tuple(
                CategoricalFeature(**{**item, "levels": tuple(item["levels"])})
                for item in data["categorical"]
            ),
            text=tuple(TextFeature(**item) for item in data["text"]),
        )


def _check_choices(recipe: EncodeRecipe, schema: Schema) -> None:
    for name in recipe.columns:
        if name not in schema:
            raise UserError(
                f"there is no column {name!r}",
                where="encode.columns",
                fix=did_you_mean(name, schema.names),
            )
        check_choices(name, recipe, kind=schema[name].kind)
    check_fill_value(recipe)


def _numeric(
    series: pl.Series, spec: ColumnSpec, recipe: EncodeRecipe, n_bins: int
) -> list[NumericFeature]:
    has_missing = series.null_count() > 0
    parts: tuple[NumericPart, ...] = ("value",) if spec.kind == Kind.NUMERIC else DATE_PARTS
    features: list[NumericFeature] = []
    for part in parts:
        values = _values(series, part)
        values = values[~np.isnan(values)]
        if part != "value" and (not len(values) or values.min() == values.max()):
            continue
        is_first = not features
        feature = numeric_feature(
            spec.name,
            recipe,
            part=part,
            values=values,
            has_missing=has_missing and is_first,
            n_bins=n_bins,
        )
        features.append(feature)
    return features


def _categorical(series: pl.Series, recipe: EncodeRecipe) -> CategoricalFeature:
    levels = tuple(sorted(series.drop_nulls().unique().to_list(), key=_natural))
    return categorical_feature(
        series.name, recipe, levels=levels, has_missing=series.null_count() > 0
    )


def _text(series: pl.Series, recipe: EncodeRecipe, ledger: Ledger) -> TextFeature:
    n_needed = count_ngrams(series, recipe.text_buckets)
    n_kept = min(n_needed, recipe.text_ngrams)
    n_bins = USUAL_BINS if recipe.bins == "auto" else recipe.bins
    feature = TextFeature(series.name, recipe.text_buckets, n_kept, n_bins)
    tell_text(series, feature, n_needed, ledger)
    return feature


def _natural(level: str) -> tuple[int, float, str]:
    """Sort key: numbers in numeric order, then text."""
    try:
        number = float(level)
    except ValueError:
        return (1, 0.0, level)
    return (0, number, level) if np.isfinite(number) else (1, 0.0, level)


def _together(features: Sequence[NumericFeature], n_rows: int) -> Iterator[slice]:
    """Yield which features go together: some numbers, or the parts of one date."""
    most = max(_MOST_CELLS // max(n_rows, 1), 1)

    def block(idx: int) -> tuple[str, int]:
        is_number = features[idx].part == "value"
        return ("", idx // most) if is_number else (features[idx].column, -1)

    for _, group in groupby(range(len(features)), block):
        idx = list(group)
        yield slice(idx[0], idx[-1] + 1)


def _numbers(cells: Sequence[pl.Series], features: Sequence[NumericFeature]) -> np.ndarray:
    """Return the numbers of F features, each of its own column, (N, F), float64."""
    values = np.empty((len(cells), len(cells[0])))
    for own, series, feature in zip(values, cells, features, strict=True):
        own[:] = _values(series, feature.part)
    values -= np.array([feature.offset for feature in features])[:, None]
    return np.clip(values, -_LARGEST_NUMBER, _LARGEST_NUMBER, out=values).T


def _values(series: pl.Series, part: NumericPart) -> np.ndarray:
    """Return numbers or a part of dates, shape (N,), float64, NaN where missing."""
    if part != "value":
        return date_part(series, part)
    numbers = series if series.dtype == pl.Float64 else series.cast(pl.Float64)
    values: np.ndarray = numbers.to_numpy()  # NaN where null
    is_infinite = np.isinf(values)
    return np.where(is_infinite, np.nan, values) if is_infinite.any() else values


def _codes(series: pl.Series, feature: CategoricalFeature) -> np.ndarray:
    """Return the code of each level, shape (N,), int32."""
    if len(series) <= _LOOKED_UP_ROWS:
        known = feature.codes  # kept: whoever asks for few rows asks again
        own = [MISSING_CODE if level is None else known.get(level, UNSEEN_CODE) for level in series]
        return np.array(own, dtype=np.int32)
    if series.null_count() == len(series):
        return np.full(len(series), MISSING_CODE, dtype=np.int32)
    known = level_codes(feature.levels)
    codes = series.replace_strict(known, default=UNSEEN_CODE, return_dtype=pl.Int32)
    if series.null_count():
        codes = codes.set(series.is_null(), MISSING_CODE)
    return codes.to_numpy()
