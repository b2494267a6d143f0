"""The layout of a model file, format version 1; docs/model-file.md is its text."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.predict import Predictor
from assay.reference import Reference

FORMAT = "assay"
FORMAT_VERSION = 1

MANIFEST = "manifest.json"
PREDICTOR = "predictor.json"
RECIPE = "recipe.json"
LEDGER = "ledger.json"
EVALUATION = "evaluation.json"
MEMBERS = "members.safetensors"
CORE = "core.onnx"
GOLDEN = "golden.json"
REFERENCE = "reference.json"
PARTS = (PREDICTOR, RECIPE, LEDGER, EVALUATION, MEMBERS, CORE, GOLDEN, REFERENCE)
OPTIONAL = (REFERENCE,)  # parts that files of earlier releases lack

SEAL = b"assay-sha256:"  # the zip comment: this, then the digest of all bytes before it
SEAL_LENGTH = len(SEAL) + 64

MAX_FILE_BYTES = 1 << 33
"""Largest model file that is opened."""


class MalformedError(ValueError):
    """A file that is sealed but not what `save` writes; says in words what is wrong."""


@dataclass(frozen=True)
class ModelContents:
    """What a model file holds.

    Attributes:
        predictor: Everything that predicts.
        ledger: Decisions about the data, as plain data.
        evaluation: Scores with intervals, history and versions, as plain data.
        members: Weights and fitted statistics of all members, by name.
        golden: Rows and their probabilities, from `make_golden`.
        reference: The training table, summed up; None in files of earlier releases.
    """

    predictor: Predictor
    ledger: list[dict[str, str]]
    evaluation: dict[str, Any]
    members: dict[str, np.ndarray]
    golden: dict[str, Any]
    reference: Reference | None = None

    def __reduce__(self) -> tuple[Callable[[bytes], "ModelContents"], tuple[bytes]]:
        """Let copies and pickles hold the bytes of the model file: a graph at work has none."""
        from assay.modelfile.load import from_pickle
        from assay.modelfile.save import pack

        return from_pickle, (pack(self),)


def required() -> list[str]:
    """Return the parts that every model file has."""
    return [name for name in PARTS if name not in OPTIONAL]


def to_json(data: object) -> bytes:
    """Return canonical JSON: sorted keys, UTF-8, no NaN."""
    text = json.dumps(
        data, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    return text.encode()
