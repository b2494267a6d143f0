"""A plot of a few lines over logarithmic axes as SVG text, without a plotting library."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 420, 300, 64, 16, 34, 44
_COLOURS = ("#1f5fa8", "#9aa4ad")


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        title: Above it.
        x: Positive positions, P of them.
        lines: Name to P positive heights; the second and later ones are dashed.
    """

    title: str
    x: Sequence[float]
    lines: Mapping[str, Sequence[float]]


def render_panels(panels: Sequence[Panel], *, x_name: str) -> str:
    """Return an SVG document with the panels side by side."""
    width = _WIDTH * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" '
        f'width="{width}" height="{_HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{_HEIGHT}" fill="white"/>',
    ]
    for idx, panel in enumerate(panels):
        parts += [f'<g transform="translate({idx * _WIDTH} 0)">', *_panel(panel, x_name), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, x_name: str) -> list[str]:
    heights = [height for line in panel.lines.values() for height in line]
    across = _Scale(panel.x, _LEFT, _WIDTH - _RIGHT)
    up = _Scale(heights, _HEIGHT - _BOTTOM, _TOP)
    bottom = _HEIGHT - _BOTTOM
    parts = [
        f'<text x="{_LEFT}" y="18" font-weight="bold">{panel.title}</text>',
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2:.0f}" y="{_HEIGHT - 8}" '
        f'text-anchor="middle">{x_name}</text>',
    ]
    for tick in up.ticks():
        y = up(tick)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#e3e6e8"/>')
        parts.append(_label(_LEFT - 6, y + 4, tick, "end"))
    parts += [_label(across(tick), bottom + 16, tick, "middle") for tick in across.ticks()]
    for idx, (name, line) in enumerate(panel.lines.items()):
        points = [f"{across(x):.1f} {up(y):.1f}" for x, y in zip(panel.x, line, strict=True)]
        colour = _COLOURS[min(idx, 1)]
        dash = ' stroke-dasharray="5 4"' if idx else ' stroke-width="2"'
        parts.append(f'<path d="M{"L".join(points)}" fill="none" stroke="{colour}"{dash}/>')
        if not idx:
            dots = (point.split() for point in points)
            parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in dots]
        parts.append(
            f'<text x="{_LEFT + 10}" y="{_TOP + 14 + 16 * idx}" fill="{colour}">{name}</text>'
        )
    return parts


class _Scale:
    """Maps positive values to positions, by their logarithm."""

    def __init__(self, values: Sequence[float], first: float, last: float) -> None:
        self.low, self.high = math.log10(min(values)), math.log10(max(values))
        spare = 0.04 * max(self.high - self.low, 0.1)
        self.low, self.high = self.low - spare, self.high + spare
        self.first, self.last = first, last

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.first + share * (self.last - self.first)

    def ticks(self) -> list[float]:
        """Return 1, 3, 10, 30 ... within the range."""
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        values = [digit * 10.0**power for power in powers for digit in (1, 3)]
        return [value for value in values if self.low <= math.log10(value) <= self.high]


def _label(x: float, y: float, value: float, anchor: str) -> str:
    name = (
        f"{value / 1e6:g}M"
        if value >= 1e6
        else f"{value / 1e3:g}k"
        if value >= 1e4
        else f"{value:g}"
    )
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#555">{name}</text>'
