"""The desk: admits requests up to a limit, queues them, has them annotated by one worker thread.

A document is annotated by itself, never in a batch with others: dynamic INT8 scales its activations over the batch, so
that its last decimals would depend on who else asked at that moment. The same text has the same answer, alone, in a
list, or in a crowd. One session works with all its threads on one document after the other.
"""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carabin.annotate import check_thresholds, fitted_thresholds
from carabin.documents import Document
from carabin.serving.forms import answer_record
from carabin.serving.metrics import Metrics
from carabin.serving.positions import Unit
from carabin.serving.problems import Problem
from carabin.serving.settings import ServeSettings

if TYPE_CHECKING:
    from carabin.annotator import Annotator
    from carabin.engines.engine import Engine

LONGEST_RETRY = 60


@dataclass(frozen=True, slots=True)
class Order:
    """What one request wants."""

    documents: Sequence[Document]
    single: bool
    """Answer with an object, not a list."""
    thresholds: Mapping[str, float]
    unit: Unit


@dataclass(frozen=True, slots=True)
class Job:
    """An order in the worker's queue."""

    work: Future[bytes]
    given_up: threading.Event
    """Set when nobody waits for it any more."""


class ClientGone(Exception):  # noqa: N818 - nobody is left to call it an error
    """The client hung up before its answer."""


class Desk:
    """Takes requests in hand; used from the event loop only."""

    def __init__(self, annotator: Annotator, settings: ServeSettings) -> None:
        self._engine = _StoppableEngine(annotator.engine)
        self.annotator = copy(annotator)
        self.annotator.engine = self._engine
        self.model = f"{annotator.model_id}@{annotator.model_version}".rstrip("@")
        self.settings = settings
        check_thresholds(settings.thresholds, annotator.labels)
        fitted = fitted_thresholds(annotator) if settings.calibrated else {}
        self.thresholds = {**fitted, **settings.thresholds}
        """Where a request names none."""
        self.taken = 0
        """Requests being received, waiting or being annotated. All of them count: each holds its text in memory."""
        self.mean_seconds = 0.0
        self.metrics = Metrics(annotator.model_id, annotator.model_version, settings.queue, lambda: self.taken)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="carabin-annotate")
        # The first client does not wait for the engine to warm up, and a broken one fails here.
        annotator("Douleur thoracique.")
        self.ready = True

    async def close(self) -> None:
        """Wait for the worker."""
        self.ready = False
        await asyncio.to_thread(self._worker.shutdown)

    def take(self) -> None:
        """Take one more request in hand. Raises Problem: the queue is full."""
        if self.taken > self.settings.queue:
            self.metrics.abandoned.labels("queue-full").inc()
            detail = f"{self.taken} requests are in hand; ask again later"
            raise Problem(429, "queue-full", detail, {"Retry-After": str(self._retry_after())})
        self.taken += 1

    def release(self) -> None:
        """Give back the place of a request."""
        self.taken -= 1

    def _retry_after(self) -> int:
        return max(1, min(LONGEST_RETRY, math.ceil(self.taken * self.mean_seconds)))

    def submit(self, order: Order) -> Job:
        """Queue an order; the place taken for it is given back once the worker is done with it."""
        loop = asyncio.get_running_loop()
        given_up = threading.Event()
        work = self._worker.submit(self._annotate, order, given_up, time.perf_counter())
        work.add_done_callback(lambda _: loop.call_soon_threadsafe(self._done, work))
        return Job(work, given_up)

    async def answer(self, job: Job, deadline: float, hung_up: Coroutine[Any, Any, None]) -> bytes:
        """Return the answer's JSON.

        Args:
            job: From `submit`.
            deadline: On the event loop's clock.
            hung_up: Returns when the client is gone.

        Raises:
            Problem: not answered before the deadline.
            ClientGone: nobody waits any more.
        """
        answer = asyncio.wrap_future(job.work)
        gone = asyncio.ensure_future(hung_up)
        either: set[asyncio.Future[Any]] = {answer, gone}
        left = max(deadline - asyncio.get_running_loop().time(), 0)
        try:
            await asyncio.wait(either, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            self.metrics.abandoned.labels("client-gone" if gone.done() else "timeout").inc()
            if gone.done():
                raise ClientGone
            detail = f"not done within {self.settings.timeout_seconds:g} s; ask again later, or in smaller parts"
            raise Problem(503, "timeout", detail, {"Retry-After": str(self._retry_after())})
        finally:
            # What waits is never begun; what runs stops at its next batch.
            job.given_up.set()
            answer.cancel()
            gone.cancel()

    def _done(self, work: Future[bytes]) -> None:
        self.release()
        if not work.cancelled():
            work.exception()  # seen: else a failure whose client is gone would be logged with its message

    def _annotate(self, order: Order, given_up: threading.Event, asked: float) -> bytes:
        began = time.perf_counter()
        self.metrics.wait_seconds.observe(began - asked)
        self._engine.stop = given_up
        records: list[dict[str, Any]] = []
        for document in order.documents:
            (annotated,) = self.annotator.annotate([document])
            record, labels = answer_record(annotated, self.model, order.thresholds, order.unit)
            records.append(record)
            self._count(document, labels)
        answer = json.dumps(records[0] if order.single else records, ensure_ascii=False, allow_nan=False)
        seconds = time.perf_counter() - began
        self.metrics.annotate_seconds.observe(seconds)
        self.mean_seconds += (seconds - self.mean_seconds) * (0.1 if self.mean_seconds else 1.0)
        return answer.encode("utf-8")

    def _count(self, document: Document, labels: Sequence[str]) -> None:
        self.metrics.documents.inc()
        self.metrics.characters.inc(len(document.text))
        for label in labels:
            self.metrics.entities.labels(label).inc()


class _StoppableEngine:
    """An engine that stops between two batches: a long text that nobody waits for any more holds up no other."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.stop = threading.Event()
        """That of the job at work; there is one worker."""

    def __call__(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the logits, or raise ClientGone where nobody waits for them."""
        if self.stop.is_set():
            raise ClientGone
        return self.engine(input_ids, attention_mask)


async def until_hung_up(receive: Callable[[], Awaitable[Any]]) -> None:
    """Return when the client closes the connection. To be awaited once the body is read."""
    while (await receive())["type"] != "http.disconnect":
        pass
