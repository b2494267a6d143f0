"""Memory that the simpler models take: estimated before they are fitted.

Comes in: samples. Goes out: bytes, by the arrays that fitting and shipping hold at the
same time. Scores of levels count most: a column of 100,000 levels has as many for each
fit, question and part of the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from assay.candidates.features import MAX_PLAIN_LEVELS
from assay.candidates.growth import MAX_CELLS
from assay.encode.target import class_codes
from assay.nn.parts import MAX_PARTS
from assay.samples import Samples

_CODE_BYTES = 150 << 20  # of code, and of predictions
_CELL = 20  # float64, float32 and bins of each number that a fit sees
_SCORE = 4  # float32
_COUNTED = 8 * 4  # bytes a level, part and class or question while scores are fitted
_SHIPPED = 30  # bytes a score: kept, in the graph, its text and the file


@dataclass(frozen=True)
class CandidateNeeds:
    """What decides how much memory simpler models take.

    Attributes:
        n_fits: Of each model, at the most.
        n_cells: Numbers that a fit sees.
        n_levels: Of each column of levels that has scores.
        n_classes: C.
        n_scores: S, questions about a class.
    """

    n_fits: int
    n_cells: int
    n_levels: tuple[int, ...]
    n_classes: int
    n_scores: int

    @classmethod
    def of(cls, samples: Samples) -> "CandidateNeeds":
        """Return the needs for some samples."""
        arrays, n_classes = samples.arrays, samples.target.n_classes
        n_levels = [len(feature.levels) for feature in samples.encoder.categorical]
        n_columns = arrays.numeric.shape[1] + 2 * arrays.codes.shape[1] + arrays.text.shape[1] // 64
        return cls(
            n_fits=len(samples.split.train),
            n_cells=int(samples.split.train.sum(axis=1).max()) * n_columns,
            n_levels=tuple(n for n in n_levels if n > MAX_PLAIN_LEVELS),
            n_classes=n_classes,
            n_scores=class_codes(n_classes).shape[1],
        )

    def fitting_bytes(self) -> int:
        """Return what fitting takes at its peak."""
        seen = _CODE_BYTES + _CELL * min(self.n_cells, MAX_CELLS)
        scores = self.n_fits * sum(self.n_levels) * self.n_scores
        counted = MAX_PARTS * max(self.n_levels, default=0) * (self.n_classes + self.n_scores)
        return seen + (1 + MAX_PARTS) * _SCORE * scores + _COUNTED * counted

    def shipping_bytes(self, names: Sequence[str]) -> int:
        """Return what the scores take beside the networks, where there are any candidates."""
        return _SHIPPED * self.n_fits * sum(self.n_levels) * self.n_scores if names else 0
