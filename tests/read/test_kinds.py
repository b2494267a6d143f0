"""Kinds are guessed from cells, with a reason and a way back."""

import datetime as dt
import uuid

import numpy as np
import polars as pl
import pytest

from assay.errors import UserError
from assay.ledger import Ledger
from assay.read.kinds import infer_schema, option_of
from assay.read.source import read_table
from assay.recipe import Recipe
from assay.schema import ColumnSpec, Kind, NumberFormat, Schema
from assay.table import Table

RNG = np.random.default_rng(0)


def spec_of(values: object, name: str = "x", ledger: Ledger | None = None, **options) -> ColumnSpec:
    frame = pl.DataFrame({name: pl.Series(values)})
    recipe = Recipe().with_options(options)
    return infer(frame, recipe, ledger)[name]


def infer(frame: pl.DataFrame, recipe: Recipe | None = None, ledger=None, **extra) -> Schema:
    ledger = Ledger() if ledger is None else ledger
    return infer_schema(Table(frame, source="t.csv"), recipe or Recipe(), ledger, **extra)


WORDS = [f"word{i} and some more words" for i in range(80)]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([None, None], Kind.CONSTANT),
        (["", "?", "NA"], Kind.CONSTANT),
        (["a", "a"], Kind.CONSTANT),
        (["a", None], Kind.CATEGORICAL),
        ([True, False], Kind.BOOLEAN),
        (["yes", "NO", "no"], Kind.BOOLEAN),
        (["t", "f"], Kind.BOOLEAN),
        (["yes", "false"], Kind.CATEGORICAL),
        ([0, 1, 1], Kind.NUMERIC),
        (["0", "1", "1"], Kind.NUMERIC),
        (["1.5", " 2 ", "?"], Kind.NUMERIC),
        (["1e3", "-.5", "+7"], Kind.NUMERIC),
        (["1.234,5", "7"], Kind.NUMERIC),
        (["00123", "04567", "00123"], Kind.CATEGORICAL),
        (["2020-01-01", "2020-01-02"], Kind.DATETIME),
        ([dt.date(2020, 1, 1), dt.date(2020, 1, 2)], Kind.DATETIME),
        ([20200101, 20200102, 20200102], Kind.NUMERIC),
        ([dt.time(1, 2), dt.time(3, 4)], Kind.CATEGORICAL),
        (["red", "green"], Kind.CATEGORICAL),
        (WORDS, Kind.TEXT),
        (WORDS * 10, Kind.TEXT),
        ([f"L{i}" for i in range(60)] * 5, Kind.CATEGORICAL),
        (list(range(100, 150)), Kind.IDENTIFIER),
        ([float(i) for i in range(100, 150)], Kind.IDENTIFIER),
        ([str(i) for i in range(100, 150)], Kind.IDENTIFIER),
        (list(range(19)), Kind.NUMERIC),
        ([i * i for i in range(50)], Kind.NUMERIC),
        ([i + 0.5 for i in range(50)], Kind.NUMERIC),
        ([str(uuid.UUID(int=i * 7919**5)) for i in range(30)], Kind.IDENTIFIER),
        ([f"AB{i:04d}" for i in range(30)], Kind.IDENTIFIER),
        ([[1], [2]], Kind.CATEGORICAL),
        ([b"a", b"b"], Kind.CATEGORICAL),
    ],
)
def test_a_kind_follows_from_the_cells(values, kind):
    assert spec_of(values).kind == kind


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("PassengerId", [i * i for i in range(30)], Kind.IDENTIFIER),
        ("user_id", [i * i for i in range(30)], Kind.IDENTIFIER),
        ("paid", [i * i for i in range(30)], Kind.NUMERIC),
        ("humid", [i * i for i in range(30)], Kind.NUMERIC),
        ("admission_type_id", [1, 2, 3] * 20, Kind.CATEGORICAL),
        ("zip", [10115, 80331, 20095] * 10, Kind.CATEGORICAL),
        ("postal_code", ["10115", "80331", "20095"] * 10, Kind.CATEGORICAL),
        ("rating", [1, 2, 3, 4, 5] * 10, Kind.NUMERIC),
        ("", [0, 1, 2, 3], Kind.IDENTIFIER),
        ("Unnamed: 0", [0, 1, 2, 3], Kind.IDENTIFIER),
    ],
)
def test_names_speak_where_numbers_are_silent(name, values, kind):
    assert spec_of(values, name).kind == kind


