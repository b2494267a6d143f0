"""The training loop: run, epoch, step, for all members at once.

Comes in: a network with fitted inputs, encoded rows, and who trains on what.
Goes out: the trained network and its history. Nothing is read or written here, but for
checkpoints, by the keeper that is handed in.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from assay.errors import UserError
from assay.nn.network import Encoded, Network
from assay.options import TrainRecipe
from assay.training.checkpoint import (
    NAME,
    Keeper,
    capture,
    capture_finished,
    identity,
    n_threads_of,
    restore,
)
from assay.training.device import STEPS_AHEAD, computing, wait_for
from assay.training.history import History, Observer
from assay.training.interruption import Interruption
from assay.training.loss import loss_weights, sample_losses
from assay.training.plan import Pacer, Plan, settled
from assay.training.rows import Lesson, in_batches
from assay.training.schedule import flat_cosine
from assay.training.selection import TEMPERATURES, Selection
from assay.training.step import make_step

_GATHERED_ROWS = 1 << 15  # of each member, at once


def train_population(
    network: Network,
    lesson: Lesson,
    recipe: TrainRecipe,
    *,
    seed: int,
    observer: Observer,
    pacer: Pacer | None = None,
    keeper: Keeper | None = None,
) -> History:
    """Train every member; afterwards the network holds the epochs to keep.

    A member whose loss is no longer a number is left behind, for the others share
    nothing with it; the history tells which are sound.

    Args:
        network: With fitted input layers; changed in place.
        lesson: Rows, classes and who learns from which.
        recipe: The section [train].
        seed: Member k shuffles by (seed, k).
        observer: Is told after each epoch.
        pacer: How many epochs, and until when; by default the recipe's, whatever it takes.
        keeper: Where checkpoints go, or None for a training that cannot be resumed. One
            that it holds already is gone on from, to the same bytes. With a keeper,
            Ctrl-C ends the training once a checkpoint is written; a second one at once.

    Raises:
        UserError: The training of every member diverged, or the checkpoint is that of
            another training.
    """
    pacer = pacer or Pacer(Plan.of(recipe, max(lesson.train.counts)))
    run = Run(network, lesson, recipe, pacer, seed, keeper=keeper)
    kept = None if keeper is None else keeper.read(NAME)
    step_size = network.n_members * pacer.plan.batch_size * network.widest
    with computing(
        recipe,
        lesson.rows.device,
        step_size=step_size,
        seed=seed,
        n_threads=None if kept is None else n_threads_of(kept),
    ):
        is_over = kept is not None and restore(run, *kept)
        del kept  # as large as weights and optimizer together
        if not is_over:
            _train(run, observer)
    return run.history


def _train(run: "Run", observer: Observer) -> None:
    """Train from where the run stands to the end."""
    with run.interruption:
        while not run.is_over(run.epoch):
            epoch = run.epoch + 1
            run.train_epoch(epoch)
            is_validation = run.validate(epoch)
            run.pacer.replan(epoch)
            observer.on_epoch(
                epoch, run.pacer.n_epochs, log_loss=run.last_loss(), is_validation=is_validation
            )
            run.epoch = epoch
            run.keep_if_due()
        run.finish()
        if run.keeper is not None:
            is_stopping = run.interruption.is_told
            run.keeper.write(NAME, *capture_finished(run), is_stopping=is_stopping)


class Run:
    """The state of one training.

    Attributes:
        epoch: Epochs that are over, validation included.
        n_done: Steps that the epoch after them has taken.
        loss_sum: Sums over those steps of the members' mean losses, shape (K,).
    """

    def __init__(
        self,
        network: Network,
        lesson: Lesson,
        recipe: TrainRecipe,
        pacer: Pacer,
        seed: int,
        *,
        keeper: Keeper | None = None,
    ) -> None:
        n_steps = pacer.plan.n_epochs * pacer.plan.n_steps
        recipe = settled(recipe, lesson.rows.n_rows, n_steps)
        self.network, self.lesson, self.recipe = network, lesson, recipe
        self.pacer, self.batch_size = pacer, pacer.plan.batch_size
        self.keeper = keeper
        self.interruption = Interruption(is_awaited=keeper is not None)
        self.identity: dict[str, Any] = {}
        if keeper is not None:
            self.identity = identity(network, lesson, recipe, pacer.plan, seed)
        self.epoch, self.n_done = 0, 0
        self.loss_sum = torch.zeros(network.n_members, device=lesson.rows.device)
        # Kept from epoch to epoch: large blocks allocated anew each time scatter the heap.
        self.positions = torch.empty_like(lesson.train.row_idx)
        self.history = History()
        self.dropout = network.body.dropout
        self.step = make_step(
            network, recipe, device=lesson.rows.device, batch_size=self.batch_size
        )
        self.generators = [
            torch.Generator().manual_seed((seed * 7_919 + 104_729 + idx) % 2**63)
            for idx in range(network.n_members)
        ]
        self._shuffled_from: list[Tensor] = []  # states of the generators
        self.best = {name: p.detach().clone() for name, p in network.named_parameters()}
        self.selection = Selection(recipe, lesson.repeat, n_train=max(lesson.train.counts))
        self.history.best_epoch = self.selection.best_epoch

    def train_epoch(self, epoch: int) -> None:
        """Take one pass over every member's training rows, or what of it time allows.

        Goes on where `n_done` stands, as after a checkpoint within the epoch; `end_epoch`
        closes it.
        """
        pacer = self.pacer
        if self.n_done == 0:
            self.loss_sum.zero_()
            if self.recipe.hold_then_fade:
                self.network.body.set_dropout(self.dropout * flat_cosine(pacer.progress(epoch, 0)))
        self.network.train()
        steps = range(self.n_done, pacer.plan.n_steps)
        for step, batch in zip(steps, self.batches(self.n_done), strict=False):
            if pacer.has_deadline and step % STEPS_AHEAD == 0:
                wait_for(self.lesson.rows.device)
            if pacer.is_late():
                break
            self.step.set_rates(pacer.progress(epoch, step))
            self.loss_sum += (self.step(*batch) * batch[2]).sum(dim=1)
            self.n_done += 1
            pacer.n_steps_done += 1
            self.keep_if_due()

    def end_epoch(self) -> None:
        """Note the training loss of the steps taken; the next epoch begins anew."""
        self.history.train_loss.append((self.loss_sum / max(self.n_done, 1)).cpu().numpy())
        self.n_done = 0

    def keep_if_due(self) -> None:
        """Write a checkpoint where the keeper asks for one, or the training is to end."""
        if self.keeper is not None and self.keeper.is_due():
            self._keep(self.keeper)
        else:
            self.keep_if_told()

    def keep_if_told(self) -> None:
        """Write a checkpoint where the training is to end, and end it."""
        if self.keeper is not None and self.interruption.is_told:
            self._keep(self.keeper)

    def _keep(self, keeper: Keeper) -> None:
        if self.pacer.n_steps_done:
            keeper.write(NAME, *capture(self), is_stopping=self.interruption.is_told)
        self.interruption.pass_on()

    def batches(self, n_done: int = 0) -> Iterator[tuple[Encoded, Tensor, Tensor]]:
        """Yield inputs, classes (K, B) and loss weights (K, B) of each batch, in new order.

        Classes and weights are gathered for many batches at once, but not for all rows
        of a large table.

        Args:
            n_done: Batches to leave out. They are gathered with those that follow, so
                that these lie in memory as ever: products may round by the alignment.
        """
        per_span = max(_GATHERED_ROWS // self.batch_size, 1)
        spans = torch.split(self.shuffle(), self.batch_size * per_span, dim=1)
        n_spans, n_left_out = divmod(n_done, per_span)
        return islice(self._gathered(spans[n_spans:]), n_left_out, None)

    def _gathered(self, spans: Sequence[Tensor]) -> Iterator[tuple[Encoded, Tensor, Tensor]]:
        """Yield the batches of spans of shuffled positions, (K, M') each.

        Rows are put in order here, a span at a time: in memory that all of them would fill.
        """
        for positions in spans:
            order = torch.gather(self.lesson.train.row_idx, 1, positions)
            order = order.to(self.lesson.rows.device)
            y = self.lesson.y[order]
            inputs = self.lesson.rows.batches(order, self.batch_size)
            classes, weights = in_batches(y, self.batch_size), self._loss_weights(order, y)
            yield from zip(inputs, classes, weights, strict=True)

    def shuffle(self) -> Tensor:
        """Return positions among each member's training rows in new order, shape (K, M).

        The next call writes into the same memory.
        A member with fewer rows than the largest begins anew until it has as many.
        """
        train = self.lesson.train
        if self.keeper is not None:
            self._shuffled_from = [generator.get_state() for generator in self.generators]
        for own, count, generator in zip(
            self.positions, train.counts, self.generators, strict=True
        ):
            _shuffle_into(own, count, generator)
        return self.positions

    def order_states(self) -> Tensor:
        """Return from which states the generators shuffle the epoch that is running or next."""
        states = [generator.get_state() for generator in self.generators]
        return torch.stack(self._shuffled_from if self.n_done else states)

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
        """End the epoch: measure validation log loss and remember improved members."""
        is_validation = self.lesson.validation.row_idx.shape[1] > 0
        if is_validation:
            losses = self.validation_losses()  # which may be cut short: nothing is noted before
            self.history.validation_log_loss.append(losses[0])
        self.end_epoch()
        if self.recipe.keep == "last" or not is_validation:
            self.history.best_epoch[:] = epoch
            return is_validation
        middle = self.pacer.progress(epoch + 1, self.pacer.plan.n_steps // 2)
        self._remember(self.selection.judge(losses, progress=middle), epoch)
        return is_validation

    def _remember(self, improved: np.ndarray, epoch: int) -> None:
        """Let members keep the newest epoch, where their weights are numbers; shape (K,)."""
        if not improved.any():
            return
        improved = improved & self._is_finite()
        self.selection.keep(improved, epoch)
        chosen = torch.from_numpy(np.flatnonzero(improved)).to(self.lesson.rows.device)
        for name, parameter in self.network.named_parameters():
            self.best[name][chosen] = parameter.detach()[chosen]

    @torch.no_grad()
    def validation_losses(self) -> np.ndarray:
        """Return each member's log loss at each temperature in question, shape (T, K)."""
        self.network.eval()
        validation = self.lesson.validation
        device = self.lesson.rows.device
        temperatures = TEMPERATURES if self.recipe.keep == "best" else TEMPERATURES[:1]
        total = torch.zeros(len(temperatures), self.network.n_members, device=device)
        weight_total = torch.zeros(self.network.n_members, device=device)
        row_idx, mask = validation.row_idx.to(device), validation.mask().to(device)
        for span, inputs in self.lesson.rows.in_spans(row_idx):
            self.keep_if_told()
            rows = row_idx[:, span]
            weight = mask[:, span]
            if self.lesson.weight is not None:
                weight = weight * self.lesson.weight[rows]
            logits = self.network(inputs).float()
            for idx, temperature in enumerate(temperatures):
                losses = sample_losses(logits / temperature, self.lesson.y[rows])
                total[idx] += (losses * weight).sum(dim=1)
            weight_total += weight.sum(dim=1)
        losses_by_member: np.ndarray = (total / weight_total).double().cpu().numpy()
        return losses_by_member

    def last_loss(self) -> float:
        """Return the mean over members of the newest validation or training loss."""
        history = self.history.validation_log_loss or self.history.train_loss
        known = history[-1][np.isfinite(history[-1])]
        return float(known.mean()) if len(known) else float("nan")

    def is_over(self, epoch: int) -> bool:
        """Whether nothing is left to do after `epoch` epochs, or nothing left to gain."""
        if epoch == 0 or self.n_done:  # an epoch that was begun is brought to its end
            return False
        if epoch >= self.pacer.n_epochs or self.pacer.is_late():
            return True
        if not np.isfinite(self.history.train_loss[-1]).any():
            return True
        return self.selection.is_over(epoch)

    @torch.no_grad()
    def _is_finite(self) -> np.ndarray:
        """Return which members' weights are numbers, shape (K,)."""
        parts = [p.flatten(1).isfinite().all(dim=1) for p in self.network.parameters()]
        result: np.ndarray = torch.stack(parts).all(dim=0).cpu().numpy()
        return result

    @torch.no_grad()
    def finish(self) -> None:
        """Put the epochs to keep into the network and check them."""
        history, n_epochs = self.history, len(self.history.train_loss)
        self.network.eval()
        self.network.body.set_dropout(self.dropout)
        history.n_passes = self.pacer.n_steps_done / self.pacer.plan.n_steps
        is_short = self.pacer.n_steps_done < self.pacer.plan.n_epochs * self.pacer.plan.n_steps
        history.is_cut = is_short and (n_epochs >= self.pacer.n_epochs or self.pacer.is_late())
        is_best = self.recipe.keep == "best" and bool(history.validation_log_loss)
        if is_best:
            self._remember(self.selection.improved(), n_epochs)
            for name, parameter in self.network.named_parameters():
                parameter.copy_(self.best[name])
        history.is_sound = self._is_finite() & (history.best_epoch > 0)
        if not is_best:
            history.is_sound &= np.isfinite(history.train_loss[-1])
        if not history.is_sound.any():
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
