"""Targets: any column of few values becomes classes; what is not is refused."""

import numpy as np
import polars as pl
import pytest

from assay.encode import TargetEncoder, take_labelled
from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.table import Table

MISSING = ReadRecipe().missing


def fit(cells: list) -> TargetEncoder:
    return TargetEncoder.fit(pl.Series("y", cells), missing=MISSING, where="t.csv")


@pytest.mark.parametrize(
    ("cells", "classes", "labels"),
    [
        (["b", "a", "b"], ("a", "b"), ["a", "b"]),
        (["10", "9", "9", "10"], ("9", "10"), [9, 10]),
        ([1, 0, 1, 0], ("0", "1"), [0, 1]),
        ([1.0, 2.0, None, 1.0], ("1", "2"), [1, 2]),
        ([0.5, 1.5, 0.5, 1.5], ("0.5", "1.5"), [0.5, 1.5]),
        ([True, False], ("false", "true"), [False, True]),
        (["01", "1", "1", "01"], ("01", "1"), ["01", "1"]),
        (["+", "-", "-", "+"], ("+", "-"), ["+", "-"]),
        (["1_0", "2", "2", "1_0"], ("1_0", "2"), ["1_0", "2"]),
        (["+1", "2", "2", "+1"], ("+1", "2"), ["+1", "2"]),
        (["1e3", "-5", "-5", "1e3"], ("-5", "1e3"), [-5.0, 1000.0]),
        (["1.5", "1.50", "2", "1.5", "1.50", "2"], ("1.5", "1.50", "2"), ["1.5", "1.50", "2"]),
        (["inf", "1", "1", "inf"], ("1", "inf"), ["1", "inf"]),
        (["٣", "1", "1", "٣"], ("1", "٣"), ["1", "٣"]),
    ],
)
def test_classes_are_sorted_and_keep_their_type(cells, classes, labels):
    encoder = fit(cells)
    assert encoder.classes == classes
    assert encoder.label_array().tolist() == labels
    assert TargetEncoder.from_dict(encoder.to_dict()) == encoder


def test_codes_tell_missing_from_unknown():
    encoder = fit(["a", "b"])
    codes = encoder.encode(pl.Series(["b", " a ", "NA", "c", None]), missing=MISSING)
    np.testing.assert_array_equal(codes, [1, 0, -1, -2, -1])


def test_a_class_that_looks_missing_stays_a_class_in_later_tables():
    encoder = fit(["+", "-"])
    codes = encoder.encode(pl.Series(["-", "", "-"]), missing=MISSING)
    np.testing.assert_array_equal(codes, [1, -1, 1])


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([None, None], "empty in every row"),
        (["a", "a", None], "one class only, 'a'"),
        ([float(idx) * 1.1 for idx in range(300)], "looks like a regression"),
        (list(range(300)), "looks like a regression"),
        ([idx % 101 for idx in range(20_000)], "101 different numbers in 20000 rows"),
        ([idx % 51 for idx in range(1000)], "looks like a regression"),
        ([f"name {idx}" for idx in range(30)], "too few rows of each"),
    ],
)
def test_targets_that_are_no_classes_are_refused(cells, message):
    with pytest.raises(UserError, match=message):
        fit(cells)


@pytest.mark.parametrize(("n_classes", "n_rows"), [(100, 20_000), (50, 200)])
def test_so_many_numbers_still_name_classes(n_classes, n_rows):
    assert fit([idx % n_classes for idx in range(n_rows)]).n_classes == n_classes


def test_numbers_that_are_said_to_name_classes_are_classes():
    zips = pl.Series("zip code", [10_000 + idx % 150 for idx in range(900)])
    with pytest.raises(UserError, match=r'set kinds\."zip code" = "categorical" if each number'):
        TargetEncoder.fit(zips, missing=MISSING, where="t.csv")
    encoder = TargetEncoder.fit(zips, missing=MISSING, where="t.csv", is_categorical=True)
    assert (encoder.n_classes, encoder.label_type) == (150, "integer")
    with pytest.raises(UserError, match="too few rows of each"):
        TargetEncoder.fit(zips[:160], missing=MISSING, where="t.csv", is_categorical=True)


def test_rows_without_a_class_are_left_out_and_told():
    table = Table(pl.DataFrame({"x": [1, 2, 3], "y": ["a", None, "b"]}))
    ledger = Ledger()
    features, y = take_labelled(table, fit(["a", "b"]), ledger, missing=MISSING)
    assert features.frame.to_dict(as_series=False) == {"x": [1, 3]}
    np.testing.assert_array_equal(y, [0, 1])
    (entry,) = ledger
    assert (entry.what, entry.why) == ("1 row left out", "the target is missing in 1 of 3 rows")


def test_an_unknown_class_is_named_with_its_row():
    table = Table(pl.DataFrame({"x": [1, 2], "y": ["a", "z"]}), source="new.csv")
    with pytest.raises(
        UserError, match=r"new.csv, row 2, column 'y': the model knows no class 'z'"
    ):
        take_labelled(table, fit(["a", "b"]), Ledger(), missing=MISSING)
