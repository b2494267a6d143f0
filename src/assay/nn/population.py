"""K networks of one shape in one tensor program.

The leading axis of every weight is the member; one batched matrix product serves
all members. With K = 1 this is an ordinary multi-layer perceptron.
"""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor, nn

from assay.errors import UserError, did_you_mean
from assay.nn.activations import ACTIVATIONS
from assay.nn.initialise import initialise_bias, initialise_weight, member_generators
from assay.options import Activation, Init

_POOL_SIZE = 1 << 20  # numbers; at least four times what one call takes
_MOST_KEPT = 1 << 22  # uniform numbers kept for the next rate; more are drawn again, 12 ns each
_FAR_BELOW = -1e30  # where activations vanish, and within float32 whatever is added


class PopulationLinear(nn.Module):
    """K linear layers: y[k] = x[k] @ weight[k] * gain + bias[k].

    Args:
        n_members: K.
        n_inputs: D_in.
        n_outputs: D_out.
        gain: Constant factor of the product; 1/sqrt(D_in) for NTK networks.

    Shape:
        - Input: (K, B, D_in)
        - Output: (K, B, D_out)
    """

    def __init__(self, n_members: int, n_inputs: int, n_outputs: int, *, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n_members, n_inputs, n_outputs))
        self.bias = nn.Parameter(torch.zeros(n_members, n_outputs))
        self.gain = gain

    def forward(self, x: Tensor, *, is_scaled: bool = False) -> Tensor:
        """Return the layer's output for each member.

        Args:
            x: The input.
            is_scaled: Whether `x` was multiplied by the gain already, where that cost
                nothing: autograd would multiply two gradients by it.
        """
        alpha = 1.0 if is_scaled else self.gain
        return torch.baddbmm(self.bias.unsqueeze(1), x, self.weight, alpha=alpha)


@dataclass(frozen=True)
class PoolState:
    """What of a `PoolDropout` changes from step to step.

    Attributes:
        rate: Share of units dropped.
        offsets: Of the generator of offsets: 624 words and a position.
        n_numbers: Size of the pool, 0 before its first use.
    """

    rate: float
    offsets: tuple[int, ...]
    n_numbers: int


def pool_bytes(n_units: int) -> int:
    """Return what the pool of a layer takes that drops among so many units at once."""
    size = _pool_size(n_units)
    return 4 * size * (2 if size <= _MOST_KEPT else 1)


def _pool_size(n_units: int) -> int:
    return max(_POOL_SIZE, 4 * n_units)


