"""Model files taken apart and put together again, with fresh hashes and a fresh seal."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping

from assay.modelfile import layout
from assay.modelfile.archive import write_archive
from assay.modelfile.layout import to_json


def parts_of(data: bytes) -> dict[str, bytes]:
    """Return all entries of a sound file, the manifest included."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sealed(parts: Mapping[str, bytes]) -> bytes:
    """Return an archive of any entries, as assay writes it."""
    return write_archive(parts)


def seal_again(data: bytes) -> bytes:
    """Return a file with the seal that its bytes should have."""
    body = data[: -layout.SEAL_LENGTH]
    return body + layout.SEAL + hashlib.sha256(body).hexdigest().encode()


def described(parts: Mapping[str, bytes]) -> dict[str, dict[str, object]]:
    """Return what a manifest tells of parts."""
    return {
        name: {"size": len(part), "sha256": hashlib.sha256(part).hexdigest()}
        for name, part in parts.items()
        if name != layout.MANIFEST
    }


def resealed(parts: Mapping[str, bytes]) -> bytes:
    """Return a file of other parts whose manifest, hashes and seal all fit."""
    manifest = json.loads(parts[layout.MANIFEST]) | {"parts": described(parts)}
    return sealed({**parts, layout.MANIFEST: to_json(manifest)})
