"""`carabin pull`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from carabin.commands.terminal import INTERRUPTED
from carabin.commands.verify import PublicKey, RequireSignature
from carabin.errors import CarabinError


class PullInterruptedError(CarabinError):
    """Ctrl-C, where nothing is lost."""

    exit_code = INTERRUPTED


def pull(
    student: Annotated[
        str, typer.Argument(metavar="ID@REVISION", show_default=False, help="As organisation/name@v1.0, or @commit.")
    ],
    to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A new folder; without it the student store, CARABIN_STUDENTS."),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option(
            "--mirror", "--endpoint", envvar="HF_ENDPOINT", metavar="URL", help="A Hub in place of the public."
        ),
    ] = None,
    public_key: PublicKey = None,
    require_signature: RequireSignature = False,
) -> None:
    """Get a student from the Hub or a mirror, and verify it before it is put in its place."""
    from carabin.pull import pull as fetch
    from carabin.verify import describe

    try:
        pulled = fetch(student, to, mirror, public_key, require_signature)
    except KeyboardInterrupt:
        raise PullInterruptedError("interrupted; pull again, what was fetched whole is kept") from None
    exact = f"{pulled.student.repository}@{pulled.commit}"
    typer.echo(f"{pulled.student} is {exact}{', already here' if pulled.found else ''}")
    for line in describe(pulled.verification):
        typer.echo(line)
    typer.echo(f"use it: carabin annotate NOTES --model {to or (pulled.student if pulled.student.revision else exact)}")
