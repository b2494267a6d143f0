"""The core graph: a trained population as one ONNX model, arrays in, probabilities out.

Inputs are the arrays of an encoded table that have columns: `numeric` (N, F)
float32 with NaN, `codes` (N, F) int32, `text` (N, L) int32. The output
`probabilities` (N, C) is the members' calibrated average.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto

from assay.nn.categorical import NO_SLOT, CategoricalInput
from assay.nn.graph import GraphBuilder
from assay.nn.network import Network
from assay.nn.numeric import NumericInput
from assay.nn.quartiles import LARGEST_SCALED
from assay.nn.text import TextInput
from assay.options import Activation

SMALLEST_PROBABILITY = 1e-12  # of the average, before its logarithm is taken

_OPERATORS: dict[Activation, str] = {
    "relu": "Relu",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "gelu": "Gelu",
    "selu": "Selu",
    "leaky_relu": "LeakyRelu",
    "identity": "Identity",
}


@dataclass(frozen=True)
class Calibration:
    """How the average probability p is calibrated.

    softmax(log(p) / temperature), or softmax(factors log(p) + shifts) where there are
    factors, then mixed with the uniform distribution.

    Attributes:
        temperature: Above 1 makes predictions less sure; 1 changes nothing.
        mix: Weight of the uniform distribution, in [0, 1).
        factors: One for each of C classes; empty where the temperature serves.
        shifts: The same.
    """

    temperature: float = 1.0
    mix: float = 0.0
    factors: tuple[float, ...] = ()
    shifts: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; factors and shifts where there are any."""
        told: dict[str, Any] = {"temperature": self.temperature, "mix": self.mix}
        if self.factors:
            told |= {"factors": list(self.factors), "shifts": list(self.shifts)}
        return told


def build_core_graph(network: Network, calibration: Calibration) -> bytes:
    """Return the ONNX model of a trained network, serialised.

    Args:
        network: With fitted input layers, on any device.
        calibration: Applied to the members' average.
    """
    build = GraphBuilder()
    log_proba = add_network(build, network)
    return finish_core_graph(build, log_proba, calibration, n_classes=network.n_classes)


def add_network(build: GraphBuilder, network: Network, *, is_exact: bool = False) -> str:
    """Add a network; return the mean of its members' log probabilities, (N, C).

    Args:
        build: Gets nodes, constants and inputs.
        network: With fitted input layers, on any device.
        is_exact: Whether texts are scored by `add_text_scores` exactly.
    """
    parts: list[str] = []
    if network.numeric.features:
        numeric = build.input("numeric", len(network.numeric.features))
        x = build.add("Unsqueeze", numeric, build.integers([0]))  # (N, F) -> (1, N, F)
        parts += _numeric(build, network.numeric, x)
    if network.categorical.features:
        build.input("codes", len(network.categorical.features))
        parts += _categorical(build, network.categorical)
    if network.text.features:
        scores = add_text_scores(build, network.text, is_exact=is_exact)
        parts += _numeric(build, network.text.scaled, scores)
    if network.categorical.n_embedded:
        parts.append(_embedding(build, network))
    log_proba = _members(build, build.concat(parts, axis=2), network)
    return build.add("ReduceMean", log_proba, build.integers([0]), keepdims=0)


def finish_core_graph(
    build: GraphBuilder, log_proba: str, calibration: Calibration, *, n_classes: int
) -> bytes:
    """Return the core graph of logarithms of probabilities (N, C), serialised.

    Args:
        build: Whose node `log_proba` is; up to a number that is the same for a row's classes.
        log_proba: Name of the output.
        calibration: Applied to their softmax.
        n_classes: C.
    """
    proba = _calibrate(build, build.add("Softmax", log_proba, axis=1), calibration, n_classes)
    return build.finish(proba, n_classes)


def _array(tensor: object) -> np.ndarray:
    array: np.ndarray = tensor.detach().cpu().numpy()  # type: ignore[attr-defined]
    return array


