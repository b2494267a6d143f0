"""Small charts as SVG text: scales, marks and frames, without a plotting library.

Marks are strings; a frame draws axes around them and gives them a text alternative.
Colours and line widths are classes of the page's style sheet, so that one picture
serves light, dark and paper. Series number i has the class "c<i>".
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from assay.report.wording import shortened

WIDTH = 360  # of every chart, in its own units: about one pixel on a phone
N_COLOURS = 6
_LABEL_CHARACTERS = 20
_CHARACTER = 6.0  # mean width of a letter of 11 units

Points = Sequence[float | None]


@dataclass(frozen=True)
class Scale:
    """Maps values to positions in a straight line.

    Attributes:
        low: Value at `start`.
        high: Value at `end`; not equal to `low`.
        start: Position of `low`.
        end: Position of `high`.

    Example:
        >>> Scale(0.0, 1.0, 40, 340)(0.5)
        190.0
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the position of a value, kept within the range."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)


def nice_ticks(low: float, high: float, n_ticks: int = 5) -> list[float]:
    """Return about `n_ticks` round values that lie within a range, rising.

    The step is 1, 2 or 5 times a power of ten.

    Example:
        >>> nice_ticks(0.0, 1.0), nice_ticks(0.31, 0.47, 4)
        ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.35, 0.4, 0.45])
    """
    raw = (high - low) / n_ticks
    if not raw > 0 or not math.isfinite(raw):
        return [low]
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((size * power for size in (1, 2, 5, 10)), key=lambda size: abs(size - raw))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{idx * step:.10g}") for idx in range(first, last + 1)]


def tick_text(value: float) -> str:
    """Return the label of a tick: short, with a true minus.

    Example:
        >>> tick_text(0.30000001), tick_text(-12_500.0), tick_text(3e6), tick_text(1e-7)
        ('0.3', '−12.5k', '3M', '1e−07')
    """
    size = abs(value)
    for unit, least in (("G", 1e9), ("M", 1e6), ("k", 1e4)):
        if least <= size < 1e13:
            factor = 1e3 if unit == "k" else least
            return f"{value / factor:.4g}{unit}".replace("-", "−")
    return f"{value:.5g}".replace("-", "−")


