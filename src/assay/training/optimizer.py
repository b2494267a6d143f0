"""Optimizers by their usual names, with one group per kind of parameter."""

from typing import Any

import torch
from torch import nn

from assay.nn.network import Network
from assay.options import TrainRecipe
from assay.training.schedule import flat_cosine, rate_factor


def parameter_groups(network: Network, recipe: TrainRecipe) -> list[dict[str, Any]]:
    """Return groups for weights, biases and the input scale, with rate factors.

    Biases are not decayed.
    """
    weights: list[nn.Parameter] = [layer.weight for layer in network.body.linears()]
    if network.embedding.numel():
        weights.append(network.embedding)
    biases = [layer.bias for layer in network.body.linears()]
    groups: list[dict[str, Any]] = [
        {"params": weights, "rate": 1.0, "decay": recipe.weight_decay},
        {"params": biases, "rate": recipe.bias_rate, "decay": 0.0},
    ]
    if network.input_scale.requires_grad:
        groups.append(
            {
                "params": [network.input_scale],
                "rate": recipe.scale_rate,
                "decay": recipe.weight_decay,
            }
        )
    return _merged(groups)


def _merged(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join groups that are treated alike: each costs a step 20 microseconds."""
    merged: dict[tuple[float, float], dict[str, Any]] = {}
    for group in groups:
        key = (group["rate"], group["decay"])
        merged.setdefault(key, {**group, "params": []})["params"].extend(group["params"])
    return list(merged.values())


def make_optimizer(groups: list[dict[str, Any]], recipe: TrainRecipe) -> torch.optim.Optimizer:
    """Return the optimizer that the recipe names; fused where PyTorch can."""
    rate = recipe.learning_rate
    betas = (recipe.beta1, recipe.beta2)
    match recipe.optimizer:
        case "sgd":
            return torch.optim.SGD(
                groups, lr=rate, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True
            )
        case "adam":
            return torch.optim.Adam(groups, lr=rate, betas=betas, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate, betas=betas, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=rate, momentum=recipe.momentum)
        case "adagrad":
            return torch.optim.Adagrad(groups, lr=rate)
        case "adadelta":
            return torch.optim.Adadelta(groups, lr=rate)


def set_rates(optimizer: torch.optim.Optimizer, recipe: TrainRecipe, t: float) -> None:
    """Set the groups' rates and decays for time `t` in [0, 1)."""
    rate = recipe.learning_rate * rate_factor(recipe.schedule, t)
    fade = flat_cosine(t) if recipe.hold_then_fade else 1.0
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate"]
        group["weight_decay"] = group["decay"] * fade
