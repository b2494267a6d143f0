"""Memory at its peak: estimated before a training, and told when it runs out.

Comes in: samples and a budget. Goes out: what to leave out so that the peak stays
below it, or an error that names the estimate. The figures follow the arrays that
training and evaluation hold at the same time; `benchmarks/budget.py` compares them
with what the system measures.
"""

import contextlib
import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from assay.amounts import size_text
from assay.errors import UserError
from assay.machine import physical_bytes, resident_bytes
from assay.nn.network import Network, check_size
from assay.nn.population import pool_bytes
from assay.recipe import Recipe
from assay.samples import Samples
from assay.training.device import gpu_memory
from assay.training.plan import Plan
from assay.training.rows import CACHE_BYTES
from assay.training.text_memory import TextNeeds

COMPARED_CELLS = 1_000_000  # rows x classes that candidates are compared on
COMPARED_ROWS = 5_000  # at the least, where there are as many
_TRAINED = 28  # bytes a weight: float32 of it, its gradient, two moments, best, a trial copy
_TRAINED_AT_LEAST = 12  # the same without moments, which not every optimizer has, and copy
_SHIPPED = 52  # float32 of it, its gradient, and copies in the graph, its text and the file
_WORKSPACE_BYTES = 96 << 20  # chunks of batches and spans of predictions
_LIBRARY_BYTES = 100 << 20  # of code that is loaded only when training and evaluation begin
_CACHING = 2.5  # encoding all rows at once holds this many times what is kept
_JUDGED = 8 * 30  # bytes a judged row: sums, order and ranks of the bootstrap
_JUDGED_CLASS = 8 * 12  # bytes a judged row and class: of all candidates, and copies
_REPEATED = 12  # bytes a row, class and repeat: what networks and class shares said of it
_REPEATED_RIVAL = 4  # the same of a simpler model
_COMPARED = 30  # bytes a row that is compared, class, repeat and candidate
_GPU_FIX = (
    "Choose narrower layers (model.hidden), a smaller train.batch_size or fewer split.repeats, "
    'give fewer rows, end what else runs on the GPU, or set train.device = "cpu"'
)
_TRAINING = "the training"
_HOPELESS = 2  # a table of text takes at least this many times its size in memory
_FAILED_ALLOCATION = ("not enough memory", "can't allocate memory", "failed to allocate memory")
_FAILED_ON_GPU = (
    "cuda out of memory",
    "cuda error: out of memory",
    "_status_alloc_failed",
    "cublas_status_not_initialized",  # what cuBLAS says where no room is left for itself
)


