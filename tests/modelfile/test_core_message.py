"""The core graph as a message: what assay writes is read back, all else refused."""

import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from assay.core import IR_VERSION, OPSET
from assay.modelfile import core_message
from assay.modelfile.core_message import read_core
from assay.modelfile.layout import MalformedError
from assay.modelfile.protobuf import Field
from assay.nn.graph import GraphBuilder


def graph() -> onnx.ModelProto:
    """Return a model of one constant and two nodes."""
    build = GraphBuilder(n_row_numbers=7, n_text_numbers=9)
    x = build.input("numeric", 3)
    weight = build.constant(np.arange(6, dtype=np.float32).reshape(3, 2))
    product = build.add("MatMul", x, weight)
    turned = build.add("LeakyRelu", product, alpha=0.25)
    return onnx.load_from_string(build.finish(build.add("Softmax", turned, axis=1), 2))


@pytest.mark.attack
@pytest.mark.parametrize(
    ("field", "reason"),
    [(8, "opset_import more than 4"), (14, "metadata_props more than 4")],
)
def test_fields_without_end_are_refused_before_they_are_held(field, reason):
    endless = bytes([field << 3 | 2, 0]) * 2_000_000
    start_s = time.process_time()
    with pytest.raises(MalformedError, match=reason):
        read_core(endless)
    assert time.process_time() - start_s < 0.5


@pytest.mark.attack
def test_the_inputs_of_all_nodes_are_bounded_together(monkeypatch):
    read_core(graph().SerializeToString())
    monkeypatch.setattr(core_message, "_ALL_INPUTS", 3)
    refused(graph(), "nodes of too many inputs")


def test_every_repeated_field_is_bounded():
    for name, fields in vars(core_message).items():
        if isinstance(fields, dict) and all(isinstance(one, Field) for one in fields.values()):
            assert all(1 <= one.most <= 2 * core_message.MAX_NODES for one in fields.values()), name


def with_attribute(model: onnx.ModelProto, attribute: onnx.AttributeProto) -> None:
    del model.graph.node[0].attribute[:]
    model.graph.node[0].attribute.append(attribute)


def refused(model: onnx.ModelProto, reason: str) -> None:
    with pytest.raises(MalformedError, match=reason):
        read_core(model.SerializeToString())


def test_what_the_builder_writes_is_read():
    core = read_core(graph().SerializeToString())
    assert [node.operator for node in core.nodes] == ["MatMul", "LeakyRelu", "Softmax", "Identity"]
    assert core.nodes[0].inputs == ("numeric", "constant_0")
    assert core.nodes[0].output == "MatMul_0"
    assert core.nodes[1].attributes == {"alpha": 0.25}
    assert core.nodes[2].attributes == {"axis": 1}
    np.testing.assert_array_equal(core.constants["constant_0"].values, [[0, 1], [2, 3], [4, 5]])
    assert core.constants["constant_0"].shape == (3, 2)
    assert {name: (value.element, value.width) for name, value in core.inputs.items()} == {
        "numeric": (TensorProto.FLOAT, 3)
    }
    assert core.outputs["probabilities"].width == 2


@pytest.mark.parametrize(
    "array",
    [
        np.array([1.5, -2.0], dtype=np.float16),
        np.array([1.5, -2.0], dtype=np.float64),
        np.array([[1], [-2]], dtype=np.int32),
        np.array([2**62, -1], dtype=np.int64),
        np.array([0, 255], dtype=np.uint8),
        np.array([True, False]),
        np.zeros((0, 3), dtype=np.float32),
        np.array(7.0, dtype=np.float32),
    ],
)
def test_constants_of_every_type_are_read(array):
    model = graph()
    model.graph.initializer.append(numpy_helper.from_array(array, "more"))
    found = read_core(model.SerializeToString()).constants["more"]
    assert found.shape == array.shape
    assert found.values.dtype == array.dtype
    np.testing.assert_array_equal(found.values, array)


def test_integers_of_attributes_are_read():
    model = graph()
    for numbers in ([0], [1, 0, 2], list(range(300)), [2**31, 5]):
        with_attribute(model, helper.make_attribute("perm", numbers))
        read = read_core(model.SerializeToString()).nodes[0].attributes["perm"]
        assert read.tolist() == numbers


def test_negative_numbers_of_attributes_are_read():
    model = graph()
    model.graph.node[2].attribute[0].i = -1
    assert read_core(model.SerializeToString()).nodes[2].attributes == {"axis": -1}


