"""Any cell through any door: probabilities, or one refusal; never another error."""

import csv
import io
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings

import assay
from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read import read_table
from attacks.faults import run_command
from attacks.values import (
    DOORS,
    NAMES,
    as_csv,
    asked,
    check_batches,
    check_door,
    columns_of,
    frames_of,
    mixed_model,
    mixed_table,
    numeric_model,
)

pytestmark = [pytest.mark.attack, pytest.mark.story]

NUMBERS = ("x0", "x1", "x2")
few = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # shrinking an example would take minutes
)


@pytest.fixture(scope="module")
def mixed() -> assay.Model:
    return mixed_model()


@pytest.fixture(scope="module")
def numeric() -> assay.Model:
    return numeric_model()


@pytest.fixture(scope="module")
def row() -> dict[str, list]:
    return mixed_table().drop("y").head(3).to_dict(as_series=False)


@pytest.mark.parametrize("door", DOORS)
def test_any_cell_through_any_door(mixed, numeric, door):
    @few
    @given(columns_of(NAMES), columns_of(NUMBERS))
    def check(columns, numbers):
        check_door(mixed, door, columns)
        check_door(numeric, door, numbers)

    check()


def test_answers_do_not_depend_on_batch_and_order(mixed, numeric):
    @settings(few, max_examples=12)
    @given(frames_of(NAMES), frames_of(NUMBERS))
    def check(frame, numbers):
        check_batches(mixed, frame)
        check_batches(numeric, numbers)

    check()


@pytest.mark.parametrize("door", ["polars", "lazy", "parquet"])
def test_cells_that_polars_panics_at_are_no_table_of_it(mixed, door):
    columns = {name: [None, None] for name in NAMES} | {"day": [10671965474, Decimal("NaN")]}
    assert check_door(mixed, door, columns) is None
    assert check_door(mixed, "dict", columns) is not None


def test_answers_do_not_depend_on_how_rows_are_cut(mixed):
    table = mixed_table(5000, 3).drop("y")
    whole = mixed.predict_proba(table)
    for size in (1, 7, 4097):
        starts = range(0, 20 * size if size < 9 else 5000, size)
        parts = np.concatenate([mixed.predict_proba(table[at : at + size]) for at in starts])
        np.testing.assert_allclose(parts, whole[: len(parts)], rtol=0, atol=1e-6)
    order = np.random.default_rng(0).permutation(5000)
    np.testing.assert_array_equal(mixed.predict_proba(table[order]), whole[order])


def test_hostile_cells_on_the_command_line(mixed, tmp_path):
    model, table = tmp_path / "m.assay", tmp_path / "t.csv"
    mixed.save(model)

    @settings(few, max_examples=12)
    @given(columns_of(NAMES))
    def check(columns):
        table.write_bytes(as_csv(columns))
        try:
            out = run_command(["predict", str(model), str(table), "--quiet"])
        except UserError:
            return
        for written in csv.DictReader(io.StringIO(out)):
            shares = [float(written[f"proba_{one}"]) for one in ("maybe", "no", "yes")]
            assert all(0 <= share <= 1 for share in shares)
            assert abs(sum(shares) - 1) <= 1e-6
            assert written["label"] in ("maybe", "no", "yes")

    check()


@pytest.mark.parametrize("door", DOORS)
def test_columns_may_come_in_any_order_and_with_others(mixed, row, door):
    expected = mixed.predict_proba(row)
    turned = {"extra": [1, 2, 3], **dict(reversed(row.items())), "y": ["no", "yes", "new"]}
    np.testing.assert_allclose(mixed.predict_proba(DOORS[door](turned)), expected, atol=1e-6)


