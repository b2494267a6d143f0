"""From a source to samples: read, prepare, split, encode.

Comes in: a source and a recipe. Goes out: encoded rows with their classes, and who
learns from which. Training starts from here; the raw and the typed table are gone.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from assay.deal import duplicate_groups, must_repeat, sample_rows
from assay.decide import plan_decisions
from assay.encode import Arrays, TableEncoder, TargetEncoder, take_labelled
from assay.errors import UserError
from assay.ledger import Ledger
from assay.predict import Preparation
from assay.profile import Finding, examine
from assay.read import read_table
from assay.recipe import Recipe
from assay.reference import Reference
from assay.roles import Roles, group_numbers, read_roles
from assay.schema import Kind
from assay.split import Split, make_split
from assay.table import Table

_RAW_ROWS = 2_500  # kept as read, to explain the model by
_RAW_CELLS = 2_000_000
_DISTINCT_SHARE = 0.99  # of rows that are units of their own: below it units count


@dataclass(frozen=True)
class Samples:
    """Labelled rows, encoded and split.

    Attributes:
        target: The classes.
        preparation: Raw table to typed table.
        encoder: Typed table to arrays.
        arrays: N encoded rows.
        y: Class indices, shape (N,).
        split: Who learns from which rows.
        roles: Groups, time and weights of the rows.
        reference: The table's columns, summed up.
        row_hashes: Of the features of each row, shape (N,), uint64; empty where equal
            rows are bound to occur.
        raw: A random sample of the rows as they were read, to explain the model by.
        raw_idx: Which rows these are, shape (M,), rising.
        findings: What a person should know of the table before believing a score.
    """

    target: TargetEncoder
    preparation: Preparation
    encoder: TableEncoder
    arrays: Arrays
    y: np.ndarray
    split: Split
    roles: Roles
    reference: Reference
    row_hashes: np.ndarray
    raw: Table
    raw_idx: np.ndarray
    findings: tuple[Finding, ...] = ()

    @cached_property
    def units(self) -> np.ndarray | None:
        """Unit of each row, (N,): rows of one group, and copies, are one; None for none.

        Few copies matter to no interval, and units make all of them slower to find.
        """
        unit = self.split.unit
        if unit is None:
            return self.roles.groups
        n_units = len(np.unique(unit))
        return unit if n_units < _DISTINCT_SHARE * len(unit) else self.roles.groups


@dataclass(frozen=True)
class HeldOutRows:
    """Rows that nothing learns from: M encoded rows, classes (M,), groups (M,) or None."""

    arrays: Arrays
    y: np.ndarray
    groups: np.ndarray | None = None


@dataclass
class _Typed:
    """Typed rows with their classes; `table` is given up once it is encoded."""

    target: TargetEncoder
    preparation: Preparation
    table: Table
    y: np.ndarray
    roles: Roles
    reference: Reference
    raw: Table
    raw_idx: np.ndarray


def read_samples(
    source: object, recipe: Recipe, ledger: Ledger, *, on_stage: Callable[[str], None]
) -> Samples:
    """Read, prepare, split and encode.

    Args:
        source: A path, "-", a database URL, or a table in memory.
        recipe: All choices.
        ledger: Told of every decision.
        on_stage: Is told when reading is done.

    Raises:
        UserError: Anything about the data or the recipe that the caller can mend.
    """
    typed = _read_typed(source, recipe, ledger, on_stage=on_stage)
    counts = np.bincount(typed.y, minlength=typed.target.n_classes)
    plan_decisions(recipe.decide, typed.target.classes, counts)  # mistakes are told before training
    features = typed.table.frame.select([spec.name for spec in typed.preparation.schema.features])
    is_grid = must_repeat(features, typed.preparation.schema)
    split = make_split(
        typed.y,
        recipe.split,
        seed=recipe.seed,
        groups=typed.roles.groups,
        time=typed.roles.time,
        duplicate_of=None if is_grid else duplicate_groups(features),
        n_classes=typed.target.n_classes,
        class_names=typed.target.classes,
        ledger=ledger,
    )
    _tell_copies(features, ledger, is_grid=is_grid)
    row_hashes = np.zeros(0, np.uint64) if is_grid else features.hash_rows().to_numpy()
    del features
    findings = _examine(typed, row_hashes, recipe) if recipe.evaluate.findings else ()
    return replace(_encode(typed, split, row_hashes, recipe, ledger), findings=findings)


def read_test(source: object, samples: Samples, recipe: Recipe, ledger: Ledger) -> HeldOutRows:
    """Read a test table, and tell which of its rows were learnt from.

    Raises:
        UserError: It does not fit the training table, or names an unknown class.
    """
    if recipe.split.holdout:
        raise UserError(
            "a test table and split.holdout were both given",
            where=f"split.holdout = {recipe.split.holdout}",
            fix="Choose one of them: held-out rows would neither train nor test",
        )
    table = read_table(source, recipe.read, ledger)
    with _telling_of_test(recipe.target):
        missing = recipe.read.missing
        features, y = take_labelled(table, samples.target, ledger, missing=missing)
        typed = samples.preparation.apply(features, recipe, is_training=False)
    names = [spec.name for spec in samples.preparation.schema.features]
    hashes = typed.frame.select(names).hash_rows().to_numpy()
    n_known = int(np.isin(hashes, samples.row_hashes).sum())
    if n_known:
        ledger.add(
            f"{n_known} test rows kept",
            where=table.source,
            why=f"{n_known} of {len(y)} test rows equal rows that were learnt from, "
            "so that the test is too easy",
        )
    groups = group_numbers(features, recipe)
    return HeldOutRows(samples.encoder.transform(typed), y, groups)


@contextlib.contextmanager
def _telling_of_test(target: str) -> Iterator[None]:
    """Let errors about a test table speak of a training: there is no model yet.

    Raises:
        UserError: As raised inside, with what may be done while training.
    """
    try:
        yield
    except UserError as error:
        what, fix = error.what, error.fix or ""
        if "--fill-missing" in fix:
            hint = fix.partition(" Otherwise")[0]
            fix = f'{hint} Otherwise add it, or set predict.missing_columns = "fill"'
            what = what.replace("that the model reads", "that the training table has")
        elif what.startswith("the model knows no class"):
            what = what.replace("the model knows no class", "the training table has no class", 1)
            fix = fix.partition(" Leave")[0] + " Leave such rows out, or train with some of them"
        elif what.startswith("there is no column"):
            fix = f"{fix.rstrip('.')}. Test rows need the target {target!r}".removeprefix(". ")
        raise UserError(what, where=error.where, fix=fix or None) from None


def held_out(samples: Samples) -> HeldOutRows:
    """Return the rows that the split held out for a test."""
    rows, groups = samples.split.test.copy(), samples.units
    weight = samples.roles.weight
    if weight is not None and (weight[rows] > 0).any():
        rows &= weight > 0
    arrays = samples.arrays.take(np.flatnonzero(rows))
    return HeldOutRows(arrays, samples.y[rows], None if groups is None else groups[rows])


def _read_typed(
    source: object, recipe: Recipe, ledger: Ledger, *, on_stage: Callable[[str], None]
) -> _Typed:
    """Read and cast; the raw table is gone when this returns."""
    table = read_table(source, recipe.read, ledger)
    target = _fit_target(table, recipe)
    features, y = take_labelled(table, target, ledger, missing=recipe.read.missing)
    del table
    roles = read_roles(features, recipe)
    on_stage("preparing")
    preparation = Preparation.fit(features, recipe, ledger, roles=roles.names)
    if not preparation.schema.features:
        raise UserError(
            "no usable column is left to predict from",
            where=features.source,
            fix="'assay inspect' tells why each column is set aside; kinds.NAME overrides it",
        )
    raw, raw_idx = _sampled(features, preparation)
    # `features` is a frame of its own: the caller's table keeps its columns.
    cast = preparation.cast_training(features, recipe)
    reference = Reference.fit(cast, preparation.raw_schema)
    typed = preparation.finish(cast, recipe, is_training=True)
    return _Typed(target, preparation, typed, y, roles, reference, raw, raw_idx)


def _sampled(features: Table, preparation: Preparation) -> tuple[Table, np.ndarray]:
    """Return some raw rows, with the columns that the model reads, and their numbers."""
    read = set(preparation.raw_schema.names)
    names = [name for name in features.names if name in read]
    n_rows = min(_RAW_ROWS, _RAW_CELLS // max(len(names), 1))
    row_idx = np.arange(features.n_rows)[sample_rows(features.n_rows, n_rows)]
    return features.with_frame(features.frame.select(names)).take(row_idx), row_idx


def _fit_target(table: Table, recipe: Recipe) -> TargetEncoder:
    if not recipe.target:
        raise UserError(
            "no target was given",
            where=table.source,
            fix=f"Name the column to predict, one of {', '.join(table.names[:12])}",
        )
    column = table.column(recipe.target)
    target = TargetEncoder.fit(
        column,
        missing=recipe.read.missing,
        where=table.source,
        is_categorical=recipe.kinds.get(recipe.target) == Kind.CATEGORICAL,
    )
    if recipe.model.output == "sigmoid" and target.n_classes > 2:
        raise UserError(
            f"the sigmoid form needs two classes, the target has {target.n_classes}",
            where="model.output",
            fix='Use "softmax"',
        )
    return target


def _tell_copies(features: pl.DataFrame, ledger: Ledger, *, is_grid: bool) -> None:
    n_copies = features.height - features.hash_rows().n_unique()
    if is_grid:
        ledger.add(
            "equal rows treated as different samples",
            where="split",
            why=f"the columns have fewer combinations of values than the {features.height} rows",
            undo="split.group, to keep rows together",
        )
    elif n_copies:
        ledger.add(
            "copies kept on one side of every split",
            where="split",
            why=f"{n_copies} of {features.height} rows repeat another row's features",
        )


def _examine(typed: _Typed, row_hashes: np.ndarray, recipe: Recipe) -> tuple[Finding, ...]:
    return examine(
        typed.table.frame.drop(list(typed.roles.names), strict=False),
        typed.preparation.schema,
        typed.y,
        typed.target.classes,
        n_folds=recipe.split.folds,
        has_groups=typed.roles.groups is not None,
        has_time=typed.roles.time is not None,
        row_hashes=row_hashes,
    )


def _encode(
    typed: _Typed, split: Split, row_hashes: np.ndarray, recipe: Recipe, ledger: Ledger
) -> Samples:
    """Encode; the typed table is gone when this returns."""
    table, schema = typed.table, typed.preparation.schema
    has_test = bool(split.test.any())
    learnable = table.take(np.flatnonzero(~split.test)) if has_test else table
    n_classes = typed.target.n_classes
    encoder = TableEncoder.fit(learnable, schema, recipe.encode, ledger, n_classes=n_classes)
    del learnable
    arrays = encoder.transform(table, gives_up=True)
    typed.table = table.take(np.zeros(0, dtype=np.int64))
    return Samples(
        typed.target,
        typed.preparation,
        encoder,
        arrays,
        typed.y,
        split,
        typed.roles,
        typed.reference,
        row_hashes,
        typed.raw,
        typed.raw_idx,
    )
