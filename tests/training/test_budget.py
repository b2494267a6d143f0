"""A budget of time is divided before the training."""

import pytest

from assay.errors import UserError
from assay.training.budget import TimeBudget, allot
from assay.training.plan import Plan
from assay.training.rehearsal import Pace

PLAN = Plan(n_epochs=50, n_steps=100, batch_size=64)
PACE = Pace(
    start_s=0.0, step_s=0.01, row_s=1e-5, validated_s=1e-4
)  # an epoch of 1 s, and its validation


def divide(left_s: float, *, plan: Plan = PLAN, n_validated: int = 1_000):
    return allot(
        left_s,
        PACE,
        plan,
        n_members=5,
        n_validated=n_validated,
        judging_s=lambda n_rows: 1.0 + 0.001 * n_rows,
    )


def test_ample_time_fits_the_whole_plan_and_all_rows():
    found = divide(200.0)
    assert found.n_validated == 1_000
    assert found.reserve_s == pytest.approx(2.5)  # 2 s of judging, 0.5 s of validation
    assert found.n_epochs == pytest.approx(197.5 / 1.5)


def test_parts_add_up_to_the_time_that_is_left():
    for left_s in (5.0, 20.0, 300.0):
        found = divide(left_s)
        assert found.training_s + found.reserve_s == pytest.approx(left_s)


def test_scarce_time_judges_fewer_rows_before_it_gives_up():
    found = divide(20.0, n_validated=100_000)
    assert found.suffices
    assert found.reserve_s <= 0.4 * 20.0
    assert found.n_validated == 3_125


def test_a_share_of_an_epoch_is_enough():
    found = divide(4.0, plan=Plan(50, 10_000, 64))
    assert found.suffices
    assert found.n_epochs < 0.05


def test_the_least_that_would_do_really_does():
    refused = divide(0.9)
    assert not refused.suffices
    assert divide(refused.needed_s + 0.01).suffices


def test_too_small_a_budget_names_what_was_spent_and_what_would_do():
    now_s = 7.5
    budget = TimeBudget("10s", 0.0, lambda: now_s)
    assert budget.left_s == 2.5
    error = budget.too_small(4.5, "reading the table")
    assert isinstance(error, UserError)
    assert str(error) == (
        "train.time = '10s': the time is too short to train one network: reading the table "
        "took 7.5 s, and at least 4.5 s more are needed. Allow 15 s or more, or give fewer rows."
    )


def test_a_deadline_leaves_the_reserve():
    budget = TimeBudget("1m", 5.0, lambda: 25.0)
    deadline = budget.deadline(reserve_s=10.0)
    assert (deadline.start_s, deadline.end_s) == (25.0, 55.0)
