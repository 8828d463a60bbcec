"""One measurement of a student in a process of its own: `python -m carabin.bench_worker < order.json`.

Peak memory is the process's, so each engine and number of threads has one. The order on standard input is {"model",
"engine", "threads", "texts", "seconds", "watts_per_core"}; the result goes to standard output as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from carabin.annotator import Annotator
from carabin.documents import Document
from carabin.energy import EnergyMeter
from carabin.engines.machine import peak_memory
from carabin.errors import CarabinError

NOTE_CHARACTERS = 300
"""A short note is a report's beginning, cut at the last blank before so many characters."""
LEAST_NOTES = 20


class Measured(Protocol):
    """What is measured: an annotator, or whatever else does its work on a text or on a stream of documents."""

    @property
    def reader(self) -> Any:  # noqa: ANN401 - of a tokenizer
        """What holds the tokenizer that tokens are counted by."""

    def __call__(self, text: str) -> object:
        """Do the work on one text."""

    def annotate(self, documents: Iterable[Document]) -> Iterable[object]:
        """Do the work on a stream of documents."""


def measure_latency(annotator: Measured, notes: Sequence[str], seconds: float) -> dict[str, Any]:
    """Return the p50 and p95 time, in milliseconds, to annotate one note, the notes taken in turn."""
    annotator(notes[0])
    times: list[float] = []
    while sum(times) < seconds or len(times) < LEAST_NOTES:
        start = time.perf_counter()
        annotator(notes[len(times) % len(notes)])
        times.append(time.perf_counter() - start)
    times.sort()
    p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
    return {"p50_ms": round(1000 * p50, 3), "p95_ms": round(1000 * p95, 3), "notes": len(times)}


def measure_throughput(annotator: Measured, texts: Sequence[str], seconds: float) -> dict[str, Any]:
    """Return documents and tokens (special tokens not counted) annotated per second, over whole passes of the texts."""
    documents = [Document(str(number), text) for number, text in enumerate(texts)]
    tokens = sum(len(e.ids) for e in annotator.reader.tokenizer.encode_batch(list(texts), add_special_tokens=False))
    for _ in annotator.annotate(documents[:8]):
        pass
    start, passes = time.perf_counter(), 0
    while passes == 0 or time.perf_counter() - start < seconds:
        for _ in annotator.annotate(documents):
            pass
        passes += 1
    elapsed = time.perf_counter() - start
    return {
        "documents_per_second": round(passes * len(documents) / elapsed, 2),
        "tokens_per_second": round(passes * tokens / elapsed, 1),
        "documents": passes * len(documents),
        "seconds": round(elapsed, 3),
    }


def short_note(text: str) -> str:
    """Return the beginning of a text, at most NOTE_CHARACTERS long, cut at a blank where there is one."""
    if len(text) <= NOTE_CHARACTERS:
        return text
    head = text[: NOTE_CHARACTERS + 1]
    cut = max(head.rfind(" "), head.rfind("\n"))
    return head[:cut].rstrip() if cut > 0 and head[:cut].strip() else head[:NOTE_CHARACTERS]


def measure(order: dict[str, Any]) -> dict[str, Any]:
    """Return all measurements of one engine with one number of threads."""
    annotator = Annotator.load(order["model"], threads=order["threads"], engine=order["engine"])
    texts = order["texts"]
    latency = measure_latency(annotator, [short_note(text) for text in texts], order["seconds"] / 3)
    with EnergyMeter(order["watts_per_core"]) as meter:
        work = measure_throughput(annotator, texts, order["seconds"])
    return {
        "documents_per_second": work["documents_per_second"],
        "tokens_per_second": work["tokens_per_second"],
        "p50_ms": latency["p50_ms"],
        "p95_ms": latency["p95_ms"],
        "peak_rss_bytes": peak_memory(),
        "wh_per_1000_documents": 1000 * meter.joules / 3600 / work["documents"],
        "energy_source": meter.source,
        "energy_is_estimate": meter.estimate,
    }


def main() -> None:
    """Read the order, measure, write the result; what goes wrong becomes one line on stderr, without a note's text."""
    try:
        result = measure(json.loads(sys.stdin.buffer.read()))
    except Exception as error:
        sys.stderr.write(f"{error if isinstance(error, CarabinError) else type(error).__name__}\n")
        sys.exit(1)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
