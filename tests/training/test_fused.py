"""The fused optimizers are PyTorch's, bit for bit, without what its classes import."""

import subprocess
import sys

import pytest
import torch

from assay.training.fused import FusedAdam, FusedSGD

BETAS = (0.9, 0.95)
PAIRS = {
    "adam": (
        lambda groups: FusedAdam(groups, lr=0.1, betas=BETAS, is_apart=False),
        lambda groups: torch.optim.Adam(groups, lr=0.1, betas=BETAS, fused=True),
    ),
    "adamw": (
        lambda groups: FusedAdam(groups, lr=0.1, betas=BETAS, is_apart=True),
        lambda groups: torch.optim.AdamW(groups, lr=0.1, betas=BETAS, fused=True),
    ),
    "sgd": (
        lambda groups: FusedSGD(groups, lr=0.1, momentum=0.0, nesterov=False),
        lambda groups: torch.optim.SGD(groups, lr=0.1, fused=True),
    ),
    "momentum": (
        lambda groups: FusedSGD(groups, lr=0.1, momentum=0.9, nesterov=True),
        lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True, fused=True),
    ),
}


def make_groups(generator: torch.Generator) -> list[dict]:
    shapes = [[(3, 4, 5), (3, 5)], [(2,)]]
    return [
        {"params": [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in own]}
        for own in shapes
    ]


@pytest.mark.parametrize("name", PAIRS)
def test_each_step_is_that_of_torch(name):
    own, theirs = (make_groups(torch.Generator().manual_seed(0)) for _ in range(2))
    optimizers = [make(groups) for make, groups in zip(PAIRS[name], (own, theirs), strict=True)]
    generator = torch.Generator().manual_seed(1)
    for step in range(20):
        for one, other in zip(own, theirs, strict=True):
            for parameter, twin in zip(one["params"], other["params"], strict=True):
                parameter.grad = torch.randn(parameter.shape, generator=generator)
                twin.grad = parameter.grad.clone()
        for optimizer in optimizers:
            for group, rate in zip(optimizer.param_groups, (0.1, 0.01), strict=True):
                group["lr"], group["weight_decay"] = rate / (1 + step), 0.02 * rate
            optimizer.step()
        for one, other in zip(own, theirs, strict=True):
            for parameter, twin in zip(one["params"], other["params"], strict=True):
                assert torch.equal(parameter, twin)


def test_a_training_loads_neither_the_compiler_nor_symbolic_shapes():
    """They come with torch.optim, and with `backward` from more than one number: 1.2 s."""
    code = """
import sys
import polars, torch
from assay.ledger import Ledger
from assay.recipe import Recipe
from assay.samples import read_samples
from assay.training.history import Silent
from assay.training.loop import train_population
from assay.training.setup import set_up
frame = polars.DataFrame({"x": list(range(60)), "c": list("abcdefghijkl") * 5, "y": [0, 1] * 30})
for activation in ("silu", "selu"):  # with gradients in closed form, and of autograd
    options = {"target": "y", "train.epochs": 1, "model.activation": activation}
    recipe = Recipe().with_options(options)
    samples = read_samples(frame, recipe, Ledger(), on_stage=lambda _: None)
    setup = set_up(samples, recipe, torch.device("cpu"))
    train_population(setup.network, setup.lesson, recipe.train, seed=0, observer=Silent())
print([name for name in ("torch._dynamo", "sympy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
