"""The figures behind findings, against hand-worked cases and other libraries."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from assay.profile import examine
from assay.profile.fit import fit, folds_of
from assay.profile.order import near_drop, runs_of
from assay.profile.rows import Rows
from assay.schema import ColumnSpec, Kind, Schema


def schema_of(frame: pl.DataFrame) -> Schema:
    kinds = {pl.Float64: Kind.NUMERIC, pl.String: Kind.CATEGORICAL}
    specs = [
        ColumnSpec(
            s.name, kinds[s.dtype.base_type()], "", s.null_count(), s.drop_nulls().n_unique()
        )
        for s in frame
    ]
    return Schema(tuple(specs))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_fit_of_bins_equals_out_of_fold_shares(n_classes, rng):
    codes = rng.integers(0, 7, 500)
    y = np.where(rng.random(500) < 0.8, codes % n_classes, rng.integers(0, n_classes, 500))
    counts, fold = np.bincount(y), folds_of(500)
    found = fit(codes, 7, y, counts, fold)
    proba = np.zeros((500, n_classes))
    for part in range(5):
        own, others = fold == part, fold != part
        for code in range(7):
            votes = np.bincount(y[others & (codes == code)], minlength=n_classes) + counts / 500
            proba[own & (codes == code)] = votes / votes.sum()
    labels = proba.argmax(axis=1)
    assert found.accuracy == pytest.approx(accuracy_score(y, labels))
    assert found.skill == pytest.approx(1 - (1 - found.accuracy) / (1 - counts.max() / 500))
    score = proba[:, 1] if n_classes == 2 else proba
    area = roc_auc_score(y, score, multi_class="ovr", average="macro")
    assert found.auroc == pytest.approx(area)
    np.testing.assert_allclose(found.class_f1, f1_score(y, labels, average=None))


def test_fit_of_a_column_that_tells_nothing_is_no_skill(rng):
    y = rng.integers(0, 2, 1000)
    found = fit(rng.integers(0, 50, 1000), 50, y, np.bincount(y), folds_of(1000))
    assert found.skill < 0.15


def test_bins_separate_a_rare_class():
    values = np.concatenate([np.linspace(0, 1, 995), np.linspace(2, 3, 5)])
    y = np.array([0] * 995 + [1] * 5)
    frame = pl.DataFrame({"x": values})
    rows = Rows.of(frame, schema_of(frame), y, ("no", "yes"))
    codes, n_codes = rows.codes(rows.columns[0])
    assert not set(codes[y == 0]) & set(codes[y == 1])
    assert codes.max() < n_codes


def test_missing_cells_are_a_bin_of_their_own():
    frame = pl.DataFrame({"x": [None, 1.0, 2.0, None], "c": ["b", None, "a", "b"]})
    rows = Rows.of(frame, schema_of(frame), np.array([0, 1, 0, 1]), ("no", "yes"))
    assert rows.codes(rows.columns[0])[0].tolist() == [0, 1, 2, 0]
    assert rows.codes(rows.columns[1])[0].tolist() == [2, 0, 1, 2]


def test_runs_by_hand():
    # Wald and Wolfowitz: n1 = n2 = 5, expected 6 runs, variance 2 * 25 * 40 / (100 * 9).
    y = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    runs = runs_of(y, np.array([5, 5]))
    assert runs.n_runs == 2
    assert runs.z == pytest.approx(4 / np.sqrt(2000 / 900))
    assert runs.agreement == pytest.approx(4 / 5)


def test_runs_of_many_classes_have_the_stated_mean_and_variance(rng):
    y = np.repeat([0, 1, 2], [30, 20, 10])
    zs = [runs_of(rng.permutation(y), np.array([30, 20, 10])).z for _ in range(2000)]
    assert abs(np.mean(zs)) < 0.08
    assert np.std(zs) == pytest.approx(1, abs=0.06)


def test_neighbours_are_worth_nothing_in_a_sorted_table_of_strangers(rng):
    frame = pl.DataFrame({f"x{j}": rng.normal(size=800) for j in range(4)})
    y = np.sort(rng.integers(0, 2, 800))
    drop, error = near_drop(frame, schema_of(frame), y, ("no", "yes"))
    assert abs(drop) < 4 * error


def test_many_rows_are_sampled_and_rare_things_still_named(rng):
    y = rng.integers(0, 2, 120_000)
    frame = pl.DataFrame({"x": rng.normal(size=120_000), "leak": y + 0.5})
    found = examine(frame, schema_of(frame), y, ("no", "yes"))
    assert [one.where for one in found if one.kind == "leak"] == ["leak"]


@pytest.mark.parametrize("n_rows", [1, 2, 5, 40])
@pytest.mark.parametrize("with_target", [True, False])
def test_small_and_empty_tables_are_survived(n_rows, with_target):
    frame = pl.DataFrame(
        {
            "x": [float(idx) for idx in range(n_rows)],
            "gone": pl.Series([None] * n_rows, dtype=pl.Float64),
            "c": [None if idx % 3 else "a" for idx in range(n_rows)],
        },
        schema_overrides={"c": pl.String},
    )
    y = np.arange(n_rows) % 2 if with_target else None
    found = examine(frame, schema_of(frame), y, ("no", "yes") if with_target else ())
    assert all(one.severity in ("high", "medium", "low") for one in found)
    nothing = examine(frame.select([]), Schema(()), y, ("no", "yes") if with_target else ())
    assert {one.kind for one in nothing} <= {"rare_classes"}


def test_findings_are_plain_data(rng):
    frame = pl.DataFrame({"x": rng.normal(size=90), "y2": np.arange(90) % 2 * 1.0})
    found = examine(frame, schema_of(frame), np.arange(90) % 2, ("no", "yes"))
    assert set(found[0].to_dict()) == {"kind", "severity", "where", "what", "evidence", "option"}
    assert [type(value) for value in found[0].to_dict().values()] == [str] * 6
