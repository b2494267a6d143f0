"""What n-grams say about the target: many small logistic regressions at once.

A statistic of the target must not meet the rows it was fitted on: a network would
trust it there more than it deserves. So each member fits it once for each part of its
training rows, on the other parts, and once on all of them; the first kind is for its
training rows, the second for every other row. All these fits are columns of one
tensor program.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from assay.encode.text import NO_NGRAM

INVERSE_PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0)  # one is chosen for each member and question
_STEPS = 4  # per penalty; 20 move the log loss of 10,000 tweets by less than 1 %
_MEMBERS = 20  # whose fits are made together
_TINY = 1e-20
_LARGEST_LOGIT = 80.0  # its exponential is still a finite float32


@dataclass(frozen=True)
class _Rows:
    """N rows of n-grams as a sparse matrix: 1 where a row has an n-gram.

    Attributes:
        by_row: Shape (N, R).
        by_ngram: Its transpose, shape (R, N); both share their ones.
        norm: Shape (N, 1): 1 / root of the n-grams of a row, which makes its length 1.
    """

    by_row: Tensor
    by_ngram: Tensor
    norm: Tensor

    @classmethod
    def of(cls, ngrams: np.ndarray, n_buckets: int) -> "_Rows":
        present = ngrams != NO_NGRAM
        counts = present.sum(axis=1)
        start = np.concatenate([[0], np.cumsum(counts)])
        bucket = ngrams[present]
        row = np.repeat(np.arange(len(ngrams), dtype=np.int32), counts)
        row = row[np.argsort(bucket, kind="stable")]  # a radix sort for 16 bits
        ends = np.cumsum(np.bincount(bucket, minlength=n_buckets + 1))
        ones = torch.ones(len(bucket))
        shape = (len(ngrams), n_buckets + 1)
        return cls(
            _sparse(start, bucket.astype(np.int32), ones, shape),
            _sparse(np.concatenate([[0], ends]), row, ones, shape[::-1]),
            torch.from_numpy(np.maximum(counts, 1)).float().rsqrt()[:, None],
        )


def _sparse(
    start: np.ndarray, column: np.ndarray, values: Tensor, shape: tuple[int, ...]
) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            torch.from_numpy(start.astype(np.int32)),
            torch.from_numpy(column),
            values,
            shape,
            check_invariants=False,
        )


def learn_scores(
    ngrams: np.ndarray,
    n_buckets: int,
    targets: np.ndarray,
    *,
    train: np.ndarray,
    parts: np.ndarray,
    row_weight: np.ndarray | None = None,
) -> tuple[Tensor, Tensor]:
    """Fit what each bucket says about each question, for every member.

    Args:
        ngrams: Shape (N, L): buckets 1 to `n_buckets`, padded with `NO_NGRAM`.
        n_buckets: Largest bucket.
        targets: Shape (N, S), float32, 0 or 1.
        train: Shape (K, N), bool: the rows of each member.
        parts: Shape (K, N), as `inner_parts` returns them.
        row_weight: How much each row counts, shape (N,), float32, 0 or more; None for
            all alike. Only ratios matter, and a row of weight 0 teaches nothing.

    Returns:
        weights: Shape (K, n_buckets + 1, S): log-odds of each bucket, fitted on all
            training rows of the member; 0 for `NO_NGRAM`.
        scores: Shape (K, N, S): their sum over each row's n-grams, divided by the
            root of their number; for a training row by fits that left it out.
    """
    rows = _Rows.of(ngrams, n_buckets)
    n_members, n_targets = len(train), targets.shape[1]
    weights = torch.zeros(n_members, n_buckets + 1, n_targets)
    scores = torch.zeros(n_members, len(ngrams), n_targets)
    for first in range(0, n_members, _MEMBERS):
        own = slice(first, first + _MEMBERS)
        plan = _Plan.of(train[own], parts[own], row_weight)
        for idx in range(n_targets):
            target = torch.from_numpy(targets[:, idx].copy())
            _learn_target(rows, target, plan, weights[own, :, idx], scores[own, :, idx])
    return weights, scores


@dataclass(frozen=True)
class _Plan:
    """Which fits the members need; fits on the same rows are made once.

    Attributes:
        masks: Shape (N, M), float32: weights of the rows of each fit, 0 for others; the
            mean of those above 0 is 1, so that the penalty means the same for all.
        whole: For each member, its fit on all its rows.
        by_part: For each member pairs of rows (indices) and the fit that judges them.
    """

    masks: Tensor
    whole: tuple[int, ...]
    by_part: tuple[tuple[tuple[Tensor, int], ...], ...]

    @classmethod
    def of(cls, train: np.ndarray, parts: np.ndarray, row_weight: np.ndarray | None) -> "_Plan":
        known: dict[bytes, int] = {}
        masks: list[np.ndarray] = []

        def number(mask: np.ndarray) -> int:
            key = np.packbits(mask).tobytes()
            if key not in known:
                known[key] = len(masks)
                masks.append(mask)
            return known[key]

        whole = tuple(number(own) for own in train)
        by_part = tuple(
            tuple(
                (torch.from_numpy(np.flatnonzero(part == idx)), number(own & (part != idx)))
                for idx in np.unique(part[own])
            )
            for own, part in zip(train, parts, strict=True)
        )
        return cls(_weighted(np.stack(masks, axis=1), row_weight), whole, by_part)

    def merged(self, member_idx: int, values: Tensor) -> Tensor:
        """Return each row's value (N,) by the fit that may judge it, of values (N, M)."""
        result = values[:, self.whole[member_idx]].clone()
        for rows, fit in self.by_part[member_idx]:
            result[rows] = values[rows, fit]
        return result

    def loss(self, member_idx: int, logits: Tensor, target: Tensor) -> float:
        """Return the mean log loss of (N, M) logits on the member's training rows."""
        mask = self.masks[:, self.whole[member_idx]]
        losses = functional.binary_cross_entropy_with_logits(
            self.merged(member_idx, logits), target, reduction="none"
        )
        return float((losses * mask).sum() / mask.sum().clamp(min=_TINY))


