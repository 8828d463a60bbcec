"""`carabin bench`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from carabin.commands.options import Model

if TYPE_CHECKING:
    from rich.table import Table

    from carabin.bench import BenchReport


def bench(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INPUT]...", show_default=False, help="Notes of yours; fictitious ones without it."),
    ] = None,
    model: Model = None,
    engine: Annotated[
        list[str] | None, typer.Option(help="int8, fp32 or openvino; repeatable, all that are there without it.")
    ] = None,
    threads: Annotated[
        list[int] | None, typer.Option(min=1, help="Repeatable; 1, 2, 4, … all cores without it.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Of each measurement, at least.")] = 3.0,
    documents: Annotated[int, typer.Option(min=1, help="Documents measured with, at most.")] = 200,
    watts: Annotated[
        float | None,
        typer.Option(min=0.1, help="Of one busy core, where no energy counter can be read: rated power / cores."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure a student on this machine: speed, memory, energy; and how to run it best here."""
    from rich.console import Console
    from rich.progress import Progress

    from carabin.bench import bench as measure

    screen = Console(stderr=True)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task("measuring", total=None)

        def show(what: str, number: int, count: int) -> None:
            progress.update(task, description=what, completed=number, total=count)

        report = measure(
            model, inputs or (), engine or (), threads or (), seconds, documents, watts, on_step=show
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=1, ensure_ascii=False))
        return
    Console().print(table_of(report), *notes_of(report), sep="\n", soft_wrap=True, highlight=False, markup=False)


def table_of(report: BenchReport) -> Table:
    """Return the measures as a table, the best one marked."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    machine, texts = report.machine, report.texts
    what = "fictitious notes" if texts["fictitious"] else "notes"
    table = Table(
        title=f"{report.student} on {machine['cpu']}, {machine['cores']} cores; "
        f"{texts['documents']} {what}, half of them over {texts['median_characters']:,} characters",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
    )
    table.add_column("engine", no_wrap=True)
    for name in ("threads", "notes per s", "tokens per s", "p50 ms", "p95 ms", "peak MB", "Wh per 1,000"):
        table.add_column(name, justify="right", overflow="fold", min_width=max(map(len, name.split())))
    for row in report.measures:
        figures = (
            f"{row.documents_per_second:,.1f}", f"{row.tokens_per_second:,.0f}", f"{row.p50_ms:.1f}",
            f"{row.p95_ms:.1f}", f"{row.peak_rss_bytes / 1e6:,.0f}", f"{row.wh_per_1000_documents:.3f}",
        )  # fmt: skip
        name = f"{row.engine} (best)" if row is report.best else row.engine
        table.add_row(name, str(row.threads), *figures)
    return table


def notes_of(report: BenchReport) -> list[str]:
    """Return the lines below the table: what the figures are, and what to type."""
    best = report.best
    lines = [f"{name}: not measured, {why}" for name, why in report.left_out.items()]
    lines.append("p50, p95: one short note at a time")
    lines.append(f"Wh{' (an ESTIMATE)' if best.energy_is_estimate else ''}: {best.energy_source}")
    lines.append(f"best here: carabin annotate --engine {best.engine} --threads {best.threads}")
    return lines
