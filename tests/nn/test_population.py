"""A population is K ordinary networks, trained side by side."""

import pytest
import torch
from torch import nn

from assay.errors import UserError
from assay.nn import Population, PopulationLinear
from assay.nn.population import PoolDropout
from assay.options import TrainRecipe
from assay.training.loss import loss_weights, sample_losses
from assay.training.optimizer import make_optimizer, set_rates

TORCH_ACTIVATIONS = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "selu": nn.SELU,
    "leaky_relu": nn.LeakyReLU,
    "identity": nn.Identity,
}


def plain_network(population: Population, member_idx: int, activation: str) -> nn.Sequential:
    """Copy one member into an ordinary torch.nn network."""
    modules: list[nn.Module] = []
    for layer in population.linears():
        n_inputs, n_outputs = layer.weight.shape[1:]
        linear = nn.Linear(n_inputs, n_outputs)
        with torch.no_grad():
            linear.weight.copy_(layer.weight[member_idx].T * layer.gain)
            linear.bias.copy_(layer.bias[member_idx])
        modules += [linear, TORCH_ACTIVATIONS[activation]()]
    return nn.Sequential(*modules[:-1])


@pytest.mark.parametrize("activation", TORCH_ACTIVATIONS)
def test_each_member_equals_an_ordinary_network(activation):
    population = Population(
        3, n_inputs=5, hidden=(7, 4), n_outputs=3, activation=activation, seed=1
    )
    x = torch.randn(11, 5, generator=torch.Generator().manual_seed(0))
    for member_idx, logits in enumerate(population(x)):
        expected = plain_network(population, member_idx, activation)(x)
        torch.testing.assert_close(logits, expected, rtol=0, atol=1e-6)


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.9, 0.95), weight_decay=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.05, betas=(0.9, 0.95), weight_decay=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.05, momentum=0.9, weight_decay=0.01),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05, weight_decay=0.01),
    "adadelta": lambda p: torch.optim.Adadelta(p, lr=0.05, weight_decay=0.01),
}


# RMSprop divides by a root of tiny numbers, which blows float32's rounding up past 1e-6.
STEPS = [(name, torch.float64, 1e-9) for name in OPTIMIZERS]
STEPS += [(name, torch.float32, 1e-6) for name in OPTIMIZERS if name != "rmsprop"]


@pytest.mark.parametrize(("name", "dtype", "tolerance"), STEPS)
@pytest.mark.parametrize("n_members", [1, 3])
def test_training_equals_torch_step_by_step(name, dtype, tolerance, n_members):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 4, generator=generator).to(dtype)
    y = torch.randint(0, 3, (40,), generator=generator)
    population = Population(n_members, n_inputs=4, hidden=(6,), n_outputs=3, activation="tanh")
    population.to(dtype)
    plain = [plain_network(population, idx, "tanh").to(dtype) for idx in range(n_members)]
    plain_optimizers = [OPTIMIZERS[name](network.parameters()) for network in plain]
    recipe = TrainRecipe(
        optimizer=name,
        learning_rate=0.05,
        momentum=0.9 if name in ("sgd", "rmsprop") else 0.0,
        nesterov=name == "sgd",
        beta2=0.95,
        weight_decay=0.01,
        schedule="constant",
        hold_then_fade=False,
    )
    groups = [{"params": list(population.parameters()), "rate": 1.0, "decay": 0.01}]
    optimizer = make_optimizer(groups, recipe)
    for step in range(30):
        rows = torch.arange(step % 4 * 10, step % 4 * 10 + 10)
        set_rates(optimizer, recipe, step / 30)
        population.zero_grad()
        losses = sample_losses(population(x[rows]), y[rows].expand(n_members, -1))
        torch.autograd.backward(losses, loss_weights(None, losses.shape, dtype=dtype))
        optimizer.step()
        for member_idx, (network, own) in enumerate(zip(plain, plain_optimizers, strict=True)):
            own.zero_grad()
            loss = nn.functional.cross_entropy(network(x[rows]), y[rows])
            loss.backward()
            own.step()
            logits = population(x)[member_idx]
            torch.testing.assert_close(logits, network(x), rtol=0, atol=tolerance)


def test_member_depends_on_seed_and_index_not_on_population_size():
    small = Population(2, n_inputs=3, hidden=(5,), n_outputs=2, seed=7)
    large = Population(6, n_inputs=3, hidden=(5,), n_outputs=2, seed=7)
    for one, other in zip(small.parameters(), large.parameters(), strict=True):
        assert torch.equal(one, other[:2])
    assert not torch.equal(large.linears()[0].weight[0], large.linears()[0].weight[1])


