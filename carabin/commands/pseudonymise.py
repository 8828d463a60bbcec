"""`carabin pseudonymise`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    MaxCharacters,
    Model,
    Output,
    Predictions,
    TextColumn,
    Threads,
    TypeSystem,
)
from carabin.commands.terminal import SET_ASIDE, ErrorLines, Progress, resumable, utf8_stdout
from carabin.outputs import check_report_places, write_report

if TYPE_CHECKING:
    from carabin.jobs.job import Report
    from carabin.pseudonyms.keys import Secret
    from carabin.pseudonyms.run import PseudonymOptions

PASSPHRASE_VARIABLE = "CARABIN_PASSPHRASE"


def pseudonymise(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="INPUT...", show_default=False, help="As `carabin annotate`; not needed with --gold."),
    ] = None,
    out: Output = None,
    model: Model = None,
    rules_only: Annotated[bool, typer.Option("--rules-only", help="No student; finds fewer names and places.")] = False,
    with_: Annotated[
        str, typer.Option("--with", metavar="surrogates|tags", help="Fictitious identities, or tags: <NOM_1>.")
    ] = "surrogates",
    consistent: Annotated[
        str, typer.Option(metavar="document|patient|corpus", help="Within what an identity has one surrogate.")
    ] = "document",
    patient_field: Annotated[
        str | None, typer.Option(metavar="NAME", help="Field that tells the patient: their dates move together.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Secret key: the same output each time. Fresh without it.")
    ] = None,
    new_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a new key there, and stop.")] = None,
    mapping: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the mapping there, encrypted; none is written without.")
    ] = None,
    passphrase: Annotated[
        bool,
        typer.Option("--passphrase", help=f"Encrypt the mapping by a passphrase: {PASSPHRASE_VARIABLE}, else asked."),
    ] = False,
    open_mapping: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Print a mapping in clear, as JSONL, and stop.")
    ] = None,
    gold: Annotated[
        list[str] | None, typer.Option(metavar="GOLD", help="Report what would leak of these files' identities.")
    ] = None,
    leaks: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the leak report there, as JSON.")] = None,
    leak_texts: Annotated[
        bool, typer.Option("--leak-texts", help="Put the leaked texts in that file: it then holds identities.")
    ] = False,
    replace_ids: Annotated[bool, typer.Option("--replace-ids", help="Replace the documents' ids too.")] = False,
    keep: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Let a field of the records through; the rest is dropped.")
    ] = None,
    mark: Annotated[bool, typer.Option("--mark", help="Add the surrogates' places to the entities.")] = False,
    drop_entities: Annotated[bool, typer.Option("--drop-entities", help="Leave out the inputs' entities.")] = False,
    to: Annotated[
        str | None,
        typer.Option(metavar="FORM", help="jsonl, parquet-documents, brat, cas, xmi, html, label-studio."),
    ] = None,
    from_: From = None,
    predictions: Predictions = False,
    engine: Engine = None,
    threads: Threads = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was killed; needs --key.")] = False,
    errors: Errors = None,
    text_column: TextColumn = None,
    id_column: IdColumn = None,
    encoding: Encoding = "utf-8",
    max_characters: MaxCharacters = LONGEST,
    typesystem: TypeSystem = None,
    cas_type: CasType = None,
    cas_label: CasLabel = None,
) -> None:
    """Replace the identities in documents by consistent, fictitious ones."""
    from carabin.formats import InputError, ReadOptions, WriteOptions
    from carabin.pseudonyms.keys import Secret, write_key
    from carabin.pseudonyms.pseudonymiser import Policy
    from carabin.pseudonyms.run import PseudonymOptions

    if new_key is not None:
        write_key(new_key)
        typer.echo(f"a new key -> {new_key}; who has it and the output can find identities again: guard it", err=True)
        return
    secret = Secret.read(key) if key is not None else None
    words = _passphrase(confirm=open_mapping is None) if passphrase else None
    if open_mapping is not None:
        _print_mapping(open_mapping, secret, words)
        return
    if with_ not in ("surrogates", "tags"):
        raise InputError(f"--with '{with_}': choose surrogates or tags")
    options = PseudonymOptions(
        policy=Policy(with_ == "tags", consistent, patient_field, replace_ids, tuple(keep or ()), mark),  # type: ignore[arg-type]
        rules_only=rules_only, key=secret, mapping=mapping, passphrase=words, drop_entities=drop_entities, to=to,
        engine=engine, threads=threads, resume=resume, errors=errors,
        reading=ReadOptions(
            text_column, id_column, encoding, max_characters, from_, typesystem, cas_type, cas_label, predictions
        ),
        writing=WriteOptions(typesystem, cas_type, cas_label),
    )  # fmt: skip
    if not inputs and not gold:
        raise InputError("name an INPUT, or gold to measure leaks on: --gold FILE")
    if (leaks or leak_texts) and not gold:
        raise InputError("--leaks and --leak-texts report on gold: name it with --gold FILE")
    if leak_texts and leaks is None:
        raise InputError("--leak-texts needs --leaks FILE: texts of notes are not shown on a terminal")
    check_report_places([*(inputs or ()), *(gold or ())], (leaks,))
    report = _run(inputs, out, model, options) if inputs else None
    if gold:
        _report_leaks(gold, model, options, leaks, leak_texts)
    if report and report.errors:
        raise typer.Exit(SET_ASIDE)


def _run(inputs: list[str], out: Path | None, model: str | None, options: PseudonymOptions) -> Report:
    from carabin.pseudonyms.run import pseudonymise_files

    shown = ErrorLines()
    stream = utf8_stdout() if out is None else None
    with resumable(out), Progress() as progress:
        report = pseudonymise_files(inputs, out, model, options, stream, progress.update, shown)
    if out is not None or report.errors:
        typer.echo(summary(report, out, options.mapping), err=True)
    return report


def summary(report: Report, out: Path | None, mapping: Path | None) -> str:
    """Return the line that ends a run."""
    parts = [f"{report.documents:,} documents, {report.entities:,} identities replaced"]
    if report.errors:
        where = f", see {report.errors_path}" if report.errors_path else ""
        parts.append(f"{report.errors:,} set aside{where}")
    parts.append(f"mapping, encrypted, in {mapping}" if mapping else "no mapping written")
    return "; ".join(parts) + (f" -> {out}" if out else "")


def _report_leaks(
    gold: list[str], model: str | None, options: PseudonymOptions, path: Path | None, show_texts: bool
) -> None:
    from carabin.pseudonyms.run import leaks_of_files

    found = leaks_of_files(gold, model, options, show_texts)
    for line in found.lines():
        typer.echo(line, err=True)
    if path is not None:
        write_report(path, json.dumps(found.to_dict(), ensure_ascii=False, indent=1) + "\n")


def _passphrase(confirm: bool) -> str:
    """Return the passphrase of the environment, else one typed unseen."""
    return os.environ.get(PASSPHRASE_VARIABLE) or str(
        typer.prompt("passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    )


def _print_mapping(path: Path, secret: Secret | None, words: str | None) -> None:
    from carabin.pseudonyms.mapping import Lock, MappingError, read_mapping

    if secret is None and words is None:
        raise MappingError("--open-mapping needs what it was sealed with: --key FILE or --passphrase")
    stream: Any = utf8_stdout()
    for record in read_mapping(path, Lock(secret, words)):
        stream.write(json.dumps(record, ensure_ascii=False) + "\n")
