"""The state of a training, taken out of it and put back.

Comes in: a training between two steps. Goes out: arrays and a document of plain data,
and from them a training that goes on to the same bytes.

A checkpoint holds what changes from step to step: weights, best weights, what the
optimizer remembers, the states of all generators, the place in the epoch and in the
plan, losses and selection. What follows from seed and data (the network's statistics,
the order of rows, the masks of dropout) is made again; digests tell where it came out
differently. Gradients and memory lent to steps are written before they are read.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from assay.errors import UserError
from assay.nn.network import Network
from assay.nn.population import PoolState
from assay.options import TrainRecipe
from assay.state_file import State, UnfitStateError
from assay.training.history import History
from assay.training.optimizer import restore_state, state_tensors
from assay.training.plan import Pacer, Plan
from assay.training.rows import Lesson
from assay.training.selection import Selection
from assay.training.step import Step

NAME = "training"
"""Under which a keeper holds the state of a training."""

_FORMAT = 2  # of the document; another release may write another
_WHERE = f"checkpoint {NAME!r}"
_MOST_THREADS = 1 << 12
_OFFSETS = 625  # words of the state of Python's generator of random numbers


class Keeper(Protocol):
    """Holds checkpoints where they outlive the process."""

    def is_due(self) -> bool:
        """Whether it is time for another one; asked after every step."""

    def write(
        self,
        name: str,
        arrays: Mapping[str, np.ndarray],
        document: Mapping[str, Any],
        *,
        is_stopping: bool = False,
    ) -> None:
        """Hold a state; the one before is kept until the new one is whole.

        Args:
            name: Of the state.
            arrays: They share memory with the training, which goes on afterwards.
            document: Plain data, finite numbers only.
            is_stopping: Whether the training was told to end with it.
        """

    def read(self, name: str) -> State | None:
        """Return the newest state of that name, or None.

        Raises:
            UserError: It is damaged.
        """


class Training(Protocol):
    """What a checkpoint is taken of; see `loop.Run`."""

    network: Network
    pacer: Pacer
    history: History
    selection: Selection
    best: dict[str, Tensor]
    generators: list[torch.Generator]
    step: Step
    identity: dict[str, Any]
    epoch: int
    n_done: int
    loss_sum: Tensor

    def order_states(self) -> Tensor:
        """Return from which states the epoch that is running or next is shuffled."""


def identity(
    network: Network, lesson: Lesson, recipe: TrainRecipe, plan: Plan, seed: int
) -> dict[str, Any]:
    """Return by what a training is known: those of equal identity end in equal bytes."""
    device = lesson.rows.device
    weights = [part for part in (lesson.weight, lesson.class_weight) if part is not None]
    return {
        **asdict(plan),
        "device": device.type,
        "optimizer": recipe.optimizer,
        "seed": seed,
        "repeats": list(lesson.repeat),
        "statistics of the inputs": _digest(network.buffers()),
        "classes of the rows": _digest([lesson.y]),
        "training rows": _digest([lesson.train.row_idx, torch.tensor(lesson.train.counts)]),
        "validation rows": _digest(
            [lesson.validation.row_idx, torch.tensor(lesson.validation.counts)]
        ),
        "weights of the rows": _digest(weights),
    }


def capture(run: Training) -> State:
    """Return the state of a training between two steps.

    Args:
        run: After its first step.

    Returns:
        Arrays, which share memory with the training, and the document.
    """
    pools = [pool.state() for pool in run.network.body.pools()]
    arrays = {name: _array(tensor) for name, tensor in _tensors(run).items()}
    arrays |= {
        f"optimizer.{name}": _array(tensor)
        for name, tensor in state_tensors(run.step.optimizer).items()
    }
    arrays |= {f"selection.{name}": array for name, array in run.selection.arrays().items()}
    arrays |= _history_arrays(run)
    arrays["generators.order"] = _array(run.order_states())
    arrays["generators.offsets"] = np.array(
        [pool.offsets for pool in pools], dtype=np.uint32
    ).reshape(-1, _OFFSETS)
    if run.loss_sum.is_cuda:
        arrays["generators.cuda"] = _array(torch.cuda.get_rng_state(run.loss_sum.device))
    document = {
        **_head(run, is_finished=False),
        "epoch": run.epoch,
        "n_done": run.n_done,
        "pools": [[pool.rate, pool.n_numbers] for pool in pools],
    }
    return arrays, document


def capture_finished(run: Training) -> State:
    """Return the state of a training that is over: what it kept, and its history."""
    history = run.history
    arrays = {f"network.{name}": _array(p) for name, p in run.network.named_parameters()}
    arrays |= _history_arrays(run)
    arrays |= {"history.best_epoch": history.best_epoch, "history.is_sound": history.is_sound}
    head = _head(run, is_finished=True)
    return arrays, {**head, "n_passes": history.n_passes, "is_cut": bool(history.is_cut)}


def n_threads_of(state: State) -> int:
    """Return how many threads the training had.

    Raises:
        UserError: The state does not tell.
    """
    n_threads = state[1].get("n_threads")
    if not isinstance(n_threads, int) or not 0 < n_threads <= _MOST_THREADS:
        raise _unlike(f"n_threads = {n_threads!r}")
    return n_threads


@torch.no_grad()
def restore(run: Training, arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]) -> bool:
    """Put a state back into a training that was made anew.

    Tensors are copied into, never replaced: steps recorded on a GPU go on reading them.

    Args:
        run: Before its first step.
        arrays: As `capture` or `capture_finished` returned them.
        document: The same.

    Returns:
        Whether the training is over.

    Raises:
        UserError: The state is that of another training; the message names what differs.
    """
    _check_identity(run.identity, document)
    try:
        if document["is_finished"]:
            _restore_finished(run, arrays, document)
        else:
            _restore_running(run, arrays, document)
    except (KeyError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        reason = str(error).partition("\n")[0]
        raise _unlike(f"it cannot be read ({type(error).__name__}: {reason})") from None
    return bool(document["is_finished"])


def _restore_running(
    run: Training, arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]
) -> None:
    _copy_into(_tensors(run), arrays)
    restore_state(
        run.step.optimizer,
        {name: torch.tensor(array) for name, array in _below("optimizer.", arrays).items()},
    )
    _restore_history(run, arrays, document)
    run.selection.restore(_below("selection.", arrays))
    for generator, state in zip(run.generators, arrays["generators.order"], strict=True):
        generator.set_state(torch.tensor(state))
    for pool, offsets, (rate, n_numbers) in zip(
        run.network.body.pools(), arrays["generators.offsets"], document["pools"], strict=True
    ):
        pool.restore(PoolState(rate, tuple(offsets.tolist()), n_numbers))
    if run.loss_sum.is_cuda:
        torch.cuda.set_rng_state(torch.tensor(arrays["generators.cuda"]), run.loss_sum.device)
    run.epoch, run.n_done = int(document["epoch"]), int(document["n_done"])
    _check_place(run)


def _check_place(run: Training) -> None:
    """Refuse a place that no training by this plan comes to."""
    plan, n_steps_done = run.pacer.plan, run.pacer.n_steps_done
    n_losses = len(run.history.train_loss)
    if not (
        run.epoch == n_losses <= plan.n_epochs
        and 0 <= run.n_done <= plan.n_steps
        and 0 < n_steps_done <= run.epoch * plan.n_steps + run.n_done
    ):
        raise _unlike(
            f"epoch {run.epoch}, step {run.n_done}, {n_steps_done} steps and {n_losses} losses"
        )


def _restore_finished(
    run: Training, arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]
) -> None:
    parameters = {f"network.{name}": p for name, p in run.network.named_parameters()}
    _copy_into(parameters, arrays)
    _restore_history(run, arrays, document)
    history = run.history
    history.best_epoch[:] = arrays["history.best_epoch"]
    history.is_sound = np.array(arrays["history.is_sound"], dtype=bool)
    history.n_passes, history.is_cut = float(document["n_passes"]), bool(document["is_cut"])
    run.network.eval()


def _restore_history(
    run: Training, arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]
) -> None:
    """Put back losses and pace, which running and finished trainings have."""
    run.history.train_loss[:] = list(np.array(arrays["history.train_loss"]))
    run.history.validation_log_loss[:] = list(np.array(arrays["history.validation"]))
    run.pacer.restore(document["pacer"])


def _tensors(run: Training) -> dict[str, Tensor]:
    """Return what steps change in place, by name."""
    named = {f"network.{name}": p.detach() for name, p in run.network.named_parameters()}
    named |= {f"best.{name}": tensor for name, tensor in run.best.items()}
    return {**named, "loss_sum": run.loss_sum}


def _history_arrays(run: Training) -> dict[str, np.ndarray]:
    """Return losses by epoch and member, shape (E, K); (0, K) where there are none."""
    history, none = run.history, (0, run.network.n_members)
    return {
        "history.train_loss": np.array(history.train_loss, dtype=np.float32).reshape(-1, none[1]),
        "history.validation": np.array(history.validation_log_loss, dtype=np.float64).reshape(
            -1, none[1]
        ),
    }


def _head(run: Training, *, is_finished: bool) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "is_finished": is_finished,
        "identity": run.identity,
        "n_threads": torch.get_num_threads(),
        "pacer": run.pacer.state(),
    }


def _copy_into(tensors: Mapping[str, Tensor], arrays: Mapping[str, np.ndarray]) -> None:
    """Copy arrays into the tensors of their names.

    Raises:
        UserError: One is missing, or has another shape or type.
    """
    for name, tensor in tensors.items():
        if name not in arrays:
            raise _unlike(f"{name!r} is not in it")
        here, there = _array(tensor), arrays[name]
        if (here.shape, here.dtype) != (there.shape, there.dtype):
            raise _unlike(
                f"{name!r} is {there.dtype} of shape {there.shape} in it, "
                f"{here.dtype} of shape {here.shape} here"
            )
    for name, tensor in tensors.items():
        tensor.copy_(torch.tensor(arrays[name]))


def _check_identity(here: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    """Refuse the state of another training, naming all that differs."""
    if document.get("format") != _FORMAT:
        raise _unlike(f"its format is {document.get('format')!r}, this release has {_FORMAT}")
    there = document.get("identity")
    if not isinstance(there, Mapping):
        raise _unlike("it does not tell of which")
    differing = [
        name if isinstance(value, str) and len(value) == 64 else _told(name, there, value)
        for name, value in here.items()
        if there.get(name) != value
    ]
    if differing:
        raise _unlike(f"{', '.join(differing)} differ")


def _told(name: str, there: Mapping[str, Any], here: Any) -> str:
    return f"{name} ({there.get(name)!r} in it, {here!r} here)"


def _unlike(what: str) -> UserError:
    return UnfitStateError(
        f"the checkpoint is not one of this training: {what}",
        where=_WHERE,
        fix=f"Remove {NAME}.state from the folder of the run to train the networks again",
    )


def _below(start: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays whose names begin with `start`, without it."""
    return {
        name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)
    }


def _array(tensor: Tensor) -> np.ndarray:
    array: np.ndarray = tensor.detach().cpu().numpy()
    return array


def _digest(tensors: Iterable[Tensor]) -> str:
    """Return the SHA-256 of the shapes and bytes of tensors."""
    digest = hashlib.sha256()
    for tensor in tensors:
        array = np.ascontiguousarray(_array(tensor))
        digest.update(f"{array.dtype} {array.shape} ".encode())
        digest.update(array.data.cast("B") if array.size else b"")
    return digest.hexdigest()
