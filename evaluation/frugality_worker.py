"""One measurement of a student in a process of its own: `python -m evaluation.frugality_worker < order.json`.

It imports what a hospital's process imports and nothing of the lab (but to measure energy, the tracker's wrapper), so
that its peak memory is the hospital's. The order on standard input is {"model", "which", "threads", "texts", "seconds",
"what"}; the result goes to standard output as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from carabin.annotator import Annotator
from carabin.documents import Document


def peak_memory() -> int:
    """Return this process's peak resident set size in bytes.

    Read from /proc where there is one: `ru_maxrss` survives exec, so there it may be the parent's peak.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure_latency(annotator: Annotator, texts: list[str], seconds: float) -> dict[str, Any]:
    """Return the p50 and p95 time, in milliseconds, to annotate one text, the texts taken in turn."""
    annotator(texts[0])
    times: list[float] = []
    while sum(times) < seconds or len(times) < 20:
        start = time.perf_counter()
        annotator(texts[len(times) % len(texts)])
        times.append(time.perf_counter() - start)
    times.sort()
    p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
    return {"p50_ms": round(1000 * p50, 3), "p95_ms": round(1000 * p95, 3), "notes": len(times)}


def measure_throughput(annotator: Annotator, texts: list[str], seconds: float) -> dict[str, Any]:
    """Return documents and tokens (special tokens not counted) annotated per second, over whole passes of the texts."""
    documents = [Document(str(number), text) for number, text in enumerate(texts)]
    tokens = sum(len(e.ids) for e in annotator.reader.tokenizer.encode_batch(texts, add_special_tokens=False))
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


def measure_wh(annotator: Annotator, texts: list[str], seconds: float) -> dict[str, Any]:
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


MEASURES: dict[str, Callable[[Annotator, list[str], float], dict[str, Any]]] = {
    "latency": measure_latency,
    "throughput": measure_throughput,
    "energy": measure_wh,
}


def main() -> None:
    """Read the order, measure, write the result."""
    order = json.load(sys.stdin)
    start = time.perf_counter()
    quantized = {"int8": True, "onnx": False, "auto": None}[order["which"]]
    annotator = Annotator.load(order["model"], quantized, order["threads"])
    loading = time.perf_counter() - start
    result = MEASURES[order["what"]](annotator, order["texts"], order["seconds"])
    json.dump({**result, "load_seconds": round(loading, 3), "peak_rss_bytes": peak_memory()}, sys.stdout)


if __name__ == "__main__":
    main()
