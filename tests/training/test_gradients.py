"""Closed-form gradients are those of autograd."""

import copy

import numpy as np
import pytest
import torch

from assay.encode import TableEncoder
from assay.encode.features import CategoricalFeature, NumericFeature
from assay.nn.network import Encoded, Network
from assay.options import ModelRecipe, TrainRecipe
from assay.training.gradients import ClosedForm, has_closed_form
from assay.training.loss import loss_weights, sample_losses

ENCODER = TableEncoder(
    numeric=tuple(
        NumericFeature(f"x{idx}", "value", "none", 1.0, False, 0, "median", 0.0, False)
        for idx in range(4)
    ),
    categorical=(),
    text=(),
)
LEVELS = TableEncoder(
    numeric=ENCODER.numeric,
    categorical=tuple(
        CategoricalFeature(name, tuple("abcde"), "embedding", 2, 1, "mode", "", False)
        for name in ("one", "two")
    ),
    text=(),
)
PLAIN = {"hidden": (7, 5), "dropout": 0.0, "input_scale": False, "init": "default"}
FLOAT32 = TrainRecipe(precision="float32")


def make_network(encoder: TableEncoder = ENCODER, **changes) -> Network:
    recipe = ModelRecipe(**{"activation": "tanh", **PLAIN, **changes})
    network = Network(encoder, recipe, n_members=3, n_classes=3, seed=0)
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():  # some of them start with 0 or 1
        torch.nn.init.normal_(parameter, generator=generator)
    return network.train()


def assert_same_gradients(network: Network, rng: np.random.Generator) -> None:
    """Compare two batches of unlike sizes, in memory that is used again."""
    twin = copy.deepcopy(network)  # drops the same units
    closed_form = ClosedForm(twin)
    n_embedded = network.categorical.n_embedded
    for n_samples in (9, 4, 9):
        x = torch.from_numpy(rng.normal(size=(3, n_samples, 4))).float()
        rows = torch.from_numpy(rng.integers(-1, 5, (3, n_samples, n_embedded))).int()
        y = torch.from_numpy(rng.integers(0, 3, (3, n_samples)))
        weights = loss_weights(torch.from_numpy(rng.random(y.shape)).float(), tuple(y.shape))
        network.zero_grad()
        losses = sample_losses(network(Encoded(x, rows)), y)
        (losses * weights).sum().backward()
        found = closed_form(Encoded(x, rows), y, weights)
        torch.testing.assert_close(found, losses.detach(), rtol=1e-6, atol=2e-6)
        for (name, one), other in zip(network.named_parameters(), twin.parameters(), strict=True):
            if one.grad is not None and one.numel():
                torch.testing.assert_close(
                    other.grad,
                    one.grad,
                    rtol=1e-5,
                    atol=1e-5,
                    msg=lambda text, name=name: f"{name}: {text}",
                )


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "identity", "silu", "gelu"])
@pytest.mark.parametrize("options", [{}, {"hidden": ()}, {"init": "ntk"}])
def test_closed_form_equals_autograd(activation, options, rng):
    network = make_network(activation=activation, **options)
    assert has_closed_form(network, FLOAT32)
    assert_same_gradients(network, rng)


@pytest.mark.parametrize("activation", ["sigmoid", "relu", "silu", "gelu"])
@pytest.mark.parametrize("init", ["default", "ntk"])
def test_closed_form_drops_the_units_that_autograd_drops(activation, init, rng):
    network = make_network(activation=activation, init=init, dropout=0.3)
    assert has_closed_form(network, FLOAT32)
    assert_same_gradients(network, rng)


@pytest.mark.parametrize("input_scale", [False, True])
@pytest.mark.parametrize("encoder", [ENCODER, LEVELS], ids=["numbers", "levels"])
@pytest.mark.parametrize("hidden", [(), (7, 5)])
def test_closed_form_reaches_scale_and_embeddings(input_scale, encoder, hidden, rng):
    changes = {"activation": "silu", "dropout": 0.15, "init": "ntk"}
    network = make_network(encoder, input_scale=input_scale, hidden=hidden, **changes)
    assert has_closed_form(network, FLOAT32)
    assert_same_gradients(network, rng)


def test_a_scale_of_exactly_zero_stays_a_number():
    network = make_network(input_scale=True)
    with torch.no_grad():
        network.input_scale[1, 2] = 0.0
    x, y = torch.ones(3, 5, 4), torch.zeros(3, 5, dtype=torch.int64)
    ClosedForm(network)(Encoded(x, torch.zeros(3, 5, 0)), y, loss_weights(None, (3, 5)))
    assert network.input_scale.grad is not None
    assert network.input_scale.grad[1, 2] == 0.0
    assert network.input_scale.grad.isfinite().all()


@pytest.mark.parametrize(
    "changes", [{"activation": "selu"}, {"dropout": 0.1}, {"output": "sigmoid"}]
)
def test_other_networks_keep_to_autograd(changes):
    network = make_network(ENCODER, **changes)
    assert not has_closed_form(network, FLOAT32)


def test_other_trainings_keep_to_autograd():
    network = make_network()
    assert has_closed_form(network, TrainRecipe())
    assert not has_closed_form(network, TrainRecipe(label_smoothing=0.1))


@pytest.mark.parametrize(("dropout", "has_one"), [(0.0, True), (0.1, False)])
def test_on_a_gpu_only_networks_without_dropout_have_a_closed_form(dropout, has_one):
    model = ModelRecipe(**{**PLAIN, "dropout": dropout}, activation="silu")
    with torch.device("meta"):  # a device that is no CPU, and is always there
        network = Network(ENCODER, model, n_members=3, n_classes=3, seed=0)
    assert has_closed_form(network, TrainRecipe()) == has_one
