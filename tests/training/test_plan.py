"""How much is trained: by rows alone, or until a deadline of a clock."""

import pytest

from assay.options import TrainRecipe
from assay.training.plan import (
    SCALE_RATE,
    Deadline,
    Pacer,
    Plan,
    auto_batch_size,
    auto_epochs,
    settled,
)


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_automatic_batches_grow_and_epochs_shrink_with_rows():
    assert [auto_batch_size(n) for n in (500, 5_000, 20_000, 90_000, 10**6)] == [
        64, 128, 256, 512, 1024,
    ]  # fmt: skip
    assert auto_epochs(500) == 64


def test_the_cost_of_the_default_plan_grows_no_faster_than_rows():
    counts = [100, 1_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 10_000_000]
    cost_a_row = [auto_epochs(n) for n in counts]
    assert cost_a_row == sorted(cost_a_row, reverse=True)


def test_the_input_scale_learns_faster_where_rows_are_many_unless_told_how_fast():
    assert [settled(TrainRecipe(), n).scale_rate for n in (3_000, 3_001)] == ["auto", 40.0]
    told = TrainRecipe(scale_rate=SCALE_RATE, optimizer="adamw")
    assert settled(told, 1_000_000) is told


def test_inputs_are_read_by_orthogonal_steps_unless_rows_or_steps_are_few():
    assert [settled(TrainRecipe(), n).optimizer for n in (500, 501)] == ["auto", "muon"]
    assert [settled(TrainRecipe(), 501, n).optimizer for n in (40, 41)] == ["auto", "muon"]
    assert settled(TrainRecipe(optimizer="sgd"), 501).optimizer == "sgd"


def test_the_last_batch_may_be_left_out():
    recipe = TrainRecipe(epochs=3, batch_size=32)
    assert Plan.of(recipe, 100) == Plan(3, 4, 32)
    assert Plan.of(recipe.model_copy(update={"drop_last": True}), 100) == Plan(3, 3, 32)
    assert Plan.of(recipe, 10) == Plan(3, 1, 10)


def test_without_a_deadline_progress_follows_the_steps():
    pacer = Pacer(Plan(4, 10, 8))
    assert [pacer.progress(1, 0), pacer.progress(3, 0), pacer.progress(4, 5)] == [0.0, 0.5, 0.875]
    pacer.replan(2)
    assert pacer.n_epochs == 4
    assert not pacer.is_late()


def test_where_time_is_short_progress_follows_the_clock_to_its_end():
    clock = FakeClock()
    pacer = Pacer(Plan(100, 10, 8), Deadline(100.0, 110.0, clock), is_pressed=True)
    clock.now_s = 105.0
    assert pacer.progress(1, 0) == 0.5
    clock.now_s = 110.0
    assert 0.999 < pacer.progress(1, 5) < 1.0


def test_the_first_step_is_always_taken_and_none_after_the_deadline():
    clock = FakeClock()
    pacer = Pacer(Plan(100, 10, 8), Deadline(100.0, 110.0, clock))
    clock.now_s = 111.0
    assert not pacer.is_late()
    pacer.n_steps_done = 1
    assert pacer.is_late()


@pytest.mark.parametrize(("epoch_s", "n_epochs"), [(1.0, 10), (2.5, 4), (0.1, 20), (3.0, 4)])
def test_epochs_are_laid_out_anew_by_what_the_first_took(epoch_s, n_epochs):
    clock = FakeClock()
    pacer = Pacer(Plan(20, 10, 8), Deadline(100.0, 110.0, clock))
    clock.now_s += epoch_s
    pacer.replan(1)
    assert pacer.n_epochs == n_epochs
    is_pressed = n_epochs < 20
    assert (pacer.progress(1, 0) > 0.0) == is_pressed