@dataclass(frozen=True)
class Needs:
    """What decides how much memory a training takes.

    Attributes:
        n_rows: N.
        n_classes: C.
        n_train: Training rows of the largest member.
        n_validated: Validation rows of the largest member.
        n_test: Rows held out as a test.
        row_bytes: Of an encoded row, before the network's own input layers.
        n_inputs: F of the network.
        widths: Of the hidden layers.
        member_bytes: Of the fitted statistics of a member.
        n_weights: Of a member.
        batch_size: B.
        text: Of the text columns.
        n_folds: Members of a repeat; each repeat judges the rows anew.
        n_rivals: Simpler models beside the networks.
    """

    n_rows: int
    n_classes: int
    n_train: int
    n_validated: int
    n_test: int
    row_bytes: int
    n_inputs: int
    widths: tuple[int, ...]
    member_bytes: int
    n_weights: int
    batch_size: int
    text: TextNeeds
    n_folds: int = 1_000_000  # one repeat, however many members
    n_rivals: int = 0

    @classmethod
    def of(cls, samples: Samples, recipe: Recipe) -> "Needs":
        """Return the needs of a training; a network of one member is made to measure it."""
        split, n_classes = samples.split, samples.target.n_classes
        model = recipe.model.settled(samples.arrays.n_rows)
        check_size(samples.encoder, model, n_members=len(split.train), n_classes=n_classes)
        one = Network(samples.encoder, model, n_members=1, n_classes=n_classes, seed=0)
        n_train = int(split.train.sum(axis=1).max())
        parts = (samples.arrays.numeric, samples.arrays.codes, samples.arrays.text)
        return cls(
            n_rows=samples.arrays.n_rows,
            n_classes=n_classes,
            n_train=n_train,
            n_validated=int(split.validation.sum(axis=1).max()),
            n_test=int(split.test.sum()),
            row_bytes=sum(part.shape[1] * part.itemsize for part in parts),
            n_inputs=one.n_inputs,
            widths=model.widths,
            member_bytes=sum(part.numel() * part.element_size() for part in one.buffers()),
            n_weights=sum(part.numel() for part in one.parameters()),
            batch_size=Plan.of(recipe.train, n_train).batch_size,
            text=TextNeeds.of(
                samples.encoder.text,
                n_scores=one.text.n_scores,
                n_folds=1 + max(fold for _, fold in split.member_fold),
            ),
            n_folds=len(split.train) // split.n_repeats,
            n_rivals=len(recipe.model.candidates),
        )

    def cache_bytes(self, n_members: int) -> int:
        """Return the size of the inputs of all rows, encoded by every member."""
        return 4 * n_members * self.n_rows * self.n_inputs

    def peak_bytes(self, n_members: int, *, most_cached: int) -> int:
        """Return what training and evaluation take on top of the encoded rows."""
        cached = self.cache_bytes(n_members)
        kept = cached if cached <= most_cached else 0
        common = n_members * self.member_bytes + _WORKSPACE_BYTES + _LIBRARY_BYTES
        common += n_members * (self.n_train + self.n_validated) * 8 + 8 * self.n_rows
        common += self.text.kept_bytes(n_members, self.n_rows)
        step = n_members * self.batch_size
        training = kept + n_members * self.n_weights * _TRAINED
        training += n_members * self.n_train * 8  # shuffled positions
        training += step * 4 * (2 * self.n_inputs + 3 * sum(self.widths))
        training += sum(pool_bytes(step * width) for width in self.widths)
        evaluation = kept + n_members * self.n_weights * _SHIPPED
        n_judged = max(self.n_rows, self.n_test)
        evaluation += n_judged * (_JUDGED + _JUDGED_CLASS * self.n_classes)
        evaluation += self._repeated_bytes(n_members) + self.n_test * self.row_bytes
        evaluation += self.text.shipping_bytes(n_members, self.n_test)
        fitting = self.text.fitting_bytes(n_members, self.n_rows)
        return common + max(fitting, int(_CACHING * kept), training, evaluation)

    def gpu_bytes(self, n_members: int) -> int:
        """Return what a training takes of a GPU at the least, no inputs kept encoded.

        Read off the arrays; it has not been compared with a GPU yet.
        """
        rows = self.n_rows * (self.row_bytes - self.text.ngram_bytes)
        rows += self.text.kept_bytes(n_members, self.n_rows)
        networks = n_members * (self.member_bytes + self.n_weights * _TRAINED_AT_LEAST)
        step = n_members * self.batch_size * 4 * (2 * self.n_inputs + 3 * sum(self.widths))
        return rows + networks + step

    def _repeated_bytes(self, n_members: int) -> int:
        """Return what repeats beyond the first add where rows are judged and compared.

        Members without folds are repeats of their own.
        """
        if not self.n_validated:
            return 0
        n_more = -(-n_members // self.n_folds) - 1
        n_candidates = self.n_rivals + 2 if self.n_rivals else 1  # a blend, too
        n_compared = min(self.n_rows, max(COMPARED_CELLS // self.n_classes, COMPARED_ROWS))
        a_cell = _REPEATED + _REPEATED_RIVAL * self.n_rivals
        n_bytes = a_cell * self.n_rows + _COMPARED * n_candidates * n_compared
        return n_more * self.n_classes * n_bytes


@dataclass(frozen=True)
class Fitted:
    """What fits into the memory.

    Attributes:
        n_repeats: Repeats to train, one at the least.
        cache_bytes: Inputs are kept encoded up to this size.
        peak_bytes: The estimate, with all that the process holds already.
    """

    n_repeats: int
    cache_bytes: int
    peak_bytes: int


def fit_into(
    needs: Needs, *, n_members: int, n_repeats: int, held_bytes: int, limit_bytes: int
) -> Fitted | None:
    """Return the most that stays below a limit, or None where nothing does.

    Inputs are encoded batch by batch before repeats are left out.

    Args:
        needs: Of the training.
        n_members: K of all repeats.
        n_repeats: Repeats of the folds, or members without folds.
        held_bytes: What the process holds already.
        limit_bytes: Of the peak.
    """
    for n_kept in range(n_repeats, 0, -1):
        for cache_bytes in (CACHE_BYTES, 0):
            k = n_members * n_kept // n_repeats
            peak = held_bytes + needs.peak_bytes(k, most_cached=cache_bytes)
            if peak <= limit_bytes:
                return Fitted(n_kept, cache_bytes, peak)
    return None


def too_large(peak_bytes: float, recipe: Recipe, *, what: str = _TRAINING) -> UserError:
    """Return the error of a training that needs more memory than it may have."""
    budget, is_training = recipe.train.memory, what == _TRAINING
    there_is = "" if budget else f", the machine has {size_text(physical_bytes())}"
    return UserError(
        f"{what} needs about {size_text(peak_bytes)} of memory{there_is}",
        where=f"train.memory = {budget!r}",
        fix="Allow more, choose narrower layers (model.hidden) or a smaller "
        "train.batch_size, or give fewer rows"
        if is_training
        else "Allow more, or give fewer rows",
    )


def check_gpu(needs: Needs, n_members: int, device: torch.device) -> int:
    """Refuse a training that a GPU has no memory for, however it is gone about.

    Args:
        needs: Of the training.
        n_members: K.
        device: Where it runs.

    Returns:
        The bytes that it takes of a GPU at the least; 0 of another device.

    Raises:
        UserError: There are not as many free.
    """
    memory = gpu_memory(device)
    if memory is None:
        return 0
    needed = needs.gpu_bytes(n_members)
    if needed > memory[0]:
        raise UserError(
            f"{n_members} networks need at least {size_text(needed)} of the GPU's memory"
            f"{_free_on(device)}",
            where="training",
            fix=_GPU_FIX,
        )
    return needed


def check_source(source: object, recipe: Recipe) -> None:
    """Refuse a file that no training within the budget can hold.

    Raises:
        UserError: The bytes of the file alone are over the budget of memory.
    """
    limit = recipe.train.memory_bytes
    if limit is None:
        return
    n_bytes = 0
    if isinstance(source, str | os.PathLike) and os.path.isfile(source):
        is_text = os.fspath(source).endswith((".csv", ".tsv", ".txt", ".json", ".jsonl"))
        n_bytes = os.path.getsize(source) * (_HOPELESS if is_text else 1)
    needed = resident_bytes() + n_bytes
    if needed > limit:
        raise too_large(needed, recipe, what="to read the table alone")


@contextlib.contextmanager
def telling_when_out_of_memory(
    estimate: Callable[[], int],
    device: torch.device | None = None,
    gpu_estimate: Callable[[], int] = int,
) -> Iterator[None]:
    """Turn a failed allocation into an error that names the estimate and the options.

    What the failed work held is let go of, though the error is kept, as a notebook does.

    Args:
        estimate: Gives the bytes of the peak as last estimated, 0 before any estimate.
        device: Where the training runs; None for no GPU, or the current one.
        gpu_estimate: The same of a GPU, at the least.

    Raises:
        UserError: Memory ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_allocation(error):
            raise
        traceback.clear_frames(error.__traceback__)
        if _is_of_gpu(error):
            least = gpu_estimate()
            known = f"; the estimate was {size_text(least)} at the least" if least else ""
            raise UserError(
                f"the memory of the GPU ran out{_free_on(device)}{known}",
                where="training",
                fix=_GPU_FIX,
            ) from None
        peak = estimate()
        known = f"; the estimate was {size_text(peak)} at the peak" if peak else ""
        raise UserError(
            f"memory ran out{known}",
            where="training" if peak else "reading",
            fix="Set train.memory (--memory) to what there is, choose narrower layers "
            "(model.hidden) or a smaller train.batch_size, or give fewer rows",
        ) from None


def is_allocation(error: Exception) -> bool:
    """Whether an error tells that memory, of the machine or of a GPU, did not suffice."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return any(words in text for words in (*_FAILED_ALLOCATION, *_FAILED_ON_GPU))


def _is_of_gpu(error: Exception) -> bool:
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return any(words in str(error).lower() for words in _FAILED_ON_GPU)


def _free_on(device: torch.device | None) -> str:
    """Return what is free on a GPU, as the end of a clause; nothing where it does not tell."""
    if device is None or device.type != "cuda":
        device = torch.device("cuda")
    memory = gpu_memory(device)
    return "" if memory is None else f": {size_text(memory[0])} of {size_text(memory[1])} are free"
