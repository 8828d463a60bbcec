"""Open text as rows of token ids, all of one length, on disk and memory-mapped: no padding, no tokenising twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.tokenizer import SPECIAL_TOKENS

DOCUMENTS_AT_ONCE = 256
ROWS = "rows.npy"
BERT_FRAME: tuple[tuple[int, ...], ...] = tuple((SPECIAL_TOKENS.index(token),) for token in ("[CLS]", "[SEP]"))
NO_FRAME: tuple[tuple[int, ...], ...] = ((), ())


def pack_rows(
    documents: Iterable[Sequence[str]],
    tokenizer: Tokenizer,
    length: int,
    folder: Path,
    frame: tuple[tuple[int, ...], ...] = BERT_FRAME,
) -> NDArray[np.int32]:
    """Write the rows of a stream of documents to `folder/rows.npy` and return them, memory-mapped.

    Args:
        documents: Each a list of sentences. They follow one another in a row, whatever their document: a row ends
            where it is full.
        tokenizer: Turns them into tokens.
        length: Tokens of a row, frame included.
        folder: Where the rows go.
        frame: Token ids that begin and that end each row: by default those of `training.tokenizer`.

    Returns:
        Shape (n, length). The last, unfilled row is dropped.
    """
    before, after = frame
    reads_special = tokenizer.encode_special_tokens
    tokenizer.encode_special_tokens = True  # "</s>" typed in a text is text, and ends nothing
    body = length - len(before) - len(after)
    pieces = list(_streams(documents, tokenizer))
    tokenizer.encode_special_tokens = reads_special
    stream = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int32)
    bodies = stream[: len(stream) // body * body].reshape(-1, body)
    rows = np.empty((len(bodies), length), dtype=np.int32)
    rows[:, : len(before)], rows[:, len(before) + body :] = before, after
    rows[:, len(before) : len(before) + body] = bodies
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / ROWS, rows)
    return np.load(folder / ROWS, mmap_mode="r")


def _streams(documents: Iterable[Sequence[str]], tokenizer: Tokenizer) -> Iterator[NDArray[np.int32]]:
    batch: list[Sequence[str]] = []
    for document in chain(documents, [None]):
        if document is not None:
            batch.append(document)
        if batch and (document is None or len(batch) == DOCUMENTS_AT_ONCE):
            sentences = list(chain.from_iterable(batch))
            encodings = tokenizer.encode_batch(sentences, add_special_tokens=False)
            yield np.concatenate([np.asarray(encoding.ids, dtype=np.int32) for encoding in encodings])
            batch = []
