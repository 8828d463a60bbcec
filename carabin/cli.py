"""The command `carabin`. Errors are one line on stderr, and no text of a note is ever in them.

Exit codes: 0 done; 1 not done; 2 misused; 3 done, but some documents were set aside; 130 interrupted; 141 whoever read
the output closed it before its end (`| head`), as for every program that SIGPIPE ends.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, NoReturn, TextIO

import typer

from carabin.commands.annotate import annotate
from carabin.commands.bench import bench
from carabin.commands.evaluate import evaluate
from carabin.commands.exercise import exercise
from carabin.commands.pseudonymise import pseudonymise
from carabin.commands.pull import pull
from carabin.commands.serve import serve
from carabin.commands.summarise import summarise
from carabin.commands.terminal import INTERRUPTED, NOT_READ, is_unread
from carabin.commands.verify import verify
from carabin.errors import CarabinError

app = typer.Typer(
    name="carabin", add_completion=False, pretty_exceptions_enable=False,
    no_args_is_help=True, pretty_exceptions_show_locals=False, context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip

_INTERRUPTED = "interrupted"


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


# The order of `carabin --help`.
app.command()(annotate)
app.command()(pseudonymise)
app.command()(summarise)
app.command()(exercise)
app.command()(evaluate)
app.command()(pull)
app.command()(verify)
app.command()(serve)
app.command()(bench)


def main() -> None:
    """Run the command; whatever fails becomes one line and an exit code."""
    _print_in_any_locale()
    warnings.showwarning = _show_warning
    try:
        code = app(standalone_mode=False, prog_name="carabin")
        if sys.stdout is not None:
            # What fails here would else fail after our last word, as an exception that Python ignores.
            sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        _fail(_INTERRUPTED, INTERRUPTED)
    except SystemExit as leave:
        # Typer and rich each leave with 1 where nobody reads any more.
        if is_unread(leave.__context__):
            _leave_unread()
        raise
    except Exception as error:
        if is_unread(error):
            _leave_unread()
        # Typer takes its errors of use from click, or since 0.29 from a copy of it: only their shape is stable.
        usage = getattr(error, "format_message", None)
        code = getattr(error, "exit_code", 1)
        message = " ".join(usage().split()) if usage else explain(error)
        if usage and not message:
            # `carabin` alone: its help is printed already.
            sys.exit(code)
        _fail(f"{message} (see --help)" if usage else message, code)
    if code == INTERRUPTED:
        _fail(_INTERRUPTED, INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


def explain(error: Exception) -> str:
    """Return one line for an error: our own messages whole, of others only what cannot quote a note."""
    if isinstance(error, CarabinError):
        return " ".join(str(error).split())
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror or type(error).__name__}"
    if isinstance(error, ModuleNotFoundError):
        return f"package '{error.name}' is not installed; pip install it"
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"unexpected {type(error).__name__}{place}; please report it (no text of yours is in this line)"


def _print_in_any_locale() -> None:
    """Let help and messages print where the terminal's encoding lacks a character of theirs."""
    for stream, errors in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=errors)


def _leave_unread() -> NoReturn:
    """Leave without a word: Python would complain once more while it closes the pipe."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nothing, stream)
    sys.exit(NOT_READ)


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None,
    line: str | None = None,
) -> None:  # fmt: skip
    """Print a warning of ours as one line, and of others only what cannot quote a note."""
    ours = category.__module__.partition(".")[0] == "carabin"
    _say(str(message) if ours else f"{category.__name__} at {Path(filename).name}:{lineno}")


def _fail(message: str, code: int) -> NoReturn:
    _say(message)
    sys.exit(code)


def _say(message: str) -> None:
    # A file may be called what a terminal obeys.
    shown = "".join(character if character.isprintable() else "?" for character in message)
    sys.stderr.write(f"carabin: {shown}\n")
