"""`carabin exercise`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carabin.commands.options import (
    LONGEST,
    Encoding,
    Errors,
    From,
    IdColumn,
    Inputs,
    MaxCharacters,
    Model,
    TextColumn,
    Threads,
    WriterEngine,
)
from carabin.commands.terminal import SET_ASIDE, ErrorLines, Progress, resumable, utf8_stdout

if TYPE_CHECKING:
    from carabin.jobs.job import Report


def exercise(
    inputs: Inputs,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="Output file; without it, on standard output."),
    ] = None,
    model: Model = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="FORM",
            help="Form of the output, else by its suffix: text (.txt), html, moodle-xml (.xml), json, jsonl. "
            "On standard output, text without it.",
        ),
    ] = None,
    kinds: Annotated[
        str,
        typer.Option(
            metavar="KINDS",
            help="qru: one right answer of five; qrm: several; qroc: a short answer; dp: a progressive file of three "
            "linked questions.",
        ),
    ] = "qru,qrm,qroc,dp",
    count: Annotated[
        int, typer.Option(min=1, metavar="N", help="Questions on each report, beside the progressive file.")
    ] = 6,
    seed: Annotated[int, typer.Option(metavar="N", help="Another one puts the options in another order.")] = 0,
    from_: From = None,
    engine: WriterEngine = None,
    threads: Threads = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was killed.")] = False,
    errors: Errors = None,
    text_column: TextColumn = None,
    id_column: IdColumn = None,
    encoding: Encoding = "utf-8",
    max_characters: MaxCharacters = LONGEST,
) -> None:
    """Write questions on reports, for carers in training; a trainer reads them first."""
    from carabin.exercise import ExerciseOptions, exercise_files
    from carabin.formats import ReadOptions

    reading = ReadOptions(text_column, id_column, encoding, max_characters, from_, whole_stdin=True)
    asked = tuple(kind.strip().lower() for kind in kinds.split(","))
    options = ExerciseOptions(to, asked, count, seed, engine, threads, resume, errors, reading)
    shown = ErrorLines()
    stream = utf8_stdout() if out is None else None
    with resumable(out), Progress() as progress:
        report = exercise_files(inputs, out, model, options, stream, progress.update, shown)
    if out is not None or report.errors:
        typer.echo(closing_line(report, out), err=True)
    if report.errors:
        raise typer.Exit(SET_ASIDE)


def closing_line(report: Report, out: Path | None) -> str:
    """Return the line that ends a run."""
    parts = [f"{report.entities:,} questions on {report.documents:,} reports, to be read by a trainer before use"]
    if report.errors:
        where = f", see {report.errors_path}" if report.errors_path else ""
        parts.append(f"{report.errors:,} set aside{where}")
    return "; ".join(parts) + (f" -> {out}" if out else "")
