"""What surrounds every request: headers, one log line, counts, and a failure that is told without a traceback."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from carabin.serving.desk import ClientGone
from carabin.serving.problems import place_of, unexpected

LOGGER = logging.getLogger("carabin.serve")

CLIENT_GONE = 499
"""As nginx writes it: the client hung up before its answer."""

# The page loads its own files and asks its own service; nothing else may run, be loaded, be framed or be
# sent, and no string is ever taken for HTML.
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_METHODS = ("GET", "HEAD", "POST")


class Shell:
    """ASGI middleware around the whole service."""

    def __init__(self, app: ASGIApp, observe: Callable[[str, str, int, float], None], access_log: bool) -> None:
        self.app = app
        self.observe = observe
        self.access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and see it off."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def send_on(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, send_on)
        except (ClientGone, ClientDisconnect):
            status = CLIENT_GONE
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body"})
        except Exception as error:
            LOGGER.error("request failed: %s", place_of(error))
            if status:
                raise ConnectionAbortedError from None  # the answer is half sent: the server closes the connection
            await unexpected(error).response()(scope, receive, send_on)
        finally:
            self._see_off(scope, status, time.perf_counter() - began)

    def _see_off(self, scope: Scope, status: int, seconds: float) -> None:
        # What a client makes up (method, path, query) may hold anything, a name for instance: it is never written.
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", "other")
        self.observe(method, route, status, seconds)
        if self.access_log:
            client = scope["client"][0] if scope.get("client") else "-"
            LOGGER.info("%s %s %s %d %d ms", client, method, route, status, round(seconds * 1000))
