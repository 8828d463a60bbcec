"""What a run ends by printing: where the student is, how good, how big, how fast.

python -m evaluation.summary --run runs/bert-small/local/seed-1
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from zoo.errors import one_line_errors
from zoo.runs import read_json

METRIC = "ner_exact_f1"
ROWS = (("teacher", "teacher"), ("student", "student"), ("twin", "undistilled twin"), ("int8", "student, INT8 ONNX"))
NEEDED = ("student", "twin")
"""Without these there is nothing to say; the teacher may answer over HTTP, and INT8 be withheld."""


def compare_roles(metrics: dict[str, dict[str, Any]], split: str) -> dict[str, Any]:
    """Return how student, teacher and twin stand to one another on a split.

    Returns:
        `retention` (student / teacher), `gain` (student - twin, paired document bootstrap) and `disjoint`: does the
        student's 95 % interval lie above the twin's?
    """
    from carabin.scoring.bootstrap import bootstrap_difference

    scores = {role: record["splits"][split] for role, record in metrics.items() if split in record["splits"]}
    student, twin = (scores[role][METRIC] for role in ("student", "twin"))
    teacher = scores["teacher"][METRIC]["value"] if "teacher" in scores else 0.0
    return {
        "retention": student["value"] / teacher if teacher else float("nan"),
        "gain": bootstrap_difference(scores["student"]["counts"], scores["twin"]["counts"], seed=1),
        "disjoint": student["low"] > twin["high"],
    }


def print_summary(run: Path, console: Console) -> None:
    """Print a run's table of models, and what the student weighs and costs."""
    paths = {role: run / "metrics" / f"{role}.json" for role, _ in ROWS}
    metrics = {role: read_json(path) for role, path in paths.items() if role in NEEDED or path.is_file()}
    for split in metrics["student"]["splits"]:
        if "+" in split:
            continue
        console.print(_table(metrics, split))
        facts = compare_roles(metrics, split)
        verdict = "disjoint" if facts["disjoint"] else "NOT disjoint"
        kept = f"student keeps {facts['retention']:.1%} of its teacher's F1"
        if "teacher" not in metrics:
            kept = "teacher not scored (no checkpoint: answers over HTTP)"
        console.print(
            f"{kept}; {facts['gain']['value']:+.3f} "
            f"[{facts['gain']['low']:+.3f}, {facts['gain']['high']:+.3f}] over its twin, intervals {verdict}"
        )
    parity, frugality = read_json(run / "export" / "parity.json"), read_json(run / "frugality.json")
    console.print(f"INT8: {parity['int8']['why']}")
    speed = frugality["throughput"]["all"]["documents_per_second"]
    latency = frugality["latency_short_note"]["p50_ms"]
    console.print(
        f"{frugality['model']['bytes'] / 1e6:.1f} MB, {frugality['model']['parameters'] / 1e6:.1f} M parameters, "
        f"{speed:.1f} documents/s on all cores, p50 {latency:.1f} ms a short note on one"
    )
    console.print(f"student: {run / 'repository'}", soft_wrap=True)


def _table(metrics: dict[str, dict[str, Any]], split: str) -> Table:
    noised = sorted({name for record in metrics.values() for name in record["splits"] if name.startswith(f"{split}+")})
    table = Table(title=f"{split}, exact-span micro F1 [95 % document bootstrap]")
    for column in ("model", "F1", "interval", "overlap F1", *(name.partition("+")[2] for name in noised)):
        table.add_column(column)
    for role, title in ROWS:
        if role not in metrics or split not in metrics[role]["splits"]:
            continue
        splits = metrics[role]["splits"]
        exact, overlap = splits[split][METRIC], splits[split]["ner_overlap_f1"]
        under = [f"{splits[name][METRIC]['value']:.3f}" if name in splits else "" for name in noised]
        interval = f"[{exact['low']:.3f}, {exact['high']:.3f}]"
        table.add_row(title, f"{exact['value']:.3f}", interval, f"{overlap['value']:.3f}", *under)
    return table


def main(run: Annotated[Path, typer.Option(help="Folder of the run.")]) -> None:
    """Print a finished run's results."""
    with one_line_errors("summary"):
        print_summary(run, Console(width=120))


if __name__ == "__main__":
    typer.run(main)
