"""The annotator: texts in, entities out, over any engine.

The lab scores its checkpoints through this same class (with a torch engine), so what is measured is what hospitals run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from carabin.documents import Document, Entity
from carabin.engine import Engine, OnnxEngine
from carabin.tagging import decode_spans, labels_of
from carabin.windows import Window, cut_windows
from carabin.words import Offsets, find_words


class ModelError(ValueError):
    """A folder that is not a student this version can run; the message says which file and why."""


@dataclass(frozen=True, slots=True)
class ReadText:
    """A text cut into words and windows of token ids, ready for an engine."""

    words: Offsets
    windows: list[Window]
    ids: list[NDArray[np.int64]]
    """Token ids of each window, special tokens included."""


class TextReader:
    """Tokenises texts and cuts them into windows; holds what the model needs to know about its own tokenizer."""

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, overlap: int | None = None) -> None:
        """Wrap a tokenizer.

        Args:
            tokenizer: Its post-processor frames each text with the special tokens.
            max_tokens: Longest window, special tokens included.
            overlap: Tokens shared by neighbouring windows; a quarter of the window by default.
        """
        tokenizer.no_truncation()
        tokenizer.no_padding()
        frame = tokenizer.encode("")
        sample = tokenizer.encode("a")
        self.tokenizer = tokenizer
        self.prefix = frame.ids[: _leading_specials(sample)]
        self.suffix = frame.ids[len(self.prefix) :]
        self.capacity = max_tokens - len(frame.ids)
        self.overlap = self.capacity // 4 if overlap is None else overlap
        padding = tokenizer.token_to_id("[PAD]")
        self.padding_id = 0 if padding is None else padding

    def read(self, texts: Sequence[str]) -> list[ReadText]:
        """Return each text's words, windows and token ids. Empty and blank texts have no window."""
        encodings = self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [self._cut(text, encoding) for text, encoding in zip(texts, encodings, strict=True)]

    def _cut(self, text: str, encoding: Any) -> ReadText:  # noqa: ANN401 - tokenizers has no public Encoding type
        words = find_words(text)
        tokens = np.asarray(encoding.offsets, dtype=np.int64).reshape(-1, 2)
        ids = np.asarray(encoding.ids, dtype=np.int64)
        windows = cut_windows(words, tokens, self.capacity, self.overlap)
        framed = [np.concatenate((self.prefix, ids[w.first : w.last], self.suffix)).astype(np.int64) for w in windows]
        return ReadText(words, windows, framed)

    def pad(self, ids: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (input_ids, attention_mask), both of shape (batch, longest)."""
        longest = max(len(window) for window in ids)
        input_ids = np.full((len(ids), longest), self.padding_id, dtype=np.int64)
        mask = np.zeros_like(input_ids)
        for row, window in enumerate(ids):
            input_ids[row, : len(window)] = window
            mask[row, : len(window)] = 1
        return input_ids, mask


def _leading_specials(encoding: Any) -> int:  # noqa: ANN401
    return next((i for i, special in enumerate(encoding.special_tokens_mask) if not special), len(encoding.ids))


class Annotator:
    """Finds entities in texts of any length."""

    def __init__(
        self, reader: TextReader, tags: Sequence[str], engine: Engine, model_id: str = "", batch_tokens: int = 4096
    ) -> None:
        """Put together a reader and an engine.

        Args:
            reader: Tokenises and cuts windows.
            tags: The engine's output tags, `O`, `B-x`, `I-x`, …
            engine: Turns token ids into logits.
            model_id: Name of the student, for whoever writes the result down.
            batch_tokens: Padded tokens in one call of the engine.
        """
        self.reader = reader
        self.tags = tuple(tags)
        self.labels = labels_of(tags)
        self.engine = engine
        self.model_id = model_id
        self.batch_tokens = batch_tokens

    @classmethod
    def load(cls, folder: Path | str, quantized: bool | None = None, threads: int | None = None) -> Annotator:
        """Return the annotator of a published student's folder.

        Args:
            folder: Holds config.json, tokenizer.json and `onnx/`.
            quantized: True for `onnx/model_quantized.onnx`, False for `onnx/model.onnx`; None takes the INT8 file
                where the student's quality gate let it be published, else the fp32 one.
            threads: Threads of the engine; None for all cores.

        Raises:
            ModelError: a file is missing or is not what it should be.
        """
        folder = Path(folder)
        config = read_config(folder)
        if quantized is None:
            quantized = (folder / "onnx" / "model_quantized.onnx").is_file()
        try:
            engine = OnnxEngine(folder / "onnx" / ("model_quantized.onnx" if quantized else "model.onnx"), threads)
        except FileNotFoundError as error:
            raise ModelError(str(error)) from None
        return cls(load_reader(folder), config_tags(config, folder), engine, config.get("_name_or_path") or folder.name)

    def annotate(self, documents: Iterable[Document], buffer: int = 256) -> Iterator[Document]:
        """Yield the documents in order, their entities replaced by the model's.

        Args:
            documents: Read lazily, `buffer` at a time, so that memory stays bounded.
            buffer: Documents sorted into batches together.
        """
        stream = iter(documents)
        while batch := list(islice(stream, buffer)):
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
            for row, (text, number, _) in enumerate(batch):
                window = read[text].windows[number]
                chosen = logits[row, window.positions + len(self.reader.prefix)]
                results[text][1][window.words] = softmax(chosen)
        return results


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


def read_config(folder: Path) -> dict[str, Any]:
    """Return a student's config.json. Raises ModelError: missing or not JSON."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file; is '{folder}' a student's folder?") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f"{path}: not JSON ({error}); fetch the student again") from None
    if not isinstance(config, dict):
        raise ModelError(f"{path}: not a JSON object; fetch the student again")
    return config


def config_tags(config: dict[str, Any], folder: Path) -> tuple[str, ...]:
    """Return the output tags in order, from `id2label`. Raises ModelError: missing, or not BIO."""
    names = config.get("id2label") or {}
    tags = tuple(names.get(str(number), "") for number in range(len(names)))
    try:
        labels_of(tags)
    except ValueError as error:
        raise ModelError(f"{folder / 'config.json'}: {error}") from None
    return tags


def load_reader(folder: Path) -> TextReader:
    """Return the reader of a student's folder: tokenizer.json, window from tokenizer_config.json's model_max_length."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ModelError(f"{path}: no such file; a student's folder holds its tokenizer")
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    return TextReader(Tokenizer.from_file(str(path)), int(settings["model_max_length"]))
