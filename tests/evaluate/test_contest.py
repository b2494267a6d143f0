"""The contest copes with what real splits do: absent classes, copies, weights, few groups."""

import numpy as np
import pytest

from assay.evaluate.contest import Contest
from assay.recipe import Recipe
from assay.split import Split

RECIPE = Recipe().with_options({"evaluate.bootstrap": 100})


def make_split(
    n_rows: int, n_folds: int, n_repeats: int = 1, unit: np.ndarray | None = None
) -> Split:
    fold = np.arange(n_rows) % n_folds if unit is None else unit % n_folds
    validation = np.stack([fold == idx for idx in range(n_folds)] * n_repeats)
    members = tuple((repeat, idx) for repeat in range(n_repeats) for idx in range(n_folds))
    return Split(n_rows, ~validation, validation, np.zeros(n_rows, dtype=bool), members, unit)


def make_logs(rng: np.random.Generator, y: np.ndarray, n_classes: int, n_repeats: int = 1) -> dict:
    raw = rng.normal(size=(n_repeats, len(y), n_classes))
    raw[:, np.arange(len(y)), y] += 1.0
    log_proba = raw - np.log(np.exp(raw).sum(axis=2, keepdims=True))
    shares = np.full_like(log_proba, -np.log(n_classes))
    return {"majority": shares, "network": log_proba}


def test_a_class_without_a_judged_row_is_no_obstacle(rng):
    y = rng.integers(0, 2, 90)  # the third class has no row here
    contest = Contest(make_logs(rng, y, 3), y, make_split(90, 3), RECIPE)
    documents = {one["name"]: one for one in contest.documents()}
    assert documents["majority"]["scores"]["log_loss"]["estimate"] == pytest.approx(
        -np.mean(np.log(np.bincount(y) / 90)[y])
    )
    assert documents["network"]["is_shipped"]
    assert np.isfinite(contest.proba).all()


def test_rows_without_weight_are_not_judged(rng):
    y = rng.integers(0, 2, 120)
    weight = np.where(np.arange(120) < 60, 1.0, 0.0)
    logs = make_logs(rng, y, 2)
    y_spoilt = np.where(weight > 0, y, 1 - y)
    contest = Contest(logs, y_spoilt, make_split(120, 3), RECIPE, weight=weight)
    alone = Contest(
        {name: part[:, :60] for name, part in logs.items()}, y[:60], make_split(60, 3), RECIPE
    )
    assert contest.row_idx.tolist() == list(range(60))
    assert contest.shipped.calibration.temperature == pytest.approx(
        alone.shipped.calibration.temperature
    )


def test_the_same_folds_again_are_no_new_evidence(rng):
    y = rng.integers(0, 2, 200)
    once = make_logs(rng, y, 2)
    once["boosting"] = make_logs(rng, y, 2)["network"]
    once = {name: once[name] for name in ("majority", "boosting", "network")}
    again = {name: np.concatenate([part] * 4) for name, part in once.items()}
    first = Contest(once, y, make_split(200, 5), RECIPE).verdict
    second = Contest(again, y, make_split(200, 5, n_repeats=4), RECIPE).verdict
    pairs = [
        (one["p_value"], other["p_value"])
        for one, other in zip(first.comparisons, second.comparisons, strict=True)
    ]
    assert len(pairs) > 1
    for one, other in pairs:
        assert one == pytest.approx(other)


def test_copies_of_rows_do_not_make_an_interval_narrower(rng):
    y = rng.integers(0, 2, 80)
    unit = np.repeat(np.arange(80), 5)
    logs = {name: part[:, unit] for name, part in make_logs(rng, y, 2).items()}
    split = make_split(400, 4, unit=unit)
    widths = []
    for groups in (None, unit):
        contest = Contest(logs, y[unit], split, RECIPE, groups=groups)
        (network,) = [one for one in contest.documents() if one["name"] == "network"]
        interval = network["scores"]["log_loss"]
        widths.append(interval["high"] - interval["low"])
    assert widths[1] > 1.7 * widths[0]


def test_scores_say_on_how_many_rows_they_stand(rng, monkeypatch):
    monkeypatch.setattr("assay.evaluate.contest.COMPARED_CELLS", 100)
    monkeypatch.setattr("assay.evaluate.contest.COMPARED_ROWS", 50)
    y = rng.integers(0, 2, 300)
    contest = Contest(make_logs(rng, y, 2), y, make_split(300, 3), RECIPE)
    assert {one["n_rows"] for one in contest.documents()} == {50}
    assert len(contest.proba) == 300


def test_uncalibrated_is_the_same_in_blocks(rng, monkeypatch):
    y = rng.integers(0, 3, 90)
    logs = make_logs(rng, y, 3, n_repeats=2)
    contest = Contest(logs, y, make_split(90, 3, n_repeats=2), RECIPE)
    whole = np.exp(logs["network"]).prod(axis=0) ** 0.5
    monkeypatch.setattr("assay.evaluate.contest.BLOCK_ROWS", 40)  # 40, 40 and 10 rows
    np.testing.assert_allclose(
        contest.uncalibrated(), whole / whole.sum(axis=1, keepdims=True), rtol=1e-9
    )


def test_networks_that_are_alone_in_the_blend_ship_unless_another_is_better(rng):
    y = rng.integers(0, 2, 1000)
    odds = 8.0 * (2 * y - 1)
    sure = -np.logaddexp(0.0, np.stack([odds, -odds], axis=1))[None]
    logs = {"majority": np.full((1, 1000, 2), np.log(0.5)), "boosting": sure, "network": sure}
    contest = Contest(logs, y, make_split(1000, 5), RECIPE)
    assert contest.names == ("majority", "boosting", "network")
    assert contest.verdict.shipped == "network"  # of equals boosting is the simpler
    assert contest.shipped.weights == {"network": 1.0}