def add_text_scores(build: GraphBuilder, layer: TextInput, *, is_exact: bool = False) -> str:
    """Mirror `TextInput.scores`; return the name of (K, N, S).

    Args:
        build: A layer of the same weights is added only once.
        layer: With texts, fitted.
        is_exact: Sum in float64. Sums of numbers of 16 bits are then exact, and the score
            has the very bits of `TextInput.exact_scores`, which a tree that
            compares it with a threshold relies on.
    """
    key = ("text", is_exact, hashlib.sha256(_array(layer.weights).tobytes()).digest())
    if key in build.known:
        return build.known[key]
    element = TensorProto.DOUBLE if is_exact else TensorProto.FLOAT
    least = np.array(1.0, dtype=np.float64 if is_exact else np.float32)
    n_members, _, n_scores = layer.weights.shape
    build.input("text", sum(feature.n_ngrams for feature in layer.features))
    build.n_text_numbers += n_members * layer.n_scores * (2 if is_exact else 1)
    parts = []
    for columns, rows in layer.columns():
        edges = (build.integers([edge]) for edge in (columns.start, columns.stop, 1))
        ngrams = build.add("Slice", "text", *edges)  # (N, L)
        table = _array(layer.weights[:, rows].transpose(0, 1)).reshape(-1, n_members * n_scores)
        weights = build.add("Gather", build.constant(table), ngrams, axis=0)  # (N, L, K * S)
        numbers = build.add("Cast", weights, to=element)
        total = build.add("ReduceSum", numbers, build.integers([1]), keepdims=0)
        present = build.add("Cast", build.add("Sign", ngrams), to=element)
        count = build.add("ReduceSum", present, build.integers([1]), keepdims=1)
        root = build.add("Sqrt", build.add("Max", count, build.constant(least)))
        shape = build.integers([-1, n_members, n_scores])
        parts.append(build.add("Reshape", build.add("Div", total, root), shape))
    scores = build.add("Concat", *parts, axis=2)  # (N, K, S of all columns)
    if is_exact:
        scores = build.add("Cast", scores, to=TensorProto.FLOAT)
    build.known[key] = build.add("Transpose", scores, perm=[1, 0, 2])
    return build.known[key]


def _numeric(build: GraphBuilder, layer: NumericInput, x: str) -> list[str]:
    """Mirror `NumericInput.forward` for `x`, (1 or K, N, F); returns (K, N, ·) parts."""
    per_member = {
        name: build.constant(_array(getattr(layer, name))[:, None])
        for name in ("fill", "center", "factor", "left", "inverse_width")
    }
    missing = build.add("IsNaN", x)
    filled = build.add("Where", missing, per_member["fill"], x)
    centered = build.add("Sub", filled, per_member["center"])
    scaled = build.add("Mul", centered, per_member["factor"])
    parts = [_clip(build, scaled, layer)]
    if len(layer.bin_feature):
        binned = build.add("Gather", filled, build.constant(_array(layer.bin_feature)), axis=2)
        shifted = build.add("Sub", binned, per_member["left"])
        shares = build.add("Mul", shifted, per_member["inverse_width"])
        parts.append(build.add("Clip", shares, build.number(0.0), build.number(1.0)))
    if len(layer.flag_feature):
        flags = build.add("Gather", missing, build.constant(_array(layer.flag_feature)), axis=2)
        numbers = build.add("Cast", flags, to=TensorProto.FLOAT)
        ones = build.constant(np.ones((len(layer.fill), 1, 1), dtype=np.float32))
        parts.append(build.add("Mul", numbers, ones))  # (1 or K, N, ·) -> (K, N, ·)
    return parts


def _clip(build: GraphBuilder, scaled: str, layer: NumericInput) -> str:
    limits = build.number(-LARGEST_SCALED), build.number(LARGEST_SCALED)
    bounded = build.add("Clip", scaled, *limits)
    if not layer.clips_any:
        return bounded
    third = build.add("Div", bounded, build.number(3.0))
    square = build.add("Mul", third, third)
    root = build.add("Sqrt", build.add("Add", square, build.number(1.0)))
    clipped = build.add("Div", bounded, root)
    if layer.clips_all:
        return clipped
    return build.add("Where", build.constant(_array(layer.is_clipped)), clipped, bounded)


