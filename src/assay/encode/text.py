"""Text to numbers: hashed character n-grams, with nothing fitted.

Each cell becomes the counts of its 3- and 4-grams of UTF-8 bytes, hashed into
buckets, damped by a square root and scaled to unit mean square. Empty and
missing cells are all zeros.
"""

import numpy as np
import polars as pl

NGRAM_SIZES = (3, 4)
_MULTIPLIER = np.uint32(0x9E3779B1)  # 2^32 / golden ratio: Fibonacci hashing, Knuth vol. 3, 6.4
_CHUNK_ROWS = 50_000


def hash_ngrams(texts: pl.Series, n_buckets: int) -> np.ndarray:
    """Return hashed n-gram features of a text column.

    Args:
        texts: N strings; null counts as empty. Case is ignored.
        n_buckets: Width of the result.

    Returns:
        Array of shape (N, n_buckets), float32. The same text gives the same row
        in every batch and on every machine.

    Example:
        >>> features = hash_ngrams(pl.Series(["Mr. Owen", "mr. owen", None]), 16)
        >>> bool((features[0] == features[1]).all()), float(features[2].sum())
        (True, 0.0)
    """
    parts = [
        _hash_chunk(texts.slice(start, _CHUNK_ROWS), n_buckets)
        for start in range(0, len(texts), _CHUNK_ROWS)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, n_buckets), dtype=np.float32)


def _hash_chunk(texts: pl.Series, n_buckets: int) -> np.ndarray:
    padded = " " + texts.fill_null("").str.to_lowercase() + " "
    lengths = padded.str.len_bytes().to_numpy().astype(np.int64)
    data = np.frombuffer("".join(padded.to_list()).encode(), dtype=np.uint8).astype(np.uint32)
    row = np.repeat(np.arange(len(texts)), lengths)
    counts = np.zeros(len(texts) * n_buckets, dtype=np.float64)
    for size in NGRAM_SIZES:
        if data.size < size:
            continue
        n_grams = data.size - size + 1
        gram = np.full(n_grams, size, dtype=np.uint32)
        for offset in range(size):
            gram = (gram ^ data[offset : offset + n_grams]) * _MULTIPLIER
            gram ^= gram >> np.uint32(15)
        first, last = row[:n_grams], row[size - 1 :]
        inside = first == last
        bucket = (gram[inside] % np.uint32(n_buckets)).astype(np.int64)
        counts += np.bincount(first[inside] * n_buckets + bucket, minlength=counts.size)
    damped = np.sqrt(counts).reshape(len(texts), n_buckets)
    norm = np.sqrt(np.square(damped).mean(axis=1, keepdims=True))
    scaled: np.ndarray = np.divide(damped, norm, out=np.zeros_like(damped), where=norm > 0)
    return scaled.astype(np.float32)
