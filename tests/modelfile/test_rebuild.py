"""Parts become a model: typed, and fitting each other."""

import json

import numpy as np
import pytest
from safetensors.numpy import load, save

from assay.modelfile import golden, layout, load_model, rebuild
from assay.modelfile.layout import MalformedError, to_json
from attacks.model_files import RELEASED, sound_file
from attacks.model_parts import parts_of

PARTS = parts_of(sound_file())


def opened(**changed: bytes):
    """Rebuild the sound file with parts changed, named without their ending."""
    names = {name.partition(".")[0]: name for name in PARTS}
    parts = {**PARTS, **{names[name]: part for name, part in changed.items()}}
    return rebuild.rebuild(
        {name: memoryview(part) for name, part in parts.items()}, where="m.assay"
    )


def edited(part: str, change) -> bytes:
    data = json.loads(PARTS[part])
    change(data)
    return to_json(data)


def refused(reason: str, kind: type[Exception] = MalformedError, **changed: bytes) -> None:
    with pytest.raises(kind, match=reason):
        opened(**changed)


def test_all_parts_come_back():
    contents, core = opened()
    stored = load_model(RELEASED / "0.1.0.assay")
    predictor = contents.predictor
    assert predictor.recipe == stored.predictor.recipe
    assert predictor.graph == PARTS[layout.CORE]
    assert predictor.preparation.expressions["FamilySize"] == "SibSp + Parch + 1"
    assert list(predictor.preparation.expressions) == ["Title", "FamilySize"]
    assert set(predictor.preparation.dropped) >= {"PassengerId", "Ticket"}
    assert predictor.target.classes == ("0", "1")
    assert predictor.decisions is not None
    assert predictor.decisions.classes == ("0", "1")
    assert vars(predictor)["core"].n_classes == 2
    assert contents.ledger == json.loads(PARTS[layout.LEDGER])
    assert contents.evaluation == json.loads(PARTS[layout.EVALUATION])
    assert contents.golden == json.loads(PARTS[layout.GOLDEN])
    assert contents.reference is not None
    assert contents.reference.to_dict() == stored.reference.to_dict()
    assert set(contents.members) == set(load(PARTS[layout.MEMBERS]))
    assert core.n_nodes == 137


def test_a_file_without_decisions_or_reference_is_read():
    without = edited(layout.PREDICTOR, lambda data: data.pop("decisions"))
    parts = {**PARTS, layout.PREDICTOR: without}
    del parts[layout.REFERENCE]
    views = {name: memoryview(part) for name, part in parts.items()}
    contents, _ = rebuild.rebuild(views, where="m.assay")
    assert contents.predictor.decisions is None
    assert contents.reference is None


def test_predictions_of_a_reference_may_be_absent():
    part = edited(layout.REFERENCE, lambda data: data.update(predictions=None))
    assert opened(reference=part)[0].reference.predictions is None


@pytest.mark.attack
@pytest.mark.parametrize("value", [None, [], 1, "x"])
def test_an_evaluation_is_an_object(value):
    refused("part evaluation.json holds no scores", evaluation=to_json(value))


@pytest.mark.attack
def test_parts_are_named_where_their_json_is_wrong():
    refused("^part ledger.json is no JSON", ledger=b"[")
    refused("^part golden.json is JSON that assay would write", golden=b"[ ]")


@pytest.mark.attack
def test_a_derived_column_may_not_hide_a_raw_one():
    def rename(data):
        data["expressions"][0][0] = "Age"
        data["derived_schema"]["columns"][0]["name"] = "Age"

    refused("the derived columns are not", predictor=edited(layout.PREDICTOR, rename))


@pytest.mark.attack
@pytest.mark.parametrize("kind", ["numeric", "categorical", "text"])
def test_features_are_of_feature_columns(kind):
    def change(data):
        data["encoder"][kind][0]["column"] = "PassengerId"

    refused("the encoder reads 'PassengerId'", predictor=edited(layout.PREDICTOR, change))


@pytest.mark.attack
@pytest.mark.parametrize(
    ("kind", "field"), [("numeric", "more"), ("categorical", "more"), ("text", "more")]
)
def test_a_feature_has_no_other_field(kind, field):
    def change(data):
        data["encoder"][kind][0][field] = 1

    refused(field, TypeError, predictor=edited(layout.PREDICTOR, change))


