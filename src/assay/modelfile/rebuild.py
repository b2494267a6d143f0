"""Parts of a model file become a model: every field typed, every part fitting the others.

Comes in: views of the parts, whose hashes fit. Goes out: `ModelContents`. The file may be
a stranger's who wrote fresh hashes, so nothing is believed: columns, levels, classes and
shapes are compared with each other before anything is computed from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from safetensors.numpy import load as load_tensors

from assay.core import CoreGraph
from assay.decide import Decisions
from assay.derive import check_growth
from assay.encode.features import CategoricalFeature, NumericFeature, TextFeature
from assay.encode.table_encoder import TableEncoder
from assay.encode.target import MAX_CLASSES, LabelType, TargetEncoder
from assay.encode.text import MAX_BUCKETS
from assay.ledger import Entry, Ledger
from assay.modelfile import layout
from assay.modelfile.core_check import CoreFacts, array_widths, check_core
from assay.modelfile.golden import Golden, most_cell_bytes
from assay.modelfile.layout import MalformedError, ModelContents
from assay.modelfile.plain import check_type, parse_json
from assay.predict import Predictor, Preparation
from assay.recipe import Recipe
from assay.reference import ColumnReference, PredictionReference, Reference
from assay.schema import ColumnSpec, Schema

_MAX_NGRAMS = 65_535


@dataclass(frozen=True)
class _Described:
    """The part `predictor.json`, of whose encoder and decisions the types are checked apart."""

    raw_schema: dict[str, Any]
    expressions: list[tuple[str, str]]
    derived_schema: dict[str, Any]
    dropped: tuple[str, ...]
    encoder: dict[str, Any]
    target: dict[str, Any]
    decisions: dict[str, Any] | None = None


def rebuild(parts: Mapping[str, memoryview], *, where: str) -> tuple[ModelContents, CoreFacts]:
    """Return what a model file holds, ready to predict, and what its core graph is made of.

    Args and errors: as `read_parts`.
    """
    contents, facts = read_parts(parts, where=where)
    predictor = contents.predictor
    core = CoreGraph(predictor.graph, largest=facts.largest)  # last: other code reads it
    return replace(contents, predictor=predictor.loaded(core, predictor.decisions)), facts


def read_parts(parts: Mapping[str, memoryview], *, where: str) -> tuple[ModelContents, CoreFacts]:
    """Check the parts of a model file, each and against the others.

    Args:
        parts: By name; see `layout.PARTS`.
        where: Name of the file, for messages.

    Raises:
        MalformedError: A part is not what this release writes; other errors of plain data
            where only its own class can tell.
    """
    described = _described(parts)
    predictor, facts = _predictor(parts, described, where)
    evaluation = _parsed(parts, layout.EVALUATION)
    if not isinstance(evaluation, dict):
        raise MalformedError("part evaluation.json holds no scores")
    if evaluation.get("classes") != list(predictor.target.classes):
        raise MalformedError("the evaluation is of other classes")
    golden = Golden.from_dict(_parsed(parts, layout.GOLDEN))
    _check_golden(golden, predictor)
    contents = ModelContents(
        predictor=predictor,
        ledger=_ledger(parts),
        evaluation=evaluation,
        members=_members(parts, predictor.encoder),
        golden=golden.to_dict(),
        reference=_reference(parts, predictor.preparation.raw_schema, predictor.target.n_classes),
    )
    return contents, facts


def _described(parts: Mapping[str, memoryview]) -> _Described:
    data = _parsed(parts, layout.PREDICTOR)
    described: _Described = check_type(_Described, data, layout.PREDICTOR)
    if set(data) - set(vars(described)):
        raise MalformedError("part predictor.json holds fields that assay never writes")
    return described


def _predictor(
    parts: Mapping[str, memoryview], described: _Described, where: str
) -> tuple[Predictor, CoreFacts]:
    preparation = Preparation(
        raw_schema=_schema(described.raw_schema),
        expressions=_named(described.expressions),
        derived_schema=_schema(described.derived_schema),
        dropped=described.dropped,
    )
    _check_preparation(preparation)
    encoder, target = _encoder(described.encoder, preparation.schema), _target(described.target)
    graph = bytes(parts[layout.CORE])
    facts = check_core(graph, array_widths(encoder), n_classes=target.n_classes)
    predictor = Predictor(
        preparation=preparation,
        encoder=encoder,
        target=target,
        graph=graph,
        recipe=Recipe.from_dict(_parsed(parts, layout.RECIPE), where=where, is_stored=True),
        decisions=_decisions(described, target),
    )
    return predictor, facts


def _schema(data: dict[str, Any]) -> Schema:
    check_type(tuple[ColumnSpec, ...], data["columns"], "a schema")
    schema = Schema.from_dict(data)
    if len(set(schema.names)) < len(schema.names):
        raise MalformedError("a schema names a column twice")
    return schema


def _named(expressions: list[tuple[str, str]]) -> dict[str, str]:
    named = dict(expressions)
    if len(named) < len(expressions):
        raise MalformedError("two derived columns have one name")
    return named


def _ledger(parts: Mapping[str, memoryview]) -> list[dict[str, str]]:
    data = _parsed(parts, layout.LEDGER)
    check_type(tuple[Entry, ...], data, "the ledger")
    return Ledger.from_list(data).to_list()


def _check_preparation(preparation: Preparation) -> None:
    check_growth(preparation.expressions)
    raw, derived = preparation.raw_schema.names, preparation.derived_schema.names
    if set(derived) != set(preparation.expressions) or set(raw) & set(derived):
        raise MalformedError("the derived columns are not those of the expressions")


def _encoder(data: dict[str, Any], schema: Schema) -> TableEncoder:
    encoder = TableEncoder.from_dict(data)
    typed = TableEncoder(
        numeric=check_type(tuple[NumericFeature, ...], data["numeric"], "the encoder"),
        categorical=check_type(tuple[CategoricalFeature, ...], data["categorical"], "the encoder"),
        text=check_type(tuple[TextFeature, ...], data["text"], "the encoder"),
    )
    if typed != encoder or set(data) != {"numeric", "categorical", "text"}:
        raise MalformedError("the encoder holds fields that assay never writes")
    features = {spec.name for spec in schema.features}
    read = [feature.column for feature in encoder.numeric]
    read += [feature.column for feature in encoder.categorical]
    read += [feature.column for feature in encoder.text]
    for column in read:
        if column not in features:
            raise MalformedError(f"the encoder reads {column[:40]!r}, which is no feature")
    for level_feature in encoder.categorical:
        if len(set(level_feature.levels)) < len(level_feature.levels):
            raise MalformedError("the encoder lists a level twice")
    for text in encoder.text:
        if not (1 <= text.n_buckets <= MAX_BUCKETS and 1 <= text.n_ngrams <= _MAX_NGRAMS):
            raise MalformedError("the encoder hashes n-grams into no buckets")
    return encoder


def _target(data: dict[str, Any]) -> TargetEncoder:
    if set(data) != {"name", "classes", "label_type"}:
        raise MalformedError("the target holds fields that assay never writes")
    classes: tuple[str, ...] = check_type(tuple[str, ...], data["classes"], "the target")
    name: str = check_type(str, data["name"], "the target")
    label_type: LabelType = check_type(LabelType, data["label_type"], "the target")
    target = TargetEncoder(name, classes, label_type)
    if not 2 <= len(set(classes)) == len(classes) <= MAX_CLASSES:
        raise MalformedError(f"the target has no 2 to {MAX_CLASSES} different classes")
    if label_type in ("integer", "float") and target.label_array().dtype.kind not in "if":
        raise MalformedError("the target has classes that are no numbers")
    return target


def _decisions(described: _Described, target: TargetEncoder) -> Decisions | None:
    if described.decisions is None:
        return None
    decisions = Decisions.from_dict(described.decisions)
    if decisions.classes != target.classes:
        raise MalformedError("the decisions are between other classes")
    return decisions


def _check_golden(golden: Golden, predictor: Predictor) -> None:
    """Demand rows of the columns that are read, as few and as short as assay makes them."""
    expected = {spec.name: spec.kind for spec in predictor.preparation.raw_schema.columns}
    if {name: column.kind for name, column in golden.columns.items()} != expected:
        raise MalformedError("the golden rows are of other columns")
    proba = np.array(golden.probabilities, dtype=np.float64)
    if proba.ndim != 2 or proba.shape[1] != predictor.target.n_classes:
        raise MalformedError("the golden rows are of other classes")
    if golden.longest > most_cell_bytes(predictor):
        raise MalformedError("the golden rows are too long for the expressions")


def _members(parts: Mapping[str, memoryview], encoder: TableEncoder) -> dict[str, np.ndarray]:
    """Return the tensors; those of whole numbers and truths describe all members alike."""
    members = load_tensors(bytes(parts[layout.MEMBERS]))
    fitted = [array for array in members.values() if array.dtype.kind == "f"]
    if len({array.shape[:1] for array in fitted}) != 1 or min(map(np.ndim, fitted)) < 2:
        raise MalformedError("the members are of different number")
    centers = members.get("numeric.center")
    if centers is not None and centers.shape[1] != len(encoder.numeric):
        raise MalformedError("the members are of other columns")
    return members


def _reference(parts: Mapping[str, memoryview], schema: Schema, n_classes: int) -> Reference | None:
    if layout.REFERENCE not in parts:
        return None
    data = _parsed(parts, layout.REFERENCE)
    check_type(int, data["n_rows"], layout.REFERENCE)
    check_type(tuple[ColumnReference, ...], data["columns"], layout.REFERENCE)
    check_type(PredictionReference | None, data["predictions"], layout.REFERENCE)
    reference = Reference.from_dict(data)
    found = [(column.name, column.kind) for column in reference.columns]
    if found != [(spec.name, spec.kind) for spec in schema.features]:
        raise MalformedError("the reference is of other columns")
    if reference.predictions and len(reference.predictions.shares) != n_classes:
        raise MalformedError("the reference is of other classes")
    return reference


def _parsed(parts: Mapping[str, memoryview], name: str) -> Any:
    try:
        return parse_json(parts[name])
    except MalformedError as error:
        raise MalformedError(f"part {name} {error}") from None
