"""Encoded rows: codes take the smallest type, and every reader of them the same meaning."""

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

WIDEST = {254: np.uint8, 255: np.uint16, 65_535: np.int32}


def encoded(n_levels: int) -> tuple[TableEncoder, Arrays]:
    levels = [f"level {idx}" for idx in range(n_levels)]
    table = Table(
        pl.DataFrame(
            {"many": levels, "two": ["no", "yes"] * (n_levels // 2) + ["no"] * (n_levels % 2)}
        )
    )
    schema = Schema(tuple(ColumnSpec(name, Kind.CATEGORICAL, "") for name in ("many", "two")))
    recipe = Recipe().with_options({"encode.min_count": 1}).encode
    encoder = TableEncoder.fit(table, schema, recipe, Ledger())
    return encoder, encoder.transform(table)


@pytest.mark.parametrize("n_levels", WIDEST)
def test_codes_take_the_smallest_type_that_holds_them(n_levels):
    encoder, arrays = encoded(n_levels)
    assert arrays.codes.dtype == WIDEST[n_levels]
    position = [encoder.categorical[0].levels.index(f"level {idx}") for idx in (0, n_levels - 1)]
    assert arrays.codes[[0, -1], 0].tolist() == [2 + idx for idx in position]
    assert arrays.codes[:, 0].max() == n_levels + 1


@pytest.mark.parametrize("n_levels", [254, 255])
def test_network_and_core_graph_agree_on_small_codes(n_levels):
    encoder, arrays = encoded(n_levels)
    recipe = Recipe.from_dict({"model": {"hidden": [4], "init": "default"}}).model
    network = Network(encoder, recipe, n_members=2, n_classes=3, seed=0)
    network.fit(arrays, np.ones((2, n_levels), dtype=bool))
    rows = EncodedRows(network, arrays, torch.device("cpu"), cache_bytes=0)
    expected = np.exp(average_members(member_log_probabilities(network, rows)))
    found = CoreGraph(build_core_graph(network, Calibration())).run(arrays)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert len(np.unique(found.round(5), axis=0)) > n_levels // 2  # levels are told apart


def test_the_core_graph_is_given_int32():
    arrays = Arrays(np.zeros((2, 1), "f4"), np.zeros((2, 1), np.uint8), np.zeros((2, 0), "f4"))
    assert {name: array.dtype.name for name, array in arrays.named().items()} == {
        "numeric": "float32",
        "codes": "int32",
    }