def padded(values: Iterable[float | None], *, spare: float = 0.06) -> tuple[float, float]:
    """Return a range a little wider than the values; (0, 1) without any.

    Example:
        >>> padded([1.0, None, 3.0], spare=0.5), padded([]), padded([2.0])
        ((0.0, 4.0), (0.0, 1.0), (1.8, 2.2))
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    margin = spare * (high - low) if high > low else 0.1 * abs(low) or 1.0
    return low - margin, high + margin


@dataclass(frozen=True)
class Frame:
    """A pair of axes.

    Attributes:
        x: From values to positions across.
        y: From values to positions down; its start is the lower one.
        height: Of the whole chart.
        x_label: Below.
        y_label: Above, at the left.
        x_ticks: Where to write values; (value, text).
        y_ticks: The same.
    """

    x: Scale
    y: Scale
    height: float
    x_label: str = ""
    y_label: str = ""
    x_ticks: tuple[tuple[float, str], ...] = ()
    y_ticks: tuple[tuple[float, str], ...] = ()


def frame(
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    *,
    x_label: str = "",
    y_label: str = "",
    height: float = 250,
    n_ticks: int = 5,
) -> Frame:
    """Return axes for two ranges of numbers with round ticks."""
    y_ticks = tuple((tick, tick_text(tick)) for tick in nice_ticks(*y_range, n_ticks))
    left = 14 + _CHARACTER * max((len(text) for _, text in y_ticks), default=0)
    return Frame(
        x=Scale(*x_range, left, WIDTH - 12),
        y=Scale(*y_range, height - 42, 26),
        height=height,
        x_label=x_label,
        y_label=y_label,
        x_ticks=tuple((tick, tick_text(tick)) for tick in nice_ticks(*x_range, n_ticks)),
        y_ticks=y_ticks,
    )


def row_frame(
    names: Sequence[str], x_range: tuple[float, float], *, x_label: str = "", row_height: float = 24
) -> Frame:
    """Return axes with one named row for each of N names; row i is at y = i."""
    texts = [shortened(name, _LABEL_CHARACTERS) for name in names]
    left = 16 + _CHARACTER * max((len(text) for text in texts), default=0)
    height = row_height * max(len(names), 1) + 50
    return Frame(
        x=Scale(*x_range, left, WIDTH - 14),
        y=Scale(len(names) - 0.5, -0.5, height - 42, 8),
        height=height,
        x_label=x_label,
        x_ticks=tuple((tick, tick_text(tick)) for tick in nice_ticks(*x_range, 4)),
        y_ticks=tuple(enumerate(texts)),
    )


def line(box: Frame, xs: Sequence[float], ys: Points, css: str) -> str:
    """Return a line through points; it breaks where a height is None."""
    parts, is_down = [], False
    for x, y in zip(xs, ys, strict=True):
        if y is not None:
            parts.append(f"{'L' if is_down else 'M'}{_at(box.x(x))} {_at(box.y(y))}")
        is_down = y is not None
    return f'<path class="line {css}" d="{"".join(parts)}"/>' if parts else ""


def band(box: Frame, xs: Sequence[float], lows: Points, highs: Points, css: str) -> str:
    """Return the area between two lines; points without both ends are left out."""
    known = [
        (x, low, high)
        for x, low, high in zip(xs, lows, highs, strict=True)
        if low is not None and high is not None
    ]
    if not known:
        return ""
    upper = [f"{_at(box.x(x))} {_at(box.y(high))}" for x, _, high in known]
    lower = [f"{_at(box.x(x))} {_at(box.y(low))}" for x, low, _ in reversed(known)]
    return f'<path class="band {css}" d="M{"L".join([*upper, *lower])}Z"/>'


def dot(box: Frame, x: float, y: float, css: str, *, tip: str = "", radius: float = 3.5) -> str:
    """Return a point; `tip` is told where a pointer rests on it."""
    told = f"<title>{escape(tip)}</title>" if tip else ""
    return (
        f'<circle class="dot {css}" cx="{_at(box.x(x))}" cy="{_at(box.y(y))}" '
        f'r="{radius:g}">{told}</circle>'
    )


def span_across(box: Frame, low: float, high: float, y: float, css: str) -> str:
    """Return an interval along x."""
    place = _at(box.y(y))
    return f'<path class="whisker {css}" d="M{_at(box.x(low))} {place}H{_at(box.x(high))}"/>'


def span_up(box: Frame, x: float, low: float, high: float, css: str) -> str:
    """Return an interval along y."""
    place = _at(box.x(x))
    return f'<path class="whisker {css}" d="M{place} {_at(box.y(low))}V{_at(box.y(high))}"/>'


def bar(box: Frame, value: float, y: float, css: str, *, thickness: float = 13) -> str:
    """Return a bar from 0 to a value along x."""
    ends = sorted((box.x(0.0), box.x(value)))
    return (
        f'<rect class="bar {css}" x="{_at(ends[0])}" y="{_at(box.y(y) - thickness / 2)}" '
        f'width="{_at(max(ends[1] - ends[0], 0.5))}" height="{thickness:g}"/>'
    )


def column(box: Frame, x: float, width: float, height: float, css: str) -> str:
    """Return a bar from the axis up to `height`, from x to x + width, in values."""
    left, right, top = box.x(x), box.x(x + width), box.y(height)
    return (
        f'<rect class="bar {css}" x="{_at(left)}" y="{_at(top)}" '
        f'width="{_at(max(right - left - 0.6, 0.4))}" height="{_at(box.y.start - top)}"/>'
    )


def guide(box: Frame, xs: tuple[float, float], ys: tuple[float, float]) -> str:
    """Return a dashed line to compare with."""
    first, last = (f"{_at(box.x(x))} {_at(box.y(y))}" for x, y in zip(xs, ys, strict=True))
    return f'<path class="guide" d="M{first}L{last}"/>'


def chart(box: Frame, marks: Iterable[str], *, key: str, title: str, desc: str) -> str:
    """Return a whole chart.

    Args:
        box: Its axes.
        marks: What is drawn, from the back to the front.
        key: Makes its ids unique in the page: letters, digits and hyphens.
        title: Its name, for those who cannot see it.
        desc: What it shows, in words and figures.
    """
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {_at(box.height)}" role="img" '
        f'aria-labelledby="{key}-title {key}-desc">',
        f'<title id="{key}-title">{escape(title)}</title>',
        f'<desc id="{key}-desc">{escape(desc)}</desc>',
        *_axes(box),
        *marks,
        "</svg>",
    ]
    return "".join(parts)


def _axes(box: Frame) -> list[str]:
    left, right, floor, top = box.x.start, box.x.end, box.y.start, box.y.end
    parts = []
    for value, text in box.y_ticks:
        y = box.y(value)
        parts.append(f'<path class="grid" d="M{_at(left)} {_at(y)}H{_at(right)}"/>')
        parts.append(_label(left - 8, y + 4, text, "end"))
    for value, text in box.x_ticks:
        parts.append(_label(box.x(value), floor + 16, text, "middle"))
    parts.append(f'<path class="axis" d="M{_at(left)} {_at(floor)}H{_at(right)}"/>')
    if box.x_label:
        parts.append(_label((left + right) / 2, box.height - 7, box.x_label, "middle", "name"))
    if box.y_label:
        parts.append(_label(0, top - 13, box.y_label, "start", "name"))
    return parts


def _label(x: float, y: float, text: str, anchor: str, css: str = "tick") -> str:
    place = f'x="{_at(x)}" y="{_at(y)}" text-anchor="{anchor}"'
    return f'<text class="{css}" {place}>{escape(text)}</text>'


def _at(position: float) -> str:
    return f"{position:.1f}".removesuffix(".0")
