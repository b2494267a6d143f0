"""Targets: any column of few values becomes classes; what is not is refused."""

import numpy as np
import polars as pl
import pytest

from assay.encode import TargetEncoder, take_labelled
from assay.errors import UserError
from assay.ledger import Ledger
from assay.recipe import ReadRecipe
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
        ([f"name {idx}" for idx in range(30)], "too few rows of each"),
    ],
)
def test_targets_that_are_no_classes_are_refused(cells, message):
    with pytest.raises(UserError, match=message):
        fit(cells)


def test_rows_without_a_class_are_left_out_and_told():
    table = Table(pl.DataFrame({"x": [1, 2, 3], "y": ["a", None, "b"]}))
    ledger = Ledger()
    features, y = take_labelled(table, fit(["a", "b"]), ledger, missing=MISSING)
    assert features.frame.to_dict(as_series=False) == {"x": [1, 3]}
    np.testing.assert_array_equal(y, [0, 1])
    assert "1 of 3 rows" in str(next(iter(ledger)))


def test_an_unknown_class_is_named_with_its_row():
    table = Table(pl.DataFrame({"x": [1, 2], "y": ["a", "z"]}), source="new.csv")
    with pytest.raises(
        UserError, match=r"new.csv, row 2, column 'y': the model knows no class 'z'"
    ):
        take_labelled(table, fit(["a", "b"]), Ledger(), missing=MISSING)
