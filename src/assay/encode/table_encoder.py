"""A typed table to arrays, once for the whole table, with nothing fitted to rows.

Comes in: a table cast by its schema. Goes out: `Arrays`. The encoder knows which
columns there are and which levels exist, no statistics; those are fitted by each
member on its own training rows (`nn.inputs`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assay.encode.arrays import FIRST_LEVEL_CODE, MISSING_CODE, UNSEEN_CODE, Arrays
from assay.encode.datetime import DATE_PARTS, date_part
from assay.encode.features import (
    CategoricalFeature,
    NumericFeature,
    TextFeature,
    categorical_feature,
    feature_to_dict,
    numeric_feature,
)
from assay.encode.text import hash_ngrams
from assay.errors import UserError, did_you_mean
from assay.recipe import EncodeRecipe
from assay.schema import ColumnSpec, Kind, Schema
from assay.table import Table

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
    def fit(cls, table: Table, schema: Schema, recipe: EncodeRecipe) -> "TableEncoder":
        """Choose an encoding for each feature column.

        Args:
            table: Typed rows that members may learn from (no test rows).
            schema: Kinds of the columns.
            recipe: The section [encode].

        Raises:
            UserError: A choice that does not fit its column.
        """
        _check_columns(recipe, schema)
        numeric: list[NumericFeature] = []
        categorical: list[CategoricalFeature] = []
        text: list[TextFeature] = []
        for spec in schema.features:
            series = table.column(spec.name)
            if spec.kind == Kind.TEXT:
                text.append(TextFeature(spec.name, recipe.text_buckets))
            elif spec.kind in (Kind.CATEGORICAL, Kind.BOOLEAN):
                categorical.append(_categorical(series, recipe))
            else:
                numeric.extend(_numeric(series, spec, recipe))
        return cls(tuple(numeric), tuple(categorical), tuple(text))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that are read, each once."""
        numeric = [feature.column for feature in self.numeric]
        categorical = [feature.column for feature in self.categorical]
        text = [feature.column for feature in self.text]
        return tuple(dict.fromkeys(numeric + categorical + text))

    def transform(self, table: Table) -> Arrays:
        """Encode typed rows; see `Arrays` for shapes."""
        n_rows = table.n_rows
        numeric = np.empty((n_rows, len(self.numeric)), dtype=np.float32)
        for idx, feature in enumerate(self.numeric):
            numeric[:, idx] = _numbers(table.column(feature.column), feature)
        codes = np.empty((n_rows, len(self.categorical)), dtype=np.int32)
        for idx, level_feature in enumerate(self.categorical):
            codes[:, idx] = _codes(table.column(level_feature.column), level_feature.levels)
        blocks = [hash_ngrams(table.column(part.column), part.n_buckets) for part in self.text]
        text = np.concatenate(blocks, axis=1) if blocks else np.zeros((n_rows, 0), np.float32)
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


def _check_columns(recipe: EncodeRecipe, schema: Schema) -> None:
    for name in recipe.columns:
        if name not in schema:
            raise UserError(
                f"there is no column {name!r}",
                where="encode.columns",
                fix=did_you_mean(name, schema.names),
            )


def _numeric(series: pl.Series, spec: ColumnSpec, recipe: EncodeRecipe) -> list[NumericFeature]:
    has_missing = series.null_count() > 0
    if spec.kind == Kind.NUMERIC:
        n_unique = series.drop_nulls().n_unique()
        return [numeric_feature(spec.name, recipe, n_unique=n_unique, has_missing=has_missing)]
    features: list[NumericFeature] = []
    for part in DATE_PARTS:
        values = date_part(series, part)
        n_unique = len(np.unique(values[~np.isnan(values)]))
        if n_unique > 1:
            is_first = not features
            features.append(
                numeric_feature(
                    spec.name,
                    recipe,
                    part=part,
                    n_unique=n_unique,
                    has_missing=has_missing and is_first,
                )
            )
    return features


def _categorical(series: pl.Series, recipe: EncodeRecipe) -> CategoricalFeature:
    levels = tuple(sorted(series.drop_nulls().unique().to_list(), key=_natural))
    return categorical_feature(
        series.name, recipe, levels=levels, has_missing=series.null_count() > 0
    )


def _natural(level: str) -> tuple[int, float, str]:
    """Sort key: numbers in numeric order, then text."""
    try:
        number = float(level)
    except ValueError:
        return (1, 0.0, level)
    return (0, number, level) if np.isfinite(number) else (1, 0.0, level)


def _numbers(series: pl.Series, feature: NumericFeature) -> np.ndarray:
    if feature.part != "value":
        return date_part(series, feature.part)
    values = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    values = np.where(np.isinf(values), np.nan, values)  # infinite counts as missing
    return np.clip(values, -_LARGEST_NUMBER, _LARGEST_NUMBER).astype(np.float32)


def _codes(series: pl.Series, levels: tuple[str, ...]) -> np.ndarray:
    if series.null_count() == len(series):
        return np.full(len(series), MISSING_CODE, dtype=np.int32)
    index = {level: idx + FIRST_LEVEL_CODE for idx, level in enumerate(levels)}
    codes = series.replace_strict(index, default=UNSEEN_CODE, return_dtype=pl.Int32)
    if series.null_count():
        codes = codes.set(series.is_null(), MISSING_CODE)
    return codes.to_numpy()
