"""Scores of rows that nobody learnt from know nothing of their labels."""

import numpy as np
import polars as pl
import pytest

import assay

FAST = {"model.hidden": [32], "train.epochs": 20, "evaluate.bootstrap": 100}


def score(model: assay.Model, name: str, part: str = "validation") -> dict:
    return model.evaluation[part]["scores"][name]


def noise(seed: int, n_rows: int = 100) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    columns = {f"x{idx}": rng.normal(size=n_rows) for idx in range(5)}
    return pl.DataFrame(columns).with_columns(pl.Series("y", rng.permutation(n_rows) % 2))


def test_shuffled_labels_show_no_signal():
    models = [assay.train(noise(seed), "y", options=FAST) for seed in range(12)]
    areas = [score(model, "auroc")["estimate"] for model in models]
    losses = [score(model, "log_loss")["estimate"] for model in models]
    # Twelve runs of 100 rows: a standard error of 0.02. Choosing each network's epoch
    # by the rows it is judged on gave 0.56 here.
    assert np.mean(areas) < 0.53
    assert np.mean(losses) > np.log(2) - 0.005


def test_without_a_signal_a_threshold_is_stored_only_if_asked_for(tmp_path):
    options = {**FAST, "train.epochs": 2}
    for asked, is_stored in (({}, False), ({"decide.threshold": "f1"}, True),
                             ({"decide.positive": "1"}, True)):  # fmt: skip
        model = assay.train(noise(3), "y", options={**options, **asked})
        assert not model.evaluation["verdict"]["has_signal"]
        assert ("threshold" in model.evaluation["decisions"]) == is_stored
        assert (model.deciding().threshold is not None) == is_stored
        model.report(*(tmp_path / f"m.{form}" for form in ("html", "json", "md")))


def test_a_planted_leak_of_row_numbers_is_not_learnt_through_copies():
    frame = noise(0, 60)
    tripled = pl.concat([frame, frame, frame])
    model = assay.train(tripled, "y", options=FAST)
    assert score(model, "accuracy")["low"] < 0.6
    assert any("copies kept on one side" in entry.what for entry in model.ledger)


def test_copies_of_texts_are_on_one_side():
    rng = np.random.default_rng(0)
    words = [f"word{idx}" for idx in range(400)]
    texts = [" ".join(rng.choice(words, 12)) for _ in range(150)]
    frame = pl.DataFrame({"note": texts, "y": rng.integers(0, 2, 150)})
    model = assay.train(pl.concat([frame, frame]), "y", options=FAST)
    assert score(model, "auroc")["estimate"] < 0.62  # 0.9 where they are parted
    assert any("copies kept on one side" in entry.what for entry in model.ledger)


def test_test_rows_that_were_learnt_from_are_told():
    frame = noise(1)
    model = assay.train(frame, "y", test=frame[:30], options=FAST)
    assert any("30 of 30 test rows equal rows" in entry.why for entry in model.ledger)


def test_a_test_table_and_a_holdout_exclude_each_other():
    frame = noise(2)
    with pytest.raises(assay.UserError, match="Choose one of them"):
        assay.train(frame, "y", test=frame[:30], options={**FAST, "split.holdout": 0.2})


def test_a_holdout_is_judged_apart():
    model = assay.train(noise(3), "y", options={**FAST, "split.holdout": 0.3})
    assert model.evaluation["test"]["n_rows"] == 30
    assert model.evaluation["validation"]["n_rows"] == 70


def test_folds_whose_rows_all_weigh_nothing_are_refused():
    frame = noise(4).with_columns(pl.Series("w", [1.0] * 3 + [0.0] * 97))
    with pytest.raises(assay.UserError, match="weight 0"):
        assay.train(frame, "y", options={**FAST, "train.sample_weight": "w"})


def test_expressions_compute_with_identifiers_and_need_them_later():
    frame = noise(5).with_columns(pl.Series("id", range(100, 200)))
    model = assay.train(frame, "y", options={**FAST, "derive": {"turn": "id % 7"}})
    kinds = {spec.name: spec.kind for spec in model.schema.columns}
    assert kinds["id"] == "numeric"
    assert "id" in model._contents.predictor.preparation.dropped
    with pytest.raises(assay.UserError, match="derived ones are made from are missing: id"):
        model.predict(frame.drop("id"))


def test_an_array_of_classes_may_stand_for_the_target():
    frame = noise(6)
    x, y = frame.drop("y").to_numpy(), np.where(frame["y"].to_numpy() == 1, "b", "a")
    model = assay.train(x, y.astype(object), options=FAST)
    assert model.classes.tolist() == ["a", "b"]
    assert model.predict(x).shape == (100,)
    with pytest.raises(assay.UserError, match="one class for each row"):
        assay.train(x, y[:50], options=FAST)
    with pytest.raises(assay.UserError, match="has a column 'target' already"):
        assay.train({"target": [1.0] * 100, "x": list(range(100))}, y, options=FAST)


def test_classes_in_another_order_than_their_rows_are_refused():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": [float(idx % 7) for idx in range(60)]})
    y = pandas.Series(["no", "yes"] * 30)
    shuffled = frame.sample(frac=1, random_state=0)
    with pytest.raises(assay.UserError, match=r"another order than the table.*target\.loc"):
        assay.train(shuffled, y, options=FAST)
    for paired in (y.loc[shuffled.index], y.to_numpy(), y.set_axis(range(60, 120))):
        assert assay.train(shuffled, paired, options=FAST).classes.tolist() == ["no", "yes"]


def test_a_network_larger_than_the_machine_is_refused(monkeypatch):
    for place in ("assay.limits", "assay.training.memory"):
        monkeypatch.setattr(f"{place}.physical_bytes", lambda: 2 << 30)
    with pytest.raises(assay.UserError, match=r"the machine has 2\.1 GB.*model\.hidden"):
        assay.train(noise(7), "y", options={"model.hidden": [3_000, 3_000]})


def test_a_network_larger_than_a_model_file_is_refused():
    with pytest.raises(assay.UserError, match=r"a model file holds 2\.1 GB.*model\.hidden"):
        assay.train(noise(7), "y", options={"model.hidden": [10_000_000, 10_000_000]})
