"""One contender of `evaluation.bench_hospital`, in a process and an environment of its own.

    python -m evaluation.bench_contender KIND MODEL THREADS

It reads orders from standard input, one JSON a line, and answers each with one line:

    {"texts": [...]}            -> {"seconds", "cpu_seconds", "tokens"}: the texts annotated once
    {"notes": [...]}            -> {"note_seconds", "bare_seconds"}: medians of one note at a time (carabin only)

Kinds: `int8`, `fp32` and `openvino` are Carabin's engines; `bare` is `session.run` on the INT8 file, with the same
windows tokenised and packed without padding beforehand; `torch` is transformers' pipeline on the checkpoint; `optimum`
and `optimum-int8` are the same pipeline on the ONNX files. `tokens` are those of all windows, special tokens included,
for Carabin and for `bare`; 0 for the others. The pipelines read long texts in windows too, by their own `stride`, as
long and as far apart as Carabin's: without it they would drop the rest.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

BARE_ROWS = 16
PIPELINE_BATCH = 16
NOTE_ROUNDS = 3

Run = Callable[[], object]


def carabin_contender(model: Path, kind: str, threads: int) -> Callable[[Sequence[str]], tuple[Run, int]]:
    """Return what prepares a run of Carabin over texts, and says how many tokens that is."""
    from carabin.annotator import Annotator
    from carabin.documents import Document

    annotator = Annotator.load(model, threads=threads, engine=kind)

    def prepare(texts: Sequence[str]) -> tuple[Run, int]:
        documents = [Document(str(number), text) for number, text in enumerate(texts)]
        tokens = sum(len(ids) for item in annotator.reader.read(texts) for ids in item.ids)
        return (lambda: [None for _ in annotator.annotate(documents)]), tokens

    return prepare


def bare_contender(model: Path, kind: str, threads: int) -> Callable[[Sequence[str]], tuple[Run, int]]:
    """Return what prepares bare calls of onnxruntime on the same windows' tokens, packed into full rows."""
    from carabin.engines.engine import OnnxEngine
    from carabin.student_folder import load_reader

    reader = load_reader(model)
    engine = OnnxEngine(model / "onnx" / "model_quantized.onnx", threads)

    def prepare(texts: Sequence[str]) -> tuple[Run, int]:
        ids = np.concatenate([ids for item in reader.read(texts) for ids in item.ids])
        rows = ids[: len(ids) // reader.max_tokens * reader.max_tokens].reshape(-1, reader.max_tokens)
        batches = [rows[first : first + BARE_ROWS] for first in range(0, len(rows), BARE_ROWS)]
        masks = [np.ones_like(batch) for batch in batches]
        return (lambda: [engine(*pair).shape for pair in zip(batches, masks, strict=True)]), rows.size

    return prepare


def pipeline_contender(model: Path, kind: str, threads: int) -> Callable[[Sequence[str]], tuple[Run, int]]:
    """Return what prepares a run of transformers' pipeline, over torch or over optimum's ONNX model."""
    from transformers import AutoTokenizer, pipeline

    from carabin.student_folder import load_reader

    tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
    if kind == "torch":
        import torch
        from transformers import AutoModelForTokenClassification

        torch.set_num_threads(threads)
        network: Any = AutoModelForTokenClassification.from_pretrained(
            model, local_files_only=True, dtype=torch.float32
        )
    else:
        import onnxruntime
        from optimum.onnxruntime import ORTModelForTokenClassification

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        file = "model_quantized.onnx" if kind == "optimum-int8" else "model.onnx"
        network = ORTModelForTokenClassification.from_pretrained(
            model, subfolder="onnx", file_name=file, session_options=options, local_files_only=True
        )
    annotate = pipeline(
        "token-classification", model=network, tokenizer=tokenizer, device="cpu", aggregation_strategy="first",
        stride=load_reader(model).overlap, batch_size=PIPELINE_BATCH,
    )  # fmt: skip
    return lambda texts: ((lambda: len(annotate(list(texts)))), 0)


def time_notes(model: Path, kind: str, notes: Sequence[str]) -> dict[str, float]:
    """Return the median seconds of one note, by Carabin and by bare calls on its tokens, on one core, in turn."""
    from carabin.annotator import Annotator

    annotator = Annotator.load(model, threads=1, engine=kind)
    fed = [annotator.reader.pad(item.ids) for item in annotator.reader.read(notes)]
    pairs: list[tuple[float, float]] = []
    for number in range(NOTE_ROUNDS * len(notes)):
        note, (ids, mask) = notes[number % len(notes)], fed[number % len(notes)]
        start = time.perf_counter()
        annotator(note)
        between = time.perf_counter()
        annotator.engine(ids, mask)
        pairs.append((between - start, time.perf_counter() - between))
    whole, bare = zip(*pairs[len(notes) :], strict=True)
    return {"note_seconds": statistics.median(whole), "bare_seconds": statistics.median(bare)}


CONTENDERS = {
    "int8": carabin_contender, "fp32": carabin_contender, "openvino": carabin_contender, "bare": bare_contender,
    "torch": pipeline_contender, "optimum": pipeline_contender, "optimum-int8": pipeline_contender,
}  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Answer orders until standard input ends."""
    kind, model, threads = arguments[0], Path(arguments[1]), int(arguments[2])
    # Libraries print to standard output; the answers must be alone there.
    answers, sys.stdout = sys.stdout, sys.stderr
    prepare = CONTENDERS[kind](model, kind, threads)
    for line in sys.stdin:
        order = json.loads(line)
        if "notes" in order:
            answer: dict[str, float] = time_notes(model, kind, order["notes"])
        else:
            run, tokens = prepare(order["texts"])
            start, cpu = time.perf_counter(), time.process_time()
            run()
            seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
            answer = {"seconds": seconds, "cpu_seconds": cpu, "tokens": tokens}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
