"""Explanations: what predictions depend on, for any candidate that predicts raw rows."""

from assay.explain.candidates import Overheard, candidate_rows, candidates_importance
from assay.explain.dependence import partial_dependence
from assay.explain.importance import permutation_importance, sample_size, top_columns
from assay.explain.reasons import Reasons, explain_rows
from assay.explain.subject import Subject, used_columns

__all__ = [
    "Overheard",
    "Reasons",
    "Subject",
    "candidate_rows",
    "candidates_importance",
    "explain_rows",
    "partial_dependence",
    "permutation_importance",
    "sample_size",
    "top_columns",
    "used_columns",
]
