"""Learning-rate schedules by their usual names, as factors of the peak rate."""

import math
from collections.abc import Callable

from assay.options import ScheduleName


def _one_cycle(t: float) -> float:
    # Smith & Topin, arXiv 1708.07120: up from 1/25 in the first 30 %, then down to 1e-4/25.
    if t < 0.3:
        return 0.04 + 0.96 * 0.5 * (1.0 - math.cos(math.pi * t / 0.3))
    low = 4e-6
    return low + (1.0 - low) * 0.5 * (1.0 + math.cos(math.pi * (t - 0.3) / 0.7))


def flat_cosine(t: float) -> float:
    """Return 1 up to half-time, then a half cosine down to 0."""
    return 1.0 if t < 0.5 else 0.5 * (1.0 + math.cos(math.pi * (2.0 * t - 1.0)))


_FACTORS: dict[ScheduleName, Callable[[float], float]] = {
    "constant": lambda t: 1.0,
    "linear": lambda t: 1.0 - t,
    "cosine": lambda t: 0.5 * (1.0 + math.cos(math.pi * t)),
    "step": lambda t: 0.1 ** int(3.0 * t),  # a tenth after each third
    "exponential": lambda t: float(0.01**t),  # down to 1 % at the end
    "one_cycle": _one_cycle,
    "flat_cosine": flat_cosine,
    # RealMLP's four cycles of growing length, arXiv 2407.04491.
    "coslog4": lambda t: 0.5 * (1.0 - math.cos(2.0 * math.pi * math.log2(1.0 + 15.0 * t))),
}


def cycle_at(schedule: ScheduleName, t: float) -> int:
    """Return in which cycle of its schedule a training is at time `t` in [0, 1).

    Example:
        >>> [cycle_at("coslog4", t) for t in (0.0, 0.1, 0.3, 0.9)], cycle_at("cosine", 0.9)
        ([0, 1, 2, 3], 0)
    """
    return int(math.log2(1.0 + 15.0 * t)) if schedule == "coslog4" else 0


def rate_factor(schedule: ScheduleName, t: float) -> float:
    """Return the factor of the learning rate at time `t`.

    Args:
        schedule: Its name.
        t: Share of all steps that are done, in [0, 1).

    Example:
        >>> rate_factor("cosine", 0.5)
        0.5
    """
    return _FACTORS[schedule](t)
