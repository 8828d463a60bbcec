"""What no ONNX file may bring along; each file is really built, and onnxruntime's own parser is asked what it sees."""

import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from carabin.trust.onnx_safety import UnsafeModelError, check_onnx
from tests.carabin.tiny_model import make_onnx

SECRET = np.array([[0.5, 1.5], [2.5, 3.5], [4.5, 5.5]], dtype=np.float32)


def tiny():
    return make_onnx(np.zeros((6, 2), dtype=np.float32))


def external(tensor, location="../../../etc/passwd"):
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def some_tensor(name="hidden"):
    return numpy_helper.from_array(np.zeros(3, dtype=np.float32), name)


def with_foreign_operator():
    model = tiny()
    model.graph.node[0].domain = "evil.ops"
    model.opset_import.append(helper.make_opsetid("evil.ops", 1))
    return model


def with_external_weights():
    model = tiny()
    external(model.graph.initializer[0])
    return model


def with_weights_in_memory():
    """Return a model whose weights onnxruntime would read from an address of the process."""
    model = tiny()
    tensor = external(model.graph.initializer[0], "*/_ORT_MEM_ADDR_/*")
    tensor.external_data.add(key="offset", value="4096")
    return model


def with_a_location_only():
    model = tiny()
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    return model


def with_external_constant():
    model = tiny()
    model.graph.node.append(helper.make_node("Constant", [], ["unused"], value=external(some_tensor())))
    return model


def with_external_list():
    model = tiny()
    node = helper.make_node("Constant", [], ["unused"])
    node.attribute.append(helper.make_attribute("values", [external(some_tensor())]))
    model.graph.node.append(node)
    return model


def with_external_sparse_weights():
    model = tiny()
    values = external(numpy_helper.from_array(np.ones(1, dtype=np.float32), "sparse"))
    indices = numpy_helper.from_array(np.zeros(1, dtype=np.int64), "indices")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [3]))
    return model


def with_external_sparse_constant():
    model = tiny()
    values = numpy_helper.from_array(np.ones(1, dtype=np.float32), "sparse")
    indices = external(numpy_helper.from_array(np.zeros(1, dtype=np.int64), "indices"))
    sparse = helper.make_sparse_tensor(values, indices, [3])
    model.graph.node.append(helper.make_node("Constant", [], ["unused"], sparse_value=sparse))
    return model


def in_a_branch(node, depth=1):
    for _ in range(depth):
        inner = helper.make_graph([node], "branch", [], [])
        node = helper.make_node("If", ["c"], ["x"], then_branch=inner, else_branch=helper.make_graph([], "e", [], []))
    model = tiny()
    model.graph.node.append(node)
    return model


def with_external_inside_a_branch():
    return in_a_branch(helper.make_node("Constant", [], ["unused"], value=external(some_tensor())), depth=3)


def with_branches_without_end():
    return in_a_branch(helper.make_node("Identity", ["a"], ["b"]), depth=20)


def with_a_function():
    model = tiny()
    constant = helper.make_node("Constant", [], ["y"], value=external(some_tensor()))
    model.functions.append(
        helper.make_function("evil.ops", "F", ["x"], ["y"], [constant], [helper.make_opsetid("", 17)])
    )
    return model


def with_training_instructions():
    model = tiny()
    model.training_info.add().algorithm.initializer.append(external(some_tensor()))
    return model


def with_operator(name, domain=""):
    model = tiny()
    model.graph.node.append(helper.make_node(name, ["input_ids"], ["x"], domain=domain))
    return model


def with_metadata(key):
    model = tiny()
    model.metadata_props.add(key=key, value='{"session_options": {}}')
    return model


