"""From raw rows to probabilities: the meaning of a row, in one place.

A `Predictor` casts a raw table by its schema, derives columns, encodes them and
runs the core graph. Training encodes its rows by the same steps. PyTorch is never
imported here.
"""

import contextlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from assay.core import CoreGraph
from assay.decide import Decisions
from assay.derive import check_growth, derive, referenced_columns
from assay.encode.arrays import Arrays
from assay.encode.table_encoder import TableEncoder
from assay.encode.target import TargetEncoder
from assay.errors import UserError, did_you_mean
from assay.ledger import Ledger
from assay.read.cast import apply_schema
from assay.read.kinds import infer_schema
from assay.recipe import Recipe
from assay.schema import Kind, Schema
from assay.table import Table

_TOGETHER, _CELLS = 256, 1 << 20  # columns, cells that are cast in one go in training


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
        dropped = set(self.dropped)
        return Schema(tuple(column for column in columns if column.name not in dropped))

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
            UserError: A name in `kinds` or `drop` that is no column, or an
                expression that fails.
        """
        names = [*raw.names, *recipe.derive]
        kinds = [name for name in recipe.kinds if name != recipe.target]
        _check_names("kinds", kinds, names, recipe.target)
        _check_names("drop", recipe.drop, names, recipe.target)
        check_growth(recipe.derive)
        read_by_expressions = referenced_columns(recipe.derive)
        unread = [name for name in recipe.drop if name not in read_by_expressions]
        raw_schema = _infer(raw.drop(unread), recipe, ledger, roles=roles or {})
        for name in recipe.drop:
            ledger.add("column dropped", where=name, why="named in the recipe", undo="drop")
        if not recipe.derive:
            return cls(raw_schema, {}, Schema(()), recipe.drop)
        raw_schema, set_aside = _readable(raw, raw_schema, read_by_expressions, recipe)
        typed = apply_schema(raw, raw_schema, recipe, is_training=True)
        derived_schema = _infer(_derived(typed, recipe.derive), recipe, ledger, roles={})
        dropped = (*recipe.drop, *set_aside)
        return cls(raw_schema, dict(recipe.derive), derived_schema, dropped)

    def apply(self, raw: Table, recipe: Recipe, *, is_training: bool) -> Table:
        """Cast the raw columns, derive new ones and cast those.

        Args:
            raw: Raw rows.
            recipe: As it was when the schema was made.
            is_training: Whether the schema was made from this very table.

        Raises:
            UserError: A missing column, a cell that does not fit its column's
                kind, or an expression that fails.
        """
        cast = self.cast(raw, recipe, is_training=is_training)
        return self.finish(cast, recipe, is_training=is_training)

    def cast(self, raw: Table, recipe: Recipe, *, is_training: bool) -> Table:
        """Cast the raw columns: the first half of `apply`, which tells the rest."""
        self._check_read(raw, recipe)
        return apply_schema(raw, self.raw_schema, recipe, is_training=is_training)

    def finish(self, typed: Table, recipe: Recipe, *, is_training: bool) -> Table:
        """Derive new columns from cast ones and cast those: the second half of `apply`."""
        if self.expressions:
            new_columns = _derived(typed, self.expressions)
            cast = apply_schema(new_columns, self.derived_schema, recipe, is_training=is_training)
            typed = typed.with_frame(typed.frame.hstack(cast.frame))
        return typed.drop(self.dropped) if self.dropped else typed

    def cast_training(self, raw: Table, recipe: Recipe) -> Table:
        """Cast the table that the schema was made from, which loses its cells on the way.

        Some columns at a time, so that a large table is in memory once, not twice; and
        several, as a frame of 100,000 columns takes 30 ms to lose one of them.

        Args:
            raw: As `fit` read it, and nobody else's.
            recipe: As for `fit`.
        """
        self._check_read(raw, recipe)
        step = max(min(_TOGETHER, _CELLS // max(raw.n_rows, 1)), 1)
        cells, parts = raw.give_up(), [pl.DataFrame()]
        for start in range(0, len(self.raw_schema.columns), step):
            specs = self.raw_schema.columns[start : start + step]
            some = raw.with_frame(pl.DataFrame({spec.name: cells.pop(spec.name) for spec in specs}))
            cast = apply_schema(some, Schema(specs), recipe, is_training=True)
            parts.append(cast.frame)
        return raw.with_frame(pl.concat(parts, how="horizontal"))

    def _check_read(self, raw: Table, recipe: Recipe) -> None:
        """Demand the columns that only expressions read; `apply_schema` knows the others."""
        if recipe.predict.missing_columns == "fill":
            return
        read = referenced_columns(self.expressions) & set(self.raw_schema.names)
        absent = sorted(read - set(raw.names))
        if absent:
            raise UserError(
                f"columns that derived ones are made from are missing: {', '.join(absent)}",
                where=raw.source,
                fix="Add them, or read them as missing with --fill-missing "
                '(predict.missing_columns = "fill")',
            )


def _readable(
    raw: Table, schema: Schema, names: Collection[str], recipe: Recipe
) -> tuple[Schema, tuple[str, ...]]:
    """Let expressions compute with numbers in identifiers and constants.

    Returns:
        The schema with those columns numeric, and their names: they stay set aside.
    """
    columns, set_aside = [], []
    for spec in schema.columns:
        if spec.name in names and not spec.kind.is_feature and spec.n_unique:
            as_number = recipe.model_copy(update={"kinds": {spec.name: Kind.NUMERIC}})
            own = raw.with_frame(raw.frame.select(spec.name))
            with contextlib.suppress(UserError):
                (found,) = _infer(own, as_number, Ledger(), roles={}).columns
                if not found.n_invalid:
                    spec = replace(found, reason=f"{spec.reason}; expressions compute with it")
                    set_aside.append(spec.name)
        columns.append(spec)
    return Schema(tuple(columns)), tuple(set_aside)


def _derived(typed: Table, expressions: Mapping[str, str]) -> Table:
    derived = derive(typed, expressions)
    return derived.with_frame(derived.frame.select(list(expressions)))


def _infer(table: Table, recipe: Recipe, ledger: Ledger, *, roles: Mapping[str, str]) -> Schema:
    present = set(table.names)
    known = {name: kind for name, kind in recipe.kinds.items() if name in present}
    own_recipe = recipe.model_copy(update={"kinds": known, "drop": ()})
    return infer_schema(table, own_recipe, ledger, roles=roles)


def _check_names(option: str, names: Iterable[str], known: list[str], target: str) -> None:
    present = set(known)
    for name in names:
        if target and name == target:
            raise UserError(f"{name!r} is the target", where=option, fix="Leave it out")
        if name not in present:
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
        decisions: What turns probabilities into decisions; None in files of earlier
            releases.
    """

    preparation: Preparation
    encoder: TableEncoder
    target: TargetEncoder
    graph: bytes
    recipe: Recipe
    decisions: Decisions | None = None

    @cached_property
    def core(self) -> CoreGraph:
        """The loaded core graph."""
        return CoreGraph(self.graph)

    def loaded(self, core: CoreGraph, decisions: Decisions | None) -> "Predictor":
        """Return the same with its graph loaded already, and with decisions.

        Args:
            core: Of the same `graph`; to load many trees takes seconds.
            decisions: What turns probabilities into decisions.
        """
        changed = replace(self, decisions=decisions)
        vars(changed)["core"] = core
        return changed

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
