"""The annotator: texts in, entities out, over any engine.

The lab scores its checkpoints through this same class (with a torch engine), so what is measured is what hospitals run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carabin.calibration import read_calibration
from carabin.documents import Document, Entity
from carabin.engine import Engine, OnnxEngine
from carabin.reader import ReadText, TextReader
from carabin.student_folder import (
    ModelError,
    check_student,
    config_tags,
    file_digest,
    find_student,
    load_reader,
    read_config,
    student_name,
)
from carabin.tagging import decode_spans, labels_of
from carabin.words import Offsets

__all__ = ["Annotator", "ModelError", "ReadText", "TextReader", "config_tags", "load_reader", "read_config"]

BUFFER_CHARACTERS = 1_000_000
"""Code points read ahead by `Annotator.annotate`, whatever the number of documents; one longer document goes alone."""


class Annotator:
    """Finds entities in texts of any length."""

    def __init__(
        self,
        reader: TextReader,
        tags: Sequence[str],
        engine: Engine,
        model_id: str = "",
        batch_tokens: int = 4096,
        model_version: str = "",
        temperature: float = 1.0,
        thresholds: Mapping[str, float] | None = None,
    ) -> None:
        """Put together a reader and an engine.

        Args:
            reader: Tokenises and cuts windows.
            tags: The engine's output tags, `O`, `B-x`, `I-x`, …
            engine: Turns token ids into logits.
            model_id: Name of the student, for whoever writes the result down.
            batch_tokens: Padded tokens in one call of the engine.
            model_version: Start of the SHA-256 of the weights that answer.
            temperature: Logits are divided by it before they become probabilities (`carabin.calibration`).
            thresholds: The least scores that were fitted with it, by label, for who asks for them: an annotator leaves
                nothing out by itself.

        Raises:
            ValueError: the temperature is not a positive number.
        """
        if not 0 < temperature < np.inf:
            raise ValueError(f"a temperature is a positive number, not {temperature}")
        self.reader = reader
        self.tags = tuple(tags)
        self.labels = labels_of(tags)
        self.engine = engine
        self.model_id = model_id
        self.batch_tokens = batch_tokens
        self.model_version = model_version
        self.temperature = temperature
        self.thresholds = dict(thresholds or {})

    @classmethod
    def load(cls, folder: Path | str, quantized: bool | None = None, threads: int | None = None) -> Annotator:
        """Return the annotator of a published student's folder.

        Args:
            folder: Holds config.json, tokenizer.json, tokenizer_config.json and `onnx/`; or the name of a student
                shipped inside the package.
            quantized: True for `onnx/model_quantized.onnx`, False for `onnx/model.onnx`; None takes the INT8 file
                where the student's quality gate let it be published, else the fp32 one.
            threads: Threads of the engine; None for all cores.

        Raises:
            ModelError: a file is missing or is not what it should be.
        """
        folder = find_student(folder)
        if quantized is None:
            quantized = (folder / "onnx" / "model_quantized.onnx").is_file()
        path = folder / "onnx" / ("model_quantized.onnx" if quantized else "model.onnx")
        check_student(folder, path)
        config = read_config(folder)
        tags, reader = config_tags(config, folder), load_reader(folder)
        try:
            engine = OnnxEngine(path, threads)
        except FileNotFoundError as error:
            raise ModelError(str(error)) from None
        if engine.n_outputs is not None and engine.n_outputs != len(tags):
            raise ModelError(f"{path}: scores {engine.n_outputs} tags, but config.json names {len(tags)}")
        version = file_digest(path)
        fitted = read_calibration(folder, f"onnx/{path.name}", version, labels_of(tags))
        return cls(
            reader, tags, engine, student_name(config, folder),
            model_version=version, temperature=fitted.temperature, thresholds=fitted.thresholds,
        )  # fmt: skip

    def annotate(self, documents: Iterable[Document], buffer: int = 256) -> Iterator[Document]:
        """Yield the documents in order, their entities replaced by the model's.

        Args:
            documents: Read lazily, `buffer` at a time and fewer when they are long, so that memory stays bounded.
            buffer: Documents sorted into batches together.
        """
        for batch in bounded_batches(documents, buffer, BUFFER_CHARACTERS):
            for document, (words, probabilities) in zip(
                batch, self.word_probabilities([document.text for document in batch]), strict=True
            ):
                yield replace(document, entities=tuple(decode_spans(words, probabilities, self.labels)))

    def __call__(self, text: str) -> list[Entity]:
        """Return the entities of one text."""
        ((words, probabilities),) = self.word_probabilities([text])
        return decode_spans(words, probabilities, self.labels)

    def word_probabilities(self, texts: Sequence[str]) -> list[tuple[Offsets, NDArray[np.float32]]]:
        """Return, for each text, its words (n, 2) and their tag distributions (n, n_tags).

        A word for which the tokenizer made no token is surely outside.
        """
        read = self.reader.read(texts)
        results = []
        for item in read:
            probabilities = np.zeros((len(item.words), len(self.tags)), dtype=np.float32)
            probabilities[:, 0] = 1.0
            results.append((item.words, probabilities))
        queue = [(text, number, len(ids)) for text, item in enumerate(read) for number, ids in enumerate(item.ids)]
        queue.sort(key=lambda entry: entry[2])
        for batch in token_batches(queue, self.batch_tokens):
            input_ids, mask = self.reader.pad([read[text].ids[number] for text, number, _ in batch])
            logits = self.engine(input_ids, mask)
            if logits.shape[-1] != len(self.tags):
                raise ModelError(f"the engine scores {logits.shape[-1]} tags where {len(self.tags)} are named")
            for row, (text, number, _) in enumerate(batch):
                window = read[text].windows[number]
                chosen = logits[row, window.positions + len(self.reader.prefix)]
                probabilities = softmax(chosen if self.temperature == 1 else chosen / np.float32(self.temperature))
                if not np.isfinite(probabilities).all():
                    raise ModelError("the engine gave a score that is not a number; try the fp32 file (--fp32)")
                results[text][1][window.words] = probabilities
        return results


def bounded_batches(documents: Iterable[Document], count: int, characters: int) -> Iterator[list[Document]]:
    """Yield runs of at most `count` documents and `characters` code points; a longer document stands alone."""
    batch: list[Document] = []
    held = 0
    for document in documents:
        if batch and (len(batch) == count or held + len(document.text) > characters):
            yield batch
            batch, held = [], 0
        batch.append(document)
        held += len(document.text)
    if batch:
        yield batch


def token_batches(queue: Sequence[tuple[int, int, int]], budget: int) -> Iterator[list[tuple[int, int, int]]]:
    """Yield runs of (text, window, length) whose padded size stays within the budget; `queue` is sorted by length."""
    batch: list[tuple[int, int, int]] = []
    for entry in queue:
        if batch and entry[2] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(entry)
    if batch:
        yield batch


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the distribution over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)