def test_default_initialisation_is_that_of_torch_linear():
    layer = Population(200, n_inputs=9, hidden=(4,), n_outputs=2).linears()[0]
    assert layer.weight.detach().abs().max().item() <= 1 / 3
    assert layer.bias.detach().abs().max().item() <= 1 / 3
    assert layer.weight.detach().std().item() == pytest.approx((1 / 3) / 3**0.5, rel=0.05)


@pytest.mark.parametrize(
    ("init", "std"),
    [
        ("xavier_normal", (2 / 300) ** 0.5),
        ("xavier_uniform", (2 / 300) ** 0.5),
        ("kaiming_normal", (2 / 100) ** 0.5),
        ("kaiming_uniform", (2 / 100) ** 0.5),
        ("normal", 0.01),
        ("uniform", 0.01 / 3**0.5),
        ("ntk", 1.0),
        ("zeros", 0.0),
    ],
)
def test_initialisations_have_their_published_spread(init, std):
    layer = Population(2, n_inputs=100, hidden=(200,), n_outputs=2, init=init).linears()[0]
    assert layer.weight.detach().std().item() == pytest.approx(std, rel=0.05)


def test_orthogonal_initialisation_is_orthogonal():
    weight = Population(2, n_inputs=8, hidden=(8,), n_outputs=2, init="orthogonal").linears()[0]
    product = weight.weight[1] @ weight.weight[1].T
    torch.testing.assert_close(product, torch.eye(8), rtol=0, atol=1e-5)


def test_dropout_drops_its_share_keeps_the_mean_and_sleeps_when_predicting():
    population = Population(
        2, n_inputs=3, hidden=(400,), n_outputs=1, activation="identity", dropout=0.3
    )
    dropout = population.dropouts[0]
    x = torch.ones(2, 300, 400)
    dropped = dropout.train()(x)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.02)
    assert not torch.equal(dropped, dropout(x))
    assert torch.equal(dropout.eval()(x), x)
    population.eval()
    inputs = torch.randn(4, 3)
    assert torch.equal(population(inputs), population(inputs))


def test_lowered_sums_drop_the_units_that_masks_drop():
    shape = torch.Size([3, 50, 40])
    masks, lowered = (PoolDropout(0.3, seed=5, gain=0.5) for _ in range(2))
    for rate in (0.3, 0.3, 0.1):
        masks.set_rate(rate)
        lowered.set_rate(rate)
        kept = masks.train()(torch.ones(shape))
        assert torch.equal(lowered.lowered(shape) < 0.0, kept == 0.0)
        assert kept.max().item() == pytest.approx(lowered.factor)
    assert lowered.factor == pytest.approx(0.5 / 0.9)
    lowered.set_rate(0.0)
    assert lowered.factor == 0.5


def test_a_large_pool_is_drawn_again_to_the_same_masks(monkeypatch):
    shape = torch.Size([3, 50, 40])

    def masks() -> list[torch.Tensor]:
        dropout, found = PoolDropout(0.3, seed=5), []
        for rate in (0.3, 0.1, 0.3):
            dropout.set_rate(rate)
            found.append(dropout.lowered(shape).clone())
        state = dropout.state()
        found.append(dropout.lowered(shape).clone())
        resumed = PoolDropout(0.9, seed=5)
        resumed.restore(state)
        assert torch.equal(resumed.lowered(shape), found[-1])
        resumed.lowered(torch.Size([3, 500, 400]))  # a larger pool
        resumed.restore(state)
        assert torch.equal(resumed.lowered(shape), found[-1])
        return found

    kept = masks()
    monkeypatch.setattr("assay.nn.population._MOST_KEPT", 0)
    drawn = masks()
    assert all(map(torch.equal, kept, drawn))
    assert not torch.equal(kept[0], kept[2])  # from another place of the pool


def test_linear_gain_scales_the_product_but_not_the_bias():
    layer = PopulationLinear(1, 2, 1, gain=0.5)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.bias.fill_(3.0)
    assert layer(torch.tensor([[[1.0, 1.0]]])).item() == 4.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "rellu"}, "Did you mean 'relu'"),
        ({"init": "xavier"}, "unknown init 'xavier'"),
        ({"dropout": 1.5}, "dropout = 1.5"),
        ({"hidden": (0,)}, "at least 1"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        Population(2, **{"n_inputs": 3, "n_outputs": 2, **options})


@pytest.mark.parametrize("shape", [(5, 4), (3, 5, 3), (3,), (2, 5, 4)])
def test_inputs_of_another_shape_are_refused(shape):
    with pytest.raises(UserError, match=r"expected \(B, 3\) or \(2, B, 3\)"):
        Population(2, n_inputs=3, n_outputs=2)(torch.zeros(shape))


def test_half_precision_trains_with_dropout():
    population = Population(2, n_inputs=3, hidden=(4,), n_outputs=2, dropout=0.2).bfloat16()
    assert population(torch.zeros(5, 3, dtype=torch.bfloat16)).dtype == torch.bfloat16
