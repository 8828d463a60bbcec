"""A trained student -> ONNX, compared with torch, and INT8 behind its quality gate.

    python -m export.build_onnx --run runs/bert-small/local/seed-1

Reads `plan.json` and `student/` of the run; writes its folder `export/`, once for the same inputs:
    1. config, weights and tokenizer, loadable by transformers 4 and 5 (`export.publishable`);
    2. the fp32 files of onnx/, by optimum in the export environment (`export.export_onnx`);
    3. torch against ONNX on texts of the dev split: a difference stops the stage (`export.parity`);
    4. the INT8 files, if they hold the task's metric on the dev split (`export.gate`);
    5. parity.json, which says all that.

What a family is compared and judged on: `export.tagger` for students that tag words, `export.seq2seq` for those that
write. The export environment's python is `--export-python`, else $CARABIN_EXPORT_PYTHON, else
`.venv/export/bin/python`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from carabin.documents import Document
from export.export_environment import DEFAULT_PYTHON, check_python, run_export
from export.gate import LIMIT, gate_int8
from export.onnx_files import FOLDER
from export.parity import Parity
from export.publishable import start_afresh, write_publishable
from export.quantise import Int8Options
from export.sensitivity import Probe
from export.seq2seq import Seq2SeqExport
from export.tagger import TaggerExport
from zoo.corpora import read_documents
from zoo.errors import one_line_errors
from zoo.registry import Registry
from zoo.registry.recipes import CorpusUse
from zoo.runs import RunError, hash_files, read_json, run_step, write_json


class FamilyExport(Protocol):
    """What a family brings to the stage: its files, and what they are compared and judged on."""

    @property
    def documents(self) -> Sequence[Any]:
        """What to choose on: the dev split."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The files that are quantised, without suffixes."""
        ...

    @property
    def metric(self) -> str:
        """What the gate holds: a key of `export.gate_record.METRIC_NAMES`."""
        ...

    def to_inputs(self) -> dict[str, Any]:
        """Return what the choice depends on."""
        ...

    def compare(self, student: Path) -> Parity:
        """Compare the checkpoint with the fp32 files."""
        ...

    def make_score(self, student: Path) -> Callable[[bool], float]:
        """Return the `Score` of the gate."""
        ...

    def make_probe(self, student: Path) -> Probe:
        """Return the probe of the sensitivities."""
        ...

    def finish(self, student: Path, python: Path, int8: bool) -> dict[str, Any]:
        """Do what is left once the gate has decided; return what parity.json says of it."""
        ...


FAMILIES: Mapping[str, Callable[[Sequence[Document]], FamilyExport]] = {"bert": TaggerExport, "t5": Seq2SeqExport.over}
"""A student's `family` -> its part, over documents of the dev split."""


def build_onnx(checkpoint: Path, out: Path, name: str, family: FamilyExport, python: Path) -> bool:
    """Do the stage for a checkpoint, unless it is done for the same inputs.

    Args:
        checkpoint: What training wrote.
        out: The folder to write.
        name: The student's id.
        family: What the files are compared and judged on.
        python: Python of the export environment.

    Returns:
        True if the work was done now, False if it was found done.

    Raises:
        RunError: the export failed, the exported files are not the checkpoint, or there is no document to choose on.
    """
    if not family.documents:
        raise RunError(f"export of '{name}': the dev split is empty, INT8 cannot be judged; check the recipe's dev")
    check_python(python)
    inputs = {
        "checkpoint": hash_files(checkpoint), "name": name, "int8": Int8Options(), "limit": LIMIT, **family.to_inputs()
    }  # fmt: skip

    def work(folder: Path) -> dict[str, Any]:
        start_afresh(folder)
        write_publishable(checkpoint, folder, name)
        run_export(python, folder)
        parity = family.compare(folder)
        if not parity.passed:
            raise RunError(f"{folder / FOLDER}: is not the checkpoint: {parity.describe()}; nothing is published")
        gate = gate_int8(folder, family.names, family.metric, family.make_score(folder), family.make_probe(folder))
        further = family.finish(folder, python, gate.published)
        write_json(folder / "parity.json", {"torch_vs_onnx": parity.to_dict(), "int8": gate.to_dict(), **further})
        return {"int8": gate.published}

    return run_step(out, inputs, work)


def main(
    run: Annotated[Path, typer.Option(help="Folder of the run: plan.json and student/.")],
    export_python: Annotated[Path, typer.Option(envvar="CARABIN_EXPORT_PYTHON")] = DEFAULT_PYTHON,
) -> None:
    """Export a run's student to ONNX and INT8."""
    with one_line_errors("export"):
        plan, registry = read_json(run / "plan.json"), Registry()
        student, seed = plan["student"], plan["profile"].get("data_seed", 1)
        uses = [CorpusUse(use["corpus"], use["split"], use["documents"]) for use in plan["profile"]["dev"]]
        documents = [document for use in uses for document in read_documents(registry, use, student["labels"], seed)]
        family = FAMILIES[student["family"]](documents)
        done = build_onnx(run / "student", run / "export", student["id"], family, export_python)
        int8 = read_json(run / "export" / "parity.json")["int8"]
    typer.echo(f"export  {'done' if done else 'found done'}: {run / 'export' / FOLDER}; {int8['why']}")


if __name__ == "__main__":
    typer.run(main)
