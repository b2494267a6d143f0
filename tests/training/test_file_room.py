"""What a model file has no room for is told before training, and nothing else is."""

import json

import numpy as np
import polars as pl
import pytest

import assay
from assay import file_bounds
from assay.errors import UserError
from assay.file_bounds import count_values
from assay.ledger import Ledger
from assay.modelfile import layout
from assay.modelfile.core_message import read_core
from assay.modelfile.plain import _check_bounds
from assay.modelfile.save import _parts
from assay.recipe import Recipe
from assay.samples import Samples, read_samples
from assay.training import file_room
from assay.training.file_room import check_file_room, most_texts

QUICK = {
    "target": "y",
    "train.epochs": 1,
    "model.hidden": [4],
    "split.folds": 2,
    "split.repeats": 1,
    "evaluate.bootstrap": 100,
    "encode.text_buckets": 16,
}


def words(n_rows: int, n_texts: int, rng: np.random.Generator) -> pl.DataFrame:
    """A table of texts, each long and different."""
    letters = np.array(list("abcdefgh "))
    texts = {
        f"t{idx}": ["".join(rng.choice(letters, 60)) for _ in range(n_rows)]
        for idx in range(n_texts)
    }
    return pl.DataFrame({**texts, "y": ["no", "yes"] * (n_rows // 2)})


def samples_of(frame: pl.DataFrame, recipe: Recipe) -> Samples:
    return read_samples(frame, recipe, Ledger(), on_stage=lambda name: None)


def test_values_are_counted_as_the_bytes_are():
    data = {"a": [1, [], {}, ()], "b": {"c": None, "d": ["x,[", 2.5]}, "e": "{"}
    part = layout.to_json(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assay.modelfile.plain.MAX_VALUES", count_values(data))
        _check_bounds(b'{"a":[1,[],{},[]],"b":{"c":,"d":[,2.5]},"e":}')
        patch.setattr("assay.modelfile.plain.MAX_VALUES", count_values(data) - 1)
        with pytest.raises(ValueError, match="more than"):
            _check_bounds(b'{"a":[1,[],{},[]],"b":{"c":,"d":[,2.5]},"e":}')
    assert json.loads(part)["b"]["d"] == ["x,[", 2.5]


@pytest.mark.attack
def test_more_texts_than_fit_are_refused_before_training(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
):
    assert most_texts(n_layers=1, n_passes=2) == 885
    monkeypatch.setattr(file_room, "MAX_NODES", 600)
    frame, kinds = words(40, 5, rng), {f"kinds.t{idx}": "text" for idx in range(5)}
    with pytest.raises(UserError, match="5 columns are text, a model file has room for 4"):
        assay.train(frame, "y", options=QUICK | kinds)
    del kinds["kinds.t0"]
    assay.train(frame.drop("t0"), "y", options=QUICK | kinds)


def test_each_text_takes_as_many_nodes_as_are_counted(rng: np.random.Generator):
    frame = words(40, 2, rng)
    n_nodes = []
    for part in (frame, frame.drop("t1")):
        model = assay.train(part, "y", options={**QUICK, "model.prefer": "accuracy"})
        n_nodes.append(len(read_core(model._contents.predictor.graph).nodes))
    a_text = n_nodes[0] - n_nodes[1]
    assert a_text <= 2 * file_room._TEXT_NODES
    assert n_nodes[1] - a_text < file_room._OTHER_NODES


def test_a_model_holds_no_more_than_was_foreseen(rng: np.random.Generator):
    frame = words(40, 1, rng).with_columns(
        x=pl.Series(rng.normal(size=40)), c=pl.Series(rng.choice(list("abc"), 40))
    )
    recipe = Recipe().with_options(QUICK)
    model = assay.train(frame, "y", options=QUICK)
    parts = _parts(model._contents)
    samples = samples_of(frame, recipe)
    assert len(parts[layout.CORE]) < file_room._core_bytes(samples, (4,), n_passes=2)
    for name in (layout.PREDICTOR, layout.GOLDEN, layout.REFERENCE):
        told = count_values(json.loads(parts[name]))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(file_room, "MAX_VALUES", told)
            with pytest.raises(UserError, match="more than a model file can describe"):
                check_file_room(samples, recipe)


def test_few_columns_of_many_levels_are_refused(monkeypatch: pytest.MonkeyPatch):
    levels = [f"level {idx % 300}" for idx in range(600)]
    frame = pl.DataFrame({"c": levels, "y": ["no", "yes"] * 300})
    recipe = Recipe().with_options({**QUICK, "kinds.c": "categorical"})
    samples = samples_of(frame, recipe)
    check_file_room(samples, recipe)
    monkeypatch.setattr(file_room, "MAX_VALUES", 300)
    with pytest.raises(UserError, match="1 columns with 300 levels, 300 in 'c'"):
        check_file_room(samples, recipe)


def test_a_history_that_no_file_can_tell_is_refused():
    frame = pl.DataFrame({"x": np.sqrt(np.arange(40.0)), "y": ["no", "yes"] * 20})
    most = file_bounds.MAX_VALUES * 3 // 4 // (3 * 2)
    for n_epochs, fits in ((most, True), (most + 1, False)):
        recipe = Recipe().with_options({**QUICK, "train.epochs": n_epochs})
        samples = samples_of(frame, recipe)
        if fits:
            check_file_room(samples, recipe)
            continue
        with pytest.raises(UserError, match=f"train.epochs.*{most:,}"):
            check_file_room(samples, recipe)


def test_weights_beyond_a_protocol_buffer_are_refused(monkeypatch: pytest.MonkeyPatch):
    frame = pl.DataFrame({"x": np.sqrt(np.arange(40.0)), "y": ["no", "yes"] * 20})
    recipe = Recipe().with_options({**QUICK, "model.hidden": [1000, 1000]})
    samples = samples_of(frame, recipe)
    check_file_room(samples, recipe)
    monkeypatch.setattr(file_room, "MAX_CORE_BYTES", 8_000_000)
    with pytest.raises(UserError, match="2 networks would make a core graph of about"):
        check_file_room(samples, recipe)


def test_long_texts_of_few_buckets_are_refused(monkeypatch: pytest.MonkeyPatch, rng):
    recipe = Recipe().with_options({**QUICK, "encode.text_buckets": 8, "kinds.t0": "text"})
    samples = samples_of(words(40, 1, rng), recipe)
    check_file_room(samples, recipe)
    monkeypatch.setattr(file_room, "ROW_NUMBERS", 10)
    with pytest.raises(UserError, match=r"encode.text_buckets: the texts are too long"):
        check_file_room(samples, recipe)
