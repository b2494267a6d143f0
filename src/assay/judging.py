"""The second half of the story: judge what was trained, decide, explain, assemble.

Comes in: a trained population and its rivals. Goes out: everything that a model file
holds.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from assay.candidates import Rival
from assay.deal import sample_rows
from assay.decide import Decisions, plan_decisions
from assay.evaluate.contest import Contest
from assay.evaluate.decisions import fit_decisions
from assay.evaluate.left_out import LeftOut
from assay.evaluate.mixture import Mixture
from assay.evaluate.population import Judge
from assay.explain import (
    Overheard,
    Subject,
    candidate_rows,
    candidates_importance,
    partial_dependence,
    permutation_importance,
    sample_size,
    top_columns,
)
from assay.ledger import Ledger
from assay.limits import Limits, Prepared
from assay.machine import give_back
from assay.nn.network import Network
from assay.predict import Predictor
from assay.profile import label_noise
from assay.profile.finding import ordered
from assay.recipe import Recipe
from assay.reference import Reference
from assay.samples import HeldOutRows, Samples, held_out
from assay.table import Table
from assay.training.history import History
from assay.training.setup import Setup

_LEAST_EXPLAINED = 2  # rows
_SHUFFLES = 2
_LEAST_S = 1.0  # of a time budget, for partial dependence, and for other candidates
_EXPLAINED_CELLS, _LEAST_ROWS = 2_000, 200  # rows x classes that are shuffled
_AVERAGED_CELLS, _LEAST_AVERAGED = 120, 20  # the same behind a point of partial dependence


@dataclass(frozen=True)
class Trained:
    """The outcome of a training.

    Attributes:
        predictor: What predicts.
        ledger: Decisions about the data.
        evaluation: Scores with intervals, as plain data.
        members: Weights and fitted statistics by name, leading axis K.
        reference: The training table's columns, summed up.
    """

    predictor: Predictor
    ledger: Ledger
    evaluation: dict[str, Any]
    members: dict[str, np.ndarray]
    reference: Reference


def judge_training(
    setup: Setup,
    rivals: Sequence[Rival],
    history: History,
    prepared: Prepared,
    recipe: Recipe,
    limits: Limits,
    ledger: Ledger,
    *,
    test: HeldOutRows | None = None,
) -> Trained:
    """Judge a training by the rows it left out, and assemble what ships.

    Args:
        setup: With a trained network.
        rivals: Simpler candidates on the same folds.
        history: Of the training.
        prepared: How much may be judged in time.
        recipe: All choices.
        limits: Time left for explanations.
        ledger: Decisions about the data.
        test: Rows of a test table, or None.
    """
    samples, network = setup.samples, setup.network
    recipe_in_time = recipe.model_copy(update={"evaluate": prepared.evaluate})
    judge = Judge(setup, rivals, recipe_in_time)
    core = judge.core_graph()
    give_back()  # here and below: what a stage freed would stay beside what the next takes
    predictor = Predictor(
        samples.preparation, samples.encoder, samples.target, core.serialised, recipe
    )
    evaluation: dict[str, Any] = {
        "classes": list(samples.target.classes),
        "n_rows": len(samples.y),
        "calibration": judge.mixture.calibration.to_dict(),
        "shipped": {"weights": dict(judge.mixture.weights), "prefer": recipe.model.prefer},
        "train": judge.learnt_rows(prepared.n_learnt),
        "training": _describe_training(network, history, recipe),
    }
    reference, contest = samples.reference, judge.contest
    if recipe.evaluate.findings:
        evaluation["findings"] = _findings(samples, contest)
        give_back()
    if contest is not None:
        evaluation["validation"] = judge.left_out_rows()
        give_back()
        evaluation["candidates"] = contest.documents(evaluation["validation"])
        give_back()
        evaluation["verdict"] = contest.verdict.to_dict()
        decisions, evaluation["decisions"] = _decisions(samples, contest, recipe_in_time)
        predictor = predictor.loaded(core, decisions)
        reference = reference.with_predictions(contest.proba)
        give_back()
        if recipe.evaluate.importance:
            evaluation |= _explained(setup, rivals, judge, contest, predictor, limits)
            _tell_set_aside(evaluation.get("importance", {}), ledger)
    else:
        counts = np.bincount(samples.y, minlength=samples.target.n_classes)
        plan = plan_decisions(recipe.decide, samples.target.classes, counts)
        predictor = predictor.loaded(core, plan)
    if samples.split.test.any():
        test = held_out(samples)
    if test is not None:
        evaluation["test"] = judge.test_rows(predictor.core, test)
    return Trained(predictor, ledger, evaluation, network.arrays(), reference)


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


def _findings(samples: Samples, contest: Contest | None) -> list[dict[str, Any]]:
    """Return what was found in the table, and among the labels, the gravest first."""
    found = list(samples.findings)
    if contest is not None:
        proba = np.full((len(samples.y), samples.target.n_classes), np.nan)
        proba[contest.row_idx] = contest.proba
        found += label_noise(samples.y, proba, samples.target.classes)
    return [finding.to_dict() for finding in ordered(found)]


def _decisions(
    samples: Samples, contest: Contest, recipe: Recipe
) -> tuple[Decisions, dict[str, Any]]:
    groups, decide = samples.units, recipe.decide
    if decide.threshold == "auto" and not decide.positive and not contest.verdict.has_signal:
        # The best F1 of probabilities that say nothing names every row: nobody asked for that.
        decide = decide.model_copy(update={"threshold": "none"})
    return fit_decisions(
        samples.y[contest.row_idx],
        contest.proba,
        samples.target.classes,
        decide,
        seed=recipe.seed,
        groups=None if groups is None else groups[contest.row_idx],
        confidence=recipe.evaluate.confidence,
        n_resamples=recipe.evaluate.bootstrap,
        draws=contest.draws,
    )


def _explained(
    setup: Setup,
    rivals: Sequence[Rival],
    judge: Judge,
    contest: Contest,
    predictor: Predictor,
    limits: Limits,
) -> dict[str, Any]:
    """Return which columns matter, and how predictions go with those that do."""
    samples, recipe = setup.samples, predictor.recipe
    most_s = limits.explaining_s()
    judged = np.flatnonzero(np.isin(samples.raw_idx, contest.row_idx))
    subject = Subject.of(predictor)
    n_classes = samples.target.n_classes
    most = min(sample_size(len(subject.columns)), max(_EXPLAINED_CELLS // n_classes, _LEAST_ROWS))
    few = judged[sample_rows(len(judged), most)]
    if len(few) < _LEAST_EXPLAINED or not subject.columns or not limits.tell_explaining(most_s):
        return {}
    row_idx, raw = samples.raw_idx[few], subject.typed(samples.raw.take(few))
    subject = replace(subject, is_cast=True)
    left_out = LeftOut(setup, rivals, judge.mixture, recipe, row_idx)
    importance = _importance(contest, subject, raw, left_out, most_s)
    left_s = limits.explaining_s()
    columns = top_columns(importance) if left_s is None or left_s >= _LEAST_S else []
    dependence = partial_dependence(
        subject,
        raw,
        columns,
        n_rows=max(_AVERAGED_CELLS // n_classes, _LEAST_AVERAGED),
        seed=recipe.seed,
        asking=lambda few: _asking(subject, replace(left_out, row_idx=row_idx[few])),
    )
    return {"importance": importance, "dependence": dependence}


def _importance(
    contest: Contest, subject: Subject, raw: Table, left_out: LeftOut, most_s: float | None
) -> dict[str, Any]:
    """Return which columns matter to what ships, and to every other candidate."""
    samples, recipe, row_idx = left_out.setup.samples, subject.recipe, left_out.row_idx
    y, groups = samples.y[row_idx], samples.units
    groups = None if groups is None else groups[row_idx]
    alone, parts = contest.alone(), left_out.mixture.weights
    heard = {name: own.apply for name, own in alone.items() if own.weights.keys() <= parts.keys()}
    overheard = Overheard(heard, y)
    start_s = 0.0 if most_s is None else time.monotonic()
    importance = permutation_importance(
        _asking(subject, replace(left_out, hear=overheard.hear)),
        raw,
        y,
        n_shuffles=_SHUFFLES,
        confidence=recipe.evaluate.confidence,
        groups=groups,
        seed=recipe.seed,
        most_s=most_s,
        listen=overheard.listen,
    )
    importance["candidates"] = overheard.importance(
        importance,
        confidence=recipe.evaluate.confidence,
        groups=groups,
        seed=recipe.seed,
    )
    unused_s = None if most_s is None else most_s - (time.monotonic() - start_s)
    others = {name: own for name, own in alone.items() if name not in heard}
    if others and (unused_s is None or unused_s >= _LEAST_S):
        importance["candidates"] |= _by_candidate(
            left_out, others, subject, raw, importance, unused_s
        )
    return importance


def _by_candidate(
    left_out: LeftOut,
    alone: Mapping[str, Mixture],
    subject: Subject,
    cast: Table,
    shipped: Mapping[str, Any],
    most_s: float | None,
) -> dict[str, Any]:
    """Return the importance of columns for candidates that have no part in what ships."""
    samples, recipe, groups = left_out.setup.samples, subject.recipe, left_out.setup.samples.units
    chosen = np.arange(len(left_out.row_idx))[candidate_rows(len(left_out.row_idx))]
    row_idx = left_out.row_idx[chosen]
    return candidates_importance(
        {
            name: _asking(subject, replace(left_out, mixture=mixture, row_idx=row_idx))
            for name, mixture in alone.items()
        },
        cast.take(chosen),
        samples.y[row_idx],
        shipped,
        confidence=recipe.evaluate.confidence,
        groups=None if groups is None else groups[row_idx],
        seed=recipe.seed,
        most_s=most_s,
    )


def _asking(subject: Subject, left_out: LeftOut) -> Subject:
    """Return the same columns, predicted by the models that had left the rows out."""
    return replace(subject, predict=left_out, of_arrays=left_out.of_arrays)


def _tell_set_aside(importance: Mapping[str, Any], ledger: Ledger) -> None:
    n_set_aside = importance.get("n_set_aside", 0)
    if n_set_aside:
        n_columns = importance["n_columns"]
        ledger.add(
            f"importance measured of {n_columns - n_set_aside} of {n_columns:,} columns",
            where="evaluation",
            why="the others go with the predictions less closely",
        )
