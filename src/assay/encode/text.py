"""Text to n-grams: which pieces of words a cell holds, with nothing fitted.

Each cell becomes the set of its words, pairs of neighbouring words, and runs of 3 to
5 bytes within a word, each hashed to a *bucket*. What a bucket says about the target
is learnt by each member (`nn.text`).
"""

from collections.abc import Iterator

import numpy as np
import polars as pl

from assay.deal import sample_rows

NO_NGRAM = 0  # pads the rows; buckets are numbered from 1
CHARACTER_SIZES = (3, 4, 5)
MAX_BUCKETS = 65_535  # so that a bucket fits 16 bits
_BASE = 0x9E3779B97F4A7C15  # 2^64 / golden ratio, odd: Fibonacci hashing, Knuth vol. 3, 6.4
_INVERSE_BASE = pow(_BASE, -1, 2**64)
_MIXER = np.uint64(0xBF58476D1CE4E5B9)  # of splitmix64, Steele et al. 2014
MAX_LETTERS = 1 << 16  # of a cell that are read
_SPACE = np.uint8(32)
_SLICE_ROWS = 4_096
_CHUNK_BYTES = 1 << 20
_SAMPLE_ROWS = 4_096
_SPARE = 1.25  # n-grams above the 99th percentile that are kept


def hash_ngrams(texts: pl.Series, n_buckets: int, n_ngrams: int) -> np.ndarray:
    """Return the buckets of the n-grams of each cell.

    Args:
        texts: N strings; null counts as empty. Case is ignored, and so is what
            follows the first `MAX_LETTERS` characters.
        n_buckets: Buckets to hash into, up to `MAX_BUCKETS`.
        n_ngrams: Width of the result. A cell with more different buckets keeps the
            smallest, which is an even sample of its n-grams, and of the same ones in
            every text (MinHash, Broder 1997).

    Returns:
        Array of shape (N, n_ngrams), uint16: different buckets 1 to `n_buckets` in
        rising order, then `NO_NGRAM`. The same text gives the same row in every batch
        and on every machine.

    Example:
        >>> buckets = hash_ngrams(pl.Series(["Mr. Owen", "mr. owen", None]), 1000, 20)
        >>> bool((buckets[0] == buckets[1]).all()), int((buckets[2] != NO_NGRAM).sum())
        (True, 0)
    """
    result = np.full((len(texts), n_ngrams), NO_NGRAM, dtype=np.uint16)
    for start, chunk in _chunks(texts):
        row, bucket = _distinct_ngrams(chunk, n_buckets)
        counts = np.bincount(row, minlength=len(chunk))
        place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        fits = place < n_ngrams
        result[start + row[fits], place[fits]] = bucket[fits] + 1
    return result


def count_ngrams(texts: pl.Series, n_buckets: int) -> int:
    """Return how many n-grams per cell serve nearly all cells of a column.

    Args:
        texts: N strings; a random sample of them is looked at.
        n_buckets: Buckets that the n-grams will be hashed into.

    Returns:
        A quarter more than the 99th percentile, at least 1.
    """
    sample = texts[sample_rows(len(texts), _SAMPLE_ROWS)]
    counts = [
        np.bincount(_distinct_ngrams(chunk, n_buckets)[0], minlength=len(chunk))
        for _, chunk in _chunks(sample)
    ]
    most = np.quantile(np.concatenate(counts), 0.99) if counts else 0
    return max(int(np.ceil(_SPARE * most)), 1)


def _chunks(texts: pl.Series) -> Iterator[tuple[int, list[bytes]]]:
    """Yield runs of padded, lower-case cells of about `_CHUNK_BYTES`, with their start.

    Plain Python: one call of Polars takes longer than a single row may.
    """
    start, size = 0, 0
    chunk: list[bytes] = []
    for first in range(0, len(texts), _SLICE_ROWS):
        for cell in texts[first : first + _SLICE_ROWS].to_list():
            chunk.append(f" {cell[:MAX_LETTERS].lower()} ".encode() if cell else b"  ")
            size += len(chunk[-1])
            if size >= _CHUNK_BYTES:
                yield start, chunk
                start, size, chunk = start + len(chunk), 0, []
    if chunk:
        yield start, chunk


