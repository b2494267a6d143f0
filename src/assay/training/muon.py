"""AdamW, but the weights that read the inputs move by orthogonalised momentum.

Comes in: groups of parameters with their gradients. Goes out: moved parameters.

Inputs of a table go together: bins of one number, numbers that tell the same. Gradients
of the first layer then point in few directions, and Adam, which weighs each number by
itself, goes on in these. Muon (K. Jordan, https://kellerjordan.github.io/posts/muon/)
moves a matrix by the nearest orthogonal one to its momentum, in all directions alike. It
is taken for the first layer alone: further layers gain nothing by it; see docs/engine.md.
"""

import math

import torch
from torch import Tensor

from assay.training.fused import FusedAdam, Group, keep_on_device

_MOMENTUM = 0.95
EVERY = 4  # steps for one turn, of four times the size: as good, in a quarter of the time
_SIZE = 0.2  # root mean square of a step's moves, by the rate; about that of Adam
_MOST_NUMBERS = 1 << 22  # that are made orthogonal at once

# Three rounds of Jordan's polynomial bring singular values of 1/40 of the largest near 1.
_ROUNDS = 3
_LINEAR, _CUBIC, _QUINTIC = 3.4445, -4.7750, 2.0315
_EPS = 1e-7


class Muon:
    """AdamW, and Muon for the groups that say "is_orthogonal".

    Args:
        groups: Each with "params", all on one device; extra keys are kept. Orthogonal are
            parameters of shape (K, inputs, units).
        lr: Rate of each group until it is set in `param_groups`.
        betas: Decay rates of Adam's two moments.

    Attributes:
        param_groups: The groups, as `FusedAdam` has them.
    """

    def __init__(self, groups: list[Group], *, lr: float, betas: tuple[float, float]) -> None:
        others = [group for group in groups if not group.get("is_orthogonal")]
        self._adam = FusedAdam(others, lr=lr, betas=betas, is_apart=True)
        self._own: list[Group] = [
            {"lr": lr, "weight_decay": 0.0, **group}
            for group in groups
            if group.get("is_orthogonal")
        ]
        self.param_groups = self._adam.param_groups + self._own
        self._momenta = [[torch.zeros_like(p) for p in group["params"]] for group in self._own]
        self._n_steps = torch.zeros((), dtype=torch.int64)

    def tensors(self) -> dict[str, Tensor]:
        """Return what is remembered from step to step, by name; none is ever replaced."""
        named = {f"adam.{name}": tensor for name, tensor in self._adam.tensors().items()}
        named["n_steps"] = self._n_steps
        for number, momenta in enumerate(self._momenta):
            named |= {f"{number}.{idx}.momentum": one for idx, one in enumerate(momenta)}
        return named

    def keep_rates_on_device(self) -> None:
        """Keep rates and decays in tensors; see `FusedAdam.keep_rates_on_device`."""
        self._adam.keep_rates_on_device()
        for group in self._own:
            keep_on_device(group)

    @torch.no_grad()
    def step(self) -> None:
        """Move Adam's parameters, and take in the gradients of the others."""
        self._adam.step()
        for group, momenta in zip(self._own, self._momenta, strict=True):
            for parameter, momentum in zip(group["params"], momenta, strict=True):
                momentum.lerp_(parameter.grad, 1.0 - _MOMENTUM)

    @torch.no_grad()
    def turn(self) -> None:
        """Move the other parameters, after every fourth step; called after each."""
        self._n_steps += 1
        if int(self._n_steps) % EVERY:
            return
        for group, momenta in zip(self._own, self._momenta, strict=True):
            rate = EVERY * group["lr"]
            decay = group["decay_now"] if "decay_now" in group else group["weight_decay"]
            for parameter, momentum in zip(group["params"], momenta, strict=True):
                parameter.mul_(1.0 - rate * decay)
                _move(parameter, momentum, rate)


def _move(parameter: Tensor, momentum: Tensor, rate: float | Tensor) -> None:
    """Move a parameter (K, F, D) against its momentum, some members at once."""
    shape = parameter.shape[1:]
    size = rate * (_SIZE * math.sqrt(max(shape)))
    per_part = max(_MOST_NUMBERS // max(math.prod(shape), 1), 1)
    parts = zip(torch.split(parameter, per_part), torch.split(momentum, per_part), strict=True)
    for own, moved in parts:
        own.sub_(orthogonalised(moved) * size)


def orthogonalised(x: Tensor) -> Tensor:
    """Return matrices of the same singular vectors, with singular values of about 1.

    Those far below the largest stay smaller.

    Args:
        x: Shape (K, F, D).
    """
    if x.shape[1] < x.shape[2]:
        return orthogonalised(x.mT).mT
    x = x / (x.square().sum(dim=(1, 2), keepdim=True).sqrt() + _EPS)
    for _ in range(_ROUNDS):
        gram = torch.bmm(x.mT, x)
        gram = torch.baddbmm(gram, gram, gram, beta=_CUBIC, alpha=_QUINTIC)
        x = torch.baddbmm(x, x, gram, beta=_LINEAR)
    return x
