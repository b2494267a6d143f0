"""Write a model file: parts, their hashes, the seal; whole or not at all."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from safetensors.numpy import save

from assay.errors import InternalError
from assay.files import atomic_write
from assay.modelfile import layout
from assay.modelfile.archive import write_archive
from assay.modelfile.golden import check_difference, differs_by
from assay.modelfile.layout import ModelContents, to_json
from assay.modelfile.load import NOT_AS_WRITTEN
from assay.modelfile.rebuild import read_parts
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
    """Return the bytes of a model file; equal contents give equal bytes.

    Raises:
        InternalError: They could not be opened again.
    """
    parts = _parts(contents)
    if tuple(parts) not in (layout.PARTS, tuple(layout.required())):
        raise InternalError("the parts of the model file do not fit its layout")
    _check_parts(parts)
    manifest = {
        "format": layout.FORMAT,
        "format_version": layout.FORMAT_VERSION,
        "assay_version": __version__,
        "parts": {
            name: {"size": len(part), "sha256": hashlib.sha256(part).hexdigest()}
            for name, part in parts.items()
        },
    }
    return write_archive({layout.MANIFEST: to_json(manifest), **parts})


def _check_parts(parts: Mapping[str, bytes]) -> None:
    """Write no model that `load` would refuse: its own checks read the parts."""
    try:
        read_parts({name: memoryview(part) for name, part in parts.items()}, where="the model")
    except NOT_AS_WRITTEN as error:
        raise InternalError(f"the model could not be opened again: {error}") from error


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