def _weighted(masks: np.ndarray, row_weight: np.ndarray | None) -> Tensor:
    """Return masks (N, M) times weights (N,), each column's mean above 0 being 1."""
    weighted = torch.from_numpy(masks).float()
    if row_weight is None:
        return weighted
    largest = max(float(row_weight.max(initial=0.0)), _TINY)  # sums of shares are finite
    weighted *= torch.from_numpy(row_weight / np.float32(largest))[:, None]
    n_rows = (weighted > 0.0).sum(dim=0)
    return weighted.mul_(n_rows / weighted.sum(dim=0).clamp(min=_TINY))


def _learn_target(
    rows: _Rows, target: Tensor, plan: _Plan, weights: Tensor, scores: Tensor
) -> None:
    """Write weights (K, R) and scores (K, N) at each member's best penalty."""
    best = [float("inf")] * len(plan.whole)
    for weight, score, prior in _fit_path(rows, target, plan.masks):
        for member_idx, whole in enumerate(plan.whole):
            loss = plan.loss(member_idx, score + prior, target)
            if loss < best[member_idx]:
                best[member_idx] = loss
                weights[member_idx] = weight[:, whole]
                scores[member_idx] = plan.merged(member_idx, score)


def _fit_path(
    rows: _Rows, target: Tensor, masks: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield weights (R, M), scores (N, M) and prior log-odds (M,) from strong to weak penalty.

    Minimises mask * log(1 + exp(-+(prior + score))) + penalty / 2 * weight^2 in each
    column by conjugate gradients (Polak and Ribiere), preconditioned by the curvature
    at the prior, with Newton's line search. Each penalty starts where the last ended.
    """
    counts = masks.sum(dim=0).clamp(min=1.0)
    share = ((target[:, None] * masks).sum(dim=0) / counts).clamp(1e-3, 1.0 - 1e-3)
    prior = (share / (1.0 - share)).log()
    curvature = (rows.by_ngram @ (rows.norm.square() * masks)) * (share * (1.0 - share))
    weight = torch.zeros(rows.by_ngram.shape[0], masks.shape[1])
    score = torch.zeros_like(masks)
    for inverse_penalty in INVERSE_PENALTIES:
        penalty = counts / (counts.max() * inverse_penalty)  # as many rows, as strong
        direction, last_gradient, last_square = torch.zeros_like(weight), weight, counts
        for step in range(_STEPS):
            error = _sigmoid(score + prior).sub_(target[:, None]).mul_(masks * rows.norm)
            gradient = (rows.by_ngram @ error).addcmul_(weight, penalty)
            descent = gradient / (curvature + penalty)
            square = (gradient * descent).sum(dim=0)
            if step:
                turn = (square - (last_gradient * descent).sum(dim=0)) / last_square
                direction *= turn.clamp_(min=0.0)
            direction -= descent
            last_gradient, last_square = gradient, square.clamp(min=_TINY)
            change = (rows.by_row @ direction).mul_(rows.norm)
            length = _line_search(weight, direction, score + prior, change, target, masks, penalty)
            weight.addcmul_(direction, length)
            score.addcmul_(change, length)
        yield weight, score, prior


def _line_search(
    weight: Tensor,
    direction: Tensor,
    logits: Tensor,
    change: Tensor,
    target: Tensor,
    masks: Tensor,
    penalty: Tensor,
) -> Tensor:
    """Return how far to go in each column (M,): two steps of Newton along the direction."""
    slope, bend = (weight * direction).sum(dim=0), direction.square().sum(dim=0)
    masked = masks * change
    length = torch.zeros_like(penalty)
    for _ in range(2):
        proba = _sigmoid(torch.addcmul(logits, change, length))
        first = ((proba - target[:, None]) * masked).sum(dim=0)
        second = (proba * (1.0 - proba) * masked * change).sum(dim=0)
        first = first + penalty * (slope + length * bend)
        length = length - first / (second + penalty * bend).clamp(min=_TINY)
    return length


def _sigmoid(logits: Tensor) -> Tensor:
    """Return the probabilities of `logits`, written in their place.

    By NumPy, for PyTorch rounds the ends of its threads' shares in another way, so that
    the result would depend on their number.
    """
    numbers = logits.numpy()
    np.clip(numbers, -_LARGEST_LOGIT, _LARGEST_LOGIT, out=numbers)
    np.exp(np.negative(numbers, out=numbers), out=numbers)
    np.reciprocal(np.add(numbers, 1.0, out=numbers), out=numbers)
    return logits
