"""Judging: predictions for rows that no member learned from in, honest figures out."""

from assay.evaluate.calibration import apply_temperature, fit_temperature, mix_weight
from assay.evaluate.intervals import Interval, Spread, bootstrap_intervals, member_spread, wilson
from assay.evaluate.scores import evaluate_predictions

__all__ = [
    "Interval",
    "Spread",
    "apply_temperature",
    "bootstrap_intervals",
    "evaluate_predictions",
    "fit_temperature",
    "member_spread",
    "mix_weight",
    "wilson",
]