def _distinct_ngrams(padded: list[bytes], n_buckets: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row and bucket of each different n-gram, sorted by row, then bucket."""
    data = np.frombuffer(b"".join(padded), dtype=np.uint8)
    data = np.maximum(data, _SPACE)  # white space and controls are alike
    row = np.repeat(np.arange(len(padded)), [len(cell) for cell in padded])  # of each byte
    hasher = _Hasher(data)
    words = _words(data, hasher)
    parts = [words, _pairs(*words, row), *(_runs(data, hasher, size) for size in CHARACTER_SIZES)]
    keys = [row[start] * n_buckets + _buckets(hashed, n_buckets) for start, hashed in parts]
    ordered = np.sort(np.concatenate(keys).astype(_key_type(len(padded) * n_buckets)))
    is_new = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_new[1:])
    rows, buckets = np.divmod(ordered[is_new], ordered.dtype.type(n_buckets))
    return rows.astype(np.int64), buckets


def _key_type(size: int) -> type[np.unsignedinteger]:
    """Return the type to sort keys below `size` in; 32 bits sort twice as fast as 64."""
    return np.uint32 if size < 2**32 else np.uint64


def _buckets(hashed: np.ndarray, n_buckets: int) -> np.ndarray:
    high = _mix(hashed) >> np.uint64(32)
    return ((high * np.uint64(n_buckets)) >> np.uint64(32)).astype(np.int64)


class _Hasher:
    """Hashes of any run of bytes, by differences of a running sum modulo 2^64.

    A run of bytes b at position a has the hash sum(b[i] * base^(i - a)).
    """

    def __init__(self, data: np.ndarray) -> None:
        powers = _powers(_BASE, len(data))
        self._total = np.zeros(len(data) + 1, dtype=np.uint64)
        np.cumsum((data.astype(np.uint64) + np.uint64(1)) * powers, out=self._total[1:])
        self._inverse = _powers(_INVERSE_BASE, len(data))

    def __call__(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        hashed: np.ndarray = (self._total[stop] - self._total[start]) * self._inverse[start]
        return hashed


def _powers(base: int, count: int) -> np.ndarray:
    powers = np.full(count, base, dtype=np.uint64)
    powers[:1] = 1
    return np.cumprod(powers, dtype=np.uint64)


def _words(data: np.ndarray, hasher: _Hasher) -> tuple[np.ndarray, np.ndarray]:
    """Return start and hash of each run of letters, digits and bytes beyond ASCII."""
    is_letter = (data >= 128) | ((data >= 97) & (data <= 122)) | ((data >= 48) & (data <= 57))
    edges = np.diff(is_letter.astype(np.int8), prepend=0, append=0)
    start, stop = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return start, hasher(start, stop) * _MIXER  # apart from equal runs of characters


def _pairs(start: np.ndarray, hashed: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return start and hash of each two neighbouring words of one cell."""
    word_row = row[start]
    together = np.flatnonzero(word_row[:-1] == word_row[1:])
    return start[together], _mix(hashed[together]) + hashed[together + 1]


def _runs(data: np.ndarray, hasher: _Hasher, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return start and hash of each run of `size` bytes with no space inside.

    A space may begin or end it, so that heads and tails of words are told apart.
    Cells are padded: a run over two of them would have a space inside.
    """
    if len(data) < size:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint64)
    is_space = data == _SPACE
    n_starts = len(data) - size + 1
    has_space = is_space[1 : 1 + n_starts].copy()
    for place in range(2, size - 1):
        has_space |= is_space[place : place + n_starts]
    start = np.flatnonzero(~has_space)
    return start, hasher(start, start + size)


def _mix(hashed: np.ndarray) -> np.ndarray:
    """Spread hashes over all bits (the steps of splitmix64)."""
    hashed = (hashed ^ (hashed >> np.uint64(30))) * _MIXER
    hashed = (hashed ^ (hashed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    spread: np.ndarray = hashed ^ (hashed >> np.uint64(31))
    return spread
