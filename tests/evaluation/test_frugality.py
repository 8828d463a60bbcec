"""Costs: a memory figure that includes the lab's torch, or an estimate sold as a measure, would be believed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from carabin.annotator import ModelError
from evaluation.frugality import measure, measure_model
from evaluation.ner_report import ScoreError
from evaluation.score_ner import describe_model

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return ["Patiente de 67 ans, hypertension artérielle traitée, embolie pulmonaire. " * 8] * 5


def test_each_figure_is_measured_in_a_process_of_its_own(onnx_repository, texts):
    ballast = bytearray(600_000_000)
    ballast[::4096] = b"x" * len(ballast[::4096])
    latency = measure(onnx_repository, "onnx", "latency", texts, 1, 0.1)
    assert latency["peak_rss_bytes"] < 400_000_000, "the measuring process's own memory was counted"
    assert 0 < latency["p50_ms"] <= latency["p95_ms"]
    assert latency["notes"] >= 20 and latency["threads"] == 1


def test_throughput_counts_every_document_and_token(onnx_repository, texts):
    result = measure(onnx_repository, "onnx", "throughput", texts, None, 0.1)
    assert result["documents"] % len(texts) == 0
    assert result["documents_per_second"] == pytest.approx(result["documents"] / result["seconds"], rel=0.05)
    assert result["tokens_per_second"] > 50 * result["documents_per_second"]


def test_energy_says_whether_it_was_measured_or_estimated(onnx_repository, texts):
    energy = measure(onnx_repository, "onnx", "energy", texts, None, 1.0)
    assert energy["wh_per_1000_documents"] > 0
    assert energy["country"] == "FRA"
    assert energy["source"].startswith("codecarbon, ")
    assert energy["estimate"] == ("rapl" not in energy["source"])


def test_a_failed_measurement_is_an_error_not_a_zero(tmp_path, texts):
    with pytest.raises(ScoreError, match="measuring latency failed.*config.json"):
        measure(tmp_path, "onnx", "latency", texts, 1, 0.1)


def test_a_checkpoint_is_refused(checkpoint, tmp_path, texts):
    with pytest.raises(ScoreError, match="export it"):
        measure_model(checkpoint, "auto", texts, 0.1)
    with pytest.raises(ModelError, match="train or export it first"):
        measure_model(tmp_path, "auto", texts, 0.1)
    with pytest.raises(ScoreError, match="no texts"):
        measure_model(checkpoint, "auto", [" "], 0.1)


def test_weights_are_counted_in_an_onnx_file_too(onnx_repository):
    described = describe_model(onnx_repository, "auto")
    assert (described["which"], described["parameters"]) == ("onnx", 400 * 21)


def test_the_script_writes_frugality_json(onnx_repository, tmp_path):
    out = tmp_path / "frugality.json"
    command = [sys.executable, "-m", "evaluation.frugality", "--model", str(onnx_repository), "--out", str(out)]
    corpus = ("--corpus", "synthetic-reports/test[:4]", "--seconds", "0.2")
    result = subprocess.run([*command, *corpus], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    record = json.loads(out.read_text(encoding="utf-8"))
    assert record["schema"] == 1
    assert record["texts"]["corpus"] == "synthetic-reports/test[:4]"
    assert set(record["throughput"]) == {"1", "all"}
    assert record["model"]["path"] == onnx_repository.name
