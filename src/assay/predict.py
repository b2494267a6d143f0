"""From raw rows to probabilities: the meaning of a row, in one place.

A `Predictor` casts a raw table by its schema, derives columns, encodes them and
runs the core graph. Training encodes its rows by the same steps. PyTorch is never
imported here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from assay.core import CoreGraph
from assay.derive import derive, referenced_columns
from assay.encode.arrays import Arrays
from assay.encode.table_encoder import TableEncoder
from assay.encode.target import TargetEncoder
from assay.errors import UserError, did_you_mean
from assay.ledger import Ledger
from assay.read.cast import apply_schema
from assay.read.kinds import infer_schema
from assay.recipe import Recipe
from assay.schema import Schema
from assay.table import Table


@dataclass(frozen=True)
class Preparation:
    """How a raw table becomes the typed table of features.

    Attributes:
        raw_schema: Columns that are read from the raw table.
        expressions: New columns: name to SQL expression, in order.
        derived_schema: The new columns.
        dropped: Columns that are left out once the new ones are made.
    """

    raw_schema: Schema
    expressions: Mapping[str, str]
    derived_schema: Schema
    dropped: tuple[str, ...]

    @property
    def schema(self) -> Schema:
        """Columns of the typed table that `apply` returns."""
        columns = (*self.raw_schema.columns, *self.derived_schema.columns)
        return Schema(tuple(column for column in columns if column.name not in self.dropped))

    @classmethod
    def fit(
        cls, raw: Table, recipe: Recipe, ledger: Ledger, *, roles: Mapping[str, str] | None = None
    ) -> "Preparation":
        """Decide what each column is, before and after derivation.

        Args:
            raw: The table as read, without the target.
            recipe: Kinds, expressions and columns to drop.
            ledger: Told what is set aside, and why.
            roles: Columns used otherwise and for what; they are no features.

        Raises:
            UserError: A name in `kinds` or `drop` that is no column, an expression
                that fails, or no column to learn from.
        """
        names = [*raw.names, *recipe.derive]
        _check_names("kinds", recipe.kinds, names)
        _check_names("drop", recipe.drop, names)
        read_by_expressions = referenced_columns(recipe.derive) if recipe.derive else set()
        unread = [name for name in recipe.drop if name not in read_by_expressions]
        raw_schema = _infer(raw.drop(unread), recipe, ledger, roles=roles or {})
        for name in recipe.drop:
            ledger.add("column dropped", where=name, why="named in the recipe", undo="drop")
        derived_schema = Schema(())
        if recipe.derive:
            typed = apply_schema(raw, raw_schema, recipe, is_training=True)
            new_columns = _derived(typed, recipe.derive)
            derived_schema = _infer(new_columns, recipe, ledger, roles={})
        preparation = cls(raw_schema, dict(recipe.derive), derived_schema, recipe.drop)
        if not preparation.schema.features:
            raise UserError(
                "no usable column is left to predict from",
                where=raw.source,
                fix="'assay inspect' tells why each column is set aside; kinds.NAME overrides it",
            )
        return preparation

    def apply(self, raw: Table, recipe: Recipe, *, is_training: bool) -> Table:
        """Cast the raw columns, derive new ones and cast those.

        Raises:
            UserError: A missing column, a cell that does not fit its column's
                kind, or an expression that fails.
        """
        typed = apply_schema(raw, self.raw_schema, recipe, is_training=is_training)
        if self.expressions:
            new_columns = _derived(typed, self.expressions)
            cast = apply_schema(new_columns, self.derived_schema, recipe, is_training=is_training)
            typed = typed.with_frame(typed.frame.hstack(cast.frame))
        return typed.drop(self.dropped)


def _derived(typed: Table, expressions: Mapping[str, str]) -> Table:
    derived = derive(typed, expressions)
    return derived.with_frame(derived.frame.select(list(expressions)))


def _infer(table: Table, recipe: Recipe, ledger: Ledger, *, roles: Mapping[str, str]) -> Schema:
    known = {name: kind for name, kind in recipe.kinds.items() if name in table.names}
    own_recipe = recipe.model_copy(update={"kinds": known, "drop": ()})
    return infer_schema(table, own_recipe, ledger, roles=roles)


def _check_names(option: str, names: Iterable[str], known: list[str]) -> None:
    for name in names:
        if name not in known:
            raise UserError(
                f"there is no column {name!r}", where=option, fix=did_you_mean(name, known)
            )


@dataclass(frozen=True)
class Predictor:
    """A trained classifier without its history.

    Attributes:
        preparation: Raw table to typed table.
        encoder: Typed table to arrays.
        target: Class names.
        graph: The serialised core graph.
        recipe: The choices it was trained with.
    """

    preparation: Preparation
    encoder: TableEncoder
    target: TargetEncoder
    graph: bytes
    recipe: Recipe

    @cached_property
    def core(self) -> CoreGraph:
        """The loaded core graph."""
        return CoreGraph(self.graph)

    def encode(self, raw: Table) -> Arrays:
        """Return the arrays of raw rows."""
        typed = self.preparation.apply(raw, self.recipe, is_training=False)
        return self.encoder.transform(typed)

    def predict_proba(self, raw: Table) -> np.ndarray:
        """Return class probabilities, shape (N, C), float32, in the classes' order."""
        return self.core.run(self.encode(raw))

    def predict(self, raw: Table) -> np.ndarray:
        """Return the most probable class of each row, shape (N,)."""
        return self.target.labels(self.predict_proba(raw).argmax(axis=1))
