"""Numbers to features, with statistics that each member fits on its own rows.

Comes in: raw numbers (K, B, F), NaN where missing. Goes out: scaled numbers, their
piecewise-linear encoding and flags for missing cells, in that order.
"""

import numpy as np
import torch
from torch import Tensor, nn

from assay.deal import sample_rows
from assay.encode.features import NumericFeature
from assay.nn.quartiles import LARGEST_SCALED, quartiles

_LEAST_VALUES = 2_000  # of which a common one gets an edge of its own
MAX_STATISTIC_ROWS = 100_000  # quantiles of more rows move by less than half a percent


class NumericInput(nn.Module):
    """Scaling, bins and flags of the numeric features, one set per member.

    Each feature is filled, centred and scaled by its member's statistics: "robust"
    is (x - median) / IQR, with 2 / (max - min) where the IQR is 0; "standard" uses
    mean and standard deviation, "minmax" maps to [0, 1], "divide" divides by a
    constant. Clipping is z / sqrt(1 + (z/3)^2) (RealMLP, arXiv 2407.04491). Bins
    give clamp((x - left) / width, 0, 1) for each quantile bin (piecewise-linear
    encoding, arXiv 2203.05556).

    Args:
        features: F specifications.
        n_members: K.

    Shape:
        - Input: (K, B, F) or (1, B, F)
        - Output: (K, B, F + total bins + flags)
    """

    fill: Tensor
    center: Tensor
    factor: Tensor
    left: Tensor
    inverse_width: Tensor
    bin_feature: Tensor
    flag_feature: Tensor
    is_clipped: Tensor

    def __init__(self, features: tuple[NumericFeature, ...], n_members: int) -> None:
        super().__init__()
        self.features = features
        n_features = len(features)
        bin_feature = [idx for idx, feature in enumerate(features) for _ in range(feature.n_bins)]
        flags = [idx for idx, feature in enumerate(features) if feature.has_flag]
        clipped = [feature.clip for feature in features]
        self.register_buffer("fill", torch.zeros(n_members, n_features))
        self.register_buffer("center", torch.zeros(n_members, n_features))
        self.register_buffer("factor", torch.ones(n_members, n_features))
        self.register_buffer("left", torch.zeros(n_members, len(bin_feature)))
        self.register_buffer("inverse_width", torch.zeros(n_members, len(bin_feature)))
        self.register_buffer("bin_feature", torch.tensor(bin_feature, dtype=torch.long))
        self.register_buffer("flag_feature", torch.tensor(flags, dtype=torch.long))
        self.register_buffer("is_clipped", torch.tensor(clipped, dtype=torch.bool))
        self.clips_all, self.clips_any = all(clipped), any(clipped)

    @property
    def n_outputs(self) -> int:
        """Width of the output."""
        return len(self.features) + len(self.bin_feature) + len(self.flag_feature)

    def fit(self, numbers: np.ndarray, train: np.ndarray) -> None:
        """Fit every member on its own training rows.

        Args:
            numbers: Shape (N, F), float32, NaN where missing; or (K, N, F) where each
                member has numbers of its own.
            train: Shape (K, N), bool: the rows of each member. Statistics come
                from a random sample of them above `MAX_STATISTIC_ROWS`.
        """
        for member_idx, rows in enumerate(train):
            row_idx = np.flatnonzero(rows)
            chosen = row_idx[sample_rows(len(row_idx), MAX_STATISTIC_ROWS)]
            own = numbers if numbers.ndim == 2 else numbers[member_idx]
            self._fit_member(member_idx, np.sort(own[chosen], axis=0))

    def _fit_member(self, member_idx: int, ordered: np.ndarray) -> None:
        """Fit one member on its rows, sorted by column, NaN last."""
        lefts, inverse_widths = [], []
        n_valid = np.count_nonzero(~np.isnan(ordered), axis=0)
        found = np.zeros((3, len(self.features)))  # fill, center, factor
        middles = quartiles(ordered, n_valid).T
        for idx, feature in enumerate(self.features):
            values = ordered[: n_valid[idx], idx].astype(np.float64)
            found[0, idx] = _fill_value(values, feature, middles[idx])
            found[1:, idx] = _center_and_factor(values, feature, middles[idx])
            left, inverse_width = _bins(values, feature.n_bins)
            lefts.append(left)
            inverse_widths.append(inverse_width)
        for name, own in zip(("fill", "center", "factor"), found, strict=True):
            getattr(self, name)[member_idx] = torch.from_numpy(own)
        if len(self.bin_feature):
            self.left[member_idx] = torch.from_numpy(np.concatenate(lefts))
            self.inverse_width[member_idx] = torch.from_numpy(np.concatenate(inverse_widths))

    def leave_out_bins(self, member_idx: np.ndarray) -> None:
        """Let all bins of some members be 0 for every number, once they are fitted.

        Args:
            member_idx: Indices of the members, shape (K',), int64.
        """
        self.left[member_idx] = 0.0
        self.inverse_width[member_idx] = 0.0

    def forward(self, numbers: Tensor) -> Tensor:
        """Return the features of `numbers`."""
        missing = torch.isnan(numbers)
        filled = torch.where(missing, self.fill[:, None], numbers)  # (K, B, F)
        scaled = (filled - self.center[:, None]) * self.factor[:, None]
        parts = [self._clip(scaled)]
        if len(self.bin_feature):
            binned = filled.index_select(2, self.bin_feature)  # (K, B, T)
            binned = (binned - self.left[:, None]) * self.inverse_width[:, None]
            parts.append(binned.clamp(0.0, 1.0))
        if len(self.flag_feature):
            flags = missing.index_select(2, self.flag_feature).to(numbers.dtype)
            parts.append(flags.expand(len(filled), -1, -1))
        return torch.cat(parts, dim=2)

    def _clip(self, scaled: Tensor) -> Tensor:
        bounded = scaled.clamp(-LARGEST_SCALED, LARGEST_SCALED)
        if not self.clips_any:
            return bounded
        clipped = bounded * torch.rsqrt(1.0 + (bounded / 3.0).square())
        return clipped if self.clips_all else torch.where(self.is_clipped, clipped, bounded)


