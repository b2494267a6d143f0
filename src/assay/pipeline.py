"""The story: read, split, encode, train, evaluate, called in order.

Comes in: a source and a recipe. Goes out: everything that a model file holds.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from assay.errors import UserError
from assay.evaluate.population import Judge, check_parity
from assay.ledger import Ledger
from assay.nn.core_graph import build_core_graph
from assay.nn.network import Network, check_size
from assay.predict import Predictor
from assay.recipe import Recipe
from assay.samples import Samples, held_out, read_samples, read_test
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
    samples = read_samples(source, recipe, ledger, on_stage=observer.on_stage)
    test = None if test_source is None else read_test(test_source, samples, recipe, ledger)

    observer.on_stage("training")
    network = _make_network(samples, recipe)
    network.to(device)
    rows = EncodedRows(network, samples.arrays, device)
    lesson = _make_lesson(rows, samples, recipe)
    history = train_population(network, lesson, recipe.train, seed=recipe.seed, observer=observer)

    observer.on_stage("evaluating")
    judge = Judge(network, lesson, samples, recipe)
    graph = build_core_graph(network, judge.calibration)
    predictor = Predictor(samples.preparation, samples.encoder, samples.target, graph, recipe)
    check_parity(predictor.core, network, rows, judge.calibration)
    evaluation = {
        "classes": list(samples.target.classes),
        "n_rows": len(samples.y),
        "calibration": asdict(judge.calibration),
        "train": judge.learnt_rows(),
        "training": _describe_training(network, history, recipe),
    }
    if samples.split.validation.any():
        evaluation["validation"] = judge.left_out_rows()
    if samples.split.test.any():
        test = held_out(samples)
    if test is not None:
        evaluation["test"] = judge.test_rows(predictor.core, test)
    return Trained(predictor, ledger, evaluation, network.arrays(), samples.typical)


def _make_network(samples: Samples, recipe: Recipe) -> Network:
    """Return a network whose inputs know each member's training rows."""
    n_members, n_classes = len(samples.split.train), samples.target.n_classes
    check_size(samples.encoder, recipe.model, n_members=n_members, n_classes=n_classes)
    network = Network(
        samples.encoder, recipe.model, n_members=n_members, n_classes=n_classes, seed=recipe.seed
    )
    network.fit(samples.arrays, samples.split.train)
    return network


def _make_lesson(rows: EncodedRows, samples: Samples, recipe: Recipe) -> Lesson:
    device, y, split = rows.device, samples.y, samples.split
    weight = samples.roles.weight
    if weight is not None:
        _check_weights(weight, split.train, split.validation)
    class_weight = None
    if recipe.train.class_weight == "balanced":
        n_classes = samples.target.n_classes
        counts = np.stack([np.bincount(y[own], minlength=n_classes) for own in split.train])
        shares = counts.sum(axis=1, keepdims=True) / (n_classes * np.maximum(counts, 1))
        class_weight = torch.from_numpy(shares.astype(np.float32)).to(device)
    return Lesson(
        rows=rows,
        y=torch.from_numpy(y).to(device),
        train=RowSet.of(split.train),
        validation=RowSet.of(split.validation),
        repeat=tuple(repeat for repeat, _ in split.member_fold),
        weight=None if weight is None else torch.from_numpy(weight).to(device),
        class_weight=class_weight,
    )


def _check_weights(weight: np.ndarray, *masks: np.ndarray) -> None:
    for mask in masks:
        if any(own.any() and not weight[own].any() for own in mask):
            raise UserError(
                "all rows of a fold have the weight 0",
                where="train.sample_weight",
                fix="Leave out rows of weight 0, or use fewer folds",
            )


def _describe_training(network: Network, history: History, recipe: Recipe) -> dict[str, Any]:
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