@pytest.mark.attack
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda model: model.ClearField("graph"), "lacks the field graph"),
        (lambda model: setattr(model, "ir_version", IR_VERSION + 1), "another version"),
        (lambda model: setattr(model.opset_import[0], "version", OPSET - 1), "another version"),
        (lambda model: model.opset_import.pop(), "another version"),
        (
            lambda model: model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 4)),
            "another version",
        ),
        (
            lambda model: model.opset_import.append(helper.make_opsetid("", OPSET)),
            "another version",
        ),
        (lambda model: setattr(model.metadata_props[0], "value", "0"), "a note"),
        (lambda model: setattr(model.metadata_props[0], "value", "1" * 16), "a note"),
        (lambda model: setattr(model.metadata_props[0], "value", "٣"), "a note"),
        (lambda model: setattr(model.metadata_props[0], "value", ""), "a note"),
        (lambda model: setattr(model.metadata_props[1], "key", "other"), "a note"),
        (lambda model: setattr(model.graph.node[0], "domain", "ai.onnx.ml"), "of the domain"),
        (lambda model: setattr(model.graph.node[0], "op_type", "TreeEnsemble"), "of the domain"),
        (lambda model: model.graph.node[0].ClearField("op_type"), "lacks the field op_type"),
        (lambda model: model.graph.node[0].ClearField("output"), "lacks the field output"),
        (lambda model: model.graph.node[0].output.append("b"), "the field output twice"),
        (
            lambda model: model.graph.node[0].input.extend(["a"] * 4095),
            "holds input more than 4096 times",
        ),
        (lambda model: setattr(model.graph.node[0], "op_type", "x" * 201), "too long"),
        (
            lambda model: model.graph.node[2].attribute.append(model.graph.node[2].attribute[0]),
            "a name twice",
        ),
        (lambda model: model.graph.node[2].attribute[0].ClearField("i"), "without a value"),
        (lambda model: model.graph.node[2].attribute[0].ClearField("type"), "of another type"),
        (lambda model: setattr(model.graph.node[2].attribute[0], "f", 1.0), "without a value"),
        (lambda model: setattr(model.graph.node[2].attribute[0], "type", 1), "of another type"),
        (lambda model: model.graph.node[2].attribute[0].ClearField("name"), "the field name"),
        (
            lambda model: model.graph.node[2].attribute[0].ints.append(1),
            "field 8, which assay never writes",
        ),
        (lambda model: model.graph.initializer.append(model.graph.initializer[0]), "a name twice"),
        (lambda model: model.graph.input.append(model.graph.input[0]), "a name twice"),
        (lambda model: model.graph.input[0].ClearField("name"), "lacks the field name"),
        (lambda model: model.graph.input[0].ClearField("type"), "lacks the field type"),
        (
            lambda model: model.graph.input[0].type.tensor_type.shape.dim.add(dim_value=3),
            "that is no table",
        ),
        (
            lambda model: setattr(
                model.graph.input[0].type.tensor_type.shape.dim[0], "dim_value", 4
            ),
            "that is no table",
        ),
        (
            lambda model: setattr(
                model.graph.input[0].type.tensor_type.shape.dim[1], "dim_param", "F"
            ),
            "that is no table",
        ),
        (lambda model: setattr(model.graph.initializer[0], "data_type", 8), "of another type"),
        (lambda model: model.graph.initializer[0].ClearField("data_type"), "of another type"),
        (lambda model: model.graph.initializer[0].dims.extend([1] * 7), "dims more than 8 times"),
        (lambda model: model.graph.initializer[0].dims.append(2), "of another size"),
        (lambda model: model.graph.initializer[0].ClearField("raw_data"), "of another size"),
        (
            lambda model: model.graph.initializer.add(dims=[0, 2**40], data_type=1, name="more"),
            "of another size",
        ),
        (
            lambda model: model.graph.initializer.add(
                dims=[2], data_type=9, name="more", raw_data=b"\x00\x02"
            ),
            "neither 0 nor 1",
        ),
    ],
)
def test_what_assay_never_writes_is_refused(change, reason):
    model = graph()
    change(model)
    refused(model, reason)


@pytest.mark.attack
def test_a_name_that_is_no_text_is_refused():
    serialised = graph().SerializeToString().replace(b"constant_0", b"constant\xff0")
    with pytest.raises(MalformedError, match="a name that is no text"):
        read_core(serialised)


@pytest.mark.attack
@pytest.mark.parametrize("number", [-5, 2**60])
def test_integers_of_attributes_that_are_too_large_are_refused(number):
    model = graph()
    with_attribute(model, helper.make_attribute("perm", [number]))
    refused(model, "a number that is too large")


@pytest.mark.attack
@pytest.mark.parametrize("kind", [2, 6])
def test_a_run_of_integers_of_another_type_is_refused(kind):
    model = graph()
    attribute = helper.make_attribute("perm", [1, 2])
    attribute.type = kind
    with_attribute(model, attribute)
    refused(model, "of several values")


@pytest.mark.attack
@pytest.mark.parametrize(
    ("field", "why"), [("type", "of several values"), ("name", "without a name")]
)
def test_a_run_of_integers_without_a_type_or_name_is_refused(field, why):
    model = graph()
    attribute = helper.make_attribute("perm", [1, 2])
    attribute.ClearField(field)
    with_attribute(model, attribute)
    refused(model, why)


@pytest.mark.attack
def test_eight_dimensions_pass_and_nine_do_not():
    model = graph()
    model.graph.initializer.append(
        numpy_helper.from_array(np.ones([1] * 8, dtype=np.float32), "more")
    )
    assert read_core(model.SerializeToString()).constants["more"].shape == (1,) * 8
    model.graph.initializer[-1].dims.append(1)
    refused(model, "dims more than 8 times")


def test_names_may_be_as_long_as_the_limit():
    model = graph()
    model.graph.node[0].name = "x" * 200
    model.graph.node[0].attribute.append(helper.make_attribute("x" * 127, [1]))
    assert read_core(model.SerializeToString()).nodes[0].attributes.keys() == {"x" * 127}
    model.graph.node[0].name = "x" * 201
    refused(model, "a name that is too long")


@pytest.mark.attack
def test_a_run_of_integers_behind_a_long_name_is_refused():
    model = graph()
    with_attribute(model, helper.make_attribute("x" * 128, [1]))
    refused(model, "without a name|is cut off|several values")