@pytest.mark.attack
def test_an_encoder_has_no_other_arrays():
    part = edited(layout.PREDICTOR, lambda data: data["encoder"].update(more=[]))
    refused("the encoder holds fields", predictor=part)


@pytest.mark.parametrize(
    ("n_ngrams", "n_buckets", "is_sound"),
    [(1, 1, True), (65_535, 65_535, True), (0, 9, False), (9, 0, False), (65_536, 9, False),
     (9, 65_536, False)],
)  # fmt: skip
def test_texts_have_bounded_widths(n_ngrams, n_buckets, is_sound):
    def change(data):
        data["encoder"]["text"][0].update(n_ngrams=n_ngrams, n_buckets=n_buckets)

    reason = "reads other arrays" if is_sound else "hashes n-grams into no buckets"
    refused(reason, predictor=edited(layout.PREDICTOR, change))


@pytest.mark.attack
@pytest.mark.parametrize(
    ("classes", "label_type", "reason"),
    [
        (["0", "0"], "string", "no 2 to 1000 different classes"),
        (["0"], "string", "no 2 to 1000 different classes"),
        ([str(idx) for idx in range(1001)], "string", "no 2 to 1000 different classes"),
        (["0", "1" * 30], "integer", "classes that are no numbers"),
        ([str(idx) for idx in range(1000)], "string", "something else than the classes"),
    ],
)
def test_targets_have_different_classes(classes, label_type, reason):
    def change(data):
        data["target"].update(classes=classes, label_type=label_type)

    refused(reason, predictor=edited(layout.PREDICTOR, change))


def test_labels_may_be_of_every_type():
    for label_type, kind in (("string", "O"), ("integer", "i"), ("float", "f"), ("boolean", "b")):
        part = edited(
            layout.PREDICTOR, lambda data, to=label_type: data["target"].update(label_type=to)
        )
        labels = opened(predictor=part)[0].predictor.target.label_array()
        assert labels.dtype.kind == kind


@pytest.mark.attack
def test_golden_rows_may_not_be_too_long_for_the_expressions(monkeypatch):
    def lengthen(data):
        data["columns"]["Name"]["cells"][0] = "x" * 1_000_000

    refused_at = edited(layout.GOLDEN, lengthen)
    opened(golden=refused_at)
    monkeypatch.setattr(golden, "MAX_GOLDEN_LETTERS", 1_000_000)
    opened()
    refused("too long for the expressions", golden=refused_at)


@pytest.mark.attack
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tensors: tensors.clear(), "of different number"),
        (lambda tensors: tensors.update(more=np.ones((99, 2), np.float32)), "of different number"),
        (lambda tensors: tensors.update(more=np.ones((), np.float32)), "of different number"),
        (
            lambda tensors: tensors.update(more=np.ones(len(tensors["input_scale"]), np.float32)),
            "of different number",
        ),
        (
            lambda tensors: tensors.update(
                {"numeric.center": tensors["numeric.center"][:, 1:].copy()}
            ),
            "of other columns",
        ),
    ],
)
def test_members_share_their_first_axis(change, reason):
    tensors = load(PARTS[layout.MEMBERS])
    change(tensors)
    refused(reason, members=save(tensors))


def test_members_may_lack_numbers():
    tensors = load(PARTS[layout.MEMBERS])
    del tensors["numeric.center"]
    tensors["whole"] = np.arange(99)
    assert "whole" in opened(members=save(tensors))[0].members


@pytest.mark.attack
@pytest.mark.parametrize(
    ("change", "reason", "kind"),
    [
        (lambda data: data["columns"].pop(), "of other columns", MalformedError),
        (lambda data: data.update(n_rows="160"), "valid integer", MalformedError),
        (lambda data: data["columns"][0].update(counts=["1"]), "valid integer", MalformedError),
        (lambda data: data["predictions"].update(n_rows="1"), "valid integer", MalformedError),
        (lambda data: data["predictions"].update(shares=[1.0]), "other classes", MalformedError),
        (lambda data: data.update(n_rows=1), "different lengths", ValueError),
    ],
)
def test_references_fit_the_columns(change, reason, kind):
    refused(reason, kind, reference=edited(layout.REFERENCE, change))


@pytest.mark.attack
def test_golden_rows_are_of_the_classes():
    def widen(data):
        data["probabilities"] = [[*row, 0.0] for row in data["probabilities"]]

    refused("the golden rows are of other classes", golden=edited(layout.GOLDEN, widen))
