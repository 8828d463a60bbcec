"""Which engine runs a student: asked for by name, or `auto`, the fastest on this machine.

    int8       onnxruntime, onnx/model_quantized.onnx: the default, where the student's quality gate let it be published
    fp32       onnxruntime, onnx/model.onnx
    openvino   OpenVINO, onnx/model.onnx
    auto       each of these that is there is measured for about a second, once; the fastest is remembered

What was measured lies in the cache folder (`machine.cache_folder`), one file for each student, processor, number of
threads and set of versions: whichever changes, it is measured again, and so it is where the file is damaged.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from carabin.engines.engine import Engine, OnnxEngine
from carabin.engines.machine import cache_folder, cpu_name, usable_cores
from carabin.engines.openvino_engine import OpenVinoEngine, import_openvino
from carabin.errors import ModelError
from carabin.student_folder import check_listed
from carabin.tokens.reader import TextReader

EngineName = Literal["int8", "fp32", "openvino"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
AUTO = "auto"
WEIGHTS = {
    "int8": "onnx/model_quantized.onnx",
    "fp32": "onnx/model.onnx",
    "openvino": "onnx/model.onnx",
}
"""The file each engine reads, below a student's folder."""
BATCH_TOKENS = 1024
"""Padded tokens in one call of an engine: eight windows of 128 keep a core busy, and their activations are 40 MB."""

SECONDS = 0.7
"""Each engine is measured for so long, after one batch that is not counted."""
_TEXT = "Patient de 67 ans, hypertendu, adressé pour une douleur thoracique évoluant depuis deux heures, sans dyspnée. "


class SizedEngine(Engine, Protocol):
    """An engine that knows how many tags it scores, None where its file leaves it open."""

    n_outputs: int | None


def default_engine(folder: Path) -> EngineName:
    """Return `int8` where the student has an INT8 file, else `fp32`."""
    return "int8" if (folder / WEIGHTS["int8"]).is_file() else "fp32"


def open_engine(folder: Path, name: str, threads: int) -> SizedEngine:
    """Return an engine that `threads` threads may call at once, each call on one core.

    Raises:
        ModelError: the name is none of ENGINES, the student has no such file, or OpenVINO is not installed.
    """
    if name not in ENGINES:
        raise ModelError(f"engine '{name}' is none of {', '.join((AUTO, *ENGINES))}")
    path = folder / WEIGHTS[name]
    check_listed(folder, WEIGHTS[name])
    try:
        return OpenVinoEngine(path, threads) if name == "openvino" else OnnxEngine(path, 1)
    except FileNotFoundError as error:
        raise ModelError(str(error)) from None


@dataclass(frozen=True, slots=True)
class Choice:
    """The fastest engine of a machine for a student."""

    engine: EngineName
    tokens_per_second: Mapping[EngineName, float]
    """Of every engine that was measured."""
    remembered: bool
    """Measured by an earlier call."""


def choose_engine(folder: Path, reader: TextReader, threads: int) -> Choice:
    """Return the fastest engine here, measured now unless it is remembered.

    Args:
        folder: The student's.
        reader: Its tokenizer and window.
        threads: Calls at once.

    Raises:
        ModelError: none of the engines can run it.
    """
    key = machine_key(folder, threads)
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    memory = cache_folder() / "engines" / f"{name}.json"
    if remembered := _recall(memory, key):
        return remembered
    names = [name for name in ENGINES if (folder / WEIGHTS[name]).is_file() and (name != "openvino" or _openvino())]
    if not names:
        raise ModelError(f"{folder}: holds no {WEIGHTS['fp32']} nor {WEIGHTS['int8']}; export the student, or fetch it")
    batch = full_batch(reader)
    speeds = {name: measure_engine(open_engine(folder, name, threads), batch, threads) for name in names}
    choice = Choice(max(names, key=lambda name: speeds[name]), speeds, False)
    _remember(memory, key, choice)
    return choice


def machine_key(folder: Path, threads: int) -> dict[str, Any]:
    """Return all that may change which engine is the fastest."""
    files = sorted({folder / path for path in WEIGHTS.values()})
    return {
        "weights": {path.name: _sha256(path) for path in files if path.is_file()},
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "threads": threads,
        "versions": {name: package_version(name) for name in ("carabin", "onnxruntime", "openvino")},
    }


def full_batch(reader: TextReader, tokens: int = BATCH_TOKENS) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (input_ids, attention_mask) of whole windows of a fictitious note, without padding."""
    rows = max(1, tokens // reader.max_tokens)
    (read,) = reader.read([_TEXT * (2 + rows * reader.max_tokens // 8)])
    full = (ids for ids in read.ids if len(ids) == reader.max_tokens)
    return reader.pad(list(islice(full, rows)) or read.ids[:1])


def measure_engine(
    engine: Engine,
    batch: Sequence[NDArray[np.int64]],
    threads: int,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return tokens per second over whole rounds of `threads` calls at once."""
    input_ids, mask = batch

    def call(_: int) -> None:
        engine(input_ids, mask)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(call, range(threads)))
        start, rounds = clock(), 0
        while rounds < 2 or clock() - start < seconds:
            list(pool.map(call, range(threads)))
            rounds += 1
        return round(rounds * threads * input_ids.size / (clock() - start), 1)


def package_version(name: str) -> str | None:
    """Return the version of an installed package, None where there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def runtime_of(engine: str) -> str:
    """Return the library that runs an engine, and its version: `onnxruntime 1.32.0`."""
    if engine == "openvino":
        return f"openvino {import_openvino().__version__}"
    import onnxruntime

    return f"onnxruntime {onnxruntime.__version__}"


def _openvino() -> bool:
    return package_version("openvino") is not None


def _recall(memory: Path, key: dict[str, Any]) -> Choice | None:
    try:
        record = json.loads(memory.read_text(encoding="utf-8"))
        engine, speeds = record["engine"], record["tokens_per_second"]
        if record["key"] != key or engine not in ENGINES or speeds[engine] != max(speeds.values()):
            return None
        return Choice(engine, {name: float(speed) for name, speed in speeds.items()}, True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # Whatever is wrong with it, it is made again: it is a memory, not a result.
        return None


def _remember(memory: Path, key: dict[str, Any], choice: Choice) -> None:
    record = {"engine": choice.engine, "tokens_per_second": dict(choice.tokens_per_second), "key": key}
    written = memory.with_name(f"{memory.name}.{os.getpid()}.new")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        written.replace(memory)
    except OSError:
        # A home that cannot be written to, as in many containers: the next run measures again.
        with suppress(OSError):
            written.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
