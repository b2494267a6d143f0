"""Words that give the target away: each text is judged by its most telling word.

Words, beginnings, endings and lengths of the cells are counted by class in one half of
the rows and judged in the other, and the other way round.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.deal import sample_rows
from assay.profile.fit import Fit
from assay.profile.rows import MIN_CLASS_ROWS, Floats, Ints

_MOST_ROWS = 6_000
_MOST_CHARACTERS = 400
_MOST_CELLS = 20_000_000  # words x classes
_MIN_ROWS = 5  # that hold a word
_SHOWN = 3
_SEED = 71_402


@dataclass(frozen=True)
class Words:
    """The most telling words of a column.

    Attributes:
        fit: What they achieve on rows they were not counted in; AUROC is NaN.
        telling: (word, class index), the most frequent first.
    """

    fit: Fit
    telling: tuple[tuple[str, int], ...]

    def how(self, classes: Sequence[str]) -> str:
        """Say which words give which class away.

        Example:
            >>> Words(Fit(1.0, 1.0, 1.0, np.ones(2)), (("paid", 1),)).how(["no", "yes"])
            "'paid' in the text means 'yes'"
        """
        shown = [_in_words(word, classes[idx]) for word, idx in self.telling[:_SHOWN]]
        return ", ".join(shown)


def telling_words(series: pl.Series, y: Ints, counts: Ints) -> Words | None:
    """Judge texts by one word each.

    Args:
        series: Texts, (N,), missing null.
        y: Class index of each row, (N,).
        counts: Rows of each class, (C,).

    Returns:
        The figures, or None where nothing can be counted.
    """
    chosen = sample_rows(len(y), _MOST_ROWS)
    series, y = (series, y) if isinstance(chosen, slice) else (series[chosen], y[chosen])
    pairs = _pairs(series)
    names, word = np.unique(pairs["word"].to_numpy(), return_inverse=True)
    row = pairs["row"].to_numpy().astype(np.int64)
    if not len(names) or len(names) * len(counts) > _MOST_CELLS:
        return None
    own_counts = np.bincount(y, minlength=len(counts))
    half = np.random.default_rng([_SEED, len(y)]).permutation(np.arange(len(y)) % 2)
    label = np.full(len(y), int(own_counts.argmax()))
    for part in (0, 1):
        is_counted = half[row] != part
        table = _table(word[is_counted], y[row[is_counted]], len(names), len(counts))
        is_judged = ~is_counted
        best = _best(row[is_judged], table[word[is_judged]])
        label[best[0]] = best[1]
    table = _table(word, y[row], len(names), len(counts))
    return Words(_fit(y, label, own_counts), _telling(names, table))


def _pairs(series: pl.Series) -> pl.DataFrame:
    """Return (row, word): the words of each text, its beginnings, its end and its length."""
    text = pl.col("text")
    frame = pl.DataFrame({"text": series.str.slice(0, _MOST_CHARACTERS).str.to_lowercase()})
    marks = [
        pl.format("^{}", text.str.slice(0, 1)),
        pl.format("^{}", text.str.slice(0, 2)),
        pl.format("^{}", text.str.slice(0, 3)),
        pl.format("{}$", text.str.slice(-1)),
        pl.format("{}$", text.str.slice(-2)),
        pl.format("#{}", text.str.len_chars()),
    ]
    words = text.str.extract_all(r"[\p{L}\p{N}]+")
    return (
        frame.with_row_index("row")
        .drop_nulls()
        .select("row", pl.concat_list([words, *marks]).alias("word"))
        .explode("word")
        .drop_nulls()
        .unique(maintain_order=True)
    )


def _table(word: Ints, y: Ints, n_words: int, n_classes: int) -> Ints:
    counted = np.bincount(word * n_classes + y, minlength=n_words * n_classes)
    return counted.reshape(n_words, n_classes)  # (V*C,) -> (V, C)


def _best(row: Ints, votes: Ints) -> tuple[Ints, Ints]:
    """Return rows and the class that the surest word of each votes for."""
    total = votes.sum(axis=1)
    surety = np.where(total >= _MIN_ROWS, votes.max(axis=1) / (total + 1.0), 0.0)
    order = np.lexsort((surety, row))
    is_last = np.append(np.diff(row[order]) != 0, True) if len(row) else np.zeros(0, bool)
    chosen = order[is_last]
    chosen = chosen[surety[chosen] > 0]
    return row[chosen], votes[chosen].argmax(axis=1)


def _fit(y: Ints, label: Ints, counts: Ints) -> Fit:
    right = np.bincount(y[y == label], minlength=len(counts))
    predicted = np.bincount(label, minlength=len(counts))
    f1: Floats = np.full(len(counts), np.nan)
    is_told = counts >= MIN_CLASS_ROWS
    f1[is_told] = 2 * right[is_told] / (counts + predicted)[is_told]
    error = 1 - int(counts.max()) / len(y)
    accuracy = float(right.sum() / len(y))
    skill = 1 - (1 - accuracy) / error if error > 0 else 0.0
    return Fit(accuracy, skill, float("nan"), f1)


def _telling(names: np.ndarray, table: Ints) -> tuple[tuple[str, int], ...]:
    """Return the most frequent words that belong to one class, one for each class first."""
    total = table.sum(axis=1)
    is_pure = (total >= _MIN_ROWS) & (table.max(axis=1) >= 0.98 * total)
    order = np.argsort(-total, kind="stable")
    pure = order[is_pure[order]].tolist()
    listed = [(str(names[idx]), int(table[idx].argmax())) for idx in pure]
    first = {class_idx: (word, class_idx) for word, class_idx in reversed(listed)}
    return tuple(sorted(first.values(), key=listed.index))


def _in_words(word: str, name: str) -> str:
    if word.startswith("^"):
        return f"texts that begin with {word[1:]!r} mean {name!r}"
    if word.endswith("$"):
        return f"texts that end in {word[:-1]!r} mean {name!r}"
    if word.startswith("#"):
        return f"texts of {word[1:]} characters mean {name!r}"
    return f"{word!r} in the text means {name!r}"
