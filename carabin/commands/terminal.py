"""What the commands share: exit codes, a count of the work done, the lines for documents set aside."""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from carabin.errors import CarabinError

if TYPE_CHECKING:
    from types import TracebackType

    from carabin.formats import BadDocument

SET_ASIDE = 3
INTERRUPTED = 130
NOT_READ = 141
"""What a shell says of a program that wrote to a closed pipe: 128 + SIGPIPE."""
SHOWN_ERRORS = 20


def is_unread(error: BaseException | None) -> bool:
    """Tell whether an error says that nobody reads our output any more: of a closed pipe Windows says EINVAL."""
    if isinstance(error, BrokenPipeError):
        return True
    nameless = isinstance(error, OSError) and error.errno == errno.EINVAL and error.filename is None
    return nameless and sys.platform == "win32"


class StoppedError(CarabinError):
    """A run that was stopped from outside, and can go on."""

    exit_code = 1


class InterruptedRunError(StoppedError):
    """Ctrl-C."""

    exit_code = INTERRUPTED


@contextmanager
def resumable(out: Path | None) -> Iterator[None]:
    """Say of what stops a run with an output that the same command with --resume goes on.

    Raises:
        StoppedError: the disk is full, a folder is not to be written, someone pressed Ctrl-C.
    """
    try:
        yield
    except (KeyboardInterrupt, BrokenPipeError) as error:
        if out is None or isinstance(error, BrokenPipeError):
            raise
        raise InterruptedRunError(f"{out}: interrupted; the same command with --resume goes on") from None
    except OSError as error:
        if out is None:
            raise
        cause = error.strerror or type(error).__name__
        raise StoppedError(
            f"{error.filename or out}: {cause}; once that is mended, the same command with --resume goes on"
        ) from None


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


def utf8_stdout() -> Any:  # noqa: ANN401 - a text stream whose encoding can be set, which no public type says
    """Return standard output, set to UTF-8 and plain line ends. Raises OutputError: it is closed."""
    if sys.stdout is None:
        from carabin.formats import OutputError

        raise OutputError("standard output is closed; open it, or name a file to write to")
    # A Windows console or LANG=C would otherwise fail on the first accent.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="strict", newline="\n")
    return sys.stdout
