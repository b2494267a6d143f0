"""What the fuzzer of the readers kept, and what it began with: an answer or one line."""

import pytest

from attacks.reader_inputs import CORPUS, MAX_BYTES, READERS, feed, seeds

pytestmark = pytest.mark.attack

_MAX_CORPUS_BYTES = 200_000
_KEPT = sorted(CORPUS.iterdir())


def test_the_corpus_is_small_and_knows_every_reader():
    inputs = [file.read_bytes() for file in _KEPT]
    assert len(inputs) > 100
    assert sum(map(len, inputs)) < _MAX_CORPUS_BYTES
    assert {data[0] % len(READERS) for data in inputs} == set(range(len(READERS)))


@pytest.mark.parametrize("part", range(4))
def test_every_kept_input_is_answered(part):
    for file in _KEPT[part::4]:
        feed(file.read_bytes())


def test_seeds_are_answered_too():
    inputs = list(seeds())
    assert len(inputs) > 200
    assert all(len(data) <= MAX_BYTES for data in inputs)
    for data in inputs[::5]:
        feed(data)
