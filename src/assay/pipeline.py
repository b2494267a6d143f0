"""The story: read, prepare, split, encode, train, evaluate, called in order.

Comes in: a source and a recipe. Goes out: everything that a model file holds.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from assay.encode import Arrays, TableEncoder, TargetEncoder, take_labelled
from assay.errors import UserError
from assay.evaluate.population import Judge, check_parity
from assay.ledger import Ledger
from assay.nn.core_graph import build_core_graph
from assay.nn.network import Network
from assay.predict import Predictor, Preparation
from assay.read import read_table
from assay.recipe import Recipe
from assay.roles import Roles, read_roles
from assay.schema import Kind
from assay.split import Split, duplicate_groups, make_split, must_repeat
from assay.table import Table
from assay.training.device import choose_device
from assay.training.loop import History, Observer, train_population
from assay.training.rows import EncodedRows, Lesson, RowSet


@dataclass(frozen=True)
class Trained:
    """The outcome of a training.

    Attributes:
        predictor: What predicts.
        ledger: Decisions about the data.
        evaluation: Scores with intervals, as plain data.
        members: Weights and fitted statistics by name, leading axis K.
        typical: Quantiles of the numeric raw columns, for golden rows.
    """

    predictor: Predictor
    ledger: Ledger
    evaluation: dict[str, Any]
    members: dict[str, np.ndarray]
    typical: dict[str, list[float]]


@dataclass(frozen=True)
class _Samples:
    """Labelled rows, encoded and split."""

    arrays: Arrays
    y: np.ndarray
    split: Split
    roles: Roles
    encoder: TableEncoder
    typical: dict[str, list[float]]


def run(
    source: object, recipe: Recipe, *, test_source: object | None = None, observer: Observer
) -> Trained:
    """Train, judge and assemble a classifier.

    Args:
        source: A path, "-", a database URL, or a table in memory.
        recipe: All choices; `recipe.target` names the column to predict.
        test_source: Rows to test on that nothing learns from, or None.
        observer: Is told how it goes on.

    Raises:
        UserError: Anything about the data or the recipe that the caller can mend.
    """
    device = choose_device(recipe.train.device)
    ledger = Ledger()

    observer.on_stage("reading")
    prepared = _prepare(source, recipe, ledger, observer=observer)
    test = _read_test(test_source, prepared.target, recipe, ledger)
    samples = _encode(prepared, recipe, ledger)
    target, encoder, split = prepared.target, samples.encoder, samples.split

    observer.on_stage("training")
    network = Network(
        encoder,
        recipe.model,
        n_members=len(split.train),
        n_classes=target.n_classes,
        seed=recipe.seed,
    )
    network.fit(samples.arrays, split.train)
    network.to(device)
    rows = EncodedRows(network, samples.arrays, device)
    lesson = _lesson(rows, samples, recipe, n_classes=target.n_classes)
    history = train_population(network, lesson, recipe.train, seed=recipe.seed, observer=observer)

    observer.on_stage("evaluating")
    judge = Judge(network, lesson, samples.y, target.classes, recipe, groups=samples.roles.groups)
    graph = build_core_graph(network, judge.calibration)
    predictor = Predictor(prepared.preparation, encoder, target, graph, recipe)
    check_parity(predictor.core, network, rows, judge.calibration)
    evaluation = {
        "classes": list(target.classes),
        "n_rows": len(samples.y),
        "calibration": asdict(judge.calibration),
        "train": judge.learnt_rows(),
        "training": _describe_training(network, history, recipe),
    }
    if lesson.validation.row_idx.shape[1]:
        evaluation["validation"] = judge.left_out_rows()
    if split.test.any():
        held_out = samples.arrays.take(np.flatnonzero(split.test))
        evaluation["test"] = judge.test_rows(predictor.core, held_out, samples.y[split.test])
    if test is not None:
        features, y_test = test
        evaluation["test"] = judge.test_rows(predictor.core, predictor.encode(features), y_test)
    return Trained(predictor, ledger, evaluation, network.arrays(), samples.typical)


@dataclass
class _Prepared:
    """Typed rows with their classes; `typed` is given up once it is encoded."""

    target: TargetEncoder
    preparation: Preparation
    typed: Table
    y: np.ndarray
    roles: Roles


def _prepare(source: object, recipe: Recipe, ledger: Ledger, *, observer: Observer) -> _Prepared:
    """Read and cast; the raw table is gone when this returns."""
    table = read_table(source, recipe.read, ledger)
    target = _fit_target(table, recipe)
    features, y = take_labelled(table, target, ledger, missing=recipe.read.missing)
    del table
    roles = read_roles(features, recipe)
    observer.on_stage("preparing")
    preparation = Preparation.fit(features, recipe, ledger, roles=roles.names)
    typed = preparation.apply(features, recipe, is_training=True)
    return _Prepared(target, preparation, typed, y, roles)


def _encode(prepared: _Prepared, recipe: Recipe, ledger: Ledger) -> _Samples:
    """Split, then encode; the typed table is gone when this returns."""
    typed, y, roles = prepared.typed, prepared.y, prepared.roles
    features = [spec.name for spec in prepared.preparation.schema.features]
    split = make_split(
        y,
        recipe.split,
        seed=recipe.seed,
        groups=roles.groups,
        time=roles.time,
        duplicate_of=_copies(typed.frame.select(features), ledger),
        n_classes=prepared.target.n_classes,
        class_names=prepared.target.classes,
        ledger=ledger,
    )
    has_test = bool(split.test.any())
    learnable = typed.take(np.flatnonzero(~split.test)) if has_test else typed
    encoder = TableEncoder.fit(learnable, prepared.preparation.schema, recipe.encode)
    arrays = encoder.transform(typed)
    typical = _typical(typed, prepared.preparation)
    prepared.typed = typed.take(np.zeros(0, dtype=np.int64))
    return _Samples(arrays, y, split, roles, encoder, typical)


def _fit_target(table: Table, recipe: Recipe) -> TargetEncoder:
    if not recipe.target:
        raise UserError(
            "no target was given",
            where=table.source,
            fix=f"Name the column to predict, one of {', '.join(table.names[:12])}",
        )
    column = table.column(recipe.target)
    target = TargetEncoder.fit(column, missing=recipe.read.missing, where=table.source)
    if recipe.model.output == "sigmoid" and target.n_classes > 2:
        raise UserError(
            f"the sigmoid form needs two classes, the target has {target.n_classes}",
            where="model.output",
            fix='Use "softmax"',
        )
    return target


def _read_test(
    source: object | None, target: TargetEncoder, recipe: Recipe, ledger: Ledger
) -> tuple[Table, np.ndarray] | None:
    if source is None:
        return None
    table = read_table(source, recipe.read, ledger)
    return take_labelled(table, target, ledger, missing=recipe.read.missing)


def _copies(features: pl.DataFrame, ledger: Ledger) -> np.ndarray | None:
    """Return which rows are copies of each other; None where equal rows mean nothing."""
    if must_repeat(features):
        ledger.add(
            "equal rows treated as different samples",
            where="split",
            why=f"the columns have fewer combinations of values than the {features.height} rows",
            undo="split.group, to keep rows together",
        )
        return None
    return duplicate_groups(features)


def _lesson(rows: EncodedRows, samples: _Samples, recipe: Recipe, *, n_classes: int) -> Lesson:
    import torch

    device = rows.device
    weight = samples.roles.weight
    train = samples.split.train
    class_weight = None
    if recipe.train.class_weight == "balanced":
        counts = np.stack([np.bincount(samples.y[own], minlength=n_classes) for own in train])
        shares = counts.sum(axis=1, keepdims=True) / (n_classes * np.maximum(counts, 1))
        class_weight = torch.from_numpy(shares.astype(np.float32)).to(device)
    return Lesson(
        rows=rows,
        y=torch.from_numpy(samples.y).to(device),
        train=RowSet.of(train),
        validation=RowSet.of(samples.split.validation),
        weight=None if weight is None else torch.from_numpy(weight).to(device),
        class_weight=class_weight,
    )


def _describe_training(network: Network, history: History, recipe: Recipe) -> dict[str, Any]:
    import torch

    per_member = [p[0].numel() for p in network.parameters() if p.requires_grad]
    return {
        "n_members": network.n_members,
        "n_inputs": network.n_inputs,
        "n_parameters_per_member": sum(per_member),
        "n_epochs_run": len(history.train_loss),
        "seed": recipe.seed,
        "torch_version": torch.__version__,
        "history": history.to_dict(),
    }


def _typical(typed: Table, preparation: Preparation) -> dict[str, list[float]]:
    """Return three quantiles of each numeric column that is read and kept."""
    typical = {}
    for spec in preparation.raw_schema.columns:
        if spec.kind == Kind.NUMERIC and spec.name in typed.names:
            column = typed.column(spec.name).cast(pl.Float64)
            values = [column.quantile(share, "linear") for share in (0.25, 0.5, 0.75)]
            typical[spec.name] = [float(value) for value in values if value is not None]
    return typical
