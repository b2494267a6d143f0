"""The model file: the same bytes for the same training, and no damage unnoticed."""

import copy
import io
import json
import pickle
import zipfile

import numpy as np
import polars as pl
import pytest

import assay
from assay.errors import UserError
from assay.modelfile import layout
from assay.modelfile.load import unpack
from attacks.model_parts import parts_of, resealed, sealed

TABLE = {
    "age": [float(idx % 60) for idx in range(120)],
    "sex": [("F", "M", None)[idx % 3] for idx in range(120)],
    "name": [f"Person number {idx}, of this town" for idx in range(120)],
    "y": [("no", "yes")[(idx % 60 > 30) ^ (idx % 7 == 0)] for idx in range(120)],
}
OPTIONS = {
    "train.epochs": 3,
    "model.hidden": [8],
    "model.candidates": [],
    "encode.text_buckets": 64,
    "evaluate.bootstrap": 100,
    "split.repeats": 1,
    "derive": {"young": "age < 20"},
}


@pytest.fixture(scope="module")
def model() -> assay.Model:
    return assay.train(TABLE, "y", options=OPTIONS)


@pytest.fixture(scope="module")
def data(model, tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("model") / "m.assay"
    model.save(path)
    return path.read_bytes()


def test_a_loaded_model_predicts_the_same(model, data, tmp_path):
    path = tmp_path / "m.assay"
    path.write_bytes(data)
    loaded = assay.load(path)
    np.testing.assert_array_equal(loaded.predict_proba(TABLE), model.predict_proba(TABLE))
    assert loaded.recipe == model.recipe
    assert loaded.evaluation == model.evaluation
    assert loaded.ledger.to_list() == model.ledger.to_list()
    assert loaded.classes.tolist() == ["no", "yes"]


def test_copies_and_pickles_hold_the_model_file(model, data):
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert again.to_bytes() == data
        again.evaluation["told"] = "by hand"
        assert again.to_bytes() != data
    assert b"assay.options" not in pickle.dumps(model)
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.predict_proba(TABLE), model.predict_proba(TABLE))
    lenient = copy.deepcopy(model.filling_missing())
    assert lenient.predict({"age": [30.0]}) == model.filling_missing().predict({"age": [30.0]})


def test_saving_a_loaded_model_gives_the_same_bytes(data, tmp_path):
    path = tmp_path / "m.assay"
    path.write_bytes(data)
    assay.load(path).save(tmp_path / "again.assay")
    assert (tmp_path / "again.assay").read_bytes() == data


def test_the_same_training_gives_the_same_bytes(data, tmp_path):
    assay.train(TABLE, "y", options=OPTIONS).save(tmp_path / "again.assay")
    assert (tmp_path / "again.assay").read_bytes() == data


def test_every_truncation_is_refused(data):
    for length in [*range(0, 200), *range(200, len(data), 997), len(data) - 1]:
        with pytest.raises(UserError):
            unpack(data[:length], where="m.assay")


def test_every_changed_byte_is_refused(data):
    for position in [
        *range(0, 300),
        *range(300, len(data), 1009),
        *range(len(data) - 700, len(data)),
    ]:
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        with pytest.raises(UserError, match="model"):
            unpack(bytes(damaged), where="m.assay")


def test_a_newer_format_says_which_release_wrote_it(data):
    parts = parts_of(data)
    manifest = json.loads(parts[layout.MANIFEST])
    manifest |= {"format_version": 2, "assay_version": "9.1.0"}
    parts[layout.MANIFEST] = layout.to_json(manifest)
    with pytest.raises(UserError, match=r"format 2.*Upgrade assay to 9\.1\.0"):
        unpack(sealed(parts), where="m.assay")


def test_a_part_that_was_swapped_under_a_fresh_seal_is_refused(data):
    parts = parts_of(data)
    parts[layout.LEDGER] = b" " * len(parts[layout.LEDGER])
    with pytest.raises(UserError, match=r"ledger\.json does not match its hash"):
        unpack(sealed(parts), where="m.assay")


