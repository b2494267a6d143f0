"""Losses of a population: the members' mean losses, summed.

Members share no parameter, so each one's gradient is that of its own mean loss, a sum
of its samples' losses times `loss_weights`.
"""

import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own convention
from torch import Tensor


def sample_losses(logits: Tensor, y: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Return the cross-entropy of each sample.

    Args:
        logits: Shape (K, B, C); with C = 1 the sigmoid form for two classes.
        y: Class indices, shape (K, B), int64.
        label_smoothing: Probability spread evenly over the classes, in [0, 1).

    Returns:
        Shape (K, B), natural logarithm.
    """
    if logits.shape[2] == 1:
        goal = y.to(logits.dtype)
        if label_smoothing:
            goal = goal * (1.0 - label_smoothing) + 0.5 * label_smoothing
        return F.binary_cross_entropy_with_logits(logits[:, :, 0], goal, reduction="none")
    flat = logits.reshape(-1, logits.shape[2])  # (K, B, C) -> (K*B, C)
    losses = F.cross_entropy(flat, y.reshape(-1), reduction="none", label_smoothing=label_smoothing)
    return losses.view(y.shape)


def loss_weights(
    weight: Tensor | None, shape: tuple[int, ...], *, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Return weights whose sum over a member's batch is 1: they make a mean of losses.

    Args:
        weight: Weight of each sample, shape (..., B), at least 0; None for all 1.
        shape: Shape of the losses.
        dtype: Of the losses.

    Example:
        >>> loss_weights(torch.tensor([[1.0, 3.0]]), (1, 2))
        tensor([[0.2500, 0.7500]])
    """
    if weight is None:
        return torch.full(shape, 1.0 / shape[-1], dtype=dtype)
    total = weight.sum(dim=-1, keepdim=True)
    return weight / total.clamp_min(torch.finfo(weight.dtype).tiny)
