"""The same rows with some of their columns exchanged, predicted many times over.

Comes in: a subject and cast rows. Goes out: probabilities of variants of the rows. The
rows are encoded once, and after that only what was exchanged and the columns that
expressions make from it: of 1,000 columns, that takes a tenth of the time.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.derive import referenced_columns
from assay.encode.arrays import Arrays
from assay.encode.table_encoder import TableEncoder
from assay.explain.subject import Subject, columns_of, stacked
from assay.metrics import Floats
from assay.read.cast import silently
from assay.table import Table


class Variants:
    """Variants of N rows.

    Args:
        subject: What predicts.
        rows: N cast rows, of `Subject.typed`.
    """

    def __init__(self, subject: Subject, rows: Table) -> None:
        self._subject = subject
        self.rows = rows
        self._encoded: _Encoded | None = None
        if subject.of_arrays is not None and subject.encoder is not None:
            self._encoded = _Encoded(subject, subject.encoder, rows)

    def proba(
        self, variants: Sequence[Sequence[pl.Series]], is_asked: NDArray[np.bool_] | None = None
    ) -> Floats:
        """Return the probabilities of V variants, one below the other, (V * N, C).

        Args:
            variants: For each the columns that it exchanges, N cells each.
            is_asked: Which rows of each to predict, (V, N); None for all. The others are
                left out of what is returned.
        """
        if self._encoded is not None:
            arrays = self._encoded.exchanged(variants)
            return self._subject.proba_of(
                arrays if is_asked is None else arrays.take(is_asked.ravel())
            )
        parts = [self.rows.frame.with_columns(columns) for columns in variants]
        if is_asked is not None:
            parts = [part.filter(asked) for part, asked in zip(parts, is_asked, strict=True)]
        return self._subject.proba(stacked(parts, self.rows.source))


class _Encoded:
    """Rows as arrays, and which of their columns come from which column of the table."""

    def __init__(self, subject: Subject, encoder: TableEncoder, rows: Table) -> None:
        self._subject, self._encoder, self._rows = subject, encoder, rows
        self._read = referenced_columns(subject.preparation.expressions)
        self._arrays = encoder.transform(self._finished(rows))
        self._numeric: dict[str, list[int]] = {}
        for idx, feature in enumerate(encoder.numeric):
            self._numeric.setdefault(feature.column, []).append(idx)
        self._codes = {feature.column: idx for idx, feature in enumerate(encoder.categorical)}
        ends = np.cumsum([0, *(feature.n_ngrams for feature in encoder.text)]).tolist()
        self._text = {
            feature.column: (idx, range(ends[idx], ends[idx + 1]))
            for idx, feature in enumerate(encoder.text)
        }

    def exchanged(self, variants: Sequence[Sequence[pl.Series]]) -> Arrays:
        """Return the variants one below the other, (V * N, ·)."""
        base, n_rows = self._arrays, self._rows.n_rows
        numeric, codes, text = (
            np.tile(part, (len(variants), 1)) for part in (base.numeric, base.codes, base.text)
        )
        for idx, columns in enumerate(variants):
            if columns:
                rows = slice(idx * n_rows, (idx + 1) * n_rows)
                self._exchange(Arrays(numeric[rows], codes[rows], text[rows]), columns)
        return Arrays(numeric, codes, text)

    def _exchange(self, arrays: Arrays, columns: Sequence[pl.Series]) -> None:
        """Encode some columns, and write them into the arrays of a variant."""
        columns = self._followed(columns)
        names = [column.name for column in columns]
        numeric = [idx for name in names for idx in self._numeric.get(name, ())]
        codes = [self._codes[name] for name in names if name in self._codes]
        texts = [self._text[name] for name in names if name in self._text]
        encoder = TableEncoder(
            tuple(self._encoder.numeric[idx] for idx in numeric),
            tuple(self._encoder.categorical[idx] for idx in codes),
            tuple(self._encoder.text[idx] for idx, _ in texts),
        )
        frame = pl.DataFrame({column.name: column for column in columns})
        own = encoder.transform(Table(frame, self._rows.source))
        arrays.numeric[:, numeric] = own.numeric
        arrays.codes[:, codes] = own.codes
        arrays.text[:, [place for _, places in texts for place in places]] = own.text

    def _followed(self, columns: Sequence[pl.Series]) -> list[pl.Series]:
        """Return exchanged columns, and those that expressions make from them."""
        if not any(column.name in self._read for column in columns):
            return list(columns)
        held = [name for name in self._rows.names if name in self._read]
        own = {column.name: column for column in columns if column.name in self._read}
        few = columns_of(self._rows.frame, held).with_columns(list(own.values()))
        made = self._finished(self._rows.with_frame(few)).frame
        derived = [one for one in made.get_columns() if one.name not in held]
        return [*columns, *derived]

    def _finished(self, rows: Table) -> Table:
        """Return the features of cast rows."""
        preparation, recipe = self._subject.preparation, self._subject.recipe
        with silently():  # whatever is odd about the cells was told when they were cast
            return preparation.finish(rows, recipe, is_training=False)
