"""`carabin annotate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carabin.commands.terminal import SET_ASIDE, ErrorLines, Progress, utf8_stdout

if TYPE_CHECKING:
    from carabin.annotate import Report

CALIBRATED = "calibrated"


def annotate(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            show_default=False,
            help=".txt, .jsonl, .csv (each also .gz, .xz), .parquet (OMOP NOTE too), UIMA CAS .json and .xmi, "
            "a folder of these or of BRAT .txt and .ann, or - for standard input.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--output", help="Output file or folder; without it, JSONL on standard output.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A student's folder, or the name of a shipped one.", metavar="DIR")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="FORM",
            help="Form of the output, else by its suffix: jsonl, csv, parquet (one entity a row), parquet-documents, "
            "omop (NOTE_NLP), html, label-studio; brat, cas (JSON) and xmi write a folder, a file a document.",
        ),
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="FORM", help="Form of the inputs, else by their suffixes.")
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="ENGINE",
            help="int8, fp32, openvino, or auto: the fastest here, measured once. Without it, int8 where the student "
            "was published with it, else fp32.",
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; all cores without it.")] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=0.5",
            help="Least score for a label, or 0.5 for all, or `calibrated` for those fitted with the student; "
            "repeatable, and without it every entity is written with its score.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was killed.")] = False,
    errors: Annotated[
        Path | None, typer.Option(help="Where documents set aside are listed; OUT.errors.jsonl without it.")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="Column or field of the text.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Column or field of the id.")] = None,
    encoding: Annotated[str, typer.Option(help="Of text and CSV inputs: cp1252 for older Windows software.")] = "utf-8",
    max_characters: Annotated[int, typer.Option(min=1, help="Longer documents are set aside.")] = 10_000_000,
    typesystem: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="UIMA type system: .xml, or any CAS .json of yours. DKPro's names without it."
        ),
    ] = None,
    cas_type: Annotated[
        str | None, typer.Option(metavar="TYPE", help="UIMA type of the entities; DKPro's NamedEntity without it.")
    ] = None,
    cas_label: Annotated[
        str | None, typer.Option(metavar="FEATURE", help="Feature of that type with the label; value, Categorie, …")
    ] = None,
) -> None:
    """Find the entities of documents."""
    from carabin.annotate import JobOptions, annotate_files
    from carabin.formats import ReadOptions, WriteOptions

    reading = ReadOptions(text_column, id_column, encoding, max_characters, from_, typesystem, cas_type, cas_label)
    writing = WriteOptions(typesystem, cas_type, cas_label)
    thresholds, calibrated = split_thresholds(threshold or ())
    options = JobOptions(to, engine, threads, thresholds, resume, errors, reading, writing, calibrated)
    shown = ErrorLines()
    with Progress() as progress:
        report = annotate_files(
            inputs, out, model, options, stream=utf8_stdout(), on_progress=progress.update, on_error=shown
        )
    if out is not None or report.errors:
        typer.echo(summary(report, out), err=True)
    if report.errors:
        raise typer.Exit(SET_ASIDE)


def split_thresholds(values: Sequence[str]) -> tuple[dict[str, float], bool]:
    """Return the least scores that were written as numbers, and whether `calibrated` is among the values."""
    return read_thresholds([value for value in values if value != CALIBRATED]), CALIBRATED in values


def read_thresholds(values: Sequence[str]) -> dict[str, float]:
    """Return label -> least score from `LABEL=0.5` and `0.5`. Raises InputError: not of that form."""
    from carabin.formats import InputError

    thresholds: dict[str, float] = {}
    for value in values:
        label, separator, number = value.rpartition("=")
        try:
            thresholds[label if separator else "*"] = float(number)
        except ValueError:
            raise InputError(f"--threshold {value}: expected LABEL=0.5, or 0.5 for every label") from None
    return thresholds


def summary(report: Report, out: Path | None) -> str:
    """Return the line that ends a run."""
    parts = [f"{report.documents:,} documents, {report.entities:,} entities"]
    if report.blank:
        parts.append(f"{report.blank:,} blank")
    if report.errors:
        where = f", see {report.errors_path}" if report.errors_path else ""
        parts.append(f"{report.errors:,} set aside{where}")
    return "; ".join(parts) + (f" -> {out}" if out else "")
