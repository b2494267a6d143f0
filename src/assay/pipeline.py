"""The story: read, split, encode, train, evaluate, called in order.

Comes in: a source and a recipe. Goes out: everything that a model file holds.
"""

import time
from collections.abc import Callable

import numpy as np
import torch

from assay.candidates import NAMES, Rival, begin_rivals
from assay.candidates.file_room import check_file_room
from assay.candidates.threads import one_blas_thread
from assay.fingerprint import confirm, held_out_of, on_threads_of, settings_of, table_of
from assay.judging import Trained, judge_training
from assay.ledger import Ledger
from assay.limits import Limits, Prepared
from assay.machine import give_back
from assay.recipe import Recipe
from assay.run_folder import RunFolder
from assay.samples import Samples, read_samples, read_test
from assay.side_process import SideProcess
from assay.training.budget import TimeBudget
from assay.training.device import choose_device, is_small, multiplying
from assay.training.history import History, Observer
from assay.training.loop import train_population
from assay.training.memory import check_source, telling_when_out_of_memory
from assay.training.plan import Clock, Plan
from assay.training.setup import (
    Setup,
    first_members,
    of_members,
    tell_class_weights,
    without_diverged,
)

_FITTING = "fitting simpler models"


def run(
    source: object,
    recipe: Recipe,
    *,
    test_source: object | None = None,
    observer: Observer,
    start_s: float | None = None,
    clock: Clock = time.monotonic,
    folder: RunFolder | None = None,
    side: SideProcess | None = None,
) -> Trained:
    """Train, judge and assemble a classifier.

    Args:
        source: A path, "-", a database URL, or a table in memory.
        recipe: All choices; `recipe.target` names the column to predict.
        test_source: Rows to test on that nothing learns from, or None.
        observer: Is told how it goes on.
        start_s: When the work began, by `clock`, for `train.time`; None for now.
        clock: Asked for the time where there is a budget of it.
        folder: Where finished work is kept, and that of an earlier attempt found; the
            outcome is the same.
        side: A process that runs `candidates.worker`, for simpler models to be fitted
            while the networks train; it is used where that saves time, and the outcome is
            the same.

    Raises:
        UserError: Anything about the data or the recipe that the caller can mend.
    """
    device = choose_device(recipe.train.device)
    ledger = Ledger()
    if folder is not None:
        confirm(folder, "settings", settings_of(recipe, device))
    budget = None
    if recipe.train.time:
        budget = TimeBudget(recipe.train.time, clock() if start_s is None else start_s, clock)
    limits = Limits(recipe, budget, ledger, folder)
    telling = telling_when_out_of_memory(
        lambda: limits.estimated_bytes, device, lambda: limits.estimated_gpu_bytes
    )
    with on_threads_of(folder), multiplying("highest"), telling:
        return _trained(source, recipe, test_source, device, limits, ledger, observer, folder, side)


def _trained(
    source: object,
    recipe: Recipe,
    test_source: object | None,
    device: torch.device,
    limits: Limits,
    ledger: Ledger,
    observer: Observer,
    folder: RunFolder | None,
    side: SideProcess | None,
) -> Trained:
    """Do the work of `run`: a function of its own, so that what it holds ends with it."""
    has_time = bool(recipe.train.time)
    observer.on_stage("reading")
    check_source(source, recipe)
    samples = read_samples(source, recipe, ledger, on_stage=observer.on_stage)
    if folder is not None:
        confirm(folder, "table", table_of(source, samples, ledger))
    test = None if test_source is None else read_test(test_source, samples, recipe, ledger)
    n_test = int(samples.split.test.sum()) if test is None else len(test.y)
    if folder is not None:
        confirm(folder, "test", None if test is None else held_out_of(test_source, test))
        folder.confirmed()
    check_file_room(_surely_trained(samples, recipe), recipe)
    setup = limits.set_up(samples, device)
    del samples
    n_fits = len(setup.samples.split.train)
    if not has_time and recipe.train.memory_bytes is not None:
        check_file_room(setup.samples, recipe)

    give_back()
    rivals_of = _fit_rivals(setup, recipe, limits, ledger, observer, folder, side)
    prepared = limits.plan(setup, n_test=n_test)
    del setup
    if has_time:
        check_file_room(prepared.setup.samples, recipe, n_fits=n_fits)

    observer.on_stage("training")
    if prepared.told:
        observer.on_plan(", ".join(prepared.told))
    setup, history = _train(prepared, recipe, limits, ledger, observer, folder)
    rivals = _with_late(rivals_of(), prepared, recipe, limits, ledger, observer, folder)

    observer.on_stage("evaluating")
    with one_blas_thread():
        return judge_training(setup, rivals, history, prepared, recipe, limits, ledger, test=test)


def _surely_trained(samples: Samples, recipe: Recipe) -> Samples:
    """Return the members that no budget takes away: all, or the first repeat."""
    if recipe.train.time or recipe.train.memory_bytes is not None:
        return of_members(samples, first_members(samples, 1))
    return samples


