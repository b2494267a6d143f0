"""A state comes back bit for bit, or not at all."""

import numpy as np
import pytest

from assay import state_file
from assay.errors import InternalError, UserError
from assay.state_file import check_seal, peek_document, read_state, write_state

ARRAYS = {
    "weights": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
    "is_met": np.array([True, False, True]),
    "count": np.array(-5),
    "none": np.zeros((0, 4), np.int64),
    "turned": np.arange(12, dtype=np.uint16).reshape(3, 4).T,
}
DOCUMENT = {"loss": 0.1 + 0.2, "epochs": [1, 2], "name": "Zürich", "none": None}


@pytest.fixture
def path(tmp_path):
    write_state(tmp_path / "one.state", ARRAYS, DOCUMENT)
    return tmp_path / "one.state"


def test_arrays_and_document_come_back_and_may_be_written_to(path):
    arrays, document = read_state(path)
    assert document == DOCUMENT
    assert list(arrays) == list(ARRAYS)
    for name, array in arrays.items():
        assert array.dtype == ARRAYS[name].dtype
        np.testing.assert_array_equal(array, ARRAYS[name])
        assert array.flags.aligned
        assert array.flags.writeable
    assert peek_document(path) == DOCUMENT


def test_equal_states_are_equal_bytes(path, tmp_path):
    write_state(tmp_path / "two.state", ARRAYS, DOCUMENT)
    assert (tmp_path / "two.state").read_bytes() == path.read_bytes()


def test_an_absent_state_is_none(tmp_path):
    assert read_state(tmp_path / "none.state") is None
    assert peek_document(tmp_path / "none.state") == {}
    with pytest.raises(UserError, match=r"none\.state: cannot read: No such file"):
        check_seal(tmp_path / "none.state")


@pytest.mark.attack
def test_every_flipped_bit_and_every_truncation_is_refused(path):
    whole = path.read_bytes()
    for n_kept in [*range(0, len(whole), 9), len(whole) - 1]:
        path.write_bytes(whole[:n_kept])
        with pytest.raises(UserError, match="damaged"):
            read_state(path)
        with pytest.raises(UserError, match="damaged"):
            check_seal(path)
    for position in range(0, len(whole), 2):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"one\.state: the saved state is damaged"):
            read_state(path)
        with pytest.raises(UserError, match=r"one\.state: the saved state is damaged"):
            check_seal(path)
        peek_document(path)  # never raises


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1 << 20])
def test_a_seal_is_checked_piece_by_piece(path, monkeypatch, chunk_bytes):
    monkeypatch.setattr(state_file, "_CHUNK_BYTES", chunk_bytes)
    check_seal(path)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(UserError, match="Look it up"):
        check_seal(path, fix="Look it up")


@pytest.mark.attack
def test_objects_are_never_written(tmp_path):
    with pytest.raises(InternalError, match="plain numbers"):
        write_state(tmp_path / "one.state", {"a": np.array([object()])}, {})
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_cannot_be_written_leaves_the_older_one(path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_state(path, {}, {"newer": True})
    monkeypatch.undo()
    assert read_state(path)[1] == DOCUMENT
    assert [entry.name for entry in path.parent.iterdir()] == ["one.state"]
