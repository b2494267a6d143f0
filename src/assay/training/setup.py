"""A population before its training: a network with fitted inputs, and its lesson.

Comes in: samples. Goes out: what `train_population` needs, for all members or some.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from assay.deal import sample_rows
from assay.errors import UserError
from assay.ledger import Ledger
from assay.nn.network import Network, check_size
from assay.nn.parts import inner_parts
from assay.recipe import Recipe
from assay.samples import Samples
from assay.training.rows import CACHE_BYTES, EncodedRows, Lesson, RowSet

_SMOOTH_ROWS = range(201, 1_001)  # to learn from, where every second repeat has no bins
_ALIKE = 0.02  # class weights this near to 1 move no probability by more than 0.01


@dataclass(frozen=True)
class Setup:
    """What a training needs.

    Attributes:
        samples: Rows, and who learns from which.
        network: With fitted input layers.
        lesson: The samples as the training takes them.
    """

    samples: Samples
    network: Network
    lesson: Lesson


def set_up(
    samples: Samples, recipe: Recipe, device: torch.device, *, cache_bytes: int = CACHE_BYTES
) -> Setup:
    """Make a network whose inputs know each member's training rows, and its lesson.

    Args:
        samples: With K members.
        recipe: All choices.
        device: Where the training runs.
        cache_bytes: Encoded inputs are kept in memory up to this size.

    Raises:
        UserError: The network is too large, or a fold has no weight.
    """
    network, split = _network(samples, recipe), samples.split
    parts = inner_parts(split.train, split.validation, split.repeat, split.unit)
    scores = network.fit(
        samples.arrays, split.train, samples.y, parts=parts, row_weight=samples.roles.weight
    )
    network.leave_out_bins(_without_bins(samples, recipe))
    network.to(device)
    rows = EncodedRows(network, samples.arrays, device, scores=scores, cache_bytes=cache_bytes)
    return Setup(samples, network, _make_lesson(rows, samples, recipe))


def tell_class_weights(setup: Setup, recipe: Recipe, ledger: Ledger) -> None:
    """Tell that probabilities are of other shares of the classes than the table's.

    Vector scaling, fitted on rows left out, gives the table's shares back.

    Args:
        setup: Of the training.
        recipe: All choices.
        ledger: Is told where class weights differ, and nothing undoes them.
    """
    weight, is_judged = setup.lesson.class_weight, setup.samples.split.validation.any()
    if weight is None or (recipe.evaluate.calibration == "vector" and is_judged):
        return
    if float((weight.mean(dim=0) - 1.0).abs().max()) <= _ALIKE:
        return
    ledger.add(
        "probabilities are those of equally frequent classes",
        where="training",
        why="each class has the same weight, however many rows it has: rare ones are given "
        "higher probabilities than their share of the rows",
        undo='evaluate.calibration = "vector", or train.class_weight = "none"'
        if is_judged
        else 'train.class_weight = "none"',
    )


def _network(samples: Samples, recipe: Recipe) -> Network:
    """Return a network for the members of the samples, with nothing fitted."""
    n_members, n_classes = len(samples.split.train), samples.target.n_classes
    model = recipe.model.settled(samples.arrays.n_rows)
    check_size(samples.encoder, model, n_members=n_members, n_classes=n_classes)
    return Network(
        samples.encoder, model, n_members=n_members, n_classes=n_classes, seed=recipe.seed
    )


def _without_bins(samples: Samples, recipe: Recipe) -> np.ndarray:
    """Return the members that read numbers without bins.

    With some hundred rows these are the members of every second repeat of the folds, unless
    bins, the start of the weights or no scale of inputs were chosen. They learn straight lines
    and smooth curves sooner, the others thresholds, and the average knows both; docs/engine.md
    tells what that gave.

    Returns:
        Indices, shape (K',), int64.
    """
    encode, model = recipe.encode, recipe.model
    is_usual = encode.bins == "auto" and model.init == "ntk" and model.input_scale
    is_usual &= all(column.bins is None for column in encode.columns.values())
    n_rows = int(np.count_nonzero(samples.split.train.any(axis=0)))
    if not is_usual or not recipe.split.folds or n_rows not in _SMOOTH_ROWS:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.array(samples.split.repeat) % 2)


def of_members(samples: Samples, member_idx: np.ndarray) -> Samples:
    """Return the same rows for some of the members."""
    split = samples.split
    kept = replace(
        split,
        train=split.train[member_idx],
        validation=split.validation[member_idx],
        member_fold=tuple(split.member_fold[idx] for idx in member_idx),
    )
    return replace(samples, split=kept)


def first_members(samples: Samples, n_repeats: int) -> np.ndarray:
    """Return the members of the first `n_repeats` repeats, one repeat at the least.

    Returns:
        Indices, shape (K',).
    """
    return np.flatnonzero(np.array(samples.split.repeat) < max(n_repeats, 1))


def without_diverged(setup: Setup, is_sound: np.ndarray, recipe: Recipe) -> Setup:
    """Return a trained population without the members whose weights are no numbers.

    Args:
        setup: Trained.
        is_sound: Shape (K,): the members to keep, one at the least.
        recipe: All choices.
    """
    member_idx = torch.from_numpy(np.flatnonzero(is_sound))
    samples, rows = of_members(setup.samples, member_idx.numpy()), setup.lesson.rows
    network = _network(samples, recipe).to(rows.device)
    trained = setup.network.state_dict()
    with torch.no_grad():
        for name, value in network.state_dict(keep_vars=True).items():
            whole = trained[name]  # led by the member, unless it is the same for all
            value.copy_(whole if whole.shape == value.shape else whole[member_idx])
    network.eval()
    # Nothing is fitted anew: texts are scored by fits that other members take part in.
    lesson = _make_lesson(rows.of_members(network, member_idx), samples, recipe)
    validation = setup.lesson.validation  # which a budget may have made smaller
    counts = tuple(validation.counts[idx] for idx in member_idx.tolist())
    own = RowSet(validation.row_idx[member_idx], counts)
    return Setup(samples, network, replace(lesson, validation=own))


def random_part(row_set: RowSet, most: int, *, weight: torch.Tensor | None = None) -> RowSet:
    """Return a random part of a row set, the same share of each member's rows.

    Args:
        row_set: Rows of each member.
        most: Rows of the member that has most, one at the least.
        weight: Shape (N,): rows of weight 0 say nothing and are left out first, or a
            sample might hold no others.

    Example:
        >>> rows = RowSet.of(np.ones((1, 10), dtype=bool))
        >>> random_part(rows, 4).counts
        (4,)
    """
    n_rows, most = row_set.row_idx.shape[1], max(most, 1)
    if n_rows <= most:
        return row_set
    if weight is not None and not weight.all():
        return random_part(_weighed(row_set, weight), most)
    counts = tuple(-(-count * most // n_rows) for count in row_set.counts)
    row_idx = row_set.row_idx.new_zeros(len(counts), most)
    for member_idx, (before, count) in enumerate(zip(row_set.counts, counts, strict=True)):
        own = row_set.row_idx[member_idx, :before].numpy()[sample_rows(before, count)]
        row_idx[member_idx, :count] = torch.from_numpy(own)
        row_idx[member_idx, count:] = int(own[0]) if count else 0
    return RowSet(row_idx, counts)


def _weighed(row_set: RowSet, weight: torch.Tensor) -> RowSet:
    """Return the rows whose weight is above 0."""
    mask = np.zeros((len(row_set.counts), len(weight)), dtype=bool)
    for own, row_idx, count in zip(mask, row_set.row_idx.numpy(), row_set.counts, strict=True):
        own[row_idx[:count]] = True
    return RowSet.of(mask & (weight > 0.0).cpu().numpy())


def _make_lesson(rows: EncodedRows, samples: Samples, recipe: Recipe) -> Lesson:
    device, y, split = rows.device, samples.y, samples.split
    weight = samples.roles.weight
    if weight is not None:
        _check_weights(weight, split.train, split.validation)
    class_weight = None
    if recipe.train.class_weight == "balanced":
        n_classes = samples.target.n_classes
        counts = np.stack([np.bincount(y[own], minlength=n_classes) for own in split.train])
        shares = counts.sum(axis=1, keepdims=True) / (n_classes * np.maximum(counts, 1))
        class_weight = torch.from_numpy(shares.astype(np.float32)).to(device)
    return Lesson(
        rows=rows,
        y=torch.from_numpy(y).to(device),
        train=RowSet.of(split.train),
        validation=RowSet.of(split.validation),
        repeat=split.repeat,
        weight=None if weight is None else torch.from_numpy(weight).to(device),
        class_weight=class_weight,
    )


def _check_weights(weight: np.ndarray, *masks: np.ndarray) -> None:
    for mask in masks:
        if any(own.any() and not weight[own].any() for own in mask):
            raise UserError(
                "all rows of a fold have the weight 0",
                where="train.sample_weight",
                fix="Leave out rows of weight 0, or use fewer folds",
            )
