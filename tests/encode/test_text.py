"""Text: words and runs of letters, hashed alike everywhere, with nothing fitted."""

import numpy as np
import polars as pl
import pytest

from assay.encode import text as encode_text
from assay.encode.text import count_ngrams, hash_ngrams


def cells(rows: np.ndarray) -> list[set[int]]:
    return [set(row[row > 0].tolist()) for row in rows]


def test_a_cell_holds_its_words_pairs_and_runs_within_words():
    (found,) = cells(hash_ngrams(pl.Series(["ab cde"]), 65_535, 40))
    # words: ab, cde, ab cde; runs of 3 to 5 in " ab " and " cde ":
    # " ab", "ab ", " cd", "cde", "de " and " ab ", " cde", "cde " and " cde "
    assert len(found) == 3 + 5 + 3 + 1


def test_case_and_white_space_do_not_count():
    texts = pl.Series(["Mr. Owen", "mr.  owen", "\tmr.\nOWEN "])
    first, *others = cells(hash_ngrams(texts, 65_535, 60))
    assert first
    assert others == [first, first]


def test_equal_words_in_any_place_share_their_ngrams():
    first, second = cells(hash_ngrams(pl.Series(["miss x", "mrs y miss"]), 65_535, 60))
    (alone,) = cells(hash_ngrams(pl.Series(["miss"]), 65_535, 60))
    assert alone <= first
    assert alone <= second


def test_word_pairs_do_not_reach_into_the_next_cell():
    together = cells(hash_ngrams(pl.Series(["one", "two"]), 65_535, 60))
    assert together == [cells(hash_ngrams(pl.Series([t]), 65_535, 60))[0] for t in ("one", "two")]


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1 << 20])
def test_chunks_make_no_difference(chunk_bytes, monkeypatch):
    texts = pl.Series(["a b", "", None, "☃ été!", "!!", "Ünïcode words", "x" * 50, "a b"])
    expected = hash_ngrams(texts, 1000, 30)
    monkeypatch.setattr(encode_text, "_CHUNK_BYTES", chunk_bytes)
    np.testing.assert_array_equal(hash_ngrams(texts, 1000, 30), expected)
    assert count_ngrams(texts, 1000) >= 1


def test_rows_are_rising_buckets_then_padding():
    rows = hash_ngrams(pl.Series(["some words to hash", "few"]), 500, 100)
    assert rows.dtype == np.uint16
    for row in rows:
        present = row[row > 0]
        assert (np.diff(present.astype(int)) > 0).all()
        assert (row[len(present) :] == 0).all()
        assert present.max() <= 500


def test_long_texts_keep_the_smallest_buckets():
    text = pl.Series([" ".join(f"word{idx}" for idx in range(200))])
    full, short = (hash_ngrams(text, 65_535, width)[0] for width in (3000, 50))
    np.testing.assert_array_equal(short, full[:50])


def test_empty_columns_have_a_width():
    assert count_ngrams(pl.Series([None, ""], dtype=pl.String), 100) == 1
    assert hash_ngrams(pl.Series([], dtype=pl.String), 100, 3).shape == (0, 3)
    assert hash_ngrams(pl.Series([None], dtype=pl.String), 100, 3).tolist() == [[0, 0, 0]]


def test_only_the_start_of_an_endless_text_is_read():
    long = "abc " * encode_text.MAX_LETTERS
    rows = hash_ngrams(pl.Series([long, long + "unlike"]), 65_535, 60)
    np.testing.assert_array_equal(rows[0], rows[1])


def test_counting_does_not_follow_cells_that_recur(monkeypatch):
    monkeypatch.setattr(encode_text, "_SAMPLE_ROWS", 100)
    texts = pl.Series(["a", "many different words in one cell"] * 100)
    assert count_ngrams(texts, 1000) > 4 * count_ngrams(texts[::2], 1000)
