"""Which passages are read when, and what a batch of them is for the model.

The whole plan of a training is drawn up front from its seed, a list of batches: resuming is taking the rest of the
list, and every process of several takes its share of it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from tokenizers import Encoding
from torch import Tensor

from carabin.tokens.reader import TextReader
from carabin.tokens.words import Offsets, find_words, first_tokens
from training.passages import NO_TAG
from zoo.noise import carry_probabilities, carry_tags, carry_word_rows, perturb
from zoo.registry.recipes import NoiseRecipe
from zoo.runs import RunError

BUCKET = 64
"""Batches whose passages are sorted by length together: enough to pad little, few enough to stay shuffled."""


class Visit(NamedTuple):
    """One reading of one passage."""

    epoch: int
    passage: int


def plan_batches(
    lengths: Sequence[int] | NDArray[np.int64], batch_tokens: int, tokens: int, seed: int
) -> list[list[Visit]]:
    """Return batches of visits until a budget of padded tokens is spent.

    Args:
        lengths: Tokens of each passage.
        batch_tokens: Padded tokens in one batch, at most (a longer passage goes alone).
        tokens: Budget over all batches.
        seed: Of the order.

    Raises:
        RunError: there is no passage.
    """
    if len(lengths) == 0:
        raise RunError("no passage to learn from: the corpora of the recipe hold no word; check its gold and transfer")
    sizes = np.asarray(lengths)
    batches: list[list[Visit]] = []
    spent, epoch = 0, 0
    while spent < tokens:
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(sizes))
        for bucket in _buckets(order, sizes, batch_tokens * BUCKET):
            made = _pack(bucket[np.argsort(sizes[bucket], kind="stable")], sizes, batch_tokens)
            for number in rng.permutation(len(made)):
                batches.append([Visit(epoch, int(passage)) for passage in made[number]])
                spent += int(sizes[made[number]].max()) * len(made[number])
                if spent >= tokens:
                    return batches
        epoch += 1
    return batches


def _buckets(order: NDArray[np.int64], sizes: NDArray[np.int64], tokens: int) -> list[NDArray[np.int64]]:
    edges = np.cumsum(sizes[order]) // tokens
    return [order[edges == edge] for edge in np.unique(edges)]


def _pack(order: NDArray[np.int64], sizes: NDArray[np.int64], batch_tokens: int) -> list[NDArray[np.int64]]:
    packs, start = [], 0
    for position in range(1, len(order) + 1):
        if position == len(order) or sizes[order[position]] * (position - start + 1) > batch_tokens:
            packs.append(order[start:position])
            start = position
    return packs


class PassageBatcher:
    """Turns visits into tensors, perturbing on the way; the same visit always gives the same tensors."""

    def __init__(
        self,
        passages: Dataset,
        reader: TextReader,
        n_tags: int,
        noise: NoiseRecipe,
        seed: int,
        teacher_reader: TextReader | None = None,
    ) -> None:
        """Hold what a batch is made of.

        Args:
            passages: Rows of `training.passages.FEATURES`.
            reader: Tokenises for the student.
            n_tags: Width of a teacher's distribution.
            noise: What the student reads in place of the clean text.
            seed: Of the noise.
            teacher_reader: Tokenises the clean text for a teacher that runs beside the student; None if none does.
        """
        self.passages, self.reader, self.n_tags = passages, reader, n_tags
        self.noise, self.seed, self.teacher_reader = noise, seed, teacher_reader

    def __call__(self, visits: Sequence[Visit]) -> dict[str, Tensor]:
        """Return a batch.

        Returns:
            `input_ids`, `attention_mask`: (batch, tokens). One row per word of the batch that has a token:
            `sample` (n,), `position` (n,) of its first token, `tags` (n,) gold or `NO_TAG`, `probabilities` (n, n_tags)
            (zeros without a teacher), `clean_word` (n,) its index in the clean passage (-1 if it comes from none).
            With a teacher reader also `teacher_ids`, `teacher_mask` and `teacher_position` (n,), -1 where none.
        """
        rows = [self.passages[visit.passage] for visit in visits]
        noised = [self._perturb(row, visit) for row, visit in zip(rows, visits, strict=True)]
        encodings = self.reader.tokenizer.encode_batch([text for text, _, _, _ in noised])
        longest = self.reader.max_tokens
        input_ids, mask = self.reader.pad([np.asarray(encoding.ids[:longest]) for encoding in encodings])
        parts: dict[str, list[NDArray]] = {
            name: [] for name in ("sample", "position", "tags", "probabilities", "clean_word")
        }
        for number, ((text, tags, probabilities, clean), encoding) in enumerate(zip(noised, encodings, strict=True)):
            positions = token_positions(find_words(text), encoding, self.reader)
            kept = np.flatnonzero(positions >= 0)
            parts["sample"].append(np.full(len(kept), number))
            parts["position"].append(positions[kept])
            parts["tags"].append(tags[kept])
            parts["probabilities"].append(probabilities[kept])
            parts["clean_word"].append(clean[kept])
        batch = {name: torch.from_numpy(np.concatenate(values)) for name, values in parts.items()}
        batch |= {"input_ids": torch.from_numpy(input_ids), "attention_mask": torch.from_numpy(mask)}
        return batch | self._read_as_teacher(rows, batch)

    def _perturb(self, row: dict, visit: Visit) -> tuple[str, NDArray, NDArray, NDArray]:
        text, tags = row["text"], np.asarray(row["tags"], dtype=np.int64)
        probabilities = np.asarray(row["probabilities"], dtype=np.float32).reshape(-1, self.n_tags)
        if len(probabilities) == 0:
            probabilities = np.zeros((len(tags), self.n_tags), dtype=np.float32)
        rng = random.Random(f"{self.seed}/{visit.epoch}/{visit.passage}")
        if rng.random() >= self.noise.share:
            return text, tags, probabilities, np.arange(len(tags))
        noised = perturb(text, rng.choice(self.noise.kinds), self.noise.rate, rng)
        rows = carry_word_rows(find_words(noised.text), noised)
        known = len(tags) > 0 and tags[0] != NO_TAG
        carried = carry_tags(tags, rows) if known else np.full(len(rows), NO_TAG, dtype=np.int64)
        taught = (
            carry_probabilities(probabilities, rows)
            if probabilities.any()
            else np.zeros((len(rows), self.n_tags), np.float32)
        )
        return noised.text, carried, taught, rows

    def _read_as_teacher(self, rows: list[dict], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        if self.teacher_reader is None:
            return {}
        reader = self.teacher_reader
        encodings = reader.tokenizer.encode_batch([row["text"] for row in rows])
        longest = reader.max_tokens
        ids, mask = reader.pad([np.asarray(encoding.ids[:longest]) for encoding in encodings])
        positions = np.full(len(batch["sample"]), -1)
        for number, (row, encoding) in enumerate(zip(rows, encodings, strict=True)):
            clean = token_positions(find_words(row["text"]), encoding, reader)
            mine = np.flatnonzero(batch["sample"].numpy() == number)
            words = batch["clean_word"].numpy()[mine]
            positions[mine] = np.where(words >= 0, clean[np.maximum(words, 0)], -1)
        return {
            "teacher_ids": torch.from_numpy(ids),
            "teacher_mask": torch.from_numpy(mask),
            "teacher_position": torch.from_numpy(positions),
        }


def token_positions(words: Offsets, encoding: Encoding, reader: TextReader) -> NDArray[np.int64]:
    """Return each word's first token in a framed encoding, or -1 where it has none or lies past the reader's window."""
    n_prefix = len(reader.prefix)
    offsets = np.asarray(encoding.offsets, dtype=np.int64).reshape(-1, 2)
    # By the frame and not by their offsets: a byte-level tokenizer makes tokens of no character inside the text too.
    own = offsets[n_prefix : len(offsets) - len(reader.suffix)]
    positions = first_tokens(words, own)
    positions = np.where(positions >= 0, positions + n_prefix, -1)
    return np.where(positions < reader.max_tokens - len(reader.suffix), positions, -1)
