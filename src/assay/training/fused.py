"""Adam, AdamW and SGD by the fused kernels of PyTorch, called without its classes.

Comes in: groups of parameters with their gradients. Goes out: moved parameters.

`torch.optim` imports the compiler of PyTorch when the first optimizer is made, though
nothing here is compiled: 0.85 s, a sixth of a training on 500 rows. The kernels are those
that `torch.optim.Adam(..., fused=True)` and its like call, with the same numbers, so that
the result is theirs bit for bit; a test compares them.
"""

from typing import Any

import torch
from torch import Tensor

Group = dict[str, Any]

_EPS = 1e-8  # as in torch.optim.Adam


class FusedAdam:
    """Adam (arXiv 1412.6980), or AdamW (arXiv 1711.05101) with decay apart from gradients.

    Args:
        groups: Each with "params", all on one device; extra keys are kept.
        lr: Rate of each group until it is set in `param_groups`.
        betas: Decay rates of the two moments.
        is_apart: Whether decay is kept apart from the gradient, as AdamW does.

    Attributes:
        param_groups: The groups, each with "lr" and "weight_decay", read at each step.
            With "decay_now", a tensor, that decay is applied and "weight_decay" is 0.
        moments: For each group its step count and the moments of its parameters.
    """

    def __init__(
        self, groups: list[Group], *, lr: float, betas: tuple[float, float], is_apart: bool
    ) -> None:
        self.param_groups: list[Group] = [{"lr": lr, "weight_decay": 0.0, **own} for own in groups]
        self.is_apart = is_apart
        self._betas = betas
        self._kernel = torch._fused_adamw_ if is_apart else torch._fused_adam_
        self.moments = [Moments(group["params"]) for group in self.param_groups]

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters by their gradients."""
        beta1, beta2 = self._betas
        for group, moments in zip(self.param_groups, self.moments, strict=True):
            if "decay_now" in group and group["decay"] != 0.0:
                self._decay(group)
            params = group["params"]
            moments.n_steps.add_(1.0)
            self._kernel(
                params,
                [parameter.grad for parameter in params],
                moments.first,
                moments.second,
                [],
                [moments.n_steps] * len(params),
                lr=group["lr"],
                beta1=beta1,
                beta2=beta2,
                weight_decay=group["weight_decay"],
                eps=_EPS,
                amsgrad=False,
                maximize=False,
            )

    def tensors(self) -> dict[str, Tensor]:
        """Return what is remembered from step to step, by name; none is ever replaced."""
        named = {}
        for number, moments in enumerate(self.moments):
            named[f"{number}.n_steps"] = moments.n_steps
            for idx, (first, second) in enumerate(zip(moments.first, moments.second, strict=True)):
                named[f"{number}.{idx}.first"], named[f"{number}.{idx}.second"] = first, second
        return named

    def keep_rates_on_device(self) -> None:
        """Keep rates and decays in tensors, which a recorded step reads anew at each replay.

        The kernel takes a tensor for the rate but not for the decay, which is applied
        before, with the same result up to rounding. Called before the first step.
        """
        for group in self.param_groups:
            keep_on_device(group)

    def _decay(self, group: Group) -> None:
        """Shrink weights, apart from the gradient or through it."""
        kept = 1.0 - group["lr"] * group["decay_now"]
        for parameter in group["params"]:
            if self.is_apart:
                parameter.mul_(kept)
            else:
                parameter.grad.addcmul_(parameter, group["decay_now"])


def keep_on_device(group: Group) -> None:
    """Turn a group's rate and decay into tensors beside its parameters."""
    device = group["params"][0].device
    group["lr"] = torch.tensor(group["lr"], dtype=torch.float32, device=device)
    group["decay_now"] = torch.tensor(group["decay"], dtype=torch.float32, device=device)
    group["weight_decay"] = 0.0


class Moments:
    """What Adam remembers of a group of parameters.

    Attributes:
        n_steps: Steps taken, a number in a tensor on the device.
        first: Running mean of each parameter's gradient.
        second: The same of its square.
    """

    def __init__(self, params: list[Tensor]) -> None:
        self.n_steps = torch.zeros((), dtype=torch.float32, device=params[0].device)
        self.first = [torch.zeros_like(parameter) for parameter in params]
        self.second = [torch.zeros_like(parameter) for parameter in params]


class FusedSGD:
    """Gradient descent, with momentum (and Nesterov's) where it is above 0.

    Args:
        groups: Each with "params", all on one device; extra keys are kept.
        lr: Rate of each group until it is set in `param_groups`.
        momentum: In [0, 1).
        nesterov: Whether momentum looks ahead.

    Attributes:
        param_groups: The groups, each with "lr" and "weight_decay", read at each step.
        momenta: For each group the running gradient of its parameters; none without
            momentum.
        is_first_step: Whether the next step is the first; its gradient is the momentum.
    """

    def __init__(self, groups: list[Group], *, lr: float, momentum: float, nesterov: bool) -> None:
        self.param_groups: list[Group] = [{"lr": lr, "weight_decay": 0.0, **own} for own in groups]
        self._momentum, self._nesterov = momentum, nesterov
        self.is_first_step = True
        self.momenta: list[list[Tensor]] = [
            [torch.zeros_like(parameter) for parameter in group["params"]] if momentum else []
            for group in self.param_groups
        ]

    def tensors(self) -> dict[str, Tensor]:
        """Return what is remembered from step to step, by name; none is ever replaced."""
        return {
            f"{number}.{idx}.momentum": momentum
            for number, momenta in enumerate(self.momenta)
            for idx, momentum in enumerate(momenta)
        }

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters by their gradients."""
        for group, momenta in zip(self.param_groups, self.momenta, strict=True):
            params = group["params"]
            torch._fused_sgd_(
                params,
                [parameter.grad for parameter in params],
                momenta,
                weight_decay=group["weight_decay"],
                momentum=self._momentum,
                lr=group["lr"],
                dampening=0.0,
                nesterov=self._nesterov,
                maximize=False,
                is_first_step=self.is_first_step and bool(momenta),
            )
        self.is_first_step = False
