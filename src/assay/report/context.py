"""The report as one plain dictionary: what the page shows and the JSON twin holds.

Comes in: what a model file says about itself. Goes out: plain data without NaN, every
list cut to what a person can use, every number of every picture in it. Whatever an
evaluation lacks (no rows left out, an older release) is None or an empty list here.
"""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.modelfile import ModelContents
from assay.recipe import Recipe, recipe_changes
from assay.report.columns import column_list
from assay.report.judged import judged_parts
from assay.report.opening import compared_sentence, highlights, opening
from assay.report.threshold import threshold_section
from assay.report.wording import CANDIDATE_NAMES, candidate_name, shortened
from assay.version import __version__

FORMAT = 1
"""Version of the layout of this document."""

MOST_BYTES = 900_000
"""Size of the document as JSON; lists are cut further until it fits."""

_MOST_EPOCHS = 101
_MOST_COSTS = 50  # classes of a cost matrix, and of lists of shares
_MOST_ALIKE = 20  # columns of a group that are named
_MOST_NAME = 200  # characters
_MOST_SENTENCE = 1_000

Document = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """What a report tells of.

    Attributes:
        name: File name of the model, without folders.
        target: The column that is predicted.
        evaluation: Scores with intervals, as in the model file.
        ledger: Decisions about the data, as in the model file.
        columns: From `column_list`.
        recipe: The choices of the training.
        assay_version: Release that trained the model.
    """

    name: str
    target: str
    evaluation: Mapping[str, Any]
    ledger: Sequence[Mapping[str, str]]
    columns: Sequence[Mapping[str, Any]]
    recipe: Recipe
    assay_version: str = __version__

    @classmethod
    def of(
        cls, contents: ModelContents, *, name: str, assay_version: str = __version__
    ) -> "Subject":
        """Return what there is to tell of a model.

        Args:
            contents: Of the model file.
            name: Its file name; folders before it are left out.
            assay_version: Release that trained it.
        """
        return cls(
            name=name.replace("\\", "/").rsplit("/", 1)[-1],
            target=contents.predictor.target.name,
            # In the order of a file, so that a report written again has the same bytes.
            evaluation=json.loads(json.dumps(contents.evaluation, sort_keys=True)),
            ledger=contents.ledger,
            columns=column_list(contents),
            recipe=contents.predictor.recipe,
            assay_version=assay_version,
        )


