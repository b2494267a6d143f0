"""Models under comparison: the same folds and the same shape of out-of-fold predictions."""

from assay.candidates.fitting import NAMES, Effort, begin_rivals, fit_rivals, measure_efforts
from assay.candidates.rivals import Rival

__all__ = ["NAMES", "Effort", "Rival", "begin_rivals", "fit_rivals", "measure_efforts"]
