"""What a student costs on a CPU: weights, disk, memory, latency, throughput and energy.

    python -m evaluation.frugality --model runs/bert-small/local/repository --out runs/bert-small/local/frugality.json

1. Read texts of a corpus (synthetic reports by default; short notes are their first lines).
2. Measure latency (one thread), throughput (one thread, then all) and energy, each in a process of its own that imports
   only what a hospital does, through `carabin.Annotator`.
3. Write frugality.json by rename.

frugality.json, schema 1:

    {"schema": 1,
     "model": {"path", "sha256", "which", "parameters", "bytes"},                     as in metrics.json
     "machine": {"cpu": str, "cores": n, "system": str},
     "texts": {"corpus": str, "revision": str, "documents": n, "note_characters": median length of a short note},
     "peak_rss_bytes": of the process that annotates on one thread,
     "latency_short_note": {"p50_ms", "p95_ms", "notes": timed, "threads": 1, …},
     "throughput": {"1": {"documents_per_second", "tokens_per_second", "threads", …}, "all": likewise},
     "energy": {"wh_per_1000_documents", "grams_co2eq_per_1000_documents", "country": "FRA", "source": str,
                "estimate": true where no energy counter could be read, …},
     "inputs_sha256": of model, texts and machine: a second call for the same finds it measured,
     "provenance": `zoo.runs.provenance`}

Figures of a machine that does something else at the same time are worth little.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from carabin.bench_worker import short_note
from carabin.engines.machine import cpu_name
from evaluation.ner_report import ScoreError
from evaluation.score_ner import describe_model, parse_use
from zoo.checkpoints import Which, model_file, resolve_which
from zoo.corpora import read_documents, revision_of
from zoo.errors import one_line_errors
from zoo.registry import REPOSITORY, Registry
from zoo.runs import fingerprint, hash_file, provenance, read_json, write_json

SCHEMA = 1

_TIMEOUT_SECONDS = 600


def measure(
    folder: Path, which: Which, what: str, texts: Sequence[str], threads: int | None, seconds: float
) -> dict[str, Any]:
    """Return one measurement, made in a process of its own (see `evaluation.frugality_worker`).

    Args:
        folder: An ONNX repository.
        which: `onnx`, `int8` or `auto`.
        what: `latency`, `throughput` or `energy`.
        texts: What is annotated.
        threads: Of the engine; None for all cores.
        seconds: How long to measure, at least.

    Raises:
        ScoreError: the process failed; says how.
    """
    order = {"model": str(folder), "which": which, "threads": threads, "texts": list(texts), "seconds": seconds}
    result = subprocess.run(
        [sys.executable, "-m", "evaluation.frugality_worker"],
        input=json.dumps({**order, "what": what}),
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=_TIMEOUT_SECONDS + seconds,
        env={**os.environ, "TOKENIZERS_PARALLELISM": "false" if threads == 1 else "true"},
        check=False,
    )
    if result.returncode:
        last = (result.stderr.strip().splitlines() or [f"exit {result.returncode}"])[-1]
        raise ScoreError(f"{folder}: measuring {what} failed ({last})")
    return {**json.loads(result.stdout), "threads": threads or os.cpu_count()}


def measure_model(folder: Path, which: Which, texts: Sequence[str], seconds: float) -> dict[str, Any]:
    """Return everything that is measured of a student (the part of frugality.json from `model` to `energy`).

    Raises:
        ScoreError: there are no texts, or the folder holds no ONNX file.
    """
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise ScoreError("no texts to measure with: is the split empty?")
    chosen = resolve_which(folder, which)
    if chosen == "torch":
        raise ScoreError(f"{folder}: a checkpoint is not what hospitals run; export it, then measure its ONNX folder")
    notes = [short_note(text) for text in texts]
    plan: dict[str, tuple[str, Sequence[str], int | None]] = {
        "latency": ("latency", notes, 1),
        "one": ("throughput", texts, 1),
        "all": ("throughput", texts, None),
        "energy": ("energy", texts, None),
    }
    done = {
        name: measure(folder.resolve(), chosen, what, given, threads, seconds)
        for name, (what, given, threads) in track(
            plan.items(), "measuring", console=Console(stderr=True), transient=True
        )
    }
    return {
        "model": describe_model(folder, chosen),
        "machine": {"cpu": cpu_name(), "cores": os.cpu_count(), "system": platform.system()},
        "texts": {"documents": len(texts), "note_characters": int(statistics.median(map(len, notes)))},
        "peak_rss_bytes": done["one"]["peak_rss_bytes"],
        "latency_short_note": done["latency"],
        "throughput": {"1": done["one"], "all": done["all"]},
        "energy": done["energy"],
    }


def main(
    model: Annotated[Path, typer.Option(help="Folder of an ONNX repository.")],
    out: Annotated[Path, typer.Option(help="The frugality.json to write.")],
    corpus: Annotated[str, typer.Option(help="corpus/split[:documents].")] = "synthetic-reports/test[:40]",
    which: Annotated[str, typer.Option(help="onnx, int8 or auto (what a hospital would run).")] = "auto",
    seconds: Annotated[float, typer.Option(help="Of each of the four measurements.")] = 2.0,
    seed: Annotated[int, typer.Option(help="Of a synthetic corpus.")] = 1,
) -> None:
    """Measure what a student costs and write frugality.json."""
    with one_line_errors("frugality"):
        use, registry = parse_use(corpus), Registry()
        file = model_file(model, which)  # type: ignore[arg-type]
        revision = revision_of(registry.corpus(use.corpus), use.split)
        key = fingerprint([hash_file(file), str(use), revision, seconds, seed, cpu_name()])
        if out.is_file() and read_json(out).get("inputs_sha256") == key:
            typer.echo(f"measured already: {out}")
            return
        texts = [document.text for document in read_documents(registry, use, None, seed)]
        record = measure_model(model, which, texts, seconds)  # type: ignore[arg-type]
        record["texts"] = {"corpus": str(use), "revision": revision, **record["texts"]}
        write_json(out, {"schema": SCHEMA, **record, "inputs_sha256": key, "provenance": provenance(seed)})
    latency, fast = record["latency_short_note"], record["throughput"]["all"]
    typer.echo(
        f"{record['model']['bytes'] / 1e6:.1f} MB, {record['peak_rss_bytes'] / 1e6:.0f} MB peak RSS, "
        f"p50 {latency['p50_ms']:.1f} ms, p95 {latency['p95_ms']:.1f} ms, on all threads "
        f"{fast['documents_per_second']:.1f} documents/s and {fast['tokens_per_second']:.0f} tokens/s, "
        f"{record['energy']['wh_per_1000_documents']:.3f} Wh per 1,000 documents ({record['energy']['source']})"
    )
    typer.echo(f"wrote {out}")


if __name__ == "__main__":
    typer.run(main)
