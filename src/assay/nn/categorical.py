"""Level codes to features, with states that each member fits on its own rows.

Every code is first looked up in the member's table of *slots*: a level that the
member has not seen is the same to it as one that nobody has seen. Slots then
become one-hot features, numbers, or rows of an embedding.
"""

import numpy as np
import torch
from torch import Tensor, nn

from assay.encode.arrays import FIRST_LEVEL_CODE, MISSING_CODE, UNSEEN_CODE
from assay.encode.features import CategoricalFeature

NO_SLOT = 0  # contributes nothing: all zeros
MISSING_SLOT = 1  # a missing cell where missing is a state of its own


class CategoricalInput(nn.Module):
    """Slots, one-hot features, level numbers and embedding rows per member.

    A missing cell is `MISSING_SLOT` (has_flag), the slot of the fill level, or
    nothing. An unseen level is the rare slot where rare levels are pooled and
    the member has met some, otherwise nothing.

    Args:
        features: F specifications.
        n_members: K.

    Shape:
        - Input: codes (K, B, F) or (1, B, F), integers
        - Output: features (K, B, `n_outputs`) and embedding rows (K, B, `n_embedded`)
    """

    slot_table: Tensor
    value_table: Tensor
    code_offset: Tensor
    value_feature: Tensor
    hot_feature: Tensor
    hot_slot: Tensor
    embedded_feature: Tensor
    row_offset: Tensor

    def __init__(self, features: tuple[CategoricalFeature, ...], n_members: int) -> None:
        super().__init__()
        self.features = features
        n_codes = [len(feature.levels) + FIRST_LEVEL_CODE for feature in features]
        n_slots = [count + 1 for count in n_codes]  # the last slot of a column is "rare"
        values = [i for i, f in enumerate(features) if f.encoding in ("label", "plus_minus")]
        embedded = [i for i, f in enumerate(features) if f.encoding == "embedding"]
        hot = [(i, slot) for i, f in enumerate(features) for slot in _hot_slots(f)]
        rows = np.cumsum([0, *(n_slots[idx] for idx in embedded)])
        self.n_rows = int(rows[-1])
        self.register_buffer("slot_table", torch.zeros(n_members, sum(n_codes), dtype=torch.int32))
        self.register_buffer("value_table", torch.zeros(n_members, sum(n_codes)))
        self.register_buffer("code_offset", _long(np.cumsum([0, *n_codes])[:-1]))
        self.register_buffer("value_feature", _long(values))
        self.register_buffer("hot_feature", _long([idx for idx, _ in hot]))
        self.register_buffer("hot_slot", torch.tensor([s for _, s in hot], dtype=torch.int32))
        self.register_buffer("embedded_feature", _long(embedded))
        self.register_buffer("row_offset", torch.tensor(rows[:-1], dtype=torch.int32))

    @property
    def n_outputs(self) -> int:
        """Number of features that are not embedded."""
        return len(self.hot_feature) + len(self.value_feature)

    @property
    def n_embedded(self) -> int:
        """Number of embedded columns."""
        return len(self.embedded_feature)

    def fit(self, codes: np.ndarray, train: np.ndarray) -> None:
        """Fit every member's slots on its own training rows.

        Args:
            codes: Shape (N, F), integers.
            train: Shape (K, N), bool: the rows of each member.
        """
        for member_idx, rows in enumerate(train):
            own = codes[rows]
            for idx, feature in enumerate(self.features):
                n_codes = len(feature.levels) + FIRST_LEVEL_CODE
                counts = np.bincount(own[:, idx], minlength=n_codes)
                slots, values = _fit_column(counts, feature)
                start = int(self.code_offset[idx])
                self.slot_table[member_idx, start : start + n_codes] = torch.from_numpy(slots)
                self.value_table[member_idx, start : start + n_codes] = torch.from_numpy(values)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and embedding rows of `codes`."""
        position = codes.long() + self.code_offset  # (K or 1, B, F), within one member's table
        slots = _look_up(self.slot_table, position)
        parts = []
        if len(self.hot_feature):
            parts.append((slots.index_select(2, self.hot_feature) == self.hot_slot).float())
        if len(self.value_feature):
            parts.append(_look_up(self.value_table, position.index_select(2, self.value_feature)))
        features = torch.cat(parts, dim=2) if parts else slots.new_zeros((*slots.shape[:2], 0))
        rows = slots.index_select(2, self.embedded_feature)
        return features.float(), torch.where(rows == NO_SLOT, -1, rows + self.row_offset)


def _look_up(table: Tensor, position: Tensor) -> Tensor:
    """Take (K, R)[k, position[k]]; a single set of positions serves all members."""
    n_members, n_rows = table.shape
    member_start = torch.arange(n_members, device=table.device)[:, None, None] * n_rows
    return torch.take(table, position + member_start)


def _hot_slots(feature: CategoricalFeature) -> list[int]:
    """Slots of a column that get a 0/1 feature."""
    missing = [MISSING_SLOT] if feature.has_flag else []
    if feature.encoding == "embedding":
        return []
    if feature.encoding in ("label", "plus_minus"):
        return missing
    n_levels = len(feature.levels)
    first = 1 if feature.encoding == "one_hot_drop_first" else 0
    levels = [FIRST_LEVEL_CODE + idx for idx in range(first, n_levels)]
    rare = [FIRST_LEVEL_CODE + n_levels] if feature.has_rare else []
    return missing + levels + rare


def _fit_column(counts: np.ndarray, feature: CategoricalFeature) -> tuple[np.ndarray, np.ndarray]:
    """Return the slot and the number of each code, given counts of training rows.

    Returns:
        slots: Shape (levels + 2,), int32.
        values: Same shape, float32: -1/+1 for the two levels, or the rank of a
            level among those seen; 0 and -1 stand for everything else.
    """
    counts = counts.copy()
    fill_code = _fill_code(counts, feature)
    if fill_code is not None:
        counts[fill_code] += counts[MISSING_CODE]
    level_counts = counts[FIRST_LEVEL_CODE:]
    is_kept = level_counts >= max(feature.min_count, 1)
    is_rare = (level_counts > 0) & ~is_kept
    rare_slot = len(counts) if feature.has_rare and bool(is_rare.any()) else NO_SLOT
    own_slot = np.arange(FIRST_LEVEL_CODE, len(counts))
    slots = np.empty(len(counts), dtype=np.int32)
    slots[FIRST_LEVEL_CODE:] = np.where(is_kept, own_slot, rare_slot)
    slots[UNSEEN_CODE] = rare_slot
    if fill_code is not None:
        slots[MISSING_CODE] = slots[fill_code]
    else:
        slots[MISSING_CODE] = MISSING_SLOT if feature.has_flag else NO_SLOT
    return slots, _level_values(slots, is_kept, feature)


def _fill_code(counts: np.ndarray, feature: CategoricalFeature) -> int | None:
    """Return the code that a missing cell takes, or None."""
    if feature.fill == "constant" and feature.fill_value in feature.levels:
        return FIRST_LEVEL_CODE + feature.levels.index(feature.fill_value)
    if feature.fill == "mode" and len(feature.levels):
        return FIRST_LEVEL_CODE + int(np.argmax(counts[FIRST_LEVEL_CODE:]))
    return None


def _level_values(
    slots: np.ndarray, is_kept: np.ndarray, feature: CategoricalFeature
) -> np.ndarray:
    if feature.encoding == "plus_minus":
        by_slot = {FIRST_LEVEL_CODE: -1.0, FIRST_LEVEL_CODE + 1: 1.0}
        return np.array([by_slot.get(int(slot), 0.0) for slot in slots], dtype=np.float32)
    kept_slots = FIRST_LEVEL_CODE + np.flatnonzero(is_kept)
    ranks = {int(slot): float(rank) for rank, slot in enumerate(kept_slots)}
    ranks[len(slots)] = float(len(kept_slots))  # the rare slot comes after all levels
    return np.array([ranks.get(int(slot), -1.0) for slot in slots], dtype=np.float32)


def _long(values: list[int] | np.ndarray) -> Tensor:
    return torch.tensor(np.asarray(values, dtype=np.int64))
