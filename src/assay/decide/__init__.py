"""Decisions: probabilities in; labels, the cheapest choice, or sets of classes out."""

from assay.decide.apply import (
    HOWS,
    NO_LABEL,
    Decisions,
    How,
    Sets,
    Threshold,
    check_coverage,
)
from assay.decide.plan import cost_matrix, plan_decisions, positive_class

__all__ = [
    "HOWS",
    "NO_LABEL",
    "Decisions",
    "How",
    "Sets",
    "Threshold",
    "check_coverage",
    "cost_matrix",
    "plan_decisions",
    "positive_class",
]
