"""Optimizers by their usual names, with one group per kind of parameter."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from assay.nn.network import Network
from assay.options import TrainRecipe
from assay.training.fused import FusedAdam, FusedSGD
from assay.training.muon import Muon
from assay.training.plan import SCALE_RATE
from assay.training.schedule import flat_cosine, rate_factor


class Optimizer(Protocol):
    """Moves parameters by their gradients.

    Attributes:
        param_groups: Groups of parameters with their rates; see `set_rates`.
    """

    param_groups: list[dict[str, Any]]

    def step(self) -> Any:
        """Take one step."""


def parameter_groups(network: Network, recipe: TrainRecipe) -> list[dict[str, Any]]:
    """Return groups for weights, biases and the input scale, with rate factors.

    Biases are not decayed. What is left to the rows is as for few; see `plan.settled`.
    Muon's orthogonal group is the first of several layers.
    """
    weights: list[nn.Parameter] = [layer.weight for layer in network.body.linears()]
    orthogonal = weights[:1] if recipe.optimizer == "muon" and len(weights) > 1 else []
    weights = weights[len(orthogonal) :]
    if network.embedding.numel():
        weights.append(network.embedding)
    biases = [layer.bias for layer in network.body.linears()]
    groups: list[dict[str, Any]] = [
        {"params": weights, "rate": 1.0, "decay": recipe.weight_decay},
        {"params": biases, "rate": recipe.bias_rate, "decay": 0.0},
    ]
    if orthogonal:
        groups.append({**groups[0], "params": orthogonal, "is_orthogonal": True})
    if network.input_scale.requires_grad:
        groups.append(
            {
                "params": [network.input_scale],
                "rate": SCALE_RATE if recipe.scale_rate == "auto" else recipe.scale_rate,
                "decay": recipe.weight_decay,
            }
        )
    return _merged(groups)


def _merged(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join groups that are treated alike: each costs a step 20 microseconds."""
    merged: dict[tuple[float, float, bool], dict[str, Any]] = {}
    for group in groups:
        key = (group["rate"], group["decay"], "is_orthogonal" in group)
        merged.setdefault(key, {**group, "params": []})["params"].extend(group["params"])
    return list(merged.values())


def make_optimizer(groups: list[dict[str, Any]], recipe: TrainRecipe) -> Optimizer:
    """Return the optimizer that the recipe names; fused where PyTorch can."""
    rate = recipe.learning_rate
    betas = (recipe.beta1, recipe.beta2)
    match recipe.optimizer:
        case "sgd":
            return FusedSGD(groups, lr=rate, momentum=recipe.momentum, nesterov=recipe.nesterov)
        case "adam":
            return FusedAdam(groups, lr=rate, betas=betas, is_apart=False)
        case "adamw" | "auto":
            return FusedAdam(groups, lr=rate, betas=betas, is_apart=True)
        case "muon":
            return Muon(groups, lr=rate, betas=betas)
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=rate, momentum=recipe.momentum)
        case "adagrad":
            return torch.optim.Adagrad(groups, lr=rate)
        case "adadelta":
            return torch.optim.Adadelta(groups, lr=rate)


def state_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return what an optimizer remembers from step to step, by name.

    The optimizers of PyTorch remember nothing before their first step.
    """
    if isinstance(optimizer, FusedAdam | FusedSGD | Muon):
        return optimizer.tensors()
    return {
        f"{number}.{idx}.{name}": value
        for number, idx, own in _own_states(optimizer)
        for name, value in own.items()
    }


@torch.no_grad()
def restore_state(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Let an optimizer go on from what `state_tensors` returned after its first step.

    Ours copy into their tensors, which a recorded step goes on reading.

    Raises:
        KeyError, RuntimeError: The tensors are those of another optimizer.
    """
    if isinstance(optimizer, FusedAdam | FusedSGD | Muon):
        for name, value in optimizer.tensors().items():
            value.copy_(tensors[name])
        if isinstance(optimizer, FusedSGD):
            optimizer.is_first_step = False
        return
    for number, idx, own in _own_states(optimizer):
        start = f"{number}.{idx}."
        device = optimizer.param_groups[number]["params"][idx].device
        for name, value in tensors.items():
            if name.startswith(start):  # numbers stay on the CPU, as PyTorch has them
                own[name.removeprefix(start)] = value.to(device) if value.dim() else value


def _own_states(optimizer: Optimizer) -> Iterator[tuple[int, int, dict[str, Tensor]]]:
    """Yield group, place in it and state of each parameter of an optimizer of PyTorch."""
    states: dict[Tensor, dict[str, Tensor]] = optimizer.state  # type: ignore[attr-defined]
    for number, group in enumerate(optimizer.param_groups):
        for idx, parameter in enumerate(group["params"]):
            yield number, idx, states[parameter]


def set_rates(optimizer: Optimizer, recipe: TrainRecipe, t: float) -> None:
    """Set the groups' rates and decays for time `t` in [0, 1)."""
    rate = recipe.learning_rate * rate_factor(recipe.schedule, t)
    fade = flat_cosine(t) if recipe.hold_then_fade else 1.0
    for group in optimizer.param_groups:
        if "decay_now" in group:
            group["lr"].fill_(rate * group["rate"])
            group["decay_now"].fill_(group["decay"] * fade)
        else:
            group["lr"] = rate * group["rate"]
            group["weight_decay"] = group["decay"] * fade
