import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

from carabin import Annotator, ModelError
from carabin.annotate import JobOptions, annotate_files
from carabin.engines.engine import OnnxEngine
from carabin.engines.engine_choice import ENGINES, choose_engine, full_batch, machine_key, measure_engine, open_engine
from carabin.jobs.journal import JournalError
from carabin.student_folder import load_reader
from tests.carabin.tiny_model import write_student


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A student with both files, and a machine that remembers nothing."""
    monkeypatch.setenv("CARABIN_CACHE", str(tmp_path / "cache"))
    folder = write_student(tmp_path / "student")
    shutil.copy(folder / "onnx" / "model.onnx", folder / "onnx" / "model_quantized.onnx")
    return folder


@pytest.fixture
def speeds(monkeypatch):
    """What the three engines are found to do, and how often one was measured."""
    told = {"int8": 3.0, "fp32": 1.0, "openvino": 9.0}
    measured = []

    def measure(engine, batch, threads):
        name = (
            "openvino" if not isinstance(engine, OnnxEngine) else "int8" if "quantized" in engine.path.name else "fp32"
        )
        measured.append(name)
        return told[name]

    monkeypatch.setattr("carabin.engines.engine_choice.measure_engine", measure)
    told["measured"] = measured
    return told


def choose(folder, threads=2):
    return choose_engine(folder, load_reader(folder), threads)


def test_the_fastest_is_measured_once_and_remembered(published, speeds):
    assert choose(published).engine == "openvino"
    assert speeds["measured"] == list(ENGINES)
    again = choose(published)
    assert (again.engine, again.remembered) == ("openvino", True)
    assert again.tokens_per_second == {"int8": 3.0, "fp32": 1.0, "openvino": 9.0}
    assert len(speeds["measured"]) == 3
    assert Annotator.load(published, threads=2, engine="auto").engine_name == "openvino"


@pytest.mark.parametrize("what", ["weights", "processor", "threads", "versions"])
def test_another_student_machine_or_version_is_measured_anew(published, speeds, monkeypatch, what):
    # A choice kept over an upgrade, or copied with a home folder to another machine, would be the slow engine for ever.
    assert choose(published).engine == "openvino"
    speeds["int8"] = 20.0
    if what == "weights":
        write_student(published.parent / "other", random=True)
        shutil.copy(published.parent / "other" / "onnx" / "model.onnx", published / "onnx" / "model.onnx")
    elif what == "processor":
        monkeypatch.setattr("carabin.engines.engine_choice.cpu_name", lambda: "another")
    elif what == "versions":
        monkeypatch.setattr("carabin.engines.engine_choice.package_version", lambda name: "99")
    assert choose(published, 3 if what == "threads" else 2).engine == "int8"


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"engine": "rm -rf"}', "\x00\xff", "engine of another"])
def test_a_damaged_memory_is_measured_again(published, speeds, content):
    choose(published)
    (memory,) = (published.parent / "cache" / "engines").iterdir()
    if content == "engine of another":
        record = json.loads(memory.read_text())
        content = json.dumps({**record, "key": {**record["key"], "cpu": "another"}})
    memory.write_text(content, encoding="latin-1")
    speeds["fp32"] = 100.0
    assert choose(published).engine == "fp32"
    assert (choose(published).engine, choose(published).remembered) == ("fp32", True)


def test_a_cache_that_cannot_be_written_is_no_obstacle(published, speeds):
    (published.parent / "cache").write_text("a file where the folder should be")
    assert choose(published).engine == "openvino"
    assert not choose(published).remembered


def test_an_engine_that_is_not_installed_is_left_out_and_named_when_asked_for(published, speeds, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr("carabin.engines.engine_choice._openvino", lambda: False)
    assert choose(published).engine == "int8"
    with pytest.raises(ModelError, match=r"pip install 'carabin\[openvino\]'"):
        Annotator.load(published, engine="openvino")


@pytest.mark.parametrize(("engine", "cause"), [("int8", "model_quantized.onnx: no such ONNX file"), ("gpu", "none of")])
def test_an_engine_that_a_student_lacks_is_an_error_not_another_engine(student, engine, cause):
    with pytest.raises(ModelError, match=cause):
        Annotator.load(student, engine=engine)


def test_without_a_name_int8_runs_where_it_was_published(published, student):
    assert Annotator.load(published, threads=1).engine_name == "int8"
    assert Annotator.load(student, threads=1).engine_name == "fp32"


def test_engines_are_timed_over_whole_rounds(student):
    ticks = iter([0.0, 0.25, 0.5, 1.0, 1.0])
    batch = full_batch(load_reader(student), 96)
    assert [array.shape for array in batch] == [(4, 24), (4, 24)]
    assert batch[1].all()
    calls = []
    speed = measure_engine(lambda ids, mask: calls.append(ids.size), batch, 2, 1.0, lambda: next(ticks))
    # One round of two calls that is not counted, then four until the clock says 1.
    assert (len(calls), speed) == (10, 4 * 2 * 96 / 1.0)


def test_the_key_holds_what_the_choice_depends_on(published):
    key = machine_key(published, 2)
    assert set(key["weights"]) == {"model.onnx", "model_quantized.onnx"}
    assert set(key["versions"]) == {"carabin", "onnxruntime", "openvino"}
    assert all(key["versions"].values())


NOTES = "".join(json.dumps({"id": str(n), "text": f"note {n} : fièvre, paracétamol."}) + "\n" for n in range(40))


class Killed(BaseException):
    pass


def test_a_resumed_run_keeps_the_engine_it_began_with(published, speeds, tmp_path, monkeypatch):
    # Two engines in one file: spans with other scores from some document on, and nothing says which.
    notes, out = tmp_path / "notes.jsonl", tmp_path / "out.jsonl"
    notes.write_text(NOTES, encoding="utf-8")
    monkeypatch.setattr("carabin.annotate.PART_DOCUMENTS", 10)
    options = JobOptions(engine="auto", threads=2)

    def stop(done):
        if done == 20:
            raise Killed

    with pytest.raises(Killed):
        annotate_files([notes], out, published, options, on_progress=stop)
    speeds["fp32"] = 100.0
    shutil.rmtree(published.parent / "cache")
    assert choose(published).engine == "fp32"
    with pytest.raises(JournalError, match="another engine"):
        annotate_files([notes], out, published, replace(options, engine="fp32", resume=True))
    # The number of threads changes no answer, so a resumed run may have others.
    report = annotate_files([notes], out, published, replace(options, resume=True, threads=1))
    assert report.documents == 40
    assert json.loads((tmp_path / "out.jsonl.run.json").read_text())["plan"]["engine"] == "openvino"
    whole = tmp_path / "whole.jsonl"
    annotate_files([notes], whole, published, replace(options, engine="openvino"))
    assert out.read_bytes() == whole.read_bytes()


def test_openvino_reads_the_same_file_and_answers_the_same(lively_student):
    names = ("fp32", "openvino")
    engines = [open_engine(lively_student, name, 2) for name in names]
    ids, mask = full_batch(load_reader(lively_student), 96)
    one, other = (engine(ids, mask) for engine in engines)
    assert engines[0].n_outputs == engines[1].n_outputs == 5
    assert other.dtype == np.float32
    assert other == pytest.approx(one, abs=0.05)


OPENVINO = """
import socket, sys
from pathlib import Path
def refuse(*arguments, **options):
    raise RuntimeError("a socket was opened")
socket.socket = socket.create_connection = socket.getaddrinfo = refuse
from carabin import Annotator
found = Annotator.load(sys.argv[1], threads=2, engine="openvino")("Pas de dyspnée.")
print([entity.label for entity in found], [name for name in sys.modules if name.startswith("openvino_telemetry")])
print(sorted(path.name for path in Path.home().rglob("*")))
"""


def test_openvino_tells_nobody_and_writes_nothing(student, tmp_path):
    # `import openvino` alone reports itself, in the background, where its telemetry package can be imported.
    import subprocess

    home = tmp_path / "home"
    home.mkdir()
    result = subprocess.run(
        [sys.executable, "-c", OPENVINO, str(student)],
        capture_output=True, text=True, timeout=120, check=True, cwd=home,
        env={"HOME": str(home), "USERPROFILE": str(home), "PATH": "", "PYTHONPATH": ":".join(filter(None, sys.path))},
    )  # fmt: skip
    assert result.stdout.splitlines() == ["['DISO'] []", "[]"]
