"""Opening a model file: where the file is odd, and what newer releases wrote."""

import json
import os

import pytest

import assay
from assay.errors import InternalError, UserError
from assay.modelfile import layout, load_model, open_model, read_manifest, telling_of
from assay.modelfile.golden import GOLDEN_TOLERANCE, check_difference
from assay.modelfile.layout import to_json
from assay.modelfile.load import open_bytes
from assay.version import __version__
from attacks.model_files import RELEASED, sound_file
from attacks.model_parts import parts_of, resealed

PATH = RELEASED / "0.1.0.assay"


def forged(part: str, change, *, release: str | None = None) -> bytes:
    """Return a file of one part changed, under fresh hashes."""
    parts = parts_of(sound_file())
    data = json.loads(parts[part])
    change(data)
    parts[part] = to_json(data)
    if release is not None:
        manifest = json.loads(parts[layout.MANIFEST]) | {"assay_version": release}
        parts[layout.MANIFEST] = to_json(manifest)
    return resealed(parts)


def test_an_opened_file_tells_what_was_found():
    opened = open_model(PATH)
    assert opened.size_bytes == PATH.stat().st_size
    assert opened.manifest == read_manifest(PATH)
    assert opened.manifest["parts"][layout.CORE]["size"] == len(opened.contents.predictor.graph)
    assert 0.0 <= opened.worst < 1e-6
    assert opened.core.n_nodes == 137
    assert opened.contents.predictor.core.n_classes == 2


@pytest.mark.attack
def test_what_is_no_file_is_refused(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, reason in {
        pipe: "is no ordinary file",
        "/dev/zero": "is no ordinary file",
        tmp_path: "cannot open the model: Is a directory",
        tmp_path / "absent": "cannot open the model: No such file",
        "a\0b": "cannot open the model: embedded null",
    }.items():
        with pytest.raises(UserError, match=reason):
            load_model(path)


@pytest.mark.attack
def test_a_giant_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "giant.assay"
    with path.open("wb") as file:
        file.write(sound_file()[:1000])
        file.truncate(layout.MAX_FILE_BYTES + 1)
    with pytest.raises(UserError, match="it has more than 8589934592 bytes"):
        load_model(path)
    with path.open("r+b") as file:
        file.truncate(layout.MAX_FILE_BYTES)
    with pytest.raises(UserError, match="its end is missing"):
        load_model(path)


def test_more_than_the_memory_is_told(tmp_path, monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr("assay.modelfile.load._check_end", full)
    with pytest.raises(UserError, match="is larger than the memory"):
        load_model(PATH)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not an assay model. Give a file that 'assay train' wrote"),
        (b"PK\x03\x04 and no more", "is a zip archive, but not an assay model"),
        (sound_file()[:500], "its end is missing"),
    ],
)
def test_other_files_are_told_apart(tmp_path, data, reason):
    path = tmp_path / "m.assay"
    path.write_bytes(data)
    with pytest.raises(UserError, match=reason):
        load_model(path)


@pytest.mark.parametrize(
    ("release", "is_newer"),
    [("9.0.0", True), ("0.1.1rc1", True), ("0.10.0", True), (__version__, False), ("0.0.9", False)],
)
def test_a_part_of_a_newer_release_says_which_one_reads_it(release, is_newer):
    data = forged(layout.RECIPE, lambda recipe: recipe.update(more=1), release=release)
    with pytest.raises(UserError) as told:
        open_bytes(data, where="m.assay")
    if is_newer:
        assert f"was written by assay {release}, and this release, {__version__}" in str(told.value)
        assert str(told.value).endswith(f"Upgrade assay to {release} or later.")
    else:
        assert "is damaged: unknown option 'more'" in str(told.value)
        assert str(told.value).count("m.assay") == 1


def test_a_newer_release_whose_parts_fit_is_read():
    data = forged(layout.RECIPE, lambda recipe: None, release="9.0.0")
    assert open_bytes(data, where="m.assay").manifest["assay_version"] == "9.0.0"


@pytest.mark.attack
def test_reasons_are_short_and_of_one_line():
    data = forged(layout.PREDICTOR, lambda one: one["target"].update(name="x\ny" * 5000))
    assert open_bytes(data, where="m.assay")
    data = forged(
        layout.PREDICTOR, lambda one: one["raw_schema"]["columns"][0].update({"a\n" * 500: 1})
    )
    with pytest.raises(UserError) as told:
        open_bytes(data, where="m.assay")
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 320
    assert "a part does not hold what it should (TypeError: " in str(told.value)


def test_golden_rows_that_differ_say_by_how_much():
    data = forged(
        layout.GOLDEN, lambda golden: golden["probabilities"].__setitem__(0, [0.25, 0.75])
    )
    with pytest.raises(UserError, match=r"golden rows differ by 0\.\d+ .*allowed 0\.0001"):
        open_bytes(data, where="m.assay")


def test_a_difference_within_the_tolerance_passes():
    def nudge(golden):
        golden["probabilities"][0][0] += GOLDEN_TOLERANCE / 2

    assert open_bytes(forged(layout.GOLDEN, nudge), where="m").worst == pytest.approx(
        GOLDEN_TOLERANCE / 2, rel=0.1
    )


def test_a_model_that_predicts_otherwise_is_not_saved():
    check_difference(GOLDEN_TOLERANCE)
    for worst in (GOLDEN_TOLERANCE * 1.01, float("nan")):
        with pytest.raises(InternalError, match="golden rows differ"):
            check_difference(worst)


def test_a_core_graph_that_would_be_refused_is_not_written():
    model = assay.load(PATH)
    vars(model._contents.predictor)["graph"] = b""
    with pytest.raises(InternalError, match="could not be opened again: the core graph"):
        model.to_bytes()


def test_what_is_told_of_a_file_fails_as_damage():
    for error in (KeyError("a"), IndexError(), TypeError(), ValueError(), AttributeError()):
        with (
            pytest.raises(UserError, match=r"m\.assay: .*evaluation does not hold"),
            telling_of("m.assay"),
        ):
            raise error
    with pytest.raises(OSError, match="other"), telling_of("m.assay"):
        raise OSError("other")


def test_parts_that_do_not_fit_the_layout_are_not_written(monkeypatch):
    model = assay.load(PATH)
    monkeypatch.setattr(layout, "PARTS", layout.PARTS[::-1])
    with pytest.raises(InternalError, match="do not fit its layout"):
        model.to_bytes()
