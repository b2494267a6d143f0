"""What trained members say of rows: out of fold, and member by member."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from assay.nn.network import Encoded, Network
from assay.softmax import log_softmax
from assay.training.rows import EncodedRows, RowSet

_SPAN_NUMBERS = 1 << 18
"""Of a layer that are held at once. Memory that was given back after the training comes anew
page by page: 15,000 pages in the judging of 7,000 rows, and with spans of 1 << 20 twice
as many, which take 20 ms more."""
_SPAN_ROWS = 64  # at the least: 5 rows of 9,000 inputs take 1.8 times as long each


@dataclass(frozen=True)
class MemberScores:
    """Each member's scores on rows of its own.

    Attributes:
        accuracy: Shape (K,), in [0, 1].
        log_loss: Shape (K,), natural logarithm.
    """

    accuracy: np.ndarray
    log_loss: np.ndarray


def average_members(log_proba: np.ndarray) -> np.ndarray:
    """Return the log of the members' geometric mean, rows summing to 1: (K, ...) -> (...).

    Averaging logarithms rather than probabilities keeps a row sure on which the members
    agree: on 25 tables the log loss was 3.6 % lower. It is finite where a probability is
    too small for its type.

    Example:
        >>> np.exp(average_members(np.log([[[0.8, 0.2]], [[0.5, 0.5]]]))).round(3).tolist()
        [[0.667, 0.333]]
    """
    return log_softmax(log_proba.astype(np.float64).mean(axis=0))


@torch.no_grad()
def member_log_probabilities(network: Network, rows: EncodedRows) -> np.ndarray:
    """Return each member's log probabilities of every row, shape (K, N, C), float32."""
    network.eval()
    parts = [network.member_log_proba(inputs).cpu() for _, inputs in rows.all_in_spans()]
    log_proba: np.ndarray = torch.cat(parts, dim=1).numpy()
    return log_proba


def judged_spans(rows: EncodedRows, row_idx: Tensor) -> Iterator[tuple[slice, Encoded]]:
    """Yield spans of the columns of `row_idx` (K, M) with their inputs, to be predicted."""
    return rows.in_spans(row_idx, n_numbers=_SPAN_NUMBERS, least_rows=_SPAN_ROWS)


@torch.no_grad()
def score_members(
    network: Network, rows: EncodedRows, y: np.ndarray, row_set: RowSet
) -> MemberScores:
    """Score each member on its rows of `row_set`.

    Args:
        network: Trained.
        rows: N encoded rows.
        y: Class indices, shape (N,).
        row_set: At least one row for each member.
    """
    network.eval()
    device = rows.device
    row_idx, mask = row_set.row_idx.to(device), row_set.mask().double().to(device)
    labels = torch.from_numpy(y).to(device)
    n_correct = torch.zeros(network.n_members, dtype=torch.float64, device=device)
    total_loss = torch.zeros_like(n_correct)
    for span, inputs in judged_spans(rows, row_idx):
        log_proba = network.member_log_proba(inputs).double()  # (K, B, C)
        own = labels[row_idx[:, span]]
        chosen = log_proba.gather(2, own.unsqueeze(2)).squeeze(2)
        n_correct += ((log_proba.argmax(dim=2) == own) * mask[:, span]).sum(dim=1)
        total_loss -= (chosen * mask[:, span]).sum(dim=1)
    counts = mask.sum(dim=1)
    return MemberScores((n_correct / counts).cpu().numpy(), (total_loss / counts).cpu().numpy())


@torch.no_grad()
def out_of_fold(
    network: Network, rows: EncodedRows, validation: RowSet, repeat: Sequence[int]
) -> np.ndarray:
    """Return what is said of each row by the members that left it out.

    Args:
        network: Trained.
        rows: N encoded rows.
        validation: The rows that each member left out; within a repeat no row twice.
        repeat: Number of each member's repeat, (K,), below R.

    Returns:
        Log probabilities, shape (R, N, C), float64; NaN where no member of the repeat
        left the row out.
    """
    network.eval()
    is_row = validation.mask().bool()
    shape = (max(repeat) + 1, rows.n_rows, network.n_classes)
    result = torch.full(shape, float("nan"), dtype=torch.float64)
    of_repeat = torch.tensor(repeat)[:, None].expand_as(is_row)
    row_idx = validation.row_idx.to(rows.device)
    for span, inputs in judged_spans(rows, row_idx):
        kept: Tensor = is_row[:, span]
        chosen = of_repeat[:, span][kept], validation.row_idx[:, span][kept]
        result[chosen] = network.member_log_proba(inputs).double().cpu()[kept]
    log_proba: np.ndarray = result.numpy()
    return log_proba


def score_left_out(
    log_proba: np.ndarray, y: np.ndarray, left_out: RowSet, repeat: Sequence[int]
) -> MemberScores:
    """Score each member on the rows that it left out, by what `out_of_fold` returned.

    Args:
        log_proba: Shape (R, N, C).
        y: Class indices, shape (N,).
        left_out: At least one row for each member.
        repeat: Number of each member's repeat, (K,).
    """
    accuracy, loss = [], []
    for row_idx, n_rows, of_repeat in zip(left_out.row_idx, left_out.counts, repeat, strict=True):
        rows = row_idx[:n_rows].numpy()
        own, labels = log_proba[of_repeat, rows], y[rows]
        accuracy.append((own.argmax(axis=1) == labels).mean())
        loss.append(-own[np.arange(n_rows), labels].mean())
    return MemberScores(np.array(accuracy), np.array(loss))