@pytest.mark.parametrize("door", DOORS)
def test_columns_that_are_absent_are_named_or_filled(mixed, row, door):
    for name in row:
        rest = {other: cells for other, cells in row.items() if other != name}
        with pytest.raises(UserError, match=name):
            mixed.predict_proba(DOORS[door](rest))
        assert asked(mixed.filling_missing(), DOORS[door](rest)) is not None
    assert asked(mixed.filling_missing(), DOORS[door]({"other": [1, 2, 3]})) is not None


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("n_rows", [0, 1])
def test_few_rows(mixed, row, door, n_rows):
    columns = {name: cells[:n_rows] for name, cells in row.items()}
    proba = asked(mixed, DOORS[door](columns))
    is_nothing = n_rows == 0 and door in ("records", "json")  # no row, so no column
    assert proba is None if is_nothing else proba.shape == (n_rows, 3)


def test_columns_named_twice_are_refused(mixed, row):
    frame = pd.DataFrame(row)
    with pytest.raises(UserError, match="more than one column"):
        mixed.predict_proba(pd.concat([frame, frame[["level"]]], axis=1))
    text = as_csv(row).replace(b"number,euro,level", b"number,level,level", 1)
    with pytest.raises(UserError, match="level"):
        mixed.predict_proba(text)


def test_all_null_columns_are_answered(mixed, row):
    for dtype in (pl.Null, pl.String, pl.Float64, pl.Boolean, pl.Datetime, pl.List(pl.Int8)):
        frame = pl.DataFrame({name: pl.Series([None] * 3, dtype=dtype) for name in row})
        proba = asked(mixed.marking_invalid(), frame)
        assert proba is not None
        assert (proba == proba[0]).all()


ODD_NAMES = [
    "", "*", "^z.*$", "^.*$", " ", "a\0b", "שם", "\u202eabc", "👩‍👩‍👧", "a,b", 'a"b', "a\nb",
    "x" * 3000, "e\u0301", "{a}", "%s", "proba", "label", "__index__", "'", "column_0",
]  # fmt: skip


def test_odd_names_are_learnt_from_saved_and_asked_about(tmp_path):
    rng = np.random.default_rng([0, 304])
    columns = {
        name: rng.normal(size=40) if at % 2 else rng.choice(["u", "v", "w"], size=40)
        for at, name in enumerate(ODD_NAMES)
    }
    frame = pl.DataFrame({**columns, "y": ["yes", "no"] * 20})
    model = assay.train(
        frame,
        "y",
        options={"train.epochs": 1, "model.hidden": [4], "model.candidates": [], "split.folds": 2},
    )
    assert len(model.schema.features) == len(ODD_NAMES)
    model.save(tmp_path / "m.assay")
    model.report(tmp_path / "m.html")
    expected = model.predict_proba(frame)
    again = assay.load(tmp_path / "m.assay")
    asked_about = frame.to_dict(as_series=False)
    for door in DOORS:
        if door != "csv":  # text with a NUL is no text
            np.testing.assert_array_equal(again.predict_proba(DOORS[door](asked_about)), expected)


@pytest.mark.parametrize("name", ["*", "^z.*$"])
def test_a_name_that_looks_like_a_pattern_drops_no_other(name):
    text = f"{name},zz,y\n" + "".join(f"{at},{at * 7 % 5},{'ab'[at % 2]}\n" for at in range(40))
    options = {"train.epochs": 1, "model.candidates": [], "model.hidden": [4], "split.folds": 2}
    model = assay.train(text.encode(), "y", options={**options, "drop": [f"({name})"]})
    assert model.schema.names == ("zz",)
    assert any(entry.what == "column renamed" for entry in model.ledger)
    with pytest.raises(UserError, match="there is no column"):
        assay.train(text.encode(), "y", options={**options, "drop": [name]})


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", ["*", "^z.*$"])
@pytest.mark.parametrize("cell", ["text", 1.5, True, b"x", [1, 2], {"a": 1}, None])
def test_a_name_that_looks_like_a_pattern_is_read_by_every_door(door, name, cell):
    source = DOORS[door]({name: [cell] * 3, "zz": [1, 2, 3]})
    table = read_table(source, ReadRecipe(), Ledger())
    assert table.names == [f"({name})", "zz"]
