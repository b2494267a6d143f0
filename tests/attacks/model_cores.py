"""Core graphs that a stranger could put into a model file, each of a few bytes."""

from collections.abc import Callable, Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Graph = onnx.GraphProto


def core_attacks(sound: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of core graphs that must be refused.

    Args:
        sound: The core graph of a sound file, with all three inputs and trees.
    """
    for name, change in {**_MODELS, **_CONSTANTS, **_TREES}.items():
        model = onnx.load_from_string(sound)
        change(model)
        yield name, model.SerializeToString()
    for name, (nodes, constants) in _bombs().items():
        model = onnx.load_from_string(sound)
        _end_by(model.graph, nodes, constants)
        yield name, model.SerializeToString()
    yield "an empty core graph", b""
    yield "a core graph cut off", sound[: len(sound) // 2]
    yield "a core graph with an endless number", b"\x08" + b"\xff" * 30
    yield "a core graph of groups", b"\x0b" * 1_000
    yield "a core graph with a field of 2 GiB", b"\x3a\xff\xff\xff\xff\x07"
    yield "a core graph twice", sound + sound


def _add_opset(model: onnx.ModelProto, domain: str, version: int) -> None:
    model.opset_import.append(helper.make_opsetid(domain, version))


def _external(model: onnx.ModelProto) -> None:
    constant = model.graph.initializer[0]
    constant.ClearField("raw_data")
    constant.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "../../../etc/passwd", "offset": "0", "length": "16"}.items():
        entry = constant.external_data.add()
        entry.key, entry.value = key, value


def _function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Identity", ["a"], ["b"])
    opsets = [helper.make_opsetid("", 20)]
    model.functions.append(helper.make_function("evil", "F", ["a"], ["b"], [node], opsets))
    _add_opset(model, "evil", 1)


def _loop(model: onnx.ModelProto) -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("d", TensorProto.BOOL, [])],
    )
    model.graph.node.insert(0, helper.make_node("Loop", ["", ""], ["never"], body=body))


def _branch(model: onnx.ModelProto) -> None:
    ends = [helper.make_tensor_value_info("d", TensorProto.FLOAT, [])]
    body = helper.make_graph(
        [helper.make_node("Constant", [], ["d"], value_float=1.0)], "b", [], ends
    )
    model.graph.node.insert(
        0, helper.make_node("If", ["truth"], ["never"], then_branch=body, else_branch=body)
    )


def _first(model: onnx.ModelProto, operator: str, **attributes: object) -> None:
    model.graph.node.insert(0, helper.make_node(operator, [], ["never"], **attributes))


def _rename(model: onnx.ModelProto, operator: str, domain: str = "") -> None:
    node = next(one for one in model.graph.node if one.op_type == "Sqrt")
    node.op_type, node.domain = operator, domain


def _note(model: onnx.ModelProto, key: str, value: str) -> None:
    entry = model.metadata_props.add()
    entry.key, entry.value = key, value


def _resize_input(model: onnx.ModelProto, width: int) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = width


def _resize_output(model: onnx.ModelProto, width: int) -> None:
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = width


def _sparse(model: onnx.ModelProto) -> None:
    values = numpy_helper.from_array(np.ones(1, np.float32), "sparse")
    places = numpy_helper.from_array(np.zeros(1, np.int64), "places")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [2**40]))


_MODELS: dict[str, Callable[[onnx.ModelProto], object]] = {
    "weights in another file": _external,
    "a function": _function,
    "an endless loop": _loop,
    "a branch": _branch,
    "a foreign operator": lambda model: (
        _rename(model, "Shell", "evil"),
        _add_opset(model, "evil", 1),
    ),
    "an operator of Microsoft's": lambda model: _rename(model, "Gelu", "com.microsoft"),
    "a random operator": lambda model: _first(model, "RandomNormal", shape=[2**20, 2**20]),
    "a constant of a node": lambda model: _first(model, "Constant", value_string="x"),
    "an unknown operator": lambda model: _rename(model, "Erf"),
    "an operator without inputs": lambda model: model.graph.node[0].ClearField("input"),
    "an unknown attribute": lambda model: model.graph.node[0].attribute.append(
        helper.make_attribute("path", "/etc/passwd")
    ),
    "another opset": lambda model: setattr(model.opset_import[0], "version", 7),
    "an opset twice": lambda model: _add_opset(model, "", 20),
    "another representation": lambda model: setattr(model, "ir_version", 3),
    "settings of the runtime": lambda model: _note(model, "ort_config", '{"session_options":{}}'),
    "a note of 0": lambda model: _note(model, "assay.row_numbers", "0"),
    "a negative note": lambda model: _note(model, "assay.text_numbers", "-1"),
    "training in the graph": lambda model: model.training_info.add(),
    "a sparse constant": _sparse,
    "another width": lambda model: _resize_input(model, 10**9),
    "an input less": lambda model: model.graph.input.pop(),
    "an input more": lambda model: model.graph.input.append(
        helper.make_tensor_value_info("more", TensorProto.FLOAT, ["N", 3])
    ),
    "another class": lambda model: _resize_output(model, 3),
    "two outputs": lambda model: model.graph.output.append(
        helper.make_tensor_value_info("more", TensorProto.FLOAT, ["N", 2])
    ),
    "a name twice": lambda model: model.graph.node.append(model.graph.node[-1]),
    "a name that is not there": lambda model: model.graph.node[0].input.__setitem__(0, "absent"),
    "a name of 1 MB": lambda model: setattr(model.graph.node[0], "name", "x" * 1_000_000),
    "30,000 nodes": lambda model: model.graph.node.extend(
        helper.make_node("Identity", ["numeric"], [f"more_{idx}"]) for idx in range(30_000)
    ),
}


def _constant(model: onnx.ModelProto, array: np.ndarray) -> None:
    """Put an array in the place of the first constant of several float32 numbers."""
    for place, tensor in enumerate(model.graph.initializer):
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1:
            model.graph.initializer[place].CopyFrom(numpy_helper.from_array(array, tensor.name))
            return


def _first_floats(model: onnx.ModelProto) -> np.ndarray:
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1:
            return numpy_helper.to_array(tensor)
    raise AssertionError


def _dims(model: onnx.ModelProto, *dims: int) -> None:
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend(dims)


_CONSTANTS: dict[str, Callable[[onnx.ModelProto], object]] = {
    "NaN weights": lambda model: _constant(model, np.full_like(_first_floats(model), np.nan)),
    "weights of another shape": lambda model: _constant(model, np.ones((3, 5, 7), np.float32)),
    "weights of another type": lambda model: _constant(
        model, _first_floats(model).astype(np.int64)
    ),
    "texts as weights": lambda model: _constant(model, np.array([["a", "b"]], dtype=object)),
    "complex weights": lambda model: _constant(model, _first_floats(model).astype(np.complex64)),
    "giant dimensions": lambda model: _dims(model, 2**40, 2**40),
    "negative dimensions": lambda model: _dims(model, -1, -1),
    "giant dimensions times 0": lambda model: _dims(model, 2**62, 0, 2**62),
    "twenty dimensions": lambda model: _dims(model, *[1] * 20),
}


def _tree(model: onnx.ModelProto, name: str, place: int, value: int) -> None:
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "TreeEnsemble" and attribute.name == name:
                attribute.ints[place] = value


def _tree_number(model: onnx.ModelProto, name: str, value: int) -> None:
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "TreeEnsemble" and attribute.name == name:
                attribute.i = value


_TREES: dict[str, Callable[[onnx.ModelProto], object]] = {
    "a tree that is a circle": lambda model: (
        _tree(model, "nodes_truenodeids", 0, 0), _tree(model, "nodes_trueleafs", 0, 0)
    ),
    "a branch beyond the tree": lambda model: _tree(model, "nodes_truenodeids", 0, 2**40),
    "a branch before the tree": lambda model: _tree(model, "nodes_falsenodeids", 0, -7),
    "a root beyond the tree": lambda model: _tree(model, "tree_roots", 0, 10**6),
    "a column beyond the table": lambda model: _tree(model, "nodes_featureids", 0, 10**6),
    "a column before the table": lambda model: _tree(model, "nodes_featureids", 0, -1),
    "a target beyond the sums": lambda model: _tree(model, "leaf_targetids", 0, 10**6),
    "a leaf that is neither": lambda model: _tree(model, "nodes_trueleafs", 0, 7),
    "a missing number nowhere": lambda model: _tree(
        model, "nodes_missing_value_tracks_true", 0, 9
    ),
    "a billion targets": lambda model: _tree_number(model, "n_targets", 10**9),
    "no targets": lambda model: _tree_number(model, "n_targets", 0),
    "trees that are averaged": lambda model: _tree_number(model, "aggregate_function", 0),
}  # fmt: skip


def _bombs() -> dict[str, tuple[list[onnx.NodeProto], dict[str, np.ndarray]]]:
    """Small graphs that ask for much; each ends in `huge`, beside the real output."""
    node, line = helper.make_node, np.ones(2_000, dtype=np.float32)
    axes = {
        f"axis_{idx}": line.reshape([-1 if place == idx else 1 for place in range(4)])
        for idx in range(4)
    }
    sums = [node("Add", ["axis_0", "axis_1"], ["b1"]), node("Add", ["b1", "axis_2"], ["b2"])]
    places = np.zeros((1_000, 1_000), dtype=np.int64)
    concats = [node("Concat", ["numeric"], ["c0"], axis=1)]
    concats += [node("Concat", [f"c{idx}"] * 2, [f"c{idx + 1}"], axis=1) for idx in range(40)]
    size = {"size": np.array([2**31, 2**10], dtype=np.int64)}
    ends = np.array([0]), np.array([2**40]), np.array([1])
    names = ("from", "to", "along")
    limits = {name: end.astype(np.int64) for name, end in zip(names, ends, strict=True)}
    square = {"square": np.ones((1_000, 1_000), dtype=np.float32)}
    products = [node("MatMul", ["square", "square"], ["m0"])]
    products += [node("MatMul", [f"m{idx}", "square"], [f"m{idx + 1}"]) for idx in range(2_000)]
    return {
        "an outer sum": ([*sums, node("Add", ["b2", "axis_3"], ["huge"])], axes),
        "a table looked up too often": (
            [node("Gather", ["table", "places"], ["huge"], axis=0)],
            {"table": np.ones((4, 5_000), dtype=np.float32), "places": places},
        ),
        "a concatenation doubled": (concats, {}),
        "an array expanded": ([node("Expand", ["line", "size"], ["huge"])], {"line": line} | size),
        "an array of a shape": ([node("ConstantOfShape", ["size"], ["huge"])], size),
        "a tile": ([node("Tile", ["line", "size"], ["huge"])], {"line": line} | size),
        "a range": (
            [node("Range", ["from", "to", "along"], ["huge"])],
            {name: limit.reshape(()) for name, limit in limits.items()},
        ),
        "a slice beyond": ([node("Slice", ["numeric", *names], ["huge"])], limits),
        "a reshape that does not fit": ([node("Reshape", ["numeric", "size"], ["huge"])], size),
        "work without an end": (products, square),
        "rows that are mixed": (
            [node("Softmax", ["numeric"], ["huge"], axis=0)],
            {},
        ),
        "rows that are summed": (
            [node("ReduceSum", ["numeric", "from"], ["huge"], keepdims=0)],
            limits,
        ),
        "rows by rows": (
            [node("Transpose", ["numeric"], ["t"], perm=[1, 0]),
             node("MatMul", ["numeric", "t"], ["huge"])],
            {},
        ),
    }  # fmt: skip


def _end_by(graph: Graph, nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray]) -> None:
    """Put nodes before all others."""
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])
    graph.initializer.extend(numpy_helper.from_array(one, name) for name, one in constants.items())
