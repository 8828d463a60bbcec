"""A trained student -> ONNX, compared with torch, and INT8 behind its quality gate.

    python -m export.build_onnx --run runs/bert-small/local/seed-1

Reads `plan.json` and `student/` of the run; writes its folder `export/`, once for the same inputs:
    1. config.json, model.safetensors, tokenizer.json, tokenizer_config.json, loadable by transformers 4 and 5
       (`export.publishable`);
    2. onnx/model.onnx, by optimum in the export environment (`export.export_onnx`);
    3. torch against ONNX on texts of the dev split: a difference stops the stage (`export.parity`);
    4. onnx/model_quantized.onnx, if INT8 holds exact F1 on the dev split (`export.gate`);
    5. parity.json, which says all that.

The export environment's python is `--export-python`, else $CARABIN_EXPORT_PYTHON, else `.venv/export/bin/python`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from carabin import Annotator, Document
from carabin.engines.engine import OnnxEngine
from carabin.scoring.ner_scores import score_spans
from export.gate import LIMIT, Score, gate_int8
from export.parity import TOLERANCE, compare_torch_with_onnx, folder_batches
from export.publishable import start_afresh, write_publishable
from export.quantise import Int8Options
from zoo.corpora import read_documents
from zoo.errors import one_line_errors
from zoo.registry import REPOSITORY, Registry
from zoo.registry.recipes import CorpusUse
from zoo.runs import RunError, hash_files, read_json, run_step, write_json

PARITY_TEXTS = 64
DEFAULT_PYTHON = REPOSITORY / ".venv" / "export" / "bin" / "python"


def build_onnx(checkpoint: Path, out: Path, name: str, documents: Sequence[Document], python: Path) -> bool:
    """Do the stage for a checkpoint, unless it is done for the same inputs.

    Args:
        checkpoint: What training wrote.
        out: The folder to write.
        name: The student's id.
        documents: Gold documents to choose on: the dev split.
        python: Python of the export environment.

    Returns:
        True if the work was done now, False if it was found done.

    Raises:
        RunError: the export failed, the exported file is not the checkpoint, or there is no document to choose on.
    """
    if not documents:
        raise RunError(f"export of '{name}': the dev split is empty, INT8 cannot be judged; check the recipe's dev")
    if not python.is_file():
        raise RunError(f"{python}: no such file; the export environment is missing: run 'make environments', "
                       "or name its python with --export-python or CARABIN_EXPORT_PYTHON")  # fmt: skip
    inputs = {
        "checkpoint": hash_files(checkpoint), "name": name, "int8": Int8Options(), "limit": LIMIT,
        "tolerance": TOLERANCE, "documents": [document.to_dict() for document in documents],
    }  # fmt: skip

    def work(folder: Path) -> dict[str, Any]:
        start_afresh(folder)
        write_publishable(checkpoint, folder, name)
        run_export(python, folder)
        parity = compare_torch_with_onnx(folder, [document.text for document in documents[:PARITY_TEXTS]])
        if not parity.passed:
            raise RunError(
                f"{folder / 'onnx' / 'model.onnx'}: is not the checkpoint: logits differ by "
                f"{parity.max_abs_logit_difference:.2g} (tolerance {parity.tolerance}), entities in "
                f"{parity.texts_with_other_entities} of {parity.texts} texts; nothing is published"
            )
        gate = gate_int8(
            folder / "onnx" / "model.onnx", folder / "onnx" / "model_quantized.onnx", make_score(folder, documents),
            folder_batches(folder, [document.text for document in documents[:PARITY_TEXTS]]),
        )  # fmt: skip
        write_json(folder / "parity.json", {"torch_vs_onnx": parity.to_dict(), "int8": gate.to_dict()})
        return {"int8": gate.published}

    return run_step(out, inputs, work)


def run_export(python: Path, folder: Path) -> None:
    """Run `export.export_onnx` in its environment, on a folder of publishable files. Raises RunError: it failed."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1"}
    command = [str(python.absolute()), "-m", "export.export_onnx", "--checkpoint", str(folder), "--out", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, env=environment, check=False)
    if result.returncode:
        last = (result.stderr.strip().splitlines() or [f"exit {result.returncode}"])[-1]
        raise RunError(f"{folder}: export to ONNX failed in {python} ({last}); run it again by hand to see all of it")


def make_score(folder: Path, documents: Sequence[Document]) -> Score:
    """Return the function that gives the exact micro F1, on documents, of an ONNX file under the folder's tokenizer."""
    annotator = Annotator.load(folder, quantized=False)
    gold = [document.entities for document in documents]
    bare = [replace(document, entities=()) for document in documents]

    def score(path: Path) -> float:
        annotator.engine = OnnxEngine(path)
        return float(score_spans([document.entities for document in annotator.annotate(bare)], gold)["f1"])

    return score


def main(
    run: Annotated[Path, typer.Option(help="Folder of the run: plan.json and student/.")],
    export_python: Annotated[Path, typer.Option(envvar="CARABIN_EXPORT_PYTHON")] = DEFAULT_PYTHON,
) -> None:
    """Export a run's student to ONNX and INT8."""
    with one_line_errors("export"):
        plan, registry = read_json(run / "plan.json"), Registry()
        labels = plan["student"]["labels"]
        uses = [CorpusUse(use["corpus"], use["split"], use["documents"]) for use in plan["profile"]["dev"]]
        seed = plan["profile"].get("data_seed", 1)
        documents = [document for use in uses for document in read_documents(registry, use, labels, seed)]
        done = build_onnx(run / "student", run / "export", plan["student"]["id"], documents, export_python)
        int8 = read_json(run / "export" / "parity.json")["int8"]
    typer.echo(f"export  {'done' if done else 'found done'}: {run / 'export' / 'onnx'}; {int8['why']}")


if __name__ == "__main__":
    typer.run(main)
