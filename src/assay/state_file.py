"""One file for a state of work: arrays and plain data, sealed, whole or not at all.

Comes in: named arrays and a JSON document. Goes out: the same, bit for bit, or an error
if a byte of the file has changed. Nothing in such a file is run as code.

The layout: a line that names it; the length of the header, 8 bytes, the lowest first;
the header as JSON: the document, and name, type and shape of each array; the bytes of the
arrays, each at a multiple of 64; the SHA-256 of all before.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import InternalError, UserError
from assay.files import atomic_write

State = tuple[dict[str, np.ndarray], dict[str, Any]]

_NAME = b"assay state 1\n"
_LENGTH_BYTES = 8
_ALIGNED = 64
_DIGEST_BYTES = 32
_CHUNK_BYTES = 1 << 20
_KINDS = "biuf"  # truth values, integers, floating-point numbers
_LONGEST_HEADER = 1 << 28
ANEW = "begin anew with 'assay train ... --fresh'"

_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)


class UnfitStateError(UserError):
    """A part of the work that does not fit the rest; without it, it can be done again."""


def write_state(path: Path, arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]) -> None:
    """Write a state; an older one of that name stays until the new one is complete.

    Args:
        path: Where.
        arrays: Of truth values, integers or floating-point numbers, any shape.
        document: Plain JSON data; floating-point numbers come back to the last bit.

    Raises:
        UserError: The place is not writable or the disk is full.
    """
    parts = packed(arrays, document)
    with atomic_write(path) as file:
        for part in parts:
            file.write(part)


def packed(
    arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]
) -> Iterator[bytes | memoryview]:
    """Return the bytes of a state in turn; the arguments are those of `write_state`."""
    plain = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    described = [[name, array.dtype.str, list(array.shape)] for name, array in plain.items()]
    if any(array.dtype.kind not in _KINDS for array in plain.values()):
        raise InternalError(f"a state holds arrays of plain numbers only (got {described})")
    header = json.dumps({"document": document, "arrays": described}).encode()
    head = _NAME + len(header).to_bytes(_LENGTH_BYTES, "little") + header
    return _sealed(head, plain.values())


def _sealed(head: bytes, arrays: Iterable[np.ndarray]) -> Iterator[bytes | memoryview]:
    """Yield the head, the arrays at multiples of 64, and the seal."""
    digest, n_bytes = hashlib.sha256(head), len(head)
    yield head
    for array in arrays:
        gap, data = bytes(-n_bytes % _ALIGNED), array.reshape(-1).view(np.uint8).data
        for part in (gap, data):
            digest.update(part)
            yield part
        n_bytes += len(gap) + array.nbytes
    yield digest.digest()


def read_state(path: Path, *, fix: str = ANEW.capitalize()) -> State | None:
    """Read a state and compare every byte with its seal.

    Args:
        path: Where.
        fix: What to do about a damaged one.

    Returns:
        Arrays, which may be written to, and the document; None where there is no file.

    Raises:
        UserError: The file is damaged or cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = bytearray(os.fstat(file.fileno()).st_size)
            n_read = file.readinto(data)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from None
    found = unpacked(data) if n_read == len(data) else None
    if found is None:
        raise _damaged(path, fix)
    return found


def unpacked(data: bytearray) -> State | None:
    """Return the state that bytes hold, or None where they do not match their seal.

    The arrays, which may be written to, share the memory of `data`.
    """
    seal = bytes(data[-_DIGEST_BYTES:])
    if hashlib.sha256(memoryview(data)[:-_DIGEST_BYTES]).digest() != seal:
        return None
    try:
        header, start = _header(bytes(data[: len(_NAME) + _LENGTH_BYTES]), data)
        return _arrays(header["arrays"], data, start), dict(header["document"])
    except _MALFORMED:
        return None


def check_seal(path: Path, *, fix: str = ANEW.capitalize()) -> None:
    """Compare every byte of a state with its seal, and keep none of them.

    Args:
        path: Where.
        fix: What to do about a damaged one.

    Raises:
        UserError: The file is damaged, gone or cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            n_left = os.fstat(file.fileno()).st_size - _DIGEST_BYTES
            while n_left > 0 and (chunk := file.read(min(n_left, _CHUNK_BYTES))):
                digest.update(chunk)
                n_left -= len(chunk)
            seal = file.read()
    except OSError as error:
        raise _unreadable(path, error) from None
    if digest.digest() != seal:
        raise _damaged(path, fix)


def peek_document(path: Path) -> dict[str, Any]:
    """Return the document alone, its seal unchecked; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_NAME) + _LENGTH_BYTES)
            length = int.from_bytes(head[len(_NAME) :], "little")
            header, _ = _header(head, head + file.read(min(length, _LONGEST_HEADER)))
            return dict(header["document"])
    except (OSError, *_MALFORMED):
        return {}


def is_state(path: Path) -> bool:
    """Whether a file names itself a state, whole or not."""
    try:
        with path.open("rb") as file:
            return file.read(len(_NAME)) == _NAME
    except OSError:
        return False


def _header(head: bytes, data: bytes | bytearray) -> tuple[dict[str, Any], int]:
    """Return the header, and where it ends."""
    if not head.startswith(_NAME):
        raise ValueError("another kind of file")
    end = len(head) + int.from_bytes(head[len(_NAME) :], "little")
    header: dict[str, Any] = json.loads(data[len(head) : end])
    return header, end


def _arrays(described: list[Any], data: bytearray, start: int) -> dict[str, np.ndarray]:
    arrays = {}
    for name, type_name, shape in described:
        start += -start % _ALIGNED
        dtype, count = np.dtype(type_name), int(np.prod(shape, dtype=np.int64))
        if dtype.kind not in _KINDS:
            raise ValueError(f"{type_name} is no number")
        arrays[name] = np.frombuffer(data, dtype, count, start).reshape(shape)
        start += count * dtype.itemsize
    return arrays


def _unreadable(path: Path, error: OSError) -> UserError:
    if path.is_dir():
        return UserError("is a folder, not a saved state", where=str(path), fix="Move it away")
    what = f"cannot read: {error.strerror or error}"
    return UserError(what, where=str(path), fix="Make it readable")


def _damaged(path: Path, fix: str) -> UserError:
    return UserError(
        "the saved state is damaged: its bytes do not match its seal",
        where=str(path),
        fix=fix,
    )
