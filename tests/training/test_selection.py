"""Which epoch a member keeps, and when training ends."""

import numpy as np
import pytest

from assay.options import TrainRecipe
from assay.training.selection import TEMPERATURES, Selection, losses_of_others

N = len(TEMPERATURES)


def of_members(*losses: float) -> np.ndarray:
    """The same losses at every temperature."""
    return np.tile(np.array(losses, dtype=np.float64), (N, 1))


def take(selection: Selection, epoch: int, n_epochs: int, *losses: float) -> None:
    """Let a selection judge an epoch of `n_epochs`, and keep what it would."""
    progress = min((epoch + 0.5) / n_epochs, 1.0 - 1e-9)
    selection.keep(selection.judge(of_members(*losses), progress=progress), epoch)


def selecting(recipe: TrainRecipe, repeat: tuple[int, ...], n_train: int = 10_000) -> Selection:
    return Selection(recipe, repeat, n_train=n_train)


def follow(recipe: TrainRecipe, curve: list[float], **rows: int) -> tuple[int, int]:
    """Return after how many epochs of `curve` a training of two members ends, and the kept one."""
    selection = selecting(recipe, (0, 0), **rows)
    for epoch, loss in enumerate(curve, start=1):
        take(selection, epoch, len(curve), loss, loss)
        if epoch == len(curve) or selection.is_over(epoch):
            selection.keep(selection.improved(), epoch)
            return epoch, selection.best_epoch[0]
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
    selection = selecting(TrainRecipe(), (0, 0, 0))
    take(selection, 1, 60, 9.0, 1.0, 1.0)
    assert selection.judge(of_members(1.0, 1.5, 1.5), progress=0.04).tolist() == [
        False,
        True,
        True,
    ]


def test_over_confidence_does_not_count_against_an_epoch():
    selection = selecting(TrainRecipe(), (0, 0))
    take(selection, 1, 60, 0.5, 0.5)
    sure = of_members(0.8, 0.8)  # worse as it is, better once it is cooled
    sure[3] = 0.4
    assert selection.judge(sure, progress=0.04).all()


def test_a_member_that_is_not_kept_keeps_its_epoch():
    selection = selecting(TrainRecipe(), (0, 0))
    take(selection, 1, 60, 1.0, 1.0)
    selection.judge(of_members(0.5, 0.5), progress=0.04)
    selection.keep(np.array([True, False]), 2)
    assert selection.best_epoch.tolist() == [2, 1]


def falling_at(ends: dict[int, float]) -> list[float]:
    """60 epochs of a loss of 0.9 but for some; cycles end after 4, 12, 28 and 60."""
    return [ends.get(epoch, 0.9) for epoch in range(1, 61)]


@pytest.mark.parametrize(
    ("ends", "n_epochs", "kept"),
    [
        ({4: 0.5, 12: 0.4, 28: 0.4}, 28, 12),  # the third brought nothing
        ({4: 0.5, 12: 0.4, 28: 0.399, 60: 0.4}, 60, 28),
        ({4: 0.5, 12: 0.4, 28: 0.35, 60: 0.3}, 60, 60),
        ({4: 0.0, 12: 0.0}, 12, 4),  # there is nothing to gain
        ({4: 0.5, 12: 0.6}, 12, 4),
        ({4: np.nan, 12: np.nan}, 12, 0),
    ],
)
def test_a_cycle_that_brings_nothing_is_the_last(ends, n_epochs, kept):
    curve = falling_at(ends) if kept else [np.nan] * 60
    assert follow(TrainRecipe(), curve) == (n_epochs, kept)


@pytest.mark.parametrize("patience", ["auto", 0])
def test_only_ends_of_cycles_are_kept(patience):
    ends = {2: 0.01, 4: 0.5, 9: 0.1, 12: 0.4, 20: 0.1, 28: 0.3, 45: 0.1, 60: 0.2}
    assert follow(TrainRecipe(patience=patience), falling_at(ends)) == (60, 60)


