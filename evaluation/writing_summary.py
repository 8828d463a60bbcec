"""What a writing student's run ends by printing: how well it writes, how faithfully, how sound its exercises are.

python -m evaluation.writing_summary --run runs/t5-small/local/seed-1
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from carabin.scoring.bootstrap import bootstrap_ratio
from evaluation.summary import NEEDED, ROWS
from zoo.errors import one_line_errors
from zoo.runs import read_json

METRIC = "rougeL"
BASELINES = "baselines"
ROUGES = (("rouge1", "ROUGE-1"), ("rouge2", "ROUGE-2"), ("rougeL", "ROUGE-L"), ("rougeLsum", "ROUGE-Lsum"))
CLAIMS = ("numbers", "doses", "drugs", "negations")
VALIDITY = (
    ("parsed_free", "parses freely"), ("parsed", "parses"), ("right_count", "right count"), ("supported", "in report"),
    ("quote_verbatim", "quote word for word"), ("same_type", "same type"), ("distinct", "options differ"),
    ("not_leaked", "no leak"), ("gold_agreement", "gold agrees"),
)  # fmt: skip

Metrics = Mapping[str, Mapping[str, Any]]
Rows = list[tuple[str, Mapping[str, Any]]]
"""Who wrote, and the parts of their record of a split."""


def read_metrics(run: Path) -> dict[str, dict[str, Any]]:
    """Return the metrics of a run's roles; those of student and twin must be there."""
    paths = {role: run / "metrics" / f"{role}.json" for role, _ in ROWS}
    return {role: read_json(path) for role, path in paths.items() if role in NEEDED or path.is_file()}


def compare_roles(metrics: Metrics, split: str) -> dict[str, Any]:
    """Return how student, teacher and twin stand to one another on a split's conclusions.

    Returns:
        `retention` (student / teacher, None without a teacher), `gain` (student - twin, paired document bootstrap).
    """
    scores = {role: record["splits"][split]["conclusion"] for role, record in metrics.items() if _has(record, split)}
    student, twin = (scores[role]["scores"][METRIC] for role in NEEDED)
    if len(student) != len(twin):
        raise ValueError(f"{split}: student and twin were scored on other reports; score both again")
    teacher = scores["teacher"][METRIC]["value"] if "teacher" in scores else 0.0
    gains = [ours - theirs for ours, theirs in zip(student, twin, strict=True)]
    return {
        "retention": scores["student"][METRIC]["value"] / teacher if teacher else None,
        "gain": bootstrap_ratio(gains, [1.0] * len(gains), seed=1),
    }


def print_summary(run: Path, console: Console) -> None:
    """Print a run's tables, and what the student weighs."""
    metrics, baselines = read_metrics(run), read_json(run / "metrics" / f"{BASELINES}.json")
    for split in metrics["student"]["splits"]:
        if "+" not in split:
            rows = _rows(metrics, baselines["splits"][split]["writers"], split)
            for table in _tables(rows, metrics, split):
                if table.rows:
                    console.print(table)
            if _has(metrics["student"], split):
                console.print(_verdict(compare_roles(metrics, split), "teacher" in metrics))
    parity = run / "export" / "parity.json"
    if parity.is_file():
        console.print(f"INT8: {read_json(parity)['int8']['why']}")
    for role, title in ROWS:
        if role in ("student", "int8") and role in metrics:
            model = metrics[role]["model"]
            console.print(f"{title}: {model['parameters'] / 1e6:.1f} M parameters, {model['bytes'] / 1e6:.1f} MB")
    console.print(f"student: {run / 'repository'}", soft_wrap=True)


def _tables(rows: Rows, metrics: Metrics, split: str) -> tuple[Table, ...]:
    described = (describe(rows, split) for describe in (_faithfulness, _exercises, _entities))
    return _conclusions(rows, metrics, split), *described


