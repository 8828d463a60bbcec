"""`carabin summarise`."""

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


def summarise(
    inputs: Inputs,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="Output file, .jsonl or .txt; without it, text to read."),
    ] = None,
    model: Model = None,
    to: Annotated[
        str | None, typer.Option(metavar="FORM", help="Form of the output, else by its suffix: jsonl, text.")
    ] = None,
    from_: From = None,
    engine: WriterEngine = None,
    threads: Threads = None,
    beams: Annotated[
        int, typer.Option(min=1, metavar="N", help="Conclusions followed at once for each report; 1 is the fastest.")
    ] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was killed.")] = False,
    errors: Errors = None,
    text_column: TextColumn = None,
    id_column: IdColumn = None,
    encoding: Encoding = "utf-8",
    max_characters: MaxCharacters = LONGEST,
) -> None:
    """Propose the conclusion of reports, and say what in it the report does not support.

    A student that quotes (its card says so) concludes in the report's sentences,
    word for word, each with its place: nothing is invented, nothing reworded.
    Any other student writes in words of its own.
    """
    from carabin.formats import ReadOptions
    from carabin.summarise import SummariseOptions, summarise_files

    reading = ReadOptions(text_column, id_column, encoding, max_characters, from_, whole_stdin=True)
    options = SummariseOptions(to, engine, threads, beams, resume, errors, reading)
    shown = ErrorLines()
    with resumable(out), Progress() as progress:
        report = summarise_files(
            inputs, out, model, options, stream=utf8_stdout(), on_progress=progress.update, on_error=shown
        )
    if out is not None or report.errors:
        typer.echo(closing_line(report, out), err=True)
    if report.errors:
        raise typer.Exit(SET_ASIDE)


def closing_line(report: Report, out: Path | None) -> str:
    """Return the line that ends a run."""
    parts = [f"{report.documents:,} conclusions"]
    if report.blank:
        parts.append(f"{report.blank:,} of blank reports")
    if report.errors:
        where = f", see {report.errors_path}" if report.errors_path else ""
        parts.append(f"{report.errors:,} set aside{where}")
    return "; ".join(parts) + (f" -> {out}" if out else "")
