"""The core graph of several parts says what they say in NumPy, scikit-learn and PyTorch."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import polars as pl
import pytest
import torch

from assay.candidates import Rival, fit_rivals
from assay.candidates.blend import blend
from assay.candidates.core_graph import build_core_graph
from assay.core import CoreGraph
from assay.encode.arrays import Arrays
from assay.errors import InternalError
from assay.ledger import Ledger
from assay.nn import core_graph
from assay.nn.core_graph import Calibration
from assay.nn.graph import GraphBuilder
from assay.training.predictions import average_members, member_log_probabilities
from assay.training.rows import EncodedRows

PARITY = 1e-5
FEW = 10  # iterations of boosting


def fit(setup, recipe) -> list[Rival]:
    return list(fit_rivals(setup, recipe, Ledger(), max_iterations=FEW)[1:])


def strange(arrays: Arrays) -> Arrays:
    """Add missing cells, unseen levels, empty texts and numbers far out of range."""
    numeric, codes, text = (part.copy() for part in (arrays.numeric, arrays.codes, arrays.text))
    if numeric.shape[1]:
        numeric[0], numeric[1], numeric[2] = np.nan, 1e30, -1e30
    codes[3], codes[4], text[5] = 0, 1, 0
    return Arrays(numeric, codes, text)


def check(rivals: list[Rival], arrays: Arrays) -> None:
    arrays = strange(arrays)
    for rival in rivals:
        found = CoreGraph(build_core_graph([(rival, 1.0)], Calibration())).run(arrays)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, np.exp(rival.average(arrays)), atol=PARITY)
        np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3, 20])
def test_rivals_say_the_same_in_the_graph(make, n_classes):
    setup, recipe = make(n_classes=n_classes)
    check(fit(setup, recipe), setup.samples.arrays)


@pytest.mark.parametrize("options", [{"split.folds": 0, "split.members": 2}, {"split.repeats": 3}])
def test_any_number_of_fits_fits_the_graph(make, options):
    setup, recipe = make(n_classes=3, **options)
    check(fit(setup, recipe), setup.samples.arrays)


def test_a_class_that_some_folds_never_met_has_a_place(make):
    y = np.arange(90) % 2
    y[:2] = 2  # two rows: one fold trains with one, and one of them may train with none
    y[2] = 3
    frame = pl.DataFrame({"x": np.random.default_rng(0).normal(size=90) + y, "y": y})
    setup, recipe = make(frame)
    rivals = fit(setup, recipe)
    assert not all(f.is_met.all() for f in rivals[1].fits.fits)
    check(rivals, setup.samples.arrays)
    for rival in rivals:
        alone = rival.log_proba[0, 2, 3]  # the fold that judges the only row of its class
        assert np.exp(alone) == pytest.approx(1.0 / (60 + 4), rel=0.05)


@pytest.mark.parametrize("kind", ["constant", "missing", "one", "wide", "levels"])
def test_tables_of_any_shape_fit_the_graph(make, kind):
    rng = np.random.default_rng(0)
    columns = {"x": rng.normal(size=60), "z": rng.normal(size=60)}
    if kind == "wide":
        columns = {f"x{idx}": rng.normal(size=60) for idx in range(150)}
    if kind == "one":
        columns = {"x": rng.normal(size=60)}
    if kind == "levels":
        columns = {"many": [f"level {v}" for v in rng.integers(0, 20, 60)]}

    def change(samples):
        numeric = samples.arrays.numeric.copy()
        if kind in ("constant", "missing"):
            numeric[:] = 7.0 if kind == "constant" else np.nan
        return replace(samples, arrays=replace(samples.arrays, numeric=numeric))

    frame = pl.DataFrame({**columns, "y": np.arange(60) % 2})
    setup, recipe = make(frame, change=change)
    check(fit(setup, recipe), setup.samples.arrays)


def test_numbers_at_a_threshold_go_the_way_they_went_in_scikit_learn(make):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 12, 300) / np.float64(10.0)  # thresholds that float32 does not hold
    frame = pl.DataFrame({"x": x, "y": ((x * 10).astype(int) % 3 == 0).astype(int)})
    setup, recipe = make(frame)
    boosting = fit(setup, recipe)[1]
    nodes = np.concatenate([nodes for fits in boosting.fits.fits for (nodes,) in fits.grown.rounds])
    at = np.unique(nodes["num_threshold"][nodes["is_leaf"] == 0]).astype(np.float32)
    near = [np.nextafter(at, np.float32(side)) for side in (np.inf, -np.inf)]
    numeric = np.concatenate([at, *near])[:, None]
    arrays = Arrays(numeric, np.zeros((len(numeric), 0), np.uint8), np.zeros((len(numeric), 0)))
    found = CoreGraph(build_core_graph([(boosting, 1.0)], Calibration())).run(arrays)
    np.testing.assert_allclose(found, np.exp(boosting.average(arrays)), atol=PARITY)


def network_log_proba(network, arrays: Arrays) -> np.ndarray:
    rows = EncodedRows(network, arrays, torch.device("cpu"))
    return average_members(member_log_probabilities(network, rows))


def awake(network):
    """Make members differ, whose last layer starts at zero."""
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for parameter in filter(lambda p: p.requires_grad, network.parameters()):
            parameter += 0.3 * torch.from_numpy(rng.normal(size=parameter.shape)).float()
    return network


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_blend_is_calibrated_in_the_graph(make, n_classes):
    setup, recipe = make(n_classes=n_classes)
    network, arrays = awake(setup.network), strange(setup.samples.arrays)
    rivals, weights = fit(setup, recipe), (0.2, 0.5, 0.3)
    parts = list(zip([*rivals, network], weights, strict=True))
    log_proba = [rival.average(arrays) for rival in rivals] + [network_log_proba(network, arrays)]
    log_mean = blend(np.stack(log_proba), weights)
    powered = np.exp(log_mean / 1.5)
    expected = powered / powered.sum(axis=1, keepdims=True) * 0.9 + 0.1 / n_classes
    found = CoreGraph(build_core_graph(parts, Calibration(1.5, 0.1))).run(arrays)
    np.testing.assert_allclose(found, expected, atol=PARITY)


def test_a_part_without_weight_is_left_out(make):
    setup, recipe = make()
    logistic, boosting = fit(setup, recipe)
    alone = build_core_graph([(boosting, 1.0)], Calibration(1.2))
    parts = [(logistic, 0.0), (boosting, 1.0), (setup.network, 0.0)]
    assert build_core_graph(parts, Calibration(1.2)) == alone
    with pytest.raises(InternalError, match="weight"):
        build_core_graph([(boosting, 0.0)], Calibration())


def test_networks_alone_have_the_graph_that_they_always_had(make):
    setup, _ = make()
    calibration = Calibration(1.3, 0.01)
    expected = core_graph.build_core_graph(setup.network, calibration)
    assert build_core_graph([(setup.network, 1.0)], calibration) == expected


def test_parts_share_what_texts_and_levels_say(make):
    setup, recipe = make()
    rivals = fit(setup, recipe)
    parts = [(part, 1 / 3) for part in (*rivals, setup.network)]
    model = onnx.load_model_from_string(build_core_graph(parts, Calibration()))
    n_rows = setup.network.text.weights.shape[1]
    assert sum(tensor.dims[:1] == [n_rows] for tensor in model.graph.initializer) == 1
    assert [value.name for value in model.graph.input] == ["numeric", "codes", "text"]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_have_the_very_bits_in_the_graph(make, n_classes):
    setup, recipe = make(n_classes=n_classes)
    features, arrays = fit(setup, recipe)[1].fits._features, setup.samples.arrays
    for fit_idx in range(3):
        build = GraphBuilder()
        own = build.add("Gather", features.add_scores(build), build.integers([fit_idx]), axis=0)
        scores = build.add("Squeeze", own, build.integers([0]))  # (1, N, S) -> (N, S)
        session = onnxruntime.InferenceSession(build.finish(scores, features.n_scores))
        (found,) = session.run(None, {name: arrays.named()[name] for name in ("codes", "text")})
        np.testing.assert_array_equal(found, features.of(arrays, fit_idx)[:, features.n_plain :])


def test_chunks_of_rows_make_no_difference(make, monkeypatch):
    setup, recipe = make()
    logistic, arrays = fit(setup, recipe)[0], setup.samples.arrays
    core = CoreGraph(build_core_graph([(logistic, 1.0)], Calibration()))
    whole = core.run(arrays)
    monkeypatch.setattr("assay.core.CHUNK_NUMBERS", 7 * arrays.text.shape[1] * 6)
    np.testing.assert_allclose(core.run(arrays), whole, atol=1e-6)


def test_one_row_and_no_row_are_rows_too(make):
    setup, recipe = make(n_classes=3)
    arrays = setup.samples.arrays
    for rival in fit(setup, recipe):
        core = CoreGraph(build_core_graph([(rival, 1.0)], Calibration()))
        assert core.run(arrays.take(slice(0, 0))).shape == (0, 3)
        assert rival.average(arrays.take(slice(0, 0))).shape == (0, 3)
        np.testing.assert_allclose(
            core.run(arrays.take(slice(0, 1))), core.run(arrays)[:1], atol=1e-6
        )


def test_the_same_fits_give_the_same_bytes(make):
    graphs = []
    for _ in range(2):
        setup, recipe = make()
        parts = [(rival, 0.5) for rival in fit(setup, recipe)]
        graphs.append(build_core_graph(parts, Calibration(1.5)))
    assert graphs[0] == graphs[1]