def _verdict(facts: Mapping[str, Any], with_teacher: bool) -> str:
    kept = "teacher not scored (no checkpoint: answers over HTTP)"
    if with_teacher:
        retention = facts["retention"]
        kept = f"student keeps {retention:.1%} of its teacher's ROUGE-L" if retention else "its teacher's ROUGE-L is 0"
    gain = facts["gain"]
    return f"{kept}; {gain['value']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}] over its twin"


def _has(record: Mapping[str, Any], split: str) -> bool:
    return "conclusion" in record["splits"].get(split, {})


def _rows(metrics: Metrics, baselines: Mapping[str, Any], split: str) -> Rows:
    models = [(title, metrics[role]["splits"].get(split, {})) for role, title in ROWS if role in metrics]
    return [*models, *baselines.items()]


def _conclusions(rows: Rows, metrics: Metrics, split: str) -> Table:
    noised = sorted({name for record in metrics.values() for name in record["splits"] if name.startswith(f"{split}+")})
    table = Table(title=f"{split}, conclusions: F-measure [95 % document bootstrap], ROUGE-L under noise")
    columns = ("writer", *(title for _, title in ROUGES), "interval of L", *(name.partition("+")[2] for name in noised))
    for column in columns:
        table.add_column(column, no_wrap=column == "writer")
    under = {title: metrics[role]["splits"] for role, title in ROWS if role in metrics}
    for title, parts in rows:
        found = parts.get("conclusion", {})
        if METRIC in found:
            read = [under.get(title, {}).get(name, {}).get("conclusion", {}).get(METRIC) for name in noised]
            cells = [_figure(found.get(name)) for name, _ in ROUGES]
            table.add_row(title, *cells, _interval(found[METRIC]), *map(_figure, read))
    return table


def _faithfulness(rows: Rows, split: str) -> Table:
    table = Table(title=f"{split}, conclusions: share the report supports")
    for column in ("writer", *CLAIMS, "facts kept", "words"):
        table.add_column(column, no_wrap=column == "writer")
    for title, parts in rows:
        if found := parts.get("conclusion"):
            claims = [_share(found["faithfulness"][name]) for name in CLAIMS]
            words = f"{found['length']['words']['value']:.1f}" if "length" in found else ""
            table.add_row(title, *claims, _share(found.get("key_facts_kept")), words)
    return table


def _exercises(rows: Rows, split: str) -> Table:
    table = Table(title=f"{split}, exercises: share of n questions that keep each rule")
    for column in ("writer", "n", *(title for _, title in VALIDITY), "diverse"):
        table.add_column(column, no_wrap=column == "writer")
    for title, parts in rows:
        if found := parts.get("exercises"):
            cells = [_figure(found.get(name)) for name, _ in VALIDITY]
            questions = str(found["parsed"]["questions"])
            table.add_row(title, questions, *cells, _figure(found["diversity"]["pairs"]))
    return table


def _entities(rows: Rows, split: str) -> Table:
    table = Table(title=f"{split}, entities as text, micro F1 over spans")
    for column in ("writer", "reports", "exact F1", "interval", "overlap F1"):
        table.add_column(column, no_wrap=column == "writer")
    for title, parts in rows:
        if found := parts.get("entities"):
            exact, overlap = found["ner_exact_f1"], found["ner_overlap_f1"]
            table.add_row(title, str(found["documents"]), _figure(exact), _interval(exact), _figure(overlap))
    return table


def _figure(figure: Mapping[str, Any] | None) -> str:
    return "" if figure is None else "-" if figure["value"] is None else f"{figure['value']:.3f}"


def _share(figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return ""
    return "-" if figure["share"] is None else f"{figure['share']:.2f} of {figure['total']}"


def _interval(figure: Mapping[str, Any] | None) -> str:
    return "" if figure is None or figure["low"] is None else f"[{figure['low']:.3f}, {figure['high']:.3f}]"


def main(run: Annotated[Path, typer.Option(help="Folder of the run.")]) -> None:
    """Print a finished run's results."""
    with one_line_errors("summary"):
        print_summary(run, Console(width=132))


if __name__ == "__main__":
    typer.run(main)
