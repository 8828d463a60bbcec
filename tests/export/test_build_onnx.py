"""What would go wrong silently: a stage done again for nothing, or not done again for another checkpoint."""

from dataclasses import replace
from pathlib import Path

import pytest

from carabin import Annotator, Document
from export.build_onnx import build_onnx
from export.push_files import list_files
from export.push_model import check_int8_gate, check_onnx_parity
from export.tagger import TaggerExport
from tests.export.checkpoint_fixture import TEXTS, export_python
from zoo.runs import RunError, read_json
from zoo.torch_engine import load_annotator

pytest_plugins = ["tests.export.checkpoint_fixture"]


@pytest.fixture
def documents(exported: Path) -> list[Document]:
    """Documents whose gold is what the fp32 checkpoint finds: it scores 1, and INT8 is measured against it."""
    bare = [Document(str(number), text) for number, text in enumerate(TEXTS)]
    return list(load_annotator(exported, "torch").annotate(bare))


def test_stage_from_checkpoint_to_int8(checkpoint: Path, documents: list[Document], tmp_path: Path) -> None:
    out = tmp_path / "run" / "export"
    assert build_onnx(checkpoint, out, "bert-tiny-random", TaggerExport(documents), export_python())
    parity = read_json(out / "parity.json")
    assert parity["int8"]["f1_fp32"] == 1.0
    assert parity["int8"]["published"] == (out / "onnx" / "model_quantized.onnx").is_file()
    files = list_files(out)
    check_onnx_parity(parity, out, files)
    check_int8_gate(parity, out, files)
    assert Annotator.load(out).model_id == "bert-tiny-random"

    assert not build_onnx(checkpoint, out, "bert-tiny-random", TaggerExport(documents), export_python())
    assert build_onnx(checkpoint, out, "another-name", TaggerExport(documents), export_python())


def test_what_a_killed_call_left_is_not_published(checkpoint: Path, documents: list[Document], tmp_path: Path) -> None:
    """A kill leaves the working folder, and the next call for the same inputs is given it back."""
    out = tmp_path / "export"
    with pytest.raises(RunError, match="export to ONNX failed in /bin/false"):
        build_onnx(checkpoint, out, "x", TaggerExport(documents), Path("/bin/false"))
    assert not out.exists()
    (tmp_path / "export.partial" / "core.1234").write_text("debris")
    assert build_onnx(checkpoint, out, "x", TaggerExport(documents), export_python())
    assert "core.1234" not in list_files(out)


def test_what_is_missing_is_named(checkpoint: Path, tmp_path: Path) -> None:
    documents = [replace(Document("1", TEXTS[0]), entities=())]
    with pytest.raises(RunError, match="the dev split is empty"):
        build_onnx(checkpoint, tmp_path / "export", "x", TaggerExport([]), Path("/bin/false"))
    with pytest.raises(RunError, match=r"nowhere/python: no such file; the export environment is missing"):
        build_onnx(checkpoint, tmp_path / "export", "x", TaggerExport(documents), tmp_path / "nowhere" / "python")
