"""What claims to work offline is started in a process with an empty cache and no socket at all."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import socket

def refuse(*args, **kwargs):
    raise SystemExit("the network was asked for")

socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
import evaluate

spans = [[{{"start": 0, "end": 4, "label": "DISO"}}]]
for name in ("ner_exact_f1", "ner_overlap_f1"):
    metric = evaluate.load(f"{metrics}/{{name}}")
    assert metric.compute(predictions=spans, references=spans)["f1"] == 1.0
"""


def test_metrics_load_with_no_network_and_an_empty_cache(tmp_path):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {"HF_HOME": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    script = SCRIPT.format(metrics=ROOT / "evaluation" / "metrics")
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_the_worker_that_measures_memory_imports_nothing_of_the_lab():
    script = "import sys, evaluation.frugality_worker; print(*sorted(sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "datasets", "codecarbon", "zoo"} & set(result.stdout.split())
