"""Passages: the pieces of documents a tagger learns from, on disk, memory-mapped, read at random.

A passage is a run of a document no longer than the model's window, with one row per word: its gold tag, or `NO_TAG`
where nobody annotated, and its teacher's distribution, where there is one. Kept as an Arrow dataset, a transfer set of
any size costs disk and no memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, Features, Value
from datasets import Sequence as Repeated
from numpy.typing import NDArray

from carabin.documents import Document
from carabin.tokens.reader import TextReader
from carabin.tokens.tagging import encode_spans
from carabin.tokens.words import find_words
from training.rows import write_rows

NO_TAG = -1
FEATURES = Features(
    {
        "text": Value("string"),
        "tags": Repeated(Value("int16")),
        "probabilities": Repeated(Value("float16")),
        "tokens": Value("int32"),
    }
)


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text with one row per word of `carabin.tokens.words.find_words`.

    Attributes:
        text: The text.
        tags: Gold tag of each word, `NO_TAG` where unknown. Shape (n_words,).
        probabilities: The teacher's distribution for each word, shape (n_words, n_tags); None without a teacher.
    """

    text: str
    tags: NDArray[np.int64]
    probabilities: NDArray[np.float16] | None = None


def gold_text(document: Document, labels: Sequence[str]) -> LabelledText:
    """Return an annotated document as rows of gold tags."""
    return LabelledText(document.text, encode_spans(find_words(document.text), document.entities, labels))


def bare_text(document: Document) -> LabelledText:
    """Return a document whose annotations, if any, are not to be seen."""
    return LabelledText(document.text, np.full(len(find_words(document.text)), NO_TAG, dtype=np.int64))


def cut_passages(labelled: LabelledText, reader: TextReader) -> Iterator[dict[str, Any]]:
    """Yield the rows (`FEATURES`) of a document's passages; every word that has a token is in exactly one.

    Args:
        labelled: The document.
        reader: Its overlap must be 0, so that no word is learned twice.
    """
    (read,) = reader.read([labelled.text])
    for window, ids in zip(read.windows, read.ids, strict=True):
        if len(window.words) == 0:
            continue
        first, last = int(window.words[0]), int(window.words[-1]) + 1
        start, end = int(read.words[first, 0]), int(read.words[last - 1, 1])
        probabilities = labelled.probabilities
        yield {
            "text": labelled.text[start:end],
            "tags": labelled.tags[first:last].astype(np.int16),
            "probabilities": np.zeros(0, np.float16)
            if probabilities is None
            else probabilities[first:last].reshape(-1),
            "tokens": len(ids),
        }


def write_passages(texts: Iterable[LabelledText], reader: TextReader, max_tokens: int, folder: Path) -> Dataset:
    """Write the passages of a stream of documents to a folder and return them, memory-mapped.

    Args:
        texts: Read once, a thousand passages at a time.
        reader: Tokenises as the model that will learn does.
        max_tokens: Longest passage, special tokens included.
        folder: Replaced if it exists.
    """
    whole = TextReader(reader.tokenizer, max_tokens, overlap=0)

    def rows() -> Iterator[dict[str, Any]]:
        for labelled in texts:
            yield from cut_passages(labelled, whole)

    return write_rows(rows(), FEATURES, folder)
