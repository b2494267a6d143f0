"""`assay verify`: every check of a model file, and what is inside."""

import hashlib
import json

import pytest

from assay.modelfile import layout
from assay.modelfile.layout import to_json
from attacks.model_files import sound_file
from attacks.model_parts import parts_of, resealed


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "m.assay"
    path.write_bytes(sound_file())
    return path


def test_a_sound_file_is_told_of(run, path):
    result = run("verify", path)
    assert result.status == 0
    for said in (
        "m.assay: sound",
        "format 1, written by assay 0.1.0",
        "the seal and 8 hashes fit",
        "target 'Survived', 2 classes: 0, 1",
        "10 columns: 3 categorical, 1 datetime, 5 numeric, 1 text",
        "derived: FamilySize = SibSp + Parch + 1",
        "8 golden rows predicted again: worst difference",
        hashlib.sha256(parts_of(sound_file())[layout.CORE]).hexdigest(),
    ):
        assert said in result.out


def test_json_tells_the_same(run, path):
    found = json.loads(run("verify", path, "--json").out)
    assert found["is_sound"]
    assert found["size_bytes"] == path.stat().st_size
    assert {part["name"] for part in found["parts"]} == set(layout.PARTS)
    assert found["golden"]["n_rows"] == 8
    assert found["golden"]["worst_difference"] <= found["golden"]["tolerance"]
    assert "TreeEnsemble" in found["core"]["operators"]
    assert found["columns"][0] == {"name": "Pclass", "kind": "numeric"}


def test_quiet_says_nothing_of_a_sound_file(run, path):
    result = run("verify", path, "--quiet")
    assert (result.status, result.out, result.err) == (0, "", "")


@pytest.mark.attack
def test_a_changed_byte_is_misuse(run, path):
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(bytes(data))
    result = run("verify", path)
    assert result.status == 2
    assert "is damaged: its bytes do not match its seal" in result.err
    assert result.err.count("\n") == 1


@pytest.mark.attack
@pytest.mark.parametrize("verb", [("show",), ("report", "-o", "-", "--format", "md")])
def test_an_evaluation_that_lacks_things_is_told_as_damage(run, path, verb):
    parts = parts_of(sound_file())
    evaluation = json.loads(parts[layout.EVALUATION])
    evaluation["training"] = "none"
    path.write_bytes(resealed({**parts, layout.EVALUATION: to_json(evaluation)}))
    result = run(verb[0], path, *verb[1:])
    assert result.status == 2
    assert "its evaluation does not hold what it should" in result.err
    assert result.err.count("\n") == 1
