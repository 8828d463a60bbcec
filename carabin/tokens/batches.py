"""Texts become batches of windows, and the batches' answers the texts' words again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from carabin.documents import Document
from carabin.tokens.reader import ReadText
from carabin.tokens.words import Offsets

BUFFER_DOCUMENTS = 256
BUFFER_CHARACTERS = 400_000
"""Code points scored together; one longer document goes alone."""

Probabilities = NDArray[np.float32]
"""Shape (n_words, n_tags): of each word, the distribution over the tags."""
Slot = tuple[int, int, int]
"""(text, window, length in tokens) of one row of a batch."""


class Reading:
    """Texts that were read, and what is known of their words so far: nothing, so each is outside."""

    def __init__(self, read: Sequence[ReadText], n_tags: int) -> None:
        self.read = read
        self.results: list[tuple[Offsets, Probabilities]] = []
        for item in read:
            probabilities = np.zeros((len(item.words), n_tags), dtype=np.float32)
            probabilities[:, 0] = 1.0
            self.results.append((item.words, probabilities))

    def queue(self) -> list[Slot]:
        """Return the windows of all texts, by length, so that a batch's rows need little padding."""
        slots = [(text, number, len(ids)) for text, item in enumerate(self.read) for number, ids in enumerate(item.ids)]
        return sorted(slots, key=lambda slot: slot[2])

    def ids(self, slot: Slot) -> NDArray[np.int64]:
        """Return the token ids of a window, special tokens included."""
        return self.read[slot[0]].ids[slot[1]]

    def positions(self, slot: Slot) -> NDArray[np.int64]:
        """Return where, in a window, the words it answers for begin; special tokens not counted."""
        return self.read[slot[0]].windows[slot[1]].positions

    def put(self, slot: Slot, probabilities: Probabilities) -> None:
        """Fill in the words a window answers for; no two windows answer for the same."""
        self.results[slot[0]][1][self.read[slot[0]].windows[slot[1]].words] = probabilities


def bounded_batches(documents: Iterable[Document], count: int, characters: int) -> Iterator[list[Document]]:
    """Yield runs of at most `count` documents and `characters` code points; a longer document stands alone."""
    batch: list[Document] = []
    held = 0
    for document in documents:
        if batch and held + len(document.text) > characters:
            yield batch
            batch, held = [], 0
        batch.append(document)
        held += len(document.text)
        if len(batch) == count:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def cut_groups(groups: Iterable[Sequence[Document]]) -> Iterator[tuple[Sequence[Document], bool]]:
    """Yield each group's buffers, and whether it is the last of its group; an empty group is one empty buffer."""
    for group in groups:
        buffers = list(bounded_batches(group, BUFFER_DOCUMENTS, BUFFER_CHARACTERS)) or [[]]
        for number, buffer in enumerate(buffers, 1):
            yield buffer, number == len(buffers)


def token_batches(queue: Sequence[Slot], budget: int) -> Iterator[list[Slot]]:
    """Yield runs of slots whose padded size stays within the budget; `queue` is sorted by length."""
    batch: list[Slot] = []
    for slot in queue:
        if batch and slot[2] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(slot)
    if batch:
        yield batch


def softmax(logits: Probabilities) -> Probabilities:
    """Return the distribution over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)
