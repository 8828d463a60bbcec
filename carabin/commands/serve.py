"""`carabin serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from carabin.commands.options import Engine, Model, NamesFile, Threads, Threshold, split_thresholds


def serve(
    model: Model = None,
    host: Annotated[str, typer.Option(help="Where to listen; any but this machine's own wants a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Holds the bearer token; else the variable CARABIN_TOKEN does.")
    ] = None,
    no_token: Annotated[bool, typer.Option("--no-token", help="Let other machines ask without a token.")] = False,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Name under which the service may be asked; repeatable.")
    ] = None,
    engine: Engine = None,
    threads: Threads = None,
    threshold: Threshold = None,
    names: NamesFile = None,
    queue: Annotated[int, typer.Option(min=1, help="Requests that may wait; one more is answered 429.")] = 32,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for a request, waiting included.")] = 30.0,
    max_body: Annotated[int, typer.Option(min=1, help="Bytes of a request.")] = 4_000_000,
    max_documents: Annotated[int, typer.Option(min=1, help="Documents of a request.")] = 256,
    max_characters: Annotated[int, typer.Option(min=1, help="Code points of a document.")] = 300_000,
    access_log: Annotated[bool, typer.Option(help="Log a line a request, without anything of its text.")] = True,
) -> None:
    """Answer over HTTP, and show a page where a text can be pasted."""
    from carabin.serve import ServeSettings, hosts_for
    from carabin.serve import serve as serve_forever
    from carabin.serving.settings import is_loopback, read_token, resolve_address

    thresholds, calibrated = split_thresholds(threshold or ())
    settings = ServeSettings(
        queue, timeout, max_body, max_documents, max_characters, thresholds, calibrated,
        read_token(token_file), hosts_for(host, allow_host or ()), access_log,
    )  # fmt: skip
    from carabin.annotator import Annotator
    from carabin.student_folder import find_student

    annotator = Annotator.load(find_student(model), threads=threads, engine=engine, names=names)

    def announce(address: str) -> None:
        typer.echo(f"{annotator.model_id}@{annotator.model_version} answers at {address} (Ctrl-C stops)", err=True)
        if not is_loopback(resolve_address(host, port)[1]):
            typer.echo("texts travel in clear: let a proxy with TLS stand between this and other machines", err=True)

    serve_forever(annotator, settings, host, port, no_token, announce)
    typer.echo("stopped; every request taken in was answered", err=True)
