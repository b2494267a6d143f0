"""A recorded step is the eager one, whatever changes from step to step."""

import contextlib
import logging
import weakref
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from assay.encode import Arrays, TableEncoder
from assay.encode.features import CategoricalFeature, NumericFeature
from assay.errors import InternalError, UserError
from assay.nn.network import Encoded, Network
from assay.nn.population import PoolDropout
from assay.options import ModelRecipe, OptimizerName, TrainRecipe
from assay.training import loop, step
from assay.training.history import History, Silent
from assay.training.rows import EncodedRows, Lesson, RowSet
from assay.training.step import CudaRecorder, EagerStep, GraphedStep, make_step

CPU, CUDA, META = torch.device("cpu"), torch.device("cuda"), torch.device("meta")
ENCODER = TableEncoder(
    numeric=tuple(
        NumericFeature(f"x{idx}", "value", "none", 1.0, False, 0, "median", 0.0, False)
        for idx in range(3)
    ),
    categorical=(
        CategoricalFeature("level", tuple("abcde"), "embedding", 2, 1, "mode", "", False),
    ),
    text=(),
)
MODEL = ModelRecipe(hidden=(8,), dropout=0.3, input_scale=True)
PLAIN = ModelRecipe(hidden=(8,), dropout=0.0, activation="tanh", input_scale=False)
# Steps of 3 full batches and a smaller one; rate, decay and dropout change all the time.
TRAIN = TrainRecipe(epochs=6, batch_size=24, keep="last", weight_decay=0.5, precision="float32")


