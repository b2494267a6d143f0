"""A population before its training: a network with fitted inputs, and its lesson.

Comes in: samples. Goes out: what `train_population` needs, for all members or some.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from assay.errors import UserError
from assay.nn.network import Network, check_size
from assay.nn.statistics import inner_parts
from assay.recipe import Recipe
from assay.samples import Samples
from assay.training.rows import CACHE_BYTES, EncodedRows, Lesson, RowSet


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
    n_members, n_classes = len(samples.split.train), samples.target.n_classes
    model = recipe.model.settled(samples.arrays.n_rows)
    check_size(samples.encoder, model, n_members=n_members, n_classes=n_classes)
    network = Network(
        samples.encoder, model, n_members=n_members, n_classes=n_classes, seed=recipe.seed
    )
    split = samples.split
    repeat = tuple(repeat for repeat, _ in split.member_fold)
    parts = inner_parts(split.train, split.validation, repeat)
    scores = network.fit(samples.arrays, split.train, samples.y, parts=parts)
    network.to(device)
    rows = EncodedRows(network, samples.arrays, device, scores=scores, cache_bytes=cache_bytes)
    return Setup(samples, network, _make_lesson(rows, samples, recipe))


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


def first_members(samples: Samples, share: float) -> np.ndarray:
    """Return the members of about a share of the repeats, one repeat at the least.

    Without folds each member is a repeat of its own.

    Returns:
        Indices, shape (K',).
    """
    repeat = np.array([repeat for repeat, _ in samples.split.member_fold])
    n_kept = max(int(share * (repeat.max() + 1)), 1)
    return np.flatnonzero(repeat < n_kept)


def without_diverged(setup: Setup, is_sound: np.ndarray, recipe: Recipe) -> Setup:
    """Return a trained population without the members whose weights are no numbers.

    Args:
        setup: Trained.
        is_sound: Shape (K,): the members to keep, one at the least.
        recipe: All choices.
    """
    member_idx = np.flatnonzero(is_sound)
    samples = of_members(setup.samples, member_idx)
    kept = set_up(samples, recipe, setup.lesson.rows.device, cache_bytes=0)
    trained = setup.network.state_dict()
    with torch.no_grad():
        for name, value in kept.network.state_dict(keep_vars=True).items():
            whole = trained[name]  # led by the member, unless it is the same for all
            is_shared = whole.shape == value.shape
            value.copy_(whole if is_shared else whole[torch.from_numpy(member_idx)])
        for buffer, fitted in zip(kept.network.buffers(), setup.network.buffers(), strict=True):
            if buffer.shape != fitted.shape:  # one entry per member; fits of texts are shared
                buffer.copy_(fitted[torch.from_numpy(member_idx)])
    kept.network.eval()
    validation = setup.lesson.validation  # which a budget may have made smaller
    counts = tuple(validation.counts[idx] for idx in member_idx)
    own = RowSet(validation.row_idx[torch.from_numpy(member_idx)], counts)
    return replace(kept, lesson=replace(kept.lesson, validation=own))


def even_sample(row_set: RowSet, most: int) -> RowSet:
    """Return a row set of at most `most` rows of each member, taken evenly.

    Example:
        >>> rows = RowSet.of(np.ones((1, 10), dtype=bool))
        >>> even_sample(rows, 4).row_idx.tolist()
        [[0, 3, 6, 9]]
    """
    n_rows = row_set.row_idx.shape[1]
    stride = -(-n_rows // max(most, 1)) if n_rows else 1
    if stride == 1:
        return row_set
    counts = tuple(-(-count // stride) for count in row_set.counts)
    return RowSet(row_set.row_idx[:, ::stride].contiguous(), counts)


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
        repeat=tuple(repeat for repeat, _ in split.member_fold),
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
