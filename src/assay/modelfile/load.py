"""Open a model file: check every byte first, run nothing from it.

In this order: the kind and size of the file, its seal, its manifest, its archive, its
hashes; then every part against its types and the others, the core graph node by node, and
last the golden rows. Whatever is wrong ends in one `UserError`.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polars.exceptions import PanicException, PolarsError
from safetensors import SafetensorError

from assay.errors import InternalError, UserError
from assay.modelfile import layout
from assay.modelfile.archive import (
    MAGIC,
    MAX_MANIFEST_BYTES,
    check_seal,
    read_archive,
    read_first_manifest,
)
from assay.modelfile.core_check import CoreFacts
from assay.modelfile.golden import GOLDEN_TOLERANCE, differs_by
from assay.modelfile.layout import MalformedError, ModelContents
from assay.modelfile.rebuild import rebuild
from assay.version import __version__

# What parts raise that are sealed and hashed but not what this release writes.
NOT_AS_WRITTEN = (
    ArithmeticError,
    AttributeError,
    InternalError,
    LookupError,
    MemoryError,
    PanicException,
    PolarsError,
    RecursionError,
    SafetensorError,
    TypeError,
    UserError,
    ValueError,
)
_HEAD = 200  # bytes that hold the first entry's name
_SHOWN = 200  # letters of a reason


@dataclass(frozen=True)
class OpenedModel:
    """A model file that has passed every check.

    Attributes:
        contents: What it holds.
        manifest: Versions, and size and hash of each part.
        core: What its core graph is made of.
        worst: By how much a probability of its golden rows differs at most.
        size_bytes: Of the file.
    """

    contents: ModelContents
    manifest: dict[str, Any]
    core: CoreFacts
    worst: float
    size_bytes: int


def load_model(path: str | Path) -> ModelContents:
    """Read a model file, check it and replay its golden rows.

    Raises:
        UserError: The file is absent, is no model, is damaged, was written in a newer
            format, or predicts otherwise on this machine.
    """
    return open_model(path).contents


def open_model(path: str | Path) -> OpenedModel:
    """Read a model file as `load_model`, and tell what was found.

    Raises:
        UserError: As `load_model`.
    """
    return open_bytes(_read(path), where=str(path))


def open_bytes(data: bytes, *, where: str) -> OpenedModel:
    """Check the bytes of a model file and tell what was found.

    Args:
        data: All of them.
        where: Name of the file, for messages.

    Raises:
        UserError: As `load_model`.
    """
    manifest, parts = unpack(data, where=where)
    try:
        contents, core = rebuild(parts, where=where)
        worst = differs_by(contents.predictor, contents.golden)
    except NOT_AS_WRITTEN as error:
        raise _unfit(where, manifest, error) from None
    if not worst <= GOLDEN_TOLERANCE:
        raise UserError(
            f"its golden rows differ by {worst:.2g} from when it was saved "
            f"(allowed {GOLDEN_TOLERANCE:.2g}): do not trust its predictions on this machine",
            where=where,
            fix="Open it on a machine like the one it was trained on, or train again",
        )
    return OpenedModel(contents, manifest, core, worst, len(data))


def from_pickle(data: bytes) -> ModelContents:
    """Return what the bytes of a model file hold; pickles of models call this by its name."""
    return open_bytes(data, where="the pickle of a model").contents


def unpack(data: bytes, *, where: str) -> tuple[dict[str, Any], dict[str, memoryview]]:
    """Return the manifest and views of the parts of a model file's bytes, all hashes checked.

    Raises:
        UserError: No model, damaged, or of a newer format.
    """
    _check_magic(data[:_HEAD], where)
    try:
        check_seal(data)
        manifest = read_first_manifest(data)
        _check_version(manifest, where)
        return manifest, read_archive(data, manifest)
    except MalformedError as error:
        raise _damaged(where, str(error)) from None


@contextlib.contextmanager
def telling_of(path: str | Path) -> Iterator[None]:
    """Let a report of a file fail as a damaged file does.

    What `evaluation.json` holds is told, never computed with, and so checked by those who
    tell it: a stranger's may lack anything.

    Args:
        path: Of the file.

    Raises:
        UserError: Within, something was absent or of another type.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"[:_SHOWN]
        raise _damaged(
            str(path), f"its evaluation does not hold what it should ({reason})"
        ) from error


def read_manifest(path: str | Path) -> dict[str, Any]:
    """Return the manifest of a file that `load_model` has accepted: versions, parts, hashes."""
    with open(path, "rb") as file:
        return read_first_manifest(file.read(MAX_MANIFEST_BYTES + _HEAD))


def _read(path: str | Path) -> bytes:
    """Return the bytes of what may be a model: its ends are looked at first."""
    where = str(path)
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
            raise UserError("is no ordinary file", where=where, fix="Give the name of a file")
        if found.st_size > layout.MAX_FILE_BYTES:
            raise _damaged(where, f"it has more than {layout.MAX_FILE_BYTES} bytes")
        with open(path, "rb") as file:
            head = file.read(_HEAD)
            _check_magic(head, where)
            file.seek(max(found.st_size - layout.SEAL_LENGTH, 0))
            _check_end(head, file.read(len(layout.SEAL)), where)
            file.seek(0)
            return file.read(layout.MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"cannot open the model: {reason}", where=where) from None
    except MemoryError:
        raise UserError("is larger than the memory", where=where) from None


def _check_magic(head: bytes, where: str) -> None:
    if not head.startswith(MAGIC):
        raise UserError(
            "is not an assay model", where=where, fix="Give a file that 'assay train' wrote"
        )


def _check_end(head: bytes, seal: bytes, where: str) -> None:
    if seal == layout.SEAL:
        return
    if layout.MANIFEST.encode() not in head:
        raise UserError("is a zip archive, but not an assay model", where=where)
    raise _damaged(where, "its end is missing")


def _check_version(manifest: dict[str, Any], where: str) -> None:
    version = manifest["format_version"]
    if version > layout.FORMAT_VERSION:
        raise UserError(
            f"was written by assay {manifest['assay_version']} in format {version}; "
            f"this release reads up to format {layout.FORMAT_VERSION}",
            where=where,
            fix=f"Upgrade assay to {manifest['assay_version']} or later",
        )


def _unfit(where: str, manifest: dict[str, Any], error: BaseException) -> UserError:
    """Tell that a part is not what it should be, or that it is a newer release's."""
    release = manifest["assay_version"]
    if _numbers(release) > _numbers(__version__):
        return UserError(
            f"was written by assay {release}, and this release, {__version__}, cannot read "
            "all of it",
            where=where,
            fix=f"Upgrade assay to {release} or later",
        )
    if isinstance(error, MalformedError | UserError):
        reason = str(error).removeprefix(f"{where}: ").rstrip(".")
    else:
        reason = f"a part does not hold what it should ({type(error).__name__}: {error})"
    shown = reason if len(reason) <= _SHOWN else f"{reason[:_SHOWN]}..."
    return _damaged(where, " ".join(shown.split()))


def _numbers(release: str) -> list[int]:
    return [int("".join(filter(str.isdigit, part)) or 0) for part in release.split(".")[:3]]


def _damaged(where: str, how: str) -> UserError:
    return UserError(
        f"the model file is damaged: {how}", where=where, fix="Use a copy, or train again"
    )
