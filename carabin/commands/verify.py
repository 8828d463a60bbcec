"""`carabin verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PublicKey = Annotated[
    Path | None,
    typer.Option(
        "--public-key", envvar="CARABIN_PUBLIC_KEY", metavar="FILE",
        help="The publisher's public key (PEM); with it, a valid signature is required.",
    ),
]  # fmt: skip
RequireSignature = Annotated[
    bool, typer.Option("--require-signature", help="Fail where the signature cannot be checked.")
]


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", show_default=False, help="A student's folder.")],
    public_key: PublicKey = None,
    require_signature: RequireSignature = False,
) -> None:
    """Check every hash and the signature of a student, and that nothing in it can run code."""
    from carabin.verify import describe
    from carabin.verify import verify as check

    for line in describe(check(folder, public_key, require_signature)):
        typer.echo(line)
