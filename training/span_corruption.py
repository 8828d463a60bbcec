"""Span corruption: an encoder-decoder reads open text with runs of tokens taken out and writes what was there.

Raffel et al., "Exploring the limits of transfer learning with a unified text-to-text transformer" (2020), section
3.1.4: each run is replaced by a sentinel of its own, and the target is each sentinel followed by its run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import T5ForConditionalGeneration

from training.batches import Visit
from training.writing_tokenizer import END, SENTINELS
from zoo.registry.encoders import Corruption


class SpanBatcher:
    """Turns visits into tensors with spans taken out; the same visit always loses the same ones.

    All rows are of one length and lose as many tokens in as many spans: nothing is padded.
    """

    def __init__(self, rows: NDArray[np.int32], tokenizer: Tokenizer, corruption: Corruption, seed: int) -> None:
        """Hold what a batch is made of.

        Args:
            rows: Token ids, shape (n, `corruption.row_tokens`), without a frame (`training.packing`).
            tokenizer: Of `training.writing_tokenizer`.
            corruption: How much is taken out.
            seed: Of the spans.
        """
        self.rows, self.corruption, self.seed = rows, corruption, seed
        self.sentinels = np.array([tokenizer.token_to_id(name) for name in SENTINELS[: corruption.spans]])

    def __call__(self, visits: Sequence[Visit]) -> dict[str, Tensor]:
        """Return `input_ids` and `labels`, each (batch, tokens) and ended by `</s>`."""
        sources, targets = zip(*map(self._corrupt, visits), strict=True)
        return {"input_ids": torch.from_numpy(np.stack(sources)), "labels": torch.from_numpy(np.stack(targets))}

    def _corrupt(self, visit: Visit) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rng = np.random.default_rng([self.seed, visit.epoch, visit.passage])
        taken = draw_spans(self.corruption, rng)
        return take_out(self.rows[visit.passage].astype(np.int64), taken, self.sentinels)


def draw_spans(corruption: Corruption, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which tokens of a row are taken out, shape (row_tokens,): spans drawn evenly among all ways to cut them.

    As in T5, a row begins with a token that stays and ends with a span.
    """
    kept = _cut(corruption.row_tokens - corruption.taken, corruption.spans, rng)
    taken = _cut(corruption.taken, corruption.spans, rng)
    return np.repeat(np.tile([False, True], corruption.spans), np.stack([kept, taken], axis=1).ravel())


def _cut(total: int, parts: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the lengths, none zero, of so many parts of a whole."""
    cuts = np.sort(rng.choice(total - 1, parts - 1, replace=False)) + 1
    return np.diff(cuts, prepend=0, append=total)


def take_out(
    row: NDArray[np.int64], taken: NDArray[np.bool_], sentinels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (source, target): the row with each span as a sentinel, and the sentinels each with its span.

    Args:
        row: Token ids, shape (tokens,).
        taken: Of which the spans, shape (tokens,).
        sentinels: Token ids, one for each span at least.
    """
    starts = taken & ~np.concatenate(([False], taken[:-1]))
    number = np.cumsum(starts) - 1
    source = np.where(starts, sentinels[number], row)[~taken | starts]
    target = np.insert(row[taken], np.flatnonzero(starts[taken]), sentinels[: int(starts.sum())])
    return np.append(source, END), np.append(target, END)


class SpanObjective(nn.Module):
    """An encoder-decoder that learns to write what was taken out."""

    def __init__(self, model: T5ForConditionalGeneration) -> None:
        """Hold the model."""
        super().__init__()
        self.model = model

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return `loss`: the mean cross-entropy, in nats, over the tokens to write."""
        return {"loss": self.model(**batch, use_cache=False).loss}
