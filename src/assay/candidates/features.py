"""What the simpler models see: rows as plain numbers, the same in NumPy and in the graph.

Numbers come as they are, NaN where missing; levels as their codes, which are in the
order of the levels. Columns of many levels, and texts, say what they say of the target
by *scores* of each fit, learnt from its training rows. A score must not meet the rows it
was learnt from: those of training rows come from the other parts of them.
"""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from assay.candidates.folds import Folds
from assay.encode.arrays import FIRST_LEVEL_CODE, UNSEEN_CODE, Arrays
from assay.encode.target import class_codes
from assay.nn.graph import GraphBuilder
from assay.nn.parts import MAX_PARTS, inner_parts

if TYPE_CHECKING:  # PyTorch, which tables without texts can do without
    from assay.nn.text import TextInput
    from assay.training.setup import Setup

MAX_PLAIN_LEVELS = 8  # columns of more levels get scores
_SMOOTHING = 10.0  # rows like the average that each level is taken to have besides its own
_LEAST_SHARE = 1e-3  # of a class among all rows, for its log-odds to be finite


@dataclass(frozen=True)
class LevelScores:
    """What the levels of some columns say of the target, for each fit.

    The score of a level is the log-odds of a question among its rows less those among all
    rows, after adding `_SMOOTHING` rows like the average (Micci-Barreca 2001, SIGKDD
    Explorations 3:27).

    Attributes:
        columns: Of the codes, shape (T,).
        start: First row of each column in `weights`, shape (T,).
        weights: Shape (M, rows, S), float32.
    """

    columns: np.ndarray
    start: np.ndarray
    weights: np.ndarray

    def rows(self, codes: np.ndarray) -> np.ndarray:
        """Return the rows of `weights` of codes (N, F), shape (N, T)."""
        rows: np.ndarray = codes[:, self.columns].astype(np.int64) + self.start
        return rows

    def of(self, codes: np.ndarray, fit_idx: int) -> np.ndarray:
        """Return the scores of rows that a fit did not learn from, shape (N, T * S)."""
        scores: np.ndarray = self.weights[fit_idx][self.rows(codes)]  # (N, T, S)
        return scores.reshape(len(codes), scores.shape[1] * scores.shape[2])


class Features:
    """Rows as plain numbers, for each of M fits.

    The columns are numbers, codes, scores of levels, scores of texts.

    Args:
        n_numeric: Columns of `Arrays.numeric`.
        n_codes: Columns of `Arrays.codes`.
        levels: Scores of levels.
        text: Scores of texts; None without texts.
    """

    def __init__(
        self, n_numeric: int, n_codes: int, levels: LevelScores, text: "TextInput | None"
    ) -> None:
        self.n_numeric = n_numeric
        self.n_codes = n_codes
        self.levels = levels
        self.text = text

    @property
    def n_plain(self) -> int:
        """Columns that are the same for all fits."""
        return self.n_numeric + self.n_codes

    @property
    def n_scores(self) -> int:
        """Columns of scores."""
        n_text = len(self.text.features) * self.text.n_scores if self.text else 0
        return len(self.levels.columns) * int(self.levels.weights.shape[2]) + n_text

    @property
    def n_columns(self) -> int:
        """All columns."""
        return self.n_plain + self.n_scores

    def of(self, arrays: Arrays, fit_idx: int) -> np.ndarray:
        """Return rows that a fit did not learn from, shape (N, n_columns), float32."""
        parts = [arrays.numeric, arrays.codes, self.levels.of(arrays.codes, fit_idx)]
        if self.text is not None:
            parts.append(self.text.exact_scores(arrays.text, fit_idx))
        return np.concatenate(parts, axis=1, dtype=np.float32, casting="same_kind")

    def add_plain(self, build: GraphBuilder) -> list[str]:
        """Add the columns that all fits share; return their names, (N, ·) float32 each."""
        names = []
        if self.n_numeric:
            names.append(build.input("numeric", self.n_numeric))
        if self.n_codes:
            codes = build.input("codes", self.n_codes)
            names.append(build.add("Cast", codes, to=TensorProto.FLOAT))
        return names

    def add_scores(self, build: GraphBuilder) -> str:
        """Add the scores; return their name, (M, N, n_scores) float32."""
        names = []
        if len(self.levels.columns):
            names.append(_add_levels(build, self.levels, self.n_codes))
        if self.text is not None:
            from assay.nn.core_graph import add_text_scores

            names.append(add_text_scores(build, self.text, is_exact=True))
        return build.concat(names, axis=2)


