"""Memory that steps use again: large blocks taken anew cost as much as filling them."""

import torch
from torch import Tensor


class Room:
    """Memory for the numbers of a batch, taken for the largest and lent to smaller ones.

    What is lent holds what was written last, by whatever batch.

    Args:
        like: Has K as its first dimension, and the device and type of the numbers.
        width: D, numbers of a sample.

    Example:
        >>> room = Room(torch.zeros(2, 5), width=3)
        >>> room.of(4).shape, room.of(1).shape
        (torch.Size([2, 4, 3]), torch.Size([2, 1, 3]))
    """

    def __init__(self, like: Tensor, *, width: int) -> None:
        self._n_members, self._width = like.shape[0], width
        self._flat = torch.zeros(0, dtype=like.dtype, device=like.device)
        self._lent: dict[int, Tensor] = {}

    def of(self, n_samples: int) -> Tensor:
        """Return memory for `n_samples` of each member, shape (K, B, D)."""
        if n_samples not in self._lent:
            size = self._n_members * n_samples * self._width
            if self._flat.numel() < size:
                self._flat = torch.zeros(size, dtype=self._flat.dtype, device=self._flat.device)
                self._lent.clear()
            part = self._flat[:size]
            self._lent[n_samples] = part.view(self._n_members, n_samples, self._width)
        return self._lent[n_samples]