@dataclass(frozen=True)
class Limits:
    """How much of each list the document holds."""

    n_classes: int = 1_000
    n_columns: int = 1_000
    n_entries: int = 500
    n_losses: int = 8_000

    def halved(self) -> "Limits":
        """Return half of each."""
        halves = (self.n_classes, self.n_columns, self.n_entries, self.n_losses)
        return Limits(*(max(size // 2, 1) for size in halves))


def make_context(subject: Subject) -> Document:
    """Return the whole report as plain data for JSON.

    Args:
        subject: What it tells of.

    Returns:
        The document; docs/report.md describes it. At most `MOST_BYTES` as JSON.
    """
    limits = Limits()
    document = _document(subject, limits)
    while _size(document) > MOST_BYTES and limits.n_losses > 1:
        limits = limits.halved()
        document = _document(subject, limits)
    return document


def _size(document: Document) -> int:
    """Return the bytes of the document as JSON in a page, where "<", ">" and "&" take six."""
    text = json.dumps(document)
    return len(text) + 5 * sum(text.count(mark) for mark in "<>&")


def listed(
    items: Sequence[Any], most: int, told: Callable[[Any], Any] = lambda item: item
) -> Document:
    """Return the first of a list and how many more there are.

    Example:
        >>> listed(["a", "b", "c"], 2)
        {'items': ['a', 'b'], 'n_more': 1}
    """
    return {"items": [told(item) for item in items[:most]], "n_more": max(len(items) - most, 0)}


def _document(subject: Subject, limits: Limits) -> Document:
    evaluation = subject.evaluation
    parts = judged_parts(evaluation, most_classes=limits.n_classes)
    classes = evaluation.get("classes", [])
    training = evaluation.get("training", {})
    document = {
        "report": {"format": FORMAT, "assay_version": __version__},
        "model": {
            "file": cut(subject.name),
            "target": cut(subject.target),
            "n_classes": len(classes),
            "calibration": evaluation.get("calibration"),
        },
        "read": _read(subject),
        "candidates": _candidates(evaluation),
        "compared": compared_sentence(evaluation) or None,
        "parts": parts,
        "threshold": threshold_section(evaluation),
        "learning": _learning(training, limits.n_losses),
        "learnt": evaluation.get("train", {}).get("members"),
        "importance": _importance(evaluation, limits.n_columns),
        "dependence": evaluation.get("dependence") or [],
        "decisions": _decisions(evaluation),
        "findings": listed(evaluation.get("findings") or [], limits.n_entries),
        "ledger": listed(subject.ledger, limits.n_entries),
        "columns": listed(subject.columns, limits.n_columns),
        "recipe": {
            "changes": listed(list(recipe_changes(subject.recipe).items()), limits.n_entries),
            "toml": subject.recipe.to_toml()[:200_000],
        },
        "versions": {
            "assay": subject.assay_version,
            "torch": training.get("torch_version"),
            "seed": training.get("seed", subject.recipe.seed),
        },
    }
    document = {**plain(document), "reproduce": plain(_reproduce(subject))}
    document["verdict"] = plain(opening(evaluation))
    document["highlights"] = highlights(document)
    return document


def cut(text: object, most: int = _MOST_NAME) -> str:
    """Return a name of one line that is not endless."""
    return shortened(str(text), most)


def plain(data: Any, *, most: int = _MOST_SENTENCE) -> Any:
    r"""Return plain data whose texts are of one line, and whose numbers are none of NaN.

    Numbers are kept to eight digits. Text that holds line ends on purpose is not
    touched: the value of a key "toml".

    Example:
        >>> plain({"share": float("nan"), "n": [1 / 3], "name": "a" * 3 + chr(10)})
        {'share': None, 'n': [0.33333333], 'name': 'aaa\\n'}
    """
    if isinstance(data, Mapping):
        return {
            cut(key): item if key == "toml" else plain(item, most=most)
            for key, item in data.items()
        }
    if isinstance(data, list | tuple):
        return [plain(item, most=most) for item in data]
    if isinstance(data, str):
        return shortened(data, most)
    if isinstance(data, float):
        return float(f"{data:.8g}") if abs(data) < float("inf") else None
    return data


def _reproduce(subject: Subject) -> Document:
    """Return the commands that make the model again."""
    name = cut(subject.name)
    stem = name.removesuffix(".assay") or name
    recipe = f"{stem}.toml"
    return {
        "recipe": recipe,
        "commands": [
            f"assay train TABLE --recipe {shlex.quote(recipe)} -o {shlex.quote(name)}",
            f"assay predict {shlex.quote(name)} NEW_TABLE -o predictions.csv",
            f"assay evaluate {shlex.quote(name)} LABELLED_TABLE",
        ],
    }


def _read(subject: Subject) -> Document:
    """Return what was read: rows, columns by kind, classes with their rows where known."""
    evaluation = subject.evaluation
    kinds: dict[str, int] = {}
    for column in subject.columns:
        if column["expression"] is None:
            kinds[column["kind"]] = kinds.get(column["kind"], 0) + 1
    judged = evaluation.get("validation", {})
    n_rows, n_judged = evaluation.get("n_rows"), judged.get("n_rows")
    names = evaluation.get("classes", [])
    counts = [None] * len(names)
    if n_judged is not None:  # shares of the judged rows are those of all
        counts = [row["n"] for row in judged.get("per_class", [])] or counts
    known = sorted(zip(names, counts, strict=False), key=lambda pair: -(pair[1] or 0))
    classes = [
        {"class": cut(name), "n": n, "share": n / n_judged if n_judged and n is not None else None}
        for name, n in known
    ]
    return {
        "n_rows": n_rows,
        "n_judged": n_judged,
        "n_test": evaluation.get("test", {}).get("n_rows"),
        "n_columns": sum(kinds.values()),
        "kinds": dict(sorted(kinds.items(), key=lambda kind: -kind[1])),
        "n_derived": len(subject.columns) - sum(kinds.values()),
        "classes": listed(classes, 50),
        "n_members": evaluation.get("training", {}).get("n_members"),
        "n_inputs": evaluation.get("training", {}).get("n_inputs"),
        "n_epochs": evaluation.get("training", {}).get("n_epochs_run"),
    }


def _candidates(evaluation: Mapping[str, Any]) -> list[Document]:
    return [
        {
            "name": one["name"],
            "label": candidate_name(one["name"]),
            "scores": one.get("scores", {}),
            "weight": one.get("weight"),
            "is_shipped": bool(one.get("is_shipped")),
        }
        for one in evaluation.get("candidates") or []
    ]


def _decisions(evaluation: Mapping[str, Any]) -> Document:
    """Return the decisions; lists by class are cut to what a person reads."""
    found = dict(evaluation.get("decisions") or {})
    if not found:
        return {}
    names = [cut(name) for name in evaluation.get("classes", [])]
    cost = found.get("cost")
    if cost and len(cost["matrix"]) > _MOST_COSTS:
        found["cost"] = {**cost, "matrix": [], "decided": _largest(cost.get("decided") or {})}
    conformal = found.get("conformal")
    if conformal:
        rows = conformal.get("per_class") or []
        found["conformal"] = {**conformal, "per_class": rows[:_MOST_COSTS]}
    priors = found.get("priors")
    if priors:
        sides = {side: _largest(priors.get(side) or {}) for side in ("training", "deployment")}
        found["priors"] = {**priors, **sides}
    return {**found, "classes": names[:_MOST_COSTS]}


def _largest(shares: Mapping[str, float]) -> Mapping[str, float]:
    kept = sorted(shares, key=lambda name: -shares[name])[:_MOST_COSTS]
    return {name: shares[name] for name in kept}


def _learning(training: Mapping[str, Any], n_losses: int) -> Document | None:
    """Return the losses of all members by epoch; epochs are thinned out, members never."""
    history = training.get("history") or {}
    losses = history.get("train_loss") or []
    if not losses:
        return None
    n_epochs, n_members = len(losses), len(losses[0])
    most = max(2, min(_MOST_EPOCHS, n_losses // max(2 * n_members, 1)))
    kept = sorted({round(idx * (n_epochs - 1) / (most - 1)) for idx in range(most)})
    validation = history.get("validation_log_loss") or []
    return {
        "epoch": [idx + 1 for idx in kept],
        "train_loss": [losses[idx] for idx in kept],
        "validation_log_loss": [validation[idx] for idx in kept if idx < len(validation)],
        "best_epoch": history.get("best_epoch") or [],
        "n_epochs": n_epochs,
        "n_members": n_members,
    }


def _importance(evaluation: Mapping[str, Any], n_columns: int) -> Document | None:
    found = evaluation.get("importance")
    if not found or not found.get("columns"):
        return None
    rows = sorted(found["columns"], key=lambda one: -(one["increase"]["estimate"] or 0.0))
    rows = [{**one, "with": list(one.get("with") or [])[:_MOST_ALIKE]} for one in rows]
    grouped = [
        {**one, "columns": list(one["columns"])[:_MOST_ALIKE]} for one in found.get("grouped") or []
    ]
    return {
        **found,
        "columns": listed(rows, n_columns),
        "grouped": listed(grouped, n_columns),
        "candidates": _by_candidate(found, rows),
    }


def _place(candidate: str) -> int:
    """Return where a candidate stands: simplest first, whatever the order in the file."""
    known = list(CANDIDATE_NAMES)
    return known.index(candidate) if candidate in known else len(known)


def _by_candidate(found: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Document | None:
    """Return what the columns that matter most are to the candidates that do not ship.

    Returns:
        n_rows; names and labels of the candidates; rows [{column, increases}], an
        interval for each candidate, None where it was not measured. None without any.
    """
    measured = found.get("candidates") or {}
    if not measured:
        return None
    known = {
        name: {one["column"]: one["increase"] for one in own["columns"]}
        for name, own in sorted(measured.items(), key=lambda pair: _place(pair[0]))
    }
    kept = [one["column"] for one in rows if any(one["column"] in own for own in known.values())]
    return {
        "n_rows": next(iter(measured.values()))["n_rows"],
        "names": list(known),
        "labels": [candidate_name(name) for name in known],
        "rows": [
            {"column": cut(column), "increases": [own.get(column) for own in known.values()]}
            for column in kept
        ],
    }
