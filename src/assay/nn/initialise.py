"""Weights and biases at the start, drawn for each member from its own seed."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from assay.options import Init

# Each takes one member's weight in PyTorch's (out, in) layout.
_WEIGHTS: dict[Init, Callable[[Tensor, torch.Generator], object]] = {
    "default": lambda w, g: nn.init.kaiming_uniform_(w, a=math.sqrt(5), generator=g),
    "xavier_uniform": lambda w, g: nn.init.xavier_uniform_(w, generator=g),
    "xavier_normal": lambda w, g: nn.init.xavier_normal_(w, generator=g),
    "kaiming_uniform": lambda w, g: nn.init.kaiming_uniform_(w, nonlinearity="relu", generator=g),
    "kaiming_normal": lambda w, g: nn.init.kaiming_normal_(w, nonlinearity="relu", generator=g),
    "uniform": lambda w, g: nn.init.uniform_(w, -0.01, 0.01, generator=g),
    "normal": lambda w, g: nn.init.normal_(w, std=0.01, generator=g),
    "orthogonal": lambda w, g: nn.init.orthogonal_(w, generator=g),
    "zeros": lambda w, g: nn.init.zeros_(w),
    "ntk": lambda w, g: nn.init.normal_(w, generator=g),
}


def member_generators(seed: int, n_members: int) -> list[torch.Generator]:
    """Return one random generator per member; member k depends on seed and k alone."""
    generators = []
    for member_idx in range(n_members):
        generator = torch.Generator()
        generator.manual_seed((seed * 1_000_003 + member_idx) % 2**63)
        generators.append(generator)
    return generators


@torch.no_grad()
def initialise_weight(weight: Tensor, init: Init, generators: list[torch.Generator]) -> None:
    """Fill `weight`, shape (K, D_in, D_out), in place."""
    for member_weight, generator in zip(weight, generators, strict=True):
        _WEIGHTS[init](member_weight.T, generator)


@torch.no_grad()
def initialise_bias(
    bias: Tensor, init: str, generators: list[torch.Generator], *, n_inputs: int
) -> None:
    """Fill `bias`, shape (K, D_out), in place.

    "default" is U(-1/sqrt(n_inputs), 1/sqrt(n_inputs)), as in `torch.nn.Linear`.
    """
    bound = 1.0 / math.sqrt(max(n_inputs, 1))
    for member_bias, generator in zip(bias, generators, strict=True):
        if init == "zeros":
            nn.init.zeros_(member_bias)
        elif init == "normal":
            nn.init.normal_(member_bias, generator=generator)
        else:
            nn.init.uniform_(member_bias, -bound, bound, generator=generator)
