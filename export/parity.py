"""Is the ONNX file the checkpoint? Logits of torch and of onnxruntime on real texts, side by side.

Everything after this point (scores, INT8, what hospitals run) rests on the exported file being the model that was
trained, so a difference above the tolerance stops the export.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carabin.annotator import Annotator
from carabin.engines.engine import Engine, OnnxEngine
from carabin.student_folder import load_reader
from carabin.tokens.reader import TextReader
from zoo.torch_engine import load_annotator

TOLERANCE = 1e-3
"""Largest difference of a logit, absolute. fp32 kernels that add in another order differ by about 1e-5 here; a wrong
axis, a lost mask or a half-precision constant differ by more than 1e-1."""

Batch = tuple[NDArray[np.int64], NDArray[np.int64]]
"""input_ids and attention_mask, each of shape (batch, tokens)."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far the ONNX file is from the checkpoint."""

    max_abs_logit_difference: float
    tolerance: float
    texts: int
    windows: int
    texts_with_other_entities: int

    @property
    def passed(self) -> bool:
        """Same logits within the tolerance, and the same entities in every text."""
        return self.max_abs_logit_difference <= self.tolerance and self.texts_with_other_entities == 0

    def to_dict(self) -> dict[str, Any]:
        """Return the `torch_vs_onnx` part of parity.json."""
        return {**asdict(self), "passed": self.passed}


def compare_torch_with_onnx(folder: Path, texts: Sequence[str], tolerance: float = TOLERANCE) -> Parity:
    """Compare a folder's model.safetensors with its onnx/model.onnx.

    Args:
        folder: Holds what `export.publishable` and `export.export_onnx` wrote.
        texts: Real texts; blank ones say nothing.
        tolerance: Largest difference of a logit that is let pass.

    Raises:
        ValueError: no text has a single word.
    """
    torch_annotator, onnx_annotator = load_annotator(folder, "torch"), load_annotator(folder, "onnx")
    batches = make_batches(onnx_annotator.reader, texts)
    differing = sum(
        _entities(torch_annotator, text) != _entities(onnx_annotator, text) for text in texts if text.strip()
    )
    return Parity(
        max_abs_logit_difference=largest_difference(torch_annotator.engine, onnx_annotator.engine, batches),
        tolerance=tolerance,
        texts=len(texts),
        windows=sum(len(ids) for ids, _ in batches),
        texts_with_other_entities=differing,
    )


def make_batches(reader: TextReader, texts: Sequence[str], size: int = 8) -> list[Batch]:
    """Return the texts' windows in padded batches, so that padding and masks are compared too.

    Raises:
        ValueError: no text has a single word.
    """
    windows = sorted((ids for item in reader.read(texts) for ids in item.ids), key=len)
    if not windows:
        raise ValueError("no text to compare on: all are empty; give the dev split of the recipe")
    # Strided, so that every batch holds short and long windows.
    count = -(-len(windows) // size)
    return [reader.pad(windows[first::count]) for first in range(count)]


def largest_difference(one: Engine, other: Engine, batches: Sequence[Batch]) -> float:
    """Return the largest absolute difference of two engines' logits over the tokens that are not padding."""
    return max(float(np.abs(one(ids, mask) - other(ids, mask))[mask.astype(bool)].max()) for ids, mask in batches)


def folder_batches(folder: Path, texts: Sequence[str]) -> list[Batch]:
    """Return `make_batches` by the tokenizer of a student's folder."""
    return make_batches(load_reader(folder), texts)


def load_engine(path: Path) -> Engine:
    """Return onnxruntime's engine on one thread: a rank by error must not depend on the number of cores."""
    return OnnxEngine(path, threads=1)


def _entities(annotator: Annotator, text: str) -> list[tuple[int, int, str]]:
    return [(entity.start, entity.end, entity.label) for entity in annotator(text)]
