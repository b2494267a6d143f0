"""The core graph of several parts: networks, boosted trees, logistic regression, blended.

Comes in: trained parts with their weights. Goes out: one ONNX model, arrays in,
calibrated probabilities out, as `nn.core_graph` makes it of networks alone.
"""

from collections.abc import Sequence

from assay.candidates.blend import LEAST_LOG
from assay.candidates.rivals import Rival
from assay.errors import InternalError
from assay.nn.core_graph import Calibration, add_network, finish_core_graph
from assay.nn.graph import GraphBuilder
from assay.nn.network import Network

Part = Network | Rival


def build_core_graph(parts: Sequence[tuple[Part, float]], calibration: Calibration) -> bytes:
    """Return the ONNX model of a blend, serialised.

    Its probabilities are softmax(sum_i w_i log p_i), as `blend.blend` has them, then
    calibrated. Networks alone give the very bytes of `nn.core_graph.build_core_graph`.

    Args:
        parts: Trained, each with its weight; those of weight 0 are left out.
        calibration: Applied to the blend.
    """
    used = [(part, weight) for part, weight in parts if weight > 0.0]
    if not used:
        raise InternalError("a core graph needs a part with a weight above 0")
    build = GraphBuilder()
    is_exact = any(isinstance(part, Rival) for part, _ in used)
    names = [_add_part(build, part, is_exact=is_exact) for part, _ in used]
    n_classes = _n_classes(used[0][0])
    if len(used) == 1 and used[0][1] == 1.0:
        return finish_core_graph(build, names[0], calibration, n_classes=n_classes)
    total = ""
    for name, (_, weight) in zip(names, used, strict=True):
        log_proba = build.add("LogSoftmax", name, axis=1)
        bounded = build.add("Max", log_proba, build.number(LEAST_LOG))
        share = build.add("Mul", bounded, build.number(weight))
        total = build.add("Add", total, share) if total else share
    return finish_core_graph(build, total, calibration, n_classes=n_classes)


def _add_part(build: GraphBuilder, part: Part, *, is_exact: bool) -> str:
    if isinstance(part, Rival):
        return part.add_to(build)
    return add_network(build, part, is_exact=is_exact)


def _n_classes(part: Part) -> int:
    return part.log_proba.shape[2] if isinstance(part, Rival) else part.n_classes