def _categorical(build: GraphBuilder, layer: CategoricalInput) -> list[str]:
    """Mirror `CategoricalInput.forward` but for embeddings; returns (K, N, ·) parts."""
    position = build.add("Add", "codes", build.constant(_array(layer.code_offset).astype(np.int32)))
    parts = []
    if len(layer.hot_feature):
        column = build.constant(_array(layer.hot_feature))
        table = build.constant(_array(layer.slot_table))
        hot_position = build.add("Gather", position, column, axis=1)  # (N, P)
        slots = build.add("Gather", table, hot_position, axis=1)  # (K, N, P)
        equal = build.add("Equal", slots, build.constant(_array(layer.hot_slot)))
        parts.append(build.add("Cast", equal, to=TensorProto.FLOAT))
    if len(layer.value_feature):
        column = build.constant(_array(layer.value_feature))
        value_position = build.add("Gather", position, column, axis=1)
        table = build.constant(_array(layer.value_table))
        parts.append(build.add("Gather", table, value_position, axis=1))
    return parts


def _embedding(build: GraphBuilder, network: Network) -> str:
    """Look codes up in one table of vectors per member -> (K, N, E * width)."""
    layer, vectors = network.categorical, _array(network.embedding)
    slot_table, offsets = _array(layer.slot_table), _array(layer.code_offset)
    tables, starts, n_rows = [], [], 0
    for embedded_idx, column in enumerate(_array(layer.embedded_feature)):
        n_codes = len(layer.features[column].levels) + 2
        slots = slot_table[:, offsets[column] : offsets[column] + n_codes]  # (K, codes)
        rows = slots + int(layer.row_offset[embedded_idx])
        table = np.take_along_axis(vectors, rows[:, :, None], axis=1)
        tables.append(np.where((slots == NO_SLOT)[:, :, None], np.float32(0.0), table))
        starts.append(n_rows)
        n_rows += n_codes
    column = build.constant(_array(layer.embedded_feature))
    codes = build.add("Gather", "codes", column, axis=1)  # (N, E)
    position = build.add("Add", codes, build.constant(np.array(starts, dtype=np.int32)))
    looked_up = build.add(
        "Gather", build.constant(np.concatenate(tables, axis=1)), position, axis=1
    )  # (K, N, E, width)
    shape = build.integers([network.n_members, -1, layer.n_embedded * vectors.shape[2]])
    return build.add("Reshape", looked_up, shape)


def _members(build: GraphBuilder, x: str, network: Network) -> str:
    """Apply scale and layers; returns each member's log probabilities (K, N, C)."""
    linears = network.body.linears()
    for idx, layer in enumerate(linears):
        weight = _array(layer.weight).astype(np.float64) * layer.gain
        if idx == 0:
            weight *= _array(network.input_scale)[:, :, None]
        product = build.add("MatMul", x, build.constant(weight.astype(np.float32)))
        x = build.add("Add", product, build.constant(_array(layer.bias)[:, None]))
        if idx < len(linears) - 1:
            x = _activate(build, x, network.body.activation)
    if not network.is_sigmoid:
        return build.add("LogSoftmax", x, axis=2)
    negative = build.add("Neg", build.add("Softplus", x))
    positive = build.add("Neg", build.add("Softplus", build.add("Neg", x)))
    return build.add("Concat", negative, positive, axis=2)


def _activate(build: GraphBuilder, x: str, activation: Activation) -> str:
    if activation == "silu":
        return build.add("Mul", x, build.add("Sigmoid", x))
    if activation == "leaky_relu":
        return build.add("LeakyRelu", x, alpha=0.01)
    return build.add(_OPERATORS[activation], x)


def _calibrate(build: GraphBuilder, proba: str, calibration: Calibration, n_classes: int) -> str:
    """Add the calibration of probabilities (N, C); return the name of the result."""
    if calibration.factors:
        factors, shifts = (
            build.constant(np.array(values, dtype=np.float32))
            for values in (calibration.factors, calibration.shifts)
        )
        scaled = build.add("Mul", _add_log(build, proba), factors)
        proba = build.add("Softmax", build.add("Add", scaled, shifts), axis=1)
    elif calibration.temperature != 1.0:
        factor = build.number(1.0 / calibration.temperature)
        cooled = build.add("Mul", _add_log(build, proba), factor)
        proba = build.add("Softmax", cooled, axis=1)
    if calibration.mix > 0.0:
        proba = build.add("Mul", proba, build.number(1.0 - calibration.mix))
        proba = build.add("Add", proba, build.number(calibration.mix / n_classes))
    return proba


def _add_log(build: GraphBuilder, proba: str) -> str:
    return build.add("Log", build.add("Max", proba, build.number(SMALLEST_PROBABILITY)))
