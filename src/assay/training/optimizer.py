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
        if "decay_now" in group:
            group["lr"].fill_(rate * group["rate"])
            group["decay_now"].fill_(group["decay"] * fade)
        else:
            group["lr"] = rate * group["rate"]
            group["weight_decay"] = group["decay"] * fade


def keep_rates_on_device(optimizer: torch.optim.Optimizer) -> None:
    """Keep rates and decays in tensors, which a recorded step reads anew at each replay.

    PyTorch takes a tensor for the rate but not for the decay, which is taken out of the
    optimizer and applied before its step, with the same result up to rounding.

    Args:
        optimizer: Adam or AdamW of `make_optimizer`, before its first step.
    """
    for group in optimizer.param_groups:
        device = group["params"][0].device
        group["lr"] = torch.tensor(group["lr"], dtype=torch.float32, device=device)
        group["decay_now"] = torch.tensor(group["decay"], dtype=torch.float32, device=device)
        group["weight_decay"] = 0.0
        group["capturable"] = True
    optimizer.register_step_pre_hook(_decay)


@torch.no_grad()
def _decay(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
    """Shrink weights, apart from the gradient for adamw (arXiv 1711.05101) or through it."""
    is_apart = isinstance(optimizer, torch.optim.AdamW)
    for group in optimizer.param_groups:
        if group["decay"] == 0.0:
            continue
        kept = 1.0 - group["lr"] * group["decay_now"]
        for parameter in group["params"]:
            if is_apart:
                parameter.mul_(kept)
            else:
                parameter.grad.addcmul_(parameter, group["decay_now"])
