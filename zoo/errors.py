"""How a script ends on an error: in one line where it says what to do, in a traceback where it is a fault of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from carabin.errors import CarabinError


@contextmanager
def one_line_errors(step: str) -> Iterator[None]:
    """Print an error that is meant for whoever runs the step, all of one kind, as `<step>: …`, and exit with 2.

    Any other exception passes: nobody should have to guess where it came from.
    """
    try:
        yield
    except CarabinError as error:
        typer.echo(f"{step}: {error}", err=True)
        raise typer.Exit(2) from None
