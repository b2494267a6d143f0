"""From a table to a file: calibration by class, importance by candidate, realised decisions."""

import numpy as np
import polars as pl
import pytest

import assay

FAST = {"model.hidden": [16], "train.epochs": 8, "evaluate.bootstrap": 100, "split.folds": 3}
N_ROWS = 400


def table(seed: int = 0, n_classes: int = 3) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.choice(n_classes, N_ROWS, p=[0.6, 0.3, 0.1] if n_classes == 3 else [0.7, 0.3])
    return pl.DataFrame(
        {
            "told": rng.normal(size=N_ROWS) + y,
            "idle": rng.normal(size=N_ROWS),
            "town": rng.choice(["Ulm", "Bonn", "Kiel"], N_ROWS),
            "y": [f"class {idx}" for idx in y],
        }
    )


@pytest.fixture(scope="module")
def model() -> assay.Model:
    cost = {"class 0": {"class 1": 1.0}, "class 1": {"class 0": 5.0}}
    return assay.train(
        table(n_classes=2),
        "y",
        options={**FAST, "evaluate.calibration": "vector", "decide.cost": cost},
    )


def test_calibration_by_class_ships_in_the_one_file(model, tmp_path):
    told = model.evaluation["calibration"]
    assert len(told["factors"]) == len(told["shifts"]) == 2
    path = tmp_path / "m.assay"
    model.save(path)  # parity with what was trained is checked while training
    again = assay.load(path)
    rows = table(1, 2).drop("y")
    np.testing.assert_array_equal(again.predict_proba(rows), model.predict_proba(rows))


def test_reliability_is_told_before_and_after_with_intervals(model):
    told = model.evaluation["validation"]["reliability"]
    for when in ("before", "after"):
        for score in ("ece", "brier"):
            found = told[when][score]
            assert found["low"] <= found["estimate"] <= found["high"]


def test_every_candidate_has_an_importance(model):
    importance = model.evaluation["importance"]
    shipped = model.evaluation["verdict"]["shipped"]
    names = {one["name"] for one in model.evaluation["candidates"]} - {"majority", shipped}
    assert set(importance["candidates"]) == names
    for found in importance["candidates"].values():
        first = found["columns"][0]
        assert first["column"] == "told"
        assert first["increase"]["low"] > 0
        assert {one["column"] for one in found["columns"]} == {"told", "idle", "town"}


def test_new_rows_tell_the_realised_cost_and_the_flags(model):
    rows = table(2, 2)
    odd = rows.with_columns(told=pl.when(pl.int_range(N_ROWS) < 5).then(99.0).otherwise("told"))
    judged = model.evaluate(odd)
    cost = judged["decisions"]["cost"]
    matrix = np.array([[0.0, 1.0], [5.0, 0.0]])
    y = np.array([int(name[-1]) for name in odd["y"]])
    chosen = np.array([int(name[-1]) for name in model.decide(odd.drop("y"), "cost")])
    assert cost["per_row"]["estimate"] == pytest.approx(matrix[y, chosen].mean())
    assert cost["majority"]["per_row"]["estimate"] == pytest.approx(matrix[y, 0].mean())
    assert judged["flags"]["n_flagged"] == sum(map(bool, model.flags(odd.drop("y"))))
    assert judged["flags"]["reasons"][0]["flag"] == "told: out of range"
    assert judged["flags"]["reasons"][0]["n"] >= 5
    other = model.evaluate(odd, cost=1.0 - np.eye(2))["decisions"]["cost"]
    assert other["matrix"] == [[0.0, 1.0], [1.0, 0.0]]


def test_costs_that_do_not_fit_are_refused(model):
    with pytest.raises(assay.UserError, match="shape"):
        model.evaluate(table(2, 2), cost=np.ones((3, 3)))


def test_the_same_training_gives_the_same_bytes():
    frame = table(3)
    options = {**FAST, "evaluate.calibration": "vector"}
    first, second = (assay.train(frame, "y", options=options).to_bytes() for _ in range(2))
    assert first == second
