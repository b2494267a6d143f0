"""A step of a training: launched operation by operation, or replayed whole on a GPU.

Comes in: a batch. Goes out: the loss of each sample, after the parameters have moved.

A GPU runs the operations of a small network faster than Python launches them. There a
step of fixed shapes is recorded once as a CUDA graph and replayed with one launch
(https://docs.pytorch.org/docs/stable/notes/cuda.html, "CUDA Graphs"). What changes from
step to step lies in tensors that the recorded operations read anew: the batch, rates,
decays and the share of units dropped; PyTorch's generator of random numbers goes on
from replay to replay. The tests replay a recording of operations on a CPU in the same
way. `CudaRecorder`, and with it capture, streams and memory, HAS NOT RUN ON A GPU YET;
the tests marked `gpu` compare it with `EagerStep` where there is one.
"""

import logging
import sys
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from assay.errors import InternalError, UserError
from assay.nn.network import Encoded, Network
from assay.options import TrainRecipe
from assay.training.fused import FusedAdam
from assay.training.gradients import ClosedForm, has_closed_form
from assay.training.loss import sample_losses
from assay.training.memory import is_allocation
from assay.training.muon import EVERY, Muon
from assay.training.optimizer import Optimizer, make_optimizer, parameter_groups, set_rates

_LOG = logging.getLogger("assay")
_WARM_STEPS = 3  # before recording: libraries load, the optimizer makes its state

Work = Callable[[], Tensor]


class Step(Protocol):
    """Moves the parameters by one batch.

    Attributes:
        n_warm: Calls until each takes as long as the next.
        period: Calls until all that happens now and then has happened once.
    """

    n_warm: int
    period: int

    @property
    def optimizer(self) -> Optimizer:
        """What moves the parameters, and remembers the steps before."""

    def set_rates(self, t: float) -> None:
        """Set rates and decays for time `t` in [0, 1)."""

    def __call__(self, inputs: Encoded, y: Tensor, weights: Tensor) -> Tensor:
        """Take one step.

        Args:
            inputs: Of B rows for each of the K members.
            y: Class indices, shape (K, B), int64.
            weights: From `loss_weights`, shape (K, B).

        Returns:
            The loss of each sample, shape (K, B); the next call may overwrite it.
        """


class Recorder(Protocol):
    """Records operations on a device and runs them again."""

    def warm_up(self, work: Work) -> Tensor:
        """Do the work as it will be recorded, and return what it returns."""

    def record(self, work: Work) -> Tensor:
        """Record the work without doing it; return the tensor that each replay fills."""

    def replay(self) -> None:
        """Do the recorded work."""


def make_step(
    network: Network, recipe: TrainRecipe, *, device: torch.device, batch_size: int
) -> Step:
    """Return the fastest step for a training.

    Args:
        network: Already on the device; its parameters are moved by the step.
        recipe: The section [train].
        device: Of network and batches.
        batch_size: B of all batches but smaller last ones.
    """
    eager = EagerStep(network, recipe)
    # Of our optimizers these take their rates from tensors.
    is_recordable = recipe.record_steps and isinstance(eager.optimizer, FusedAdam | Muon)
    if device.type == "cuda" and is_recordable:
        return GraphedStep(eager, CudaRecorder(device), batch_size)
    return eager


class EagerStep:
    """A step that launches each operation by itself; see `Step`."""

    n_warm = 2

    def __init__(self, network: Network, recipe: TrainRecipe) -> None:
        self.network, self.recipe = network, recipe
        self.closed_form = ClosedForm(network) if has_closed_form(network, recipe) else None
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.optimizer: Optimizer = make_optimizer(parameter_groups(network, recipe), recipe)
        self.period = EVERY if isinstance(self.optimizer, Muon) else 1

    def set_rates(self, t: float) -> None:
        """Set rates and decays for time `t` in [0, 1)."""
        set_rates(self.optimizer, self.recipe, t)

    def __call__(self, inputs: Encoded, y: Tensor, weights: Tensor) -> Tensor:
        """Take one step; returns the loss of each sample, shape (K, B)."""
        losses = self.take(inputs, y, weights)
        self.turn()
        return losses

    def take(self, inputs: Encoded, y: Tensor, weights: Tensor) -> Tensor:
        """Do what is the same at every step, and may be recorded."""
        if self.closed_form is not None:
            losses = self.closed_form(inputs, y, weights)
        else:
            self.drop_gradients()
            logits = self.network(inputs).float()
            losses = sample_losses(logits, y, label_smoothing=self.recipe.label_smoothing)
            # A sum: given weights, PyTorch imports its symbolic shapes, 0.4 s.
            torch.autograd.backward((losses * weights).sum())
        self.optimizer.step()
        return losses.detach()

    def turn(self) -> None:
        """Do what only some steps do; called after each."""
        if isinstance(self.optimizer, Muon):
            self.optimizer.turn()

    def drop_gradients(self) -> None:
        """Forget the gradients of the step before."""
        for parameter in self.parameters:
            parameter.grad = None


