"""Pictures of columns: importance and partial dependence.

Comes in: sections of the report's document. Goes out: SVG text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from assay.report.charts import (
    Frame,
    Points,
    bar,
    chart,
    column,
    dot,
    frame,
    line,
    padded,
    row_frame,
    span_across,
)
from assay.report.wording import NO_BREAK, figure, percent, score_name, shortened, span

MOST_BARS = 20
MOST_LEVELS = 14
MOST_DOTS = 15  # more points on a line need no marks


def importance_picture(importance: Mapping[str, Any]) -> str:
    """Return a bar with interval for each of the columns that matter most."""
    rows = [
        one
        for one in importance["columns"]["items"][:MOST_BARS]
        if one["increase"]["estimate"] is not None
    ]
    if not rows:
        return ""
    ends = [one["increase"][end] for one in rows for end in ("estimate", "low", "high")]
    low, high = padded([0.0, *ends], spare=0.04)
    metric = score_name(importance.get("metric", "log_loss"))
    label = f"increase of {metric} when the column is shuffled"
    box = row_frame(
        [one["column"] for one in rows], (min(low, 0.0), high), x_label=label, row_height=21
    )
    marks, told = [], []
    for y, one in enumerate(rows):
        increase = one["increase"]
        words = f"{one['column']} {figure(increase['estimate'])}"
        words += f" ({span(increase)})" if span(increase) else ""
        marks.append(bar(box, increase["estimate"], y, "c0"))
        if increase["low"] is not None and increase["high"] is not None:
            marks.append(span_across(box, increase["low"], increase["high"], y, "over"))
        told.append(words)
    desc = f"How much worse the model gets without what a column tells: {'; '.join(told)}."
    return chart(box, marks, key="importance", title="Importance of columns", desc=desc)


def dependence_pictures(
    dependence: Sequence[Mapping[str, Any]], styles: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return how the mean probability moves with the values of each column.

    All share one scale, so that a column without effect looks like one.

    Args:
        dependence: Of the document.
        styles: Class names to draw, with their classes of style.

    Returns:
        (column, picture) for each column that has values.
    """
    drawn = [one for one in dependence if one["x"] and set(styles) & set(one["proba"])]
    values = []
    for one in drawn:
        absent = one.get("missing_proba") or {}
        for name in styles:
            values += [*one["proba"].get(name, ()), absent.get(name)]
    low, high = padded(values, spare=0.12)
    heights = max(low, 0.0), max(min(high, 1.0), max(low, 0.0) + 1e-6)
    return [
        (one["column"], _dependence_picture(one, f"dependence-{idx}", heights, styles))
        for idx, one in enumerate(drawn)
    ]


def _dependence_picture(
    one: Mapping[str, Any], key: str, heights: tuple[float, float], styles: Mapping[str, str]
) -> str:
    lines = {name: one["proba"][name] for name in styles if name in one["proba"]}
    absent = {name: (one.get("missing_proba") or {}).get(name) for name in lines}
    draw = _over_levels if one["kind"] == "categorical" else _over_numbers
    box, marks = draw(one, lines, absent, heights, styles)
    title = f"Probability by {one['column']}"
    return chart(box, marks, key=key, title=title, desc=_told(one, lines, absent))


