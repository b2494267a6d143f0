"""A network that the memory cannot hold is refused before anything of it is made."""

import pytest

from assay.encode import TableEncoder
from assay.encode.features import CategoricalFeature
from assay.errors import UserError
from assay.nn import network
from assay.nn.network import Network, check_size
from assay.options import ModelRecipe

MODEL = ModelRecipe(hidden=(16, 8))
LEVELS = tuple(f"level {idx}" for idx in range(50))


def encoder(encoding: str, width: int = 8, levels: tuple[str, ...] = LEVELS) -> TableEncoder:
    feature = CategoricalFeature("town", levels, encoding, width, 1, "none", "", True)
    return TableEncoder(numeric=(), categorical=(feature, feature), text=())


def refused_at(one: TableEncoder, monkeypatch, memory_bytes: float) -> str:
    monkeypatch.setattr(network, "physical_bytes", lambda: memory_bytes)
    with pytest.raises(UserError) as told:
        check_size(one, MODEL, n_members=3, n_classes=2)
    return str(told.value)


def test_wide_vectors_of_levels_are_refused_before_they_are_made(monkeypatch):
    message = refused_at(encoder("embedding", 1_000_000), monkeypatch, 8e9)
    # 2 tables of 53 rows and 2 columns that 16 units read, 1,000,000 numbers each
    assert message.startswith("encode.embedding_width = 1000000: 3 networks of 138,000,144 weights")
    assert message.endswith("Choose fewer numbers per level.")


@pytest.mark.parametrize("encoding", ["embedding", "one_hot", "one_hot_drop_first", "label"])
@pytest.mark.parametrize("width", [2, 8, 100])
def test_weights_are_counted_as_they_are_made(monkeypatch, encoding, width):
    one = encoder(encoding, width)
    made = Network(one, MODEL, n_members=1, n_classes=2, seed=0)
    matrices = [layer.weight for layer in made.body.linears()] + [made.embedding]
    n_weights = sum(part.numel() for part in matrices)
    assert f" {n_weights:,} weights" in refused_at(one, monkeypatch, 60 * n_weights - 1)
    monkeypatch.setattr(network, "physical_bytes", lambda: 60 * n_weights)
    check_size(one, MODEL, n_members=3, n_classes=2)


def test_wide_layers_are_told_as_such(monkeypatch):
    message = refused_at(encoder("one_hot"), monkeypatch, 1e3)
    assert message.startswith("model.hidden = [16, 8]: ")