class GraphedStep:
    """A step that is recorded after a few and replayed from then on; see `Step`.

    The steps before the recording are steps of the training like any other. A smaller
    batch takes an eager step. Where recording fails, which is told once, every step is
    eager. A failure may leave PyTorch unable to go on, as its generator of random numbers
    goes on waiting for the end of the recording: where the eager step in its place fails
    too, the error says how to train without recording.

    Args:
        eager: Does the work; from now on its rates are tensors on the device.
        recorder: Of the device.
        batch_size: B of the batches to replay.
    """

    n_warm = _WARM_STEPS + 1

    def __init__(self, eager: EagerStep, recorder: Recorder, batch_size: int) -> None:
        if not isinstance(eager.optimizer, FusedAdam | Muon):
            raise InternalError("only steps of Adam and Muon can be recorded")
        eager.optimizer.keep_rates_on_device()
        self.eager, self.batch_size = eager, batch_size
        self.period = eager.period
        self._recorder: Recorder | None = recorder
        self._n_warm_left = _WARM_STEPS
        self._batch: tuple[Tensor, ...] = ()  # what each replay reads
        self._losses: Tensor | None = None  # what each replay fills

    @property
    def optimizer(self) -> Optimizer:
        """What moves the parameters, in eager steps and in replays."""
        return self.eager.optimizer

    @property
    def is_recorded(self) -> bool:
        """Whether steps are replayed."""
        return self._losses is not None

    def set_rates(self, t: float) -> None:
        """Set rates and decays for time `t` in [0, 1)."""
        self.eager.set_rates(t)

    def __call__(self, inputs: Encoded, y: Tensor, weights: Tensor) -> Tensor:
        """Take one step; returns the loss of each sample, shape (K, B)."""
        losses = self._take(inputs, y, weights)
        self.eager.turn()
        return losses

    def _take(self, inputs: Encoded, y: Tensor, weights: Tensor) -> Tensor:
        """Replay what is recorded; before that, or for another batch size, do it."""
        recorder = self._recorder
        if recorder is None or y.shape[1] != self.batch_size:
            return self.eager.take(inputs, y, weights)
        if self._n_warm_left:
            self._n_warm_left -= 1
            return recorder.warm_up(lambda: self.eager.take(inputs, y, weights))
        batch = (inputs.features, inputs.rows, y, weights)
        reason = self._why_unrecorded(recorder, batch) if self._losses is None else ""
        if self._losses is None:  # the error is gone by now, and what it held of the recording
            return self._go_on_eagerly(reason, inputs, y, weights)
        for kept, new in zip(self._batch, batch, strict=True):
            kept.copy_(new)
        recorder.replay()
        return self._losses

    def _why_unrecorded(self, recorder: Recorder, batch: tuple[Tensor, ...]) -> str:
        """Record the step, and return "", or why that failed."""
        before = sys.exception()  # that a caller may be handling
        try:
            self._losses = self._record(recorder, batch)
        except RuntimeError as error:
            return _first_reason(error, before)
        return ""

    def _record(self, recorder: Recorder, batch: tuple[Tensor, ...]) -> Tensor:
        self._batch = tuple(part.clone() for part in batch)
        features, rows, y, weights = self._batch
        self.eager.drop_gradients()  # those of replays belong to the recording
        return recorder.record(lambda: self.eager.take(Encoded(features, rows), y, weights))

    def _go_on_eagerly(self, reason: str, inputs: Encoded, y: Tensor, weights: Tensor) -> Tensor:
        """Take the step that could not be recorded, and record no other.

        Raises:
            UserError: It cannot be taken either, though there is memory for it.
        """
        _LOG.warning("the GPU records no whole steps, which makes them slower: %s", reason)
        self._recorder, self._batch = None, ()
        self.eager.drop_gradients()  # they may lie in memory of the recording
        try:
            torch.cuda.empty_cache()
            return self.eager.take(inputs, y, weights)
        except RuntimeError as error:
            if is_allocation(error):
                raise
            raise UserError(
                f"the GPU could not record a step ({reason}), nor go on without it",
                where="training",
                fix='Set train.record_steps = false, or train.device = "cpu"',
            ) from error


def _first_reason(error: BaseException, before: BaseException | None) -> str:
    """Return the message of the error that an error came of: to end a recording fails, too.

    Args:
        error: The last.
        before: One that was there before, and has no part in it.
    """
    while error.__context__ is not None and error.__context__ is not before:
        error = error.__context__
    return str(error).partition("\n")[0] or type(error).__name__


class CudaRecorder:
    """Records work as a CUDA graph; see `Recorder`.

    Work that is warmed up and recorded runs on one stream of its own: autograd and
    cuBLAS keep what they set up by stream, and the default one cannot be recorded.

    Args:
        device: A GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._graph: torch.cuda.CUDAGraph | None = None

    def warm_up(self, work: Work) -> Tensor:
        """Do the work on the stream of the recording."""
        with torch.cuda.device(self._device):
            here = torch.cuda.current_stream()
            self._stream.wait_stream(here)
            with torch.cuda.stream(self._stream):
                result = work()
            here.wait_stream(self._stream)
        return result

    def record(self, work: Work) -> Tensor:
        """Record the work without doing it; return the tensor that each replay fills."""
        with torch.cuda.device(self._device):
            graph, here = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
            try:
                # What other threads of the program do on the GPU is none of the recording's.
                with torch.cuda.graph(
                    graph, stream=self._stream, capture_error_mode="thread_local"
                ):
                    result = work()
            finally:
                torch.cuda.set_stream(here)  # a recording that fails stays on its own
        self._graph = graph
        return result

    def replay(self) -> None:
        """Do the recorded work on the current stream."""
        if self._graph is None:
            raise InternalError("nothing is recorded")
        self._graph.replay()
