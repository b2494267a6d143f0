"""The story: options of a training reach the training."""

import gc
import json
import weakref

import numpy as np
import polars as pl
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import assay
from assay import pipeline

FAST = {"model.hidden": [16], "train.epochs": 15, "evaluate.bootstrap": 100}


def unbalanced(seed: int = 0, n_rows: int = 300) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n_rows)
    y = np.where(x + rng.normal(size=n_rows) > 1.8, "rare", "common")
    return pl.DataFrame({"x": x, "z": rng.normal(size=n_rows), "w": rng.random(n_rows), "y": y})


def rare_proba(model: assay.Model, frame: pl.DataFrame) -> float:
    return float(model.predict_proba(frame)[:, 1].mean())


def test_a_training_without_memory_lets_go_of_network_and_rows(monkeypatch):
    held: list[weakref.ref] = []

    def fail(network, lesson, *args, **kwargs):
        held.extend(weakref.ref(one) for one in (network, lesson.rows))
        raise MemoryError

    monkeypatch.setattr(pipeline, "train_population", fail)
    with pytest.raises(assay.UserError, match="memory ran out") as told:
        assay.train(unbalanced(), "y", options={**FAST, "model.candidates": []})
    gc.collect()
    assert told.value.__context__ is not None  # kept as by a notebook, with frames of the training
    assert [reference() for reference in held] == [None, None]


def test_balanced_class_weights_raise_the_rare_class():
    frame = unbalanced()
    plain = {**FAST, "evaluate.calibration": "none"}
    even = assay.train(frame, "y", options=plain)
    balanced = assay.train(frame, "y", options={**plain, "train.class_weight": "balanced"})
    assert rare_proba(balanced, frame) > 1.5 * rare_proba(even, frame)


def test_sample_weights_are_no_feature_and_change_the_members():
    frame = unbalanced()
    plain = assay.train(frame.drop("w"), "y", options=FAST)
    weighted = assay.train(frame, "y", options={**FAST, "train.sample_weight": "w"})
    assert weighted.schema["w"].kind == "identifier"
    name = "body.layers.0.weight"
    assert plain.members[name].shape == weighted.members[name].shape
    assert not np.array_equal(plain.members[name], weighted.members[name])


def test_the_sigmoid_form_gives_two_probabilities():
    frame = unbalanced()
    model = assay.train(frame, "y", options={**FAST, "model.output": "sigmoid"})
    proba = model.predict_proba(frame)
    assert proba.shape == (300, 2)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-6)
    assert model.evaluation["validation"]["scores"]["auroc"]["estimate"] > 0.7
    three = frame.with_columns(pl.Series("y", ["a", "b", "c"] * 100))
    with pytest.raises(assay.UserError, match="needs two classes"):
        assay.train(three, "y", options={"model.output": "sigmoid"})


@pytest.mark.parametrize(
    ("options", "n_members", "n_judged"),
    [
        ({"split.folds": 3, "split.repeats": 2}, 6, 300),
        ({"split.folds": 0, "split.members": 2, "split.validation_share": 0.2}, 2, None),
        ({"split.folds": 0}, 1, 0),
        ({"split.folds": 4, "split.time": "w"}, 4, 240),
    ],
)
def test_splits_decide_members_and_who_judges(options, n_members, n_judged):
    model = assay.train(unbalanced(), "y", options={**FAST, **options})
    assert model.evaluation["training"]["n_members"] == n_members
    judged = model.evaluation.get("validation")
    if n_judged is None:
        assert 60 <= judged["n_rows"] <= 120
    else:
        assert (judged["n_rows"] if judged else 0) == n_judged


def test_groups_stay_together():
    frame = unbalanced().with_columns(pl.Series("person", [f"p{idx // 5}" for idx in range(300)]))
    model = assay.train(frame, "y", options={**FAST, "split.group": "person"})
    assert model.schema["person"].kind == "identifier"
    assert model.evaluation["validation"]["n_rows"] == 300


def test_a_seed_changes_the_model_and_repeats_it():
    frame = unbalanced()
    first, again, other = (
        assay.train(frame, "y", options={**FAST, "seed": seed}).to_bytes() for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("options", "encoding"),
    [
        ({}, "robust scale, 16 bins in 5 of 10 networks"),
        ({"split.repeats": 1}, "robust scale, 16 bins"),
        ({"encode.bins": 4}, "robust scale, 4 bins"),
    ],
)
def test_few_rows_are_read_with_bins_and_without_by_two_repeats(options, encoding, tmp_path):
    model = assay.train(unbalanced(), "y", options={**FAST, "train.epochs": 1, **options})
    model.report(tmp_path / "report.json")
    columns = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["columns"]
    assert {column["encoding"] for column in columns["items"]} == {encoding}


def test_what_judges_is_computed_on_one_thread_of_blas(monkeypatch):
    seen: list[int] = []
    judge = pipeline.judge_training

    def spied(*args, **kwargs):
        seen.extend(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas")
        return judge(*args, **kwargs)

    monkeypatch.setattr(pipeline, "judge_training", spied)
    with threadpool_limits(2, "blas"):
        assay.train(unbalanced(), "y", options=FAST)
    assert set(seen) == {1}
