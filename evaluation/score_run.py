"""Score what a run made, each model on each test split of its plan.

    python -m evaluation.score_run --run runs/bert-small/local/seed-1 --role teacher --role student --role twin
    python -m evaluation.score_run --run runs/bert-small/local/seed-1 --role onnx --role int8

1. Find each role's model: teacher, student and twin are checkpoints; onnx and int8 the exported files.
2. Skip a role whose `metrics/<role>.json` scores exactly this model on these splits, and one whose INT8 file the
   quality gate withheld.
3. Score the rest, clean and under noise (`evaluation.run_roles`), and write `metrics/<role>.json` (schema of
   `evaluation.score_ner`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from evaluation.run_roles import score_role
from evaluation.sources import hash_sources
from zoo.checkpoints import Which
from zoo.errors import one_line_errors
from zoo.registry import Registry
from zoo.registry.recipes import CorpusUse
from zoo.runs import read_json


def score_tagger(run: Path, role: str, plan: dict[str, Any], registry: Registry, console: Console) -> str:
    """Score one role unless it is scored; return what was done: scored, found done, or withheld."""

    def score(folder: Path, which: Which, noises: Sequence[str]) -> dict[str, Any]:
        from evaluation.ner_report import Noise
        from evaluation.score_ner import score_model

        return score_model(
            folder,
            [CorpusUse(**use) for use in plan["profile"]["test"]],
            which,
            plan["profile"]["data_seed"],
            [Noise.parse(noise) for noise in noises],
            registry,
            watch=lambda texts, name, total: track(texts, f"{role}: {name}", total, console=console, transient=True),
        )

    sources = hash_sources("score_run", "run_roles", "model_facts", "score_ner", "ner_report")
    return score_role(run, role, plan, {"sources": sources}, score)


def main(
    run: Annotated[Path, typer.Option(help="Folder of the run.")],
    role: Annotated[list[str], typer.Option(help="teacher, student, twin, onnx or int8; may be repeated.")],
) -> None:
    """Score a run's models on its test splits."""
    console = Console(stderr=True)
    with one_line_errors("score"):
        plan, registry = read_json(run / "plan.json"), Registry()
        for name in role:
            outcome = score_tagger(run, name, plan, registry, console)
            typer.echo(f"score   {name}: {outcome}")


if __name__ == "__main__":
    typer.run(main)