class Tape(TorchDispatchMode):
    """Records operations with the tensors and numbers they got, as a CUDA graph does.

    Only tensors read anew tell a replay apart from the one before: what Python decided
    or computed while recording is frozen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple] = []
        self.n_replays = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result

    def warm_up(self, work):
        return work()

    def record(self, work):
        with self:
            return work()

    @torch.no_grad()
    def replay(self):
        self.n_replays += 1
        if self.n_replays == 1:
            return  # a tape does what it records, and on the batch of the first replay
        for func, args, kwargs, result in self.calls:
            for kept, new in zip(
                tree_leaves(result), tree_leaves(func(*args, **kwargs)), strict=True
            ):
                if isinstance(kept, torch.Tensor) and kept.data_ptr() != new.data_ptr():
                    kept.copy_(new)


class Broken(Tape):
    def record(self, work):
        raise RuntimeError("operation not permitted\nwhen stream is capturing")


class BrokenForGood(Broken):
    """Leaves PyTorch as a failed recording may: no step can be taken any more."""

    def __init__(self, eager: EagerStep, error: Exception) -> None:
        super().__init__()
        self.eager, self.error = eager, error

    def record(self, work):
        def refuse(inputs, y, weights):
            raise self.error

        self.eager.take = refuse
        super().record(work)


def make_network(model: ModelRecipe = MODEL, n_rows: int = 120) -> tuple[Network, Lesson]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n_rows, 3)).astype(np.float32)
    codes = rng.integers(0, 7, (n_rows, int(model.input_scale))).astype(np.int32)
    arrays = Arrays(x, codes, np.zeros((n_rows, 0), np.float32))
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(np.int64)
    masks = np.stack([np.arange(n_rows) % 3 != idx for idx in range(3)])
    encoder = ENCODER if model.input_scale else replace(ENCODER, categorical=())
    network = Network(encoder, model, n_members=3, n_classes=2, seed=0)
    network.fit(arrays, masks)
    rows = EncodedRows(network, arrays, CPU)
    lesson = Lesson(
        rows, torch.from_numpy(y), RowSet.of(masks), RowSet.of(~masks), (0,) * 3,
        weight=torch.from_numpy(rng.random(n_rows).astype(np.float32)),
    )  # fmt: skip
    return network, lesson


def train(monkeypatch, make, recipe: TrainRecipe, model: ModelRecipe) -> tuple[Network, History]:
    """Train with steps that `make` makes, dropping units as a GPU does."""
    network, lesson = make_network(model)
    with monkeypatch.context() as patched, torch.random.fork_rng():
        patched.setattr(loop, "make_step", make)
        patched.setattr(step, "has_closed_form", lambda network, recipe: model is PLAIN)
        drop = PoolDropout._drop_drawn
        patched.setattr(
            PoolDropout, "forward", lambda self, x: drop(self, x) if self.training else x
        )
        torch.manual_seed(0)
        history = loop.train_population(network, lesson, recipe, seed=0, observer=Silent())
    return network, history


def assert_same_training(found, expected):
    for (name, one), other in zip(
        found[0].named_parameters(), expected[0].parameters(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=2e-5, msg=name)
    np.testing.assert_allclose(found[1].train_loss, expected[1].train_loss, atol=1e-5)


def eager(network, recipe, *, device, batch_size):
    return EagerStep(network, recipe)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "muon"])
@pytest.mark.parametrize("model", [MODEL, PLAIN], ids=["dropout", "plain"])
def test_replayed_steps_are_eager_steps(monkeypatch, optimizer, model):
    recipe = TRAIN.model_copy(update={"optimizer": optimizer})
    tape = Tape()

    def graphed(network, recipe, *, device, batch_size):
        return GraphedStep(EagerStep(network, recipe), tape, batch_size)

    found = train(monkeypatch, graphed, recipe, model)
    assert tape.n_replays == 6 * 3 - 3  # 3 full batches an epoch, 3 steps before recording
    assert_same_training(found, train(monkeypatch, eager, recipe, model))


def test_where_recording_fails_steps_stay_eager_and_it_is_told_once(monkeypatch, caplog):
    def graphed(network, recipe, *, device, batch_size):
        return GraphedStep(EagerStep(network, recipe), Broken(), batch_size)

    with caplog.at_level(logging.WARNING, logger="assay"):
        found = train(monkeypatch, graphed, TRAIN, MODEL)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].endswith("operation not permitted")
    assert_same_training(found, train(monkeypatch, eager, TRAIN, MODEL))


def test_the_first_reason_of_a_failed_recording_is_told(monkeypatch, caplog):
    class EndsBadly(Tape):
        def record(self, work):
            try:
                raise RuntimeError("a copy from the machine's memory is not permitted")
            finally:
                raise RuntimeError("capture failed due to a previous error")

    def graphed(network, recipe, *, device, batch_size):
        return GraphedStep(EagerStep(network, recipe), EndsBadly(), batch_size)

    with caplog.at_level(logging.WARNING, logger="assay"):
        train(monkeypatch, graphed, TRAIN, MODEL)
    assert caplog.messages[0].endswith("a copy from the machine's memory is not permitted")


def test_what_a_failed_recording_held_is_gone_when_its_step_is_taken(monkeypatch):
    held, seen = [], []

    class Holding(Tape):
        def record(self, work):
            work_space = torch.zeros(8)
            held.append(weakref.ref(work_space))
            raise RuntimeError("not enough room for the recording")

    def graphed(network, recipe, *, device, batch_size):
        eager_step = EagerStep(network, recipe)
        take = eager_step.take

        def watched(*batch):
            seen.extend(reference() is None for reference in held)
            return take(*batch)

        eager_step.take = watched
        return GraphedStep(eager_step, Holding(), batch_size)

    train(monkeypatch, graphed, TRAIN, MODEL)
    assert len(held) == 1
    assert len(seen) > 1
    assert all(seen)


def train_once_broken(monkeypatch, error: Exception) -> None:
    def graphed(network, recipe, *, device, batch_size):
        eager_step = EagerStep(network, recipe)
        return GraphedStep(eager_step, BrokenForGood(eager_step, error), batch_size)

    train(monkeypatch, graphed, TRAIN, MODEL)


WAY_OUT = r"operation not permitted.*train\.record_steps = false.*train\.device = \"cpu\""


def test_where_no_step_can_be_taken_after_a_failed_recording_the_way_out_is_told(monkeypatch):
    error = RuntimeError("Offset increment outside graph capture encountered unexpectedly.")
    with pytest.raises(UserError, match=WAY_OUT) as told:
        train_once_broken(monkeypatch, error)
    assert told.value.__cause__ is error


def test_where_not_even_memory_can_be_given_back_the_way_out_is_told(monkeypatch):
    def refuse():
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(torch.cuda, "empty_cache", refuse)
    with pytest.raises(UserError, match=WAY_OUT):
        train_once_broken(monkeypatch, RuntimeError("not reached"))


def test_memory_that_runs_out_after_a_failed_recording_is_told_as_such(monkeypatch):
    with pytest.raises(torch.OutOfMemoryError):
        train_once_broken(monkeypatch, torch.OutOfMemoryError("CUDA out of memory"))


class FakeCuda:
    """Of `torch.cuda`, what recording uses; a capture that fails to end stays on its stream.

    Args:
        fails_at: "begin" or "end" of the capture, or "" for one that succeeds.
    """

    def __init__(self, monkeypatch, fails_at: str) -> None:
        self.current, self.fails_at = "main", fails_at
        for name, part in {
            "Stream": lambda device: "side",
            "CUDAGraph": object,
            "current_stream": lambda: self.current,
            "set_stream": lambda stream: setattr(self, "current", stream),
            "device": lambda device: contextlib.nullcontext(),
            "graph": lambda graph, stream, capture_error_mode: self.capture(stream),
        }.items():
            monkeypatch.setattr(torch.cuda, name, part)

    @contextlib.contextmanager
    def capture(self, stream):
        before, self.current = self.current, stream
        if self.fails_at == "begin":
            raise RuntimeError("begin")
        try:
            yield
        finally:
            if self.fails_at == "end":
                raise RuntimeError("end")
        self.current = before


class Elsewhere(TorchDispatchMode):
    """Notes the operations that touch a tensor which is not on the device of the training.

    A GPU records neither copies from the machine's memory nor anything that waits for the
    device. The device is "meta" here, which computes nothing and has no fused kernels; what
    it makes of numbers in Python would be such a copy on a GPU, and is refused.
    """

    def __init__(self) -> None:
        super().__init__()
        self.n_calls, self.found = 0, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.n_calls += 1
        is_fused = "fused" in func.name()
        result = None if is_fused else func(*args, **(kwargs or {}))
        tensors = [one for one in tree_leaves((args, kwargs, result)) if torch.is_tensor(one)]
        if any(tensor.device != META for tensor in tensors):
            self.found.append(func.name())
        return result


def refuse(*args, **kwargs):
    raise AssertionError("a copy from the machine's memory")


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "muon"])
@pytest.mark.parametrize("model", [MODEL, PLAIN], ids=["dropout", "plain"])
def test_what_is_recorded_touches_nothing_but_the_device(monkeypatch, optimizer, model):
    monkeypatch.setattr(PoolDropout, "forward", PoolDropout._drop_drawn)
    network, lesson = make_network(model)
    row_idx = lesson.train.row_idx[:, :24]
    inputs, y = lesson.rows.take(row_idx), lesson.y[row_idx].to(META)
    inputs = Encoded(inputs.features.to(META), inputs.rows.to(META))
    recipe = TRAIN.model_copy(update={"optimizer": optimizer})
    eager_step = EagerStep(network.to(META).train(), recipe)
    eager_step.optimizer.keep_rates_on_device()
    weights = torch.full_like(y, 0.1, dtype=torch.float32)
    watches = [Elsewhere() for _ in range(step._WARM_STEPS + 1)]
    for watch in watches:
        if watch is watches[-1]:
            monkeypatch.setattr(torch, "tensor", refuse)
            monkeypatch.setattr(torch, "as_tensor", refuse)
        with watch:
            eager_step.take(inputs, y, weights)
    assert watches[-1].n_calls > 20
    assert watches[-1].found == []


@pytest.mark.parametrize("fails_at", ["begin", "end"])
def test_a_failed_recording_gives_the_stream_back(monkeypatch, fails_at):
    cuda = FakeCuda(monkeypatch, fails_at)
    recorder = CudaRecorder(CUDA)
    with pytest.raises(RuntimeError, match=fails_at):
        recorder.record(lambda: torch.zeros(1))
    assert cuda.current == "main"
    with pytest.raises(InternalError, match="nothing is recorded"):
        recorder.replay()


def test_a_recording_runs_on_a_stream_of_its_own(monkeypatch):
    cuda, seen = FakeCuda(monkeypatch, ""), []
    CudaRecorder(CUDA).record(lambda: seen.append(cuda.current))
    assert (seen, cuda.current) == (["side"], "main")


def test_only_adam_and_muon_on_a_gpu_are_recorded(monkeypatch):
    monkeypatch.setattr(step, "CudaRecorder", lambda device: Tape())
    network, _ = make_network()
    kinds = {}
    for device in (CPU, CUDA):
        for name in get_args(OptimizerName):
            recipe = TrainRecipe(optimizer=name)
            kinds[device.type, name] = make_step(network, recipe, device=device, batch_size=8)
    recorded = {key for key, value in kinds.items() if isinstance(value, GraphedStep)}
    assert recorded == {("cuda", "adam"), ("cuda", "adamw"), ("cuda", "muon")}


def test_no_step_is_recorded_where_that_is_told(monkeypatch):
    monkeypatch.setattr(step, "CudaRecorder", lambda device: Tape())
    recipe = TrainRecipe(record_steps=False)
    made = make_step(make_network()[0], recipe, device=CUDA, batch_size=8)
    assert isinstance(made, EagerStep)


def test_rates_change_in_place_once_they_are_on_the_device():
    network, _ = make_network()
    graphed = GraphedStep(EagerStep(network, TRAIN), Tape(), 24)
    plain = EagerStep(network, TRAIN)
    groups = graphed.eager.optimizer.param_groups
    tensors = [(group["lr"], group["decay_now"]) for group in groups]
    for t in (0.1, 0.7):
        graphed.set_rates(t)
        plain.set_rates(t)
        for group, (rate, decay), other in zip(
            groups, tensors, plain.optimizer.param_groups, strict=True
        ):
            assert group["lr"] is rate
            assert group["weight_decay"] == 0.0
            assert float(rate) == pytest.approx(other["lr"])
            assert float(decay) == pytest.approx(other["weight_decay"])


def test_a_drawn_mask_drops_the_share_that_was_set_last():
    dropout = PoolDropout(0.5, seed=0)
    dropout.set_rate(0.2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = dropout._drop_drawn(torch.ones(3, 100, 100))
    assert float((found == 0).float().mean()) == pytest.approx(0.2, abs=0.01)
    assert found.unique().tolist() == pytest.approx([0.0, 1.25])
