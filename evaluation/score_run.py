"""Score what a run made, each model on each test split of its plan.

    python -m evaluation.score_run --run runs/bert-small/local/seed-1 --role teacher --role student --role twin
    python -m evaluation.score_run --run runs/bert-small/local/seed-1 --role onnx --role int8

1. Find each role's model: teacher, student and twin are checkpoints; onnx and int8 the exported files.
2. Skip a role whose `metrics/<role>.json` scores exactly this model on these splits, and one whose INT8 file the
   quality gate withheld.
3. Score the rest, clean and under `NOISES`, and write `metrics/<role>.json` (schema of `evaluation.score_ner`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from evaluation.sources import hash_sources
from zoo.checkpoints import weight_files
from zoo.errors import one_line_errors
from zoo.registry import Registry
from zoo.registry.recipes import CorpusUse
from zoo.runs import RunError, fingerprint, hash_file, read_json, write_json

NOISES = ("typo:0.1", "abbreviate:1.0")
"""What a ward's text does to a model: misspellings (missing accents among them), abbreviations."""
ROLES = ("teacher", "student", "twin", "onnx", "int8")
NOISED_ROLES = ("student", "twin")
"""Noise sets the student beside its twin; the exported files answer as the student does (`export.parity`)."""


def find_model(run: Path, role: str) -> tuple[Path | None, str]:
    """Return (folder, engine) of a role's model, no folder for a teacher over HTTP. Raises RunError: unknown role."""
    if role == "teacher":
        folder = read_json(run / "teacher.json").get("folder")
        return (Path(folder) if folder else None), "torch"
    if role in ("student", "twin"):
        return run / role, "torch"
    if role in ("onnx", "int8"):
        return run / "export", role
    raise RunError(f"role '{role}' is not one of {', '.join(ROLES)}")


def score_role(run: Path, role: str, plan: dict[str, Any], registry: Registry, console: Console) -> str:
    """Score one role unless it is scored; return what was done: scored, found done, or withheld."""
    folder, which = find_model(run, role)
    if folder is None:
        return "no checkpoint: answers over HTTP"
    weights, out = weight_files(folder)[which], run / "metrics" / f"{role}.json"
    if which == "int8" and not weights.is_file():
        out.unlink(missing_ok=True)
        return "withheld by the quality gate"
    uses = [CorpusUse(**use) for use in plan["profile"]["test"]]
    noises = NOISES if role in NOISED_ROLES else ()
    tested = [entry for entry in plan["corpora"] if entry["role"] == "test"]
    sources = hash_sources("score_run", "score_ner", "ner_report")
    key = fingerprint({"weights": hash_file(weights), "test": tested, "noises": noises, "sources": sources})
    if out.is_file() and read_json(out).get("inputs_sha256") == key:
        return "found done"
    from evaluation.ner_report import Noise
    from evaluation.score_ner import score_model

    record = score_model(
        folder,
        uses,
        which,  # type: ignore[arg-type]
        plan["profile"]["data_seed"],
        [Noise.parse(noise) for noise in noises],
        registry,
        watch=lambda texts, name, total: track(texts, f"{role}: {name}", total, console=console, transient=True),
    )
    write_json(out, {**record, "inputs_sha256": key})
    return "scored"


def main(
    run: Annotated[Path, typer.Option(help="Folder of the run.")],
    role: Annotated[list[str], typer.Option(help="teacher, student, twin, onnx or int8; may be repeated.")],
) -> None:
    """Score a run's models on its test splits."""
    console = Console(stderr=True)
    with one_line_errors("score"):
        plan, registry = read_json(run / "plan.json"), Registry()
        for name in role:
            outcome = score_role(run, name, plan, registry, console)
            typer.echo(f"score   {name}: {outcome}")


if __name__ == "__main__":
    typer.run(main)
