"""Closed-form gradients are those of autograd."""

import numpy as np
import pytest
import torch

from assay.encode import TableEncoder
from assay.encode.features import NumericFeature
from assay.nn.network import Encoded, Network
from assay.options import ModelRecipe, TrainRecipe
from assay.training.gradients import closed_form_gradients, has_closed_form
from assay.training.loss import loss_weights, sample_losses

ENCODER = TableEncoder(
    numeric=tuple(
        NumericFeature(f"x{idx}", "value", "none", 1.0, False, 0, "median", 0.0, False)
        for idx in range(4)
    ),
    categorical=(),
    text=(),
)
PLAIN = {"hidden": (7, 5), "dropout": 0.0, "input_scale": False}
FLOAT32 = TrainRecipe(precision="float32")


def make_network(**changes) -> Network:
    recipe = ModelRecipe(**{"init": "default", "activation": "tanh", **PLAIN, **changes})
    return Network(ENCODER, recipe, n_members=3, n_classes=3, seed=0)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "identity"])
@pytest.mark.parametrize("options", [{}, {"hidden": ()}, {"init": "ntk"}])
def test_closed_form_equals_autograd(activation, options, rng):
    network = make_network(activation=activation, **options)
    assert has_closed_form(network, FLOAT32)
    x = torch.from_numpy(rng.normal(size=(3, 9, 4))).float()
    y = torch.from_numpy(rng.integers(0, 3, (3, 9)))
    weights = loss_weights(torch.from_numpy(rng.random((3, 9))).float(), (3, 9))
    losses = sample_losses(network(Encoded(x, torch.zeros(3, 9, 0, dtype=torch.int32))), y)
    torch.autograd.backward(losses, weights)
    expected = [parameter.grad.clone() for layer in network.body.linears()
                for parameter in (layer.weight, layer.bias)]  # fmt: skip
    found_losses = closed_form_gradients(network, x, y, weights)
    torch.testing.assert_close(found_losses, losses.detach(), rtol=0, atol=1e-6)
    found = [parameter.grad for layer in network.body.linears()
             for parameter in (layer.weight, layer.bias)]  # fmt: skip
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [{"dropout": 0.1}, {"activation": "gelu"}, {"input_scale": True}, {"output": "sigmoid"}],
)
def test_other_networks_keep_to_autograd(changes):
    assert not has_closed_form(make_network(**changes), FLOAT32)


def test_other_trainings_keep_to_autograd():
    network = make_network()
    assert not has_closed_form(network, TrainRecipe(precision="auto"))
    assert not has_closed_form(network, TrainRecipe(precision="float32", label_smoothing=0.1))