@pytest.mark.parametrize(
    ("n_epochs", "ends"), [(12, [1, 2, 6]), (20, [1, 4, 9]), (64, [4, 13, 30])]
)
def test_a_cycle_ends_with_the_nearest_epoch(n_epochs, ends):
    selection, found = selecting(TrainRecipe(), (0, 0)), []
    for epoch in range(1, n_epochs + 1):
        loss = 1.0 - epoch / 1000
        progress = min((epoch + 0.5) / n_epochs, 1.0 - 1e-9)
        is_kept = selection.judge(of_members(loss, loss), progress=progress).all()
        if is_kept and epoch >= ends[0]:
            found.append(epoch)
        selection.keep(np.full(2, is_kept), epoch)
    assert found == ends
    assert selection.improved().all()


def test_where_patience_is_a_number_of_epochs_any_may_be_kept():
    assert follow(TrainRecipe(patience=7), falling_at({6: 0.1})) == (13, 6)


def test_before_the_first_cycle_is_over_any_epoch_is_the_best_so_far():
    selection = selecting(TrainRecipe(), (0, 0))
    take(selection, 1, 60, 0.5, 0.5)
    assert selection.best_epoch.tolist() == [1, 1]


def test_an_epoch_that_time_makes_the_last_may_be_kept():
    selection = selecting(TrainRecipe(), (0, 0))
    for epoch, loss in ((1, 0.6), (4, 0.5)):
        take(selection, epoch, 60, loss, loss)
    assert not selection.judge(of_members(0.3, 0.3), progress=0.15).any()
    selection.keep(selection.improved(), 8)
    assert selection.best_epoch.tolist() == [8, 8]
    assert not selection.improved().any()


def test_a_member_that_is_lost_where_the_first_cycle_ends_keeps_an_earlier_epoch():
    selection = selecting(TrainRecipe(), (0, 0, 0))
    take(selection, 3, 60, 0.5, 0.5, 0.5)
    take(selection, 4, 60, 0.6, 0.6, np.nan)
    assert selection.best_epoch.tolist() == [4, 4, 3]


def test_a_cycle_ends_once_though_a_training_turns_out_to_be_less_far():
    selection = selecting(TrainRecipe(), (0, 0))
    for progress, loss in ((0.1, 0.5), (0.25, 0.4), (0.1, 0.3), (0.3, 0.3)):
        improved = selection.judge(of_members(loss, loss), progress=progress)
    assert not improved.any()
    assert not selection.is_over(4)


def test_a_selection_goes_on_where_it_was_stored():
    whole = resumed = selecting(TrainRecipe(), (0, 0))
    for epoch, loss in enumerate(falling_at({4: 0.5, 12: 0.4, 28: 0.4})[:28], start=1):
        take(resumed, epoch, 60, loss, loss)
        resumed = selecting(TrainRecipe(), (0, 0))
        resumed.restore({name: array.copy() for name, array in whole.arrays().items()})
        assert resumed.is_over(epoch) == whole.is_over(epoch) == (epoch == 28)
        assert resumed.improved().tolist() == whole.improved().tolist()
        whole = resumed
    assert resumed.best_epoch.tolist() == [12, 12]


@pytest.mark.parametrize(("patience", "n_epochs"), [("auto", 21), (5, 6), (0, 60)])
def test_other_schedules_wait_for_epochs(patience, n_epochs):
    recipe = TrainRecipe(schedule="cosine", patience=patience)
    assert follow(recipe, [0.1] + [0.9] * 59) == (n_epochs, 1)


@pytest.mark.parametrize(("n_train", "n_epochs"), [(800, 30), (801, 64)])
def test_with_few_rows_a_cycle_has_to_bring_more_than_next_to_nothing(n_train, n_epochs):
    curve = [0.999**epoch for epoch in range(64)]  # the cycle that ends is the best, and kept
    assert follow(TrainRecipe(), curve, n_train=n_train) == (n_epochs, n_epochs)


def test_a_slow_start_is_no_end():
    curve = [0.999**epoch for epoch in range(12)]
    assert follow(TrainRecipe(), curve, n_train=100) == (12, 12)


def test_with_few_rows_a_cycle_that_brings_enough_is_followed_by_another():
    curve = [0.99**epoch for epoch in range(64)]
    assert follow(TrainRecipe(), curve, n_train=100) == (64, 64)
