"""One contender of `evaluation.bench_writing`, in a process and an environment of its own.

    python -m evaluation.bench_writing_contender KIND MODEL THREADS

It reads orders from standard input, one JSON a line, and answers each with one line:

    {"texts": [...], "batch": 8, "tokens": 64} -> {"seconds", "cpu_seconds", "tokens", "written", "peak"}

The texts are cut to the student's window and tokenised beforehand, and padded a batch at a time; what is timed is their
reading and the writing of exactly `tokens` tokens for each, greedily: no text may end before, so all write as much.
`written` is a digest of each text's tokens, `peak` the process's peak memory so far, in bytes.

Kinds: `int8` and `fp32` are Carabin's engine; `torch` is `generate` of transformers on the checkpoint, in fp32.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carabin.engines.machine import peak_memory
from carabin.generation.decoding import Limits, SpecialTokens, generate
from carabin.generation.onnx_seq2seq import OnnxSeq2Seq
from carabin.student_folder import read_config, read_object

Batch = NDArray[np.int64]
Write = Callable[[Batch, Batch, int], list[list[int]]]
"""Takes ids, mask and how many tokens to write; returns those of each text."""


def carabin_contender(model: Path, kind: str, threads: int) -> Write:
    """Return what writes with Carabin."""
    engine, special = OnnxSeq2Seq(model / "onnx", kind == "int8", threads), special_tokens(model)

    def write(ids: Batch, mask: Batch, tokens: int) -> list[list[int]]:
        limits = Limits(tokens, min_tokens=tokens)
        texts = generate(engine.read(ids, mask), np.arange(len(ids)), [], limits, special)
        return [text.tokens.tolist() for text in texts]

    return write


def torch_contender(model: Path, kind: str, threads: int) -> Write:
    """Return what writes with transformers, torch in fp32."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, GenerationConfig

    torch.set_num_threads(threads)
    network = AutoModelForSeq2SeqLM.from_pretrained(model, local_files_only=True, dtype=torch.float32).eval()
    special = special_tokens(model)

    def write(ids: Batch, mask: Batch, tokens: int) -> list[list[int]]:
        config = GenerationConfig(
            do_sample=False, num_beams=1, min_new_tokens=tokens, max_new_tokens=tokens,
            decoder_start_token_id=special.start, eos_token_id=special.end, pad_token_id=special.pad,
        )  # fmt: skip
        with torch.inference_mode():
            texts = network.generate(
                input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask), generation_config=config
            )
        return texts[:, 1:].tolist()

    return write


def special_tokens(model: Path) -> SpecialTokens:
    """Return the tokens that frame a student's texts, from its config.json."""
    config = read_config(model)
    return SpecialTokens(config["decoder_start_token_id"], config["eos_token_id"], config["pad_token_id"])


def read_batches(model: Path, texts: Sequence[str], size: int) -> Iterator[tuple[Batch, Batch]]:
    """Yield (input_ids, attention_mask) of `size` texts at a time, cut to the student's window."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.enable_truncation(read_object(model / "tokenizer_config.json")["model_max_length"])
    tokenizer.enable_padding(pad_id=special_tokens(model).pad)
    for first in range(0, len(texts), size):
        read = tokenizer.encode_batch(list(texts[first : first + size]))
        yield np.array([item.ids for item in read]), np.array([item.attention_mask for item in read])


CONTENDERS = {"int8": carabin_contender, "fp32": carabin_contender, "torch": torch_contender}


def main(arguments: Sequence[str]) -> None:
    """Answer orders until standard input ends."""
    kind, model, threads = arguments[0], Path(arguments[1]), int(arguments[2])
    # Libraries print to standard output; the answers must be alone there.
    answers, sys.stdout = sys.stdout, sys.stderr
    write = CONTENDERS[kind](model, kind, threads)
    for line in sys.stdin:
        order = json.loads(line)
        batches = list(read_batches(model, order["texts"], order["batch"]))
        start, cpu = time.perf_counter(), time.process_time()
        written = [text for ids, mask in batches for text in write(ids, mask, order["tokens"])]
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        answer = {
            "seconds": seconds, "cpu_seconds": cpu, "tokens": sum(map(len, written)), "peak": peak_memory(),
            "written": [hashlib.sha256(json.dumps(text).encode()).hexdigest()[:16] for text in written],
        }  # fmt: skip
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
