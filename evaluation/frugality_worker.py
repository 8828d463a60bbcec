"""One measurement of a student in a process of its own: `python -m evaluation.frugality_worker < order.json`.

It imports what a hospital's process imports and nothing of the lab (but to measure energy, the tracker's wrapper), so
that its peak memory is the hospital's. The order on standard input is {"model", "which", "threads", "texts", "seconds",
"what"}; the result goes to standard output as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from carabin.annotator import Annotator
from carabin.bench_worker import Measured, measure_latency, measure_throughput
from carabin.documents import Document
from carabin.engines.machine import peak_memory
from carabin.generation.conclusions import Summary
from carabin.generation.writer import Writer
from carabin.student_folder import is_writer, read_config


class Concluding:
    """A student that writes, as measurements see it: its work on a report is to write the conclusion."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.reader = writer

    def __call__(self, text: str) -> Summary:
        """Write of one report."""
        return next(self.annotate([Document("report", text)]))

    def annotate(self, documents: Iterable[Document]) -> Iterator[Summary]:
        """Write of each report."""
        return self.writer.summarise(documents)


def load_measured(folder: Path, quantized: bool | None, threads: int | None) -> Measured:
    """Return the student of a folder, whichever it does."""
    if is_writer(read_config(folder)):
        return Concluding(Writer.load(folder, quantized, threads))
    return Annotator.load(folder, quantized, threads)


def measure_wh(annotator: Measured, texts: Sequence[str], seconds: float) -> dict[str, Any]:
    """Return the energy of annotating, in Wh per 1,000 documents, and where the figure comes from."""
    from zoo.energy import COUNTRY, measure_energy

    figures: dict[str, Any] = {}
    with measure_energy(figures, every_seconds=1.0):
        work = measure_throughput(annotator, texts, seconds)
    spent = figures["energy"]
    # The tracker's clock also ran while it started: only the share spent annotating is the documents'.
    share = min(work["seconds"] / spent["seconds"], 1.0) if spent["seconds"] else 1.0
    return {
        "wh_per_1000_documents": 1e6 * spent["kwh"] * share / work["documents"],
        "grams_co2eq_per_1000_documents": 1e3 * spent["grams_co2"] * share / work["documents"],
        "source": spent["source"],
        "estimate": spent["estimate"],
        "country": COUNTRY,
    }


MEASURES: dict[str, Callable[[Measured, Sequence[str], float], dict[str, Any]]] = {
    "latency": measure_latency,
    "throughput": measure_throughput,
    "energy": measure_wh,
}


def main() -> None:
    """Read the order, measure, write the result."""
    order = json.load(sys.stdin)
    start = time.perf_counter()
    quantized = {"int8": True, "onnx": False, "auto": None}[order["which"]]
    annotator = load_measured(Path(order["model"]), quantized, order["threads"])
    loading = time.perf_counter() - start
    result = MEASURES[order["what"]](annotator, order["texts"], order["seconds"])
    json.dump({**result, "load_seconds": round(loading, 3), "peak_rss_bytes": peak_memory()}, sys.stdout)


if __name__ == "__main__":
    main()
