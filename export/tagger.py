"""What the export of a student that tags words is held to: the checkpoint's logits and entities, exact F1 in INT8."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carabin.annotator import Annotator
from carabin.documents import Document
from carabin.engines.engine import Engine, OnnxEngine
from carabin.scoring.ner_scores import score_spans
from carabin.student_folder import load_reader
from carabin.tokens.reader import TextReader
from export.onnx_files import TAGGER
from export.parity import TOLERANCE
from export.sensitivity import Probe
from zoo.torch_engine import load_annotator

PARITY_TEXTS = 64

Batch = tuple[NDArray[np.int64], NDArray[np.int64]]
"""input_ids and attention_mask, each of shape (batch, tokens)."""


@dataclass(frozen=True)
class TaggerExport:
    """The family's part in `export.build_onnx`, over annotated documents to choose on."""

    documents: Sequence[Document]
    names: tuple[str, ...] = TAGGER
    metric: str = "f1"

    def to_inputs(self) -> dict[str, Any]:
        """Return what the choice depends on."""
        return {"tolerance": TOLERANCE, "documents": [document.to_dict() for document in self.documents]}

    def compare(self, student: Path) -> TaggerParity:
        """Compare the checkpoint with the fp32 file."""
        return compare_torch_with_onnx(student, self._texts())

    def make_score(self, student: Path) -> Callable[[bool], float]:
        """Return the exact micro F1 of the fp32 or INT8 file, under the folder's tokenizer."""
        gold = [document.entities for document in self.documents]
        bare = [replace(document, entities=()) for document in self.documents]

        def score(quantized: bool) -> float:
            annotator = Annotator.load(student, quantized=quantized)
            return float(score_spans([document.entities for document in annotator.annotate(bare)], gold)["f1"])

        return score

    def make_probe(self, student: Path) -> Probe:
        """Return the probe of the sensitivities."""
        return make_probe(folder_batches(student, self._texts()))

    def finish(self, student: Path, python: Path, int8: bool) -> dict[str, Any]:  # noqa: ARG002 - as every family's
        """Return nothing further for parity.json: one file is all there is."""
        return {}

    def _texts(self) -> list[str]:
        return [document.text for document in self.documents[:PARITY_TEXTS]]


@dataclass(frozen=True, slots=True)
class TaggerParity:
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

    def describe(self) -> str:
        """Return the figures, for the message of an export that stops."""
        return (
            f"logits differ by {self.max_abs_logit_difference:.2g} (tolerance {self.tolerance}), "
            f"entities in {self.texts_with_other_entities} of {self.texts} texts"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the `torch_vs_onnx` part of parity.json."""
        return {**asdict(self), "passed": self.passed}


def compare_torch_with_onnx(folder: Path, texts: Sequence[str], tolerance: float = TOLERANCE) -> TaggerParity:
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
    return TaggerParity(
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


def make_probe(batches: Sequence[Batch]) -> Probe:
    """Return the probe that runs a tagger on batches, on one thread: a rank must not depend on the number of cores."""

    def probe(files: Mapping[str, Path]) -> NDArray[np.float32]:
        engine = OnnxEngine(files[TAGGER[0]], threads=1)
        return np.concatenate([engine(ids, mask)[mask.astype(bool)] for ids, mask in batches])

    return probe


def _entities(annotator: Annotator, text: str) -> list[tuple[int, int, str]]:
    return [(entity.start, entity.end, entity.label) for entity in annotator(text)]
