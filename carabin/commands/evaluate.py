"""`carabin evaluate`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carabin.commands.options import (
    LONGEST,
    CasLabel,
    CasType,
    Encoding,
    Engine,
    From,
    IdColumn,
    MaxCharacters,
    Model,
    NamesFile,
    TextColumn,
    Threads,
    Threshold,
    TypeSystem,
    split_thresholds,
)
from carabin.commands.terminal import SET_ASIDE, ErrorLines, Progress, utf8_stdout
from carabin.outputs import check_report_places, is_stdout, write_report

if TYPE_CHECKING:
    from carabin.formats import BadDocument


def evaluate(
    gold: Annotated[
        list[str],
        typer.Argument(
            metavar="GOLD...",
            show_default=False,
            help="Annotated documents: .jsonl, .parquet, UIMA CAS .json and .xmi, Label Studio .json, a BRAT folder.",
        ),
    ],
    model: Model = None,
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="OTHER", help="Score another annotator's files instead: F1 and Cohen's kappa."),
    ] = None,
    preannotated: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="The pre-annotation that GOLD was corrected from: what was kept, what changed."
        ),
    ] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="LABEL", help="Score this label only; repeatable.")] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="OLD=NEW", help="Rename a label of the files; OLD= leaves it out. Repeatable."),
    ] = None,
    engine: Engine = None,
    threads: Threads = None,
    threshold: Threshold = None,
    names: NamesFile = None,
    json_: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the whole record; - for standard output.")
    ] = None,
    document_ids: Annotated[
        bool, typer.Option("--document-ids", help="Name each document in the record; it then stays in the hospital.")
    ] = False,
    errors: Annotated[Path | None, typer.Option(help="Where documents set aside are listed.")] = None,
    from_: From = None,
    predictions: Annotated[
        bool,
        typer.Option(
            "--predictions",
            help="Of Label Studio tasks, read the last prediction, not what people annotated: of --preannotated and "
            "--against, or of GOLD without these.",
        ),
    ] = False,
    text_column: TextColumn = None,
    id_column: IdColumn = None,
    encoding: Encoding = "utf-8",
    max_characters: MaxCharacters = LONGEST,
    typesystem: TypeSystem = None,
    cas_type: CasType = None,
    cas_label: CasLabel = None,
) -> None:
    """Score a student, a pre-annotation or a second annotator on annotated documents. Only counts come out."""
    from carabin.evaluate import EvaluateOptions, evaluate_agreement, evaluate_corrections, evaluate_model
    from carabin.formats import ReadOptions

    check_choice(model, against, preannotated, threshold, names)
    check_report_places([*gold, *(against or ()), *(preannotated or ())], (json_, errors))
    reading = ReadOptions(
        text_column, id_column, encoding, max_characters, from_, typesystem, cas_type, cas_label, predictions
    )
    thresholds, calibrated = split_thresholds(threshold or ())
    options = EvaluateOptions(
        read_renames(map_ or ()), label, engine, threads, thresholds, calibrated, document_ids, reading, names=names
    )
    shown = ErrorLog(errors)
    with Progress() as progress:
        if against:
            record = evaluate_agreement(gold, against, options, progress.update, shown)
        elif preannotated:
            record = evaluate_corrections(preannotated, gold, options, progress.update, shown)
        else:
            record = evaluate_model(gold, model, options, progress.update, shown)
    shown.close()
    write_record(record, json_)
    if shown.problems:
        raise typer.Exit(SET_ASIDE)


class ErrorLog(ErrorLines):
    """Prints the first documents set aside, and lists them all in a file if there is one."""

    def __init__(self, path: Path | None) -> None:
        super().__init__()
        self.path = path
        self.problems: list[BadDocument] = []

    def __call__(self, problem: BadDocument) -> None:
        """Take note of one."""
        self.problems.append(problem)
        if self.path is None:
            super().__call__(problem)

    def close(self) -> None:
        """Write the file."""
        if self.path is not None:
            lines = (json.dumps(problem.to_dict(), ensure_ascii=False) + "\n" for problem in self.problems)
            write_report(self.path, "".join(lines))


def check_choice(
    model: str | None,
    against: Sequence[str] | None,
    preannotated: Sequence[str] | None,
    threshold: Sequence[str] | None,
    names: Path | None,
) -> None:
    """Raise InputError if what is asked for does not go together."""
    from carabin.formats import InputError

    if sum(map(bool, (model, against, preannotated))) > 1:
        raise InputError("--model, --against and --preannotated each compare GOLD with something else: choose one")
    if threshold and (against or preannotated):
        raise InputError("--threshold is for a student's scores: leave it out beside --against and --preannotated")
    if names and (against or preannotated):
        raise InputError("--names stand beside what a student finds: leave it out beside --against and --preannotated")


def read_renames(values: Sequence[str]) -> dict[str, str]:
    """Return label -> label from `OLD=NEW`; empty where OLD is left out. Raises InputError: not of that form."""
    from carabin.formats import InputError

    renames = {}
    for value in values:
        old, separator, new = value.partition("=")
        if not separator or not old:
            raise InputError(f"--map {value}: expected OLD=NEW, or OLD= to leave a label out")
        renames[old] = new
    return renames


def write_record(record: Mapping[str, Any], path: Path | None) -> None:
    """Print the tables, or the record itself on standard output; write it to a file if one is named."""
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    if path is not None and (str(path) == "-" or is_stdout(path)):
        utf8_stdout().write(text)
        return
    from rich.console import Console

    from carabin.commands.evaluation_tables import print_tables

    stream = utf8_stdout()
    # A pipe has no width of its own; a narrow table would be cut there.
    console = Console(file=stream, width=None if stream.isatty() else 120, highlight=False)
    print_tables(record, console)
    if path is not None:
        write_report(path, text)
        console.print(f"wrote {path}", markup=False, soft_wrap=True)
