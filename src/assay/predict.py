"""From raw rows to probabilities: the meaning of a row, in one place.

A `Predictor` casts a raw table by its schema, derives columns, encodes them and
runs the core graph. Training encodes its rows by the same steps. PyTorch is never
imported here.
"""

from collections.abc import Collection, Iterable, Mapping
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
        schema: Columns after derivation, without those dropped.
    """

    raw_schema: Schema
    expressions: Mapping[str, str]
    schema: Schema

    @classmethod
    def fit(
        cls, raw: Table, recipe: Recipe, ledger: Ledger, *, roles: Collection[str] = ()
    ) -> "Preparation":
        """Decide what each column is, before and after derivation.

        Args:
            raw: The table as read, without the target.
            recipe: Kinds, expressions and columns to drop.
            ledger: Told what is set aside, and why.
            roles: Columns used for groups, time or weights; they are no features.

        Raises:
            UserError: A name in `kinds` or `drop` that is no column, or an
                expression that fails.
        """
        derived_names = list(recipe.derive)
        _check_names("kinds", recipe.kinds, [*raw.names, *derived_names])
        _check_names("drop", recipe.drop, [*raw.names, *derived_names])
        used = referenced_columns(recipe.derive) - set(derived_names)
        unread = [name for name in recipe.drop if name in raw.names and name not in used]
        raw_schema = _infer(raw.drop(unread), recipe, ledger, roles=roles)
        for name in recipe.drop:
            ledger.add("column dropped", where=name, why="named in the recipe", undo="drop")
        typed = apply_schema(raw, raw_schema, recipe, is_training=True)
        derived = derive(typed, recipe.derive)
        own = derived.with_frame(derived.frame.select(derived_names))
        derived_schema = _infer(own, recipe, ledger, roles=())
        columns = (*raw_schema.columns, *derived_schema.columns)
        kept = tuple(column for column in columns if column.name not in recipe.drop)
        return cls(raw_schema, dict(recipe.derive), Schema(kept))

    def apply(self, raw: Table, recipe: Recipe, *, is_training: bool) -> Table:
        """Cast, derive and cast again.

        Raises:
            UserError: A missing column, a cell that does not fit its column's
                kind, or an expression that fails.
        """
        typed = apply_schema(raw, self.raw_schema, recipe, is_training=is_training)
        if self.expressions:
            typed = derive(typed, self.expressions)
        return apply_schema(typed, self.schema, recipe, is_training=is_training)


def _infer(table: Table, recipe: Recipe, ledger: Ledger, *, roles: Collection[str]) -> Schema:
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