class TrainingFeatures:
    """The same columns of training rows, whose scores come from fits that left them out.

    Args:
        arrays: N encoded rows.
        n_levels: Levels of each column of codes.
        folds: Who is fitted on what.
        parts: Parts of each fit's training rows, (M, N), see `nn.parts`; needed where a
            column has scores of levels.
        text: Scores of texts of the M fits; None without texts.
        text_scores: Those of training rows, shape (M, N, ·), float32; None without texts.
    """

    def __init__(
        self,
        arrays: Arrays,
        n_levels: list[int],
        folds: Folds,
        *,
        parts: np.ndarray | None = None,
        text: "TextInput | None" = None,
        text_scores: np.ndarray | None = None,
    ) -> None:
        self.arrays, self.n_levels = arrays, n_levels
        columns = scored_columns(n_levels)
        self.parts = np.zeros((0, 0), dtype=np.int8) if parts is None else parts
        levels, self._by_part = _fit_levels(arrays.codes, n_levels, columns, self.parts, folds)
        self._text_scores = text_scores
        n_numeric, n_codes = arrays.numeric.shape[1], arrays.codes.shape[1]
        self.features = Features(n_numeric, n_codes, levels, text)

    @classmethod
    def of_setup(cls, setup: "Setup", folds: Folds) -> "TrainingFeatures":
        """Take the rows of a population, and what it has learnt of its texts."""
        samples, first = setup.samples, np.array([own[0] for own in folds.members])
        encoder, split, parts = samples.encoder, samples.split, None
        n_levels = [len(feature.levels) for feature in encoder.categorical]
        if len(scored_columns(n_levels)):
            parts = inner_parts(split.train, split.validation, split.repeat, split.unit)[first]
        if not encoder.text:
            return cls(samples.arrays, n_levels, folds, parts=parts)
        return cls(
            samples.arrays,
            n_levels,
            folds,
            parts=parts,
            text=setup.network.text.of_members(first),
            text_scores=setup.lesson.rows.scores.cpu().numpy()[first],
        )

    def codes(self, row_idx: np.ndarray) -> np.ndarray:
        """Return the codes of rows, shape (rows, n_codes)."""
        codes: np.ndarray = self.arrays.codes[row_idx]
        return codes

    def left_out(self, row_idx: np.ndarray, fit_idx: int) -> np.ndarray:
        """Return rows that a fit did not learn from, as `Features.of` does."""
        return self.features.of(self.arrays.take(row_idx), fit_idx)

    def of(self, row_idx: np.ndarray, fit_idx: int) -> np.ndarray:
        """Return training rows of a fit, shape (rows, n_columns), float32."""
        arrays = self.arrays.take(row_idx)
        parts = [arrays.numeric, arrays.codes]
        if self._text_scores is not None:
            parts.append(self._text_scores[fit_idx, row_idx])
        if len(self.parts):
            rows = self.features.levels.rows(arrays.codes)
            part = self.parts[fit_idx, row_idx][:, None]
            scores = self._by_part[fit_idx, part, rows]  # (rows, T, S)
            parts.insert(2, scores.reshape(len(row_idx), scores.shape[1] * scores.shape[2]))
        return np.concatenate(parts, axis=1, dtype=np.float32, casting="same_kind")


def scored_columns(n_levels: list[int]) -> np.ndarray:
    """Return which columns of codes have scores of levels, shape (T,)."""
    return np.array([i for i, n in enumerate(n_levels) if n > MAX_PLAIN_LEVELS], dtype=int)


