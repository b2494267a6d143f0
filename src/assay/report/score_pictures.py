"""Pictures of scores: candidates, curves, reliability, thresholds and learning.

Comes in: sections of the report's document. Goes out: SVG text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from assay.report.charts import (
    N_COLOURS,
    band,
    chart,
    dot,
    frame,
    guide,
    line,
    padded,
    row_frame,
    span_across,
    span_up,
)
from assay.report.wording import LOWER_IS_BETTER, figure, percent, score_name, span

UNIT = (0.0, 1.0)
PLAIN = "plain"  # the series that are there to compare with


def series(idx: int) -> str:
    """Return the classes of style of series number `idx`: colours first, then dashes.

    Example:
        >>> series(0), series(7)
        ('c0', 'c1 dashed')
    """
    return f"c{idx % N_COLOURS}" + (" dashed" if idx // N_COLOURS % 2 else "")


def candidate_picture(candidates: Sequence[Mapping[str, Any]], metric: str) -> str:
    """Return dots and intervals of one score, a row for each candidate; "" without scores."""
    rows = [
        one for one in candidates if (one["scores"].get(metric) or {}).get("estimate") is not None
    ]
    if not rows:
        return ""
    scores = [one["scores"][metric] for one in rows]
    ends = [score[end] for score in scores for end in ("estimate", "low", "high")]
    box = row_frame([one["label"] for one in rows], padded(ends), x_label=score_name(metric))
    marks, told = [], []
    for y, (one, score) in enumerate(zip(rows, scores, strict=True)):
        css = "c0" if one["is_shipped"] else PLAIN
        if score["low"] is not None and score["high"] is not None:
            marks.append(span_across(box, score["low"], score["high"], y, css))
        words = f"{one['label']} {figure(score['estimate'])}"
        words += f" ({span(score)})" if span(score) else ""
        told.append(words)
        marks.append(dot(box, score["estimate"], y, css, tip=words, radius=4.5))
    better = "lower" if metric in LOWER_IS_BETTER else "higher"
    title = f"{score_name(metric).capitalize() if metric != 'auroc' else 'AUROC'} of the candidates"
    desc = f"With intervals; {better} is better: {'; '.join(told)}."
    return chart(box, marks, key=f"candidates-{metric}", title=title, desc=desc)


def roc_picture(curves: Mapping[str, Any], part: str) -> str:
    """Return the ROC curves of a part; "" where there is none."""
    classes = [one for one in curves["classes"] if one["roc"]]
    if not classes:
        return ""
    box = frame(UNIT, UNIT, x_label="false positive rate", y_label="true positive rate", height=300)
    marks = [guide(box, UNIT, UNIT)]
    for idx, one in enumerate(classes):
        roc = one["roc"]
        marks.append(line(box, roc["false_positive_rate"], roc["true_positive_rate"], series(idx)))
    told = "; ".join(f"{one['class']} {figure(one['auroc'])}" for one in classes)
    desc = f"True against false positive rate at every threshold. Area under the curve: {told}."
    return chart(box, reversed(marks), key=f"{part}-roc", title="ROC curves", desc=desc)


def precision_recall_picture(curves: Mapping[str, Any], part: str) -> str:
    """Return the precision-recall curves of a part; "" where there is none."""
    classes = [one for one in curves["classes"] if one["precision_recall"]]
    if not classes:
        return ""
    box = frame(UNIT, UNIT, x_label="recall", y_label="precision", height=300)
    marks = []
    if len(classes) == 1:  # calling every row the class gives its share as precision
        share = classes[0]["n"] / curves["n_rows"]
        marks.append(guide(box, UNIT, (share, share)))
    for idx, one in enumerate(classes):
        curve = one["precision_recall"]
        marks.append(line(box, curve["recall"], curve["precision"], series(idx)))
    told = "; ".join(f"{one['class']} {figure(one['average_precision'])}" for one in classes)
    desc = f"Precision against recall at every threshold. Average precision: {told}."
    return chart(box, reversed(marks), key=f"{part}-pr", title="Precision–recall curves", desc=desc)


def reliability_picture(reliability: Mapping[str, Any], part: str) -> str:
    """Return how often the model is right at each confidence, before and after calibration."""
    diagrams = [(name, reliability[name]) for name in ("before", "after") if reliability.get(name)]
    if not diagrams:
        return ""
    bins = [one for _, diagram in diagrams for one in diagram["bins"]]
    values = [one["mean_confidence"] for one in bins]
    values += [one["accuracy"][end] for one in bins for end in ("estimate", "low", "high")]
    low, high = padded(values, spare=0.03)
    around = (max(low, 0.0), min(high, 1.0))
    box = frame(
        around,
        around,
        x_label="confidence in the answer",
        y_label="share that is right",
        height=300,
    )
    marks, told = [guide(box, around, around)], []
    for name, diagram in diagrams:
        css = "c0" if name == "after" else "c1"
        marks += _reliability_marks(box, diagram["bins"], css, has_spans=name == "after")
        told.append(f"{name} calibration, calibration error {figure(diagram['ece']['estimate'])}")
    last = diagrams[-1][1]["bins"]
    pairs = ", ".join(
        f"{percent(one['mean_confidence'], 0)} sure: "
        f"{percent(one['accuracy']['estimate'], 0)} right"
        for one in last
    )
    desc = (
        f"On the dashed line the model is as often right as it is sure. {'; '.join(told)}. {pairs}."
    )
    title = "Reliability: confidence against the share that is right"
    return chart(box, marks, key=f"{part}-reliability", title=title, desc=desc)


def _reliability_marks(
    box: Any, bins: Sequence[Mapping[str, Any]], css: str, *, has_spans: bool
) -> list[str]:
    xs = [one["mean_confidence"] for one in bins]
    marks = [line(box, xs, [one["accuracy"]["estimate"] for one in bins], f"{css} thin")]
    for one in bins:
        share = one["accuracy"]
        if share["estimate"] is None:
            continue
        if has_spans and share["low"] is not None:
            marks.append(span_up(box, one["mean_confidence"], share["low"], share["high"], css))
        tip = (
            f"{one['n']:,} rows, {percent(one['mean_confidence'])} sure, "
            f"{percent(share['estimate'])} right"
        )
        marks.append(dot(box, one["mean_confidence"], share["estimate"], css, tip=tip))
    return marks


def threshold_picture(table: Mapping[str, Any], figures: Sequence[Mapping[str, Any]]) -> str:
    """Return precision, recall and F1 at every threshold, with a marker the script moves.

    Args:
        table: The threshold section.
        figures: From `threshold_figures`, one for each threshold.
    """
    box = frame(UNIT, UNIT, x_label=f"threshold of “{table['class']}”", height=230)
    xs = table["threshold"]
    marks = [
        line(box, xs, [one[name] for one in figures], series(idx))
        for idx, name in enumerate(("precision", "recall", "f1"))
    ]
    start = table["start_idx"]
    at = box.x(xs[start])
    marks.append(
        f'<path id="threshold-marker" class="marker" data-left="{box.x.start:.1f}" '
        f'data-width="{box.x.end - box.x.start:.1f}" '
        f'd="M0 {box.y.end:.0f}V{box.y.start:.0f}" transform="translate({at:.1f} 0)"/>'
    )
    n_decimals = table["n_decimals"] - 1
    told = "; ".join(
        f"at {figure(xs[idx], n_decimals)} precision {figure(figures[idx]['precision'], 2)}, "
        f"recall {figure(figures[idx]['recall'], 2)}, F1 {figure(figures[idx]['f1'], 2)}"
        for idx in range(10, len(xs) - 1, 20)
    )
    title = "Precision, recall and F1 by threshold"
    return chart(box, marks, key="threshold", title=title, desc=f"{told.capitalize()}.")


def learning_pictures(learning: Mapping[str, Any]) -> list[str]:
    """Return the loss of every network by epoch, on rows it learned from and on others."""
    titles = {
        "validation_log_loss": "Log loss on rows left out",
        "train_loss": "Loss on rows learned from",
    }
    return [
        _learning_picture(learning, name, title)
        for name, title in titles.items()
        if learning[name] and any(loss is not None for row in learning[name] for loss in row)
    ]


def _learning_picture(learning: Mapping[str, Any], name: str, title: str) -> str:
    xs, losses = learning["epoch"][: len(learning[name])], learning[name]
    known = sorted(loss for row in losses for loss in row if loss is not None)
    low, high = padded([known[0], known[min(round(0.985 * len(known)), len(known) - 1)]])
    across = (float(xs[0]), float(max(xs[-1], xs[0] + 1)))
    box = frame(across, (low, high), x_label="epoch", y_label=title.lower(), height=250)
    members = [[row[idx] for row in losses] for idx in range(learning["n_members"])]
    marks = [line(box, xs, member, "c0 faint") for member in members]
    means = [_mean(row) for row in losses]
    marks.append(line(box, xs, means, "c0 strong"))
    if len(xs) == 1:
        marks += [dot(box, xs[0], loss, "c0") for loss in losses[0] if loss is not None]
    best = learning["best_epoch"]
    if name == "validation_log_loss" and best:
        marks += _best_marks(box, xs, members, best)
    lowest = min((mean, epoch) for mean, epoch in zip(means, xs, strict=True) if mean is not None)
    first, last = (next(m for m in order if m is not None) for order in (means, means[::-1]))
    desc = (
        f"{learning['n_members']} networks over {learning['n_epochs']} epochs. Their mean goes "
        f"from {figure(first)} to {figure(last)}; it is lowest, {figure(lowest[0])}, "
        f"in epoch {lowest[1]}."
    )
    return chart(box, marks, key=f"learning-{name.replace('_', '-')}", title=title, desc=desc)


def _best_marks(
    box: Any, xs: Sequence[int], members: Sequence[Sequence[float | None]], best: Sequence[int]
) -> list[str]:
    """Return a dot at the epoch that each member keeps, or at the nearest one shown."""
    marks = []
    for idx, (member, epoch) in enumerate(zip(members, best, strict=False)):
        near = min(range(len(xs)), key=lambda place: abs(xs[place] - epoch))
        loss = member[near]
        if epoch > 0 and loss is not None:
            told = f", {figure(loss)}" if xs[near] == epoch else ""
            tip = f"network {idx + 1} keeps epoch {epoch}{told}"
            marks.append(dot(box, xs[near], loss, "c1", tip=tip, radius=2.6))
    return marks


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def accuracy_by_answered_picture(curve: Sequence[Mapping[str, Any]]) -> str:
    """Return how often answers are right when only the surest rows get one; "" without points."""
    if len(curve) < 2:
        return ""
    xs = [one["answered"] for one in curve]
    shares = [one["accuracy"] for one in curve]
    ends = [share[end] for share in shares for end in ("estimate", "low", "high")]
    low, high = padded(ends)
    box = frame(
        UNIT,
        (max(low, 0.0), min(high, 1.0)),
        x_label="share of rows that get an answer",
        y_label="share of answers that are right",
    )
    marks = [
        band(box, xs, [one["low"] for one in shares], [one["high"] for one in shares], "c0"),
        line(box, xs, [one["estimate"] for one in shares], "c0"),
    ]
    told = "; ".join(
        f"{percent(one['answered'], 0)} answered: {percent(one['accuracy']['estimate'])} right"
        for one in curve[:: max(len(curve) // 5, 1)]
    )
    title = "Accuracy when only the surest rows get an answer"
    return chart(box, marks, key="abstention", title=title, desc=f"{told}.")


def coverage_picture(curve: Sequence[Mapping[str, Any]]) -> str:
    """Return how large sets of classes get with the coverage asked; "" without points."""
    if len(curve) < 2:
        return ""
    xs = [one["coverage"] for one in curve]
    sizes = [one["mean_size"] for one in curve]
    box = frame(
        padded(xs, spare=0.02),
        (0.0, padded(sizes)[1]),
        x_label="coverage asked",
        y_label="classes in a set, mean",
    )
    marks = [line(box, xs, sizes, "c0")]
    for one in curve:
        tip = (
            f"asked {percent(one['coverage'], 0)}, achieved {percent(one['achieved'])}, "
            f"{figure(one['mean_size'], 2)} classes"
        )
        marks.append(dot(box, one["coverage"], one["mean_size"], "c0", tip=tip, radius=3))
    told = "; ".join(
        f"{percent(one['coverage'], 0)} asked: {figure(one['mean_size'], 2)} classes, "
        f"{percent(one['achieved'])} achieved"
        for one in curve[:: max(len(curve) // 5, 1)]
    )
    title = "Size of the sets of classes by coverage"
    return chart(box, marks, key="coverage", title=title, desc=f"{told}.")
