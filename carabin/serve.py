"""The service `carabin serve`, as typed calls.

`create_app` is the ASGI application, for whoever runs a server of their own; `serve` runs it with uvicorn:

1. refuse an address that other machines reach, unless they need a token or somebody said that they need none;
2. take the port, so that a taken one is told before anything is run;
3. answer until SIGTERM or Ctrl-C, then finish what was begun and return.
"""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from carabin.serving.settings import (
    LOOPBACK_HOSTS,
    ServeError,
    ServeSettings,
    check_exposure,
    is_loopback,
    resolve_address,
)

if TYPE_CHECKING:
    from fastapi import FastAPI

    from carabin.annotator import Annotator

__all__ = ["ServeError", "ServeSettings", "create_app", "serve"]

MOST_CONNECTIONS = 512
"""Open at once, idle ones included; a process may often hold 1,024 files."""


def create_app(annotator: Annotator, settings: ServeSettings | None = None) -> FastAPI:
    """Return the service as an ASGI application.

    Args:
        annotator: Answers, from one thread; it is asked once before this returns.
        settings: What is allowed; by default, requests that name this machine as their host, without a token.

    Raises:
        ServeError: the extra `carabin[serve]` is not installed.
        InputError: a threshold is for no label of the student.
        ModelError: the student cannot answer.
    """
    try:
        from carabin.serving.app import build_app
    except ModuleNotFoundError as error:
        raise ServeError(f"package '{error.name}' is not installed; pip install 'carabin[serve]'") from None
    return build_app(annotator, settings or ServeSettings())


def serve(
    annotator: Annotator,
    settings: ServeSettings | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    no_token: bool = False,
    on_start: Callable[[str], None] | None = None,
) -> None:
    """Answer requests until SIGTERM or Ctrl-C; then finish those begun, and return. For the main thread.

    Args:
        annotator: Answers.
        settings: What is allowed.
        host: Where to listen. Beyond loopback, `settings.hosts` still says under which names the service may be asked.
        port: 0 takes a free one.
        no_token: Let other machines ask without a token.
        on_start: Called with the service's address once it listens.

    Raises:
        ServeError: the address is none, is taken, or would let anyone ask.
    """
    settings = settings or ServeSettings()
    family, address = resolve_address(host, port)
    check_exposure(host, address, settings.token, no_token)
    app = create_app(annotator, settings)
    import uvicorn

    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, date_header=False, proxy_headers=False, ws="none",
        lifespan="on", limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=int(settings.timeout_seconds) + 1,
    )  # fmt: skip
    listening = _listen(family, address, port)
    shown = f"[{address}]" if family == socket.AF_INET6 else address
    _log_to_stderr()
    server = uvicorn.Server(config)

    def stop(*_: object) -> None:
        server.should_exit = True

    # uvicorn finishes what was begun, then raises the signal once more for whoever handled it before: that is us, so
    # that the process goes on to its end and exits with 0.
    # Ctrl-Break is what Windows sends to a service that is to end.
    stops = [signal.SIGTERM, signal.SIGINT, *([signal.SIGBREAK] if hasattr(signal, "SIGBREAK") else [])]
    before = {number: signal.signal(number, stop) for number in stops}
    if on_start:
        on_start(f"http://{shown}:{listening.getsockname()[1]}")
    try:
        server.run(sockets=[listening])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def hosts_for(host: str, names: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names under which a service that listens at `host` may be asked: `ServeSettings.hosts`.

    On loopback its own and `names`; elsewhere `names`, or any if there are none: nobody knows how a hospital names its
    machines.
    """
    if is_loopback(resolve_address(host, 0)[1]):
        return (*LOOPBACK_HOSTS, *names)
    return tuple(names) or ("*",)


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    try:
        return socket.create_server((address, port), family=family, backlog=MOST_CONNECTIONS)
    except (OSError, OverflowError) as error:
        cause = getattr(error, "strerror", None) or "no such port"
        raise ServeError(f"{address} port {port}: {cause}; name another with --port (0 takes a free one)") from None


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s"))
    for name, level in (("carabin.serve", logging.INFO), ("uvicorn", logging.WARNING), ("asyncio", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


class _OneLine(logging.Formatter):
    """Leaves out tracebacks: the message of an error may quote a note."""

    def formatException(self, ei: object) -> str:  # noqa: N802 - the name is logging's
        """Return nothing."""
        return ""
