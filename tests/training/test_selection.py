"""Which epoch a member keeps, and when training ends."""

import numpy as np
import pytest

from assay.options import TrainRecipe
from assay.training.selection import TEMPERATURES, Selection, losses_of_others

N = len(TEMPERATURES)


def of_members(*losses: float) -> np.ndarray:
    """The same losses at every temperature."""
    return np.tile(np.array(losses, dtype=np.float64), (N, 1))


def follow(recipe: TrainRecipe, curve: list[float]) -> int:
    """Return after how many epochs of `curve` a training of two members ends."""
    selection = Selection(recipe, (0, 0))
    for epoch, loss in enumerate(curve, start=1):
        progress = (epoch - 1) / len(curve)
        selection.keep(selection.judge(of_members(loss, loss), progress=progress))
        if epoch == len(curve) or selection.is_over(epoch / len(curve)):
            return epoch
    raise AssertionError("the curve is empty")


def test_the_first_temperature_is_none_at_all():
    assert TEMPERATURES[0] == 1.0


def test_members_go_by_others_of_their_repeat_alone():
    losses = np.array([1.0, 3.0, 100.0, 200.0])
    assert losses_of_others(losses, (0, 0, 1, 1)).tolist() == [3.0, 1.0, 200.0, 100.0]


def test_a_member_whose_own_loss_is_lost_leaves_the_others_alone():
    found = losses_of_others(np.array([np.nan, 2.0, 4.0]), (0, 0, 0))
    assert found.tolist() == [3.0, 4.0, 2.0]


def test_when_all_others_are_lost_no_epoch_counts():
    found = losses_of_others(np.array([1.0, np.nan, np.inf]), (0, 0, 0))
    assert found[0] == np.inf


def test_own_rows_have_no_part_in_the_choice():
    selection = Selection(TrainRecipe(), (0, 0, 0))
    selection.keep(selection.judge(of_members(9.0, 1.0, 1.0), progress=0.0))
    improved = selection.judge(of_members(1.0, 1.5, 1.5), progress=0.1)
    assert improved.tolist() == [False, True, True]


def test_over_confidence_does_not_count_against_an_epoch():
    selection = Selection(TrainRecipe(), (0, 0))
    selection.keep(selection.judge(of_members(0.5, 0.5), progress=0.0))
    sure = of_members(0.8, 0.8)  # worse as it is, better once it is cooled
    sure[3] = 0.4
    improved = selection.judge(sure, progress=0.1)
    assert improved.all()


def test_a_member_that_is_not_kept_keeps_its_epoch():
    selection = Selection(TrainRecipe(), (0, 0))
    selection.keep(selection.judge(of_members(1.0, 1.0), progress=0.0))
    selection.judge(of_members(0.5, 0.5), progress=0.1)
    selection.keep(np.array([True, False]))
    assert selection.best_epoch.tolist() == [2, 1]


def test_a_cycle_that_brings_nothing_is_the_last():
    # Cycles of 60 epochs end after 4, 12, 28 and 60.
    curve = [1.0] * 3 + [0.5] + [0.9] * 7 + [0.4] + [0.9] * 48
    assert follow(TrainRecipe(), curve) == 28


def test_a_cycle_is_not_cut_before_its_end():
    curve = [0.5] * 4 + [0.9] * 7 + [0.4] + [0.9] * 15 + [0.3] + [0.9] * 32
    assert follow(TrainRecipe(), curve) == 60


@pytest.mark.parametrize(("patience", "n_epochs"), [("auto", 21), (5, 6), (0, 60)])
def test_other_schedules_wait_for_epochs(patience, n_epochs):
    recipe = TrainRecipe(schedule="cosine", patience=patience)
    assert follow(recipe, [0.1] + [0.9] * 59) == n_epochs
