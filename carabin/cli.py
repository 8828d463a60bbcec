"""The command `carabin`. Errors are one line on stderr, and no text of a note is ever in them.

Exit codes: 0 done; 1 not done; 2 misused; 3 done, but some documents were set aside; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from carabin.annotate import Report
    from carabin.inputs import BadDocument

app = typer.Typer(
    name="carabin", add_completion=False, pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False, context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip

SET_ASIDE = 3
INTERRUPTED = 130
SHOWN_ERRORS = 20
_INTERRUPTED = "interrupted; --resume goes on from the last part"


def _show_version(wanted: bool) -> None:
    if wanted:
        from carabin import __version__

        typer.echo(f"carabin {__version__}")
        raise typer.Exit


@app.callback()
def _carabin(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Small French medical models, run on CPU with no network."""


@app.command()
def annotate(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...", show_default=False,
            help=".txt, a folder of .txt, .jsonl, .csv (.gz, .xz), .parquet (OMOP NOTE too), or - for standard input.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--output", help="Output file; without it, JSONL on standard output.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A student's folder, or the name of a shipped one.", metavar="DIR")
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="Form of the output, else by its suffix: jsonl, parquet, csv, omop.")
    ] = None,
    fp32: Annotated[bool, typer.Option("--fp32", help="Run the fp32 file even where there is an INT8 one.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; all cores without it.")] = None,
    threshold: Annotated[
        list[str] | None, typer.Option(metavar="LABEL=0.5", help="Least score for a label, or 0.5 for all; repeatable.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was killed.")] = False,
    errors: Annotated[
        Path | None, typer.Option(help="Where documents set aside are listed; OUT.errors.jsonl without it.")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="Column or field of the text.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Column or field of the id.")] = None,
    encoding: Annotated[str, typer.Option(help="Of text and CSV inputs: cp1252 for older Windows software.")] = "utf-8",
    max_characters: Annotated[int, typer.Option(min=1, help="Longer documents are set aside.")] = 10_000_000,
) -> None:
    """Find the entities of documents."""
    from carabin.annotate import JobOptions, annotate_files
    from carabin.inputs import ReadOptions

    reading = ReadOptions(text_column, id_column, encoding, max_characters)
    options = JobOptions(to, fp32, threads, read_thresholds(threshold or ()), resume, errors, reading)
    shown = ErrorLines()
    with Progress() as progress:
        report = annotate_files(
            inputs, out, model, options, stream=_utf8_stdout(), on_progress=progress.update, on_error=shown
        )
    if out is not None or report.errors:
        typer.echo(summary(report, out), err=True)
    if report.errors:
        raise typer.Exit(SET_ASIDE)


def read_thresholds(values: Sequence[str]) -> dict[str, float]:
    """Return label -> least score from `LABEL=0.5` and `0.5`. Raises InputError: not of that form."""
    from carabin.inputs import InputError

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


class ErrorLines:
    """Prints the first documents set aside, where there is no errors file."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, problem: BadDocument) -> None:
        """Print one line, up to the limit."""
        self.count += 1
        if self.count <= SHOWN_ERRORS:
            typer.echo(f"carabin: {problem.to_dict()['where']}: {problem.cause}", err=True)
        elif self.count == SHOWN_ERRORS + 1:
            typer.echo("carabin: more were set aside; --errors FILE lists them all", err=True)


class Progress:
    """A count on stderr, if that is a terminal and the work takes more than two seconds."""

    delay = 2.0

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.bar: Any = None
        self.task: Any = None

    def __enter__(self) -> Progress:
        return self

    def update(self, done: int) -> None:
        """Show that `done` documents are done."""
        if self.bar is None and (not sys.stderr.isatty() or time.monotonic() - self.began < self.delay):
            return
        if self.bar is None:
            from rich.console import Console
            from rich.progress import Progress as Bar
            from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

            columns = SpinnerColumn(), TextColumn("{task.completed:,.0f} documents"), TimeElapsedColumn()
            self.bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self.task = self.bar.add_task("annotate", total=None)
            self.bar.start()
        self.bar.update(self.task, completed=done)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()


def _utf8_stdout() -> Any:  # noqa: ANN401 - a text stream whose encoding can be set, which no public type says
    # A Windows console or LANG=C would otherwise fail on the first accent.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    return sys.stdout


def main() -> None:
    """Run the command; whatever fails becomes one line and an exit code."""
    try:
        code = app(standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        _fail(_INTERRUPTED, INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has enough. Python would complain once more while closing it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    except Exception as error:
        # Typer takes its errors of use from click, or since 0.29 from a copy of it: only their shape is stable.
        usage = getattr(error, "format_message", None)
        _fail(f"{' '.join(usage().split())} (see --help)" if usage else explain(error), getattr(error, "exit_code", 1))
    if code == INTERRUPTED:
        _fail(_INTERRUPTED, INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


def explain(error: Exception) -> str:
    """Return one line for an error: our own messages whole, of others only what cannot quote a note."""
    from carabin.inputs import InputError
    from carabin.journal import JournalError
    from carabin.outputs import OutputError
    from carabin.student_folder import ModelError

    if isinstance(error, InputError | OutputError | ModelError | JournalError):
        return " ".join(str(error).split())
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror or type(error).__name__}; once that is mended, --resume goes on"
    if isinstance(error, ModuleNotFoundError):
        return f"package '{error.name}' is not installed; pip install it"
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"unexpected {type(error).__name__}{place}; please report it (no text of yours is in this line)"


def _fail(message: str, code: int) -> None:
    sys.stderr.write(f"carabin: {message}\n")
    sys.exit(code)
