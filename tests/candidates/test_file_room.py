"""What a model file has no room for is told before training, and nothing else is."""

import json

import numpy as np
import onnx
import polars as pl
import pytest

import assay
from assay import file_bounds
from assay.candidates import file_room
from assay.candidates.file_room import check_file_room, most_texts
from assay.candidates.growth import most_trees
from assay.errors import UserError
from assay.file_bounds import count_values
from assay.ledger import Ledger
from assay.modelfile import layout
from assay.modelfile.core_message import read_core
from assay.modelfile.plain import _check_bounds
from assay.modelfile.save import _parts
from assay.recipe import Recipe
from assay.samples import Samples, read_samples
from assay.training.setup import of_members

_NODE_BYTES = 8_000  # of a graph's nodes, names and small constants
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


def test_one_model_alone_has_room_for_twice_the_texts(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(file_room, "MAX_NODES", 600)
    frame = words(40, 5, rng)
    options = QUICK | {f"kinds.t{idx}": "text" for idx in range(5)}
    for alone in ({"model.prefer": "network"}, {"model.candidates": []}):
        recipe = Recipe().with_options(options | alone)
        check_file_room(samples_of(frame, recipe), recipe)
    for name in ("network", "logistic", "boosting"):
        model = assay.train(frame, "y", options=options | {"model.prefer": name})
        assert len(read_core(model._contents.predictor.graph).nodes) <= 600
    recipe = Recipe().with_options(options)
    with pytest.raises(UserError, match=r"model.prefer = 'network' or .* doubles the room"):
        check_file_room(samples_of(frame, recipe), recipe)


def planted(rng: np.random.Generator, n_classes: int = 2, n_rows: int = 480) -> pl.DataFrame:
    classes = [f"k{idx % n_classes}" for idx in range(n_rows)]
    return pl.DataFrame({"x": rng.normal(size=n_rows), "y": rng.permutation(classes)})


def with_levels(rng: np.random.Generator, n_columns: int, n_levels: int) -> list[pl.Series]:
    """Columns c0, c1, ... that hold all of so many levels, in 480 rows."""
    return [
        pl.Series(f"c{idx}", [f"level {level % n_levels}" for level in rng.permutation(480)])
        for idx in range(n_columns)
    ]


@pytest.mark.parametrize(
    ("part", "options"),
    [
        ("layers", {"model.hidden": [200, 300], "model.prefer": "network"}),
        ("numbers", {"encode.bins": 200, "model.hidden": [1], "model.prefer": "network"}),
        ("texts", {"encode.text_buckets": 9_000, "model.prefer": "network"}),
        ("texts", {"encode.text_buckets": 9_000, "model.prefer": "logistic"}),
        ("levels", {"encode.embedding_width": 100, "model.hidden": [1], "model.prefer": "network"}),
        ("levels", {"encode.categorical": "label", "model.prefer": "network"}),
        ("layers", {"encode.categorical": "one_hot", "model.hidden": [40],
                    "model.prefer": "network"}),
        ("simpler models", {"model.prefer": "logistic"}),
    ],
)  # fmt: skip
def test_each_part_is_as_large_as_foreseen(
    part: str, options: dict[str, object], rng: np.random.Generator
):
    frame = planted(rng)
    if part == "texts":
        frame = frame.with_columns(words(480, 1, rng)["t0"])
    elif part == "numbers":
        frame = frame.with_columns(pl.Series(f"x{idx}", rng.normal(size=480)) for idx in range(25))
    elif part in ("levels", "simpler models") or "encode.categorical" in options:
        frame = frame.with_columns(with_levels(rng, n_columns=20, n_levels=200))
        options = {**options, **{f"kinds.c{idx}": "categorical" for idx in range(20)}}
    foreseen, graph = sizes(frame, options)
    total = sum(foreseen.values())
    assert max(foreseen, key=lambda name: foreseen[name]) == part
    assert foreseen[part] > 0.5 * total
    assert 0.98 * total < len(graph) < total + _NODE_BYTES < 2 * total


@pytest.mark.parametrize(("n_levels", "n_columns"), [(30, 12), (60, 6)])
def test_only_columns_of_few_levels_have_coefficients(
    n_levels: int, n_columns: int, rng: np.random.Generator
):
    frame = planted(rng, 24).with_columns(with_levels(rng, n_columns, n_levels))
    kinds = {f"kinds.c{idx}": "categorical" for idx in range(n_columns)}
    foreseen, graph = sizes(frame, {"model.prefer": "logistic", **kinds})
    assert sum(foreseen.values()) <= len(graph) < sum(foreseen.values()) + _NODE_BYTES


def test_trees_are_no_larger_than_foreseen(rng: np.random.Generator):
    frame = planted(rng, 4, 2_000)
    classes = frame["y"].rank("dense").to_numpy()
    frame = frame.with_columns(x=frame["x"] + classes, z=rng.normal(size=2_000) * classes)
    foreseen, graph = sizes(frame, {"model.prefer": "boosting"})
    assert foreseen["trees"] == sum(foreseen.values()) >= len(graph)
    nodes = onnx.load_from_string(graph).graph.node
    [trees] = [node for node in nodes if node.op_type == "TreeEnsemble"]
    [leaves] = [len(one.ints) for one in trees.attribute if one.name == "leaf_targetids"]
    assert leaves > 1_000
    assert len(graph) < leaves * file_room._LEAF_BYTES < 2 * len(graph)


def test_trees_of_many_classes_and_fits_are_more_than_of_few():
    assert most_trees(600, 100) == 600 * 100 * 30
    assert most_trees(10, 3) == 20_000
    assert most_trees(2, 2) == 2_000


def sizes(frame: pl.DataFrame, options: dict[str, object]) -> tuple[dict[str, int], bytes]:
    """Return what each part of the core graph is foreseen to take, and the graph."""
    options = QUICK | {"evaluate.importance": False} | options
    recipe = Recipe().with_options(options)
    samples = samples_of(frame, recipe)
    foreseen = file_room._core_bytes(samples, recipe, len(samples.split.train))
    model = assay.train(frame, "y", options=options)
    return foreseen, model._contents.predictor.graph


def test_what_is_told_of_a_table_is_no_more_than_foreseen(rng: np.random.Generator):
    frame = words(40, 1, rng).with_columns(
        x=pl.Series(rng.normal(size=40)), c=pl.Series(rng.choice(list("abc"), 40))
    )
    frame = frame.with_columns(pl.Series(f"n{idx}", rng.normal(size=40)) for idx in range(30))
    recipe = Recipe().with_options(QUICK)
    parts = _parts(assay.train(frame, "y", options=QUICK)._contents)
    foreseen = file_room._told_values(samples_of(frame, recipe), recipe)
    for name, part in (
        ("columns", layout.PREDICTOR), ("golden", layout.GOLDEN), ("reference", layout.REFERENCE)
    ):  # fmt: skip
        told = count_values(json.loads(parts[part]))
        assert foreseen[name] * 4 / 3 >= told, name
        assert foreseen[name] < 2 * told, name


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
    with pytest.raises(
        UserError,
        match=r"2 networks would make a core graph of about .* of it layers; .*narrower layers",
    ):
        check_file_room(samples, recipe)


def test_long_texts_of_few_buckets_are_refused(monkeypatch: pytest.MonkeyPatch, rng):
    recipe = Recipe().with_options({**QUICK, "encode.text_buckets": 8, "kinds.t0": "text"})
    samples = samples_of(words(40, 1, rng), recipe)
    check_file_room(samples, recipe)
    monkeypatch.setattr(file_room, "ROW_NUMBERS", 10)
    with pytest.raises(UserError, match=r"encode.text_buckets: the texts are too long"):
        check_file_room(samples, recipe)


@pytest.mark.parametrize(
    ("budget", "asked"),
    [
        ({}, [(8, None)]),
        ({"train.memory": "200GB"}, [(2, None), (8, None)]),
        ({"train.time": "60s"}, [(2, None), (8, 8)]),
    ],
)
def test_a_budget_may_cut_what_a_file_has_no_room_for(
    budget: dict[str, str], asked: list[tuple[int, int | None]], monkeypatch: pytest.MonkeyPatch
):
    found: list[tuple[int, int | None]] = []

    def check(samples: Samples, recipe: Recipe, *, n_fits: int | None = None) -> None:
        found.append((len(samples.split.train), n_fits))

    monkeypatch.setattr("assay.pipeline.check_file_room", check)
    frame = pl.DataFrame({"x": np.sqrt(np.arange(40.0)), "y": ["no", "yes"] * 20})
    options = QUICK | {"split.repeats": 4, "model.candidates": [], "evaluate.importance": False}
    assay.train(frame, "y", options=options | budget)
    assert found == asked


def test_the_number_of_networks_that_fit_is_told(monkeypatch: pytest.MonkeyPatch):
    frame = pl.DataFrame({"x": np.sqrt(np.arange(40.0)), "y": ["no", "yes"] * 20})
    options = QUICK | {"model.hidden": [300, 300], "split.repeats": 4, "model.candidates": []}
    recipe = Recipe().with_options(options)
    samples = samples_of(frame, recipe)
    one = sum(file_room._core_bytes(samples, recipe, 1).values())
    monkeypatch.setattr(file_room, "MAX_CORE_BYTES", 5 * one)
    with pytest.raises(UserError, match=r"8 networks .* or up to 5 networks"):
        check_file_room(samples, recipe)
    check_file_room(of_members(samples, np.arange(5)), recipe)
