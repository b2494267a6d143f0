"""What a finished model tells about itself: the explanations that `Model` and the command give.

Comes in: a predictor, rows and the reference of its training table. Goes out: plain data.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.deal import sample_rows
from assay.encode import take_labelled
from assay.errors import UserError, did_you_mean
from assay.explain.importance import permutation_importance, sample_size
from assay.explain.reasons import explain_rows
from assay.explain.subject import Subject
from assay.ledger import Ledger
from assay.predict import Predictor
from assay.reference import Reference
from assay.table import Table

_TIMES = 5  # as many rows as while training: nobody waits for a training here


def stored_importance(evaluation: dict[str, Any], candidate: str | None = None) -> dict[str, Any]:
    """Return the importance that was measured while training.

    Args:
        evaluation: Of a model.
        candidate: "logistic", "boosting", "network" or "blend"; None for what ships.

    Raises:
        UserError: There is none: no row was left out, or the model is of an earlier
            release; or there is no such candidate.
    """
    if candidate is not None and candidate != _shipped(evaluation):
        return _of_candidate(evaluation, candidate)
    found: dict[str, Any] | None = evaluation.get("importance")
    if not found:
        raise UserError(
            "the model holds no importance of columns",
            fix="Measure it on a table with the target column",
        )
    return found


def _shipped(evaluation: dict[str, Any]) -> str | None:
    name: str | None = (evaluation.get("verdict") or {}).get("shipped")
    return name


def _of_candidate(evaluation: dict[str, Any], candidate: str) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = stored_importance(evaluation).get("candidates") or {}
    if not found:
        raise UserError(
            "the model holds importance only for what ships",
            where=f"candidate {candidate!r}",
            fix="Train with this release, and with time for it",
        )
    if candidate not in found:
        known = [name for name in (*found, _shipped(evaluation)) if name]
        raise UserError(
            f"the importance for a candidate {candidate!r} is not known",
            fix=did_you_mean(candidate, known),
        )
    return found[candidate]


def importance_for(
    predictor: Predictor, labelled: Table, ledger: Ledger, *, columns: Sequence[str] | None = None
) -> dict[str, Any]:
    """Measure importance on rows with the target column, a random sample of many.

    Args:
        predictor: The model.
        labelled: Raw rows with the target column.
        ledger: Told of rows without a class.
        columns: Raw columns to measure; by default all that are used.

    Returns:
        As `permutation_importance`.

    Raises:
        UserError: No target column, a class that the model does not know, no labelled
            row, or a column that is missing or not used.
    """
    recipe, subject = predictor.recipe, Subject.of(predictor)
    features, y = take_labelled(labelled, predictor.target, ledger, missing=recipe.read.missing)
    most = _TIMES * sample_size(len(subject.columns))
    chosen = np.arange(len(y))[sample_rows(len(y), most)]
    return permutation_importance(
        subject,
        features.take(chosen),
        y[chosen],
        columns=columns,
        confidence=recipe.evaluate.confidence,
        seed=recipe.seed,
    )


def reasons_for(
    predictor: Predictor,
    rows: Table,
    reference: Reference | None,
    *,
    usual: Table | None = None,
    columns: Sequence[str] | None = None,
    class_name: str | None = None,
    top: int = 5,
    order: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Return the reasons of each row as plain data.

    Args:
        predictor: The model.
        rows: N raw rows.
        reference: What the training table held, or None in models of earlier releases.
        usual: Raw rows that tell what columns usually hold, instead of the reference.
        columns: As for `explain_rows`.
        class_name: As for `explain_rows`.
        top: Reasons of a row at the most.
        order: As for `explain_rows`.

    Returns:
        For each row {"label", "class", "probability", "reasons": [{"column", "cell",
        "change"}]}: the most probable class, the class explained and its probability.

    Raises:
        UserError: As `explain_rows`; or nothing tells what columns usually hold.
    """
    subject = Subject.of(predictor)
    if usual is None and reference is None and rows.n_rows > 1:
        usual = rows
    if usual is not None:
        reference = Reference.fit(subject.typed(usual), predictor.preparation.raw_schema)
    if reference is None:
        raise UserError(
            "the model does not tell what its columns usually hold",
            fix="Train it again with this release, or explain a row together with others",
        )
    found = explain_rows(
        subject, rows, reference, columns=columns, class_name=class_name, order=order
    )
    labels = predictor.target.labels(found.proba.argmax(axis=1)).tolist()
    told = found.to_list(top=top)
    return [{"label": label, **one} for label, one in zip(labels, told, strict=True)]
