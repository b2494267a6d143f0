"""The archive of a model file: parts in, the same bytes out for ever, and back.

There is one way to write a set of parts. What is read is therefore compared, byte by
byte, with what `write_archive` makes of the same parts: no entry but those of the layout,
none twice, none compressed, no link, nothing before, between or behind them.
"""

import hashlib
import io
import re
import struct
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO, cast

from assay.modelfile import layout
from assay.modelfile.layout import MalformedError
from assay.modelfile.plain import parse_json

MAGIC = b"PK\x03\x04"
MAX_MANIFEST_BYTES = 1 << 16
_HEADER = struct.Struct("<4s22xHH")  # of an entry: magic, lengths of its name and extra field
_SIZE_AT = 22
_HASH = re.compile(r"[0-9a-f]{64}")
_RELEASE = re.compile(r"\d{1,4}\.\d{1,4}\.\d{1,4}[A-Za-z0-9.+]{0,24}")


def write_archive(parts: Mapping[str, bytes]) -> bytes:
    """Return a sealed archive.

    Args:
        parts: The manifest first, then the parts in their order.
    """
    buffer = io.BytesIO()
    _write(buffer, parts)
    body = buffer.getvalue()[: -layout.SEAL_LENGTH]
    return body + layout.SEAL + hashlib.sha256(body).hexdigest().encode()


def check_seal(data: bytes) -> None:
    """Compare the digest at the end of a file with the bytes before it.

    Raises:
        MalformedError: They do not fit.
    """
    view = memoryview(data)
    seal = bytes(view[-layout.SEAL_LENGTH :])
    if not seal.startswith(layout.SEAL):
        raise MalformedError("its end is missing")
    digest = hashlib.sha256(view[: -layout.SEAL_LENGTH]).hexdigest()
    if digest.encode() != seal[len(layout.SEAL) :]:
        raise MalformedError("its bytes do not match its seal")


def read_first_manifest(data: bytes | memoryview) -> dict[str, Any]:
    """Return the manifest, which is the first entry, with its versions checked.

    Args:
        data: The file, or as much of its beginning as `MAX_MANIFEST_BYTES` and its header.

    Raises:
        MalformedError: The first entry is no manifest.
    """
    view = memoryview(data)
    name, start = _entry_at(view, 0)
    size = int.from_bytes(view[_SIZE_AT : _SIZE_AT + 4], "little")
    if name != layout.MANIFEST.encode() or not 0 < size <= MAX_MANIFEST_BYTES:
        raise MalformedError("its first entry is no manifest")
    if start + size > len(view):
        raise MalformedError("its manifest is cut off")
    try:
        manifest = parse_json(view[start : start + size])
    except MalformedError as error:
        raise MalformedError(f"its manifest {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != layout.FORMAT:
        raise MalformedError("its manifest is of another format")
    version, release = manifest.get("format_version"), manifest.get("assay_version")
    if type(version) is not int or version < 1:
        raise MalformedError("its manifest tells no format version")
    if not isinstance(release, str) or not _RELEASE.fullmatch(release):
        raise MalformedError("its manifest tells no release")
    return manifest


def read_archive(data: bytes, manifest: Mapping[str, Any]) -> dict[str, memoryview]:
    """Return views of the parts of a file, all sizes and hashes checked.

    Args:
        data: The file, whose seal fits.
        manifest: Of `read_first_manifest`.

    Raises:
        MalformedError: The file is not what `write_archive` makes of its parts, or a part is
            not what the manifest tells.
    """
    listed = _listed_parts(manifest)
    view = memoryview(data)
    _, start = _entry_at(view, 0)
    end = start + int.from_bytes(view[_SIZE_AT : _SIZE_AT + 4], "little")
    entries = {layout.MANIFEST: view[start:end]}
    for name, one in listed.items():
        found, start = _entry_at(view, end)
        end = start + one["size"]
        if found != name.encode() or end > len(view):
            raise MalformedError(f"part {name} is not where it should be")
        entries[name] = view[start:end]
    _check_framing(view, entries)
    del entries[layout.MANIFEST]
    for name, one in listed.items():
        if hashlib.sha256(entries[name]).hexdigest() != one["sha256"]:
            raise MalformedError(f"part {name} does not match its hash")
    return entries


def _listed_parts(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return size and hash of each part, in the order of the layout."""
    listed = manifest.get("parts")
    if set(manifest) != {"format", "format_version", "assay_version", "parts"}:
        raise MalformedError("its manifest holds other fields than it should")
    if not isinstance(listed, dict) or not set(layout.required()) <= set(listed):
        raise MalformedError("its manifest lacks a part")
    if not set(listed) <= set(layout.PARTS):
        raise MalformedError("its manifest names a part that no model file of this format holds")
    for name, one in listed.items():
        if not isinstance(one, dict) or set(one) != {"size", "sha256"}:
            raise MalformedError(f"its manifest does not describe part {name}")
        size, digest = one["size"], one["sha256"]
        if type(size) is not int or not 0 <= size <= layout.MAX_FILE_BYTES:
            raise MalformedError(f"its manifest gives part {name} no size")
        if not isinstance(digest, str) or not _HASH.fullmatch(digest):
            raise MalformedError(f"its manifest gives part {name} no hash")
    return {name: listed[name] for name in layout.PARTS if name in listed}


def _entry_at(view: memoryview, position: int) -> tuple[bytes, int]:
    """Return the name of the entry whose header is at `position`, and where it begins."""
    end = position + _HEADER.size
    if end > len(view):
        raise MalformedError("an entry is cut off")
    magic, n_name, n_extra = _HEADER.unpack(view[position:end])
    if magic != MAGIC:
        raise MalformedError("an entry is missing")
    return bytes(view[end : end + n_name]), end + n_name + n_extra


def _check_framing(view: memoryview, entries: Mapping[str, memoryview]) -> None:
    """Demand that a file is what these entries make, but for its seal.

    Their own bytes need no comparison: where all headers are equal, they lie where they
    were taken from.
    """
    expected = _Pieces()
    _write(expected, entries)
    seal_at = len(view) - layout.SEAL_LENGTH
    is_equal = expected.length == len(view) and all(
        bytes(view[start : start + len(piece)]) == bytes(piece)
        for start, piece in expected.pieces.items()
        if piece.obj is not view.obj and start < seal_at
    )
    if not is_equal:
        raise MalformedError("its archive is not as assay writes it")


class _Pieces:
    """A file that keeps what is written to it where it was written, without a copy."""

    def __init__(self) -> None:
        self.pieces: dict[int, memoryview] = {}
        self.length = 0
        self._position = 0

    def write(self, data: bytes | memoryview) -> int:
        piece = memoryview(data)
        if len(piece):
            self.pieces[self._position] = piece
        self._position += len(piece)
        self.length = max(self.length, self._position)
        return len(piece)

    def seek(self, position: int, whence: int = 0) -> int:
        self._position = position
        return position

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        pass


def _write(file: object, parts: Mapping[str, bytes] | Mapping[str, memoryview]) -> None:
    with zipfile.ZipFile(cast(BinaryIO, file), "w", zipfile.ZIP_STORED) as archive:
        for name, part in parts.items():
            archive.writestr(_entry(name), cast(bytes, part))
        archive.comment = layout.SEAL + b"0" * 64


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))  # no clock in the bytes
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    return entry
