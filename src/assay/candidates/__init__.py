"""Models under comparison: the same folds and the same shape of out-of-fold predictions."""

from assay.candidates.fitting import NAMES, begin_rivals, fit_rivals, measure_seconds
from assay.candidates.rivals import Rival

__all__ = ["NAMES", "Rival", "begin_rivals", "fit_rivals", "measure_seconds"]