def _fit_levels(
    codes: np.ndarray, n_levels: list[int], columns: np.ndarray, parts: np.ndarray, folds: Folds
) -> tuple[LevelScores, np.ndarray]:
    """Learn scores of levels.

    Returns:
        Scores by fits on all training rows, and the weights (M, parts, rows, S) by fits
        that each leave a part of them out.
    """
    questions = class_codes(folds.n_classes).astype(np.float64)  # (C, S)
    n_rows = [n_levels[column] + FIRST_LEVEL_CODE for column in columns]
    start = np.cumsum([0, *n_rows])
    shape = (folds.n_fits, MAX_PARTS, int(start[-1]), questions.shape[1])
    by_part = np.zeros(shape if len(columns) else (0, 0, 0, questions.shape[1]), np.float32)
    weights = np.zeros((folds.n_fits, *shape[2:]), dtype=np.float32)
    for fit_idx, rows in enumerate(folds.train if len(columns) else ()):
        weight, y, part = folds.weights(fit_idx, rows), folds.y[rows], parts[fit_idx, rows]
        for column, first, n_codes in zip(columns, start, n_rows, strict=False):
            place = (part.astype(np.int64) * n_codes + codes[rows, column]) * folds.n_classes + y
            counts = np.bincount(place, weight, minlength=MAX_PARTS * n_codes * folds.n_classes)
            counts = counts.reshape(MAX_PARTS, n_codes, folds.n_classes)
            total = counts.sum(axis=0)
            own = slice(first, first + n_codes)
            weights[fit_idx, own] = _log_odds(total, questions)
            by_part[fit_idx, :, own] = _log_odds(total - counts, questions)
    return LevelScores(columns, start[:-1], weights), by_part


def _log_odds(counts: np.ndarray, questions: np.ndarray) -> np.ndarray:
    """Return the scores (..., codes, S) of class counts (..., codes, C)."""
    n_rows = np.maximum(counts.sum(axis=-1, keepdims=True), 0.0)  # (..., codes, 1)
    positive = np.maximum(counts @ questions, 0.0)  # (..., codes, S)
    all_rows = np.maximum(n_rows.sum(axis=-2, keepdims=True), 1e-9)
    prior = positive.sum(axis=-2, keepdims=True) / all_rows
    prior = prior.clip(_LEAST_SHARE, 1.0 - _LEAST_SHARE)
    share = (positive + _SMOOTHING * prior) / (n_rows + _SMOOTHING)
    share = share.clip(1e-9, 1.0 - 1e-9)
    result: np.ndarray = np.log(share / (1.0 - share)) - np.log(prior / (1.0 - prior))
    result[..., UNSEEN_CODE, :] = 0.0
    return result


def _add_levels(build: GraphBuilder, levels: LevelScores, n_codes: int) -> str:
    """Mirror `LevelScores.of`; return the name of (M, N, T * S)."""
    n_fits, n_rows, n_scores = levels.weights.shape
    key = ("levels", hashlib.sha256(levels.weights.tobytes()).digest())
    if key not in build.known:
        codes = build.input("codes", n_codes)
        chosen = build.add("Gather", codes, build.constant(levels.columns), axis=1)
        rows = build.add("Add", chosen, build.constant(levels.start.astype(np.int32)))
        table = levels.weights.transpose(1, 0, 2).reshape(n_rows, -1)  # (rows, M * S)
        looked_up = build.add("Gather", build.constant(table), rows, axis=0)  # (N, T, M * S)
        shape = build.integers([-1, len(levels.columns), n_fits, n_scores])
        split = build.add("Reshape", looked_up, shape)
        by_fit = build.add("Transpose", split, perm=[2, 0, 1, 3])  # (M, N, T, S)
        shape = build.integers([n_fits, -1, len(levels.columns) * n_scores])
        numbers = n_fits * n_scores * len(levels.columns)
        build.n_row_numbers = max(build.n_row_numbers, numbers)
        build.known[key] = build.add("Reshape", by_fit, shape)
    return build.known[key]
