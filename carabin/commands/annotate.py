"""`carabin annotate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carabin.commands.options import (
    LONGEST,
    CasLabel,
    CasType,
    Encoding,
    Engine,
    Errors,
    From,
    IdColumn,
    Inputs,
    MaxCharacters,
    Model,
    NamesFile,
    Output,
    TextColumn,
    Threads,
    Threshold,
    TypeSystem,
    split_thresholds,
)
from carabin.commands.terminal import SET_ASIDE, ErrorLines, Progress, resumable, utf8_stdout

if TYPE_CHECKING:
    from carabin.annotate import Report


def annotate(
    inputs: Inputs,
    out: Output = None,
    model: Model = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="FORM",
            help="Form of the output, else by its suffix: jsonl, csv, parquet (one entity a row), parquet-documents, "
            "omop (NOTE_NLP), html, label-studio; brat, cas (JSON) and xmi write a folder, a file a document.",
        ),
    ] = None,
    from_: From = None,
    engine: Engine = None,
    threads: Threads = None,
    threshold: Threshold = None,
    names: NamesFile = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was killed.")] = False,
    errors: Errors = None,
    text_column: TextColumn = None,
    id_column: IdColumn = None,
    encoding: Encoding = "utf-8",
    max_characters: MaxCharacters = LONGEST,
    typesystem: TypeSystem = None,
    cas_type: CasType = None,
    cas_label: CasLabel = None,
) -> None:
    """Find the entities of documents."""
    from carabin.annotate import JobOptions, annotate_files
    from carabin.formats import ReadOptions, WriteOptions

    reading = ReadOptions(text_column, id_column, encoding, max_characters, from_, typesystem, cas_type, cas_label)
    writing = WriteOptions(typesystem, cas_type, cas_label)
    thresholds, calibrated = split_thresholds(threshold or ())
    options = JobOptions(to, engine, threads, thresholds, resume, errors, reading, writing, calibrated, names)
    shown = ErrorLines()
    stream = utf8_stdout() if out is None else None
    with resumable(out), Progress() as progress:
        report = annotate_files(inputs, out, model, options, stream, progress.update, shown)
    if out is not None or report.errors:
        typer.echo(summary(report, out), err=True)
    if report.errors:
        raise typer.Exit(SET_ASIDE)


def summary(report: Report, out: Path | None) -> str:
    """Return the line that ends a run."""
    parts = [f"{report.documents:,} documents, {report.entities:,} entities"]
    if report.blank:
        parts.append(f"{report.blank:,} blank")
    if report.errors:
        where = f", see {report.errors_path}" if report.errors_path else ""
        parts.append(f"{report.errors:,} set aside{where}")
    return "; ".join(parts) + (f" -> {out}" if out else "")