def _over_numbers(
    one: Mapping[str, Any],
    lines: Mapping[str, Points],
    absent: Mapping[str, float | None],
    heights: tuple[float, float],
    styles: Mapping[str, str],
) -> tuple[Frame, list[str]]:
    """Draw lines over numbers or dates; what is missing stands at the right."""
    is_date = one["kind"] == "datetime"
    xs = [_seconds(x) for x in one["x"]] if is_date else one["x"]
    low, high = padded(xs, spare=0.02)
    has_missing = any(value is not None for value in absent.values())
    beyond = high + 0.1 * (high - low)
    box = frame(
        (low, beyond + 0.03 * (high - low) if has_missing else high),
        heights,
        y_label="mean probability",
        height=200,
        n_ticks=4,
    )
    ticks = [tick for tick in box.x_ticks if tick[0] <= high - 0.12 * (high - low) * has_missing]
    if is_date:
        ticks = [(xs[idx], str(one["x"][idx])[:10]) for idx in sorted({0, len(xs) // 2})]
    if has_missing:
        ticks.append((beyond, "missing"))
    box = replace(box, x_ticks=tuple(ticks))
    marks = _histogram(box, xs, (one.get("rug") or {}).get("counts") or [])
    for name, ys in lines.items():
        marks.append(line(box, xs, ys, styles[name]))
        if len(xs) < MOST_DOTS:
            marks += [
                dot(box, x, y, styles[name], radius=2.4)
                for x, y in zip(xs, ys, strict=True)
                if y is not None
            ]
        value = absent[name]
        if value is not None:
            tip = f"missing: {figure(value)}"
            marks.append(dot(box, beyond, value, f"{styles[name]} hollow", tip=tip))
    return box, marks


def _histogram(box: Frame, edges: Sequence[float], counts: Sequence[int]) -> list[str]:
    """Return pale columns of rows by unit of x; peaks are cut, so that the rest still shows."""
    if len(edges) != len(counts) + 1 or not counts:
        return []
    widths = [right - left for left, right in pairwise(edges)]
    density = [n / width if width > 0 else 0.0 for n, width in zip(counts, widths, strict=True)]
    most = min(max(density), 4 * sorted(density)[len(density) // 2] or max(density))
    if most <= 0:
        return []
    low, room = box.y.low, 0.22 * (box.y.high - box.y.low)
    return [
        column(box, left, width, low + room * min(one / most, 1.0), "ghost")
        for left, width, one in zip(edges, widths, density, strict=False)
    ]


def _over_levels(
    one: Mapping[str, Any],
    lines: Mapping[str, Points],
    absent: Mapping[str, float | None],
    heights: tuple[float, float],
    styles: Mapping[str, str],
) -> tuple[Frame, list[str]]:
    """Draw a row for each level, with its share of the rows."""
    levels = [str(x) for x in one["x"][:MOST_LEVELS]]
    rug = one.get("rug") or {}
    counts = list((rug.get("counts") or [])[: len(levels)])
    has_missing = any(value is not None for value in absent.values())
    if has_missing:
        levels, counts = [*levels, "missing"], [*counts, rug.get("missing") or 0]
    n_rows = sum(rug.get("counts") or []) + sum(rug.get(key) or 0 for key in ("other", "missing"))
    rows = levels
    if len(counts) == len(levels) and n_rows:
        shares = [percent(n / n_rows, 0).replace(NO_BREAK, " ") for n in counts]
        rows = [
            f"{shortened(level, 13)} · {share}" for level, share in zip(levels, shares, strict=True)
        ]
    box = row_frame(rows, heights, x_label="mean probability", row_height=22)
    marks = []
    for name, ys in lines.items():
        shown = [*ys[:MOST_LEVELS], *([absent[name]] if has_missing else [])]
        for y, value in enumerate(shown):
            if value is not None:
                tip = f"{levels[y]}: {figure(value)}"
                marks.append(dot(box, value, y, styles[name], tip=tip, radius=4.2))
    return box, marks


def _told(
    one: Mapping[str, Any], lines: Mapping[str, Points], absent: Mapping[str, float | None]
) -> str:
    xs = one["x"]
    places = range(len(xs)) if len(xs) <= MOST_DOTS else sorted({0, len(xs) // 2, len(xs) - 1})
    parts = []
    for name, ys in lines.items():
        points = [
            f"{figure(ys[idx], 2)} at {f'{xs[idx]:.4g}' if isinstance(xs[idx], float) else xs[idx]}"
            for idx in places
        ]
        if absent[name] is not None:
            points.append(f"{figure(absent[name], 2)} where it is missing")
        parts.append(f"{name}: {', '.join(points)}")
    return f"Mean probability when only {one['column']} changes. {'; '.join(parts)}."


def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds()
