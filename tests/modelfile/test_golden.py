"""Golden rows: made of levels and quantiles, typed when they are read again."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import assay
from assay.modelfile import layout, load_model, make_golden
from assay.modelfile.golden import (
    MAX_GOLDEN_LETTERS,
    N_ROWS,
    Golden,
    differs_by,
    golden_table,
    most_cell_bytes,
)
from assay.modelfile.layout import MalformedError
from attacks.model_files import RELEASED, sound_file
from attacks.model_parts import parts_of
from attacks.small_model import QUICK


@pytest.fixture(scope="module")
def contents():
    return load_model(RELEASED / "0.1.0.assay")


@pytest.fixture
def golden() -> dict[str, object]:
    return json.loads(parts_of(sound_file())[layout.GOLDEN])


def test_the_same_model_makes_the_same_golden_rows(contents, golden):
    made = make_golden(contents.predictor, contents.reference.typical())
    assert made["columns"] == golden["columns"]
    np.testing.assert_allclose(made["probabilities"], golden["probabilities"], atol=1e-6)
    assert len(made["probabilities"]) == N_ROWS == 8
    assert all(round(p, 7) == p for row in made["probabilities"] for p in row)


def test_cells_turn_from_column_to_column_and_end_in_a_gap(golden):
    columns = golden["columns"]
    assert all(column["cells"][-1] is None for column in columns.values())
    assert columns["Sex"]["cells"][:3] in (
        ["female", "male", "a level never seen"],
        ["male", "a level never seen", "female"],
        ["a level never seen", "female", "male"],
    )
    assert columns["Boarded"]["cells"][0].endswith(":30:00")
    assert set(columns["Name"]["cells"]) == {
        "some words", "Other, Mr. Some Words", "1", None
    }  # fmt: skip


def test_a_column_without_numbers_gets_a_zero(contents):
    made = make_golden(contents.predictor, {"Age": []})
    assert made["columns"]["Age"]["cells"] == [0.0] * 7 + [None]
    assert made["columns"]["Fare"]["cells"] == [0.0] * 7 + [None]


def test_levels_that_expressions_would_make_too_long_are_left_out(contents):
    expressions = {f"b{idx}": f"REPLACE(Name, 'x', '{'x' * 900}')" for idx in range(100)}
    preparation = replace(contents.predictor.preparation, expressions=expressions)
    most = most_cell_bytes(replace(contents.predictor, preparation=preparation))
    assert most >= max(map(len, ["Other, Mr. Some Words", "a level never seen"]))
    assert 8 * 902 * 100 * most <= MAX_GOLDEN_LETTERS < 8 * 902 * 101 * (most + 1)


@pytest.mark.attack
def test_a_training_on_long_levels_can_be_opened_again(tmp_path):
    table = {
        "L": [f"{'lvl ' * 3_000}{idx % 3}" for idx in range(80)],
        "y": ["no", "yes"] * 40,
    }
    derived = {"derive": {"r": f"REPLACE(L, 'lvl', '{'z' * 900}')"}}
    model = assay.train(table, "y", options={**QUICK, **derived})
    model.save(tmp_path / "m.assay")
    cells = load_model(tmp_path / "m.assay").golden["columns"]["L"]["cells"]
    assert set(cells) == {"a level never seen", None}


def test_the_table_has_the_types_of_its_kinds(golden):
    frame = golden_table(golden).frame
    assert frame.schema["Age"] == pl.Float64
    assert frame.schema["Boarded"] == pl.Datetime("us")
    assert frame.schema["Sex"] == pl.String
    assert frame.height == N_ROWS


def test_differences_are_the_largest(contents, golden):
    assert differs_by(contents.predictor, golden) < 1e-6
    golden["probabilities"][3][1] += 0.25
    assert differs_by(contents.predictor, golden) == pytest.approx(0.25, abs=1e-6)
    golden["probabilities"].pop()
    with pytest.raises(ValueError, match="golden probabilities of shape"):
        differs_by(contents.predictor, golden)


def test_infinite_expectations_are_no_expectations(contents, golden):
    golden["probabilities"][0][0] = float("nan")
    with pytest.raises(ValueError, match="golden probabilities of shape"):
        differs_by(contents.predictor, golden)


def test_what_is_stored_reads_back(golden):
    read = Golden.from_dict(golden)
    assert read.to_dict() == golden
    cells = [cell for column in golden["columns"].values() for cell in column["cells"]]
    assert read.longest == max(len(cell.encode()) for cell in cells if isinstance(cell, str))
    assert Golden({}, ((0.5, 0.5),)).longest == 0


@pytest.mark.attack
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda golden: golden["probabilities"].pop(), "not as assay makes them"),
        (lambda golden: golden.update(more=1), "not as assay makes them"),
        (lambda golden: golden["columns"]["Age"].update(more=1), "not as assay makes them"),
        (lambda golden: golden["columns"]["Age"]["cells"].pop(), "do not fit their columns"),
        (
            lambda golden: golden["columns"]["Age"]["cells"].__setitem__(0, "x"),
            "do not fit their columns",
        ),
        (
            lambda golden: golden["columns"]["Sex"]["cells"].__setitem__(0, 1.0),
            "do not fit their columns",
        ),
        (
            lambda golden: golden["columns"]["Boarded"]["cells"].__setitem__(0, 1.0),
            "do not fit their columns",
        ),
        (lambda golden: golden.pop("columns"), "columns: Field required"),
    ],
)
def test_other_golden_rows_are_refused(golden, change, reason):
    change(golden)
    with pytest.raises(MalformedError, match=reason):
        Golden.from_dict(golden)
