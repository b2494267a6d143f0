"""Gradients of a population in closed form, without the tape of autograd.

Comes in: a batch. Goes out: the loss of each sample, and a gradient for each parameter.

The formulas serve the default network and most others; a test compares them with
autograd. They leave out what the tape has to keep: memory taken anew for each result, the
gradient of inputs that nothing learns from, and two passes over the masks of dropout, for
a unit is dropped by a number so low that activation and slope both vanish. For 8 networks
of 3 x 256 units and batches of 256 that saves a sixth of a step or more (rounded products,
`benchmarks/step_speed.py`), for 32 tiny ones half.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from assay.nn.network import Encoded, Network
from assay.options import Activation, TrainRecipe
from assay.training.input_gradients import InputLayer
from assay.training.room import Room

_ATEN = torch.ops.aten


@dataclass(frozen=True)
class _Formula:
    """An activation and its slope.

    Attributes:
        forward: (input, out=) -> output.
        backward: (gradient of the output, what was kept, grad_input=) -> gradient of the
            input; the last may be the first.
        keeps_input: Whether the input is kept for `backward`, rather than the output.
        vanishes: Whether output and slope are 0 far below 0, so that units can be dropped.
    """

    forward: Callable[..., object]
    backward: Callable[..., object]
    keeps_input: bool = False
    vanishes: bool = False


def _relu_backward(gradient: Tensor, output: Tensor, *, grad_input: Tensor) -> None:
    torch.mul(gradient, output > 0, out=grad_input)


def _same(x: Tensor, *, out: Tensor) -> None:
    out.copy_(x)


def _same_backward(gradient: Tensor, output: Tensor, *, grad_input: Tensor) -> None:
    """Leave the gradient, which lies in `grad_input` already."""


_FORMULAS: dict[Activation, _Formula] = {
    "silu": _Formula(
        _ATEN.silu.out, _ATEN.silu_backward.grad_input, keeps_input=True, vanishes=True
    ),
    "gelu": _Formula(
        _ATEN.gelu.out, _ATEN.gelu_backward.grad_input, keeps_input=True, vanishes=True
    ),
    "relu": _Formula(_ATEN.relu.out, _relu_backward, vanishes=True),
    "sigmoid": _Formula(torch.sigmoid, _ATEN.sigmoid_backward.grad_input, vanishes=True),
    "tanh": _Formula(torch.tanh, _ATEN.tanh_backward.grad_input),
    "identity": _Formula(_same, _same_backward),
}


def has_closed_form(network: Network, recipe: TrainRecipe) -> bool:
    """Whether `ClosedForm` serves this training.

    On a GPU dropout is not: there masks are drawn anew by each step.
    """
    body = network.body
    formula = _FORMULAS.get(body.activation)
    is_drop = body.dropout > 0.0
    return (
        formula is not None
        and (formula.vanishes or not is_drop)
        and not network.is_sigmoid
        and recipe.label_smoothing == 0.0
        and (network.embedding.device.type == "cpu" or not is_drop)
    )


class ClosedForm:
    """Sets the gradients of a network's mean losses, in memory kept from step to step.

    With p = softmax(z), the gradient of the cross-entropy by the logits z is p minus
    the one-hot class; the chain rule takes it down layer by layer. Logits lie class by
    class, (K, C, B): a softmax over two neighbours takes four times as long.

    Args:
        network: One that `has_closed_form`, on its device; it is taken as training.
    """

    def __init__(self, network: Network) -> None:
        self._input = InputLayer(network)
        self._layers = network.body.linears()
        self._pools = network.body.pools()
        self._formula = _FORMULAS[network.body.activation]
        self._gradients = [
            (torch.zeros_like(layer.weight), torch.zeros_like(layer.bias)) for layer in self._layers
        ]
        self._sums, self._outputs = (
            [Room(layer.weight, width=layer.weight.shape[2]) for layer in self._layers]
            for _ in range(2)
        )

    @torch.no_grad()
    def __call__(self, inputs: Encoded, y: Tensor, weights: Tensor) -> Tensor:
        """Set the gradients of the members' mean losses.

        Args:
            inputs: Of B rows for each of the K members.
            y: Class indices, shape (K, B).
            weights: From `loss_weights`, shape (K, B).

        Returns:
            The loss of each sample, shape (K, B).
        """
        logits, passed = self._forward(self._input.forward(inputs))
        losses, gradient = _loss(logits, y, weights)
        gradient = self._backward(gradient.transpose(1, 2), passed)
        self._input.backward(gradient, self._gradients[0][0])
        return losses

    def _forward(self, x: Tensor) -> tuple[Tensor, list["_Passed"]]:
        """Return logits (K, C, B) of inputs (K, B, F), and what each layer leaves."""
        n_members, n_samples, _ = x.shape
        factor, passed = self._input.factor, []
        *hidden, last = self._layers
        for layer, pool, sums, outputs in zip(
            hidden, self._pools, self._sums[:-1], self._outputs[:-1], strict=True
        ):
            z, bias = sums.of(n_samples), layer.bias.unsqueeze(1)
            if pool.rate > 0.0:
                torch.add(pool.lowered(z.shape), bias, out=z)
                z.baddbmm_(x, layer.weight, alpha=factor)
            else:
                # For small matrices a product and a sum take half the time of baddbmm.
                _product(x, layer.weight, factor, out=z).add_(bias)
            passed.append(_Passed(x, factor, z))
            x, factor = outputs.of(n_samples), pool.factor
            self._formula.forward(z, out=x)
        logits = self._sums[-1].of(n_samples).view(n_members, -1, n_samples)
        _product(last.weight.transpose(1, 2), x.transpose(1, 2), factor, out=logits)
        return logits.add_(last.bias.unsqueeze(2)), [*passed, _Passed(x, factor, logits)]

    def _backward(self, gradient: Tensor, passed: list["_Passed"]) -> Tensor:
        """Set the gradients of the layers; return the one by the first one's sums.

        Args:
            gradient: By the logits, shape (K, B, C).
            passed: What each layer left; used up.
        """
        for idx in range(len(passed) - 1, -1, -1):
            layer, x, factor = self._layers[idx], passed[idx].x, passed[idx].factor
            layer.weight.grad, layer.bias.grad = self._gradients[idx]
            torch.sum(gradient, dim=1, out=layer.bias.grad)
            _product(x.transpose(1, 2), gradient, factor, out=layer.weight.grad)
            if idx:
                z = passed[idx - 1].z
                kept, free = (z, x) if self._formula.keeps_input else (x, z)
                _product(gradient, layer.weight.transpose(1, 2), factor, out=free)
                self._formula.backward(free, kept, grad_input=free)
                gradient = free
        return gradient


@dataclass(frozen=True)
class _Passed:
    """What a layer leaves for the way back.

    Attributes:
        x: Its input, (K, B, D).
        factor: Of the product of input and weights.
        z: The sums it gives to its activation.
    """

    x: Tensor
    factor: float
    z: Tensor


def _product(a: Tensor, b: Tensor, factor: float, *, out: Tensor) -> Tensor:
    """Fill `out` with the members' products, times a factor that costs nothing here."""
    if factor == 1.0:
        return torch.bmm(a, b, out=out)
    return torch.baddbmm(out, a, b, beta=0.0, alpha=factor, out=out)


def _loss(logits: Tensor, y: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss of each sample, (K, B), and the gradient by the logits (K, C, B)."""
    y, weights = y.unsqueeze(1), weights.unsqueeze(1)
    log_proba = torch.log_softmax(logits, dim=1)
    losses = -log_proba.gather(1, y).squeeze(1)
    return losses, log_proba.exp_().mul_(weights).scatter_add_(1, y, -weights)