def _fill_value(values: np.ndarray, feature: NumericFeature, middles: np.ndarray) -> float:
    if feature.fill == "constant":
        return feature.fill_value
    if not len(values):
        return 0.0
    if feature.fill == "mean":
        return float(values.mean())
    if feature.fill == "mode":
        distinct, counts = np.unique(values, return_counts=True)
        return float(distinct[np.argmax(counts)])  # the smallest of equally common values
    return float(middles[3])


def _center_and_factor(
    values: np.ndarray, feature: NumericFeature, middles: np.ndarray
) -> tuple[float, float]:
    """Return them for sorted values, whose `quartiles` are known, shape (4,)."""
    if feature.scale == "none":
        return 0.0, 1.0
    if feature.scale == "divide":
        return 0.0, 1.0 / feature.divisor
    if not len(values):
        return 0.0, 0.0
    low, high = float(values[0]), float(values[-1])
    if feature.scale == "standard":
        return float(values.mean()), _inverse(float(values.std()))
    if feature.scale == "minmax":
        return low, _inverse(high - low)
    lower, median, upper = middles[:3]
    return float(median), _inverse(float(upper - lower)) or 2.0 * _inverse(high - low)


def _bins(values: np.ndarray, n_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Return left edges and inverse widths; bins that are not needed get 0, 0."""
    left = np.zeros(n_bins, dtype=np.float32)
    inverse_width = np.zeros(n_bins, dtype=np.float32)
    if n_bins and len(values):
        edges = np.unique(_edges(values, n_bins + 1).astype(np.float32)).astype(np.float64)
        widths = np.diff(edges)
        wide = np.flatnonzero(widths > 0.0)
        left[: len(wide)] = edges[wide]
        inverse_width[: len(wide)] = [_inverse(width) for width in widths[wide]]
    return left, inverse_width


def _edges(values: np.ndarray, most: int) -> np.ndarray:
    """Return `most` edges in any order: quantiles, but of many values the commonest once.

    A value of most rows would be most of the quantiles. It becomes one edge, and the others
    share the other values, which are the ones that tell more where most numbers are 0.

    Args:
        values: Sorted, at least one.
        most: 2 at the least.
    """
    middle = values[len(values) // 2]  # the commonest, where most are one and the same
    start, stop = np.searchsorted(values, middle), np.searchsorted(values, middle, side="right")
    if most < 3 or len(values) < _LEAST_VALUES or not 0.5 < (stop - start) / len(values) < 1.0:
        return _quantiles(values, most)
    others = np.delete(values, np.s_[start:stop])
    return np.append(_quantiles(others, most - 1), middle)


def _quantiles(values: np.ndarray, count: int) -> np.ndarray:
    found: np.ndarray = np.quantile(values, np.linspace(0.0, 1.0, count))
    return found


def _inverse(width: float) -> float:
    """Return 1 / width, or 0 where that is no finite float32."""
    return 1.0 / width if width > 1e-37 else 0.0