def _fit_rivals(
    setup: Setup,
    recipe: Recipe,
    limits: Limits,
    ledger: Ledger,
    observer: Observer,
    folder: RunFolder | None,
    side: SideProcess | None,
) -> Callable[[], tuple[Rival, ...]]:
    """Fit simpler candidates on the same folds, or begin to, beside the networks.

    Returns:
        What hands them over, once the networks are trained; none where no row is left out.
    """
    chosen = limits.candidates.before_training(setup)
    names = chosen.names
    if names:
        observer.on_stage(_FITTING)
    elif not setup.samples.split.validation.any():
        return lambda: ()
    n_processors = _sharing_processors(setup, recipe)
    if side is not None and not (names and n_processors):
        side.close()
        side = None
    begun = begin_rivals(
        setup,
        recipe,
        ledger,
        names=names,
        max_iterations=chosen.max_iterations,
        most_rows=chosen.most_rows,
        keeper=folder,
        side=side,
        n_processors=max(n_processors, 1),
    )
    if begun.side is None:
        rivals = begun.finish()
        return lambda: rivals

    def finish() -> tuple[Rival, ...]:
        if not begun.is_at_hand():
            observer.on_stage(_FITTING)
        return begun.finish()

    return finish


def _with_late(
    rivals: tuple[Rival, ...],
    prepared: Prepared,
    recipe: Recipe,
    limits: Limits,
    ledger: Ledger,
    observer: Observer,
    folder: RunFolder | None,
) -> tuple[Rival, ...]:
    """Fit simpler candidates after all that a training ended early left time for.

    Returns:
        All candidates, the simplest first.
    """
    setup = prepared.setup
    chosen = limits.candidates.after_training(setup, prepared.pacer.left_s)
    if chosen.names:
        observer.on_stage(_FITTING)
        _, *late = begin_rivals(
            setup,
            recipe,
            ledger,
            names=chosen.names,
            max_iterations=chosen.max_iterations,
            most_rows=chosen.most_rows,
            keeper=folder,
        ).finish()
        majority, *early = rivals
        rivals = (majority, *sorted([*early, *late], key=lambda rival: NAMES.index(rival.name)))
    limits.candidates.tell(rivals)
    return rivals


def _sharing_processors(setup: Setup, recipe: Recipe) -> int:
    """Return by how many processors fits may be shared before the networks are trained.

    Returns:
        1 where another process makes all of them meanwhile, for the networks train on one
        thread; 0 where no other process can be of use.
    """
    if setup.samples.encoder.text:  # which other processes do not know
        return 0
    if _trains_on_one_thread(setup, recipe):
        return 1
    has_budget = bool(recipe.train.time) or recipe.train.memory_bytes is not None
    n_threads = torch.get_num_threads()
    return n_threads if n_threads > 1 and not has_budget else 0


def _trains_on_one_thread(setup: Setup, recipe: Recipe) -> bool:
    network, plan = setup.network, Plan.of(recipe.train, max(setup.lesson.train.counts))
    return is_small(network.n_members * plan.batch_size * network.widest)


def _train(
    prepared: Prepared,
    recipe: Recipe,
    limits: Limits,
    ledger: Ledger,
    observer: Observer,
    folder: RunFolder | None,
) -> tuple[Setup, History]:
    """Train; members that diverged are gone when this returns."""
    setup, pacer = prepared.setup, prepared.pacer
    tell_class_weights(setup, recipe, ledger)
    history = train_population(
        setup.network,
        setup.lesson,
        recipe.train,
        seed=recipe.seed,
        observer=observer,
        pacer=pacer,
        keeper=folder,
    )
    limits.tell_training(history, pacer)
    _tell_spoilt(setup.samples, history, recipe, ledger)
    setup.network.release()
    give_back()
    if history.is_sound.all():
        return setup, history
    kept = without_diverged(setup, history.is_sound, recipe)
    _tell_diverged(setup.samples, kept.samples, history, recipe, ledger)
    return kept, history.of_members(np.flatnonzero(history.is_sound))


def _tell_spoilt(samples: Samples, history: History, recipe: Recipe, ledger: Ledger) -> None:
    """Tell of members that diverged after the epoch that they keep."""
    for idx in np.flatnonzero(history.is_sound):
        epoch = history.spoilt_in(int(idx))
        if epoch is None:
            continue
        repeat, fold = samples.split.member_fold[idx]
        ledger.add(
            f"network {idx + 1} (repeat {repeat + 1}, fold {fold + 1}) kept epoch "
            f"{history.best_epoch[idx]}",
            where="training",
            why=f"its loss was no longer a number in epoch {epoch} "
            f"at train.learning_rate = {recipe.train.learning_rate}",
            undo="train.learning_rate, smaller",
        )


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