class PoolDropout(nn.Module):
    """Dropout that slices a pool of masks drawn once, instead of drawing each time.

    Drawing costs 15 ns a number on a CPU, three times the matrix product that
    follows; a slice costs 0.5 ns. The pool is drawn anew for another rate. On a
    GPU drawing is cheap, and the rate lies in a tensor beside the numbers, so that a
    recorded step sees it change.

    Args:
        rate: Share of units dropped, in [0, 1).
        seed: Of the pool and of the offsets into it.
        gain: Of the layer that follows; the masks of the pool hold it, see `scales`.
    """

    def __init__(self, rate: float, seed: int, *, gain: float = 1.0) -> None:
        super().__init__()
        self.rate = rate
        self.gain = gain
        self._kept = torch.tensor(1.0 - rate)  # share of units kept, on the device of the input
        self._seed = seed
        self._offsets = random.Random(seed)
        self._size = 0  # of the pool
        self._uniform = torch.empty(0)
        self._pool = torch.empty(0)
        self._pool_of = (-1.0, False)  # the rate, and whether the pool lowers sums

    @property
    def factor(self) -> float:
        """What a kept unit is multiplied by, with the gain of the layer that follows."""
        return self.gain / (1.0 - self.rate) if self.rate > 0.0 else self.gain

    def forward(self, x: Tensor) -> Tensor:
        """Drop units while training; pass `x` through otherwise."""
        if not self.training or self.rate <= 0.0:
            return x
        if x.is_cuda:
            return self._drop_drawn(x)
        return x * self._slice(x.numel()).view_as(x).to(x.dtype)

    def lowered(self, shape: torch.Size) -> Tensor:
        """Return what to add before an activation that vanishes far below 0.

        The same units are dropped as by `forward`: theirs is -1e30, that of others 0.

        Args:
            shape: Of the units.
        """
        return self._slice(shape.numel(), is_lowered=True).view(shape)

    def scales(self, x: Tensor) -> bool:
        """Whether `forward` multiplies by the gain as well."""
        return self.training and self.rate > 0.0 and not x.is_cuda

    def set_rate(self, rate: float) -> None:
        """Set the share of units dropped."""
        self.rate = rate
        self._kept.fill_(1.0 - rate)

    def state(self) -> PoolState:
        """Return what `restore` needs to go on from here."""
        offsets = self._offsets.getstate()[1]
        return PoolState(self.rate, offsets, self._size)

    def restore(self, state: PoolState) -> None:
        """Go on from a state.

        The pool is filled anew at its next use, from the same numbers; as many as before,
        for its size decides which offsets there are.
        """
        self.set_rate(state.rate)
        self._offsets.setstate((3, state.offsets, None))  # version 3, no Gaussian in hand
        self._size, self._pool_of = state.n_numbers, (-1.0, False)
        self._uniform, self._pool = torch.empty(0), torch.empty(state.n_numbers)

    def release(self) -> None:
        """Give back the pool; it is drawn anew when it is needed again."""
        self._uniform = self._pool = torch.empty(0)
        self._size, self._pool_of = 0, (-1.0, False)

    def _drop_drawn(self, x: Tensor) -> Tensor:
        """Draw a mask from the device's generator; nothing here is fixed on the host."""
        if self._kept.device != x.device:
            self._kept = self._kept.to(x.device)
        mask = torch.bernoulli(self._kept.expand(x.shape)) / self._kept
        return (x * mask).to(x.dtype)

    def _slice(self, n_units: int, *, is_lowered: bool = False) -> Tensor:
        """Return masks, or what lowers the sums, from a random place of the pool on."""
        if self._pool_of != (self.rate, is_lowered) or self._pool.numel() < 2 * n_units:
            self._draw(_pool_size(n_units), is_lowered=is_lowered)
        start = self._offsets.randrange(self._pool.numel() - n_units)
        return self._pool[start : start + n_units]

    def _draw(self, size: int, *, is_lowered: bool) -> None:
        self._size = max(size, self._size)
        uniform = self._drawn()
        # Compared into numbers: three times as fast as into booleans that are chosen by.
        if is_lowered:
            torch.lt(uniform, self.rate, out=self._pool).mul_(_FAR_BELOW)
        else:
            torch.ge(uniform, self.rate, out=self._pool).mul_(self.factor)
        self._pool_of = (self.rate, is_lowered)

    def _drawn(self) -> Tensor:
        """Return the pool's uniform numbers: kept, or drawn into the pool where that is large."""
        if self._uniform.numel() == self._size:
            return self._uniform
        if self._pool.numel() != self._size:
            self._pool = torch.empty(self._size)
        generator = torch.Generator().manual_seed(self._seed)
        if self._size > _MOST_KEPT:
            self._uniform = torch.empty(0)
            return torch.rand(self._size, generator=generator, out=self._pool)
        self._uniform = torch.rand(self._size, generator=generator)
        return self._uniform


