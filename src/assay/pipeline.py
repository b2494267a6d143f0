"""The story: read, prepare, split, encode, train, evaluate, called in order.

Comes in: a source and a recipe. Goes out: everything that a model file holds.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assay.encode import Arrays, TableEncoder, TargetEncoder, take_labelled
from assay.errors import InternalError, UserError
from assay.evaluate.calibration import apply_temperature, fit_temperature, mix_weight
from assay.evaluate.intervals import member_spread
from assay.evaluate.scores import evaluate_predictions
from assay.ledger import Ledger
from assay.nn.core_graph import Calibration, build_core_graph
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
from assay.training.predictions import (
    MemberScores,
    member_probabilities,
    out_of_fold,
    score_members,
)
from assay.training.rows import EncodedRows, Lesson, RowSet

PARITY_TOLERANCE = 1e-5  # between PyTorch and the core graph, in probability
_PARITY_ROWS = 500


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
    oof = out_of_fold(network, rows, lesson.validation)
    calibration = _fit_calibration(oof, samples.y, recipe)
    graph = build_core_graph(network, calibration)
    predictor = Predictor(prepared.preparation, encoder, target, graph, recipe)
    _check_parity(predictor, network, rows, samples.arrays, calibration)
    evaluation = _evaluate(predictor, network, lesson, samples, oof, calibration)
    if test is not None:
        evaluation["test"] = _evaluate_test(predictor, network, *test, device=rows.device)
    evaluation["training"] = _describe_training(network, history, recipe)
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


def _fit_calibration(oof: np.ndarray, y: np.ndarray, recipe: Recipe) -> Calibration:
    is_covered = np.isfinite(oof[:, 0])
    if recipe.evaluate.calibration == "none" or not is_covered.any():
        return Calibration()
    proba = oof[is_covered]
    return Calibration(fit_temperature(proba, y[is_covered]), mix_weight(len(proba)))


def _calibrated(proba: np.ndarray, calibration: Calibration) -> np.ndarray:
    return apply_temperature(proba, calibration.temperature, mix=calibration.mix)


def _check_parity(
    predictor: Predictor,
    network: Network,
    rows: EncodedRows,
    arrays: Arrays,
    calibration: Calibration,
) -> None:
    """Compare the core graph with the network on the first rows."""
    from_graph = predictor.core.run(arrays.take(slice(0, _PARITY_ROWS)))
    first = EncodedRows(network, arrays.take(slice(0, _PARITY_ROWS)), rows.device)
    average = member_probabilities(network, first).astype(np.float64).mean(axis=0)
    worst = float(np.abs(from_graph - _calibrated(average, calibration)).max())
    if not worst <= PARITY_TOLERANCE:
        raise InternalError(
            f"the core graph differs from the trained network by {worst:.2g} in probability"
        )


def _evaluate(
    predictor: Predictor,
    network: Network,
    lesson: Lesson,
    samples: _Samples,
    oof: np.ndarray,
    calibration: Calibration,
) -> dict[str, Any]:
    """Judge by rows left out, rows held out, and rows learnt from."""
    y, split, recipe = samples.y, samples.split, predictor.recipe
    classes = predictor.target.classes
    learnt = score_members(network, lesson.rows, y, lesson.train)
    evaluation: dict[str, Any] = {
        "classes": list(classes),
        "n_rows": len(y),
        "calibration": {"temperature": calibration.temperature, "mix": calibration.mix},
        "train": {"members": _spreads(learnt)},
    }
    is_covered = np.isfinite(oof[:, 0])
    if is_covered.any():
        proba = _calibrated(oof[is_covered], calibration)
        groups = samples.roles.groups
        judged = evaluate_predictions(
            y[is_covered],
            proba,
            classes,
            recipe.evaluate,
            seed=recipe.seed,
            groups=None if groups is None else groups[is_covered],
        )
        left_out = score_members(network, lesson.rows, y, lesson.validation)
        evaluation["validation"] = {**judged, "members": _spreads(left_out)}
    if split.test.any():
        proba = predictor.core.run(samples.arrays.take(np.flatnonzero(split.test)))
        members = np.broadcast_to(split.test, (network.n_members, len(y)))
        judged = evaluate_predictions(
            y[split.test], proba, classes, recipe.evaluate, seed=recipe.seed
        )
        held_out = score_members(network, lesson.rows, y, RowSet.of(members))
        evaluation["test"] = {**judged, "members": _spreads(held_out)}
    return evaluation


def _evaluate_test(
    predictor: Predictor, network: Network, features: Table, y: np.ndarray, *, device: Any
) -> dict[str, Any]:
    """Judge by a test table of its own."""
    arrays, recipe = predictor.encode(features), predictor.recipe
    proba = predictor.core.run(arrays)
    judged = evaluate_predictions(
        y, proba, predictor.target.classes, recipe.evaluate, seed=recipe.seed
    )
    everyone = RowSet.of(np.ones((network.n_members, len(y)), dtype=bool))
    scores = score_members(network, EncodedRows(network, arrays, device), y, everyone)
    return {**judged, "members": _spreads(scores)}


def _spreads(scores: MemberScores) -> dict[str, Any]:
    return {
        "accuracy": member_spread(scores.accuracy).to_dict(),
        "log_loss": member_spread(scores.log_loss).to_dict(),
    }


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
