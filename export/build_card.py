"""A run's results -> its publishable repository: card, lineage, metrics, manifest.

    python -m export.build_card --run runs/bert-small/local/seed-1

Reads `plan.json`, `verdict.json`, `teacher.json`, `export/`, `metrics/{student,teacher,twin,int8,baselines}.json`
(student needed, the others where they are), `frugality.json`, `energy.json` of the run, and `targets.json` where what
the student learned from was generated; writes its folder `repository/`, once for the same inputs:
    1. the files of `export/`: config, weights, tokenizer, onnx/, parity.json; calibration.json, where there is one;
    2. metrics.json: the student's, with the others under `beside`, `frugality`, `energy`, `calibration` and the
       sizes of `files`;
       .eval_results/ for the test corpora that are on the Hub;
    3. LICENSE, README.md (`export.card`), lineage.json with the card's hash;
    4. manifest.json, last.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from export.calibration_facts import CALIBRATION, FOLDER, read_calibration
from export.card import FAMILIES, TEMPLATES, licence_paragraph, reason_text, write_card
from export.eval_results import write_eval_results
from export.lineage import CARD, TARGETS, make_lineage, write_manifest
from export.publishable import start_afresh
from zoo.errors import one_line_errors
from zoo.registry import REPOSITORY, Registry, Student
from zoo.runs import RECORD, RunError, hash_files, read_json, run_step, write_json

ROLES = ("student", "teacher", "twin", "int8", "baselines")


def build_card(run: Path, student: Student, registry: Registry) -> bool:
    """Write the run's repository, unless it is written from the same inputs.

    Args:
        run: Folder of the run.
        student: Its declaration: summary, labels, widget.
        registry: Of its corpora.

    Returns:
        True if the work was done now, False if it was found done.

    Raises:
        RunError: a file of the run is missing or damaged.
        CardError: the files do not say all that a card must say.
    """
    parts = {name: read_json(run / f"{name}.json") for name in ("plan", "verdict", "teacher", "frugality", "energy")}
    metrics = {role: read_json(run / "metrics" / f"{role}.json") for role in ROLES if _has(run, role)}
    exported = read_json(run / "export" / RECORD)["files"]
    if hash_files(run / "export") != exported:
        raise RunError(f"{run / 'export'}: a file was changed after the export; delete the folder and export again")
    parity = read_json(run / "export" / "parity.json")
    if not parity["int8"]["published"]:
        metrics.pop("int8", None)
    targets = read_json(run / TARGETS) if (run / TARGETS).is_file() else None
    weights, teacher = exported["model.safetensors"], parts["teacher"].get("sha256")
    lineage = make_lineage(parts["plan"], parts["verdict"], registry, weights, teacher, targets)
    calibration = read_calibration(run, exported)
    inputs = {
        **parts, "metrics": metrics, "exported": exported, "calibration": calibration,
        "templates": hash_files(TEMPLATES), "student": student,
        "lineage": {key: value for key, value in lineage.items() if key not in ("commit", "software")},
    }  # fmt: skip

    def work(folder: Path) -> None:
        start_afresh(folder)
        for name in exported:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(run / "export" / name, folder / name)
        if calibration is not None:
            shutil.copyfile(run / FOLDER / CALIBRATION, folder / CALIBRATION)
        beside = {role: scores for role, scores in metrics.items() if role != "student"}
        sizes = {name: (folder / name).stat().st_size for name in exported if name.endswith((".safetensors", ".onnx"))}
        measured = {"beside": beside, "frugality": parts["frugality"], "energy": parts["energy"], "files": sizes}
        if calibration is not None:
            measured["calibration"] = calibration
        write_json(folder / "metrics.json", {**metrics["student"], **measured})
        write_eval_results(folder, metrics["student"], lineage["corpora"], FAMILIES[student.family])
        write_licence(folder / "LICENSE", student.id, parts["verdict"])
        write_card(folder, student, lineage)
        write_manifest(folder)

    return run_step(run / "repository", inputs, work, seed=parts["plan"]["seed"])


def _has(run: Path, role: str) -> bool:
    """Is there something to read for this role? The student's own figures are needed: reading them says if missing."""
    return role == "student" or (run / "metrics" / f"{role}.json").is_file()


def write_licence(path: Path, name: str, verdict: Mapping[str, Any]) -> None:
    """Write the repository's LICENSE: Apache-2.0 for an open student, else the verdict in its own words."""
    if verdict["level"] == "open":
        shutil.copyfile(REPOSITORY / "LICENSE", path)
        return
    lines = [f"{name}: {verdict['level']}", "", licence_paragraph(verdict["level"]), "", "Reasons:"]
    lines += [f"- {reason_text(reason)}" for reason in verdict["reasons"]]
    lines += ["", "Obligations:", *(f"- {obligation}" for obligation in verdict["obligations"])]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(run: Annotated[Path, typer.Option(help="Folder of the run.")]) -> None:
    """Write a run's publishable repository."""
    with one_line_errors("card"):
        registry = Registry()
        student = registry.student(read_json(run / "plan.json")["student"]["id"])
        done = build_card(run, student, registry)
    typer.echo(f"card    {'done' if done else 'found done'}: {run / 'repository' / CARD}")


if __name__ == "__main__":
    typer.run(main)
