"""Open a model file: check every byte first, run nothing from it."""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load

from assay.decide import Decisions
from assay.encode.table_encoder import TableEncoder
from assay.encode.target import TargetEncoder
from assay.errors import InternalError, UserError
from assay.ledger import Ledger
from assay.modelfile import layout
from assay.modelfile.golden import check_difference, differs_by
from assay.modelfile.layout import ModelContents
from assay.predict import Predictor, Preparation
from assay.recipe import Recipe
from assay.reference import Reference
from assay.schema import Schema

# What plain data raises that is sealed but not what this release writes.
_MALFORMED = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    IndexError,
    RecursionError,
    SafetensorError,
    InternalError,
)


def load_model(path: str | Path) -> ModelContents:
    """Read a model file, check it and replay its golden rows.

    Raises:
        UserError: The file is absent, is no model, is damaged, or was written in a
            newer format.
        InternalError: The golden rows come out differently on this machine.
    """
    parts = unpack(_read(path), where=str(path))
    try:
        contents = _rebuild(parts, where=str(path))
        worst = differs_by(contents.predictor, contents.golden)
    except _MALFORMED as error:
        raise _damaged(str(path), f"a part does not hold what it should ({error!r})") from None
    check_difference(worst)
    return contents


def _rebuild(parts: dict[str, bytes], *, where: str) -> ModelContents:
    described = _json(parts[layout.PREDICTOR])
    predictor = Predictor(
        preparation=Preparation(
            raw_schema=Schema.from_dict(described["raw_schema"]),
            expressions=dict(described["expressions"]),
            derived_schema=Schema.from_dict(described["derived_schema"]),
            dropped=tuple(described["dropped"]),
        ),
        encoder=TableEncoder.from_dict(described["encoder"]),
        target=TargetEncoder.from_dict(described["target"]),
        graph=parts[layout.CORE],
        recipe=Recipe.from_dict(_json(parts[layout.RECIPE]), where=where),
        decisions=_decisions(described),
    )
    evaluation = _json(parts[layout.EVALUATION])
    if evaluation["classes"] != list(predictor.target.classes):
        raise ValueError("the evaluation is of other classes")
    return ModelContents(
        predictor=predictor,
        ledger=Ledger.from_list(_json(parts[layout.LEDGER])).to_list(),
        evaluation=evaluation,
        members=load(parts[layout.MEMBERS]),
        golden=_json(parts[layout.GOLDEN]),
        reference=_reference(parts, predictor.preparation.raw_schema, predictor.target.n_classes),
    )


def _reference(parts: dict[str, bytes], schema: Schema, n_classes: int) -> Reference | None:
    if layout.REFERENCE not in parts:
        return None
    reference = Reference.from_dict(_json(parts[layout.REFERENCE]))
    found = [(column.name, column.kind) for column in reference.columns]
    if found != [(spec.name, spec.kind) for spec in schema.features]:
        raise ValueError("the reference is of other columns")
    if reference.predictions and len(reference.predictions.shares) != n_classes:
        raise ValueError("the reference is of other classes")
    return reference


def _decisions(described: dict[str, Any]) -> Decisions | None:
    if "decisions" not in described:
        return None
    decisions = Decisions.from_dict(described["decisions"])
    if list(decisions.classes) != described["target"]["classes"]:
        raise ValueError("the decisions are between other classes")
    return decisions


def unpack(data: bytes, *, where: str) -> dict[str, bytes]:
    """Return the parts of a model file's bytes, all hashes checked.

    Raises:
        UserError: No model, damaged, or of a newer format.
    """
    if not data.startswith(b"PK\x03\x04"):
        raise UserError(
            "is not an assay model", where=where, fix="Give a file that 'assay train' wrote"
        )
    _check_seal(data, where)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            manifest = _json(archive.read(layout.MANIFEST))
            _check_version(manifest, where)
            found = {*layout.required(), *(set(layout.OPTIONAL) & set(manifest["parts"]))}
            parts = {name: archive.read(name) for name in layout.PARTS if name in found}
        hashes = {name: str(manifest["parts"][name]["sha256"]) for name in parts}
    except (zipfile.BadZipFile, EOFError, *_MALFORMED) as error:
        raise _damaged(where, f"its parts cannot be read ({error!r})") from None
    for name, part in parts.items():
        if hashlib.sha256(part).hexdigest() != hashes[name]:
            raise _damaged(where, f"part {name} does not match its hash")
    return parts


def read_manifest(path: str | Path) -> dict[str, Any]:
    """Return the manifest of a file that `load_model` has accepted: versions, parts, hashes."""
    with zipfile.ZipFile(path) as archive:
        manifest: dict[str, Any] = _json(archive.read(layout.MANIFEST))
    return manifest


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot open the model: {reason}", where=str(path)) from None


def _check_seal(data: bytes, where: str) -> None:
    """Compare the digest at the end of the file with the bytes before it."""
    body, seal = data[: -layout.SEAL_LENGTH], data[-layout.SEAL_LENGTH :]
    if not seal.startswith(layout.SEAL):
        if layout.MANIFEST.encode() not in data[:200]:
            raise UserError("is a zip archive, but not an assay model", where=where)
        raise _damaged(where, "its end is missing")
    if hashlib.sha256(body).hexdigest().encode() != seal[len(layout.SEAL) :]:
        raise _damaged(where, "its bytes do not match its seal")


def _check_version(manifest: Any, where: str) -> None:
    if manifest["format"] != layout.FORMAT:
        raise UserError("is not an assay model", where=where)
    version = manifest["format_version"]
    if version > layout.FORMAT_VERSION:
        raise UserError(
            f"was written by assay {manifest['assay_version']} in format {version}; "
            f"this release reads up to format {layout.FORMAT_VERSION}",
            where=where,
            fix=f"Upgrade assay to {manifest['assay_version']} or later",
        )


def _damaged(where: str, how: str) -> UserError:
    return UserError(
        f"the model file is damaged: {how}", where=where, fix="Use a copy, or train again"
    )


def _json(part: bytes) -> Any:
    return json.loads(part)
