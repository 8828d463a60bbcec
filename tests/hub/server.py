"""A loopback server that speaks the Hugging Face Hub's HTTP API well enough for the stock clients.

The point is to test publishing and downloading as they are, through huggingface_hub, transformers and datasets, with no
network and no account. Written from what huggingface_hub 2.4 sends and expects. **Xet is left out**: clients must set
`HF_HUB_DISABLE_XET=1`, or uploads of large files fail, since the library has no fallback.

Try it by hand:

    python -m tests.hub.server --root runs/hub --port 8100
    HF_ENDPOINT=http://127.0.0.1:8100 HF_TOKEN=hf_alice HF_HUB_DISABLE_XET=1 hf repos create alice/essai
"""

import secrets
import socket
import threading
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote

import typer
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.hub import discussion_routes, file_routes, git_routes, repository_routes
from tests.hub.access import HubError, HubState, RecordedRequest, User

USERS = {
    "hf_alice": User("alice", ("hospital",)),
    "hf_bob": User("bob"),
}
"""Token to user: alice publishes for herself and for the organisation `hospital`, bob only reads."""


class KeepEncodedSlashes:
    """Middleware that keeps `%2F` inside one path segment, where revisions such as `refs%2Fpr%2F1` have it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            segments = scope["raw_path"].decode().split("?")[0].split("/")
            path = "/".join(unquote(segment).replace("/", "%2F") for segment in segments)
            scope = {**scope, "path": path}
        await self.app(scope, receive, send)


class RecordRequests:
    """Middleware that notes every request with its status, and refuses those that a test asked to fail."""

    def __init__(self, app: ASGIApp, hub: HubState) -> None:
        self.app, self.hub = app, hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def record(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.hub.requests.append(RecordedRequest(scope["method"], scope["path"], message["status"]))
            await send(message)

        for failure in self.hub.failures:
            method, part, status = failure
            if method == scope["method"] and part in scope["path"]:
                self.hub.failures.remove(failure)
                response = JSONResponse({"error": "The test asked for this failure"}, status)
                await response(scope, receive, record)
                return
        await self.app(scope, receive, record)


async def show_error(request: Request, error: Exception) -> Response:
    """Answer an error in the Hub's form; an unknown path, too, must look like an answer of the Hub."""
    if not isinstance(error, HTTPException):
        raise error
    if not isinstance(error, HubError):
        error = HubError(error.status_code, f"{request.method} {request.url.path}: {error.detail}")
    headers = {**(error.headers or {}), "X-Request-Id": secrets.token_hex(8)}
    return JSONResponse({"error": error.detail}, error.status_code, headers)


def make_app(hub: HubState) -> ASGIApp:
    """Return the web application that serves a Hub."""
    routes = [
        *repository_routes.routes,
        *git_routes.routes,
        *discussion_routes.routes,
        *file_routes.routes,
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: show_error})
    app.state.hub = hub
    return KeepEncodedSlashes(RecordRequests(app, hub))


class LoopbackServer:
    """A Hub that listens on 127.0.0.1 from a thread of this process.

    Args:
        root: Folder that receives the files.
        port: Port to listen on, 0 for any free one.
    """

    def __init__(self, root: Path, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.state = HubState.create(root, url, USERS)
        config = uvicorn.Config(make_app(self.state), log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        # uvicorn listens when it starts; a client that is faster waits in the queue instead of being refused.
        self._socket.listen(128)
        self.thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def start(self) -> None:
        """Start answering."""
        self.thread.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        self._server.should_exit = True
        self.thread.join(timeout=10)
        self._socket.close()


def main(
    root: Annotated[Path, typer.Option(help="Folder that receives the files.")],
    port: Annotated[int, typer.Option(help="Port to listen on, 0 for any free one.")] = 8100,
) -> None:
    """Serve an empty Hub on 127.0.0.1 until interrupted."""
    server = LoopbackServer(root, port)
    server.start()
    typer.echo(f"HF_ENDPOINT={server.state.url} HF_HUB_DISABLE_XET=1 HF_TOKEN=<one of {', '.join(USERS)}>")
    try:
        server.thread.join()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    typer.run(main)
