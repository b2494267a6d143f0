"""Write a model file: parts, their hashes, the seal; whole or not at all."""

import hashlib
import io
import zipfile
from pathlib import Path

from safetensors.numpy import save

from assay.errors import InternalError
from assay.files import atomic_write
from assay.modelfile import layout
from assay.modelfile.golden import check_difference, differs_by
from assay.modelfile.layout import ModelContents, to_json
from assay.version import __version__


def save_model(path: str | Path, contents: ModelContents) -> None:
    """Write a model file.

    Args:
        path: Where; an older file stays until the new one is complete.
        contents: What goes in; its golden rows are replayed first.

    Raises:
        UserError: The place is not writable or the disk is full.
    """
    check_difference(differs_by(contents.predictor, contents.golden))
    data = pack(contents)
    with atomic_write(path) as file:
        file.write(data)


def pack(contents: ModelContents) -> bytes:
    """Return the bytes of a model file; equal contents give equal bytes."""
    parts = _parts(contents)
    if tuple(parts) not in (layout.PARTS, tuple(layout.required())):
        raise InternalError("the parts of the model file do not fit its layout")
    manifest = {
        "format": layout.FORMAT,
        "format_version": layout.FORMAT_VERSION,
        "assay_version": __version__,
        "parts": {
            name: {"size": len(part), "sha256": hashlib.sha256(part).hexdigest()}
            for name, part in parts.items()
        },
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, part in {layout.MANIFEST: to_json(manifest), **parts}.items():
            archive.writestr(_entry(name), part)
        archive.comment = layout.SEAL + b"0" * 64
    body = buffer.getvalue()[: -layout.SEAL_LENGTH]
    return body + layout.SEAL + hashlib.sha256(body).hexdigest().encode()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))  # no clock in the bytes
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    return entry


def _parts(contents: ModelContents) -> dict[str, bytes]:
    predictor = contents.predictor
    described = {
        "raw_schema": predictor.preparation.raw_schema.to_dict(),
        "expressions": [[name, text] for name, text in predictor.preparation.expressions.items()],
        "derived_schema": predictor.preparation.derived_schema.to_dict(),
        "dropped": list(predictor.preparation.dropped),
        "encoder": predictor.encoder.to_dict(),
        "target": predictor.target.to_dict(),
    }
    if predictor.decisions is not None:
        described["decisions"] = predictor.decisions.to_dict()
    parts = {
        layout.PREDICTOR: to_json(described),
        layout.RECIPE: to_json(predictor.recipe.to_dict()),
        layout.LEDGER: to_json(contents.ledger),
        layout.EVALUATION: to_json(contents.evaluation),
        layout.MEMBERS: save(contents.members),
        layout.CORE: predictor.graph,
        layout.GOLDEN: to_json(contents.golden),
    }
    if contents.reference is not None:
        parts[layout.REFERENCE] = to_json(contents.reference.to_dict())
    return parts
