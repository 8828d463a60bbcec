import sys

import pytest
import typer
from typer.testing import CliRunner

from evaluation import bench_writing
from evaluation.bench_hospital import FLAT, contender
from evaluation.bench_writing import WORKER, carabin_kinds, compare, measure_memory
from tests.carabin.tiny_seq2seq import write_writing_student
from zoo.runs import RunError


def rounds(seconds, written):
    return [{"seconds": s, "cpu_seconds": s, "tokens": 100, "written": written} for s in seconds]


def verdicts(taken):
    return {
        row.what.partition(":")[0] + " " + row.what.split()[-1]: (round(row.value, 3), row.passed)
        for row in compare(taken)
    }


def test_the_engine_a_hospital_runs_must_be_faster_and_fp32_must_write_the_same():
    taken = {"int8": rounds([1, 1, 2], "ab"), "fp32": rounds([2, 2, 2], "aa"), "torch": rounds([3, 2, 9], "aa")}
    assert verdicts(taken) == {
        "int8 fp32": (3.0, True), "int8 token": (0.5, None),
        "fp32 fp32": (1.5, None), "fp32 token": (1.0, True),
    }  # fmt: skip
    taken["fp32"] = rounds([2, 2, 2], "ab")
    del taken["int8"]
    assert verdicts(taken) == {"fp32 fp32": (1.5, False), "fp32 token": (0.5, False)}


@pytest.fixture
def student(tmp_path, monkeypatch):
    monkeypatch.setenv("CARABIN_HOSPITAL_PYTHON", sys.executable)
    folder = write_writing_student(tmp_path / "student")
    (folder / "model.safetensors").touch()
    return folder


def test_each_text_is_written_to_the_same_length(student):
    """Texts that ended early would make an engine fast that only says little."""
    texts = [f"Patient de {age} ans, dyspnée." for age in range(20, 25)]
    with contender("fp32", student, 1, WORKER) as runner:
        answer = runner.ask(texts=texts, batch=2, tokens=7)
        assert answer["tokens"] == 5 * 7 and answer["peak"] > 1e6 and answer["seconds"] > 0
        # A text's tokens do not depend on what else is in its batch.
        assert runner.ask(texts=texts, batch=5, tokens=7)["written"] == answer["written"]
    with contender("int8", student, 1, WORKER) as runner:
        assert runner.ask(texts=texts, batch=2, tokens=7)["written"] != answer["written"]


def test_memory_that_grows_with_the_texts_fails(monkeypatch, tmp_path):
    peaks = iter([2e8] * 6 + [2e8, 2e8 * (FLAT + 0.01)])

    class Runner:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def ask(self, texts, batch, tokens):
            assert len(texts) % batch == 0
            return {"peak": next(peaks)}

    monkeypatch.setattr(bench_writing, "contender", lambda *a: Runner())
    *cells, growth = measure_memory(tmp_path, "int8", ["texte", "autre"], 2)
    assert len(cells) == 6 and {cell.value for cell in cells} == {200.0}
    assert growth.passed is False


def test_a_student_without_its_files_says_how_to_make_it(student, tmp_path):
    assert carabin_kinds(student) == ["int8", "fp32"]
    (student / "onnx" / "decoder_model_quantized.onnx").unlink()
    assert carabin_kinds(student) == ["fp32"]
    (student / "model.safetensors").unlink()
    with pytest.raises(RunError, match="make train-t5-small"):
        carabin_kinds(student)
    app = typer.Typer()
    app.command()(bench_writing.main)
    result = CliRunner().invoke(app, ["--model", str(tmp_path)])
    assert result.exit_code == 2 and "make train-t5-small" in result.output