def test_a_file_of_an_earlier_release_keeps_no_reference(model, data, tmp_path):
    parts = parts_of(data)
    del parts[layout.REFERENCE]
    path = tmp_path / "old.assay"
    path.write_bytes(resealed(parts))
    old = assay.load(path)
    np.testing.assert_array_equal(old.predict_proba(TABLE), model.predict_proba(TABLE))
    judged = old.evaluate(TABLE)
    assert judged["drift"] == []
    assert judged["promise"]["conclusion"] is not None
    with pytest.raises(UserError, match="no summary of its training table"):
        old.flags(TABLE)
    old.save(tmp_path / "again.assay")
    assert layout.REFERENCE not in parts_of((tmp_path / "again.assay").read_bytes())


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["columns"].pop(),
        lambda data: data["columns"][0].update(kind="text"),
        lambda data: data["columns"][0].update(counts=[1]),
        lambda data: data.pop("n_rows"),
        lambda data: data.update(predictions={"n_rows": 1, "shares": [0.2, 0.3, 0.5]}),
    ],
)
def test_a_reference_that_does_not_fit_is_damage(data, tmp_path, change):
    parts = parts_of(data)
    reference = json.loads(parts[layout.REFERENCE])
    change(reference)
    parts[layout.REFERENCE] = layout.to_json(reference)
    path = tmp_path / "m.assay"
    path.write_bytes(resealed(parts))
    with pytest.raises(UserError, match="damaged"):
        assay.load(path)


def test_no_text_of_the_table_is_in_the_reference(data):
    assert b"Person number" not in parts_of(data)[layout.REFERENCE]


def test_golden_rows_catch_a_model_that_predicts_otherwise(data, tmp_path):
    parts = parts_of(data)
    golden = json.loads(parts[layout.GOLDEN])
    golden["probabilities"][0] = [0.5, 0.5]
    parts[layout.GOLDEN] = layout.to_json(golden)
    path = tmp_path / "m.assay"
    path.write_bytes(resealed(parts))
    with pytest.raises(UserError, match=r"golden rows differ by 0.*do not trust"):
        assay.load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an assay model"),
        (b"just text", "not an assay model"),
        (sealed({"other.txt": b"x"}), "first entry is no manifest"),
    ],
)
def test_files_that_are_no_models_are_refused(content, message, tmp_path):
    path = tmp_path / "m.assay"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        assay.load(path)


def test_absent_files_and_folders_are_one_line_errors(tmp_path):
    for path in (tmp_path / "absent.assay", tmp_path):
        with pytest.raises(UserError, match="cannot open the model"):
            assay.load(path)


def test_no_golden_row_is_a_row_of_the_table(model):
    golden = model._contents.golden["columns"]
    names = set(golden["name"]["cells"])
    assert not names & set(TABLE["name"])


def test_the_members_are_stored_for_other_programs(model):
    weights = model.members["body.layers.0.weight"]
    assert weights.shape[0] == 5
    assert weights.dtype == np.float32


def test_the_file_holds_what_its_text_says(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == [layout.MANIFEST, *layout.PARTS]
        assert all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())


def test_prediction_does_not_depend_on_batch_order_or_extra_columns(model):
    frame = pl.DataFrame(TABLE)
    expected = model.predict_proba(frame)
    order = np.random.default_rng(0).permutation(frame.height)
    shuffled = frame[order].select(reversed(frame.columns)).with_columns(pl.lit("?").alias("more"))
    np.testing.assert_allclose(model.predict_proba(shuffled), expected[order], atol=1e-6)
    singly = np.concatenate([model.predict_proba(frame[idx : idx + 1]) for idx in range(10)])
    np.testing.assert_allclose(singly, expected[:10], atol=1e-6)
