"""The service itself: which address answers what.

    POST /annotate      one document or a list of them
    GET  /model         who answers: name, version, labels, limits
    GET  /health        ready or not; /health/live and /health/ready for orchestrators
    GET  /metrics       for Prometheus
    GET  /openapi.json  the description of the above
    GET  /              a page for people, made of files of this package

There is no Swagger page: its assets come from a CDN, which a hospital does not reach.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from carabin import __version__
from carabin.serving.desk import Desk, Order, until_hung_up
from carabin.serving.forms import (
    AnnotatedDocument,
    AnnotateOptions,
    ProblemDetails,
    read_documents,
    read_thresholds,
    request_body_schema,
)
from carabin.serving.positions import UNITS
from carabin.serving.problems import MEDIA_TYPE, Problem
from carabin.serving.settings import ServeSettings
from carabin.serving.shell import Shell

if TYPE_CHECKING:
    from carabin.annotator import Annotator

PAGE_FILES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "words.js": ("words.js", "text/javascript; charset=utf-8"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}

# FastAPI would trace every request, its body included, for whoever set up OpenTelemetry in the environment.
_NO_TELEMETRY = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False}

_BEARER = HTTPBearer(auto_error=False, description="The token of this service.")

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "content": {MEDIA_TYPE: {"schema": ProblemDetails.model_json_schema()}}}
    for status, description in {
        400: "Not JSON", 401: "No token, or not that one", 408: "The body came too slowly",
        413: "A body, a text or a list too long", 415: "Not application/json",
        422: "A document or an option that cannot be read", 429: "The queue is full: see Retry-After",
        500: "The engine failed", 503: "Not done in time: see Retry-After",
    }.items()
}  # fmt: skip


def build_app(annotator: Annotator, settings: ServeSettings) -> FastAPI:
    """Return the service as an ASGI application; the student has answered once. See `carabin.serve.create_app`."""
    desk = Desk(annotator, settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await desk.close()

    app = FastAPI(
        title="Carabin", version=__version__, summary="Entities in French medical texts", lifespan=lifespan,
        openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, telemetry=_NO_TELEMETRY,
    )  # fmt: skip
    app.state.desk = desk
    # The last one added is the outermost.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(settings.hosts), www_redirect=False)
    app.add_middleware(Shell, observe=desk.metrics.observe, access_log=settings.access_log)
    app.add_exception_handler(Problem, _answer_problem)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_bad_option)
    _add_service(app, [] if settings.token is None else [Depends(_guard(settings.token))])
    _add_page(app)
    return app


def _add_service(app: FastAPI, guards: list[Any]) -> None:
    app.post(
        "/annotate", operation_id="annotate", dependencies=guards, summary="Find the entities",
        response_model=AnnotatedDocument | list[AnnotatedDocument],
        responses=_PROBLEMS, openapi_extra={"requestBody": request_body_schema()},
    )(_annotate)  # fmt: skip
    app.get("/model", operation_id="model", dependencies=guards, summary="Who answers, with which labels and limits")(
        _describe_model
    )
    app.get(
        "/metrics", operation_id="metrics", dependencies=guards, summary="Measures for Prometheus",
        response_class=PlainTextResponse,
    )(_metrics)  # fmt: skip
    app.get("/health", operation_id="health", summary="As /health/ready")(_ready)
    app.get("/health/ready", operation_id="ready", summary="The student is loaded and has answered once")(_ready)
    app.get("/health/live", operation_id="live", summary="The process answers")(_live)
    for address, answer in (("/health", _ready), ("/health/ready", _ready), ("/health/live", _live)):
        # Load balancers ask without wanting the body.
        app.head(address, include_in_schema=False)(answer)
    app.get("/openapi.json", include_in_schema=False)(_describe_service)


async def _annotate(request: Request, options: Annotated[AnnotateOptions, Query()]) -> Response:
    """Return the documents with their entities. All or nothing: one that cannot be read refuses the request."""
    desk: Desk = request.app.state.desk
    _check_media_type(request)
    thresholds = desk.thresholds
    if options.threshold:
        thresholds = read_thresholds(options.threshold, desk.annotator.labels, desk.annotator.thresholds)
    desk.take()
    deadline = asyncio.get_running_loop().time() + desk.settings.timeout_seconds
    try:
        body = await _read_body(request, desk.settings.max_body_bytes, deadline)
        documents, single = read_documents(body, desk.settings)
        job = desk.submit(Order(documents, single, thresholds, options.offsets))
    except BaseException:
        desk.release()
        raise
    del body
    answer = await desk.answer(job, deadline, until_hung_up(request.receive))
    return Response(answer, media_type="application/json")


def _check_media_type(request: Request) -> None:
    # Another site's page may send text/plain to this machine without asking the browser, but not JSON.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "not-json", "send Content-Type: application/json")


async def _read_body(request: Request, most: int, deadline: float) -> bytes:
    too_large = Problem(413, "body-too-large", f"the body is longer than {most} bytes; send it in parts")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout_at(deadline):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise too_large
    except TimeoutError:
        raise Problem(408, "slow-body", "the body came too slowly; send it at once") from None
    return bytes(body)


def _guard(token: str) -> Callable[..., None]:
    """Return the dependency that lets a request through."""
    expected = token.encode("ascii")

    def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> None:
        if given is None or not hmac.compare_digest(given.credentials.encode("utf-8"), expected):
            detail = "send Authorization: Bearer and the token of this service"
            raise Problem(401, "token", detail, {"WWW-Authenticate": "Bearer"})

    return check


async def _describe_model(request: Request) -> dict[str, Any]:
    desk: Desk = request.app.state.desk
    settings = desk.settings
    limits = {
        "body_bytes": settings.max_body_bytes, "documents": settings.max_documents,
        "characters": settings.max_characters, "seconds": settings.timeout_seconds, "queue": settings.queue,
    }  # fmt: skip
    return {
        "model": desk.model,
        "id": desk.annotator.model_id,
        "version": desk.annotator.model_version,
        "labels": list(desk.annotator.labels),
        "thresholds": desk.thresholds,
        "calibrated": dict(desk.annotator.thresholds),
        "offsets": list(UNITS),
        "limits": limits,
        "software": f"carabin {__version__}",
    }


async def _metrics(request: Request) -> Response:
    return Response(request.app.state.desk.metrics.page(), media_type=CONTENT_TYPE_LATEST)


async def _describe_service(request: Request) -> dict[str, Any]:
    description: dict[str, Any] = request.app.openapi()
    return description


async def _live() -> dict[str, str]:
    return {"status": "live"}


async def _ready(request: Request) -> JSONResponse:
    ready = request.app.state.desk.ready
    return JSONResponse({"status": "ready" if ready else "not ready"}, 200 if ready else 503)


def _add_page(app: FastAPI) -> None:
    folder = files("carabin.serving") / "page"
    for address, (name, media_type) in PAGE_FILES.items():
        content = (folder / name).read_bytes()

        send_file = partial(_send_file, content, media_type)
        app.api_route(f"/{address}", methods=["GET", "HEAD"], include_in_schema=False)(send_file)


async def _send_file(content: bytes, media_type: str) -> Response:
    return Response(content, media_type=media_type)


async def _answer_problem(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return problem.response()


async def _answer_http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    details = {404: "no such address; /openapi.json lists them", 405: "not with that method; see /openapi.json"}
    detail = details.get(error.status_code, "the request cannot be read")
    return Problem(error.status_code, "http", detail, error.headers).response()


async def _answer_bad_option(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # FastAPI's own answer gives back what was sent, which may be a text in the wrong place.
    known = {name: str(found["msg"]) for found in error.errors() for name in found["loc"][1:2]
             if name in AnnotateOptions.model_fields}  # fmt: skip
    causes = [f"{name}: {message}" for name, message in known.items()]
    detail = "; ".join(causes) or f"unknown option; there are {', '.join(AnnotateOptions.model_fields)}"
    return Problem(422, "bad-option", detail).response()
