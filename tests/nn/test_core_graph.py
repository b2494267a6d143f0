"""The core graph says in ONNX Runtime what the network says in PyTorch."""

import numpy as np
import polars as pl
import pytest
import torch

from assay.core import CoreGraph
from assay.encode import Arrays, TableEncoder
from assay.ledger import Ledger
from assay.nn.core_graph import Calibration, build_core_graph
from assay.nn.network import Network
from assay.recipe import Recipe
from assay.schema import ColumnSpec, Kind, Schema
from assay.table import Table
from assay.training.predictions import average_members, member_log_probabilities
from assay.training.rows import EncodedRows

N_ROWS = 64


def make_table(rng) -> tuple[Table, Schema]:
    frame = pl.DataFrame(
        {
            "number": rng.normal(size=N_ROWS),
            "gaps": [None if idx % 3 == 0 else float(idx) for idx in range(N_ROWS)],
            "few": [["x", "y", "z", None][idx % 4] for idx in range(N_ROWS)],
            "two": [["no", "yes"][idx % 2] for idx in range(N_ROWS)],
            "many": [f"level {idx % 20}" for idx in range(N_ROWS)],
            "words": [f"some text {idx}" for idx in range(N_ROWS)],
            "name": [["Ann", "", None, "Bob and Ann"][idx % 4] for idx in range(N_ROWS)],
        }
    )
    kinds = [Kind.NUMERIC] * 2 + [Kind.CATEGORICAL] * 3 + [Kind.TEXT] * 2
    columns = zip(frame.columns, kinds, strict=True)
    return Table(frame), Schema(tuple(ColumnSpec(name, kind, "") for name, kind in columns))


def make_network(rng, options: dict, n_classes: int = 3) -> tuple[Network, Arrays]:
    table, schema = make_table(rng)
    recipe = Recipe.from_dict({"model": {"hidden": [12, 9]}}).with_options(options)
    encoder = TableEncoder.fit(table, schema, recipe.encode, Ledger())
    n_classes = 2 if recipe.model.output == "sigmoid" else n_classes
    network = Network(encoder, recipe.model, n_members=3, n_classes=n_classes, seed=0)
    arrays = encoder.transform(table)
    y = rng.integers(0, n_classes, N_ROWS)
    network.fit(arrays, rng.random((3, N_ROWS)) < 0.7, y)
    with torch.no_grad():  # the last layer starts at zero: make members differ
        for parameter in filter(lambda p: p.requires_grad, network.parameters()):
            parameter += 0.3 * torch.from_numpy(rng.normal(size=parameter.shape)).float()
    return network, arrays


def strange(arrays: Arrays) -> Arrays:
    """Add missing cells, unseen levels and numbers far out of range."""
    numeric, codes = arrays.numeric.copy(), arrays.codes.copy()
    numeric[0], numeric[1], numeric[2] = np.nan, 1e30, -1e30
    codes[3], codes[4] = 0, 1
    return Arrays(numeric, codes, arrays.text)


OPTIONS = [
    {},
    {"model.activation": "gelu", "encode.scale": "standard", "encode.clip": False},
    {"model.activation": "selu", "encode.categorical": "one_hot_drop_first"},
    {"model.activation": "leaky_relu", "encode.categorical": "label", "encode.bins": 0},
    {"model.activation": "tanh", "encode.categorical": "embedding", "model.output": "sigmoid"},
    {"model.activation": "sigmoid", "model.input_scale": False, "encode.min_count": 5},
    {"model.activation": "identity", "model.hidden": []},
    {"model.activation": "relu", "encode.columns.gaps.clip": False},
    {"encode.text_buckets": 50, "encode.text_ngrams": 9, "encode.bins": 3},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: str(options)[1:40])
def test_core_graph_equals_the_network(options, rng):
    network, arrays = make_network(rng, options)
    arrays = strange(arrays)
    rows = EncodedRows(network, arrays, torch.device("cpu"))
    average = np.exp(average_members(member_log_probabilities(network, rows)))
    found = CoreGraph(build_core_graph(network, Calibration())).run(arrays)
    np.testing.assert_allclose(found, average, atol=2e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-6)


def test_members_may_read_numbers_without_bins(rng):
    network, arrays = make_network(rng, {})
    network.leave_out_bins(np.array([1]))
    arrays = strange(arrays)
    rows = EncodedRows(network, arrays, torch.device("cpu"))
    average = np.exp(average_members(member_log_probabilities(network, rows)))
    found = CoreGraph(build_core_graph(network, Calibration())).run(arrays)
    np.testing.assert_allclose(found, average, atol=2e-6)


@pytest.mark.parametrize("n_classes", [2, 20])
def test_texts_say_the_same_of_any_number_of_classes(n_classes, rng):
    network, arrays = make_network(rng, {}, n_classes)
    rows = EncodedRows(network, arrays, torch.device("cpu"))
    average = np.exp(average_members(member_log_probabilities(network, rows)))
    found = CoreGraph(build_core_graph(network, Calibration())).run(arrays)
    np.testing.assert_allclose(found, average, atol=2e-6)
    blank = Arrays(arrays.numeric, arrays.codes, np.zeros_like(arrays.text))
    assert not np.allclose(network.scores(arrays), network.scores(blank))


def test_chunks_of_rows_make_no_difference(rng, monkeypatch):
    network, arrays = make_network(rng, {})
    core = CoreGraph(build_core_graph(network, Calibration()))
    whole = core.run(arrays)
    of_row = arrays.text.shape[1] * network.n_members * network.text.n_scores
    monkeypatch.setattr("assay.core.CHUNK_NUMBERS", 3 * of_row)
    np.testing.assert_allclose(core.run(arrays), whole, atol=1e-6)


def test_calibration_is_part_of_the_graph(rng):
    network, arrays = make_network(rng, {})
    plain = CoreGraph(build_core_graph(network, Calibration())).run(arrays).astype(np.float64)
    found = CoreGraph(build_core_graph(network, Calibration(2.0, 0.1))).run(arrays)
    expected = plain**0.5 / (plain**0.5).sum(axis=1, keepdims=True) * 0.9 + 0.1 / 3
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_vector_scaling_is_part_of_the_graph(rng):
    network, arrays = make_network(rng, {})
    factors, shifts = (0.5, 1.0, 2.0), (0.3, 0.0, -0.3)
    plain = CoreGraph(build_core_graph(network, Calibration())).run(arrays)
    fitted = Calibration(1.0, 0.1, factors, shifts)
    found = CoreGraph(build_core_graph(network, fitted)).run(arrays)
    raised = plain.astype(np.float64) ** np.array(factors) * np.exp(shifts)
    expected = raised / raised.sum(axis=1, keepdims=True) * 0.9 + 0.1 / 3
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_one_row_at_a_time_equals_the_batch(rng):
    network, arrays = make_network(rng, {})
    core = CoreGraph(build_core_graph(network, Calibration()))
    singly = np.concatenate([core.run(arrays.take(slice(i, i + 1))) for i in range(N_ROWS)])
    np.testing.assert_allclose(singly, core.run(arrays), atol=1e-6)


def test_no_rows_give_no_probabilities(rng):
    network, arrays = make_network(rng, {})
    core = CoreGraph(build_core_graph(network, Calibration()))
    assert core.run(arrays.take(slice(0, 0))).shape == (0, 3)


def test_the_same_network_gives_the_same_bytes(rng):
    network, _ = make_network(rng, {})
    first, second = (build_core_graph(network, Calibration(1.5)) for _ in range(2))
    assert first == second
