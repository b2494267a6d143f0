"""A training that is killed and resumed ends in the bytes of one that was not."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from assay.errors import UserError
from assay.ledger import Ledger
from assay.recipe import Recipe
from assay.samples import Samples, read_samples
from assay.state_file import State
from assay.training import step as steps
from assay.training.history import History, Silent
from assay.training.loop import train_population
from assay.training.plan import Deadline, Pacer, Plan
from assay.training.setup import Setup, set_up

KINDS: dict[str, dict[str, object]] = {
    "default": {},
    "large last batch": {"train.batch_size": 60},
    "autograd": {"model.activation": "selu"},
    "autograd without dropout": {"model.activation": "selu", "model.dropout": 0.0},
    "sigmoid": {"model.output": "sigmoid"},
    "sgd": {"train.optimizer": "sgd", "train.momentum": 0.9, "train.nesterov": True},
    "rmsprop": {"train.optimizer": "rmsprop", "train.momentum": 0.5},
    "adagrad": {"train.optimizer": "adagrad"},
    "adadelta": {"train.optimizer": "adadelta", "train.learning_rate": 1.0},
    "adam": {"train.optimizer": "adam"},
    "muon": {"train.optimizer": "muon"},
    "tutorial": {
        "model.activation": "tanh",
        "model.dropout": 0.0,
        "model.init": "default",
        "model.input_scale": False,
        "train.optimizer": "sgd",
        "train.schedule": "constant",
        "train.hold_then_fade": False,
    },
    "label smoothing": {"train.label_smoothing": 0.1},
    "repeats": {"split.repeats": 2},
    "keep last": {"train.keep": "last"},
    "weights": {"train.sample_weight": "weight", "train.class_weight": "balanced"},
    "ends of cycles": {"train.patience": "auto", "train.epochs": 20},
    "patience": {"train.patience": 1, "train.schedule": "constant"},
    "no folds": {"split.folds": 0, "split.members": 3, "train.drop_last": True},
}
BASE = {
    "target": "y",
    "split.folds": 3,
    "split.repeats": 1,
    "model.hidden": [8, 6],
    "encode.bins": 4,
    "train.epochs": 5,
    "train.batch_size": 16,
    "train.patience": 0,
}


@pytest.fixture(autouse=True)
def _small_pools(monkeypatch):
    """Pools of masks grow with the batch here, as they do under wide layers."""
    monkeypatch.setattr("assay.nn.population._POOL_SIZE", 1 << 10)


class KilledError(Exception):
    """Stands for the end of the process."""


@dataclass
class Disk:
    """A keeper that outlives the trainings that are killed.

    Attributes:
        due: At which questions, counted from 1, a checkpoint is written.
        dies: At which question the training is killed; 0 for never.
        states: What was written: documents as JSON, and copies of the arrays.
    """

    due: frozenset[int] = frozenset()
    dies: int = 0
    n_asked: int = 0
    states: dict[str, tuple[dict[str, np.ndarray], str]] = field(default_factory=dict)

    def is_due(self) -> bool:
        self.n_asked += 1
        if self.n_asked == self.dies and self.n_asked not in self.due:
            raise KilledError
        return self.n_asked in self.due

    def write(self, name: str, arrays: Any, document: Any, *, is_stopping: bool = False) -> None:
        kept = {key: array.copy() for key, array in arrays.items()}
        for array in kept.values():
            array.setflags(write=False)
        self.states[name] = kept, json.dumps(document, allow_nan=False)
        if self.dies and self.n_asked == self.dies:
            raise KilledError

    def read(self, name: str) -> State | None:
        if name not in self.states:
            return None
        arrays, document = self.states[name]
        return arrays, json.loads(document)

    def clock(self) -> float:
        """Seconds of this attempt; each question takes a 64th."""
        return self.n_asked / 64

    def next_attempt(self, due: set[int] | None = None, dies: int = 0) -> None:
        self.n_asked, self.due, self.dies = 0, frozenset(due or ()), dies


def make_frame(n_rows: int = 120, **columns: object) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n_rows)
    made = {
        "x": np.where(rng.random(n_rows) < 0.1, np.nan, x),
        "z": rng.normal(size=n_rows),
        "level": [f"level {idx % 12}" for idx in range(n_rows)],
        "weight": rng.uniform(0.5, 2.0, n_rows),
        "y": np.where(x + rng.normal(size=n_rows) / 2 > 0, "yes", "no"),
    }
    return pl.DataFrame(made | columns)


def make_samples(frame: pl.DataFrame, **options: object) -> tuple[Samples, Recipe]:
    recipe = Recipe().with_options({**BASE, **options})
    return read_samples(frame, recipe, Ledger(), on_stage=lambda _: None), recipe


@dataclass(frozen=True)
class Case:
    """A training that can be begun again and again."""

    samples: Samples
    recipe: Recipe
    end_s: float | None = None
    is_pressed: bool = True  # by a deadline, from the beginning
    spoilt: int | None = None
    cache_bytes: int = 1 << 30
    device: str = "cpu"

    def train(self, disk: Disk | None) -> tuple[Setup, History, Pacer]:
        device = torch.device(self.device)
        setup = set_up(self.samples, self.recipe, device, cache_bytes=self.cache_bytes)
        if self.spoilt is not None:
            with torch.no_grad():
                setup.network.body.linears()[0].weight[self.spoilt] = float("nan")
        plan = Plan.of(self.recipe.train, max(setup.lesson.train.counts))
        deadline = None
        if self.end_s is not None and disk is not None:
            deadline = Deadline(disk.clock(), self.end_s, disk.clock)
        pacer = Pacer(plan, deadline, is_pressed=self.is_pressed)
        history = train_population(
            setup.network,
            setup.lesson,
            self.recipe.train,
            seed=self.recipe.seed,
            observer=Silent(),
            pacer=pacer,
            keeper=disk,
        )
        return setup, history, pacer


def outcome(setup: Setup, history: History, pacer: Pacer) -> dict[str, object]:
    """Return all that a training leaves, to the bit."""
    arrays = {name: p.detach().numpy() for name, p in setup.network.named_parameters()}
    arrays |= {f"train {idx}": loss for idx, loss in enumerate(history.train_loss)}
    arrays |= {f"valid {idx}": loss for idx, loss in enumerate(history.validation_log_loss)}
    arrays |= {"best": history.best_epoch, "sound": history.is_sound}
    bits = {name: (str(a.dtype), a.shape, a.tobytes()) for name, a in arrays.items()}
    rates = [pool.rate for pool in setup.network.body.pools()]
    is_training = setup.network.training
    told = (history.n_passes, bool(history.is_cut), pacer.n_epochs, pacer.n_steps_done)
    return {**bits, "told": (*told, is_training, rates)}


def check_resumed(case: Case, *, n_trials: int = 1, seed: int = 0) -> None:
    """Kill trainings twice at random moments; compare them with one never killed."""
    expected = outcome(*case.train(Disk() if case.end_s is not None else None))
    never_due = Disk()
    assert outcome(*case.train(never_due)) == expected
    n_questions = never_due.n_asked
    rng = np.random.default_rng([seed, 731])
    for _ in range(n_trials):
        disk = Disk()
        first = int(rng.integers(1, n_questions // 2))
        # The process goes on after its checkpoint, or dies as it is written.
        disk.next_attempt({first}, dies=first + int(rng.integers(0, 5)))
        with pytest.raises(KilledError):
            case.train(disk)
        second = int(rng.integers(1, n_questions // 2 - 1))
        disk.next_attempt({second // 2 + 1, second}, dies=second + int(rng.integers(0, 2)))
        with pytest.raises(KilledError):
            case.train(disk)
        disk.next_attempt()
        assert outcome(*case.train(disk)) == expected, (first, second)
        assert disk.n_asked < n_questions
        disk.next_attempt()
        assert outcome(*case.train(disk)) == expected  # from the state "finished"
        assert disk.n_asked == 0


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_a_resumed_training_ends_in_the_same_bytes(options):
    check_resumed(Case(*make_samples(make_frame(), **options)))


def test_random_moments_are_all_alike():
    check_resumed(Case(*make_samples(make_frame())), n_trials=4, seed=7)


def test_inputs_encoded_by_batch_are_resumed():
    check_resumed(Case(*make_samples(make_frame()), cache_bytes=0))


def test_a_table_of_texts_is_resumed():
    """Each member has its own statistics of texts, fitted again before the resume."""
    words = np.random.default_rng(1).choice(["red", "green", "blue", "old", "new"], size=(120, 6))
    frame = make_frame(words=[" ".join(row) + f" {idx}" for idx, row in enumerate(words)])
    samples, recipe = make_samples(frame)
    assert samples.encoder.text
    check_resumed(Case(samples, recipe))


def test_a_diverged_member_stays_behind():
    case = Case(*make_samples(make_frame()), spoilt=1)
    check_resumed(case)
    assert case.train(None)[1].is_sound.tolist() == [True, False, True]


@pytest.mark.parametrize("is_pressed", [True, False])
@pytest.mark.parametrize("end_s", [0.2, 0.5, 100.0])
def test_seconds_of_earlier_attempts_count(end_s, is_pressed):
    samples, recipe = make_samples(make_frame(), **{"train.epochs": 8})
    case = Case(samples, recipe, end_s=end_s, is_pressed=is_pressed)
    check_resumed(case)
    assert case.train(Disk())[1].is_cut == (end_s < 100.0)


def test_a_resumed_training_ends_with_the_budget_of_the_second_attempt():
    case = Case(*make_samples(make_frame(), **{"train.epochs": 20}), end_s=1.0)
    disk = Disk(due=frozenset({32}), dies=40)
    with pytest.raises(KilledError):
        case.train(disk)
    disk.next_attempt()
    _, _, pacer = Case(case.samples, case.recipe, end_s=0.25).train(disk)
    assert disk.n_asked == pytest.approx(16, abs=1)
    assert pacer.state()["gone_s"] == pytest.approx(0.5 + 0.25, abs=0.05)


@pytest.mark.parametrize(
    ("options", "end_s"),
    [
        ({"train.epochs": 2}, None),
        ({"train.epochs": 2}, 5.5 / 64),
        ({"train.epochs": 8, "train.batch_size": 32, "train.patience": "auto"}, None),
    ],
)
def test_every_step_may_be_the_last(options, end_s):
    """With a deadline in the midst of an epoch, too, which is then brought to its end.

    The last case ends before its time, since a cycle brought nothing.
    """
    case = Case(*make_samples(make_frame(60), **options), end_s=end_s)
    never_due = Disk()
    expected = outcome(*case.train(never_due))
    for n_asked in range(1, never_due.n_asked + 1):
        disk = Disk(due=frozenset({n_asked}), dies=n_asked)
        with pytest.raises(KilledError):
            case.train(disk)
        disk.next_attempt()
        assert outcome(*case.train(disk)) == expected, n_asked


def test_a_training_within_large_batches_goes_on_in_the_same_place(monkeypatch):
    """Batches are gathered in spans of rows and chunks of bytes; a resume may begin in any."""
    monkeypatch.setattr("assay.training.loop._GATHERED_ROWS", 40)
    monkeypatch.setattr("assay.training.rows._CHUNK_BYTES", 1)
    check_resumed(Case(*make_samples(make_frame())), seed=1)


def test_the_number_of_threads_is_that_of_the_first_attempt():
    case = Case(*make_samples(make_frame(60)))
    disk = Disk(due=frozenset({5}), dies=5)
    with pytest.raises(KilledError):
        case.train(disk)
    arrays, text = disk.states["training"]
    document = json.loads(text)
    assert document["n_threads"] == 1  # steps are small
    disk.states["training"] = arrays, json.dumps({**document, "n_threads": 2})
    before = torch.get_num_threads()
    told = []

    class Asking(Disk):
        def is_due(self) -> bool:
            told.append(torch.get_num_threads())
            raise KilledError

    with pytest.raises(KilledError):
        case.train(Asking(states=disk.states))
    assert told == [2]
    assert torch.get_num_threads() == before


def checkpoint_of(case: Case) -> Disk:
    disk = Disk(due=frozenset({9}), dies=9)
    with pytest.raises(KilledError):
        case.train(disk)
    disk.next_attempt()
    return disk


OTHERS = {
    "batch_size": {"train.batch_size": 20},
    "n_epochs": {"train.epochs": 7},
    "seed": {"seed": 1},
    "training rows": {"split.folds": 4},
    "optimizer": {"train.optimizer": "sgd"},
    "weights of the rows": {"train.class_weight": "balanced"},
    "is float32": {"model.hidden": [8, 7]},
    "is not in it": {"model.hidden": [8, 6, 2]},
}


@pytest.mark.parametrize(("told", "options"), OTHERS.items(), ids=OTHERS)
def test_a_checkpoint_of_another_training_is_refused_with_what_differs(told, options):
    disk = checkpoint_of(Case(*make_samples(make_frame())))
    with pytest.raises(UserError, match=told) as caught:
        Case(*make_samples(make_frame(), **options)).train(disk)
    assert "checkpoint 'training'" in str(caught.value)


def test_a_checkpoint_of_other_rows_is_refused():
    disk = checkpoint_of(Case(*make_samples(make_frame())))
    frame = make_frame().with_columns(pl.col("z") * 2)
    with pytest.raises(UserError, match="statistics of the inputs differ"):
        Case(*make_samples(frame)).train(disk)


def without(name: str):
    def change(arrays: dict[str, np.ndarray], document: dict[str, Any]) -> None:
        arrays.pop(name, None)
        document.pop(name, None)

    return change


def with_value(name: str, value: object):
    def change(arrays: dict[str, np.ndarray], document: dict[str, Any]) -> None:
        (arrays if name in arrays else document)[name] = value  # type: ignore[index]

    return change


SPOILT = {
    "no format": without("format"),
    "format": with_value("format", 1),
    "no identity": without("identity"),
    "identity": with_value("identity", [1]),
    "no end": without("is_finished"),
    "no epoch": without("epoch"),
    "epoch": with_value("epoch", "three"),
    "far epoch": with_value("epoch", 10**9),
    "n_done": with_value("n_done", -1),
    "no pacer": without("pacer"),
    "pacer": with_value("pacer", {}),
    "no pools": without("pools"),
    "pools": with_value("pools", [[0.1]]),
    "vast pool": with_value("pools", [[0.1, 10**15]] * 2),
    "no moments": without("optimizer.0.0.first"),
    "moments": with_value("optimizer.0.0.first", np.zeros(3, np.float32)),
    "no losses": without("history.train_loss"),
    "no selection": without("selection.ends"),
    "cycle": with_value("selection.cycle", np.zeros(3, np.int64)),
    "judged": with_value("selection.judged", np.zeros(7)),
    "selection": with_value("selection.best_epoch", np.zeros(7, np.int64)),
    "generators": with_value("generators.order", np.zeros((3, 8), np.uint8)),
    "offsets": with_value("generators.offsets", np.zeros((2, 3), np.uint32)),
    "threads": with_value("n_threads", -5),
    "weights": with_value("best.embedding", np.zeros((1, 1), np.float32)),
    "type": with_value("loss_sum", np.zeros(3, np.float64)),
}


@pytest.mark.attack
@pytest.mark.parametrize("change", SPOILT.values(), ids=SPOILT)
def test_a_spoilt_checkpoint_is_refused_in_one_line(change):
    case = Case(*make_samples(make_frame(60)))
    disk = checkpoint_of(case)
    arrays, text = disk.states["training"]
    arrays, document = dict(arrays), json.loads(text)
    change(arrays, document)
    disk.states["training"] = arrays, json.dumps(document)
    with pytest.raises(UserError, match="checkpoint 'training'") as caught:
        case.train(disk)
    assert "\n" not in str(caught.value)


def test_a_training_draws_from_no_global_generator():
    before = torch.get_rng_state()
    Case(*make_samples(make_frame())).train(None)
    assert torch.equal(torch.get_rng_state(), before)


class Replays:
    """Stands for a CUDA graph: what was recorded is done again with the same tensors."""

    def warm_up(self, work: steps.Work) -> torch.Tensor:
        return work()

    def record(self, work: steps.Work) -> torch.Tensor:
        self.work, self.losses = work, torch.zeros(3, 16)
        return self.losses

    def replay(self) -> None:
        self.losses.copy_(self.work())


def test_recorded_steps_read_what_was_restored(monkeypatch):
    def make_step(network, recipe, *, device, batch_size):
        return steps.GraphedStep(steps.EagerStep(network, recipe), Replays(), batch_size)

    monkeypatch.setattr("assay.training.loop.make_step", make_step)
    check_resumed(Case(*make_samples(make_frame())))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("options", [{}, {"model.dropout": 0.0}], ids=["dropout", "closed form"])
def test_a_training_on_a_gpu_is_resumed(options):
    """Up to rounding: there sums are taken in an order that no seed decides."""
    chosen = {"train.precision": "float32", "train.learning_rate": 0.005, **options}
    case = Case(*make_samples(make_frame(), **chosen), device="cuda")
    _, expected, _ = case.train(None)
    for n_asked in (2, 9, 20):  # while steps are warmed up, and when they are replayed
        disk = Disk(due=frozenset({n_asked}), dies=n_asked + 3)
        with pytest.raises(KilledError):
            case.train(disk)
        disk.next_attempt()
        _, history, _ = case.train(disk)
        np.testing.assert_allclose(history.train_loss, expected.train_loss, rtol=1e-3)
        np.testing.assert_array_equal(history.best_epoch, expected.best_epoch)
