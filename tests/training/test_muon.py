"""Muon moves a matrix in all directions alike, every fourth step; the rest is AdamW."""

import math

import pytest
import torch

from assay.training import muon
from assay.training.fused import FusedAdam
from assay.training.muon import Muon, orthogonalised

BETAS = (0.9, 0.95)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def make_groups(shape: tuple[int, ...] = (3, 10, 6)) -> list[dict]:
    weights, bias = torch.nn.Parameter(drawn(*shape)), torch.nn.Parameter(drawn(3, 6, seed=1))
    return [{"params": [bias]}, {"params": [weights], "is_orthogonal": True}]


def take_steps(optimizer: Muon, groups: list[dict], n_steps: int, first: int = 0) -> None:
    for step in range(first, first + n_steps):
        for number, group in enumerate(groups):
            for parameter in group["params"]:
                parameter.grad = drawn(*parameter.shape, seed=100 * step + number)
        optimizer.step()
        optimizer.turn()


@pytest.mark.parametrize("shape", [(2, 40, 7), (2, 7, 40), (2, 9, 9)])
def test_singular_values_come_near_one_and_singular_vectors_stay(shape):
    x = drawn(*shape)
    left, values, right = torch.linalg.svd(x, full_matrices=False)
    found = left.mT @ orthogonalised(x) @ right.mT
    straight = torch.diagonal(found, dim1=1, dim2=2)
    assert (found - torch.diag_embed(straight)).abs().max() < 1e-4
    assert values.max() > 3.0
    assert straight[values > 0.1 * values.max()].min() > 0.6
    assert straight.max() < 1.3


def test_it_is_the_iteration_of_torch():
    from torch.optim._muon import _zeropower_via_newtonschulz

    x = drawn(2, 30, 8)
    coefficients = (3.4445, -4.7750, 2.0315)
    theirs = [
        _zeropower_via_newtonschulz(one, coefficients, ns_steps=3, eps=1e-7).float() for one in x
    ]
    torch.testing.assert_close(orthogonalised(x), torch.stack(theirs), rtol=0, atol=0.03)


def test_every_fourth_step_moves_by_four_rates():
    groups = make_groups()
    weights = groups[1]["params"][0]
    optimizer = Muon(groups, lr=0.1, betas=BETAS)
    optimizer.param_groups[1]["weight_decay"] = 0.5
    before, momentum = weights.detach().clone(), torch.zeros_like(weights)
    take_steps(optimizer, groups, 3)
    assert torch.equal(weights, before)
    take_steps(optimizer, groups, 1, first=3)
    for step in range(4):
        momentum.lerp_(drawn(3, 10, 6, seed=100 * step + 1), 0.05)
    move = 4 * 0.1 * 0.2 * math.sqrt(10) * orthogonalised(momentum)
    torch.testing.assert_close(weights.detach(), before * (1 - 4 * 0.1 * 0.5) - move)


def test_all_other_parameters_move_by_adamw():
    groups, twins = make_groups(), make_groups()
    optimizer = Muon(groups, lr=0.1, betas=BETAS)
    adam = FusedAdam(twins[:1], lr=0.1, betas=BETAS, is_apart=True)
    take_steps(optimizer, groups, 5)
    for step in range(5):
        twins[0]["params"][0].grad = drawn(3, 6, seed=100 * step)
        adam.step()
    assert torch.equal(groups[0]["params"][0], twins[0]["params"][0])


def test_members_are_moved_in_parts_as_they_are_together(monkeypatch):
    together, apart = make_groups(), make_groups()
    take_steps(Muon(together, lr=0.1, betas=BETAS), together, 4)
    monkeypatch.setattr(muon, "_MOST_NUMBERS", 70)
    take_steps(Muon(apart, lr=0.1, betas=BETAS), apart, 4)
    torch.testing.assert_close(together[1]["params"][0], apart[1]["params"][0])


def test_where_there_is_no_gradient_nothing_moves():
    groups = make_groups()
    weights = groups[1]["params"][0]
    before = weights.detach().clone()
    optimizer = Muon(groups, lr=0.1, betas=BETAS)
    for _ in range(4):
        for group in groups:
            group["params"][0].grad = torch.zeros_like(group["params"][0])
        optimizer.step()
        optimizer.turn()
    assert torch.equal(weights, before)


def test_a_member_that_is_no_number_leaves_the_others_alone():
    sound, spoilt = make_groups(), make_groups()
    for groups in (sound, spoilt):
        optimizer = Muon(groups, lr=0.1, betas=BETAS)
        take_steps(optimizer, groups, 2)
        if groups is spoilt:
            optimizer.tensors()["0.0.momentum"][1, 0, 0] = math.nan
        take_steps(optimizer, groups, 2, first=2)
    one, other = sound[1]["params"][0].detach(), spoilt[1]["params"][0].detach()
    assert torch.isnan(other[1]).all()
    assert torch.equal(one[[0, 2]], other[[0, 2]])
