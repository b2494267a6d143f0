"""The network of a population: input layers, learned input scale, body.

Comes in: arrays of an encoded table. Goes out: logits (K, B, C). Inputs are
encoded by fitted, unlearned statistics first (`encode`), which a trainer may do
once for all rows; the learned part follows (`forward`).
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.encode.arrays import Arrays
from assay.encode.table_encoder import TableEncoder
from assay.encode.target import class_codes
from assay.errors import UserError
from assay.machine import physical_bytes
from assay.nn.categorical import CategoricalInput
from assay.nn.initialise import member_generators
from assay.nn.numeric import NumericInput
from assay.nn.parts import inner_parts
from assay.nn.population import Population
from assay.nn.text import TextInput
from assay.options import ModelRecipe

_BYTES_PER_WEIGHT = 20  # float32 of the weight, its gradient, two moments, the best epoch


@dataclass(frozen=True)
class Encoded:
    """Rows after the fitted, unlearned part of the input layers.

    Attributes:
        features: Shape (K, B, F), float32.
        rows: Shape (K, B, E), int32: rows of the embedding table, -1 for none.
    """

    features: Tensor
    rows: Tensor


@dataclass(frozen=True)
class RowTensors:
    """Rows on the device, before encoding.

    Attributes:
        numeric: Shape (1, N, F), for all members, or (K, B, F).
        codes: The same for codes.
        scores: Shape (K, N, S): each member's scores of the texts.
    """

    numeric: Tensor
    codes: Tensor
    scores: Tensor

    @classmethod
    def of(cls, arrays: Arrays, scores: Tensor, device: torch.device) -> "RowTensors":
        """Move arrays and the scores (K, N, S) of their texts to the device."""
        numeric, codes = (torch.from_numpy(part) for part in (arrays.numeric, arrays.codes))
        return cls(numeric.to(device)[None], codes.to(device)[None], scores.to(device))

    def take(self, row_idx: Tensor) -> "RowTensors":
        """Return the rows at `row_idx`, shape (K, B), as (K, B, ·)."""
        flat = row_idx.reshape(-1)
        n_members, n_rows = row_idx.shape
        numeric, codes = (
            part[0].index_select(0, flat).view(n_members, n_rows, part.shape[2])
            for part in (self.numeric, self.codes)
        )
        member = torch.arange(n_members, device=row_idx.device)[:, None]
        return RowTensors(numeric, codes, self.scores[member, row_idx])

    def between(self, start: int, stop: int) -> "RowTensors":
        """Return the rows from `start` to `stop`."""
        return RowTensors(
            self.numeric[:, start:stop], self.codes[:, start:stop], self.scores[:, start:stop]
        )


def check_size(
    encoder: TableEncoder, recipe: ModelRecipe, *, n_members: int, n_classes: int
) -> None:
    """Refuse a network that the machine's memory cannot hold.

    Raises:
        UserError: Weights, gradients and optimizer state need more than there is.
    """
    levels = CategoricalInput(encoder.categorical, n_members=1)  # small: it holds no vectors
    width = encoder.categorical[0].width if encoder.categorical else 1
    n_inputs = sum(1 + feature.n_bins for feature in encoder.numeric)
    n_inputs += levels.n_outputs + levels.n_embedded * width
    n_scores = class_codes(n_classes).shape[1]
    n_inputs += sum(n_scores * (1 + feature.n_bins) for feature in encoder.text)
    widths = (n_inputs, *recipe.widths, n_classes)
    n_embedded = width * (levels.n_rows + levels.n_embedded * widths[1])  # with what reads it
    n_weights = sum(below * above for below, above in pairwise(widths)) + width * levels.n_rows
    needed_bytes = n_members * n_weights * _BYTES_PER_WEIGHT
    memory_bytes = physical_bytes()
    if needed_bytes > memory_bytes:
        is_embedding = 2 * n_embedded > n_weights
        raise UserError(
            f"{n_members} networks of {n_weights:,} weights need {needed_bytes / 1e9:.0f} GB, "
            f"the machine has {memory_bytes / 1e9:.0f} GB",
            where=f"encode.embedding_width = {width}"
            if is_embedding
            else f"model.hidden = {list(recipe.widths)}",
            fix="Choose fewer numbers per level" if is_embedding else "Choose narrower layers",
        )


class Network(nn.Module):
    """K networks with their input layers.

    Args:
        encoder: Says which features there are.
        recipe: The section [model].
        n_members: K.
        n_classes: C of the target.
        seed: Member k is drawn from (seed, k).
    """

    def __init__(
        self,
        encoder: TableEncoder,
        recipe: ModelRecipe,
        *,
        n_members: int,
        n_classes: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.n_members = n_members
        self.n_classes = n_classes
        self.is_sigmoid = recipe.output == "sigmoid"
        self.numeric = NumericInput(encoder.numeric, n_members)
        self.categorical = CategoricalInput(encoder.categorical, n_members)
        self.text = TextInput(encoder.text, n_members, n_classes)
        width = encoder.categorical[0].width if encoder.categorical else 1
        n_features = self.numeric.n_outputs + self.categorical.n_outputs
        n_features += self.text.n_outputs
        self.n_inputs = n_features + self.categorical.n_embedded * width
        self.embedding = nn.Parameter(torch.zeros(n_members, self.categorical.n_rows, width))
        for table, generator in zip(
            self.embedding, member_generators(seed + 1, n_members), strict=True
        ):
            nn.init.normal_(table, generator=generator)
        self.input_scale = nn.Parameter(
            torch.ones(n_members, self.n_inputs), requires_grad=recipe.input_scale
        )
        self.body = Population(
            n_members,
            n_inputs=self.n_inputs,
            hidden=recipe.widths,
            n_outputs=1 if self.is_sigmoid else n_classes,
            activation=recipe.activation,
            dropout=recipe.dropout,
            init=recipe.init,
            bias_init=recipe.bias_init,
            seed=seed,
        )

    @property
    def widest(self) -> int:
        """Numbers per sample in the widest layer, inputs included."""
        return max(self.n_inputs, *(layer.weight.shape[2] for layer in self.body.linears()))

    def fit(
        self,
        arrays: Arrays,
        train: np.ndarray,
        y: np.ndarray | None = None,
        *,
        parts: np.ndarray | None = None,
        row_weight: np.ndarray | None = None,
    ) -> Tensor:
        """Fit every member's input statistics on its own training rows.

        Args:
            arrays: N encoded rows.
            train: Shape (K, N), bool: the rows of each member.
            y: Class indices, shape (N,); without them texts say nothing.
            parts: Parts of each member's training rows, shape (K, N), as
                `parts.inner_parts` returns them; by default at random.
            row_weight: Sample weights, shape (N,), float32, or None for all 1; texts
                heed them.

        Returns:
            Scores of the texts (K, N, S) to train with: those of a member's training
            rows come from fits that left them out.
        """
        self.numeric.fit(arrays.numeric, train)
        self.categorical.fit(arrays.codes, train)
        if y is None or not self.text.features:
            return self.scores(arrays)
        parts = inner_parts(train) if parts is None else parts
        return self.text.fit(arrays.text, y, train, parts, row_weight)

    @torch.no_grad()
    def leave_out_bins(self, member_idx: np.ndarray) -> None:
        """Let some members read numbers without bins; called once, after `fit`.

        A scale of the inputs, which has to be learnt, makes their other inputs count as much
        as in a network that has no others, where weights start in proportion to
        1 / sqrt(inputs). Scores of texts keep their bins.

        Args:
            member_idx: Indices of the members, shape (K',), int64.
        """
        n_bins = len(self.numeric.bin_feature)
        if not n_bins:
            return
        self.numeric.leave_out_bins(member_idx)
        self.input_scale[member_idx] *= math.sqrt(self.n_inputs / (self.n_inputs - n_bins))

    def scores(self, arrays: Arrays) -> Tensor:
        """Return the scores (K, N, S) of the texts of rows that no member learnt from."""
        return self.text.scores(arrays.text)

    def release(self) -> None:
        """Give back the memory that only training needs: masks and gradients."""
        self.body.release()
        for parameter in self.parameters():
            parameter.grad = None

    def arrays(self) -> dict[str, np.ndarray]:
        """Return weights and fitted statistics by name, on the CPU."""
        return {name: value.cpu().numpy() for name, value in self.state_dict().items()}

    @torch.no_grad()
    def encode(self, rows: RowTensors) -> Encoded:
        """Apply the fitted, unlearned part of the input layers."""
        coded, embedding_rows = self.categorical(rows.codes)
        parts = [self.numeric(rows.numeric), coded, self.text(rows.scores)]
        features = torch.cat(parts, dim=2)
        return Encoded(features, embedding_rows)

    def forward(self, encoded: Encoded) -> Tensor:
        """Return logits, shape (K, B, C); (K, B, 1) for the sigmoid form."""
        x = encoded.features
        if encoded.rows.shape[2]:
            x = torch.cat([x, self._embed(encoded.rows)], dim=2)
        scale = self.input_scale if self.input_scale.requires_grad else None
        logits: Tensor = self.body(x, scale)
        return logits

    def _embed(self, rows: Tensor) -> Tensor:
        """Look up (K, B, E) rows in each member's table -> (K, B, E * width)."""
        return self.vectors(*self.find(rows)).view(*rows.shape[:2], -1)

    def find(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return where rows (K, B, E) lie in the tables of all members, and whether at all.

        Returns:
            Shape (K * B * E,), rows of the tables one below the other; and
            (K * B * E, 1), False for the row -1.
        """
        n_members, n_table_rows, _ = self.embedding.shape
        start = torch.arange(n_members, device=rows.device)[:, None, None] * n_table_rows
        return (rows.clamp(min=0) + start).view(-1), (rows >= 0).view(-1, 1)

    def vectors(self, places: Tensor, is_known: Tensor) -> Tensor:
        """Return the vectors that `find` found, shape (K * B * E, width), 0 for none."""
        table = self.embedding.view(-1, self.embedding.shape[2])
        return table.index_select(0, places) * is_known

    def member_log_proba(self, encoded: Encoded) -> Tensor:
        """Return the logarithms of each member's class probabilities, shape (K, B, C)."""
        logits = self(encoded).float()
        if self.is_sigmoid:
            return functional.logsigmoid(torch.cat([-logits, logits], dim=2))
        return torch.log_softmax(logits, dim=2)
