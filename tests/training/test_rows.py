"""Rows as inputs: a member's training rows keep the scores that left them out."""

import numpy as np
import polars as pl
import pytest
import torch

from assay.encode import Arrays, TableEncoder
from assay.ledger import Ledger
from assay.nn.network import Network
from assay.recipe import Recipe
from assay.schema import ColumnSpec, Kind, Schema
from assay.table import Table
from assay.training import rows as rows_module
from assay.training.rows import EncodedRows

N_ROWS = 40
CPU = torch.device("cpu")


def fitted(rng) -> tuple[Network, Arrays, torch.Tensor, np.ndarray]:
    frame = pl.DataFrame(
        {
            "x": rng.normal(size=N_ROWS),
            "note": [f"word{i}" for i in rng.integers(0, 9, N_ROWS)],
            "level": [f"level{i % 12}" for i in range(N_ROWS)],
        }
    )
    kinds = (Kind.NUMERIC, Kind.TEXT, Kind.CATEGORICAL)
    columns = zip(frame.columns, kinds, strict=True)
    schema = Schema(tuple(ColumnSpec(name, kind, "") for name, kind in columns))
    recipe = Recipe()
    encoder = TableEncoder.fit(Table(frame), schema, recipe.encode, Ledger())
    arrays = encoder.transform(Table(frame))
    network = Network(encoder, recipe.model, n_members=3, n_classes=3, seed=0)
    train = np.arange(N_ROWS) % 3 != np.arange(3)[:, None]
    scores = network.fit(arrays, train, rng.integers(0, 3, N_ROWS))
    return network, arrays, scores, train


@pytest.mark.parametrize("batch_size", [7, 40])
def test_inputs_are_the_same_kept_in_memory_or_not(batch_size, rng):
    network, arrays, scores, _ = fitted(rng)
    kept = EncodedRows(network, arrays, CPU, scores=scores)
    encoded = EncodedRows(network, arrays, CPU, scores=scores, cache_bytes=0)
    order = torch.stack([torch.randperm(N_ROWS) for _ in range(3)])
    pairs = zip(kept.batches(order, batch_size), encoded.batches(order, batch_size), strict=True)
    for first, second in pairs:
        assert torch.equal(first.features, second.features)
        assert torch.equal(first.rows, second.rows)
    (_, whole), *_ = kept.all_in_spans()
    in_order = torch.arange(N_ROWS).expand(3, -1)
    assert torch.equal(whole.features, encoded.take(in_order).features[:, : whole.rows.shape[1]])


def test_only_training_rows_differ_from_what_a_new_row_gets(rng):
    network, arrays, scores, train = fitted(rng)
    in_order = torch.arange(N_ROWS).expand(3, -1)
    learning = EncodedRows(network, arrays, CPU, scores=scores).take(in_order).features
    new = EncodedRows(network, arrays, CPU).take(in_order).features
    differs = (learning != new).any(dim=2).numpy()
    assert not differs[~train].any()
    assert differs[train].mean() > 0.9


def test_no_rows_have_inputs_of_the_same_width(rng):
    network, arrays, _, _ = fitted(rng)
    empty = EncodedRows(network, arrays.take(slice(0, 0)), CPU)
    assert empty.take(torch.zeros(3, 0, dtype=torch.long)).features.shape[:2] == (3, 0)


def test_spans_hold_so_many_rows_at_the_least(rng):
    network, arrays, *_ = fitted(rng)
    rows, row_idx = EncodedRows(network, arrays, CPU), torch.arange(N_ROWS).expand(3, -1)
    few, more = (
        [span.stop - span.start for span, _ in rows.in_spans(row_idx, n_numbers=1, least_rows=n)]
        for n in (1, 7)
    )
    assert set(few) == {1}
    assert set(more[:-1]) == {7}
    assert sum(few) == sum(more) == row_idx.shape[1]


@pytest.mark.parametrize(("free", "is_kept"), [(1 << 20, True), (8_000, False)])
def test_a_gpu_keeps_encoded_what_an_eighth_of_its_free_memory_holds(
    monkeypatch, rng, free, is_kept
):
    monkeypatch.setattr(rows_module, "gpu_memory", lambda device: (free, 1 << 30))
    network, arrays, *_ = fitted(rng)
    rows = EncodedRows(network, arrays, CPU, cache_bytes=1)
    assert (rows._cache is not None) == is_kept
    assert EncodedRows(network, arrays, CPU, cache_bytes=0)._cache is None


def test_a_gpu_takes_many_rows_at_once(monkeypatch, rng):
    def memory(device: torch.device) -> tuple[int, int] | None:
        return (1 << 30, 1 << 30) if device.type == "cuda" else None

    monkeypatch.setattr(rows_module, "gpu_memory", memory)
    network, arrays, *_ = fitted(rng)
    rows, row_idx = EncodedRows(network, arrays, CPU), torch.arange(N_ROWS).expand(3, -1)
    assert len(list(rows.in_spans(row_idx, n_numbers=1))) == N_ROWS
    rows.device = torch.device("cuda")
    assert len(list(rows.in_spans(row_idx, n_numbers=1))) == 1
