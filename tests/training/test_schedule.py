"""Schedules start, end and turn where they are published to."""

import pytest
import torch

from assay.training.schedule import flat_cosine, rate_factor


def test_cosine_agrees_with_torch():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    for step in range(10):
        assert rate_factor("cosine", step / 10) == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()


def test_one_cycle_agrees_with_torch_at_its_corners():
    assert rate_factor("one_cycle", 0.0) == pytest.approx(1 / 25)
    assert rate_factor("one_cycle", 0.3) == pytest.approx(1.0)
    assert rate_factor("one_cycle", 1.0) == pytest.approx(1 / 25 / 1e4)


def test_coslog4_is_zero_at_the_start_of_each_of_its_four_cycles():
    for edge in (0.0, 1 / 15, 3 / 15, 7 / 15):
        assert rate_factor("coslog4", edge) == pytest.approx(0.0, abs=1e-12)
    assert rate_factor("coslog4", (2**0.5 - 1) / 15) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "factors"),
    [
        ("constant", (1.0, 1.0, 1.0)),
        ("linear", (1.0, 0.5, 0.1)),
        ("step", (1.0, 0.1, 0.01)),
        ("exponential", (1.0, 0.1, 0.01**0.9)),
        ("flat_cosine", (1.0, 1.0, flat_cosine(0.9))),
    ],
)
def test_factors_by_hand(name, factors):
    assert [rate_factor(name, t) for t in (0.0, 0.5, 0.9)] == pytest.approx(factors)
