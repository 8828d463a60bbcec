import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evaluation import bench_hospital
from evaluation.bench_hospital import FLAT, compare, contender, measure_memory, mixed_reports, python_of, ratio
from evaluation.bench_import import import_seconds
from zoo.runs import RunError


def rounds(seconds, tokens=0):
    return [{"seconds": s, "cpu_seconds": 2 * s, "tokens": tokens} for s in seconds]


TAKEN = {
    "int8": rounds([1.0, 2.0, 1.0], 1000), "bare": rounds([0.95, 1.9, 0.5], 1000), "torch": rounds([5.0, 9.0, 4.5]),
    "optimum": rounds([1.5, 3.0, 9.0]), "optimum-int8": rounds([1.0, 1.0, 1.0]), "openvino": rounds([0.5, 1.0, 0.5]),
}  # fmt: skip


def test_each_ratio_is_the_median_of_the_rounds_and_knows_its_target():
    # Turned upside down, a slow Carabin would pass as a fast one.
    found = {row.what: (round(row.value, 3), row.passed) for row in compare(TAKEN, amx=False)}
    assert found == {
        "tokens/s over bare session.run, packed": (0.95, True),
        "times as fast as transformers.pipeline, torch fp32": (4.5, True),
        "times as fast as optimum's ORT pipeline": (1.5, False),
        "times as fast as optimum's ORT pipeline on the INT8 file": (1.0, None),
        "OpenVINO times as fast as INT8": (2.0, None),
    }


def test_openvino_is_judged_where_there_is_amx():
    last = compare(TAKEN, amx=True)[-1]
    assert (last.target, last.passed) == (">= 1.5", True)


@pytest.mark.parametrize(("value", "passed"), [(1.19, True), (1.21, False)])
def test_an_overhead_has_a_limit_above(value, passed):
    assert ratio("overhead", [value], [1.0], 1.2, most=True).passed is passed


def test_reports_are_of_mixed_length():
    texts = mixed_reports(25, 1)
    assert len(set(texts)) == 25
    assert all(len(text) <= 300 for text in texts[::5])
    assert min(map(len, texts[4::5])) > 3 * min(map(len, texts[1::5]))


def test_memory_that_grows_with_the_documents_fails(monkeypatch, tmp_path):
    peaks = iter([200e6, 200e6 * (FLAT + 0.01)])

    class Done:
        returncode = 0

        @property
        def stdout(self):
            return f"{int(next(peaks))}\n"

    monkeypatch.setattr(bench_hospital, "python_of", lambda environment: "python")
    monkeypatch.setattr(bench_hospital.subprocess, "run", lambda *a, **k: Done())
    peak, growth = measure_memory(tmp_path, ["texte"], [10, 100], 2)
    assert (peak.passed, growth.passed) == (True, False)


def test_an_import_is_timed_in_a_process_of_its_own_and_a_failing_one_is_named():
    python = Path(sys.executable)
    assert len(import_seconds(python, "import time", times=2)) == 2
    assert min(import_seconds(python, "time.sleep(0.05)", times=1)) >= 0.05
    with pytest.raises(RunError, match="'import no_such_module' fails .*ModuleNotFoundError"):
        import_seconds(python, "import no_such_module")


@pytest.mark.parametrize(("seconds", "passed"), [(0.29, True), (0.31, False)])
def test_a_slow_import_fails(monkeypatch, seconds, passed):
    monkeypatch.setattr(bench_hospital, "python_of", lambda environment: Path("python"))
    monkeypatch.setattr(bench_hospital, "import_seconds", lambda python: [0.01, seconds, 9.0])
    monkeypatch.setattr(bench_hospital, "describe", lambda python: "")
    assert bench_hospital.measure_import().passed is passed


def test_a_missing_environment_or_student_says_how_to_make_it(monkeypatch, tmp_path):
    monkeypatch.setenv("CARABIN_HOSPITAL_PYTHON", str(tmp_path / "python"))
    with pytest.raises(RunError, match="make environments"):
        python_of("hospital")
    result = CliRunner().invoke(bench_hospital_app(), ["--model", str(tmp_path)])
    assert result.exit_code == 2
    assert "make train-bert-small" in result.output


def bench_hospital_app():
    import typer

    app = typer.Typer()
    app.command()(bench_hospital.main)
    return app


def test_a_contender_that_dies_is_an_error_not_a_figure(monkeypatch, tmp_path):
    import sys

    monkeypatch.setenv("CARABIN_HOSPITAL_PYTHON", sys.executable)
    with contender("int8", tmp_path, 1) as runner, pytest.raises(RunError, match="'int8' died"):
        runner.ask(texts=["fièvre"])