class Population(nn.Module):
    """K multi-layer perceptrons of one shape.

    Args:
        n_members: K.
        n_inputs: F, features of a sample.
        hidden: Widths of the hidden layers; empty for a linear model.
        n_outputs: C, logits of a sample.
        activation: After each hidden layer.
        dropout: Share of hidden units dropped while training, in [0, 1).
        init: Weights at the start, by the usual names; "ntk" draws N(0, 1), divides
            each product by sqrt(D_in) and starts the last layer at zero.
        bias_init: "default" (as `torch.nn.Linear`; N(0, 1) with "ntk"), "zeros" or
            "normal".
        seed: Member k is drawn from (seed, k), whatever K is.

    Raises:
        UserError: An unknown name, a width or share out of range, or, when called,
            an input of another shape.

    Shape:
        - Input: (K, B, F), or (B, F) for all members alike
        - Output: (K, B, C)

    Example:
        >>> population = Population(3, n_inputs=4, hidden=(8,), n_outputs=2, seed=0)
        >>> population(torch.zeros(5, 4)).shape
        torch.Size([3, 5, 2])
    """

    def __init__(
        self,
        n_members: int,
        *,
        n_inputs: int,
        hidden: Sequence[int] = (256, 256, 256),
        n_outputs: int,
        activation: Activation = "silu",
        dropout: float = 0.0,
        init: Init = "default",
        bias_init: str = "default",
        seed: int = 0,
    ) -> None:
        super().__init__()
        widths = (n_inputs, *hidden, n_outputs)
        if n_members < 1 or min(widths) < 1:
            raise UserError(
                f"{n_members} members of widths {widths}",
                where="Population",
                fix="Give at least 1 of each",
            )
        if not 0.0 <= dropout < 1.0:
            raise UserError(f"dropout = {dropout} lies outside [0, 1)", where="Population")
        _check_known("activation", activation, get_args(Activation))
        _check_known("init", init, get_args(Init))
        _check_known("bias_init", bias_init, ("default", "zeros", "normal"))
        self.n_members = n_members
        self.activation: Activation = activation
        self.dropout = dropout
        self.activate = ACTIVATIONS[activation]
        gains = [1.0 / math.sqrt(max(width, 1)) if init == "ntk" else 1.0 for width in widths]
        self.layers = nn.ModuleList(
            PopulationLinear(n_members, widths[idx], widths[idx + 1], gain=gains[idx])
            for idx in range(len(widths) - 1)
        )
        self.dropouts = nn.ModuleList(
            PoolDropout(dropout, seed=seed * 31 + idx, gain=gains[idx + 1])
            for idx in range(len(hidden))
        )
        self._initialise(init, bias_init, seed)

    def _initialise(self, init: Init, bias_init: str, seed: int) -> None:
        generators = member_generators(seed, self.n_members)
        bias_kind = "normal" if init == "ntk" and bias_init == "default" else bias_init
        for layer in self.linears():
            n_inputs = layer.weight.shape[1]
            initialise_weight(layer.weight, init, generators)
            initialise_bias(layer.bias, bias_kind, generators, n_inputs=n_inputs)
        if init == "ntk":
            last = self.linears()[-1]
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def _check_shape(self, x: Tensor) -> None:
        n_inputs = self.linears()[0].weight.shape[1]
        is_shared = x.dim() == 2 and x.shape[1] == n_inputs
        is_own = x.dim() == 3 and (x.shape[0], x.shape[2]) == (self.n_members, n_inputs)
        if not (is_shared or is_own):
            raise UserError(
                f"expected (B, {n_inputs}) or ({self.n_members}, B, {n_inputs})"
                f" (got {tuple(x.shape)})",
                where="Population",
            )

    def linears(self) -> list[PopulationLinear]:
        """Return the layers, first to last."""
        return [layer for layer in self.layers if isinstance(layer, PopulationLinear)]

    def set_dropout(self, rate: float) -> None:
        """Set the share of hidden units dropped while training."""
        for dropout in self.pools():
            dropout.set_rate(rate)

    def release(self) -> None:
        """Give back the memory of the masks, which only training needs."""
        for dropout in self.pools():
            dropout.release()

    def pools(self) -> list[PoolDropout]:
        """Return the dropout after each hidden layer, first to last."""
        return [dropout for dropout in self.dropouts if isinstance(dropout, PoolDropout)]

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        """Return logits of every member.

        Args:
            x: Shape (K, B, F) or (B, F).
            scale: Factor of each input, shape (K, F), or None for 1.
        """
        self._check_shape(x)
        if x.dim() == 2:
            x = x.expand(self.n_members, -1, -1)  # (B, F) -> (K, B, F)
        *hidden, last = self.linears()
        is_scaled = scale is not None
        if scale is not None:
            x = x * (scale * self.linears()[0].gain).unsqueeze(1)
        for layer, dropout in zip(hidden, self.pools(), strict=True):
            x = self.activate(layer(x, is_scaled=is_scaled))
            is_scaled = dropout.scales(x)
            x = dropout(x)
        result: Tensor = last(x, is_scaled=is_scaled)
        return result


def _check_known(option: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise UserError(f"unknown {option} {name!r}", fix=did_you_mean(name, known))
