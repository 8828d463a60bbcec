"""What writing costs with Carabin beside transformers' own `generate`, as ratios measured in one run.

    python -m evaluation.bench_writing --model runs/t5-small/local/seed-1/export --out runs/bench_writing.json

1. Take synthetic reports, as sources of conclusions.
2. Start each contender in its own environment (`evaluation.bench_writing_contender`): Carabin's INT8 and fp32 files in
   the hospital's, transformers with torch in fp32 in the lab's.
3. In each round every contender reads the same reports, batch by batch, and writes as many tokens for each: texts may
   not end before, so that none is fast by being brief. A ratio is the median of the rounds' ratios.
4. Count the texts that Carabin's fp32 files write as transformers does: all, token for token, or the ratio compares
   two different things.
5. Measure the peak memory by batch and by length, and whether it grows with the number of texts.
6. Print each ratio with its target, write the JSON; `--strict` fails where a target is missed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from carabin.engines.machine import cpu_name, has_amx, usable_cores
from carabin.generation.onnx_seq2seq import seq2seq_files
from carabin.generation.tasks import CONCLUSION
from evaluation.bench_hospital import FLAT, Result, contender, ratio, show, take_turns
from zoo.errors import one_line_errors
from zoo.runs import RunError, provenance, write_json
from zoo.synthesis import generate_reports

WORKER = "evaluation.bench_writing_contender"
FASTER = 2.5
"""Times as fast as transformers that the engine a hospital runs must be."""
BATCHES, LENGTHS = (1, 8, 32), (64, 256)
"""Texts at once and tokens written, for the memory."""
FEW, MANY = 2, 12
"""Batches before the memory's growth is measured, and after."""


def carabin_kinds(model: Path) -> list[str]:
    """Return the engines that a student has files for, the one a hospital runs first.

    Raises:
        RunError: it has none, or no checkpoint to compare with.
    """
    kinds = [
        kind
        for kind, quantized in (("int8", True), ("fp32", False))
        if all((model / "onnx" / name).is_file() for name in seq2seq_files(quantized))
    ]
    if not kinds or not (model / "model.safetensors").is_file():
        raise RunError(
            f"{model}: holds no onnx/{seq2seq_files(False)[0]} beside model.safetensors; make train-t5-small, or name "
            "another, --model"
        )
    return kinds


def compare(taken: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Result]:
    """Return the ratios of a race; the first of its contenders is the engine that has to meet the target."""
    torch, results = taken["torch"], []
    for place, kind in enumerate(kind for kind in taken if kind != "torch"):
        speeds = [answer["tokens"] / answer["seconds"] for answer in taken[kind]]
        share = sum(answer["cpu_seconds"] for answer in torch) / sum(answer["cpu_seconds"] for answer in taken[kind])
        note = (
            f"{sorted(speeds)[len(speeds) // 2]:,.0f} tokens/s; transformers takes {share:.1f} times the processor time"
        )
        seconds, theirs = ([answer["seconds"] for answer in answers] for answers in (taken[kind], torch))
        what = f"{kind}: times as fast as transformers' generate, torch fp32"
        results.append(ratio(what, theirs, seconds, None if place else FASTER, note=note))
        same = [one == other for pair in zip(taken[kind], torch, strict=True) for one, other in _pairs(*pair)]
        alike, target = sum(same) / len(same), "= 1" if kind == "fp32" else ""
        passed = alike == 1 if kind == "fp32" else None
        what = f"{kind}: share of texts that are transformers', token for token"
        results.append(Result(what, alike, alike, alike, target, passed, f"{len(same)} texts"))
    return results


def _pairs(answer: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[str, str]]:
    return list(zip(answer["written"], other["written"], strict=True))


def measure_memory(model: Path, kind: str, texts: Sequence[str], threads: int) -> list[Result]:
    """Return the peak memory by batch and length, each in a process of its own, and its growth with more texts."""
    results = []
    cells = [(batch, tokens) for batch in BATCHES for tokens in LENGTHS]
    for batch, tokens in track(cells, "memory", console=Console(stderr=True), transient=True):
        few = list(islice(cycle(texts), FEW * batch))
        with contender(kind, model, threads, WORKER) as runner:
            peak = runner.ask(texts=few, batch=batch, tokens=tokens)["peak"] / 1e6
        results.append(Result(f"{kind}: peak memory, MB, {batch} texts of {tokens} tokens", peak, peak, peak, "", None))
    batch, tokens = BATCHES[1], LENGTHS[0]
    # The same texts again: others might be longer, and take more for that.
    few = list(islice(cycle(texts), FEW * batch))
    with contender(kind, model, threads, WORKER) as runner:
        before, after = (
            runner.ask(texts=few * times, batch=batch, tokens=tokens)["peak"] for times in (1, MANY // FEW)
        )
    what, growth = f"{kind}: peak memory, {MANY * batch} texts over {FEW * batch}, {batch} at once", after / before
    return [*results, Result(what, growth, growth, growth, f"<= {FLAT}", growth <= FLAT)]


def main(
    model: Annotated[Path, typer.Option(help="Folder of an exported student that writes, with its checkpoint.")] = Path(
        "runs/t5-small/local/seed-1/export"
    ),
    out: Annotated[Path, typer.Option(help="The JSON to write.")] = Path("runs/bench_writing.json"),
    batch: Annotated[int, typer.Option(min=1, help="Texts at once.")] = 8,
    tokens: Annotated[int, typer.Option(min=1, help="Tokens written for each text.")] = 64,
    documents: Annotated[int, typer.Option(min=1, help="Reports that each contender reads in a round.")] = 16,
    rounds: Annotated[int, typer.Option(min=1)] = 7,
    threads: Annotated[int, typer.Option(min=1)] = 2,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where a target is missed.")] = False,
    seed: Annotated[int, typer.Option(help="Of the synthetic reports.")] = 1,
) -> None:
    """Measure Carabin's writing against transformers' generate on the same student."""
    console = Console()
    with one_line_errors("bench"):
        model = model.resolve()
        kinds = carabin_kinds(model)
        texts = [CONCLUSION + report["text"] for report in generate_reports("test", documents * rounds, seed)]
        orders = [{"texts": texts[n::rounds], "batch": batch, "tokens": tokens} for n in range(rounds)]
        with ExitStack() as stack:
            runners = [stack.enter_context(contender(kind, model, threads, WORKER)) for kind in (*kinds, "torch")]
            taken = take_turns(runners, orders, {"texts": texts[:batch], "batch": batch, "tokens": tokens})
        results = compare(taken) + measure_memory(model, kinds[0], texts, threads)
    machine: dict[str, Any] = {"cpu": cpu_name(), "cores": usable_cores(), "amx": has_amx(), "load": os.getloadavg()}
    title = f"{tokens} tokens, {batch} texts at once, {threads} threads, {rounds} rounds, {machine['cpu']}"
    console.print(show(results, title))
    if machine["load"][2] > usable_cores() + 1:
        console.print(f"the machine is busy (load {machine['load'][2]:.1f}): ratios are rough, see their spread")
    settings = {"batch": batch, "tokens": tokens, "documents": documents, "threads": threads}
    record = {"machine": machine, **settings, "results": [asdict(r) for r in results], "rounds": taken,
              "provenance": provenance(seed)}  # fmt: skip
    write_json(out, record)
    console.print(f"wrote {out}")
    if strict and any(row.passed is False for row in results):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
