import json
import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from carabin import Annotator, ModelError
from carabin.onnx_safety import UnsafeModelError, check_onnx
from carabin.student_folder import find_student, student_name
from tests.carabin.tiny_model import TAGS, make_onnx, make_tokenizer, token_logits


@pytest.fixture
def broken(student, tmp_path):
    return shutil.copytree(student, tmp_path / "broken")


def refusal(folder, **options):
    with pytest.raises(ModelError) as caught:
        Annotator.load(folder, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def write_json(path, record):
    path.write_text(json.dumps(record))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "onnx/model.onnx"])
def test_a_missing_file_is_named(broken, name):
    (broken / name).unlink()
    assert f"{broken / name}: no such" in refusal(broken)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", [b'{"a": ', b"\xff\xfe", b"", b"[1]", b"[" * 100_000])
def test_a_damaged_json_file_is_named(broken, name, content):
    (broken / name).write_bytes(content)
    assert str(broken / name) in refusal(broken)


@pytest.mark.parametrize(
    ("labels", "cause"),
    [
        (None, "no 'id2label'"),
        ({}, "no 'id2label'"),
        (["O", "B-A"], "no 'id2label'"),
        ({"0": "O", "2": "B-A"}, "does not name every output"),
        ({"0": "O", "1": 5}, "does not name every output"),
        ({"0": "LABEL_0", "1": "LABEL_1"}, "not a Carabin model"),
        ({"0": "O"}, "no label"),
        ({"0": "O", "1": "B-A", "2": "I-A", "3": "B-A", "4": "I-A"}, "the same twice"),
    ],
)
def test_output_names_that_are_not_bio_are_refused(broken, labels, cause):
    write_json(broken / "config.json", {"id2label": labels})
    assert cause in refusal(broken)


@pytest.mark.parametrize("length", [None, 1e30, 0, -5, "512", True, float("inf")])
def test_a_window_that_is_missing_or_absurd_is_refused(broken, length):
    write_json(broken / "tokenizer_config.json", {} if length is None else {"model_max_length": length})
    assert "model_max_length" in refusal(broken)


def test_a_window_longer_than_the_model_reads_is_refused(broken):
    write_json(broken / "tokenizer_config.json", {"model_max_length": 512})
    assert "config.json has 24 positions" in refusal(broken)


def test_a_window_without_room_for_text_is_refused(broken):
    write_json(broken / "tokenizer_config.json", {"model_max_length": 2})
    assert "2 of them special" in refusal(broken)


def test_more_outputs_than_names_are_refused(broken):
    table = np.zeros((600, 7), dtype=np.float32)
    onnx.save(make_onnx(table), broken / "onnx" / "model.onnx")
    assert "scores 7 tags, but config.json names 5" in refusal(broken)


def test_another_kind_of_model_is_refused(broken):
    model = make_onnx(np.zeros((600, 5), dtype=np.float32), inputs=("input_ids", "pixel_values"))
    onnx.save(model, broken / "onnx" / "model.onnx")
    assert "a student's encoder takes" in refusal(broken)


def test_every_cut_of_an_onnx_file_is_refused(broken):
    path = broken / "onnx" / "model.onnx"
    whole = path.read_bytes()
    for length in [0, 1, 2, 10, *range(20, len(whole), len(whole) // 40), len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert str(path) in refusal(broken)


def test_noise_in_place_of_an_onnx_file_is_refused(broken):
    for seed in range(30):
        noise = np.random.default_rng(seed).bytes(500)
        (broken / "onnx" / "model.onnx").write_bytes(noise)
        refusal(broken)


def external(tensor):
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../etc/passwd")
    return tensor


def with_foreign_operator():
    model = make_onnx(np.zeros((600, 5), dtype=np.float32))
    model.graph.node[0].domain = "evil.ops"
    model.opset_import.append(helper.make_opsetid("evil.ops", 1))
    return model


def with_external_weights():
    model = make_onnx(np.zeros((600, 5), dtype=np.float32))
    external(model.graph.initializer[0])
    return model


def with_external_constant():
    model = make_onnx(np.zeros((600, 5), dtype=np.float32))
    value = external(numpy_helper.from_array(np.zeros(3, dtype=np.float32), "hidden"))
    model.graph.node.append(helper.make_node("Constant", [], ["unused"], value=value))
    return model


def with_external_inside_a_branch():
    model = with_external_constant()
    inner = helper.make_graph([model.graph.node.pop()], "branch", [], [])
    node = helper.make_node("If", ["c"], ["x"], then_branch=inner, else_branch=helper.make_graph([], "e", [], []))
    model.graph.node.append(node)
    return model


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (with_foreign_operator, "custom operators are refused"),
        (with_external_weights, "external data is refused"),
        (with_external_constant, "external data is refused"),
        (with_external_inside_a_branch, "external data is refused"),
    ],
)
def test_an_onnx_file_that_reaches_outside_itself_is_refused(broken, make, cause):
    (broken / "onnx" / "model.onnx").write_bytes(make().SerializeToString())
    assert cause in refusal(broken)


def test_a_whole_onnx_file_passes(student, tmp_path):
    check_onnx(student / "onnx" / "model.onnx")
    (tmp_path / "empty.onnx").touch()
    with pytest.raises(UnsafeModelError, match="empty"):
        check_onnx(tmp_path / "empty.onnx")


def test_token_types_are_fed_where_the_model_asks_for_them(broken):
    model = make_onnx(
        token_logits(make_tokenizer(), random=False), inputs=("input_ids", "attention_mask", "token_type_ids")
    )
    onnx.save(model, broken / "onnx" / "model.onnx")
    assert [e.label for e in Annotator.load(broken)("fièvre")] == ["DISO"]


def test_int8_is_taken_where_it_is_published(broken):
    shutil.copy(broken / "onnx" / "model.onnx", broken / "onnx" / "model_quantized.onnx")
    assert Annotator.load(broken).engine.path.name == "model_quantized.onnx"
    assert Annotator.load(broken, quantized=False).engine.path.name == "model.onnx"
    (broken / "onnx" / "model_quantized.onnx").unlink()
    assert "model_quantized.onnx: no such" in refusal(broken, quantized=True)


def test_a_student_is_called_by_its_name_and_the_hash_of_its_weights(student, tmp_path):
    annotator = Annotator.load(student)
    assert annotator.model_id == "tiny"
    assert len(annotator.model_version) == 12
    assert annotator.tags == TAGS
    assert student_name({"_name_or_path": "org/bert-small"}, student) == "org/bert-small"
    for path in ("/home/someone/runs/x", "..\\x", "./x", "~/x", "a/b/c", "", None, 3):
        assert student_name({"_name_or_path": path}, student) == "tiny"


def test_an_unknown_student_is_told_which_there_are(monkeypatch, tmp_path, student):
    monkeypatch.setattr("carabin.student_folder.SHIPPED", tmp_path)
    with pytest.raises(ModelError, match="no student is shipped"):
        find_student(None)
    shutil.copytree(student, tmp_path / "bert-small")
    assert find_student(None) == find_student("bert-small") == tmp_path / "bert-small"
    with pytest.raises(ModelError, match="shipped students: bert-small"):
        find_student("bert-huge")
