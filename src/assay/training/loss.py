"""Losses of a population: the members' mean losses, summed.

Members share no weight, so each one's gradient is that of its own mean loss.
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


def member_losses(losses: Tensor, weight: Tensor | None) -> Tensor:
    """Return each member's weighted mean of `losses` (K, B), shape (K,)."""
    if weight is None:
        return losses.mean(dim=1)
    return (losses * weight).sum(dim=1) / weight.sum(dim=1).clamp_min(
        torch.finfo(losses.dtype).tiny
    )
