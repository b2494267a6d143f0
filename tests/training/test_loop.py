"""The loop trains each member on its rows alone and keeps its best epoch."""

from typing import get_args

import numpy as np
import pytest
import torch

from assay.encode import Arrays, TableEncoder
from assay.encode.features import NumericFeature
from assay.errors import UserError
from assay.nn.network import Network
from assay.options import ModelRecipe, OptimizerName, TrainRecipe
from assay.training import loop
from assay.training.history import History, Silent
from assay.training.loop import Run, train_population
from assay.training.plan import Deadline, Pacer, Plan
from assay.training.predictions import member_log_probabilities, out_of_fold, score_members
from assay.training.rows import EncodedRows, Lesson, RowSet
from assay.training.selection import TEMPERATURES

CPU = torch.device("cpu")
ENCODER = TableEncoder(
    numeric=tuple(
        NumericFeature(f"x{idx}", "value", "none", 1.0, False, 0, "median", 0.0, False)
        for idx in range(3)
    ),
    categorical=(),
    text=(),
)
SMALL = ModelRecipe(hidden=(8,), dropout=0.1)
TRAIN = TrainRecipe(epochs=6, batch_size=16, learning_rate=0.02)


def make_rows(rng, n_rows: int = 120) -> tuple[Arrays, np.ndarray]:
    x = rng.normal(size=(n_rows, 3)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(np.int64)
    return Arrays(x, np.zeros((n_rows, 0), np.int32), np.zeros((n_rows, 0), np.float32)), y


def fold_masks(n_rows: int, n_members: int) -> np.ndarray:
    return np.stack([np.arange(n_rows) % n_members != idx for idx in range(n_members)])


def train(
    arrays: Arrays,
    y: np.ndarray,
    masks: np.ndarray,
    recipe: TrainRecipe = TRAIN,
    *,
    model: ModelRecipe = SMALL,
    weight: np.ndarray | None = None,
    cache_bytes: int = 1 << 30,
    pacer: Pacer | None = None,
    spoilt: int | None = None,
) -> tuple[Network, Lesson, History]:
    network = Network(ENCODER, model, n_members=len(masks), n_classes=2, seed=0)
    network.fit(arrays, masks)
    if spoilt is not None:
        with torch.no_grad():
            network.body.linears()[0].weight[spoilt] = float("nan")
    rows = EncodedRows(network, arrays, CPU, cache_bytes=cache_bytes)
    lesson = Lesson(
        rows,
        torch.from_numpy(y),
        RowSet.of(masks),
        RowSet.of(~masks),
        (0,) * len(masks),
        weight=None if weight is None else torch.from_numpy(weight),
    )
    history = train_population(network, lesson, recipe, seed=0, observer=Silent(), pacer=pacer)
    return network, lesson, history


def weights(network: Network, member_idx: int) -> torch.Tensor:
    return torch.cat([p[member_idx].detach().flatten() for p in network.parameters()])


def test_training_learns_and_validation_loss_falls(rng):
    arrays, y = make_rows(rng, 400)
    _, _, history = train(arrays, y, fold_masks(400, 4), TRAIN.model_copy(update={"epochs": 30}))
    losses = np.stack(history.validation_log_loss)
    assert losses.min(axis=0).max() < 0.5 * np.log(2)


def test_same_seed_gives_the_same_bytes(rng):
    arrays, y = make_rows(rng)
    runs = [train(arrays, y, fold_masks(120, 3))[0] for _ in range(2)]
    assert torch.equal(weights(runs[0], 1), weights(runs[1], 1))


@pytest.mark.parametrize(("n_rows", "scale_rate"), [(3_000, 6.0), (3_001, 40.0)])
def test_the_rows_decide_how_fast_the_input_scale_learns(rng, n_rows, scale_rate):
    arrays, y = make_rows(rng, n_rows)
    masks, model = fold_masks(n_rows, 2), ModelRecipe(hidden=(4,))
    recipe = TRAIN.model_copy(update={"epochs": 1, "batch_size": 512})
    chosen, told = (
        train(arrays, y, masks, recipe.model_copy(update={"scale_rate": rate}), model=model)[0]
        for rate in ("auto", scale_rate)
    )
    other = recipe.model_copy(update={"scale_rate": 46.0 - scale_rate})
    differs, _, _ = train(arrays, y, masks, other, model=model)
    assert torch.equal(weights(chosen, 0), weights(told, 0))
    assert not torch.equal(weights(chosen, 0), weights(differs, 0))


def test_a_member_is_untouched_by_changes_of_its_validation_rows(rng):
    arrays, y = make_rows(rng)
    masks = fold_masks(120, 3)
    recipe = TRAIN.model_copy(update={"keep": "last"})
    before, _, _ = train(arrays, y, masks, recipe)
    changed = Arrays(arrays.numeric.copy(), arrays.codes, arrays.text)
    changed.numeric[~masks[0]] = 1e6
    flipped = np.where(masks[0], y, 1 - y)
    after, _, _ = train(changed, flipped, masks, recipe)
    assert torch.equal(weights(before, 0), weights(after, 0))
    assert not torch.equal(weights(before, 1), weights(after, 1))


def test_a_member_is_the_same_alone_and_in_a_population(rng):
    arrays, y = make_rows(rng)
    masks = fold_masks(120, 3)
    model = ModelRecipe(hidden=(8,), dropout=0.0)
    together, _, _ = train(arrays, y, masks, model=model)
    alone, _, _ = train(arrays, y, masks[:1], model=model)
    torch.testing.assert_close(weights(together, 0), weights(alone, 0), rtol=0, atol=1e-5)


def test_kept_inputs_and_inputs_encoded_by_batch_agree(rng):
    arrays, y = make_rows(rng)
    kept, _, _ = train(arrays, y, fold_masks(120, 3))
    fresh, _, _ = train(arrays, y, fold_masks(120, 3), cache_bytes=0)
    torch.testing.assert_close(weights(kept, 2), weights(fresh, 2), rtol=0, atol=1e-6)


def test_members_with_fewer_rows_begin_anew(rng):
    arrays, y = make_rows(rng, 100)
    uneven = np.ones((2, 100), dtype=bool)
    uneven[1, 50:] = False
    model = ModelRecipe(hidden=(8,), dropout=0.0)
    # Full batches: the order of rows does not matter, only how often each is met.
    recipe = TRAIN.model_copy(update={"batch_size": 100, "keep": "last", "optimizer": "sgd"})
    together, _, history = train(arrays, y, uneven, recipe, model=model)
    alone, _, _ = train(arrays, y, uneven[:1], recipe, model=model)
    torch.testing.assert_close(weights(together, 0), weights(alone, 0), rtol=0, atol=1e-5)
    first_half = Arrays(*(part[:50] for part in (arrays.numeric, arrays.codes, arrays.text)))
    halved, _, halved_history = train(
        first_half, y[:50], np.ones((2, 50), dtype=bool), recipe, model=model
    )
    torch.testing.assert_close(weights(together, 1), weights(halved, 1), rtol=0, atol=1e-5)
    np.testing.assert_allclose(
        np.stack(history.train_loss)[:, 1], np.stack(halved_history.train_loss)[:, 1], atol=1e-5
    )


def test_sample_weights_count_rows(rng):
    arrays, y = make_rows(rng, 40)
    doubled = Arrays(
        *(np.concatenate([part, part[:20]]) for part in (arrays.numeric, arrays.codes, arrays.text))
    )
    model = ModelRecipe(hidden=(4,), dropout=0.0)
    # One full batch an epoch: the order of rows does not matter.
    recipe = TRAIN.model_copy(update={"batch_size": 1000, "keep": "last", "optimizer": "sgd"})
    everyone = np.ones((1, 40), dtype=bool)
    weight = np.array([2.0] * 20 + [1.0] * 20, dtype=np.float32)
    weighted, _, _ = train(arrays, y, everyone, recipe, model=model, weight=weight)
    repeated, _, _ = train(
        doubled, np.concatenate([y, y[:20]]), np.ones((1, 60), dtype=bool), recipe, model=model
    )
    torch.testing.assert_close(weights(weighted, 0), weights(repeated, 0), rtol=0, atol=1e-5)


def test_each_member_keeps_the_epoch_that_is_best_for_the_others(rng):
    arrays, y = make_rows(rng)
    masks = fold_masks(120, 3)
    recipe = TRAIN.model_copy(update={"epochs": 25, "learning_rate": 0.2, "patience": 25})
    network, lesson, history = train(arrays, y, masks, recipe)
    losses = np.stack(history.validation_log_loss)  # (epochs, K)
    others = (losses.sum(axis=1, keepdims=True) - losses) / 2
    np.testing.assert_array_equal(history.best_epoch, others.argmin(axis=0) + 1)
    scores = score_members(network, lesson.rows, y, lesson.validation)
    kept = losses[history.best_epoch - 1, np.arange(3)]
    np.testing.assert_allclose(scores.log_loss, kept, atol=1e-5)


def test_by_default_each_member_keeps_the_epoch_nearest_to_the_end_of_a_cycle(rng, monkeypatch):
    curve = {8: 0.1, 9: 0.2, 10: 0.1}  # the third of the cycles ends after 9.33 epochs

    def losses(run):
        return np.full((len(TEMPERATURES), 3), curve.get(run.epoch + 1, 0.5))

    monkeypatch.setattr(Run, "validation_losses", losses)
    arrays, y = make_rows(rng)
    recipe = TRAIN.model_copy(update={"epochs": 20, "patience": 0})
    _, _, history = train(arrays, y, fold_masks(120, 3), recipe)
    assert len(history.train_loss) == 20
    assert history.best_epoch.tolist() == [9, 9, 9]


def test_patience_ends_the_training_early(rng):
    arrays, y = make_rows(rng)
    noise = rng.permutation(y)
    recipe = TRAIN.model_copy(update={"epochs": 200, "learning_rate": 0.2, "patience": 5})
    _, _, history = train(arrays, noise, fold_masks(120, 3), recipe)
    assert len(history.train_loss) == history.best_epoch.max() + 5


def test_out_of_fold_uses_only_members_that_left_the_row_out(rng):
    arrays, y = make_rows(rng)
    masks = fold_masks(120, 3)
    network, lesson, _ = train(arrays, y, masks)
    every = member_log_probabilities(network, lesson.rows)
    (found,) = out_of_fold(network, lesson.rows, lesson.validation, (0, 0, 0))
    expected = np.stack([every[row % 3, row] for row in range(120)])
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_each_repeat_judges_for_itself(rng):
    arrays, y = make_rows(rng)
    masks = np.concatenate([fold_masks(120, 3), fold_masks(120, 2)[:1]])
    network, lesson, _ = train(arrays, y, masks)
    first, second = out_of_fold(network, lesson.rows, lesson.validation, (0, 0, 0, 1))
    every = member_log_probabilities(network, lesson.rows)
    np.testing.assert_allclose(first[4], every[1, 4], atol=1e-6)
    np.testing.assert_allclose(second[4], every[3, 4], atol=1e-6)
    assert np.array_equal(np.isnan(second[:, 0]), np.arange(120) % 2 == 1)


def test_rows_that_everyone_learnt_from_have_no_out_of_fold_prediction(rng):
    arrays, y = make_rows(rng)
    network, lesson, _ = train(arrays, y, np.ones((2, 120), dtype=bool))
    found = out_of_fold(network, lesson.rows, lesson.validation, (0, 1))
    assert np.isnan(found).all()


def test_divergence_is_an_error_that_names_the_rate(rng):
    arrays, y = make_rows(rng)
    wild = TrainRecipe(epochs=20, learning_rate=1e30, optimizer="sgd", schedule="constant")
    with pytest.raises(UserError, match="diverged"):
        train(arrays, y, fold_masks(120, 2), wild)


def test_an_absent_device_is_named_with_those_present():
    from assay.training.device import choose_device

    with pytest.raises(UserError, match=r"'cuda:7'.*Present: cpu"):
        choose_device("cuda:7")


@pytest.mark.parametrize("model", [SMALL, ModelRecipe(hidden=(8,), dropout=0.0, activation="tanh")])
@pytest.mark.parametrize("optimizer", get_args(OptimizerName))
def test_a_member_that_diverges_leaves_the_others_untouched(rng, optimizer, model):
    arrays, y = make_rows(rng)
    masks = fold_masks(120, 3)
    recipe = TRAIN.model_copy(update={"keep": "last", "optimizer": optimizer})
    sound, _, _ = train(arrays, y, masks, recipe, model=model)
    spoilt, _, history = train(arrays, y, masks, recipe, model=model, spoilt=1)
    assert history.is_sound.tolist() == [True, False, True]
    assert history.diverged_in(1) == 1
    assert torch.equal(weights(sound, 0), weights(spoilt, 0))
    assert torch.equal(weights(sound, 2), weights(spoilt, 2))


def test_a_member_that_diverges_keeps_no_epoch_and_has_no_say(rng):
    arrays, y = make_rows(rng)
    _, _, history = train(arrays, y, fold_masks(120, 3), spoilt=1)
    assert history.is_sound.tolist() == [True, False, True]
    assert history.best_epoch[1] == 0
    losses = np.stack(history.validation_log_loss)
    assert np.isnan(losses[:, 1]).all()
    # Members 0 and 2 choose by each other alone.
    np.testing.assert_array_equal(history.best_epoch[[0, 2]], losses[:, [2, 0]].argmin(axis=0) + 1)
    assert history.of_members(np.array([0, 2])).best_epoch.tolist() == (
        history.best_epoch[[0, 2]].tolist()
    )


def test_a_member_that_diverges_after_a_good_epoch_keeps_that_epoch(rng):
    arrays, y = make_rows(rng)

    class SpoilLater(Silent):
        def on_epoch(self, epoch: int, n_epochs: int, **told: object) -> None:
            if epoch == 2:
                with torch.no_grad():
                    network.body.linears()[0].weight[0] = float("inf")

    network, lesson, _ = train(
        arrays, y, fold_masks(120, 3), TRAIN.model_copy(update={"epochs": 1})
    )
    history = train_population(network, lesson, TRAIN, seed=0, observer=SpoilLater())
    assert history.is_sound.all()
    assert 1 <= history.best_epoch[0] <= 2
    assert history.diverged_in(0) == 3
    assert [history.spoilt_in(idx) for idx in range(3)] == [3, None, None]
    assert bool(weights(network, 0).isfinite().all())


class Ticking:
    """A clock that goes on by a hundredth of a second whenever it is asked."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 0.01
        return self.now_s


@pytest.mark.parametrize("end_s", [0.02, 0.5, 3.0])
def test_a_deadline_ends_the_training_with_a_validated_epoch(rng, end_s):
    arrays, y = make_rows(rng)
    recipe = TRAIN.model_copy(update={"epochs": 500, "patience": 0})
    clock = Ticking()
    pacer = Pacer(Plan.of(recipe, 80), Deadline(0.0, end_s, clock), is_pressed=True)
    network, lesson, history = train(arrays, y, fold_masks(120, 3), recipe, pacer=pacer)
    assert history.is_cut
    assert clock.now_s <= end_s + 0.2
    assert 0 < history.n_passes < 500
    assert len(history.validation_log_loss) == len(history.train_loss) > 0
    assert (history.best_epoch > 0).all()
    assert np.isfinite(score_members(network, lesson.rows, y, lesson.validation).log_loss).all()


def test_the_last_epoch_is_compared_wherever_the_deadline_falls(rng, monkeypatch):
    def falling(run):
        return np.full((len(TEMPERATURES), 3), 1.0 / (run.epoch + 1))

    monkeypatch.setattr(Run, "validation_losses", falling)
    arrays, y = make_rows(rng)
    recipe = TRAIN.model_copy(update={"epochs": 500, "patience": 0})
    plan = Plan.of(recipe, 80)
    for end_s in np.arange(0.5, 0.7, 0.01):
        pacer = Pacer(plan, Deadline(0.0, end_s, Ticking()), is_pressed=True)
        _, _, history = train(arrays, y, fold_masks(120, 3), recipe, pacer=pacer)
        assert history.best_epoch.tolist() == [len(history.train_loss)] * 3


def test_a_deadline_far_away_changes_nothing(rng):
    arrays, y = make_rows(rng)
    masks = fold_masks(120, 3)
    plain, _, history = train(arrays, y, masks)
    assert not history.is_cut
    assert history.n_passes == 6
    pacer = Pacer(Plan.of(TRAIN, 80), Deadline(0.0, 1e6, Ticking()))
    within, _, _ = train(arrays, y, masks, pacer=pacer)
    assert torch.equal(weights(plain, 1), weights(within, 1))


def test_a_loss_that_was_never_a_number_tells_of_no_divergence():
    """A member that validates on no row has no validation loss, from the first epoch on."""
    nan = float("nan")
    history = History(
        train_loss=[np.array([0.5, 0.5, 0.5]), np.array([0.4, 0.4, nan])],
        validation_log_loss=[np.array([0.6, nan, 0.6]), np.array([nan, nan, 0.5])],
        best_epoch=np.array([1, 1, 1]),
        is_sound=np.ones(3, dtype=bool),
    )
    assert [history.spoilt_in(idx) for idx in range(3)] == [2, None, 2]
    history.best_epoch[:] = 2
    assert history.spoilt_in(1) is None


@pytest.mark.parametrize("has_deadline", [False, True])
def test_before_a_deadline_what_was_asked_of_a_gpu_is_waited_for(rng, monkeypatch, has_deadline):
    waited = []
    monkeypatch.setattr(loop, "wait_for", waited.append)
    arrays, y = make_rows(rng)
    plan = Plan.of(TRAIN.model_copy(update={"epochs": 3, "batch_size": 4}), 80)
    pacer = Pacer(plan, Deadline(0.0, 1e6, Ticking()) if has_deadline else None)
    train(arrays, y, fold_masks(120, 3), pacer=pacer)
    assert plan.n_steps == 20  # after the first, 16 pass until the next wait
    assert waited == [CPU] * (3 * 2 if has_deadline else 0)
