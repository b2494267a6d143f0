"""N-grams to scores: what each member has learnt its texts to say about the target.

A column of n-grams becomes S scores, one for each question about the class, and the
scores become features like numbers do: scaled, and in piecewise-linear bins.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.deal import sample_rows
from assay.encode.features import NumericFeature, TextFeature
from assay.encode.target import class_codes
from assay.encode.text import NO_NGRAM
from assay.nn.numeric import NumericInput
from assay.nn.statistics import learn_scores

MAX_FIT_NGRAMS = 1 << 24  # of a column; a random sample of more rows serves as well
MAX_FIT_ROWS = 1 << 17
_CHUNK_ROWS = 1 << 14


class TextInput(nn.Module):
    """Scores of texts, one set of learnt weights per member.

    The score of a cell is the sum of its n-grams' weights over the root of their
    number. Weights are kept in 16 bits: a score needs no more digits, and a model
    file is smaller by half.

    Args:
        features: T specifications.
        n_members: K.
        n_classes: C of the target; S = `n_scores` follows from it.

    Shape:
        - Input of `forward`: scores (K, B, T * S)
        - Output: (K, B, `n_outputs`)
    """

    weights: Tensor

    def __init__(self, features: tuple[TextFeature, ...], n_members: int, n_classes: int) -> None:
        super().__init__()
        self.features = features
        self.codes = class_codes(n_classes)
        n_rows = sum(feature.n_buckets + 1 for feature in features)
        shape = (n_members, n_rows, self.n_scores)
        self.register_buffer("weights", torch.zeros(shape, dtype=torch.float16))
        numbers = [_score_feature(f) for f in features for _ in range(self.n_scores)]
        self.scaled = NumericInput(tuple(numbers), n_members)

    @property
    def n_scores(self) -> int:
        """Scores of one text, S."""
        return int(self.codes.shape[1])

    @property
    def n_outputs(self) -> int:
        """Width of the output."""
        return self.scaled.n_outputs

    def columns(self) -> list[tuple[slice, slice]]:
        """Return each feature's columns of the n-grams and its rows of `weights`."""
        places, column, row = [], 0, 0
        for feature in self.features:
            next_column, next_row = column + feature.n_ngrams, row + feature.n_buckets + 1
            places.append((slice(column, next_column), slice(row, next_row)))
            column, row = next_column, next_row
        return places

    def fit(
        self,
        ngrams: np.ndarray,
        y: np.ndarray,
        train: np.ndarray,
        parts: np.ndarray,
        row_weight: np.ndarray | None = None,
    ) -> Tensor:
        """Fit every member on its own training rows.

        Args:
            ngrams: Shape (N, L), uint16.
            y: Class indices, shape (N,).
            train: Shape (K, N), bool: the rows of each member.
            parts: Shape (K, N): parts of them, see `parts.inner_parts`.
            row_weight: Sample weights, shape (N,), float32, or None for all 1.

        Returns:
            Scores (K, N, T * S), those of training rows by fits that left them out.
        """
        scores = [
            self._fit_column(idx, ngrams[:, columns], self.codes[y], train, parts, row_weight)
            for idx, (columns, _) in enumerate(self.columns())
        ]
        joined = torch.cat(scores, dim=2)
        self.scaled.fit(joined.numpy(), train)
        return joined

    def _fit_column(
        self,
        idx: int,
        ngrams: np.ndarray,
        targets: np.ndarray,
        train: np.ndarray,
        parts: np.ndarray,
        row_weight: np.ndarray | None,
    ) -> Tensor:
        _, rows = self.columns()[idx]
        share = MAX_FIT_NGRAMS / max(int(np.count_nonzero(ngrams)), 1)
        most = max(min(int(share * len(ngrams)), MAX_FIT_ROWS), 1)
        chosen = sample_rows(len(ngrams), most)
        weights, scores = learn_scores(
            ngrams[chosen],
            self.features[idx].n_buckets,
            targets[chosen],
            train=train[:, chosen],
            parts=parts[:, chosen],
            row_weight=None if row_weight is None else row_weight[chosen],
        )
        self.weights[:, rows] = weights.half()
        result = self._score_column(idx, ngrams)  # of rows that no fit has met
        own = torch.from_numpy(train[:, chosen])[:, :, None]
        result[:, chosen] = torch.where(own, scores, result[:, chosen])
        return result

    def scores(self, ngrams: np.ndarray) -> Tensor:
        """Return the scores of rows that no member learnt from, shape (K, N, T * S)."""
        parts = [
            self._score_column(idx, ngrams[:, columns])
            for idx, (columns, _) in enumerate(self.columns())
        ]
        if not parts:
            return torch.zeros(len(self.weights), len(ngrams), 0)
        return torch.cat(parts, dim=2)

    def of_members(self, member_idx: np.ndarray) -> "TextInput":
        """Return the scores of some members, on the processor; their scaling is left out."""
        own = TextInput(self.features, len(member_idx), len(self.codes))
        own.weights = self.weights.cpu()[torch.from_numpy(member_idx)]
        return own

    def exact_scores(self, ngrams: np.ndarray, member_idx: int) -> np.ndarray:
        """Return one member's scores of rows that it did not learn from, bit by bit.

        Sums in float64 of numbers of 16 bits are exact, so that the core graph finds the
        very same; `scores` is faster, and differs in the last digits.

        Returns:
            Shape (N, T * S), float32.
        """
        result = np.zeros((len(ngrams), len(self.features) * self.n_scores), dtype=np.float32)
        for idx, (columns, rows) in enumerate(self.columns()):
            table = self.weights[member_idx, rows].cpu().double()
            own = result[:, idx * self.n_scores : (idx + 1) * self.n_scores]
            for start in range(0, len(ngrams), _CHUNK_ROWS):
                chunk = ngrams[start : start + _CHUNK_ROWS, columns].astype(np.int32)
                total = functional.embedding_bag(
                    torch.from_numpy(chunk), table, mode="sum", padding_idx=NO_NGRAM
                )
                root = np.sqrt(np.maximum(np.count_nonzero(chunk, axis=1), 1.0))
                own[start : start + _CHUNK_ROWS] = total.numpy() / root[:, None]
        return result

    def _score_column(self, idx: int, ngrams: np.ndarray) -> Tensor:
        """Return (K, N, S) on the processor."""
        _, rows = self.columns()[idx]
        weights = self.weights[:, rows].cpu().float()
        n_members, n_rows, n_scores = weights.shape
        table = weights.transpose(0, 1).reshape(n_rows, -1)  # (K, R, S) -> (R, K * S)
        result = torch.empty(len(ngrams), n_members * n_scores)
        for start in range(0, len(ngrams), _CHUNK_ROWS):
            chunk = ngrams[start : start + _CHUNK_ROWS].astype(np.int32)
            total = functional.embedding_bag(
                torch.from_numpy(chunk), table, mode="sum", padding_idx=NO_NGRAM
            )
            counts = torch.from_numpy(np.count_nonzero(chunk, axis=1)).float().clamp(min=1.0)
            result[start : start + _CHUNK_ROWS] = total * counts.rsqrt()[:, None]
        return result.view(len(ngrams), n_members, n_scores).transpose(0, 1).contiguous()

    def forward(self, scores: Tensor) -> Tensor:
        """Return the features of `scores`."""
        result: Tensor = self.scaled(scores)
        return result


def _score_feature(feature: TextFeature) -> NumericFeature:
    """Return how a score becomes features; a cell without n-grams has the score 0."""
    return NumericFeature(
        column=feature.column,
        part="value",
        scale="standard",
        divisor=1.0,
        clip=True,
        n_bins=feature.n_bins,
        fill="constant",
        fill_value=0.0,
        has_flag=False,
    )
