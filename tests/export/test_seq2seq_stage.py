"""What would go wrong silently: a stage that does not hand on what the next one reads, a card whose code fails.

Each block is taken from the rendered card, its path replaced by the published folder, and run offline in an environment
of whoever would copy it: the lab's transformers 5, the export environment's transformers 4 and optimum.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from carabin.documents import Document
from carabin.generation.writer import Writer
from carabin.verify import verify
from export.build_card import build_card
from export.build_onnx import build_onnx
from export.onnx_files import MERGED, SEQ2SEQ
from export.push_checks import read_publishable
from export.seq2seq import Seq2SeqExport
from tests.export.checkpoint_fixture import export_python
from tests.export.t5_checkpoint_fixture import PAIRS, dev_documents
from tests.export.writer_run_fixture import write_writer_run
from zoo.registry import REPOSITORY, Registry, Student
from zoo.runs import RunError, read_json

pytest_plugins = ["tests.export.t5_checkpoint_fixture", "tests.export.writer_run_fixture"]

REPORT, CONCLUSION = PAIRS[0]


@pytest.fixture(scope="module")
def run(t5_checkpoint: Path, writer: Student, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose export and repository are real, its scores given."""
    run = tmp_path_factory.mktemp("run")
    family = Seq2SeqExport.over(dev_documents())
    assert build_onnx(t5_checkpoint, run / "export", writer.id, family, export_python())
    record = (run / "export" / "run.json").read_bytes()
    assert not build_onnx(t5_checkpoint, run / "export", writer.id, family, export_python())
    assert (run / "export" / "run.json").read_bytes() == record
    build_card(write_writer_run(run, writer), writer, Registry())
    return run


def test_from_checkpoint_to_repository(run: Path) -> None:
    parity = read_json(run / "export" / "parity.json")
    assert parity["torch_vs_onnx"]["passed"]
    assert parity["int8"]["rougeL_fp32"] == 1.0, "it knows the conclusions by heart"
    assert parity["int8"]["published"] and set(parity["merged_vs_unmerged"]) == {"onnx", "int8"}
    found = {path.name for path in (run / "repository" / "onnx").iterdir()}
    assert found == {f"{name}{suffix}.onnx" for name in (*SEQ2SEQ, MERGED) for suffix in ("", "_quantized")}
    assert read_publishable(run / "repository").student == "t5-tiny"
    assert verify(run / "repository").files == 19
    assert Writer.load(run / "repository").name == "t5-tiny"


def test_reports_without_a_conclusion_choose_nothing(t5_checkpoint: Path, tmp_path: Path) -> None:
    family = Seq2SeqExport.over([Document("1", "Pas de conclusion.", attributes={"conclusion": None})])
    with pytest.raises(RunError, match="the dev split is empty"):
        build_onnx(t5_checkpoint, tmp_path / "export", "x", family, export_python())


def card(run: Path) -> str:
    text = (run / "repository" / "README.md").read_text(encoding="utf-8")
    return text.replace("path/to/t5-tiny", str(run / "repository"))


def blocks(run: Path) -> dict[str, str]:
    """Return the card's Python, by the library it shows."""
    return {
        re.search(r"from (carabin|transformers|optimum)", code)[1]: code
        for code in re.findall(r"```python\n(.*?)```", card(run), re.DOTALL)
    }


def run_block(python: Path, code: str) -> str:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(REPOSITORY)}
    result = subprocess.run([str(python), "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout.strip()


def test_carabin_as_the_card_says(run: Path) -> None:
    assert set(blocks(run)) == {"carabin", "transformers", "optimum"}
    assert run_block(Path(sys.executable), blocks(run)["carabin"]).startswith(CONCLUSION)


def test_the_commands_of_the_card(run: Path, tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text(REPORT, encoding="utf-8")
    lines = re.search(r"```sh\n(.*?)```", card(run), re.DOTALL)[1].splitlines()
    outputs = []
    for line in lines:
        command = [sys.executable, "-m", *shlex.split(line)]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
        assert result.returncode == 0, result.stderr[-2000:]
        outputs.append(result.stdout)
    assert [line.split()[1] for line in lines] == ["summarise", "exercise"]
    assert CONCLUSION in outputs[0].replace("\n", " ")


@pytest.mark.slow
@pytest.mark.parametrize("environment", ["lab", "export"])
def test_transformers_as_the_card_says(run: Path, environment: str) -> None:
    python = Path(sys.executable) if environment == "lab" else export_python()
    assert run_block(python, blocks(run)["transformers"]) == CONCLUSION


@pytest.mark.slow
def test_optimum_as_the_card_says(run: Path) -> None:
    """The INT8 files under their standard names: those that carabin runs too."""
    assert "_quantized" in blocks(run)["optimum"]
    assert run_block(export_python(), blocks(run)["optimum"]) == CONCLUSION
