"""Columns with a role: groups, time and weights, as arrays."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.errors import UserError
from assay.ledger import Ledger
from assay.read.cast import apply_schema, canonical_levels
from assay.read.kinds import infer_schema
from assay.recipe import Recipe
from assay.schema import Kind
from assay.table import Table

_KEPT = (1e-6, 1e6)  # where the largest weight may lie: squares and sums fit into float32


@dataclass(frozen=True)
class Roles:
    """What the rows are besides features.

    Attributes:
        names: Columns that have a role, and which; they feed no network.
        groups: Shape (N,), int64, equal for rows that stay together, or None.
        time: Shape (N,), float64, later is larger, or None.
        weight: Shape (N,), float32, positive or 0, or None for all 1. Only ratios matter.
    """

    names: Mapping[str, str]
    groups: np.ndarray | None = None
    time: np.ndarray | None = None
    weight: np.ndarray | None = None


def named_roles(recipe: Recipe) -> dict[str, str]:
    """Return the columns that the recipe gives a role, and which.

    Example:
        >>> named_roles(Recipe.from_dict({"split": {"group": "patient"}}))
        {'patient': 'group'}
    """
    named = {
        recipe.split.group: "group",
        recipe.split.time: "time",
        recipe.train.sample_weight: "sample weight",
    }
    return {name: role for name, role in named.items() if name}


def read_roles(table: Table, recipe: Recipe) -> Roles:
    """Return the arrays of the columns that the recipe gives a role.

    Raises:
        UserError: No such column, a missing cell, or a cell that is no number
            (weights) or neither number nor date (time).
    """
    group, time, weight = recipe.split.group, recipe.split.time, recipe.train.sample_weight
    names = named_roles(recipe)
    if recipe.target in names:
        raise UserError(
            f"{recipe.target!r} is the target",
            where=names[recipe.target],
            fix="Name another column",
        )
    return Roles(
        names=names,
        groups=_groups(table, group, recipe.read.missing) if group else None,
        time=_ordered(table, time, recipe) if time else None,
        weight=_weights(table, weight) if weight else None,
    )


def group_numbers(table: Table, recipe: Recipe) -> np.ndarray | None:
    """Return the group of each row of a table to test on, (N,); None where it names none."""
    name = recipe.split.group
    return _groups(table, name, recipe.read.missing) if name and name in table.names else None


def _groups(table: Table, name: str, missing: Collection[str]) -> np.ndarray:
    levels = canonical_levels(table.column(name), missing)
    _check_complete(levels, name, table.source, option="split.group")
    return levels.rank("dense").to_numpy().astype(np.int64)


def _ordered(table: Table, name: str, recipe: Recipe) -> np.ndarray:
    own = table.with_frame(table.frame.select(table.column(name)))
    plain = recipe.model_copy(update={"kinds": {}, "drop": ()})
    typed_schema = infer_schema(own, plain, Ledger())
    column = apply_schema(own, typed_schema, plain, is_training=True).column(name)
    _check_complete(column, name, table.source, option="split.time")
    if typed_schema[name].kind == Kind.DATETIME:
        return column.dt.epoch("us").cast(pl.Float64).to_numpy()
    numbers = column.cast(pl.Float64, strict=False)
    if numbers.null_count():
        raise UserError(
            f"column {name!r} holds neither numbers nor dates",
            where=f"{table.source}, split.time",
            fix="Name a column that orders the rows in time",
        )
    return numbers.to_numpy()


def _weights(table: Table, name: str) -> np.ndarray:
    column = table.column(name)
    if column.dtype == pl.String:
        column = column.str.strip_chars()
    weight = column.cast(pl.Float64, strict=False)
    is_bad = weight.is_null() | ~weight.is_finite() | (weight < 0)
    if is_bad.any():
        row_idx = int(is_bad.arg_true()[0])
        raise UserError(
            f"{table.column(name)[row_idx]!r} is no weight",
            where=f"{table.source}, row {row_idx + 1}, column {name!r}",
            fix="Weights are finite numbers of at least 0",
        )
    values = weight.to_numpy()
    largest = values.max(initial=0.0)
    if not largest > 0.0:
        raise UserError("all weights are 0", where=f"{table.source}, column {name!r}")
    if not _KEPT[0] <= largest <= _KEPT[1]:
        values = values / largest  # as float32 they might be infinite or 0
    return values.astype(np.float32)  # a copy: PyTorch wants it writable


def _check_complete(column: pl.Series, name: str, source: str, *, option: str) -> None:
    if column.null_count():
        row_idx = int(column.is_null().arg_true()[0])
        raise UserError(
            "the cell is empty",
            where=f"{source}, row {row_idx + 1}, column {name!r} ({option})",
            fix="Fill the cell, or leave the row out",
        )
