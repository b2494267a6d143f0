"""The rows a population learns from, and batches of them without a loader.

Comes in: encoded arrays and who trains on what. Goes out: batches of inputs,
classes and weights for all members at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from assay.encode.arrays import Arrays
from assay.nn.network import Encoded, Network, RowTensors
from assay.training.device import gpu_memory

CACHE_BYTES = 128 << 20  # encoded inputs of all members are kept below this size
_GPU_CACHE_PARTS = 8  # of a GPU's free memory, of which they may take one; encoding takes 2.5
_SPAN_NUMBERS = 1 << 20  # inputs or activations of one layer while evaluating
_GPU_SPAN_NUMBERS = 1 << 25  # the same: fewer launches, for there is no cache to stay in
_GPU_SPAN_BYTES = 64  # free for each of them: some eight arrays of float32, and room
_CHUNK_BYTES = 32 << 20  # batches are gathered in chunks of about this size


@dataclass(frozen=True)
class RowSet:
    """For each member some rows, padded to the longest.

    Attributes:
        row_idx: Shape (K, M), int64; a member's padding repeats its first row.
        counts: Shape (K,): the rows of each member without padding.
    """

    row_idx: Tensor
    counts: tuple[int, ...]

    @classmethod
    def of(cls, mask: np.ndarray) -> "RowSet":
        """Make a row set of a boolean array (K, N)."""
        counts = tuple(int(count) for count in mask.sum(axis=1))
        row_idx = np.zeros((len(mask), max(counts, default=0)), dtype=np.int64)
        for member_idx, rows in enumerate(mask):
            chosen = np.flatnonzero(rows)
            row_idx[member_idx, : len(chosen)] = chosen
            row_idx[member_idx, len(chosen) :] = chosen[0] if len(chosen) else 0
        return cls(torch.from_numpy(row_idx), counts)

    def mask(self) -> Tensor:
        """Return 1 for rows and 0 for padding, shape (K, M), float32."""
        counts = torch.tensor(self.counts)[:, None]
        return (torch.arange(self.row_idx.shape[1]) < counts).float()


class EncodedRows:
    """All rows as a fitted network's inputs; kept in memory where they fit.

    Args:
        network: With fitted input layers.
        arrays: N encoded rows.
        device: Where they go.
        scores: Shape (K, N, S): the scores of texts that `network.fit` returned for these
            rows; by default those of rows that no member learnt from.
        cache_bytes: Above this size inputs are encoded batch by batch. If not 0, it may be
            larger on a GPU, which takes longer to start the operations than to do them.
    """

    def __init__(
        self,
        network: Network,
        arrays: Arrays,
        device: torch.device,
        *,
        scores: Tensor | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.arrays = arrays
        self.n_rows = arrays.n_rows
        self.device = device
        self._network = network
        scores = network.scores(arrays) if scores is None else scores
        self._rows = RowTensors.of(arrays, scores, device)
        self.row_bytes = 4 * max(network.n_inputs, 1)
        memory = gpu_memory(device)
        if cache_bytes and memory is not None:
            cache_bytes = max(cache_bytes, memory[0] // _GPU_CACHE_PARTS)
        is_kept = network.n_members * self.n_rows * self.row_bytes <= cache_bytes
        self._cache = network.encode(self._rows) if is_kept else None

    @property
    def scores(self) -> Tensor:
        """The texts' scores (K, N, S): those of training rows by fits that left them out."""
        return self._rows.scores

    def of_members(self, network: Network, member_idx: Tensor) -> "EncodedRows":
        """Return the same rows for some of the members, encoded batch by batch.

        Args:
            network: Of these members, with the statistics that this one has.
            member_idx: Shape (K',).
        """
        scores = self._rows.scores[member_idx]
        return EncodedRows(network, self.arrays, self.device, scores=scores, cache_bytes=0)

    def take(self, row_idx: Tensor) -> Encoded:
        """Return the inputs of the rows at `row_idx`, shape (K, B)."""
        if self._cache is None:
            return self._network.encode(self._rows.take(row_idx))
        start = torch.arange(len(row_idx), device=row_idx.device)[:, None] * self.n_rows
        flat = (row_idx + start).reshape(-1)
        return Encoded(*(_gather(part, flat, row_idx.shape) for part in self._parts()))

    def batches(self, row_idx: Tensor, batch_size: int) -> Iterator[Encoded]:
        """Yield the inputs of consecutive batches of `row_idx`, shape (K, M)."""
        n_members, n_rows = row_idx.shape
        if self._cache is None:
            for start in range(0, n_rows, batch_size):
                yield self.take(row_idx[:, start : start + batch_size])
            return
        batch_bytes = n_members * batch_size * self.row_bytes
        chunk = max(_CHUNK_BYTES // batch_bytes, 1)
        n_full = n_rows // batch_size
        for first in range(0, n_full, chunk):
            n_steps = min(chunk, n_full - first)
            part = row_idx[:, first * batch_size : (first + n_steps) * batch_size]
            yield from self._gather_steps(part, n_steps, batch_size)
        if n_rows % batch_size:
            yield self.take(row_idx[:, n_full * batch_size :])

    def _gather_steps(self, row_idx: Tensor, n_steps: int, batch_size: int) -> Iterator[Encoded]:
        """Gather many batches at once, each contiguous in memory."""
        n_members = len(row_idx)
        start = torch.arange(n_members, device=row_idx.device)[:, None] * self.n_rows
        by_step = (row_idx + start).view(n_members, n_steps, batch_size).transpose(0, 1)
        flat = by_step.reshape(-1)  # (K, S, B) -> (S*K*B,)
        shape = (n_steps, n_members, batch_size)
        features, rows = (_gather(part, flat, shape).unbind(0) for part in self._parts())
        for step_features, step_rows in zip(features, rows, strict=True):
            yield Encoded(step_features, step_rows)

    def _parts(self) -> tuple[Tensor, Tensor]:
        if self._cache is None:
            raise RuntimeError("inputs are not kept in memory")
        return self._cache.features, self._cache.rows

    def in_spans(
        self, row_idx: Tensor, *, n_numbers: int | None = None, least_rows: int = 1
    ) -> Iterator[tuple[slice, Encoded]]:
        """Yield spans of the columns of `row_idx` (K, M) with their inputs.

        Args:
            row_idx: Which rows of each member.
            n_numbers: Of a layer that are held at once on a CPU; by default what suits training.
            least_rows: Of each member in a span, however many numbers they have.
        """
        for span in self._spans(row_idx.shape[1], n_numbers, least_rows):
            yield span, self.take(row_idx[:, span])

    def all_in_spans(self) -> Iterator[tuple[slice, Encoded]]:
        """Yield spans of all rows, in order, with their inputs for every member."""
        for span in self._spans(self.n_rows):
            yield span, self._network.encode(self._rows.between(span.start, span.stop))

    def _spans(
        self, n_rows: int, n_numbers: int | None = None, least_rows: int = 1
    ) -> Iterator[slice]:
        """Cut `n_rows` so that no layer holds more than so many numbers, if rows are so few."""
        of_row = self._network.n_members * self._network.widest
        most = n_numbers or _SPAN_NUMBERS
        memory = gpu_memory(self.device)
        if memory is not None:
            most = max(min(_GPU_SPAN_NUMBERS, memory[0] // _GPU_SPAN_BYTES), _SPAN_NUMBERS)
        size = max(most // of_row, least_rows)
        for start in range(0, n_rows, size):
            yield slice(start, min(start + size, n_rows))


def in_batches(part: Tensor, batch_size: int) -> list[Tensor]:
    """Cut (K, M) into consecutive (K, B), each contiguous; the last may be smaller.

    Example:
        >>> [batch.tolist() for batch in in_batches(torch.tensor([[1, 2, 3], [4, 5, 6]]), 2)]
        [[[1, 2], [4, 5]], [[3], [6]]]
    """
    n_members, n_rows = part.shape
    n_full = n_rows // batch_size
    full = part[:, : n_full * batch_size].view(n_members, n_full, batch_size)
    batches = list(full.transpose(0, 1).contiguous().unbind(0))
    if n_rows % batch_size:
        batches.append(part[:, n_full * batch_size :].contiguous())
    return batches


@dataclass(frozen=True)
class Lesson:
    """What there is to learn from.

    Attributes:
        rows: N encoded rows.
        y: Class indices, shape (N,), int64.
        train: Rows each member learns from.
        validation: Rows each member is validated on; may be empty.
        repeat: Number of the repeat that each member belongs to.
        weight: Sample weights, shape (N,), float32, or None for all 1.
        class_weight: Shape (K, C), float32, or None for all 1.
    """

    rows: EncodedRows
    y: Tensor
    train: RowSet
    validation: RowSet
    repeat: tuple[int, ...]
    weight: Tensor | None = None
    class_weight: Tensor | None = None


def _gather(part: Tensor, flat: Tensor, shape: tuple[int, ...] | torch.Size) -> Tensor:
    """Take rows of (K, N, D) at flat positions -> (*shape, D)."""
    width = part.shape[2]
    if width == 0:
        return part.new_zeros((*shape, 0))
    return part.view(-1, width).index_select(0, flat).view(*shape, width)
