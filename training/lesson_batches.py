"""Batches of lessons: each source once, perturbed or not, and the texts to write of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset, Features, Value
from datasets import Sequence as Repeated
from tokenizers import Tokenizer
from torch import Tensor

from carabin.generation.writer import pad_rows
from training.batches import Visit
from training.writing_losses import NO_TOKEN
from zoo.noise import perturb
from zoo.registry.recipes import NoiseRecipe

FEATURES = Features(
    {
        "prefix": Value("string"),
        "text": Value("string"),
        "targets": Repeated(Repeated(Value("int32"))),
        "tokens": Value("int32"),
    }
)


class LessonBatcher:
    """Turns visits into tensors, perturbing sources on the way; the same visit always gives the same tensors."""

    def __init__(
        self, lessons: Dataset, tokenizer: Tokenizer, noise: NoiseRecipe, seed: int, longest: int, beside: bool = False
    ) -> None:
        """Hold what a batch is made of.

        Args:
            lessons: Rows of `FEATURES`.
            tokenizer: The student's.
            noise: What the student reads in place of the clean source. What it writes stays clean.
            seed: Of the noise.
            longest: Tokens of a source; a perturbed one may exceed it by a few, and is then read clean.
            beside: Give the clean sources too, for a teacher that runs beside the student.
        """
        self.lessons, self.tokenizer, self.noise, self.seed = lessons, tokenizer, noise, seed
        self.longest, self.beside = longest, beside

    def __call__(self, visits: Sequence[Visit]) -> dict[str, Tensor]:
        """Return a batch.

        Returns:
            `input_ids`, `attention_mask`: (sources, tokens), and `clean_ids`, `clean_mask` likewise where a teacher
            runs beside. One row per text: `source` (texts,) its source's number, `decoder_input_ids` and `labels`
            (texts, tokens), `NO_TOKEN` where nothing is written.
        """
        rows = [self.lessons[visit.passage] for visit in visits]
        clean = [self._encode(row["prefix"] + row["text"]) for row in rows]
        read = [self._perturb(row, visit, ids) for row, visit, ids in zip(rows, visits, clean, strict=True)]
        batch = dict(zip(("input_ids", "attention_mask"), _pad(read), strict=True))
        if self.beside:
            batch |= dict(zip(("clean_ids", "clean_mask"), _pad(clean), strict=True))
        targets = [(number, ids) for number, row in enumerate(rows) for ids in row["targets"]]
        written, mask = _pad([ids for _, ids in targets])
        # The decoder is given what stands before each token: the pad that begins a text, then the text.
        before = torch.cat((torch.zeros_like(written[:, :1]), written[:, :-1]), dim=1)
        return {
            **batch,
            "source": torch.tensor([number for number, _ in targets]),
            "decoder_input_ids": before,
            "labels": written.masked_fill(mask == 0, NO_TOKEN),
        }

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text).ids)

    def _perturb(self, row: dict[str, Any], visit: Visit, clean: list[int]) -> list[int]:
        rng = random.Random(f"{self.seed}/{visit.epoch}/{visit.passage}")
        if rng.random() >= self.noise.share:
            return clean
        noised = perturb(row["text"], rng.choice(self.noise.kinds), self.noise.rate, rng)
        ids = self._encode(row["prefix"] + noised.text)
        return ids if len(ids) <= self.longest else clean


def _pad(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return rows filled up with the pad (0), and where they are not it, each (rows, longest)."""
    ids, mask = pad_rows([np.asarray(row, dtype=np.int64) for row in rows], 0)
    return torch.from_numpy(ids), torch.from_numpy(mask)
