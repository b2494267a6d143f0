"""The story: read, split, encode, train, evaluate, called in order.

Comes in: a source and a recipe. Goes out: everything that a model file holds.
"""

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from assay.evaluate.population import Judge, check_parity
from assay.ledger import Ledger
from assay.limits import Limits, Prepared
from assay.nn.core_graph import build_core_graph
from assay.nn.network import Network
from assay.predict import Predictor
from assay.recipe import Recipe
from assay.samples import HeldOutRows, Samples, held_out, read_samples, read_test
from assay.training.budget import TimeBudget
from assay.training.device import choose_device
from assay.training.history import History, Observer
from assay.training.loop import train_population
from assay.training.memory import check_source, telling_when_out_of_memory
from assay.training.plan import Clock
from assay.training.setup import Setup, without_diverged


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
    source: object,
    recipe: Recipe,
    *,
    test_source: object | None = None,
    observer: Observer,
    start_s: float | None = None,
    clock: Clock = time.monotonic,
) -> Trained:
    """Train, judge and assemble a classifier.

    Args:
        source: A path, "-", a database URL, or a table in memory.
        recipe: All choices; `recipe.target` names the column to predict.
        test_source: Rows to test on that nothing learns from, or None.
        observer: Is told how it goes on.
        start_s: When the work began, by `clock`, for `train.time`; None for now.
        clock: Asked for the time where there is a budget of it.

    Raises:
        UserError: Anything about the data or the recipe that the caller can mend.
    """
    device = choose_device(recipe.train.device)
    ledger = Ledger()
    budget = None
    if recipe.train.time:
        budget = TimeBudget(recipe.train.time, clock() if start_s is None else start_s, clock)
    limits = Limits(recipe, budget, ledger)
    with telling_when_out_of_memory(lambda: limits.estimated_bytes):
        observer.on_stage("reading")
        check_source(source, recipe)
        samples = read_samples(source, recipe, ledger, on_stage=observer.on_stage)
        test = None if test_source is None else read_test(test_source, samples, recipe, ledger)
        n_test = int(samples.split.test.sum()) if test is None else len(test.y)
        prepared = limits.prepare(samples, device, n_test=n_test)
        del samples

        observer.on_stage("training")
        if prepared.told:
            observer.on_plan(", ".join(prepared.told))
        setup, history = _train(prepared, recipe, limits, ledger, observer)

        observer.on_stage("evaluating")
        return _judged(setup, history, prepared, recipe, ledger, test)


def _train(
    prepared: Prepared, recipe: Recipe, limits: Limits, ledger: Ledger, observer: Observer
) -> tuple[Setup, History]:
    """Train; members that diverged are gone when this returns."""
    setup, pacer = prepared.setup, prepared.pacer
    history = train_population(
        setup.network,
        setup.lesson,
        recipe.train,
        seed=recipe.seed,
        observer=observer,
        pacer=pacer,
    )
    limits.tell_training(history, pacer)
    if history.is_sound.all():
        return setup, history
    kept = without_diverged(setup, history.is_sound, recipe)
    _tell_diverged(setup.samples, kept.samples, history, recipe, ledger)
    return kept, history.of_members(np.flatnonzero(history.is_sound))


def _tell_diverged(
    before: Samples, after: Samples, history: History, recipe: Recipe, ledger: Ledger
) -> None:
    was_judged = before.split.validation.any(axis=0)
    n_lost = int(np.count_nonzero(was_judged & ~after.split.validation.any(axis=0)))
    for idx in np.flatnonzero(~history.is_sound):
        repeat, fold = before.split.member_fold[idx]
        ledger.add(
            f"network {idx + 1} (repeat {repeat + 1}, fold {fold + 1}) left out",
            where="training",
            why=f"its loss was no longer a number in epoch {history.diverged_in(int(idx))} "
            f"at train.learning_rate = {recipe.train.learning_rate}",
            undo="train.learning_rate, smaller",
        )
    if n_lost:
        ledger.add(
            f"{n_lost} of {np.count_nonzero(was_judged)} rows not judged",
            where="evaluation",
            why="the networks that had left them out diverged",
            undo="train.learning_rate, smaller",
        )


def _judged(
    setup: Setup,
    history: History,
    prepared: Prepared,
    recipe: Recipe,
    ledger: Ledger,
    test: HeldOutRows | None,
) -> Trained:
    """Evaluate and assemble."""
    samples, network, lesson = setup.samples, setup.network, setup.lesson
    judge = Judge(
        network, lesson, samples, recipe.model_copy(update={"evaluate": prepared.evaluate})
    )
    graph = build_core_graph(network, judge.calibration)
    predictor = Predictor(samples.preparation, samples.encoder, samples.target, graph, recipe)
    check_parity(predictor.core, network, lesson.rows, judge.calibration)
    evaluation = {
        "classes": list(samples.target.classes),
        "n_rows": len(samples.y),
        "calibration": asdict(judge.calibration),
        "train": judge.learnt_rows(prepared.n_learnt),
        "training": _describe_training(network, history, recipe),
    }
    if samples.split.validation.any():
        evaluation["validation"] = judge.left_out_rows()
    if samples.split.test.any():
        test = held_out(samples)
    if test is not None:
        evaluation["test"] = judge.test_rows(predictor.core, test)
    return Trained(predictor, ledger, evaluation, network.arrays(), samples.typical)


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