ATTACKS = {
    "foreign operator": (with_foreign_operator, "custom operators are refused"),
    "foreign operator in a branch": (
        lambda: in_a_branch(helper.make_node("X", [], [], domain="evil")),
        "foreign domain",
    ),
    "the domain almost right": (lambda: with_operator("Gelu", "com.microsoft "), "foreign domain"),
    "external weights": (with_external_weights, "external data is refused"),
    "weights in memory": (with_weights_in_memory, "external data is refused"),
    "external location only": (with_a_location_only, "external data is refused"),
    "external constant": (with_external_constant, "external data is refused"),
    "external list": (with_external_list, "external data is refused"),
    "external sparse weights": (with_external_sparse_weights, "external data is refused"),
    "external sparse constant": (with_external_sparse_constant, "external data is refused"),
    "external in a branch": (with_external_inside_a_branch, "external data is refused"),
    "branches without end": (with_branches_without_end, "nested too deep"),
    "functions": (with_a_function, "functions of its own"),
    "training": (with_training_instructions, "training instructions"),
    "compiled model": (lambda: with_operator("EPContext", "com.microsoft"), "reads a compiled model"),
    "python": (lambda: with_operator("PythonOp", "com.microsoft"), "calls Python"),
    "torch": (lambda: with_operator("ATen", "org.pytorch.aten"), "foreign domain"),
    "loop": (lambda: with_operator("Loop"), "may never end"),
    "session options": (lambda: with_metadata("ort_config"), "ort_config"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_what_reaches_outside_the_file_is_refused(name, tmp_path):
    make, cause = ATTACKS[name]
    path = tmp_path / "model.onnx"
    path.write_bytes(make().SerializeToString())
    with pytest.raises(UnsafeModelError, match=cause):
        check_onnx(path)


def test_what_students_hold_passes(tmp_path, student):
    check_onnx(student / "onnx" / "model.onnx")
    path = tmp_path / "model.onnx"
    for model in (
        tiny(),
        with_operator("QAttention", "com.microsoft"),
        with_operator("LabelEncoder", "ai.onnx.ml"),
        with_metadata("author"),
        in_a_branch(helper.make_node("Identity", ["a"], ["b"]), depth=3),
    ):
        path.write_bytes(model.SerializeToString())
        check_onnx(path)


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"\x3a", b"{}", b"\x08\x09", b"\xff" * 30, b"\x3b\x3c", b"\x3a\xff\x01"]
)
def test_what_is_no_onnx_file_is_refused(content, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(UnsafeModelError):
        check_onnx(path)


# -- two parsers, one file: the walk must never see less than onnxruntime does


def varint(value, padding=0):
    parts = []
    while value > 0x7F or padding:
        parts.append(value & 0x7F | 0x80)
        padding -= value <= 0x7F
        value >>= 7
    return bytes([*parts, value])


def field(number, payload, overflow=0, padding=0):
    """Write a length-delimited field; `overflow` sets bits of the key past the 32 that protobuf's C++ parser keeps."""
    key = (number << 3 | 2) | overflow << 32
    return varint(key, padding) + varint(len(payload)) + payload


def secret_model(initializer_key=None, graph_key=None):
    """Return the bytes of a model that reads its weights from secret.bin, keys of two fields written in odd ways."""
    table = external(numpy_helper.from_array(SECRET, "table"), "secret.bin")
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "ids"], ["logits"])],
        "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, [3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [3, 2])],
    )
    head = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    head.ClearField("graph")
    body = graph.SerializeToString() + field(5, table.SerializeToString(), **(initializer_key or {}))
    return head.SerializeToString() + field(7, body, **(graph_key or {}))


@pytest.fixture(scope="module")
def den(tmp_path_factory):
    folder = tmp_path_factory.mktemp("den")
    (folder / "secret.bin").write_bytes(SECRET.tobytes())
    return folder


def reads_secret(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        (logits,) = session.run(None, {session.get_inputs()[0].name: np.arange(3)})
    except Exception:  # onnxruntime's errors share no public base class
        return False
    return logits.shape == SECRET.shape and bool(np.isin(SECRET, logits).any())


@pytest.mark.parametrize("style", [{}, {"padding": 2}, {"overflow": 1}, {"overflow": 5}])
@pytest.mark.parametrize("which", ["initializer_key", "graph_key"])
def test_keys_that_onnxruntime_reads_in_its_own_way_hide_nothing(style, which, den):
    """A key of more than 32 bits named another field to us, and the weights of another file to onnxruntime."""
    path = den / "keys.onnx"
    path.write_bytes(secret_model(**{which: style}))
    assert reads_secret(path), "this file proves nothing: onnxruntime does not follow it"
    with pytest.raises(UnsafeModelError):
        check_onnx(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=3),
    inserted=st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=4)), max_size=1),
)
def test_no_damage_makes_onnxruntime_follow_what_was_let_through(changes, inserted, den):
    content = bytearray(secret_model())
    for position, value in changes:
        content[position % len(content)] = value
    for position, extra in inserted:
        content[position % len(content) : position % len(content)] = extra
    path = Path(den) / f"damaged-{os.getpid()}.onnx"
    path.write_bytes(content)
    try:
        check_onnx(path)
    except UnsafeModelError:
        return
    assert not reads_secret(path)


def test_every_cut_is_refused_or_harmless(den):
    whole = secret_model()
    for length in range(len(whole)):
        path = den / "cut.onnx"
        path.write_bytes(whole[:length])
        try:
            check_onnx(path)
        except UnsafeModelError:
            continue
        assert not reads_secret(path)


def test_the_tests_parser_is_onnxs():
    """The hand-written encoding above is protobuf: without odd keys, onnx itself reads it."""
    model = onnx.ModelProto.FromString(secret_model())
    assert model.graph.initializer[0].external_data[0].value == "secret.bin"