def test_a_reason_gives_figures():
    assert spec_of(["1.5", "2", "?"]).reason == "2 of 2 cells read as numbers"
    assert spec_of(["a", "b", "a"]).reason == "2 distinct levels"
    run = spec_of(list(range(891))).reason
    assert run == "a run of whole numbers, every value differs (891 of 891)"


def test_figures_count_missing_and_distinct():
    spec = spec_of(["1", "1", "?", None, "2"])
    assert (spec.n_missing, spec.n_unique, spec.n_invalid) == (2, 2, 0)
    floats = spec_of([1.0, float("nan"), None, 1.0, 2.0])
    assert (floats.n_missing, floats.n_unique) == (2, 2)


def test_one_bad_cell_in_a_hundred_is_told_and_counted():
    ledger = Ledger()
    cells = [str(i * 1.5) for i in range(199)] + ["abc"]
    spec = spec_of(cells, ledger=ledger)
    assert (spec.kind, spec.n_invalid) == (Kind.NUMERIC, 1)
    (entry,) = ledger
    assert entry.what == "1 cell read as missing"
    assert entry.why == "not a number like the others: 'abc'"
    assert entry.undo == 'kinds.x = "categorical"'


NOON = [dt.datetime(2020, 1, day, 12) for day in range(1, 20)]


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (pl.Series(NOON).dt.replace_time_zone("Australia/Lord_Howe"), "zone is Australia/Lord_H"),
        (
            [f"{moment.isoformat()}{('Z', '+02:00')[idx % 2]}" for idx, moment in enumerate(NOON)],
            "9 cells of another offset, such as '2020-01-02T12:00:00+02:00'",
        ),
    ],
)
def test_times_of_a_zone_or_with_offsets_are_told(cells, why):
    ledger = Ledger()
    assert spec_of(cells, ledger=ledger).kind == Kind.DATETIME
    (entry,) = ledger
    assert (entry.what, entry.where) == ("times read as UTC", "x")
    assert why in entry.why
    assert entry.undo.startswith("""derive, such as "x" + INTERVAL '10 hours'""")


@pytest.mark.parametrize(
    "cells",
    [
        NOON,
        pl.Series(NOON).dt.replace_time_zone("UTC"),
        [f"{moment.isoformat()}Z" for moment in NOON],
        [f"{moment.isoformat()}+00:00" for moment in NOON],
    ],
)
def test_times_of_utc_or_of_no_zone_need_no_word(cells):
    ledger = Ledger()
    assert spec_of(cells, ledger=ledger).kind == Kind.DATETIME
    assert not len(ledger)


def test_two_bad_cells_in_a_hundred_make_no_number():
    assert spec_of([str(i * 1.5) for i in range(98)] + ["abc", "def"]).kind != Kind.NUMERIC


def test_a_clear_decimal_comma_decides_for_the_doubtful_column():
    clear = pl.DataFrame({"a": ["1,234", "2,500"], "b": ["1,5", "2,25"]})
    assert infer(clear)["a"].number_format == NumberFormat(decimal=",")
    alone = infer(clear.select("a"))["a"]
    assert alone.number_format == NumberFormat(thousands=",")


def test_the_recipe_sets_kinds():
    recipe = Recipe.from_dict({"kinds": {"a": "categorical"}})
    schema = infer(pl.DataFrame({"a": [1, 2], "c": [1, 2]}), recipe)
    assert schema.names == ("a", "c")
    assert schema["a"].kind == Kind.CATEGORICAL
    assert schema["a"].reason == "set in the recipe"


