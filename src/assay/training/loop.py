"""The training loop: run, epoch, step, for all members at once.

Comes in: a network with fitted inputs, encoded rows, and who trains on what.
Goes out: the trained network and its history. Nothing is read or written here.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from assay.errors import UserError
from assay.nn.network import Encoded, Network
from assay.options import TrainRecipe
from assay.training.device import computing
from assay.training.gradients import closed_form_gradients, has_closed_form
from assay.training.loss import loss_weights, sample_losses
from assay.training.optimizer import make_optimizer, parameter_groups, set_rates
from assay.training.rows import Lesson, in_batches
from assay.training.schedule import flat_cosine

_AUTO_EPOCHS = 64
_AUTO_EPOCHS_ROWS = 10_000  # above this, epochs shrink so that cost grows slower than rows
_MIN_AUTO_EPOCHS = 12
_GATHERED_ROWS = 1 << 15  # of each member, at once


class Observer(Protocol):
    """Is told how a training goes on."""

    def on_epoch(self, epoch: int, n_epochs: int, *, log_loss: float, is_validation: bool) -> None:
        """Epoch `epoch` (1-based) of `n_epochs` ended with this mean log loss."""

    def on_stage(self, name: str) -> None:
        """A new stage of the work begins."""


class Silent:
    """An observer that does nothing."""

    def on_epoch(self, epoch: int, n_epochs: int, *, log_loss: float, is_validation: bool) -> None:
        """Do nothing."""

    def on_stage(self, name: str) -> None:
        """Do nothing."""


@dataclass
class History:
    """Losses by epoch.

    Attributes:
        train_loss: One array (K,) per epoch: mean training loss.
        validation_log_loss: The same on validation rows; empty without any.
        best_epoch: Shape (K,), 1-based: the epoch each member keeps.
    """

    train_loss: list[np.ndarray] = field(default_factory=list)
    validation_log_loss: list[np.ndarray] = field(default_factory=list)
    best_epoch: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def to_dict(self) -> dict[str, list[object]]:
        """Return plain data for JSON, losses to six digits; None where not finite."""
        return {
            "train_loss": [_plain(losses) for losses in self.train_loss],
            "validation_log_loss": [_plain(losses) for losses in self.validation_log_loss],
            "best_epoch": self.best_epoch.tolist(),
        }


def _plain(losses: np.ndarray) -> list[float | None]:
    return [float(f"{loss:.6g}") if np.isfinite(loss) else None for loss in losses]


def auto_batch_size(n_train: int) -> int:
    """Return rows per step for `n_train` training rows of a member.

    RealMLP's rule, arXiv 2407.04491.
    """
    for limit, size in ((1_024, 64), (8_192, 128), (30_000, 256), (100_000, 512)):
        if n_train <= limit:
            return size
    return 1024


def auto_epochs(n_train: int) -> int:
    """Return epochs for `n_train` training rows of a member."""
    shrunk = _AUTO_EPOCHS * math.sqrt(_AUTO_EPOCHS_ROWS / max(n_train, _AUTO_EPOCHS_ROWS))
    return max(round(shrunk), _MIN_AUTO_EPOCHS)


def losses_of_others(losses: np.ndarray, repeat: tuple[int, ...]) -> np.ndarray:
    """Return for each member the mean validation loss of the others of its repeat.

    A member chooses its epoch by these, so that the rows it is judged by have no
    part in the choice: chosen by its own, shuffled labels gave an AUROC of 0.61 on
    80 rows. A member that is alone in its repeat goes by its own loss.

    Args:
        losses: Validation loss of each member, shape (K,); one that is not finite
            is left out.
        repeat: Number of each member's repeat.

    Example:
        >>> losses_of_others(np.array([1.0, 2.0, 6.0, 5.0]), (0, 0, 0, 1)).tolist()
        [4.0, 3.5, 1.5, 5.0]
    """
    is_finite = np.isfinite(losses)
    known = np.where(is_finite, losses, 0.0)
    number = np.asarray(repeat)
    result = np.where(is_finite, losses, np.inf)
    for idx in range(len(losses)):
        others = (number == number[idx]) & (np.arange(len(losses)) != idx)
        if others.any():
            n_known = np.count_nonzero(is_finite & others)
            result[idx] = known[others].sum() / n_known if n_known else np.inf
    return result


def train_population(
    network: Network, lesson: Lesson, recipe: TrainRecipe, *, seed: int, observer: Observer
) -> History:
    """Train every member; afterwards the network holds the epochs to keep.

    Args:
        network: With fitted input layers; changed in place.
        lesson: Rows, classes and who learns from which.
        recipe: The section [train].
        seed: Member k shuffles by (seed, k).
        observer: Is told after each epoch.

    Raises:
        UserError: The training diverged.
    """
    run = _Run(network, lesson, recipe, seed)
    step_size = network.n_members * run.batch_size * network.widest
    with computing(recipe, lesson.rows.device, step_size=step_size, seed=seed):
        for epoch in range(1, run.n_epochs + 1):
            run.train_epoch(epoch)
            is_validation = run.validate(epoch)
            observer.on_epoch(
                epoch, run.n_epochs, log_loss=run.last_loss(), is_validation=is_validation
            )
            if run.is_over(epoch):
                break
        run.finish()
    return run.history


class _Run:
    """The state of one training."""

    def __init__(self, network: Network, lesson: Lesson, recipe: TrainRecipe, seed: int) -> None:
        n_train = max(lesson.train.counts)
        self.network, self.lesson, self.recipe = network, lesson, recipe
        self.n_epochs = auto_epochs(n_train) if recipe.epochs == "auto" else recipe.epochs
        self.batch_size = (
            auto_batch_size(n_train) if recipe.batch_size == "auto" else recipe.batch_size
        )
        self.batch_size = min(self.batch_size, n_train)
        self.n_steps = -(-n_train // self.batch_size)
        if recipe.drop_last and n_train % self.batch_size:
            self.n_steps -= 1
        # Kept from epoch to epoch: large blocks allocated anew each time scatter the heap.
        self.positions = torch.empty_like(lesson.train.row_idx)
        self.order = torch.empty_like(lesson.train.row_idx)
        self.history = History()
        self.dropout = network.body.dropout
        self.is_plain = has_closed_form(network, recipe)
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(parameter_groups(network, recipe), recipe)
        self.generators = [
            torch.Generator().manual_seed((seed * 7_919 + 104_729 + idx) % 2**63)
            for idx in range(network.n_members)
        ]
        self.best = {name: p.detach().clone() for name, p in network.named_parameters()}
        self.best_loss = np.full(network.n_members, np.inf)
        self.history.best_epoch = np.zeros(network.n_members, dtype=np.int64)

    def train_epoch(self, epoch: int) -> None:
        """Take one pass over every member's training rows."""
        if self.recipe.hold_then_fade:
            self.network.body.set_dropout(self.dropout * flat_cosine((epoch - 1) / self.n_epochs))
        self.network.train()
        total = torch.zeros(self.network.n_members, device=self.lesson.rows.device)
        batches = zip(range(self.n_steps), self._batches(), strict=False)
        for step, (inputs, y, weights) in batches:
            done = (epoch - 1) * self.n_steps + step
            set_rates(self.optimizer, self.recipe, done / (self.n_epochs * self.n_steps))
            total += (self._step(inputs, y, weights) * weights).sum(dim=1)
        self.history.train_loss.append((total / self.n_steps).cpu().numpy())

    def _batches(self) -> Iterator[tuple[Encoded, Tensor, Tensor]]:
        """Yield inputs, classes (K, B) and loss weights (K, B) of each batch, in new order.

        Classes and weights are gathered for many batches at once, but not for all rows
        of a large table.
        """
        size = self.batch_size * max(_GATHERED_ROWS // self.batch_size, 1)
        for order in torch.split(self._shuffle(), size, dim=1):
            y = self.lesson.y[order]
            inputs = self.lesson.rows.batches(order, self.batch_size)
            classes, weights = in_batches(y, self.batch_size), self._loss_weights(order, y)
            yield from zip(inputs, classes, weights, strict=True)

    def _step(self, inputs: Encoded, y: Tensor, weights: Tensor) -> Tensor:
        """Take one step; returns the loss of each sample, shape (K, B)."""
        if self.is_plain:
            losses = closed_form_gradients(self.network, inputs.features, y, weights)
        else:
            for parameter in self.parameters:
                parameter.grad = None
            logits = self.network(inputs).float()
            losses = sample_losses(logits, y, label_smoothing=self.recipe.label_smoothing)
            torch.autograd.backward(losses, weights)
        self.optimizer.step()
        return losses.detach()

    def _shuffle(self) -> Tensor:
        """Return each member's rows in new order, shape (K, M).

        A member with fewer rows than the largest begins anew until it has as many.
        """
        train = self.lesson.train
        for own, count, generator in zip(
            self.positions, train.counts, self.generators, strict=True
        ):
            _shuffle_into(own, count, generator)
        torch.gather(train.row_idx, 1, self.positions, out=self.order)
        return self.order.to(self.lesson.rows.device)

    def _loss_weights(self, order: Tensor, y: Tensor) -> list[Tensor]:
        """Return the weights of each batch's losses, (K, B) each."""
        parts = []
        if self.lesson.weight is not None:
            parts.append(self.lesson.weight[order])
        if self.lesson.class_weight is not None:
            parts.append(self.lesson.class_weight.gather(1, y))
        if not parts:
            full, n_rest = divmod(order.shape[1], self.batch_size)
            sizes = [self.batch_size] * full + [n_rest] * (n_rest > 0)
            device = order.device
            even = {n: loss_weights(None, (len(order), n)).to(device) for n in set(sizes)}
            return [even[n_samples] for n_samples in sizes]
        weight = torch.stack(parts).prod(dim=0)
        batches = in_batches(weight, self.batch_size)
        return [loss_weights(batch, tuple(batch.shape)) for batch in batches]

    def validate(self, epoch: int) -> bool:
        """Measure validation log loss and remember improved members."""
        is_validation = self.lesson.validation.row_idx.shape[1] > 0
        if is_validation:
            losses = self._validation_log_loss()
            self.history.validation_log_loss.append(losses)
        if self.recipe.keep == "last" or not is_validation:
            self.history.best_epoch[:] = epoch
            return is_validation
        judged = losses_of_others(losses, self.lesson.repeat)
        improved = judged < self.best_loss
        self.best_loss[improved] = judged[improved]
        self.history.best_epoch[improved] = epoch
        chosen = torch.from_numpy(np.flatnonzero(improved)).to(self.lesson.rows.device)
        if len(chosen):
            for name, parameter in self.network.named_parameters():
                self.best[name][chosen] = parameter.detach()[chosen]
        return is_validation

    @torch.no_grad()
    def _validation_log_loss(self) -> np.ndarray:
        self.network.eval()
        validation = self.lesson.validation
        device = self.lesson.rows.device
        total = torch.zeros(self.network.n_members, device=device)
        weight_total = torch.zeros_like(total)
        row_idx, mask = validation.row_idx.to(device), validation.mask().to(device)
        for span, inputs in self.lesson.rows.in_spans(row_idx):
            rows = row_idx[:, span]
            weight = mask[:, span]
            if self.lesson.weight is not None:
                weight = weight * self.lesson.weight[rows]
            losses = sample_losses(self.network(inputs).float(), self.lesson.y[rows])
            total += (losses * weight).sum(dim=1)
            weight_total += weight.sum(dim=1)
        losses_by_member: np.ndarray = (total / weight_total).double().cpu().numpy()
        return losses_by_member

    def last_loss(self) -> float:
        """Return the mean over members of the newest validation or training loss."""
        history = self.history.validation_log_loss or self.history.train_loss
        return float(np.mean(history[-1]))

    def is_over(self, epoch: int) -> bool:
        """Whether no member improved for `patience` epochs."""
        if not self.recipe.patience or not self.history.validation_log_loss:
            return False
        if self.recipe.keep == "last":
            return False
        return bool(epoch - self.history.best_epoch.max() >= self.recipe.patience)

    @torch.no_grad()
    def finish(self) -> None:
        """Put the epochs to keep into the network and check them."""
        self.network.eval()
        self.network.body.set_dropout(self.dropout)
        if self.recipe.keep == "best" and self.history.validation_log_loss:
            for name, parameter in self.network.named_parameters():
                parameter.copy_(self.best[name])
        is_finite = all(bool(p.isfinite().all()) for p in self.network.parameters())
        if not is_finite or bool((self.history.best_epoch == 0).any()):
            raise UserError(
                "the training diverged: the loss is no longer a number",
                where=f"train.learning_rate = {self.recipe.learning_rate}",
                fix="Choose a smaller learning rate",
            )


def _shuffle_into(positions: Tensor, count: int, generator: torch.Generator) -> None:
    """Fill `positions`, shape (M,), with shuffles of `count` rows, one after the other."""
    if count == len(positions):
        torch.randperm(count, generator=generator, out=positions)
        return
    passes = -(-len(positions) // count)
    shuffles = [torch.randperm(count, generator=generator) for _ in range(passes)]
    positions.copy_(torch.cat(shuffles)[: len(positions)])
