import json
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carabin import Annotator, ModelError
from carabin.student_folder import find_student, student_name
from carabin.trust.student_store import StudentId, ref_path, repository_folder, student_store
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


def test_an_onnx_file_that_reaches_outside_itself_is_refused(broken):
    model = make_onnx(np.zeros((600, 5), dtype=np.float32))
    model.graph.initializer[0].external_data.add(key="location", value="../../../etc/passwd")
    (broken / "onnx" / "model.onnx").write_bytes(model.SerializeToString())
    assert "external data is refused" in refusal(broken)


def test_a_tokenizer_that_could_hang_is_refused_with_a_manifest_or_without(broken):
    tokenizer = json.loads((broken / "tokenizer.json").read_text())
    tokenizer["normalizer"] = {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}
    write_json(broken / "tokenizer.json", tokenizer)
    assert "not known to end" in refusal(broken)


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


@pytest.fixture
def store(monkeypatch, tmp_path):
    monkeypatch.setenv("CARABIN_STUDENTS", str(tmp_path / "store"))
    return tmp_path / "store"


ONE, TWO = "1" * 40, "1" * 6 + "2" * 34


def test_a_pulled_student_is_found_by_commit_start_of_it_and_tag(store, student):
    folder = store / "hospital--essai"
    for commit in (ONE, TWO):
        shutil.copytree(student, folder / commit)
    (folder / "refs").mkdir()
    (folder / "refs" / "v1.0").write_text(f"{TWO}\n")
    (folder / "refs" / "refs%2Fpr%2F1").write_text(f"{ONE}\n")
    assert find_student(f"hospital/essai@{ONE}") == folder / ONE
    assert find_student("hospital/essai@1111112") == folder / TWO
    assert find_student("hospital/essai@v1.0") == folder / TWO
    assert find_student("hospital/essai@refs/pr/1") == folder / ONE
    with pytest.raises(ModelError, match="several revisions are pulled"):
        find_student("hospital/essai")
    with pytest.raises(ModelError, match="not among the pulled students"):
        find_student("hospital/essai@111111")  # six digits name no commit
    with pytest.raises(ModelError, match=r"run `carabin pull hospital/essai@v2` where there is a network"):
        find_student("hospital/essai@v2")
    shutil.rmtree(folder / TWO)
    assert find_student("hospital/essai") == folder / ONE
    with pytest.raises(ModelError, match=r"carabin pull hospital/essai@v1\.0"):
        find_student("hospital/essai@v1.0")
    with pytest.raises(ModelError, match="carabin pull hospital/other"):
        Annotator.load("hospital/other")


def test_a_folder_goes_before_a_pulled_student_of_the_same_name(store, student, tmp_path, monkeypatch):
    shutil.copytree(student, store / "hospital--essai" / ONE)
    shutil.copytree(student, tmp_path / "hospital" / "essai")
    monkeypatch.chdir(tmp_path)
    assert str(find_student("hospital/essai")) == str(Path("hospital/essai"))


@pytest.mark.parametrize(
    "text",
    [
        "../x", "a/../b", "a/b@../../c", "a/b@", "a/b@-x", "a/b@x..y", "a/b@/etc", "a/b@x.lock", "a/b@x\n", "a/b@x y",
        "/a/b", "a/b/c", "a//b", "a\\b", "a/b--c", "a/.b", "a/b@c@d", "é/b", "a/b@%2e%2e", "C:/b", "essai", "a/b.git",
    ],
)  # fmt: skip
def test_what_is_no_name_of_a_student_never_becomes_a_path(text, store):
    assert StudentId.parse(text) is None
    with pytest.raises(ModelError):
        find_student(text)


@given(text=st.text(max_size=30) | st.text("ab/@.-%\\: ", max_size=12))
def test_no_name_of_a_student_leads_out_of_the_store(text):
    student = StudentId.parse(text)
    if student is None:
        return
    assert str(student) == text
    for path in (repository_folder(student), ref_path(student, student.revision or "main")):
        assert Path(os.path.normpath(path)).is_relative_to(student_store())
        assert path.name not in ("", ".", "..")


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_DATA_HOME", "data/carabin/students"),
        ("win32", "LOCALAPPDATA", "data/carabin/students"),
    ],
)
def test_the_store_is_in_the_users_data_folder(monkeypatch, tmp_path, platform, variable, expected):
    monkeypatch.delenv("CARABIN_STUDENTS", raising=False)
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setenv(variable, str(tmp_path / "data"))
    assert student_store() == tmp_path / expected
