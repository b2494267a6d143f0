"""An evaluation as text: scores beside the majority, classes, the confusion matrix.

Comes in: the plain data that `Model.evaluation` and `Model.evaluate` hold. Goes
out: lines for a terminal.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from assay.cli.layout import (
    GAP,
    MAX_LISTED,
    counted,
    cut,
    cut_apart,
    figure,
    heading,
    n_cells,
    ranged,
    table,
)
from assay.report.wording import SCORE_NAMES

_BRIEF = ("accuracy", "balanced_accuracy", "log_loss", "auroc")
_PARTS = {
    "validation": "rows, each by models that had left it out",
    "test": "test rows that no model saw",
}
_CLASS_CELLS = 14  # of a class name beside its figures
_MATRIX_CELLS = 8  # of a class name above the confusion matrix


def score_lines(judged: Mapping[str, Any], *, names: Iterable[str] | None = None) -> list[str]:
    """Return a table of scores with intervals, the majority's beside them.

    Args:
        judged: With scores, confidence and majority.
        names: Scores to show; by default all. Those undefined are left out.
    """
    scores, majority = judged["scores"], judged["majority"]
    order = [*SCORE_NAMES, *(name for name in scores if name not in SCORE_NAMES)]
    chosen = [name for name in (order if names is None else names) if _is_known(scores, name)]
    rows = [
        [
            SCORE_NAMES.get(name, name.replace("_", " ")),
            ranged(scores[name]),
            figure(majority[name]) if name in majority else "",
        ]
        for name in chosen
    ]
    header = ["", f"score [interval at {judged['confidence']:g}]", f"always {_quoted(majority)}"]
    return table(rows, header=header)


def class_lines(judged: Mapping[str, Any]) -> list[str]:
    """Return a table of the classes: rows, precision, recall with interval, F1, AUROC."""
    shown, n_hidden = _commonest(judged["per_class"])
    own = [judged["per_class"][idx] for idx in shown]
    rows = []
    for name, row in zip(cut_apart([one["class"] for one in own], _CLASS_CELLS), own, strict=True):
        figures = [ranged(row[score], n_decimals=2) for score in ("precision", "recall", "f1")]
        rows.append([name, f"{row['n']:,}", *figures])
    header = ["class", "rows", "precision", "recall", "F1"]
    return [*table(rows, header=header, numbers=[1]), *_more(n_hidden, "class")]


def confusion_lines(judged: Mapping[str, Any]) -> list[str]:
    """Return the confusion matrix: a line for each true class, a column for each predicted.

    As many of the commonest classes are shown as fit the terminal, at most twelve.
    """
    names = [cut(row["class"], _CLASS_CELLS) for row in judged["per_class"]]
    counts = judged["confusion"]
    largest = max((count for row in counts for count in row), default=0)
    cells = min(_MATRIX_CELLS, max(n_cells(name) for name in names))
    cells = max(cells, n_cells(f"{largest:,}"))
    room = shutil.get_terminal_size().columns - max(n_cells(name) for name in names) - len(GAP)
    limit = min(max(room // (cells + len(GAP)), 2), MAX_LISTED)
    shown, n_hidden = _commonest(judged["per_class"], limit)
    own = [judged["per_class"][idx]["class"] for idx in shown]
    header = ["", *cut_apart(own, cells)]
    rows = [
        [name, *(f"{counts[true][idx]:,}" for idx in shown)]
        for name, true in zip(cut_apart(own, _CLASS_CELLS), shown, strict=True)
    ]
    lines = table(rows, header=header, numbers=range(1, len(header)))
    return [*lines, *_more(n_hidden, "class")]


def judged_lines(judged: Mapping[str, Any]) -> list[str]:
    """Return all of an evaluation: scores, classes, confusion matrix."""
    return [
        heading(f"Scores of {counted(judged['n_rows'], 'row')}"),
        *score_lines(judged),
        "",
        heading("Classes"),
        *class_lines(judged),
        "",
        heading("Confusion: a line for each true class, a column for each predicted"),
        *confusion_lines(judged),
    ]


def part_lines(evaluation: Mapping[str, Any], part: str, *, is_brief: bool) -> list[str]:
    """Return the scores of one part of a training, and the spread of its networks.

    Args:
        evaluation: Of a trained model.
        part: "validation" or "test".
        is_brief: Whether the main scores are enough.
    """
    judged = evaluation.get(part)
    if judged is None:
        return []
    title = f"Scores of {judged['n_rows']:,} {_PARTS[part]}"
    lines = ["", heading(title), *score_lines(judged, names=_BRIEF if is_brief else None)]
    return [*lines, *spread_lines(judged.get("members"))]


def learnt_lines(evaluation: Mapping[str, Any]) -> list[str]:
    """Return how the networks do on rows they learnt from: a comparison, not a score."""
    members = evaluation.get("train", {}).get("members")
    if not members:
        return []
    return [
        "",
        heading("On the rows they learnt from (no measure of quality)"),
        *spread_lines(members),
    ]


def _is_known(scores: Mapping[str, Any], name: str) -> bool:
    """Return whether a score is defined: with rows of one class only, some are not."""
    return name in scores and scores[name]["estimate"] is not None


def spread_lines(members: Mapping[str, Any] | None) -> list[str]:
    """Return the mean and range of single networks, in one line."""
    if not members or not members.get("accuracy"):
        return []
    accuracy = ranged(members["accuracy"], "mean")
    log_loss = ranged(members["log_loss"], "mean")
    alone = f"accuracy {accuracy}, log loss {log_loss}"
    return [f"  one network alone, uncalibrated [lowest, highest]: {alone}"]


def classes_line(evaluation: Mapping[str, Any]) -> str:
    """Return the classes of a training, with their rows where every row was judged."""
    classes, judged = evaluation["classes"], evaluation.get("validation")
    if judged is None or judged["n_rows"] != evaluation["n_rows"]:
        shown = [cut(name) for name in classes[:MAX_LISTED]]
        n_hidden = len(classes) - len(shown)
    else:
        order, n_hidden = _commonest(judged["per_class"])
        rows = [judged["per_class"][idx] for idx in order]
        shown = [f"{cut(row['class'])} ({row['n']:,})" for row in rows]
    more = f" and {n_hidden:,} more" if n_hidden else ""
    return f"{counted(len(classes), 'class')}: {', '.join(shown)}{more}"


def _quoted(majority: Mapping[str, Any]) -> str:
    return f"'{cut(majority['class'], 16)}'"


def _commonest(
    per_class: Sequence[Mapping[str, Any]], limit: int = MAX_LISTED
) -> tuple[list[int], int]:
    """Return positions of the classes to list, in their own order, and how many are hidden."""
    by_size = sorted(range(len(per_class)), key=lambda idx: (-per_class[idx]["n"], idx))
    shown = sorted(by_size[:limit])
    return shown, len(per_class) - len(shown)


def _more(n_hidden: int, noun: str) -> list[str]:
    return [f"  and {n_hidden:,} more {_nouns(n_hidden, noun)}: see --json"] if n_hidden else []


def _nouns(n: int, noun: str) -> str:
    return counted(n, noun).split(" ", 1)[1]
