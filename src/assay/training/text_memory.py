"""Memory that texts take while they are fitted, trained with and shipped.

Comes in: the text columns of a table. Goes out: bytes, by the arrays of `nn.text`,
`nn.statistics` and the core graph that are held at the same time.
"""

from dataclasses import dataclass

from assay.core import CHUNK_NUMBERS
from assay.encode.features import TextFeature
from assay.nn.parts import MAX_PARTS
from assay.nn.text import MAX_FIT_ROWS

_FITTED_TOGETHER = 20  # members whose fits are one program, as in `nn.statistics`
_FIT_ROW = 48  # bytes a row and fit: masks, scores, slopes and the line search
_FIT_BUCKET = 40  # bytes a bucket and fit: weights, slopes and directions
_FIT_NGRAM = 16  # bytes an n-gram: a sparse matrix, its transpose and their order
_LEARNT = 12  # bytes a learnt weight: float32 of it, and two copies to score rows by
_SHIPPED = 22  # bytes a learnt weight: float16, 11 times in the graph, its text and the file
_GRAPH_NUMBER = 12  # bytes a number that the graph gathers: float16, float32, and slack


@dataclass(frozen=True)
class TextNeeds:
    """What decides how much memory texts take.

    Attributes:
        n_buckets: Of each text column, the one for no n-gram included; empty without texts.
        n_ngrams: Of a cell, of each text column.
        n_scores: S of one text.
        n_folds: Of a repeat; 0 without folds.
    """

    n_buckets: tuple[int, ...] = ()
    n_ngrams: tuple[int, ...] = ()
    n_scores: int = 0
    n_folds: int = 0

    @classmethod
    def of(cls, features: tuple[TextFeature, ...], *, n_scores: int, n_folds: int) -> "TextNeeds":
        """Return the needs of some text columns."""
        return cls(
            tuple(feature.n_buckets + 1 for feature in features),
            tuple(feature.n_ngrams for feature in features),
            n_scores,
            n_folds,
        )

    @property
    def ngram_bytes(self) -> int:
        """Size of the hashed n-grams of a row, which stay off a GPU."""
        return 2 * sum(self.n_ngrams)

    def kept_bytes(self, n_members: int, n_rows: int) -> int:
        """Return the size of the scores (K, N, T * S) that a training reads."""
        return 4 * n_members * n_rows * self.n_scores * len(self.n_buckets)

    def fitting_bytes(self, n_members: int, n_rows: int) -> int:
        """Return what fitting takes at its peak, on top of the scores that are kept."""
        if not self.n_buckets:
            return 0
        n_fitted, n_buckets = min(n_rows, MAX_FIT_ROWS), max(self.n_buckets)
        n_fits = min(n_members, _FITTED_TOGETHER) * self._fits_of_member()
        fits = n_fits * (_FIT_ROW * n_fitted + _FIT_BUCKET * n_buckets)
        ngrams = _FIT_NGRAM * n_fitted * max(self.n_ngrams)
        one = 4 * n_members * n_rows * self.n_scores  # scores of one column
        learnt = n_members * n_buckets * self.n_scores * _LEARNT
        # Joined, all columns lie there twice; while one is fitted, it does three times.
        return learnt + max(int(fits) + ngrams + one, 3 * one, one * len(self.n_buckets))

    def _fits_of_member(self) -> float:
        """Return how many fits a member needs, those shared in part only."""
        if 3 <= self.n_folds <= MAX_PARTS + 1:  # two members share what leaves out both
            return 1.0 + (self.n_folds - 1) / 2
        return 1.0 + MAX_PARTS

    def shipping_bytes(self, n_members: int, n_test: int) -> int:
        """Return what evaluating and saving take, on top of the network."""
        if not self.n_buckets:
            return 0
        n_weights = n_members * self.n_scores * sum(self.n_buckets)
        scoring = 2 * self.kept_bytes(n_members, n_test)
        scoring += 8 * n_members * self.n_scores * max(self.n_buckets)
        return n_weights * _SHIPPED + max(scoring, CHUNK_NUMBERS * _GRAPH_NUMBER)
