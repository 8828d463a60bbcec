"""What enters the wheel: what runs a student and says what it is, verified, small, and never half of it."""

from pathlib import Path

import pytest

from carabin.student_folder import ModelError
from carabin.verify import verify
from export.ship import ship
from export.sign import write_new_key
from tests.export.repository_fixture import build_repository
from zoo.runs import RECORD, RunError, write_json

INT8 = "onnx/model_quantized.onnx"


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    build_repository(folder / "repository")
    write_json(folder / "repository" / RECORD, {})
    write_json(folder / "plan.json", {"student": {"id": "bert-test"}})
    return folder


def test_a_shipped_student_is_its_repository_without_float32_weights(run, tmp_path):
    found = ship(run, tmp_path / "students")
    assert found.folder == tmp_path / "students" / "bert-test" and found.signature == "absent"
    whole = {
        path.relative_to(run / "repository").as_posix() for path in (run / "repository").rglob("*") if path.is_file()
    }
    shipped = {path.relative_to(found.folder).as_posix() for path in found.folder.rglob("*") if path.is_file()}
    assert whole - shipped == {"model.safetensors", "onnx/model.onnx", RECORD}
    assert {"README.md", "LICENSE", "lineage.json", "metrics.json", "manifest.json", INT8} <= shipped
    verify(found.folder)
    (found.folder / "README.md").write_text("changed")
    with pytest.raises(ModelError, match="README.md"):
        verify(found.folder)


def test_shipping_again_takes_the_place_of_the_old_one(run, tmp_path):
    ship(run, tmp_path / "students")
    (tmp_path / "students" / "bert-test" / "stray.json").write_text("{}")
    assert not (ship(run, tmp_path / "students").folder / "stray.json").exists()
    assert [path.name for path in (tmp_path / "students").iterdir()] == ["bert-test"]


def test_a_signed_one_is_signed_for_the_files_that_are_shipped(run, tmp_path, monkeypatch):
    private, public = write_new_key(tmp_path / "publisher", "secret")
    monkeypatch.setenv("CARABIN_SIGNING_PASSWORD", "secret")
    found = ship(run, tmp_path / "students", key=private)
    assert verify(found.folder, public_key=public).signature == "valid"


def test_too_heavy_or_without_int8_is_refused_and_leaves_the_old_one(run, tmp_path):
    old = ship(run, tmp_path / "students").folder
    with pytest.raises(RunError, match="over the"):
        ship(run, tmp_path / "students", largest=1000)
    (run / "repository" / INT8).unlink()
    with pytest.raises(RunError, match="quality gate"):
        ship(run, tmp_path / "students")
    verify(old)
    assert [path.name for path in (tmp_path / "students").iterdir()] == ["bert-test"]
    with pytest.raises(RunError, match="finish the run"):
        ship(Path(tmp_path / "nowhere"), tmp_path / "students")
