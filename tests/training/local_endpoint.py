"""A real HTTP server on loopback that speaks `/v1/chat/completions`, so that retries meet real sockets.

Behind it stands a `Brain`: `Oracle`, which answers from gold with a chosen damage, or `TinyModel`, a causal language
model of random weights, whose answers are noise.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from carabin.documents import Document


class Reply(NamedTuple):
    """What a brain says, and why it stopped."""

    content: str | None
    finish_reason: str = "stop"
    refusal: str | None = None


Brain = Callable[[str, int], Reply]
"""Takes the passage asked about and the limit of tokens."""


class Trouble(NamedTuple):
    """What the server does instead of answering: a status, a broken line (`drop`), a slow answer, another body."""

    status: int = 200
    headers: dict[str, str] = {}  # noqa: RUF012
    drop: bool = False
    sleep: float = 0.0
    body: bytes | None = None


@dataclass
class Endpoint:
    """A running server: its address, what was asked, and the troubles that the next requests meet, one each."""

    url: str
    brain: Brain
    key: str | None = None
    troubles: list[Trouble] = field(default_factory=list)
    passages: list[str] = field(default_factory=list)
    """Of the requests that were answered."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    authorizations: Counter[str] = field(default_factory=Counter)
    arrivals: list[float] = field(default_factory=list)
    usage: bool = True
    busiest: int = 0
    _busy: int = 0

    async def answer(self, request: Request) -> Response:
        """Serve one chat completion."""
        self.arrivals.append(time.monotonic())
        self.authorizations[request.headers.get("authorization", "")] += 1
        self._busy += 1
        self.busiest = max(self.busiest, self._busy)
        try:
            body = await request.json()
            self.bodies.append(body)
            trouble = self.troubles.pop(0) if self.troubles else Trouble()
            if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
                trouble = Trouble(401)
            if trouble.sleep:
                await anyio.sleep(trouble.sleep)
            if trouble.drop:
                return _Dropped()
            if trouble.body is not None or trouble.status != 200:
                return Response(trouble.body or b"{}", trouble.status, dict(trouble.headers))
            return await self._complete(body)
        finally:
            self._busy -= 1

    async def _complete(self, body: dict[str, Any]) -> Response:
        passage = body["messages"][-1]["content"].removeprefix("<texte>\n").removesuffix("\n</texte>")
        reply = await anyio.to_thread.run_sync(self.brain, passage, body["max_tokens"])
        self.passages.append(passage)
        message = {"role": "assistant", "content": reply.content} | (
            {"refusal": reply.refusal} if reply.refusal else {}
        )
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
        answer = {"id": "1", "object": "chat.completion", "created": 0, "model": body["model"], "choices": [choice]}
        return JSONResponse(answer | ({"usage": usage} if self.usage else {}))


class _Dropped(Response):
    """Announces more than it sends, and hangs up."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"choi', "more_body": False})


@contextmanager
def serve(brain: Brain, **options: Any) -> Iterator[Endpoint]:
    """Run a server on a free port of loopback until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    endpoint = Endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", brain, **options)
    app = Starlette(routes=[Route("/v1/chat/completions", endpoint.answer, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield endpoint
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


Item = dict[str, str]


class Oracle:
    """Answers from gold: the entities that lie in the passage asked about, in order, through a damage."""

    def __init__(
        self,
        documents: Sequence[Document],
        damage: Callable[[list[Item]], list[Item]] = lambda items: items,
        wrap: Callable[[str], Reply] = Reply,
    ) -> None:
        """Hold the gold.

        Args:
            documents: Those asked about, whole or in passages.
            damage: Of the list of entities.
            wrap: Makes the reply of the JSON text.
        """
        self.documents, self.damage, self.wrap = documents, damage, wrap

    def __call__(self, passage: str, max_tokens: int) -> Reply:
        """Answer about a passage."""
        for document in self.documents:
            start = document.text.find(passage)
            if start >= 0:
                end = start + len(passage)
                inside = [entity for entity in document.entities if start <= entity.start and entity.end <= end]
                items = [{"surface": document.text[one.start : one.end], "label": one.label} for one in inside]
                return self.wrap(json.dumps({"entities": self.damage(items)}, ensure_ascii=False))
        raise AssertionError("asked about a text of no document")


class TinyModel:
    """A GPT-2 of random weights over bytes: it really generates, and says nothing."""

    def __init__(self) -> None:
        """Make the model, by seed."""
        import torch
        from transformers import GPT2Config, GPT2LMHeadModel

        torch.manual_seed(1)
        self.model = GPT2LMHeadModel(GPT2Config(vocab_size=257, n_positions=256, n_embd=32, n_layer=2, n_head=2)).eval()
        self._lock = threading.Lock()

    def __call__(self, passage: str, max_tokens: int) -> Reply:
        """Go on from a passage's bytes."""
        import torch

        ids = torch.tensor([list(passage.encode()[-64:])])
        with self._lock, torch.no_grad():
            torch.manual_seed(len(passage))
            made = self.model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=min(max_tokens, 48), do_sample=True,
                pad_token_id=256, eos_token_id=256, temperature=3.0,
            )[0, ids.shape[1] :]  # fmt: skip
        ended = 256 in made.tolist()
        content = bytes(token for token in made.tolist() if token < 256).decode(errors="replace")
        return Reply(content, "stop" if ended or len(passage) % 2 else "length")
