"""Errors as a client sees them: RFC 9457 problem details, with a code for programs and a sentence for people.

No problem quotes a note: it says where the fault stands and what it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.responses import Response

from carabin.errors import CarabinError

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """A request that is not answered, and why."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Describe the problem.

        Args:
            status: Of HTTP.
            code: Stable, for programs: `queue-full`, `body-too-large`, …
            detail: One sentence: the thing, the cause, the way out.
            headers: Further headers of the answer.
            extra: Further members of the answer, such as the documents at fault.
        """
        super().__init__(code)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.extra = headers or {}, extra or {}

    def response(self) -> Response:
        """Return the answer."""
        return Response(json.dumps(self.record()), self.status, dict(self.headers), MEDIA_TYPE)

    def record(self) -> dict[str, Any]:
        """Return the members of the answer."""
        title = HTTPStatus(self.status).phrase
        return {"title": title, "status": self.status, "code": self.code, "detail": self.detail, **self.extra}


def unexpected(error: Exception) -> Problem:
    """Return the problem for a failure of ours: our own messages whole, of others only the kind, which quotes nothing.

    `place_of` says more, for the log.
    """
    if isinstance(error, CarabinError):
        return Problem(500, "engine-failed", " ".join(str(error).split()))
    return Problem(500, "unexpected", f"unexpected {type(error).__name__}; the service's log says where")


def place_of(error: BaseException) -> str:
    """Return an error's kind and where it was raised: no message, which may quote a note, and no traceback."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{place}"