def test_an_unknown_column_offers_the_nearest():
    recipe = Recipe.from_dict({"kinds": {"agee": "text"}})
    with pytest.raises(UserError, match=r"'agee'.*Did you mean 'age'"):
        infer(pl.DataFrame({"age": [1, 2]}), recipe)


def test_the_target_may_be_named_by_kinds_but_not_have_a_role():
    recipe = Recipe.from_dict({"target": "y", "kinds": {"y": "categorical"}})
    frame = pl.DataFrame({"a": [1, 2]})
    assert infer(frame, recipe).names == ("a",)
    with pytest.raises(UserError, match="'y' is the target, it cannot be the group too"):
        infer(frame, recipe, roles={"y": "group"})


def test_a_kind_that_fits_no_cell_is_an_error():
    with pytest.raises(UserError, match=r'kinds.x = "numeric" cannot be: no cell fits'):
        spec_of(["a", "b"], **{"kinds.x": "numeric"})
    with pytest.raises(UserError, match="datetime"):
        spec_of([1, 2], **{"kinds.x": "datetime"})
    with pytest.raises(UserError, match="it has 3 values"):
        spec_of(["a", "b", "c"], **{"kinds.x": "boolean"})


def test_columns_set_aside_are_told_with_a_way_back():
    ledger = Ledger()
    infer(pl.DataFrame({"id": range(30), "k": ["same"] * 30}), None, ledger)
    assert [(entry.where, entry.undo) for entry in ledger] == [
        ("id", 'kinds.id = "numeric"'),
        ("k", 'kinds.k = "categorical"'),
    ]


def test_the_way_back_leads_back():
    ledger = Ledger()
    frame = pl.DataFrame({"my id": range(30)})
    infer(frame, None, ledger)
    undone = Recipe.from_toml(next(iter(ledger)).undo)
    assert infer(frame, undone)["my id"].kind == Kind.NUMERIC
    assert option_of('a"b', Kind.TEXT) == r'kinds."a\"b" = "text"'


def test_roles_are_carried_but_no_features():
    schema = infer(pl.DataFrame({"g": ["a", "b"], "x": [1, 2]}), roles={"g": "group"})
    assert (schema["g"].kind, schema["g"].reason) == (Kind.IDENTIFIER, "used as group")
    assert infer(pl.DataFrame({"g": ["a", "b"]}), roles=("g",))["g"].kind == Kind.IDENTIFIER
    with pytest.raises(UserError, match="'gg'"):
        infer(pl.DataFrame({"g": ["a", "b"]}), roles=("gg",))


def test_infinite_numbers_stop_or_count_as_missing():
    cells = [1.0, 2.0, float("inf"), 4.5]
    with pytest.raises(UserError, match=r"row 3, column 'x': inf .* read.infinite"):
        spec_of(cells)
    ledger = Ledger()
    assert spec_of(cells, ledger=ledger, **{"read.infinite": "missing"}).kind == Kind.NUMERIC
    assert [entry.undo for entry in ledger] == ['read.infinite = "error"']


def test_text_and_typed_tables_agree(tmp_path):
    n = 300
    frame = pl.DataFrame(
        {
            "id": np.arange(n),
            "x": RNG.normal(size=n),
            "i": RNG.integers(0, 9, n),
            "f": pl.Series(RNG.integers(0, 3, n).astype(float)).set(
                pl.Series([True] + [False] * (n - 1)), None
            ),
            "c": RNG.choice(["red", "green", "blue"], n),
            "b": RNG.choice([True, False], n),
            "d": [dt.date(2020, 1, 1) + dt.timedelta(days=i // 2) for i in range(n)],
            "k": ["same"] * n,
        }
    )
    path = tmp_path / "t.csv"
    frame.write_csv(path)
    text = read_table(path, Recipe().read, Ledger())
    assert [spec.kind for spec in infer(frame).columns] == [
        spec.kind for spec in infer(text.frame).columns
    ]
